/*
 * flow_line.c - the flow log: one JSON object a line, in order of flow end.
 */
#include "report/report.h"

#include "lyncaudit/digest.h"

/* `internal` says nothing of an address that plays another role as well. */
static void roles(struct lya_json_writer *w, const char *name, lya_roles set)
{
	lya_roles internal = LYA_ROLE_BIT(LYA_ROLE_INTERNAL);

	if (set & ~internal)
		set &= ~internal;
	lya_jw_key(w, name);
	lya_jw_array_open(w);
	for (unsigned role = 0; role < LYA_ROLES; role++) {
		if (set & LYA_ROLE_BIT(role))
			lya_jw_string(w, lya_role_name((enum lya_role)role));
	}
	lya_jw_array_close(w);
}

static void pair(struct lya_json_writer *w, const char *name, uint64_t a, uint64_t b)
{
	lya_jw_key(w, name);
	lya_jw_array_open(w);
	lya_jw_uint(w, a);
	lya_jw_uint(w, b);
	lya_jw_array_close(w);
}

static void port(struct lya_json_writer *w, const char *name, const struct lya_flow *flow,
		 unsigned side)
{
	if (flow->unknown != LYA_UNKNOWN_NOT)
		lya_jw_member_null(w, name);
	else
		lya_jw_member_uint(w, name, flow->port[side]);
}

static void path(struct lya_json_writer *w, const struct lya_path *p)
{
	lya_jw_key(w, "vlan");
	lya_jw_array_open(w);
	for (unsigned i = 0; i < p->n_vlan; i++)
		lya_jw_uint(w, p->vlan[i]);
	lya_jw_array_close(w);
	lya_jw_key(w, "tunnel");
	if (p->tunnel == LYA_TUN_NONE) {
		lya_jw_null(w);
		return;
	}
	lya_jw_object_open(w);
	lya_jw_member_string(w, "kind", lya_tunnel_name((enum lya_tunnel_kind)p->tunnel));
	lya_jw_member_uint(w, "id", p->tunnel_id);
	lya_jw_object_close(w);
}

static void matching(struct lya_json_writer *w, const struct lya_policy *policy,
		     const struct lya_verdict *v)
{
	const struct lya_rules *rules = lya_policy_rules(policy);

	lya_jw_key(w, "rules");
	lya_jw_array_open(w);
	if (v->kind == LYA_VERDICT_DOCUMENTED) {
		for (size_t i = 0; i < v->n_rules && i < LYA_VERDICT_RULES_MAX; i++)
			lya_jw_string(w, rules->list[v->rules[i]].id);
	}
	lya_jw_array_close(w);
}

static void raised_ids(struct lya_json_writer *w, const struct lya_flow_findings *raised)
{
	size_t n = raised != NULL ? raised->n : 0;

	lya_jw_key(w, "findings");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++)
		lya_jw_string(w, raised->ids[i]);
	lya_jw_array_close(w);
	lya_jw_key(w, "scans");
	lya_jw_array_open(w);
	for (size_t i = 0; i < n; i++) {
		if (raised->scan_ids[i][0] != '\0')
			lya_jw_string(w, raised->scan_ids[i]);
	}
	lya_jw_array_close(w);
}

static const char *leg_name(uint8_t leg)
{
	return leg == LYA_LEG_BALANCED ? "balanced" : leg == LYA_LEG_PROBE ? "probe" : NULL;
}

static const char *unknown_name(uint8_t unknown)
{
	return unknown == LYA_UNKNOWN_FRAGMENT ? "fragment"
	       : unknown == LYA_UNKNOWN_CUT    ? "cut"
					       : NULL;
}

static const char *app_name(uint8_t app)
{
	return app == LYA_APP_NONE ? NULL : lya_app_name((enum lya_app)app);
}

static void what_was_seen(struct lya_json_writer *w, const struct lya_flow *flow,
			  const struct lya_policy_end ends[static 2], const struct lya_verdict *v)
{
	unsigned i = v->initiator, r = !v->initiator;

	report_time(w, "first", flow->first_ns, flow->digits);
	report_time(w, "last", flow->last_ns, flow->digits);
	lya_jw_member_string(w, "transport", report_transport(flow->transport));
	report_address(w, "src", &flow->addr[i]);
	port(w, "sport", flow, i);
	report_address(w, "dst", &flow->addr[r]);
	port(w, "dport", flow, r);
	roles(w, "src_roles", ends[i].roles);
	roles(w, "dst_roles", ends[r].roles);
	lya_jw_member_string(w, "basis", lya_basis_name((enum lya_basis)v->basis));
	lya_jw_member_string(w, "grade", lya_grade_name((enum lya_grade)v->grade));
	lya_jw_member_string(w, "state", lya_flow_state_name((enum lya_flow_state)flow->state));
	path(w, &flow->path);
	pair(w, "packets", flow->packets[i], flow->packets[r]);
	pair(w, "bytes", flow->bytes[i], flow->bytes[r]);
	lya_jw_member_string(w, "application", app_name(flow->app.app));
}

void lya_report_flow_line(struct lya_output *out, const struct lya_policy *policy,
			  const struct lya_flow *flow, const struct lya_policy_end ends[static 2],
			  const struct lya_verdict *v, const struct lya_flow_findings *raised)
{
	const struct lya_site *site = lya_policy_site(policy);
	char id[LYA_COMMUNITY_ID];
	struct lya_json_writer w;

	lya_community_id(&flow->addr[v->initiator], flow->port[v->initiator],
			 &flow->addr[!v->initiator], flow->port[!v->initiator], flow->transport,
			 id);
	lya_jw_init(&w, out, LYA_JW_COMPACT);
	lya_jw_object_open(&w);
	what_was_seen(&w, flow, ends, v);
	lya_jw_member_string(&w, "verdict", lya_verdict_name((enum lya_verdict_kind)v->kind));
	matching(&w, policy, v);
	lya_jw_member_string(&w, "leg", leg_name(v->leg));
	lya_jw_member_string(&w, "waiver",
			     v->kind == LYA_VERDICT_WAIVED && v->exception >= 0
				 ? site->exceptions[v->exception].id
				 : NULL);
	raised_ids(&w, raised);
	lya_jw_member_string(&w, "community_id", id);
	lya_jw_member_bool(&w, "rpc_child", v->payload.rpc_child);
	lya_jw_member_string(&w, "unknown", unknown_name(flow->unknown));
	lya_jw_object_close(&w);
	lya_jw_end(&w);
}
