/*
 * payload.c - what is spoken, against what the matching rows say is spoken.
 *
 * Source: policy-model, the table of further findings; protocol-facts 2.5,
 * 2.6, 5.2 to 5.5 and 6.  A finding needs every matching row to be broken, and
 * positive recognition: a payload of no known protocol breaks nothing.
 */
#include "policy/policy.h"

/* How a recognised protocol stands to what a row says. */
enum fit {
	MISMATCH, /* the row documents another one; also all that is not in the table */
	CLEAR,    /* the row demands TLS, and this is readable */
	FITS,
	OPEN /* it cannot be told */
};

/* A row that names TLS: what its service would speak without it is cleartext. */
#define SECURED                                                                                    \
	{                                                                                          \
		[LYA_APP_TLS] = FITS, [LYA_APP_SIP] = CLEAR, [LYA_APP_HTTP] = CLEAR,               \
		[LYA_APP_XMPP] = CLEAR                                                             \
	}
/* A row that says no more than its transport. */
#define ANYTHING                                                                                   \
	{                                                                                          \
		[LYA_APP_TLS] = FITS, [LYA_APP_PSEUDO_TLS] = FITS, [LYA_APP_STUN] = FITS,          \
		[LYA_APP_MSTURN] = FITS, [LYA_APP_RTP] = FITS, [LYA_APP_RTCP] = FITS,              \
		[LYA_APP_SIP] = FITS, [LYA_APP_HTTP] = FITS, [LYA_APP_DNS] = FITS,                 \
		[LYA_APP_DHCP] = FITS, [LYA_APP_XMPP] = FITS, [LYA_APP_DCERPC] = FITS,             \
		[LYA_APP_SMB] = FITS, [LYA_APP_SSRP] = FITS, [LYA_APP_TDS] = FITS,                 \
		[LYA_APP_RDP] = FITS, [LYA_APP_SSH] = FITS, [LYA_APP_DTLS] = FITS                  \
	}

static const uint8_t table[LYA_ROW_APPS][LYA_APP_COUNT] = {
	[LYA_ROW_SIP_TLS] = SECURED,
	[LYA_ROW_SIP_MTLS] = SECURED,
	[LYA_ROW_HTTPS] = SECURED,
	[LYA_ROW_PSOM_TLS] = SECURED,
	[LYA_ROW_PSOM_MTLS] = SECURED,
	[LYA_ROW_XMPP_MTLS] = SECURED,
	[LYA_ROW_MTLS] = SECURED,
	[LYA_ROW_TLS] = SECURED,
	[LYA_ROW_WCF_TLS] = SECURED,
	[LYA_ROW_SIP] = { [LYA_APP_SIP] = FITS },
	[LYA_ROW_HTTP] = { [LYA_APP_HTTP] = FITS },
	/* MS-TURN imitates TLS on 443; real TLS there is another service */
	[LYA_ROW_STUN] = { [LYA_APP_STUN] = FITS,
			   [LYA_APP_MSTURN] = FITS,
			   [LYA_APP_PSEUDO_TLS] = FITS },
	/* media, and the checks and relays that come before it */
	[LYA_ROW_RTP] = { [LYA_APP_RTP] = FITS,
			  [LYA_APP_RTCP] = FITS,
			  [LYA_APP_STUN] = FITS,
			  [LYA_APP_MSTURN] = FITS,
			  [LYA_APP_PSEUDO_TLS] = OPEN },
	[LYA_ROW_DNS] = { [LYA_APP_DNS] = FITS },
	[LYA_ROW_XMPP] = { [LYA_APP_XMPP] = FITS },
	[LYA_ROW_DCOM_RPC] = { [LYA_APP_DCERPC] = FITS },
	[LYA_ROW_SMB] = { [LYA_APP_SMB] = FITS },
	[LYA_ROW_SSRP] = { [LYA_APP_SSRP] = FITS },
	[LYA_ROW_DHCP] = { [LYA_APP_DHCP] = FITS },
	/* no document says how files travel; candidates are tried first, as for media */
	[LYA_ROW_FILE_TRANSFER] = { [LYA_APP_TLS] = OPEN,
				    [LYA_APP_PSEUDO_TLS] = OPEN,
				    [LYA_APP_STUN] = FITS,
				    [LYA_APP_MSTURN] = FITS,
				    [LYA_APP_RTP] = OPEN,
				    [LYA_APP_RTCP] = OPEN },
	[LYA_ROW_TCP] = ANYTHING,
	[LYA_ROW_UDP] = ANYTHING,
};

/* The first bytes of the conversation were seen.  UDP does not say what its first ones are. */
static bool began_in_sight(const struct lya_flow *flow)
{
	return flow->transport == 6 && (flow->syn_side >= 0 || flow->synack_side >= 0) &&
	       (flow->app.tls & LYA_TLS_GAP) == 0;
}

static unsigned width_of(const struct policy_row *row)
{
	unsigned ports = 0;

	for (size_t i = 0; i < row->n_ports; i++)
		ports += row->ports[i].last - row->ports[i].first + 1U;
	return row->rule->any_port ? 65536 : ports;
}

/*
 * The number that a range holds is one that a narrower row gives to this very
 * protocol: centralised logging lies inside the media range.  Then the payload
 * decides what it is, and the range does not say otherwise.
 */
static bool belongs_elsewhere(const struct lya_policy *p, const struct policy_row *row,
			      const struct lya_flow *flow, uint16_t rport)
{
	uint8_t t_bit = flow->transport == 6 ? LYA_T_TCP : LYA_T_UDP;
	struct policy_walk walk = policy_walk(p, rport, rport);
	unsigned width = width_of(row);

	if (width == 1)
		return false;
	for (int k; (k = policy_walk_next(&walk)) >= 0;) {
		const struct policy_row *other = &p->rows[k];

		if (!other->rule->statement && (other->rule->transports & t_bit) &&
		    width_of(other) < width && other->rule->app != LYA_ROW_TCP &&
		    other->rule->app != LYA_ROW_UDP && policy_row_has_port(other, rport) &&
		    table[other->rule->app][flow->app.app] == FITS)
			return true;
	}
	return false;
}

/* What the table cannot say: protocols that become another one on their way. */
static enum fit fit_special(const struct lya_flow *flow, enum lya_row_app row, enum fit fit)
{
	const struct lya_app_result *app = &flow->app;

	if (app->app == LYA_APP_XMPP && fit == CLEAR && (app->seen & LYA_SEEN_STARTTLS) &&
	    !(app->seen & LYA_SEEN_CLEAR))
		return MISMATCH; /* protected, but not from the first byte */
	if (row == LYA_ROW_STUN && fit == MISMATCH && (app->seen & LYA_SEEN_TURN_OK))
		return FITS; /* relayed without wrapping, once a destination is set */
	if (row == LYA_ROW_STUN && (app->app == LYA_APP_RTP || app->app == LYA_APP_RTCP) &&
	    !began_in_sight(flow))
		return OPEN; /* the allocation may have come before */
	return fit;
}

static enum fit fit_of(const struct lya_policy *p, const struct lya_flow *flow,
		       const struct policy_row *row, uint16_t rport)
{
	enum lya_row_app app = (enum lya_row_app)row->rule->app;
	enum fit fit = fit_special(flow, app, (enum fit)table[app][flow->app.app]);

	if (fit != MISMATCH)
		return fit;
	/* Of a stream whose beginning is missing, what was recognised may be its second half. */
	if (flow->transport == 6 && !began_in_sight(flow))
		return OPEN;
	return belongs_elsewhere(p, row, flow, rport) ? OPEN : MISMATCH;
}

static enum lya_finding_type judge_protocol(const struct lya_policy *p, const struct lya_flow *flow,
					    const struct lya_verdict *v)
{
	uint16_t rport = flow->port[!v->initiator];
	bool all_clear = true;

	if (flow->app.app <= LYA_APP_UNKNOWN || flow->app.app >= LYA_APP_COUNT || v->n_rules == 0)
		return LYA_FINDING_NONE;
	for (size_t i = 0; i < v->n_rules; i++) {
		enum fit fit = fit_of(p, flow, &p->rows[v->rules[i]], rport);

		if (fit == FITS || fit == OPEN)
			return LYA_FINDING_NONE;
		all_clear = all_clear && fit == CLEAR;
	}
	return all_clear ? LYA_FINDING_CLEARTEXT : LYA_FINDING_PROTOCOL_MISMATCH;
}

/* Mutual TLS -------------------------------------------------------------------------- */

static bool says_mtls(enum lya_row_app app)
{
	return app == LYA_ROW_SIP_MTLS || app == LYA_ROW_PSOM_MTLS || app == LYA_ROW_XMPP_MTLS ||
	       app == LYA_ROW_MTLS;
}

/* A partner or gateway included; a balancer's leg carries whoever the client is. */
static bool plays_server(const struct lya_policy_end *end)
{
	const lya_roles plain = LYA_ROLE_BIT(LYA_ROLE_CLIENT) | LYA_ROLE_BIT(LYA_ROLE_INTERNAL) |
				LYA_ROLE_BIT(LYA_ROLE_EXTERNAL);

	return (end->roles & ~plain) != 0 && !policy_is_balancer(end);
}

static enum lya_mutual judge_mutual(const struct lya_policy *p, const struct lya_flow *flow,
				    const struct lya_policy_end *initiator,
				    const struct lya_verdict *v)
{
	if (v->n_rules == 0 || !plays_server(initiator))
		return LYA_MUTUAL_NOT_DUE;
	for (size_t i = 0; i < v->n_rules; i++) {
		if (!says_mtls((enum lya_row_app)p->rows[v->rules[i]].rule->app))
			return LYA_MUTUAL_NOT_DUE;
	}
	if (flow->app.app == LYA_APP_UNKNOWN)
		return LYA_MUTUAL_UNDETERMINED; /* perhaps the middle of a connection */
	if (flow->app.app != LYA_APP_TLS)
		return LYA_MUTUAL_NOT_DUE;
	switch (lya_app_tls_client(&flow->app)) {
	case LYA_TLS_CLIENT_PROVEN:
		return LYA_MUTUAL_PROVEN;
	case LYA_TLS_CLIENT_ANONYMOUS:
		return LYA_MUTUAL_ONE_WAY;
	case LYA_TLS_CLIENT_REJECTED:
		return LYA_MUTUAL_REJECTED;
	case LYA_TLS_CLIENT_UNKNOWN:
		break;
	}
	return LYA_MUTUAL_UNDETERMINED;
}

const char *lya_mutual_name(enum lya_mutual m)
{
	static const char *const names[LYA_MUTUALS] = {
		[LYA_MUTUAL_NOT_DUE] = "not_due",   [LYA_MUTUAL_PROVEN] = "mutual",
		[LYA_MUTUAL_ONE_WAY] = "one_way",   [LYA_MUTUAL_UNDETERMINED] = "undetermined",
		[LYA_MUTUAL_REJECTED] = "rejected",
	};

	return m < LYA_MUTUALS ? names[m] : "?";
}

void lya_policy_inspect(const struct lya_policy *p, const struct lya_flow *flow,
			const struct lya_policy_end ends[static 2], struct lya_verdict *v)
{
	v->payload.finding = LYA_FINDING_NONE;
	v->payload.mutual = LYA_MUTUAL_NOT_DUE;
	if (v->kind != LYA_VERDICT_DOCUMENTED || v->leg == LYA_LEG_PROBE)
		return;
	v->payload.finding = (uint8_t)judge_protocol(p, flow, v);
	v->payload.mutual = (uint8_t)judge_mutual(p, flow, &ends[v->initiator], v);
	if (v->payload.mutual == LYA_MUTUAL_ONE_WAY && v->payload.finding == LYA_FINDING_NONE)
		v->payload.finding = LYA_FINDING_MISSING_MUTUAL_TLS;
}
