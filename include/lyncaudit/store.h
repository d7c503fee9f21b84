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
 * writer at a time, any number of readers beside it.
 *
 * A store of another version is brought up to this one step by step; one that is newer
 * than the program is refused.  One that is damaged is set aside under another
 * name and a new one begun.  Everything is readable by its owner alone.
 */
#ifndef LYNCAUDIT_STORE_H
#define LYNCAUDIT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/finding.h"
#include "lyncaudit/status.h"

/* How much is kept: what is older, or too much, goes; oldest minutes first, then evidence. */
struct lya_store_keep {
	unsigned days;  /* 0: 400 */
	uint64_t bytes; /* 0: 8 GiB */
};

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
	int64_t from_ns, to_ns; /* equal: a moment */
	const char *source;     /* interface or ring that it is about; NULL: the sensor */
	uint64_t count;
	const char *text;       /* one sentence */
};

#endif
