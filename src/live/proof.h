/*
 * proof.h - files of packets that prove findings: their names, and how they come to be.
 *
 *     --evidence DIR/proof.pcapng      DIR/proof-2026-11-21.pcapng, as the report 2026-11-21.json
 *                                      DIR/proof-2026-11-21T134510Z.pcapng
 *
 * Below the state directory the sensor writes them itself, and removes those that are as old
 * as what the store drops.  Elsewhere the warden gives them their names, and they are the
 * operator's to remove.
 */
#ifndef LYNCAUDIT_LIVE_PROOF_H
#define LYNCAUDIT_LIVE_PROOF_H

#include "live/live.h"
#include "lyncaudit/keeper.h"

/* Before there are processes: where they lie, and whether they can be written. */
int live_proof_prepare(struct live_watch *w, struct lya_error *err);
/* It may be a report's name: days and times, and nothing that leads elsewhere. */
bool live_proof_is_name(const char *name);
/* The file for the report of that name; freed with lya_free; NULL: no memory. */
char *live_proof_path(const char *evidence, const char *name);
/* What the sensor tells of a file that it hands over: "2026-11-21 120 0". */
struct live_proof_told {
	char *path; /* for the report of that name; freed with lya_free */
	uint64_t packets, missing;
};
/*
 * The warden's: what the text says; false: there is no such file.  Below the state directory
 * folders are the sensor's: there it writes itself, and nothing is handed over.
 */
bool live_proof_hear(struct live_proof_told *told, const struct live_watch *w, const char *text);
/* The file stands there: say what it has. */
void live_proof_say(const struct live_watch *w, const struct live_proof_told *told);
/* From the sensor: write it, or hand it over. */
int live_proof_write(const struct live_watch *w, const struct lya_keeper_proof *proof,
		     struct lya_error *err);

#endif
