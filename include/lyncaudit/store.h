/*
 * store.h - evidence on disk: one SQLite data base in a state directory.
 *
 *	STATE/lock          held while a service runs; names it
 *	STATE/store.db      the store (-wal, -shm beside it)
 *	STATE/reports/      what lya_keeper leaves every night
 *
 * It keeps the parts that periods are made of as they are handed over (sealed: a part
 * that is damaged is told, not trusted), and beside them rows to ask: flows by minute,
 * findings, coverage, waivers and limits of each period, events of the sensor, reports.
 * lya_keeper decides what is written when, and is what a service talks to; one
 * writer at a time, any number of readers beside it.  A store belongs to one thread.
 *
 * A store of an earlier version is brought up to this one step by step; one that is newer
 * than the program is refused.  One that is damaged is set aside under another
 * name and a new one begun.  Everything is readable by its owner alone.
 *
 * Answers: LYA_EOUTPUT where the disk is full or will not be written, after which nothing of
 * that call is there; LYA_EINPUT where the data base is damaged; LYA_EIO where somebody
 * else holds it for too long; LYA_EUSAGE, LYA_ENOMEM.
 */
#ifndef LYNCAUDIT_STORE_H
#define LYNCAUDIT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/digest.h"
#include "lyncaudit/finding.h"
#include "lyncaudit/minutes.h"
#include "lyncaudit/pack.h"
#include "lyncaudit/status.h"

/* How much is kept: what is older, or too much, goes; oldest minutes first, then evidence. */
struct lya_store_keep {
	unsigned days;  /* 0: LYA_STORE_DAYS */
	uint64_t bytes; /* 0: LYA_STORE_BYTES */
};

enum { LYA_STORE_DAYS = 400 };
#define LYA_STORE_BYTES (UINT64_C(8) << 30)

/* What happened to the sensor. */
enum lya_event_kind {
	LYA_EVENT_START,
	LYA_EVENT_STOP,
	LYA_EVENT_RELOAD,
	LYA_EVENT_GAP,     /* nothing was seen from..to */
	LYA_EVENT_DROP,    /* `count` packets were lost from..to */
	LYA_EVENT_CLOCK,   /* the clock was set from one time to the other */
	LYA_EVENT_STORE,   /* the store was set aside, or could not be written from..to */
	LYA_EVENT_KINDS
};

const char *lya_event_kind_name(enum lya_event_kind kind); /* "gap" */

struct lya_store_event {
	enum lya_event_kind kind;
	/*
	 * Equal: a moment.  to_ns LYA_TIME_NONE: it goes on, until an event of the same kind,
	 * source and from_ns tells its end, or the sensor is started again.
	 */
	int64_t from_ns, to_ns;
	const char *source;     /* interface or ring that it is about; NULL: the sensor */
	uint64_t count;
	const char *text;       /* one sentence */
};

/* Opening ----------------------------------------------------------------------------- */

struct lya_store;

/* Who writes: for the lock, so that the next one learns who was first. */
struct lya_store_writer {
	const char *sensor;
	int64_t now_ns;
};

/*
 * The two files (-shm, -wal) of a state directory that who reads the store has to write to, too, where they are: SQLite
 * keeps its locks there.  Paths are for lya_free.
 */
enum { LYA_STORE_SHARED = 2 };
int lya_store_shared(const char *dir, char *paths[static LYA_STORE_SHARED],
		     struct lya_error *err);

/*
 * Open the store of a state directory, made when there is none; writer NULL: to read, then
 * nothing is made.  *aside (may be NULL) is the name under which a damaged one was set aside,
 * for lya_free, or NULL.
 */
int lya_store_open(struct lya_store **s, const char *dir, const struct lya_store_writer *writer,
		   char **aside, struct lya_error *err);
void lya_store_close(struct lya_store *s);
/* Set the data base aside, which turned out to be damaged, and begin a new one; as above. */
int lya_store_set_aside(struct lya_store *s, int64_t now_ns, char **aside, struct lya_error *err);
const char *lya_store_dir(const struct lya_store *s);
/* Does somebody else write to it?  Of one that is open to read. */
bool lya_store_is_locked(const struct lya_store *s);
/* Bytes on disk, of what is in use. */
uint64_t lya_store_bytes(struct lya_store *s);

/* Evidence ----------------------------------------------------------------------------- */

/* A site and rules, as they were in force. */
struct lya_store_policy {
	int64_t id;
	const struct lya_site *site; /* text, name and digest of it are kept */
	const struct lya_rules *rules;
	bool strict;
};

/* Give it its number: that of the same one, if it is there. */
int lya_store_put_policy(struct lya_store *s, struct lya_store_policy *policy,
			 struct lya_error *err);

enum { LYA_PERIOD_NAME = 24 }; /* "2026-11-21", "2026-11-21.2" */

struct lya_store_period {
	int64_t id; /* 0: not in the store yet */
	char name[LYA_PERIOD_NAME];
	int64_t day; /* the local day on which it begins, since 1970 */
	int64_t begin_ns, end_ns;
	bool closed;
	bool partial;    /* it is shorter than its day */
	bool dropped;    /* its evidence was too much to keep */
	int64_t policy;  /* in force at its end; 0 until it is closed */
	size_t bound;    /* of its ledgers: the same wherever they are joined again */
	uint8_t fail_on; /* enum lya_severity */
	char *sensor, *timezone; /* owned, where a list is handed out */
};

struct lya_store_stretch {
	int64_t id; /* 0: not in the store yet */
	int64_t policy;
	int64_t begin_ns, until_ns;
	bool final; /* it was brought to its end */
};

/* What one transaction brings. */
struct lya_store_checkpoint {
	struct lya_store_period *period;   /* gets its id and name when it is new */
	struct lya_store_stretch *stretch; /* gets its id when it is new */
	const struct lya_pack *ended;      /* appended; NULL: nothing */
	const struct lya_pack *open;       /* replaces; NULL: nothing is open */
	const struct lya_pack *tally;      /* replaces */
	const struct lya_minutes *minutes; /* added; NULL: none */
	const struct lya_store_event *events;
	size_t n_events;
	/*
	 * Of the stretch before, which a reload ended: open flows that stood there for the
	 * last time are forgotten, for they are in this one.  0: none.
	 */
	int64_t replaces;
	bool keep_open; /* leave what stands as open (see `replaces`) */
};

int lya_store_commit(struct lya_store *s, const struct lya_store_checkpoint *c,
		     struct lya_error *err);
/* Events alone. */
int lya_store_put_events(struct lya_store *s, const struct lya_store_event *events, size_t n,
			 struct lya_error *err);
/*
 * A period is over: its end, `partial` and policy are kept as they stand here.  One that is
 * new, because nothing was seen of it, gets its id and name.
 */
int lya_store_close_period(struct lya_store *s, struct lya_store_period *period,
			   struct lya_error *err);
/* All appended parts of a stretch, joined: take their place. */
int lya_store_join(struct lya_store *s, int64_t stretch, const struct lya_pack *evidence,
		   struct lya_error *err);
size_t lya_store_parts(struct lya_store *s, int64_t stretch);

/* Reading it: lists are freed with the functions below. */

/* Periods, in the order in which they began; only_open: those that are not closed. */
int lya_store_periods(struct lya_store *s, bool only_open, struct lya_store_period **list,
		      size_t *n, struct lya_error *err);
/* LYA_EUSAGE: there is none of that name. */
int lya_store_find_period(struct lya_store *s, const char *name, struct lya_store_period *out,
			  struct lya_error *err);
/* By its number, which is there. */
int lya_store_get_period(struct lya_store *s, int64_t id, struct lya_store_period *out,
			 struct lya_error *err);
/* Those that are closed, have their evidence, and lack a night's report. */
int lya_store_unreported(struct lya_store *s, struct lya_store_period **list, size_t *n,
			 struct lya_error *err);
/* Is there a period of that day? */
int lya_store_has_day(struct lya_store *s, int64_t day, bool *known, struct lya_error *err);
/* The last day of which there is one; *found false: there is none. */
int lya_store_last_day(struct lya_store *s, bool *found, int64_t *day, struct lya_error *err);
void lya_store_period_fini(struct lya_store_period *p);
void lya_store_periods_free(struct lya_store_period *list, size_t n);

int lya_store_stretches(struct lya_store *s, int64_t period, struct lya_store_stretch **list,
			size_t *n, struct lya_error *err);

/* Who takes evidence; bytes are borrowed.  `good` false: what is there is damaged. */
struct lya_store_taker {
	void *ctx;
	int (*tally)(void *ctx, const void *data, size_t len, bool good);
	int (*part)(void *ctx, const void *data, size_t len, bool open, bool good);
};

/* The tally of a stretch first, then its parts.  Answers what a function answered. */
int lya_store_read_stretch(struct lya_store *s, int64_t stretch,
			   const struct lya_store_taker *taker, struct lya_error *err);

/*
 * Load a policy again from what was kept; released with the functions of its modules.
 * LYA_EUSAGE: it is damaged, or this program does not accept it any more.
 */
int lya_store_load_policy(struct lya_store *s, int64_t id, struct lya_site **site,
			  struct lya_rules **rules, bool *strict, struct lya_error *err);

/* The digests of its site and rules. */
int lya_store_policy_digests(struct lya_store *s, int64_t id, char site[static LYA_SHA256_HEX],
			     char rules[static LYA_SHA256_HEX], struct lya_error *err);

/* The number of the event that was put last; 0: none. */
int lya_store_last_event(struct lya_store *s, int64_t *number, struct lya_error *err);
/* Events up to number `last` that touch from..to, in order of time; borrowed for the call. */
int lya_store_read_events(struct lya_store *s, int64_t from_ns, int64_t to_ns, int64_t last,
			  int (*fn)(void *ctx, const struct lya_store_event *event), void *ctx,
			  struct lya_error *err);

/* What was found, and reports ------------------------------------------------------------- */

struct lya_store_finding {
	const struct lya_finding *finding;
	const char *json; /* as its report has it, on one line */
};

struct lya_store_limit {
	const char *kind, *place, *what;
	double share;
};

/* What a period's report says, as rows; takes the place of what stood there. */
struct lya_store_facts {
	int64_t period;
	const struct lya_ledger *ledger; /* finished: coverage and waivers */
	const struct lya_store_finding *findings;
	size_t n_findings;
	const struct lya_store_limit *limits;
	size_t n_limits;
};

int lya_store_put_facts(struct lya_store *s, const struct lya_store_facts *facts,
			struct lya_error *err);

struct lya_store_report {
	int64_t period;
	char file[64]; /* name in STATE/reports */
	char sha256[LYA_SHA256_HEX];
	char verdict[16];
	int64_t made_ns, to_ns;
	int64_t last_event; /* that it could know of */
	bool partial, on_demand;
	char previous_file[64]; /* "": there is none */
	char previous_sha256[LYA_SHA256_HEX];
};

/* A report stands under its name. */
int lya_store_put_report(struct lya_store *s, const struct lya_store_report *report,
			 struct lya_error *err);
/* The night's report of a period; *found false: there is none. */
int lya_store_find_report(struct lya_store *s, int64_t period, bool *found,
			  struct lya_store_report *out, struct lya_error *err);
/* The last night's report made before that period's; *found false: there is none. */
int lya_store_last_report(struct lya_store *s, int64_t before_period, bool *found,
			  struct lya_store_report *out, struct lya_error *err);

/* How a period's findings stand against those of the night before. */
enum lya_change { LYA_CHANGE_NEW, LYA_CHANGE_PERSISTING, LYA_CHANGE_RESOLVED, LYA_CHANGES };

/*
 * Compare a period's findings with those of `before` (0: there is none, all are new), and
 * keep the answer for reports that are made again.
 */
int lya_store_compare(struct lya_store *s, int64_t period, int64_t before, struct lya_error *err);
/* The answer, kind by kind, in the order of reports; json is NULL but for resolved ones. */
int lya_store_read_changes(struct lya_store *s, int64_t period,
			   int (*fn)(void *ctx, enum lya_change change, const char *id,
				     const char *json),
			   void *ctx, struct lya_error *err);

/* Night by night ------------------------------------------------------------------------- */

/* A period that has its report; borrowed for the call. */
struct lya_store_night {
	int64_t period;
	const char *name, *file, *verdict;
	bool partial;
	uint64_t findings, infos;  /* infos: those that are for information alone */
	uint64_t fresh, resolved;  /* against the night before */
};

enum lya_trend { LYA_TREND_FINDINGS, LYA_TREND_RULES, LYA_TREND_HOSTS };

/* What one night says of one thing; borrowed for the call. */
struct lya_store_trend {
	const char *key; /* finding id, rule id, host */
	const char *night;
	int64_t period;
	const char *type, *severity, *what; /* findings */
	const char *status;                 /* rules */
	uint64_t flows;                     /* hosts: that began there */
	uint64_t undocumented;              /* hosts: of these, what is neither documented nor waived */
	uint64_t packets, bytes;            /* rules, hosts */
};

/* The last `nights` of them, in their order. */
int lya_store_read_nights(struct lya_store *s, unsigned nights,
			  int (*fn)(void *ctx, const struct lya_store_night *night), void *ctx,
			  struct lya_error *err);
/* Of the same nights: by key (findings: the gravest first), then by night. */
int lya_store_read_trend(struct lya_store *s, enum lya_trend which, unsigned nights,
			 int (*fn)(void *ctx, const struct lya_store_trend *row), void *ctx,
			 struct lya_error *err);

/* Less of it -------------------------------------------------------------------------------- */

/*
 * Drop what is older than `keep` allows, and then the oldest while there is too much; never
 * of the period `now`.  A little at a time: *more tells that there is more to do.
 */
int lya_store_retain(struct lya_store *s, const struct lya_store_keep *keep, int64_t now_ns,
		     int64_t now, bool *more, struct lya_error *err);

#endif
