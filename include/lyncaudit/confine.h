/*
 * confine.h - give up every right that reading named files does not need.
 *
 * After lya_confine the process holds no capability, can gain no privilege,
 * can open no socket, start no program and trace no process (seccomp), and
 * can open only what was named (Landlock).  Where the kernel lacks one of
 * them, the rest holds and the result says what is missing.  (A build with
 * the address sanitizer drops capabilities alone: its leak checker needs more.)
 */
#ifndef LYNCAUDIT_CONFINE_H
#define LYNCAUDIT_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "lyncaudit/status.h"

struct lya_confine {
	const char *const *reads; /* files and folders that may be read; those that do not exist are
	                             passed over */
	size_t n_reads;
	const char *const *renames; /* outputs that are open already and will appear by rename: their
	                               folders allow a new name, and nothing to be written */
	size_t n_renames;
	const char *const *changes; /* files that are there already and may be read and written */
	size_t n_changes;
	const char *const *writes; /* folders below which files may be made, read, written, renamed
	                              and removed */
	size_t n_writes;
	/*
	 * The process listens: sockets that are open already may be used.  Written to are
	 * descriptors below LYA_CONFINE_WRITE_FDS alone, and none can be copied: what
	 * is listened to has a higher number, and nothing can be sent there.
	 */
	bool listens;
	bool regroups; /* buffers that share an interface can be had again for one made anew */
};

enum { LYA_CONFINE_WRITE_FDS = 512 };

/* What the kernel granted. */
struct lya_confined {
	int landlock_abi; /* 0: the kernel has none */
	bool seccomp;
};

/* What this kernel offers, without asking for it. */
void lya_confine_offer(struct lya_confined *offer);

/* Give up capabilities and new privileges alone: for a process that starts programs. */
int lya_confine_powers(struct lya_error *err);

/*
 * Confine this process, its threads to come included; there is no way back.
 * Call it with one thread.  A mechanism that the kernel lacks is no failure;
 * one that it has and that fails is (LYA_EIO).
 */
int lya_confine(const struct lya_confine *want, struct lya_confined *got, struct lya_error *err);

#endif
