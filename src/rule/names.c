/*
 * names.c - what rule files call applications and features, and ports as text.
 */
#include "lyncaudit/rule.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const app_names[LYA_ROW_APPS] = {
	[LYA_ROW_SIP_TLS] = "sip/tls",
	[LYA_ROW_SIP_MTLS] = "sip/mtls",
	[LYA_ROW_SIP] = "sip",
	[LYA_ROW_HTTPS] = "https",
	[LYA_ROW_HTTP] = "http",
	[LYA_ROW_PSOM_TLS] = "psom/tls",
	[LYA_ROW_PSOM_MTLS] = "psom/mtls",
	[LYA_ROW_STUN] = "stun",
	[LYA_ROW_RTP] = "rtp",
	[LYA_ROW_DNS] = "dns",
	[LYA_ROW_XMPP] = "xmpp",
	[LYA_ROW_XMPP_MTLS] = "xmpp/mtls",
	[LYA_ROW_MTLS] = "mtls",
	[LYA_ROW_TLS] = "tls",
	[LYA_ROW_DCOM_RPC] = "dcom-rpc",
	[LYA_ROW_SMB] = "smb",
	[LYA_ROW_SSRP] = "ssrp",
	[LYA_ROW_DHCP] = "dhcp",
	[LYA_ROW_WCF_TLS] = "wcf/tls",
	[LYA_ROW_FILE_TRANSFER] = "file-transfer",
	[LYA_ROW_TCP] = "tcp",
	[LYA_ROW_UDP] = "udp",
};

static const char *const feature_names[LYA_FEATURES] = {
	[LYA_FEATURE_FEDERATION] = "federation",
	[LYA_FEATURE_FEDERATION_OCS2007] = "federation-ocs2007",
	[LYA_FEATURE_XMPP] = "xmpp",
	[LYA_FEATURE_AUTODISCOVER_HTTP] = "autodiscover-http",
	[LYA_FEATURE_OFFICE_WEB_APPS] = "office-web-apps",
	[LYA_FEATURE_REMOTE_CALL_CONTROL] = "remote-call-control",
	[LYA_FEATURE_MOBILITY] = "mobility",
	[LYA_FEATURE_E911] = "e911",
	[LYA_FEATURE_CALL_ADMISSION_CONTROL] = "call-admission-control",
	[LYA_FEATURE_LEGACY_MEETING_CLIENTS] = "legacy-meeting-clients",
};

static bool find_name(const char *const *names, unsigned n, const char *name, unsigned *at)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0) {
			*at = i;
			return true;
		}
	}
	return false;
}

const char *lya_row_app_name(enum lya_row_app app)
{
	assert(app < LYA_ROW_APPS && "an application has a name");
	return app_names[app];
}

bool lya_row_app_find(const char *name, enum lya_row_app *app)
{
	unsigned i;

	if (!find_name(app_names, LYA_ROW_APPS, name, &i))
		return false;
	*app = (enum lya_row_app)i;
	return true;
}

const char *lya_feature_name(enum lya_feature f)
{
	assert(f < LYA_FEATURES && "a feature has a name");
	return feature_names[f];
}

bool lya_feature_find(const char *name, enum lya_feature *f)
{
	unsigned i;

	if (!find_name(feature_names, LYA_FEATURES, name, &i))
		return false;
	*f = (enum lya_feature)i;
	return true;
}

/* A port in plain digits, 1 to 65535; returns what follows it, NULL when there is none. */
static const char *parse_port(const char *p, uint16_t *port)
{
	unsigned value = 0;

	if (*p < '1' || *p > '9')
		return NULL;
	for (; *p >= '0' && *p <= '9'; p++) {
		value = value * 10 + (unsigned)(*p - '0');
		if (value > UINT16_MAX)
			return NULL;
	}
	*port = (uint16_t)value;
	return p;
}

bool lya_ports_parse(const char *text, struct lya_port_range *out)
{
	const char *p;

	if (strcmp(text, "any") == 0) {
		*out = (struct lya_port_range){ 1, UINT16_MAX };
		return true;
	}
	p = parse_port(text, &out->first);
	if (p == NULL)
		return false;
	out->last = out->first;
	if (*p == '\0')
		return true;
	if (*p != '-')
		return false;
	p = parse_port(p + 1, &out->last);
	return p != NULL && *p == '\0' && out->first <= out->last;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct lya_port_range *x = a;
	const struct lya_port_range *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->last < y->last ? -1 : x->last > y->last;
}

size_t lya_ports_sort(struct lya_port_range *list, size_t n)
{
	size_t kept = 0;

	if (n == 0)
		return 0;
	qsort(list, n, sizeof(*list), compare_ranges);
	for (size_t i = 1; i < n; i++) {
		if (list[i].first > list[kept].last)
			list[++kept] = list[i];
		else if (list[i].last > list[kept].last)
			list[kept].last = list[i].last;
	}
	return kept + 1;
}

void lya_port_range_format(const struct lya_port_range *r, char buf[static 12])
{
	if (r->first == r->last)
		(void)snprintf(buf, 12, "%u", (unsigned)r->first);
	else
		(void)snprintf(buf, 12, "%u-%u", (unsigned)r->first, (unsigned)r->last);
}
