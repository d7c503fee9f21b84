/*
 * tell.c - from the sensor to the courier.
 *
 *	severity, update | sentence NUL | finding as JSON NUL     (messages.h)
 */
#include "live/tell.h"

#include <stdatomic.h>

#include "live/messages.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/output.h"
#include "lyncaudit/post.h"
#include "lyncaudit/text.h"

struct live_tell {
	int fd;
	atomic_uint_fast64_t lost;
};

struct live_tell *live_tell_new(int fd)
{
	struct live_tell *t = lya_malloc(sizeof(*t));

	if (t == NULL)
		return NULL;
	t->fd = fd;
	atomic_init(&t->lost, 0);
	return t;
}

void live_tell_free(struct live_tell *t)
{
	lya_free(t);
}

static void post(struct live_tell *t, enum live_tale kind, uint32_t number,
		 const struct lya_text *text)
{
	if (text->failed || lya_post_send(t->fd, kind, number, text->data, text->len, -1) != LYA_OK)
		atomic_fetch_add(&t->lost, 1);
}

/* The line without its end. */
static void add_json(struct lya_text *text, const struct lya_policy *policy,
		     const struct lya_source *sources, size_t n_sources,
		     const struct lya_finding *f)
{
	struct lya_output *out;
	struct lya_error err;

	if (lya_output_open_text(&out, text, &err) != LYA_OK) {
		text->failed = true;
		return;
	}
	lya_report_finding_line(out, policy, sources, n_sources, f);
	if (lya_output_commit(out, &err) != LYA_OK)
		text->failed = true;
	else if (text->len > 0 && text->data[text->len - 1] == '\n')
		text->len--;
}

void live_tell_finding(struct live_tell *t, const struct lya_policy *policy,
		       const struct lya_source *sources, size_t n_sources,
		       const struct lya_finding *f, bool update)
{
	struct lya_text text = { 0 };

	if (t->fd == -1)
		return;
	lya_text_addf(&text, "%s %s %s %s: %s", update ? "more of" : "new",
		      lya_severity_name(f->severity), f->type, f->id, f->what);
	lya_text_add_len(&text, "", 1);
	add_json(&text, policy, sources, n_sources, f);
	post(t, LIVE_TALE_FINDING, (uint32_t)f->severity | (update ? LIVE_TALE_UPDATE : 0), &text);
	lya_text_fini(&text);
}

void live_tell_trouble(struct live_tell *t, const char *sentence)
{
	struct lya_text text = { 0 };

	if (t->fd == -1)
		return;
	lya_text_add(&text, sentence);
	post(t, LIVE_TALE_TROUBLE, 0, &text);
	lya_text_fini(&text);
}

uint64_t live_tell_lost(const struct live_tell *t)
{
	return atomic_load(&t->lost);
}
