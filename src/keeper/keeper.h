/*
 * keeper.h - what the files of this module share.
 *
 *	capture's thread                      the book's thread
 *	keeper.c   passes, periods --order-->   book.c     takes orders, shows views
 *	period.c   which day a time is in       start.c    takes up what was there
 *	                                        unsaved.c  what waits for the disk
 *	                                        write.c    what goes there
 *	                                        total.c    the period so far
 *	                                        night.c    a period from the store, as a report
 *	                                        gaps.c     what its evidence does not cover
 *	                                        reports.c  files below STATE/reports
 *	                                        proof.c    packets that prove findings
 */
#ifndef LYNCAUDIT_SRC_KEEPER_H
#define LYNCAUDIT_SRC_KEEPER_H

#include <pthread.h>
#include <stdatomic.h>

#include "lyncaudit/keeper.h"

/* policies ----------------------------------------------------------------------------------- */

/* Site, rules and policy, for as long as anybody needs them. */
struct keeper_policy {
	atomic_int users;
	struct lya_keeper_policy p;
};

struct keeper_policy *keeper_policy_new(const struct lya_keeper_policy *p);
struct keeper_policy *keeper_policy_use(struct keeper_policy *p);
/* One user less; frees it with the last. */
void keeper_policy_leave(struct keeper_policy *p);

/* period.c ----------------------------------------------------------------------------------- */

struct keeper_span {
	int64_t day, begin_ns, end_ns;
};

/* The period that a time is in, where periods end report_s seconds after midnight. */
struct keeper_span keeper_span_of(const struct lya_zone *zone, unsigned report_s,
				  int64_t time_ns);
struct keeper_span keeper_span_of_day(const struct lya_zone *zone, unsigned report_s, int64_t day);

/* order.c: from one thread to the other ------------------------------------------------------ */

enum { ORDER_EVENTS_MAX = 1024 };

struct order {
	struct order *next;
	bool has_part;
	struct lya_audit_part part;
	unsigned period_no, stretch_no; /* as the capture's thread counts them */
	struct keeper_span span;        /* the period's */
	bool span_cut;                  /* it began or ends at another time than its day */
	int64_t stretch_begin_ns, until_ns;
	struct keeper_policy *policy;   /* in force */
	struct lya_keeper_clock clock;
	bool stretch_over; /* by a reload, a period's end, or the end of all */
	bool reload;       /* the stretch is over, its flows go on in the next */
	bool period_over;
	int64_t skip_from, skip_to; /* days between these two were leapt over */
	bool report;       /* one is wanted now */
	bool stop;
	struct lya_store_event *events; /* texts are owned */
	size_t n_events, cap_events;
	uint64_t lost_events; /* beyond the bound */
	bool minutes_told;    /* what its minutes lost */
};

struct order *order_new(struct keeper_policy *policy);
void order_free(struct order *o);
/* A copy; what is beyond the bound is counted. */
int order_add_event(struct order *o, const struct lya_store_event *event);
/* What it had no room for becomes events of it.  LYA_ENOMEM or 0. */
int order_tell_losses(struct order *o);
void events_free(struct lya_store_event *list, size_t n);

/* total.c: the period so far ----------------------------------------------------------------- */

struct total {
	struct keeper_policy *policy;
	size_t bound;
	unsigned stretch_no;
	struct lya_ledger *ended;      /* of all its stretches */
	struct lya_tally *before;      /* of those that are over */
	struct lya_tally *tally;       /* and with the one under way */
	struct lya_pack open;          /* flows that are open, */
	uint32_t *open_map;            /* the numbers of their sources here, */
	size_t n_open_map;
	uint64_t open_flows;           /* and how many */
	uint32_t *map;                 /* of the stretch under way */
	size_t n_map;
};

int total_begin(struct total *t, struct keeper_policy *policy, size_t bound,
		struct lya_error *err);
void total_fini(struct total *t);
/* Go on under another policy. */
int total_rebase(struct total *t, struct keeper_policy *policy, struct lya_error *err);
/* A part of stretch number stretch_no; `keep_open`: what is open stays as it was. */
int total_add(struct total *t, unsigned stretch_no, const struct lya_audit_part *part,
	      bool keep_open, struct lya_error *err);
/* Evidence of an earlier stretch from the store: a tally, then packed ledgers of it. */
int total_load(struct total *t, struct lya_store *s, int64_t period, struct lya_error *err);

/* What the period says so far. */
struct view {
	struct lya_ledger *ledger;
	struct lya_limit *limits;
	struct lya_site_fault *faults;
	size_t n_faults;
	struct lya_report_snat_pair *pairs;
	struct lya_report_input in;
};

int view_make(struct view *v, const struct total *t, struct lya_error *err);
void view_fini(struct view *v);
/* The rows of a finished ledger go to the store. */
int view_put_facts(const struct lya_report_input *in, struct lya_store *s, int64_t period,
		   struct lya_error *err);

/* gaps.c ------------------------------------------------------------------------------------- */

/* What a period's evidence does not cover, and what happened meanwhile; strings are owned. */
struct gaps {
	struct lya_report_gap *list;
	size_t n, cap;
	struct lya_report_event *events;
	size_t n_events, cap_events;
	uint64_t more_events; /* beyond the bound */
	uint64_t restarts;    /* after which flows that were open before count once more */
	int64_t restart_ns;   /* the last of them */
	bool nomem;
};

/*
 * The stretches of a period in their order; damaged[i]: evidence of stretch i is lost.  Events
 * up to number last_event.
 */
int gaps_make(struct gaps *g, struct lya_store *s, int64_t from_ns, int64_t to_ns,
	      int64_t last_event, const struct lya_store_stretch *stretches, const bool *damaged,
	      size_t n, struct lya_error *err);
void gaps_fini(struct gaps *g);
/* Gaps and drops become limits, in their place among the others. */
int gaps_limits(const struct gaps *g, int64_t from_ns, int64_t to_ns, struct lya_limit **list,
		size_t *n, struct lya_error *err);

/* night.c ------------------------------------------------------------------------------------ */

/* A period as the store has it. */
struct night {
	struct lya_site *site;
	struct lya_rules *rules;
	struct lya_policy *policy;
	struct lya_ledger *ledger;
	struct lya_tally *tally;
	struct lya_limit *limits;
	size_t n_limits;
	struct lya_site_fault *faults;
	size_t n_faults;
	struct lya_report_snat_pair *pairs;
	struct lya_store_stretch *stretches;
	bool *damaged;
	size_t n_stretches;
	struct lya_report_stretch *judged;
	char (*digests)[2][LYA_SHA256_HEX];
	struct gaps gaps;
	char **ids[LYA_CHANGES]; /* findings by change; of resolved ones the objects */
	size_t n_ids[LYA_CHANGES], cap_ids[LYA_CHANGES];
	char previous_file[64], previous_sha256[LYA_SHA256_HEX];
	struct lya_report_night night;
	struct lya_report_input in;
};

/* What to read of a period. */
struct night_wanted {
	int64_t policy;     /* number of the one that is in force at its end */
	int64_t to_ns;      /* its end, or now while it is under way */
	int64_t last_event; /* what became known later is another report's */
};

int night_read(struct night *n, struct lya_store *s, const struct lya_store_period *p,
	       const struct night_wanted *wanted, struct lya_error *err);
/* What changed against the night before, and which that was. */
int night_read_changes(struct night *n, struct lya_store *s, int64_t period,
		       const struct lya_store_report *previous, struct lya_error *err);
void night_fini(struct night *n);

/* reports.c ---------------------------------------------------------------------------------- */

struct reports {
	struct lya_store *store;
	struct lya_report_run run;
	int64_t wall_ns;
	void (*on_report)(void *ctx, const char *path, enum lya_report_verdict verdict);
	void *ctx;
	/* The same with what it was made of: the store's period, and the file's name; may be NULL. */
	void (*on_night)(void *ctx, const struct night *n, int64_t period, const char *file,
			 bool over);
	void *night_ctx;
};

/* A period that has its report, as it was then; to be released in any case. */
int reports_read_again(const struct reports *r, int64_t period, struct night *n,
		       struct lya_error *err);
/* The report of a period that is over, unless there is one. */
int reports_make(const struct reports *r, const struct lya_store_period *p, struct lya_error *err);
/* One of a period so far. */
int reports_make_now(const struct reports *r, const struct lya_store_period *p, int64_t policy,
		     int64_t to_ns, struct lya_error *err);

/* book.c ------------------------------------------------------------------------------------- */

/* Parts that are not written yet, joined by stretch. */
struct unsaved {
	struct unsaved *next;
	struct order *order; /* the newest of them, which owns what was joined */
};

enum {
	BOOK_WAITING_MAX = 2, /* orders that may wait before the capture's thread makes no more */
	BOOK_UNSAVED_MAX = 8, /* stretches that wait for the disk */
	BOOK_IDS = 32,        /* stretches and periods whose numbers in the store are known */
	BOOK_JOIN_AT = 64,    /* parts of a stretch that are joined to one */
	BOOK_DOUBT_S = 86400, /* what is old is kept so long after the clock was set forward */
	BOOK_RETRY_S = 60,    /* reports that cannot be written are tried again so often */
	BOOK_PROOFS_MAX = 4,  /* periods whose packets are kept in memory */
	BOOK_FACTS_S = 60     /* rows of findings and coverage are renewed so often */
};

struct book_id {
	unsigned no;
	int64_t id;
};

/* Packets that prove a period's findings, until they are written. */
struct proof {
	struct proof *next; /* of a period before */
	unsigned period_no;
	struct lya_evidence *packets;
	struct lya_evidence *open; /* of flows that were open, for a report; or NULL */
	char name[64];             /* of the last report; "": none was made yet */
	int64_t retry_ns;          /* by mono_ns; LYA_TIME_NONE: they are not due */
};

struct book {
	pthread_t thread;
	bool started;
	pthread_mutex_t mutex;
	pthread_cond_t wake, done;
	/* Under the mutex: */
	struct order *first, *last;
	unsigned n_orders;
	bool quit, stopped;
	struct lya_keeper_status status;
	/* The book's own: */
	const struct lya_keeper_options *options; /* the keeper's copy */
	struct lya_report_run run;
	struct lya_store *store;
	char *aside;              /* a damaged store was set aside under that name at the start */
	struct keeper_span span;  /* of the period at the start */
	struct keeper_policy *policy;
	struct lya_keeper_clock clock;
	struct total total;
	bool total_lost;          /* memory ran out: it is not whole */
	bool anew;                /* the store was begun anew, and lacks what the period has so far */
	bool reports_due;         /* a period is over, and lacks its report */
	bool reports_failed;      /* that was told */
	int64_t reports_retry_ns; /* not before, by mono_ns; LYA_TIME_NONE */
	unsigned period_no;
	struct unsaved *unsaved;
	unsigned n_unsaved;
	struct book_id periods[BOOK_IDS], stretches[BOOK_IDS];
	int64_t lingering;        /* stretch whose open flows stand for those of the next */
	int64_t continued;        /* period of the store that was under way at the start */
	int64_t suspended_ns;     /* since when nothing is written; LYA_TIME_NONE */
	int64_t facts_ns;         /* when rows were renewed, by mono_ns */
	int64_t doubt_until_ns;   /* by mono_ns: what is old may not be; LYA_TIME_NONE */
	uint64_t views_left;      /* checkpoints until the next view */
	struct proof *proofs;     /* the newest first */
	unsigned n_proofs;
	bool proves;              /* packets are kept */
	bool reloaded;            /* site and rules were read again */
	int64_t since_ns;         /* when the process began; by packets where they tell the time */
};

/* Everything in `b` that is set before is set by the caller; the store is taken over. */
int book_start(struct book *b, struct lya_error *err);
/* Hand an order over, which is taken. */
void book_order(struct book *b, struct order *o);
/* Orders and stretches that wait. */
unsigned book_waiting(struct book *b);
unsigned book_backlog(struct book *b);
void book_status(struct book *b, struct lya_keeper_status *out);
/* Wait until fewer than that many orders wait. */
void book_wait_below(struct book *b, unsigned n);
/* Wait until an order with `stop` is done; false: it was not in time. */
bool book_wait(struct book *b, unsigned timeout_ms);
void book_free(struct book *b);

void book_tell(const struct book *b, enum lya_keeper_level level, const char *text);
void book_tellf(const struct book *b, enum lya_keeper_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* NULL: writing goes on. */
void book_set_status(struct book *b, const struct lya_error *err);
void book_set_committed(struct book *b, int64_t ns);
struct lya_store_event book_store_event(int64_t from_ns, int64_t to_ns, const char *text);
const char *book_file_name(const char *path);

bool book_is_quitting(struct book *b);
/* Sleep, unless there is something to do. */
void book_pause(struct book *b, unsigned ms);

/* start.c: go on where the service before ended, and make up the nights that were missed. */
void start_store(struct book *b);

/* proof.c ------------------------------------------------------------------------------------ */

/* Keep an order's packets, which are taken off it. */
int proof_keep(struct book *b, struct order *o, struct lya_error *err);
/* A report was made (struct reports, on_night): write what proves it. */
void proof_tell(void *book, const struct night *n, int64_t period, const char *file, bool over);
/* What could not be written then; last: after that it is lost. */
void proofs_retry(struct book *b, bool last);
void proofs_free(struct book *b);

/* unsaved.c ---------------------------------------------------------------------------------- */

/* Take an order.  LYA_ENOMEM: what it brought is lost, in part. */
int unsaved_keep(struct book *b, struct order *o);
/* Where the store was begun anew: the newest order is to bring all of the period so far. */
int unsaved_bring_whole(struct book *b, struct lya_error *err);
/* Write what waits, as far as it goes. */
void unsaved_save(struct book *b);
/* The data base is damaged: set it aside, and begin a new one. */
int unsaved_begin_anew(struct book *b, struct lya_error *err);
void unsaved_note_failure(struct book *b, const struct lya_error *err);

/* write.c ------------------------------------------------------------------------------------ */

/* One order; what of it was written is taken off it, and what fails can be tried again. */
int write_order(struct book *b, struct order *o, struct lya_error *err);
/* Reports that are due; those that cannot be made now stay due. */
int write_due_reports(struct book *b, struct lya_error *err);
/* Days between the last one that is known and the one under way. */
int write_made_up_days(struct book *b, int64_t last, int64_t now, struct lya_error *err);
/* The number of a policy in the store. */
int write_policy(struct book *b, const struct keeper_policy *policy, int64_t *id,
		 struct lya_error *err);
/* Numbers in the store of what the capture's thread counts; 0: not there yet. */
int64_t book_id_of(const struct book_id list[static BOOK_IDS], unsigned no);
void book_set_id(struct book_id list[static BOOK_IDS], unsigned no, int64_t id);

/* keeper.c ----------------------------------------------------------------------------------- */

struct lya_keeper {
	struct lya_keeper_options options; /* strings are owned */
	struct lya_audit *audit;
	struct keeper_policy *policy;
	struct book *book;
	struct lya_keeper_clock now;
	int64_t newest_ns;         /* the greatest time that was told since the clock was set */
	struct keeper_span span;
	bool span_cut;
	unsigned period_no, stretch_no;
	int64_t stretch_begin_ns;
	/* Under way: a checkpoint, one for a report, a period's end. */
	enum { PASS_NONE, PASS_OPEN, PASS_REPORT, PASS_END } pass;
	int64_t pass_ns;           /* the time at which it began */
	int64_t pass_mono_ns;
	uint64_t open_flows;       /* at the last checkpoint */
	struct order *ending;      /* the period's end under way: what is known of it */
	struct order *pending;     /* events that wait for the next order */
	bool report_wanted;
};

#endif
