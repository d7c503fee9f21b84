/*
 * load.h - what the files of the rule loader share.
 */
#ifndef RULE_LOAD_H
#define RULE_LOAD_H

#include "lyncaudit/digest.h"
#include "lyncaudit/json.h"
#include "lyncaudit/rule.h"

/* Where a rule came from, for messages. */
struct rule_origin {
	size_t file;  /* in rule_load.files */
	size_t index; /* in the file's "rules" */
};

/* A rule set in the making: what is released with it is released on failure too. */
struct rule_load {
	struct lya_rules *rules;
	size_t cap;
	struct rule_origin *origins; /* beside rules->list */
	size_t cap_origins;
	char **files; /* names, for messages */
	size_t n_files, cap_files;
	struct lya_digest *digest;
	struct lya_diags *diags;
};

/* Read one file's document: its rules are appended to load, faults noted. */
void rule_parse(struct rule_load *load, struct lya_json_doc *doc);
/* What only the whole set shows: ids given twice, rows that say the same. */
int rule_check_set(struct rule_load *load, struct lya_error *err);
/* Can the row match a flow at all?  Faults are noted at `at`. */
void rule_check_row(const struct lya_json *at, const struct lya_rule *rule);
void rule_fini(struct lya_rule *rule);

#endif
