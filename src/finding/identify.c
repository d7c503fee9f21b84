/*
 * identify.c - ids of findings: from what they are about, never from time or
 * order, so that the same fault has the same id every night.
 */
#include "finding/ledger.h"

#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"

/* Each part with its NUL: no part can run into the next. */
static void add(struct lya_digest *d, const char *s)
{
	if (d != NULL)
		lya_digest_add(d, s, strlen(s) + 1);
}

/*
 * All 12 digits are worked out; unique_ids (build.c) decides how many show.
 * Without memory for the digest the id is empty, and the caller fails.
 */
static void finish(struct lya_digest *d, char id[static LYA_FINDING_ID])
{
	char hex[LYA_SHA256_HEX];

	id[0] = '\0';
	if (d == NULL)
		return;
	lya_digest_finish(d, hex);
	(void)snprintf(id, LYA_FINDING_ID, "F-%.12s", hex);
}

static void add_end(struct lya_digest *d, const struct lya_ledger *l, const struct pair_key *key,
		    unsigned end)
{
	add(d, key->role[end] < LYA_ROLES ? lya_role_name((enum lya_role)key->role[end]) : "");
	add(d, key->host[end] >= 0 ? ledger_host_name(l, key->host[end]) : "");
}

static const char *transport_word(uint8_t transport)
{
	return transport == 6 ? "tcp" : transport == 17 ? "udp" : "";
}

void identify_pair(const struct lya_ledger *l, const struct pair_key *key,
		   const struct lya_port_range *ports, char id[static LYA_FINDING_ID])
{
	struct lya_digest *d;
	char text[12];

	if (key->type == LYA_FINDING_EXCEPTION_EXPIRED) {
		identify_subject(lya_finding_type_name(LYA_FINDING_EXCEPTION_EXPIRED),
				 l->site->exceptions[key->host[0]].id, id);
		return;
	}
	d = lya_digest_new();
	add(d, lya_finding_type_name((enum lya_finding_type)key->type));
	add_end(d, l, key, 0);
	add_end(d, l, key, 1);
	add(d, transport_word(key->transport));
	if (ports != NULL)
		lya_port_range_format(ports, text);
	add(d, ports != NULL ? text : "*");
	if (key->source_port)
		add(d, "source");
	finish(d, id);
}

void identify_subject(const char *type, const char *about, char id[static LYA_FINDING_ID])
{
	struct lya_digest *d = lya_digest_new();

	add(d, type);
	add(d, about);
	finish(d, id);
}
