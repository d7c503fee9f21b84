/*
 * bundle.h - configuration files as bytes, from the process that may read them to the one
 * that parses them.
 */
#ifndef LYNCAUDIT_LIVE_BUNDLE_H
#define LYNCAUDIT_LIVE_BUNDLE_H

#include <stddef.h>

#include "lyncaudit/rule.h"
#include "lyncaudit/status.h"

/*
 * Read the site's file and those of the rule set as they are now into memory behind a
 * descriptor; guard: see folder.h.  Errors name the file.
 */
int bundle_pack(int *fd, const char *site, const char *rules, int guard, struct lya_error *err);

struct bundle {
	void *map; /* everything below points into it, */
	size_t len;
	struct lya_rules_file site;   /* a name and a text */
	struct lya_rules_file *rules; /* but this list */
	size_t n_rules;
};

/* What the descriptor holds, which is closed.  Release with bundle_fini. */
int bundle_unpack(struct bundle *b, int fd, struct lya_error *err);
void bundle_fini(struct bundle *b);

#endif
