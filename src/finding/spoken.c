/*
 * spoken.c - protocols as people write them: what was spoken, and what the rows document.
 */
#include "finding/sentence.h"

/* Names as people write them; the flow log's name is in the report's "spoken". */
static const char *app_word(enum lya_app app)
{
	static const char *const words[LYA_APP_COUNT] = {
		[LYA_APP_NONE] = "nothing",
		[LYA_APP_UNKNOWN] = "an unknown protocol",
		[LYA_APP_TLS] = "real TLS",
		[LYA_APP_PSEUDO_TLS] = "the imitated TLS of MS-TURN",
		[LYA_APP_STUN] = "STUN",
		[LYA_APP_MSTURN] = "MS-TURN",
		[LYA_APP_RTP] = "RTP",
		[LYA_APP_RTCP] = "RTCP",
		[LYA_APP_SIP] = "SIP",
		[LYA_APP_HTTP] = "HTTP",
		[LYA_APP_DNS] = "DNS",
		[LYA_APP_DHCP] = "DHCP",
		[LYA_APP_XMPP] = "XMPP",
		[LYA_APP_DCERPC] = "DCE/RPC",
		[LYA_APP_SMB] = "SMB",
		[LYA_APP_SSRP] = "SQL Browser",
		[LYA_APP_TDS] = "SQL Server (TDS)",
		[LYA_APP_RDP] = "Remote Desktop (RDP)",
		[LYA_APP_SSH] = "SSH",
		[LYA_APP_DTLS] = "DTLS",
	};

	return app < LYA_APP_COUNT ? words[app] : "?";
}

static const char *row_app_word(enum lya_row_app app)
{
	static const char *const words[LYA_ROW_APPS] = {
		[LYA_ROW_SIP_TLS] = "SIP in TLS",
		[LYA_ROW_SIP_MTLS] = "SIP in mutual TLS",
		[LYA_ROW_SIP] = "SIP",
		[LYA_ROW_HTTPS] = "HTTPS",
		[LYA_ROW_HTTP] = "HTTP",
		[LYA_ROW_PSOM_TLS] = "PSOM in TLS",
		[LYA_ROW_PSOM_MTLS] = "PSOM in mutual TLS",
		[LYA_ROW_STUN] = "STUN and MS-TURN",
		[LYA_ROW_RTP] = "media (RTP)",
		[LYA_ROW_DNS] = "DNS",
		[LYA_ROW_XMPP] = "XMPP",
		[LYA_ROW_XMPP_MTLS] = "XMPP in mutual TLS",
		[LYA_ROW_MTLS] = "mutual TLS",
		[LYA_ROW_TLS] = "TLS",
		[LYA_ROW_DCOM_RPC] = "DCOM and RPC",
		[LYA_ROW_SMB] = "SMB",
		[LYA_ROW_SSRP] = "SQL Browser",
		[LYA_ROW_DHCP] = "DHCP",
		[LYA_ROW_WCF_TLS] = "WCF in TLS",
		[LYA_ROW_FILE_TRANSFER] = "file transfer",
		[LYA_ROW_TCP] = "TCP",
		[LYA_ROW_UDP] = "UDP",
	};

	return words[app];
}

/*
 * The same of a row as it holds for this opener: one listener serves servers and clients, and
 * of clients no certificate is asked (a balancer's leg carries whoever the client is).
 */
static const char *wanted_word(const struct telling *t, enum lya_row_app app)
{
	enum lya_role role = t->finding->initiator.role;
	bool server = role < LYA_ROLES_DECLARED && !is_balancer_role(role);

	if (server)
		return row_app_word(app);
	switch (app) {
	case LYA_ROW_SIP_MTLS:
		return row_app_word(LYA_ROW_SIP_TLS);
	case LYA_ROW_PSOM_MTLS:
		return row_app_word(LYA_ROW_PSOM_TLS);
	case LYA_ROW_XMPP_MTLS:
		return "XMPP in TLS";
	case LYA_ROW_MTLS:
		return row_app_word(LYA_ROW_TLS);
	default:
		return row_app_word(app);
	}
}

/* "SIP", "SIP and HTTP" */
void say_spoken(const struct telling *t)
{
	uint32_t left = t->finding->spoken;
	bool first = true;

	for (unsigned app = 0; left != 0; app++, left >>= 1) {
		if (!(left & 1))
			continue;
		say(t, "%s%s",
		    first       ? ""
		    : left == 1 ? " and "
				: ", ",
		    app_word((enum lya_app)app));
		first = false;
	}
}

/* " (first bytes 49 4e 56 49)": no other payload ever leaves. */
void say_prefix(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	for (size_t i = 0; i < f->prefix_len; i++)
		say(t, "%s%02x", i == 0 ? " (first bytes " : " ", f->prefix[i]);
	if (f->prefix_len > 0)
		say(t, ")");
}

/* "media (RTP) or file transfer": what the cited rows document, each once. */
void say_documented_apps(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	uint32_t said = 0;

	for (size_t i = 0; i < f->n_rules; i++) {
		const struct lya_rule *rule = rule_at(t, f->rules[i]);

		if (rule->statement || (said & UINT32_C(1) << rule->app) != 0)
			continue;
		say(t, "%s%s", said != 0 ? " or " : "",
		    wanted_word(t, (enum lya_row_app)rule->app));
		said |= UINT32_C(1) << rule->app;
	}
}

/* "It matches row ... and row ...", whose service it is not. */
void say_matches(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	bool first = true;

	say(t, "It matches ");
	for (size_t i = 0; i < f->n_rules; i++) {
		const struct lya_rule *rule = rule_at(t, f->rules[i]);

		if (rule->statement)
			continue;
		say(t, "%s", first ? "" : ", ");
		say_row(t, f->rules[i]);
		say(t, " for %s", wanted_word(t, (enum lya_row_app)rule->app));
		first = false;
	}
}
