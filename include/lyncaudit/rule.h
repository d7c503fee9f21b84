/*
 * rule.h - the documented rows, as data; immutable once loaded.
 */
#ifndef LYNCAUDIT_RULE_H
#define LYNCAUDIT_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/digest.h"
#include "lyncaudit/role.h"
#include "lyncaudit/status.h"

enum { LYA_T_TCP = 1, LYA_T_UDP = 2 }; /* transports, as bits */

struct lya_port_range {
	uint16_t first, last; /* inclusive */
};

enum lya_port_of { LYA_PORT_RESPONDER, LYA_PORT_INITIATOR, LYA_PORT_EITHER };

/* What a row says is spoken (formats.md, Rule files). */
enum lya_row_app {
	LYA_ROW_SIP_TLS, LYA_ROW_SIP_MTLS, LYA_ROW_SIP, LYA_ROW_HTTPS, LYA_ROW_HTTP,
	LYA_ROW_PSOM_TLS, LYA_ROW_PSOM_MTLS, LYA_ROW_STUN, LYA_ROW_RTP, LYA_ROW_DNS,
	LYA_ROW_XMPP, LYA_ROW_XMPP_MTLS, LYA_ROW_MTLS, LYA_ROW_TLS, LYA_ROW_DCOM_RPC,
	LYA_ROW_SMB, LYA_ROW_SSRP, LYA_ROW_DHCP, LYA_ROW_WCF_TLS, LYA_ROW_FILE_TRANSFER,
	LYA_ROW_TCP, LYA_ROW_UDP, LYA_ROW_APPS
};

const char *lya_row_app_name(enum lya_row_app app);
bool lya_row_app_find(const char *name, enum lya_row_app *app);

/* The ten features of policy-model "Features"; -1 stands for none. */
enum lya_feature {
	LYA_FEATURE_FEDERATION, LYA_FEATURE_FEDERATION_OCS2007, LYA_FEATURE_XMPP,
	LYA_FEATURE_AUTODISCOVER_HTTP, LYA_FEATURE_OFFICE_WEB_APPS,
	LYA_FEATURE_REMOTE_CALL_CONTROL, LYA_FEATURE_MOBILITY, LYA_FEATURE_E911,
	LYA_FEATURE_CALL_ADMISSION_CONTROL, LYA_FEATURE_LEGACY_MEETING_CLIENTS, LYA_FEATURES
};

const char *lya_feature_name(enum lya_feature f);
bool lya_feature_find(const char *name, enum lya_feature *f);

/* How the members of a pool share the load; the site says which, a row which it is for. */
enum lya_lb_mode { LYA_LB_NONE, LYA_LB_HLB, LYA_LB_DNS };

/* One end of a row. */
struct lya_row_end {
	lya_roles roles;   /* everything accepted, groups resolved */
	lya_roles named;   /* of those, the ones named: by role, by internal-server, FE, DIR, in the
	                      strict list or in "named"; `any` and `any-internal` name nobody */
	lya_roles strict;  /* the document's own narrower list; 0: none */
	bool any;          /* the group `any` stands there */
	bool any_internal; /* the group `any-internal` stands there */
	char **words;      /* as written in the file, for output */
	size_t n_words;
	char **strict_words;
	size_t n_strict_words;
	char **named_words; /* the list in "named" */
	size_t n_named_words;
};

struct lya_rule {
	char *id;       /* "edge.3.4" */
	char *title;
	char *reason;   /* why the row exists; "" when the file says nothing */
	char *note;     /* how it is read; "" likewise */
	bool statement; /* a checkable statement of the prose, not a port rule */
	struct lya_row_end from, to;
	uint8_t transports; /* LYA_T_... bits */
	bool any_port;
	struct lya_port_range *ports; /* ascending, not overlapping; none when any_port */
	size_t n_ports;
	uint8_t port_of;    /* enum lya_port_of */
	uint8_t app;        /* enum lya_row_app */
	int8_t feature;     /* enum lya_feature or -1 */
	int8_t mode;        /* enum lya_lb_mode that the row is for, or -1: "load_balancing" */
	bool required;
	char *doc_key;      /* "edge" */
	int doc_table, doc_row; /* 0, 0 for a statement of the prose */
	char *doc_statement;    /* "av-no-snat", or NULL */
	char *doc_title;        /* the document's title as the file gives it */
};

/* Rules of a set: far beyond any document, and a position in the list fits in 16 bits. */
enum { LYA_RULES_MAX = 16384 };

/* One file of a rule set, as it was read. */
struct lya_rules_file {
	char *name; /* without its folder */
	char *text;
	size_t len;
};

struct lya_rules {
	char *name;             /* the folder's name: "lync-server-2013" */
	char sha256[LYA_SHA256_HEX];
	struct lya_rule *list;  /* files by name, in each the rows as they stand */
	size_t n;
	size_t n_flow;          /* of these, port rules */
	size_t *by_id;          /* positions in list, ordered by id: for lya_rules_find */
	struct lya_rules_file *files; /* to keep beside what was judged by them */
	size_t n_files, cap_files;
};

/*
 * Load a rule set: a folder of *.json files (those without a leading dot), or
 * one file.  All faults go to diags (errors; rows that say the same as another
 * are notes); with an error the result is LYA_EINPUT and *rules NULL.  A file
 * or folder that cannot be read is told in err alone (LYA_EIO).
 *
 * Errors are: what the format does not allow, unknown roles, empty sets, ports
 * out of range, an id that is not its document reference, an id given twice,
 * a row (or its strict list) that can never match, and more than LYA_RULES_MAX
 * rules.
 */
int lya_rules_load(struct lya_rules **rules, const char *path, struct lya_diags *diags,
                   struct lya_error *err);
/* From memory (tests, fuzzing): one file's text. */
int lya_rules_load_text(struct lya_rules **rules, const char *name, const char *text, size_t len,
                        struct lya_diags *diags, struct lya_error *err);
/*
 * The paths of the files that a rule set is made of, in the order in which they are read;
 * *paths and each of it are freed with lya_free.  LYA_EIO: it cannot be read.
 */
int lya_rules_files(const char *path, char ***paths, size_t *n, struct lya_error *err);
/*
 * From what was read, or kept: the files of a set of that name, in their order.  The same
 * rules with the same digest.
 */
int lya_rules_load_files(struct lya_rules **rules, const char *name,
                         const struct lya_rules_file *files, size_t n, struct lya_diags *diags,
                         struct lya_error *err);
void lya_rules_free(struct lya_rules *rules);
/* The rule with that id; NULL: none. */
const struct lya_rule *lya_rules_find(const struct lya_rules *rules, const char *id);

/*
 * Read "443", "50000-59999" or "any" (1-65535): shared by rules, exceptions and
 * overrides.  False when it is none: port 0, a range that ends before it begins.
 */
bool lya_ports_parse(const char *text, struct lya_port_range *out);
/* Put ranges in ascending order and join those that overlap; returns how many are left. */
size_t lya_ports_sort(struct lya_port_range *list, size_t n);
/* "443" or "50000-59999" */
void lya_port_range_format(const struct lya_port_range *r, char buf[static 12]);

#endif
