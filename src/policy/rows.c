/*
 * rows.c - the documented rows as they are in force at one site: strict
 * reading, load balancing mode, moved ports and features applied.
 */
#include "policy/policy.h"

#include <string.h>

bool policy_row_any_port(const struct policy_row *row)
{
	return row->rule->any_port && row->override == NULL;
}

bool policy_row_has_port(const struct policy_row *row, uint16_t port)
{
	if (policy_row_any_port(row))
		return true;
	for (size_t i = 0; i < row->n_ports; i++) {
		if (port >= row->ports[i].first && port <= row->ports[i].last)
			return true;
	}
	return false;
}

/* Every port of the row is one that some row gives to VIPs under DNS load balancing. */
static bool is_web_row(const struct lya_policy *p, const struct lya_rule *rule)
{
	for (size_t i = 0; i < rule->n_ports; i++) {
		bool found = false;

		for (size_t k = 0; k < p->rules->n && !found; k++) {
			const struct lya_rule *other = &p->rules->list[k];

			for (size_t j = 0; other->mode == LYA_LB_DNS && j < other->n_ports; j++)
				found = found || (rule->ports[i].first >= other->ports[j].first &&
				                  rule->ports[i].last <= other->ports[j].last);
		}
		if (!found)
			return false;
	}
	return rule->n_ports > 0;
}

/* True when the site's mode lets this row speak of that VIP role (policy-model: "Load balancing mode matters"). */
static bool mode_allows(const struct lya_policy *p, const struct lya_rule *rule, enum lya_role vip)
{
	enum lya_lb_mode mode = p->site->lb[lya_lb_pool_of(vip)];

	if (rule->mode >= 0)
		return (int)mode == rule->mode;
	if (mode == LYA_LB_HLB)
		return true;
	return mode == LYA_LB_DNS && lya_lb_pool_of(vip) != LYA_LB_EDGE &&
	       vip != LYA_ROLE_MEDIATION_VIP && is_web_row(p, rule);
}

/*
 * The VIP roles that no address plays are nodes standing in: the mode does
 * not forbid them anything.
 */
static bool is_declared_vip(const struct lya_policy *p, enum lya_role vip)
{
	for (size_t i = 0; i < p->n_vips; i++) {
		if (p->vips[i].role == vip)
			return true;
	}
	return false;
}

static lya_roles forbidden_vips(const struct lya_policy *p, const struct lya_rule *rule)
{
	lya_roles forbidden = 0;

	for (unsigned role = 0; role < LYA_ROLES_DECLARED; role++) {
		enum lya_role vip = (enum lya_role)role;

		if (!(rule->to.roles & LYA_ROLES_VIPS & LYA_ROLE_BIT(role)))
			continue;
		if (is_declared_vip(p, vip) && !mode_allows(p, rule, vip))
			forbidden |= LYA_ROLE_BIT(role);
	}
	return forbidden;
}

bool policy_vips_balanced_otherwise(const struct lya_policy *p, lya_roles vips)
{
	for (unsigned role = 0; role < LYA_ROLES_DECLARED; role++) {
		if ((vips & LYA_ROLE_BIT(role)) &&
		    p->site->lb[lya_lb_pool_of((enum lya_role)role)] != LYA_LB_HLB)
			return true;
	}
	return false;
}

static uint16_t count_roles(lya_roles roles)
{
	return (uint16_t)__builtin_popcount(roles);
}

static void read_row(const struct lya_policy *p, const struct lya_rule *rule,
                     struct policy_row *row)
{
	bool strict_from = p->strict && rule->from.strict != 0;
	bool strict_to = p->strict && rule->to.strict != 0;
	lya_roles forbidden = forbidden_vips(p, rule);

	*row = (struct policy_row){ .rule = rule, .ports = rule->ports, .n_ports = rule->n_ports };
	row->from = strict_from ? rule->from.strict : rule->from.roles;
	row->from_named = rule->from.named;
	row->from_any = rule->from.any && !strict_from;
	row->to_any_mode = strict_to ? rule->to.strict : rule->to.roles;
	row->to = row->to_any_mode & ~forbidden;
	row->to_named = rule->to.named & ~forbidden;
	row->to_any = rule->to.any && !strict_to;
	row->names_av = ((rule->from.named | rule->to.named) & LYA_ROLE_BIT(LYA_ROLE_EDGE_AV)) != 0;
	row->media = rule->app == LYA_ROW_STUN || rule->app == LYA_ROW_RTP;
	row->feature_on = rule->feature < 0 || (p->site->features & (1u << rule->feature)) != 0;
	row->breadth = (uint16_t)(count_roles(row->from) + count_roles(row->to));
}

/* Every override names a rule that has ports: lya_site_check_rules has seen to it. */
static void apply_overrides(struct lya_policy *p)
{
	for (size_t i = 0; i < p->site->n_overrides; i++) {
		const struct lya_port_override *o = &p->site->overrides[i];
		struct policy_row *row =
		    &p->rows[lya_rules_find(p->rules, o->rule) - p->rules->list];

		row->override = o;
		row->ports = o->ports;
		row->n_ports = o->n_ports;
	}
}

/* Number the stretches of ports that every row treats alike. */
static void number_atoms(struct lya_policy *p)
{
	unsigned atom = 0;

	memset(p->atom, 0, sizeof(p->atom));
	for (size_t i = 0; i < p->n_rows; i++) {
		for (size_t k = 0; k < p->rows[i].n_ports; k++) {
			p->atom[p->rows[i].ports[k].first] = 1;
			if (p->rows[i].ports[k].last < UINT16_MAX)
				p->atom[p->rows[i].ports[k].last + 1] = 1;
		}
	}
	policy_mark_mixups(p->atom);
	for (size_t port = 0; port <= UINT16_MAX; port++) {
		atom += p->atom[port];
		p->atom[port] = (uint16_t)atom;
	}
}

int policy_rows_init(struct lya_policy *p, struct lya_diags *diags, struct lya_error *err)
{
	int rc = lya_site_check_rules(p->site, p->rules, diags, err);

	if (rc < 0)
		return rc;
	p->n_rows = p->rules->n;
	for (size_t i = 0; i < p->n_rows; i++)
		read_row(p, &p->rules->list[i], &p->rows[i]);
	apply_overrides(p);
	number_atoms(p);
	return policy_walk_init(p) < 0 ? lya_error_nomem(err) : LYA_OK;
}

const struct lya_port_range *lya_policy_ports(const struct lya_policy *p, size_t rule, size_t *n)
{
	*n = p->rows[rule].n_ports;
	return p->rows[rule].ports;
}

const struct lya_port_override *lya_policy_override(const struct lya_policy *p, size_t rule)
{
	return p->rows[rule].override;
}

bool lya_policy_feature_on(const struct lya_policy *p, size_t rule)
{
	return p->rows[rule].feature_on;
}

void lya_policy_rule_ends(const struct lya_policy *p, size_t rule, lya_roles *from, lya_roles *to)
{
	*from = p->rows[rule].from;
	*to = p->rows[rule].to;
}
