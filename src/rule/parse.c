/*
 * parse.c - one rule file (formats.md, "Rule files").
 */
#include "rule/load.h"

#include <stdio.h>
#include <string.h>

#include "lyncaudit/alloc.h"

static const char *const file_members[] = { "schema", "document", "rules", NULL };
static const char *const title_members[] = { "key", "title", "source", NULL };
static const char *const row_members[] = { "id",       "kind",      "title",          "from",
					   "to",       "transport", "ports",          "port_of",
					   "strict",   "named",     "load_balancing", "application",
					   "feature",  "required",  "reason",         "note",
					   "document", NULL };
static const char *const narrow_members[] = { "from", "to", NULL };
static const char *const place_members[] = { "key", "table", "row", "statement", NULL };

/* What the head of the file says. */
struct head {
	char *key;
	char *title;
};

static bool add_word(const struct lya_json *at, const char *word, char ***words, size_t *n)
{
	char **grown = lya_realloc(*words, (*n + 1) * sizeof(**words));
	char *copy = lya_strdup(word);

	if (grown != NULL)
		*words = grown;
	if (grown == NULL || copy == NULL) {
		lya_free(copy);
		return lya_json_nomem(at);
	}
	grown[(*n)++] = copy;
	return true;
}

static bool has_word(char *const *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(words[i], word) == 0)
			return true;
	}
	return false;
}

/* A role or a group of roles. */
static bool parse_role(const struct lya_json *at, lya_roles *roles, const char **word)
{
	enum lya_role role;

	if (!lya_json_text(at, word))
		return false;
	if (lya_role_find(*word, &role)) {
		*roles = LYA_ROLE_BIT(role);
		return true;
	}
	if (lya_role_group_find(*word, roles))
		return true;
	lya_json_fault(at, "\"%s\" is neither a role nor a group of roles", *word);
	return false;
}

/* A list of roles: what it holds and its words. */
static void parse_roles(const struct lya_json *list, lya_roles *roles, lya_roles *named,
			char ***words, size_t *n_words)
{
	size_t n;

	if (!lya_json_array(list, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		struct lya_json item = lya_json_at(list, i);
		const char *word;
		lya_roles one;

		if (!parse_role(&item, &one, &word))
			continue;
		if (has_word(*words, *n_words, word)) {
			lya_json_fault(&item, "\"%s\" stands here twice", word);
			continue;
		}
		*roles |= one;
		if (strcmp(word, "any") != 0 && strcmp(word, "any-internal") != 0)
			*named |= one;
		if (!add_word(&item, word, words, n_words))
			return;
	}
}

static void parse_end(const struct lya_json *row, const char *member, struct lya_row_end *end,
		      bool statement)
{
	struct lya_json list;
	size_t n;

	if (!lya_json_need(row, member, &list))
		return;
	parse_roles(&list, &end->roles, &end->named, &end->words, &end->n_words);
	end->any = has_word(end->words, end->n_words, "any");
	end->any_internal = has_word(end->words, end->n_words, "any-internal");
	if (!lya_json_is_array(&list) || !lya_json_array(&list, &n))
		return;
	if (n == 0 && !statement)
		lya_json_fault(&list, "names no role: the row could match nothing");
	if (n > 0 && statement)
		lya_json_fault(&list, "a statement has no ends, found %zu", n);
}

/*
 * The roles that an address which plays one of `roles` may play at the same
 * time by what they are: a partner is external, the host of the Central
 * Management Store a front-end server.
 */
static lya_roles with_special_cases(lya_roles roles)
{
	if (roles & LYA_ROLE_BIT(LYA_ROLE_EXTERNAL))
		roles |= LYA_ROLE_BIT(LYA_ROLE_FEDERATED_PARTNER);
	if (roles & LYA_ROLE_BIT(LYA_ROLE_FRONT_END))
		roles |= LYA_ROLE_BIT(LYA_ROLE_CENTRAL_MANAGEMENT);
	if (roles & LYA_ROLE_BIT(LYA_ROLE_INTERNAL))
		roles |= LYA_ROLES_ANY_INTERNAL & ~LYA_ROLES_VIPS;
	return roles;
}

/* A list in "strict" or "named": which roles, and its words. */
static void parse_narrow_end(const struct lya_json *object, const char *member,
			     const struct lya_row_end *end, lya_roles *roles, char ***words,
			     size_t *n_words)
{
	struct lya_json list;
	lya_roles named = 0;
	size_t n;

	if (!lya_json_find(object, member, &list))
		return;
	parse_roles(&list, roles, &named, words, n_words);
	if (!lya_json_is_array(&list) || !lya_json_array(&list, &n))
		return;
	if (n == 0)
		lya_json_fault(&list, "names no role: the row could match nothing");
	else if ((*roles & ~with_special_cases(end->roles)) != 0)
		lya_json_fault(&list,
			       "holds roles that the row's \"%s\" does not: they can never "
			       "match",
			       member);
}

/* Is the member there, with one list at least, and may it be? */
static bool find_narrow(const struct lya_json *at, const struct lya_rule *rule)
{
	struct lya_json end;

	if (!lya_json_object(at))
		return false;
	if (rule->statement) {
		lya_json_fault(at, "a statement has no ends to narrow");
		return false;
	}
	lya_json_known(at, narrow_members);
	if (!lya_json_find(at, "from", &end) && !lya_json_find(at, "to", &end))
		lya_json_fault(at, "wanted \"from\" or \"to\", found neither");
	return true;
}

static void parse_strict_end(const struct lya_json *at, const char *member, struct lya_row_end *end)
{
	parse_narrow_end(at, member, end, &end->strict, &end->strict_words, &end->n_strict_words);
	end->named |= end->strict;
}

static void parse_named_end(const struct lya_json *at, const char *member, struct lya_row_end *end)
{
	lya_roles roles = 0;

	parse_narrow_end(at, member, end, &roles, &end->named_words, &end->n_named_words);
	end->named |= roles;
}

static void parse_narrower(const struct lya_json *row, struct lya_rule *rule)
{
	struct lya_json at;

	if (lya_json_need(row, "strict", &at) && !lya_json_is_null(&at) && find_narrow(&at, rule)) {
		parse_strict_end(&at, "from", &rule->from);
		parse_strict_end(&at, "to", &rule->to);
	}
	if (lya_json_find(row, "named", &at) && find_narrow(&at, rule)) {
		parse_named_end(&at, "from", &rule->from);
		parse_named_end(&at, "to", &rule->to);
	}
}

static void parse_transports(const struct lya_json *row, struct lya_rule *rule)
{
	struct lya_json list;
	size_t n;

	if (!lya_json_need(row, "transport", &list) || !lya_json_array(&list, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		struct lya_json item = lya_json_at(&list, i);
		const char *s;
		uint8_t bit;

		if (!lya_json_string(&item, &s))
			continue;
		if (strcmp(s, "tcp") == 0) {
			bit = LYA_T_TCP;
		} else if (strcmp(s, "udp") == 0) {
			bit = LYA_T_UDP;
		} else {
			lya_json_fault(&item, "wanted \"tcp\" or \"udp\", found \"%s\"", s);
			continue;
		}
		if (rule->transports & bit)
			lya_json_fault(&item, "\"%s\" stands here twice", s);
		rule->transports |= bit;
	}
	if (n == 0 && !rule->statement)
		lya_json_fault(&list, "names no transport: the row could match nothing");
	if (n > 0 && rule->statement)
		lya_json_fault(&list, "a statement has no transport, found %zu", n);
}

/* The elements of "ports", of which there are n. */
static void parse_port_items(const struct lya_json *list, size_t n, struct lya_rule *rule)
{
	rule->ports = lya_calloc(n, sizeof(*rule->ports));
	if (rule->ports == NULL) {
		(void)lya_json_nomem(list);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct lya_json item = lya_json_at(list, i);
		struct lya_port_range range;
		const char *s;

		if (!lya_json_string(&item, &s))
			continue;
		if (strcmp(s, "any") == 0 && n > 1) {
			lya_json_fault(&item, "\"any\" stands alone or not at all");
		} else if (strcmp(s, "any") == 0) {
			rule->any_port = true;
		} else if (!lya_ports_parse(s, &range)) {
			lya_json_fault(&item,
				       "\"%s\" is neither a port (1 to 65535) nor a range of "
				       "ports, lower one first",
				       s);
		} else {
			rule->ports[rule->n_ports++] = range;
		}
	}
	rule->n_ports = lya_ports_sort(rule->ports, rule->n_ports);
}

static void parse_ports(const struct lya_json *row, struct lya_rule *rule)
{
	struct lya_json list;
	size_t n;

	if (!lya_json_need(row, "ports", &list) || !lya_json_array(&list, &n))
		return;
	if (n == 0 && !rule->statement)
		lya_json_fault(&list, "names no port: the row could match nothing");
	else if (n > 0 && rule->statement)
		lya_json_fault(&list, "a statement has no ports, found %zu", n);
	else if (n > 0)
		parse_port_items(&list, n, rule);
}

/* A string member that must be null in a statement; NULL when there is nothing to read. */
static const char *need_word(const struct lya_json *row, const char *member, bool statement,
			     struct lya_json *at)
{
	const char *s;

	if (!lya_json_need(row, member, at))
		return NULL;
	if (!statement)
		return lya_json_text(at, &s) ? s : NULL;
	if (!lya_json_is_null(at))
		lya_json_fault(at, "a statement has none: wanted null");
	return NULL;
}

static void parse_port_of(const struct lya_json *row, struct lya_rule *rule)
{
	struct lya_json at;
	const char *s = need_word(row, "port_of", rule->statement, &at);

	if (s == NULL)
		return;
	if (strcmp(s, "responder") == 0)
		rule->port_of = LYA_PORT_RESPONDER;
	else if (strcmp(s, "initiator") == 0)
		rule->port_of = LYA_PORT_INITIATOR;
	else if (strcmp(s, "either") == 0)
		rule->port_of = LYA_PORT_EITHER;
	else
		lya_json_fault(&at,
			       "wanted \"responder\", \"initiator\" or \"either\", found \"%s\"",
			       s);
}

static void parse_application(const struct lya_json *row, struct lya_rule *rule)
{
	struct lya_json at;
	const char *s = need_word(row, "application", rule->statement, &at);
	enum lya_row_app app;

	if (s == NULL)
		return;
	if (lya_row_app_find(s, &app))
		rule->app = (uint8_t)app;
	else
		lya_json_fault(&at, "\"%s\" is no application of a rule file", s);
}

static void parse_feature(const struct lya_json *row, struct lya_rule *rule)
{
	struct lya_json at;
	enum lya_feature feature;
	const char *s;

	rule->feature = -1;
	if (!lya_json_need(row, "feature", &at) || lya_json_is_null(&at) || !lya_json_text(&at, &s))
		return;
	if (lya_feature_find(s, &feature))
		rule->feature = (int8_t)feature;
	else
		lya_json_fault(&at, "\"%s\" is no feature", s);
}

static void parse_mode(const struct lya_json *row, struct lya_rule *rule)
{
	struct lya_json at;
	const char *s;

	rule->mode = -1;
	if (!lya_json_find(row, "load_balancing", &at) || lya_json_is_null(&at) ||
	    !lya_json_text(&at, &s))
		return;
	if (strcmp(s, "hlb") == 0)
		rule->mode = LYA_LB_HLB;
	else if (strcmp(s, "dns") == 0)
		rule->mode = LYA_LB_DNS;
	else
		lya_json_fault(&at, "wanted \"hlb\" or \"dns\", found \"%s\"", s);
}

/* An optional text, "" when it is left out. */
static void parse_remark(const struct lya_json *row, const char *member, char **text)
{
	struct lya_json at;

	if (lya_json_find(row, member, &at)) {
		(void)lya_json_text_dup(&at, text);
		return;
	}
	*text = lya_strdup("");
	if (*text == NULL)
		(void)lya_json_nomem(row);
}

static void parse_number(const struct lya_json *place, const char *member, int *n)
{
	struct lya_json at;
	int64_t value;

	if (lya_json_need(place, member, &at) && lya_json_int(&at, 1, 100000, &value))
		*n = (int)value;
}

static void parse_row_number(const struct lya_json *place, struct lya_rule *rule)
{
	struct lya_json at;

	if (!lya_json_find(place, "statement", &at)) {
		parse_number(place, "table", &rule->doc_table);
		parse_number(place, "row", &rule->doc_row);
		return;
	}
	(void)lya_json_text_dup(&at, &rule->doc_statement);
	if (lya_json_find(place, "table", &at) || lya_json_find(place, "row", &at))
		lya_json_fault(place, "a statement of the prose stands in no table");
}

/* Where the row stands, and whether its id says the same. */
static void parse_place(const struct lya_json *row, struct lya_rule *rule, const struct head *head)
{
	struct lya_json place;
	struct lya_json at;
	char wanted[256];

	if (!lya_json_need(row, "document", &place) || !lya_json_object(&place))
		return;
	lya_json_known(&place, place_members);
	if (lya_json_need(&place, "key", &at) && lya_json_text_dup(&at, &rule->doc_key) &&
	    head->key != NULL && strcmp(rule->doc_key, head->key) != 0)
		lya_json_fault(&at, "\"%s\" is not the document of this file, \"%s\"",
			       rule->doc_key, head->key);
	parse_row_number(&place, rule);
	if (rule->id == NULL || rule->doc_key == NULL)
		return;
	if (rule->doc_statement != NULL)
		(void)snprintf(wanted, sizeof(wanted), "%s.p.%s", rule->doc_key,
			       rule->doc_statement);
	else if (rule->doc_table > 0 && rule->doc_row > 0)
		(void)snprintf(wanted, sizeof(wanted), "%s.%d.%d", rule->doc_key, rule->doc_table,
			       rule->doc_row);
	else
		return;
	if (strcmp(wanted, rule->id) != 0)
		lya_json_fault(row, "id \"%s\" is not its document reference, \"%s\"", rule->id,
			       wanted);
	if (rule->statement && rule->doc_statement == NULL)
		lya_json_fault(&place,
			       "a statement is named by \"statement\", not by table and row");
}

static void parse_kind(const struct lya_json *row, struct lya_rule *rule)
{
	struct lya_json at;
	const char *s;

	if (!lya_json_find(row, "kind", &at) || !lya_json_string(&at, &s))
		return;
	rule->statement = strcmp(s, "statement") == 0;
	if (!rule->statement && strcmp(s, "flow") != 0)
		lya_json_fault(&at, "wanted \"flow\" or \"statement\", found \"%s\"", s);
}

static void parse_rule(const struct lya_json *row, struct lya_rule *rule, const struct head *head)
{
	struct lya_json at;

	lya_json_known(row, row_members);
	parse_kind(row, rule);
	if (lya_json_need(row, "id", &at))
		(void)lya_json_text_dup(&at, &rule->id);
	if (lya_json_need(row, "title", &at))
		(void)lya_json_text_dup(&at, &rule->title);
	parse_remark(row, "reason", &rule->reason);
	parse_remark(row, "note", &rule->note);
	parse_end(row, "from", &rule->from, rule->statement);
	parse_end(row, "to", &rule->to, rule->statement);
	parse_narrower(row, rule);
	parse_transports(row, rule);
	parse_ports(row, rule);
	parse_port_of(row, rule);
	parse_application(row, rule);
	parse_feature(row, rule);
	parse_mode(row, rule);
	if (lya_json_need(row, "required", &at))
		(void)lya_json_bool(&at, &rule->required);
	if (rule->statement && rule->required)
		lya_json_fault(row, "a statement is never \"required\": it has no flows");
	parse_place(row, rule, head);
	rule->doc_title = lya_strdup(head->title != NULL ? head->title : "");
	if (rule->doc_title == NULL)
		(void)lya_json_nomem(row);
	rule_check_row(row, rule);
}

static void parse_head(const struct lya_json *root, struct head *head)
{
	struct lya_json at;
	struct lya_json document;
	const char *s;

	lya_json_known(root, file_members);
	if (lya_json_need(root, "schema", &at) && lya_json_string(&at, &s) &&
	    strcmp(s, "lyncaudit-rules/1") != 0)
		lya_json_fault(&at, "wanted \"lyncaudit-rules/1\", found \"%s\"", s);
	if (!lya_json_need(root, "document", &document) || !lya_json_object(&document))
		return;
	lya_json_known(&document, title_members);
	if (lya_json_need(&document, "key", &at))
		(void)lya_json_text_dup(&at, &head->key);
	if (lya_json_need(&document, "title", &at))
		(void)lya_json_text_dup(&at, &head->title);
	if (lya_json_find(&document, "source", &at))
		(void)lya_json_text(&at, &s);
}

/* Is there room for the n rules of this list?  Otherwise that is a fault. */
static bool have_room(const struct rule_load *load, const struct lya_json *list, size_t n)
{
	if (n <= LYA_RULES_MAX - load->rules->n)
		return true;
	lya_json_fault(list, "wanted at most %d rules in a rule set, found %zu", LYA_RULES_MAX,
		       load->rules->n + n);
	return false;
}

/* Room for one more rule, zeroed, with its origin; NULL without memory. */
static struct lya_rule *add_rule(struct rule_load *load, size_t index)
{
	struct lya_rules *rules = load->rules;

	if (lya_grow((void **)&rules->list, &load->cap, rules->n + 1, sizeof(*rules->list)) < 0 ||
	    lya_grow((void **)&load->origins, &load->cap_origins, rules->n + 1,
		     sizeof(*load->origins)) < 0)
		return NULL;
	memset(&rules->list[rules->n], 0, sizeof(*rules->list));
	load->origins[rules->n] = (struct rule_origin){ load->n_files - 1, index };
	return &rules->list[rules->n++];
}

void rule_parse(struct rule_load *load, struct lya_json_doc *doc)
{
	struct lya_json root = lya_json_root(doc);
	struct lya_json list;
	struct head head = { 0 };
	size_t n;

	if (!lya_json_object(&root))
		return;
	parse_head(&root, &head);
	if (lya_json_need(&root, "rules", &list) && lya_json_array(&list, &n)) {
		if (n == 0)
			lya_json_fault(&list, "holds no rule");
		if (!have_room(load, &list, n))
			n = 0;
		for (size_t i = 0; i < n; i++) {
			struct lya_json row = lya_json_at(&list, i);
			struct lya_rule *rule;

			if (!lya_json_object(&row))
				continue;
			rule = add_rule(load, i);
			if (rule == NULL) {
				(void)lya_json_nomem(&row);
				break;
			}
			parse_rule(&row, rule, &head);
		}
	}
	lya_free(head.key);
	lya_free(head.title);
}
