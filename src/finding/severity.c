/*
 * severity.c - how grave a finding is; the one place that says so.
 *
 * Source: policy-model, the table of severities below "Verdict of a flow".
 */
#include "finding/ledger.h"

#include <string.h>

/*
 * `usual` is the severity of a type, `grave` the one it has when the condition
 * beside it holds.  Undocumented flows that were only attempted or refused are
 * one lower: a firewall did its job.
 */
static const struct {
	enum lya_severity usual, grave;
	bool undocumented;
} table[LYA_FINDING_TYPES] = {
	/* an A/V Edge outside, and proven */
	[LYA_FINDING_AV_EDGE_SNAT] = { LYA_SEVERITY_MEDIUM, LYA_SEVERITY_CRITICAL, false },
	/* from or to an external address */
	[LYA_FINDING_CLEARTEXT] = { LYA_SEVERITY_HIGH, LYA_SEVERITY_CRITICAL, false },
	/* one got through from outside to an inner role */
	[LYA_FINDING_WRONG_DIRECTION] = { LYA_SEVERITY_HIGH, LYA_SEVERITY_CRITICAL, true },
	[LYA_FINDING_UNDOCUMENTED_PATH] = { LYA_SEVERITY_HIGH, LYA_SEVERITY_CRITICAL, true },
	[LYA_FINDING_UNEXPECTED_PORT] = { LYA_SEVERITY_MEDIUM, LYA_SEVERITY_CRITICAL, true },
	[LYA_FINDING_WRONG_LOAD_BALANCING] = { LYA_SEVERITY_MEDIUM, LYA_SEVERITY_CRITICAL, true },
	/* a certificate shows it, and not only what clients ask for */
	[LYA_FINDING_IDENTITY_MISMATCH] = { LYA_SEVERITY_LOW, LYA_SEVERITY_MEDIUM, false },
	/* no such condition */
	[LYA_FINDING_MISSING_MUTUAL_TLS] = { LYA_SEVERITY_HIGH, LYA_SEVERITY_HIGH, false },
	[LYA_FINDING_SIP_ONE_WAY] = { LYA_SEVERITY_HIGH, LYA_SEVERITY_HIGH, false },
	[LYA_FINDING_PROTOCOL_MISMATCH] = { LYA_SEVERITY_MEDIUM, LYA_SEVERITY_MEDIUM, false },
	[LYA_FINDING_BLOCKED_FLOW] = { LYA_SEVERITY_MEDIUM, LYA_SEVERITY_MEDIUM, false },
	[LYA_FINDING_EDGE_ROUTING] = { LYA_SEVERITY_MEDIUM, LYA_SEVERITY_MEDIUM, false },
	[LYA_FINDING_AV_EDGE_RELAY] = { LYA_SEVERITY_MEDIUM, LYA_SEVERITY_MEDIUM, false },
	[LYA_FINDING_EDGE_PRIVATE_ADDRESS] = { LYA_SEVERITY_MEDIUM, LYA_SEVERITY_MEDIUM, false },
	[LYA_FINDING_SITE] = { LYA_SEVERITY_MEDIUM, LYA_SEVERITY_MEDIUM, false },
	[LYA_FINDING_FEATURE_NOT_DEPLOYED] = { LYA_SEVERITY_LOW, LYA_SEVERITY_LOW, false },
	[LYA_FINDING_GATEWAY_MISMATCH] = { LYA_SEVERITY_LOW, LYA_SEVERITY_LOW, false },
	[LYA_FINDING_UNDECLARED_SERVER] = { LYA_SEVERITY_LOW, LYA_SEVERITY_LOW, false },
	[LYA_FINDING_EXCEPTION_EXPIRED] = { LYA_SEVERITY_LOW, LYA_SEVERITY_LOW, false },
	[LYA_FINDING_MISSING_FLOW] = { LYA_SEVERITY_INFO, LYA_SEVERITY_INFO, false },
	[LYA_FINDING_ICE_CHECK] = { LYA_SEVERITY_INFO, LYA_SEVERITY_INFO, false },
	[LYA_FINDING_EXCEPTION_UNUSED] = { LYA_SEVERITY_INFO, LYA_SEVERITY_INFO, false },
	[LYA_FINDING_EXCEPTION_EXPIRING] = { LYA_SEVERITY_INFO, LYA_SEVERITY_INFO, false },
};

static const char *const names[LYA_SEVERITIES] = {
	[LYA_SEVERITY_CRITICAL] = "critical", [LYA_SEVERITY_HIGH] = "high",
	[LYA_SEVERITY_MEDIUM] = "medium",     [LYA_SEVERITY_LOW] = "low",
	[LYA_SEVERITY_INFO] = "info",
};

const char *lya_severity_name(enum lya_severity s)
{
	return names[s];
}

bool lya_severity_find(const char *name, enum lya_severity *s)
{
	for (unsigned i = 0; i < LYA_SEVERITIES; i++) {
		if (strcmp(names[i], name) == 0) {
			*s = (enum lya_severity)i;
			return true;
		}
	}
	return false;
}

static bool is_grave(enum lya_finding_type type, const struct entry *e)
{
	switch (type) {
	case LYA_FINDING_AV_EDGE_SNAT:
		return e->proven && !e->av_internal;
	case LYA_FINDING_CLEARTEXT:
		return e->external;
	case LYA_FINDING_IDENTITY_MISMATCH:
		return e->shown != INT32_MAX;
	default:
		return table[type].undocumented && e->intrusion;
	}
}

/* What the site says of the type. */
static bool find_override(const struct lya_site *site, const char *type, enum lya_severity *s)
{
	for (size_t i = 0; i < site->n_severities; i++) {
		if (strcmp(site->severities[i].type, type) == 0)
			return lya_severity_find(site->severities[i].severity, s);
	}
	return false;
}

/*
 * e is NULL for findings without flows.  A site's own severity stands for the
 * type whatever its condition; but a stranger who got inside stays critical,
 * and one who only tried is one step below that.
 */
enum lya_severity severity_of(const struct lya_site *site, enum lya_finding_type type,
			      const char *type_name, const struct entry *e)
{
	enum lya_severity s = table[type].usual;
	bool grave = e != NULL && is_grave(type, e);

	if (grave && table[type].undocumented)
		return e->through > 0 ? table[type].grave : table[type].grave + 1;
	if (!find_override(site, type_name, &s) && grave)
		s = table[type].grave;
	if (table[type].undocumented && e != NULL && e->through == 0 && s < LYA_SEVERITY_INFO)
		s++;
	return s;
}

enum lya_severity severity_gravest(const struct lya_site *site, enum lya_finding_type type)
{
	enum lya_severity s;

	if (!table[type].undocumented && find_override(site, lya_finding_type_name(type), &s))
		return s;
	return table[type].grave;
}
