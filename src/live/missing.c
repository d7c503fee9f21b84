/*
 * missing.c - times in which packets were missing.
 */
#include "live/missing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

enum { REASON = 96, SENTENCE = 400 };

struct span {
	enum lya_capture_event_kind kind;
	uint32_t source;
	int64_t from_ns, to_ns;
	uint64_t count;
	bool over;
	char why[REASON];
	char sentence[SENTENCE];
};

struct live_missing {
	struct span *list;
	size_t n, cap;
	uint64_t more[2]; /* by kind: what is not in the list */
	char more_text[2][SENTENCE];
};

static const enum lya_limit_kind limit_kinds[] = { [LYA_CAPTURE_GAP] = LYA_LIMIT_GAP,
						   [LYA_CAPTURE_DROP] = LYA_LIMIT_DROPS };

struct live_missing *live_missing_new(void)
{
	return lya_calloc(1, sizeof(struct live_missing));
}

void live_missing_free(struct live_missing *m)
{
	if (m == NULL)
		return;
	lya_free(m->list);
	lya_free(m);
}

/* The piece before, if this one goes on with it. */
static struct span *piece_before(struct live_missing *m, const struct lya_capture_event *e)
{
	for (size_t i = m->n; i > 0; i--) {
		struct span *s = &m->list[i - 1];

		if (!s->over && s->kind == e->kind && s->source == e->source &&
		    s->to_ns == e->from_ns && strcmp(s->why, e->what) == 0)
			return s;
	}
	return NULL;
}

static void describe(struct span *s)
{
	char from[LYA_TIME_TEXT], to[LYA_TIME_TEXT];

	lya_time_format(s->from_ns, 3, from);
	lya_time_format(s->to_ns, 3, to);
	if (s->kind == LYA_CAPTURE_GAP)
		(void)snprintf(s->sentence, sizeof(s->sentence),
			       "Nothing was seen from %s to %s (%s): what happened then is not in this "
			       "report, and rows may count as not observed for that reason.",
			       from, to, s->why);
	else
		(void)snprintf(s->sentence, sizeof(s->sentence),
			       "%" PRIu64 " packets were lost from %s to %s (%s): flows of that time "
			       "may be missing, and counts are too low.",
			       s->count, from, to, s->why);
}

int live_missing_note(struct live_missing *m, const struct lya_capture_event *e)
{
	struct span *s = piece_before(m, e);

	if (s == NULL && m->n == LIVE_MISSING_MAX) {
		m->more[e->kind]++;
		return LYA_OK;
	}
	if (s == NULL) {
		if (lya_grow((void **)&m->list, &m->cap, m->n + 1, sizeof(*m->list)) != LYA_OK)
			return LYA_ENOMEM;
		s = &m->list[m->n++];
		*s = (struct span){ .kind = e->kind, .source = e->source, .from_ns = e->from_ns };
		(void)snprintf(s->why, sizeof(s->why), "%s", e->what);
	}
	s->to_ns = e->to_ns;
	s->count += e->count;
	s->over = e->over;
	describe(s);
	return LYA_OK;
}

bool live_missing_gaps(const struct live_missing *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->list[i].kind == LYA_CAPTURE_GAP)
			return true;
	}
	return m->more[LYA_CAPTURE_GAP] > 0;
}

/* Limits ------------------------------------------------------------------- */

static void add_spans(struct live_missing *m, const struct lya_source *sources,
		      enum lya_limit_kind kind, struct lya_limit *list, size_t *n)
{
	for (size_t i = 0; i < m->n; i++) {
		struct span *s = &m->list[i];

		if (limit_kinds[s->kind] == kind)
			list[(*n)++] = (struct lya_limit){ .kind = kind,
							   .where = sources[s->source].name,
							   .what = s->sentence };
	}
}

static void add_rest(struct live_missing *m, enum lya_limit_kind kind, struct lya_limit *list,
		     size_t *n)
{
	for (unsigned k = 0; k < 2; k++) {
		if (limit_kinds[k] != kind || m->more[k] == 0)
			continue;
		(void)snprintf(m->more_text[k], sizeof(m->more_text[k]),
			       "%" PRIu64 " more times like these are not listed one by one.",
			       m->more[k]);
		list[(*n)++] = (struct lya_limit){ .kind = kind, .where = "sensor",
						   .what = m->more_text[k] };
	}
}

int live_missing_limits(struct live_missing *m, const struct lya_source *sources,
			const struct lya_limit *limits, size_t n, struct lya_limit **list,
			size_t *n_list, struct lya_error *err)
{
	size_t at = 0;

	*n_list = 0;
	*list = lya_calloc(n + m->n + 2, sizeof(**list));
	if (*list == NULL)
		return lya_error_nomem(err);
	for (unsigned kind = 0; kind < LYA_LIMITS; kind++) {
		for (; at < n && limits[at].kind <= kind; at++)
			(*list)[(*n_list)++] = limits[at];
		add_spans(m, sources, (enum lya_limit_kind)kind, *list, n_list);
		add_rest(m, (enum lya_limit_kind)kind, *list, n_list);
	}
	return LYA_OK;
}

void live_missing_limits_free(struct lya_limit *list)
{
	lya_free(list);
}
