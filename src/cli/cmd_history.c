/*
 * cmd_history.c - lyncaudit history: trends of findings, rules and hosts over nights.
 *
 * The store hands out rows by key, then by night: those of one key are a trend, which is
 * written as soon as the next one begins.
 */
#include "cli/cli.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/state.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/json.h"
#include "lyncaudit/output.h"
#include "lyncaudit/store.h"
#include "lyncaudit/text.h"

static const char help[] =
    "      --state DIR    the state directory of a service, which may be running\n"
    "  -n, --nights N     the last N nights (default 14)\n"
    "  -j, --json         one JSON object instead of tables\n"
    "  -h, --help         this text\n\n"
    "Counts are flows, a column a night, the last one last; \".\" is a night without any.\n"
    "Exit status: 0 done, 2 error.\n";

enum { OPT_STATE = 256, NIGHTS = 14, NIGHTS_MAX = 10000, COLUMN = 7 };

static const struct option options[] = {
	{ "state", required_argument, NULL, OPT_STATE },
	{ "nights", required_argument, NULL, 'n' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* What one thing showed on each night. */
struct trend {
	char *key, *type, *severity, *what; /* as the last night says; owned */
	uint64_t *flows;                    /* by night */
	bool *there;
	uint64_t undocumented;
	size_t nights; /* on which it was there */
};

struct history {
	struct lya_store *store;
	unsigned n_wanted;
	bool json;
	struct lya_json_writer w; /* where it is JSON */
	int64_t *periods;         /* the nights, in their order */
	char (*names)[LYA_PERIOD_NAME];
	size_t n, cap, cap_names;
	enum lya_trend which; /* being read */
	struct trend trend;
	size_t unseen; /* rules without flows on any night */
};

/* Nights ------------------------------------------------------------------------------------- */

static int keep_night(struct history *h, const struct lya_store_night *night)
{
	void *periods = h->periods, *names = h->names;
	int rc = lya_grow(&periods, &h->cap, h->n + 1, sizeof(*h->periods));

	h->periods = periods;
	if (rc == LYA_OK)
		rc = lya_grow(&names, &h->cap_names, h->n + 1, sizeof(*h->names));
	h->names = names;
	if (rc != LYA_OK)
		return rc;
	(void)snprintf(h->names[h->n], sizeof(h->names[0]), "%s", night->name);
	h->periods[h->n++] = night->period;
	return LYA_OK;
}

static void write_night(struct lya_json_writer *w, const struct lya_store_night *night)
{
	lya_jw_flat(w);
	lya_jw_object_open(w);
	lya_jw_member_string(w, "night", night->name);
	lya_jw_member_string(w, "file", night->file);
	lya_jw_member_string(w, "verdict", night->verdict);
	lya_jw_member_bool(w, "partial", night->partial);
	lya_jw_member_uint(w, "findings", night->findings);
	lya_jw_member_uint(w, "info", night->infos);
	lya_jw_member_uint(w, "new", night->fresh);
	lya_jw_member_uint(w, "resolved", night->resolved);
	lya_jw_object_close(w);
}

static int take_night(void *ctx, const struct lya_store_night *night)
{
	struct history *h = ctx;

	if (h->json)
		write_night(&h->w, night);
	else
		printf("%-14s %-14s %8" PRIu64 " %5" PRIu64 " %5" PRIu64 " %9" PRIu64 "%s\n",
		       night->name, night->verdict, night->findings, night->infos, night->fresh,
		       night->resolved, night->partial ? "  partial" : "");
	return keep_night(h, night);
}

static int read_nights(struct history *h, struct lya_error *err)
{
	int rc;

	if (h->json) {
		lya_jw_key(&h->w, "nights");
		lya_jw_array_open(&h->w);
	} else {
		printf("%-14s %-14s %8s %5s %5s %9s\n", "NIGHT", "VERDICT", "FINDINGS", "INFO",
		       "NEW", "RESOLVED");
	}
	rc = lya_store_read_nights(h->store, h->n_wanted, take_night, h, err);
	if (h->json)
		lya_jw_array_close(&h->w);
	else if (rc == LYA_OK && h->n == 0)
		puts("There is no night's report yet.");
	return rc;
}

/* One trend ---------------------------------------------------------------------------------- */

static void forget(struct trend *t)
{
	lya_free(t->key);
	lya_free(t->type);
	lya_free(t->severity);
	lya_free(t->what);
	t->key = t->type = t->severity = t->what = NULL;
	t->undocumented = 0;
	t->nights = 0;
}

static bool keep(char **to, const char *from)
{
	lya_free(*to);
	*to = lya_strdup(from != NULL ? from : "");
	return *to != NULL;
}

static size_t night_of(const struct history *h, int64_t period)
{
	size_t i = 0;

	while (i < h->n && h->periods[i] != period)
		i++;
	return i;
}

static void print_counts(const struct history *h)
{
	const struct trend *t = &h->trend;
	size_t from = h->n > COLUMN ? h->n - COLUMN : 0;

	for (size_t i = from; i < h->n; i++) {
		if (t->there[i])
			printf(" %7" PRIu64, t->flows[i]);
		else
			printf(" %7s", ".");
	}
}

static void print_trend(const struct history *h)
{
	const struct trend *t = &h->trend;

	if (h->which == LYA_TREND_FINDINGS)
		printf("%-15s %-8s %3zu/%-3zu", t->key, t->severity, t->nights, h->n);
	else
		printf("%-28s %3zu/%-3zu", t->key, t->nights, h->n);
	print_counts(h);
	if (h->which == LYA_TREND_HOSTS && t->undocumented > 0)
		printf("  (%" PRIu64 " not documented)", t->undocumented);
	if (h->which == LYA_TREND_FINDINGS)
		printf("\n  %s: %s", t->type, t->what);
	putchar('\n');
}

/* Members that all nights of a trend have in common. */
static void write_head(struct history *h)
{
	static const char *const keys[] = {
		[LYA_TREND_FINDINGS] = "id", [LYA_TREND_RULES] = "rule", [LYA_TREND_HOSTS] = "host"
	};

	lya_jw_object_open(&h->w);
	lya_jw_member_string(&h->w, keys[h->which], h->trend.key);
	if (h->which == LYA_TREND_FINDINGS) {
		lya_jw_member_string(&h->w, "type", h->trend.type);
		lya_jw_member_string(&h->w, "severity", h->trend.severity);
		lya_jw_member_string(&h->w, "what", h->trend.what);
	}
	lya_jw_key(&h->w, "nights");
	lya_jw_array_open(&h->w);
}

static void write_row(struct history *h, const struct lya_store_trend *row)
{
	struct lya_json_writer *w = &h->w;

	lya_jw_flat(w);
	lya_jw_object_open(w);
	lya_jw_member_string(w, "night", row->night);
	if (h->which == LYA_TREND_RULES)
		lya_jw_member_string(w, "status", row->status);
	lya_jw_member_uint(w, "flows", row->flows);
	if (h->which == LYA_TREND_HOSTS)
		lya_jw_member_uint(w, "undocumented", row->undocumented);
	if (h->which != LYA_TREND_FINDINGS) {
		lya_jw_member_uint(w, "packets", row->packets);
		lya_jw_member_uint(w, "bytes", row->bytes);
	}
	lya_jw_object_close(w);
}

static void end_trend(struct history *h)
{
	if (h->trend.key == NULL)
		return;
	if (h->json) {
		lya_jw_array_close(&h->w);
		lya_jw_object_close(&h->w);
	} else if (h->which == LYA_TREND_RULES && h->trend.nights == 0) {
		h->unseen++;
	} else {
		print_trend(h);
	}
	forget(&h->trend);
}

static int begin_trend(struct history *h, const struct lya_store_trend *row)
{
	struct trend *t = &h->trend;

	memset(t->flows, 0, (h->n + 1) * sizeof(*t->flows));
	memset(t->there, 0, (h->n + 1) * sizeof(*t->there));
	if (!keep(&t->key, row->key) || !keep(&t->type, row->type) ||
	    !keep(&t->severity, row->severity) || !keep(&t->what, row->what))
		return LYA_ENOMEM;
	if (h->json)
		write_head(h);
	return LYA_OK;
}

static int take_row(void *ctx, const struct lya_store_trend *row)
{
	struct history *h = ctx;
	struct trend *t = &h->trend;
	size_t night = night_of(h, row->period);
	int rc = LYA_OK;

	if (t->key == NULL || strcmp(t->key, row->key) != 0) {
		end_trend(h);
		rc = begin_trend(h, row);
	}
	if (rc != LYA_OK || night == h->n)
		return rc;
	if (h->json)
		write_row(h, row);
	t->flows[night] = row->flows;
	t->there[night] = h->which == LYA_TREND_FINDINGS || row->flows > 0;
	t->nights += t->there[night];
	t->undocumented += row->undocumented;
	/* The last night that has it says how grave it is, and what. */
	return keep(&t->severity, row->severity) && keep(&t->what, row->what) ? LYA_OK : LYA_ENOMEM;
}

/* Trends ------------------------------------------------------------------------------------- */

static void print_header(const struct history *h, enum lya_trend which)
{
	static const char *const heads[] = {
		[LYA_TREND_FINDINGS] = "FINDING         SEVERITY NIGHTS ",
		[LYA_TREND_RULES] = "RULE                         NIGHTS ",
		[LYA_TREND_HOSTS] = "HOST                         NIGHTS ",
	};
	size_t from = h->n > COLUMN ? h->n - COLUMN : 0;

	printf("\n%s", heads[which]);
	for (size_t i = from; i < h->n; i++)
		printf(" %7s", strlen(h->names[i]) > 5 ? h->names[i] + 5 : h->names[i]);
	putchar('\n');
}

static int read_trend(struct history *h, enum lya_trend which, const char *name,
		      struct lya_error *err)
{
	int rc;

	h->which = which;
	if (h->json) {
		lya_jw_key(&h->w, name);
		lya_jw_array_open(&h->w);
	} else {
		print_header(h, which);
	}
	rc = lya_store_read_trend(h->store, which, h->n_wanted, take_row, h, err);
	if (rc == LYA_OK)
		end_trend(h);
	if (h->json)
		lya_jw_array_close(&h->w);
	return rc;
}

static int read_trends(struct history *h, struct lya_error *err)
{
	int rc;

	h->trend.flows = lya_calloc(h->n + 1, sizeof(*h->trend.flows));
	h->trend.there = lya_calloc(h->n + 1, sizeof(*h->trend.there));
	if (h->trend.flows == NULL || h->trend.there == NULL)
		return lya_error_nomem(err);
	rc = read_trend(h, LYA_TREND_FINDINGS, "findings", err);
	if (rc == LYA_OK)
		rc = read_trend(h, LYA_TREND_RULES, "rules", err);
	if (rc == LYA_OK && !h->json && h->unseen > 0)
		printf("%zu more rows of the documents had no flow on any of these nights.\n",
		       h->unseen);
	return rc == LYA_OK ? read_trend(h, LYA_TREND_HOSTS, "hosts", err) : rc;
}

static int read_all(struct history *h, struct lya_error *err)
{
	int rc = read_nights(h, err);

	if (rc != LYA_OK || (h->n == 0 && !h->json))
		return rc;
	return read_trends(h, err);
}

static int write_all(struct history *h, struct lya_error *err)
{
	struct lya_output *out;
	int rc;

	if (!h->json)
		return read_all(h, err);
	rc = lya_output_open(&out, "-", true, err);
	if (rc != LYA_OK)
		return rc;
	lya_jw_init(&h->w, out, LYA_JW_PRETTY);
	lya_jw_object_open(&h->w);
	lya_jw_member_string(&h->w, "schema", "lyncaudit-history/1");
	rc = read_all(h, err);
	if (rc != LYA_OK) {
		lya_output_abort(out);
		return rc;
	}
	lya_jw_object_close(&h->w);
	lya_jw_end(&h->w);
	return lya_output_commit(out, err);
}

struct showing {
	struct history *history;
	const char *state;
};

static int show_state(void *ctx, struct lya_error *err)
{
	const struct showing *s = ctx;
	struct history *h = s->history;
	int rc = lya_store_open(&h->store, s->state, NULL, NULL, err);

	if (rc == LYA_OK) {
		rc = write_all(h, err);
		lya_store_close(h->store);
	}
	forget(&h->trend);
	lya_free(h->trend.flows);
	lya_free(h->trend.there);
	lya_free(h->periods);
	lya_free(h->names);
	return rc;
}

static int show(struct history *h, const char *dir)
{
	struct showing s = { .history = h, .state = dir };
	struct cli_state state = { .dir = dir, .read = show_state, .ctx = &s };

	return cli_read_state(&state);
}

static bool parse_nights(const char *text, unsigned *n)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end != '\0' || value == 0 || value > NIGHTS_MAX)
		return false;
	*n = (unsigned)value;
	return true;
}

int cmd_history(int argc, char **argv)
{
	struct history h = { .n_wanted = NIGHTS };
	const char *state = NULL;
	char room[PATH_MAX];
	int c;

	while ((c = getopt_long(argc, argv, ":n:jh", options, NULL)) != -1) {
		switch (c) {
		case OPT_STATE:
			state = optarg;
			break;
		case 'n':
			if (!parse_nights(optarg, &h.n_wanted))
				return cli_usage_error("history",
						       "--nights wants 1 to %d, not \"%s\"",
						       NIGHTS_MAX, optarg);
			break;
		case 'j':
			h.json = true;
			break;
		case 'h':
			return cli_help("history", help);
		default:
			return cli_bad_option("history", c, argv);
		}
	}
	if (optind < argc)
		return cli_usage_error("history", "history takes no argument: \"%s\"",
				       argv[optind]);
	if (state == NULL)
		return cli_usage_error("history", "--state is needed");
	return show(&h, cli_state_name(state, room));
}
