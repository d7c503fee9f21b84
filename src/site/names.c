/*
 * names.c - the finding types and severities that a site may name.
 *
 * Source: policy-model, "Verdict of a flow" and its two tables.
 */
#include <string.h>

#include "site/load.h"

static const char *const types[] = {
	/* verdicts that are findings */
	"wrong-direction",
	"unexpected-port",
	"undocumented-path",
	/* what a flow may raise on top */
	"av-edge-snat",
	"feature-not-deployed",
	"wrong-load-balancing",
	"cleartext",
	"missing-mutual-tls",
	"protocol-mismatch",
	"sip-one-way",
	"blocked-flow",
	"missing-flow",
	"edge-routing",
	"gateway-mismatch",
	"av-edge-relay",
	"edge-private-address",
	"ice-check",
	"identity-mismatch",
	"undeclared-server",
	"exception-expired",
	"exception-expiring",
	"exception-unused",
	/* the site description itself */
	"site-public-address-count",
	"site-private-address",
	"site-av-snat",
	"site-missing-vip",
	"site-vip-without-load-balancing",
	"site-dns-without-vip",
};

static const char *const severities[] = { "critical", "high", "medium", "low", "info" };

static bool is_among(const char *const *list, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i], s) == 0)
			return true;
	}
	return false;
}

bool site_is_finding_type(const char *type)
{
	return is_among(types, sizeof(types) / sizeof(types[0]), type);
}

bool site_is_severity(const char *name)
{
	return is_among(severities, sizeof(severities) / sizeof(severities[0]), name);
}
