/*
 * phrase.c - the phrases that findings are written with: ends, ports, rows, outcomes.
 */
#include "finding/sentence.h"

#include <inttypes.h>
#include <string.h>

enum { RANGES_SAID = 6 };

void say(const struct telling *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	lya_text_vaddf(t->text, fmt, ap);
	va_end(ap);
}

static const char *role_word(enum lya_role role)
{
	return role < LYA_ROLES ? lya_role_name(role) : "no role";
}

static void say_many(const struct telling *t, const struct lya_finding_end *end)
{
	char addr[LYA_ADDR_TEXT];

	say(t, "%s%" PRIu64 " %s addresses", end->distinct_estimated ? "about " : "", end->distinct,
	    role_word(end->role));
	if (end->n_busiest > 0)
		say(t, " (the busiest is %s)", lya_addr_format(&end->busiest[0].addr, addr));
}

void say_end(const struct telling *t, const struct lya_finding_end *end)
{
	char addr[LYA_ADDR_TEXT];
	bool one = end->address.family != 0;

	if (one)
		(void)lya_addr_format(&end->address, addr);
	if (end->host != NULL && one)
		say(t, "%s (%s, %s)", end->host, role_word(end->role), addr);
	else if (end->host != NULL)
		say(t, "%s (%s)", end->host, role_word(end->role));
	else if (one)
		say(t, "%s (%s)", addr, role_word(end->role));
	else
		say_many(t, end);
}

void say_initiator(const struct telling *t)
{
	say_end(t, &t->finding->initiator);
}

void say_responder(const struct telling *t)
{
	say_end(t, &t->finding->responder);
}

void say_end_short(const struct telling *t, const struct lya_finding_end *end)
{
	char addr[LYA_ADDR_TEXT];

	if (end->host != NULL)
		say(t, "%s", end->host);
	else if (end->address.family != 0)
		say(t, "%s", lya_addr_format(&end->address, addr));
	else
		say(t, "these %s addresses", role_word(end->role));
}

static const char *transport_word(uint8_t transport)
{
	return transport == 6 ? "tcp" : transport == 17 ? "udp" : "any transport,";
}

static void say_ranges(const struct telling *t, const struct lya_port_range *list, size_t n)
{
	char text[12];

	for (size_t i = 0; i < n && i < RANGES_SAID; i++) {
		lya_port_range_format(&list[i], text);
		say(t, "%s%s", i > 0 ? ", " : "", text);
	}
	if (n > RANGES_SAID)
		say(t, ", ...");
}

void say_ports(const struct telling *t)
{
	const struct lya_finding *f = t->finding;
	unsigned ports = 0;

	for (size_t i = 0; i < f->n_ports; i++)
		ports += 1u + f->ports[i].last - f->ports[i].first;
	if (f->n_ports <= 1) {
		say(t, "%s ", transport_word(f->transport));
		say_ranges(t, f->ports, f->n_ports);
		return;
	}
	say(t, "%u %s ports (", ports, transport_word(f->transport));
	say_ranges(t, f->ports, f->n_ports);
	say(t, ")");
}

void say_rule_ports(const struct telling *t, int rule)
{
	const struct lya_rule *row = &t->ledger->rules->list[rule];
	const struct lya_port_range *list;
	size_t n;

	say(t, "%s ",
	    row->transports == LYA_T_TCP   ? "tcp"
	    : row->transports == LYA_T_UDP ? "udp"
					   : "tcp and udp");
	list = lya_policy_ports(t->ledger->policy, (size_t)rule, &n);
	if (row->any_port)
		say(t, "any port");
	else
		say_ranges(t, list, n);
}

void say_row(const struct telling *t, int rule)
{
	const struct lya_rule *row = &t->ledger->rules->list[rule];
	const struct lya_port_override *moved = NULL;

	if (row->doc_table > 0)
		say(t, "row %s of the %s document, table %d (%s)", row->id, row->doc_key,
		    row->doc_table, row->title);
	else
		say(t, "statement %s of the %s document (%s)", row->id, row->doc_key, row->title);
	if (!row->statement)
		moved = lya_policy_override(t->ledger->policy, (size_t)rule);
	if (moved != NULL) {
		say(t, ", which this site moved to port ");
		say_ranges(t, moved->ports, moved->n_ports);
		say(t, " (%s)", moved->reason);
	}
}

/* The groups of rule files in words; a role is a word already. */
static const char *plain_word(const char *word)
{
	static const char *const words[][2] = {
		{ "any", "any address" },
		{ "any-internal", "any internal address" },
		{ "internal-server", "an internal server" },
		{ "FE", "front-end (or its VIP)" },
		{ "DIR", "director (or its VIP)" },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i][0], word) == 0)
			return words[i][1];
	}
	return word;
}

static void say_words(const struct telling *t, char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		say(t, "%s%s",
		    i == 0      ? ""
		    : i + 1 < n ? ", "
				: " or ",
		    plain_word(words[i]));
}

void say_row_end(const struct telling *t, const struct lya_row_end *end)
{
	if (lya_policy_is_strict(t->ledger->policy) && end->n_strict_words > 0)
		say_words(t, end->strict_words, end->n_strict_words);
	else
		say_words(t, end->words, end->n_words);
}

void say_row_ends(const struct telling *t, int rule)
{
	const struct lya_rule *row = &t->ledger->rules->list[rule];

	say(t, "from ");
	say_row_end(t, &row->from);
	say(t, " to ");
	say_row_end(t, &row->to);
}

static lya_roles site_roles(const struct lya_site *site)
{
	lya_roles roles = 0;

	for (size_t i = 0; i < site->n_hosts; i++)
		roles |= site->hosts[i].roles;
	return roles;
}

/* The word as this site has it: the servers for a VIP that it does without; NULL: it has none. */
static const char *site_word(lya_roles has, const char *word)
{
	enum lya_role role;

	if (!lya_role_find(word, &role) || role >= LYA_ROLES_DECLARED ||
	    (LYA_ROLE_BIT(role) & has) != 0)
		return plain_word(word);
	if ((LYA_ROLE_BIT(role) & LYA_ROLES_VIPS) == 0 ||
	    (LYA_ROLE_BIT(lya_role_behind(role)) & has) == 0)
		return NULL;
	return lya_role_name(lya_role_behind(role));
}

/* The i-th word has something to say that none before it has said. */
static bool is_told(lya_roles has, char *const *words, size_t i)
{
	const char *word = site_word(has, words[i]);

	for (size_t k = 0; k < i && word != NULL; k++) {
		const char *before = site_word(has, words[k]);

		if (before != NULL && strcmp(before, word) == 0)
			return false;
	}
	return word != NULL;
}

static void say_site_words(const struct telling *t, char *const *words, size_t n)
{
	lya_roles has = site_roles(t->ledger->site);
	size_t wanted = 0, told = 0;

	for (size_t i = 0; i < n; i++)
		wanted += is_told(has, words, i);
	for (size_t i = 0; i < n; i++) {
		if (!is_told(has, words, i))
			continue;
		told++;
		say(t, "%s%s", told == 1 ? "" : told < wanted ? ", " : " or ",
		    site_word(has, words[i]));
	}
	if (wanted == 0)
		say_words(t, words, n);
}

static void say_site_end(const struct telling *t, const struct lya_row_end *end)
{
	if (lya_policy_is_strict(t->ledger->policy) && end->n_strict_words > 0)
		say_site_words(t, end->strict_words, end->n_strict_words);
	else
		say_site_words(t, end->words, end->n_words);
}

void say_site_ends(const struct telling *t, int rule)
{
	const struct lya_rule *row = &t->ledger->rules->list[rule];

	say(t, "from ");
	say_site_end(t, &row->from);
	say(t, " to ");
	say_site_end(t, &row->to);
}

void say_exception(const struct telling *t, int exception)
{
	const struct lya_exception *ex = &t->ledger->site->exceptions[exception];

	say(t, "exception %s (%s", ex->id, ex->reason);
	if (ex->owner != NULL)
		say(t, "; owner: %s", ex->owner);
	say(t, ")");
}

const struct lya_rule *rule_at(const struct telling *t, int rule)
{
	return &t->ledger->rules->list[rule];
}

void end_sentence(const struct telling *t)
{
	say(t, ".");
}

bool got_through(const struct telling *t)
{
	return t->finding->through > 0;
}

void say_unanswered(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	if (got_through(t))
		return;
	if (f->attempted == 0)
		say(t, " (%s refused)", f->flows == 1 ? "the attempt was" : "every attempt was");
	else if (f->refused == 0)
		say(t, " (%s)", f->flows == 1 ? "not answered" : "never answered");
	else
		say(t, " (never answered or refused)");
}

void what_flow(const struct telling *t)
{
	say_initiator(t);
	say(t, got_through(t) ? " reached " : " tried to reach ");
	say_responder(t);
	say(t, " on ");
	say_ports(t);
	say_unanswered(t);
}

void say_expired(const struct telling *t)
{
	const struct lya_finding *f = t->finding;

	if (f->exception < 0)
		return;
	say(t, "; ");
	say_exception(t, f->exception);
	say(t, " would have waived it, but ended on %s",
	    t->ledger->site->exceptions[f->exception].expires);
}

/* A stranger cannot be asked what it is doing; the firewall can be closed. */
bool is_stranger(const struct lya_finding_end *end)
{
	return end->host == NULL && end->role == LYA_ROLE_EXTERNAL;
}
