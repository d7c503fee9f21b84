/*
 * summary.c - what a person reads after an audit: the verdict first, then
 * what to do, then what is known less well.
 */
#include "report/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lyncaudit/text.h"
#include "lyncaudit/timeutil.h"

enum { WIDTH = 80, WIDTH_MIN = 40, ROWS_SHOWN = 24, HOSTS_SHOWN = 12, FINDINGS_SHOWN = 40, INDENT_TEXT = 6 };

struct page {
	struct lya_output *out;
	const struct lya_report_input *in;
	struct lya_ledger_counts counts;
	bool colour;
	unsigned width;
};

enum ink { INK_PLAIN, INK_BOLD, INK_DIM, INK_RED, INK_YELLOW, INK_GREEN };

static const char *const inks[] = {
	[INK_PLAIN] = "",         [INK_BOLD] = "\033[1m",      [INK_DIM] = "\033[2m",
	[INK_RED] = "\033[1;31m", [INK_YELLOW] = "\033[1;33m", [INK_GREEN] = "\033[1;32m",
};

static void coloured(const struct page *p, enum ink ink, const char *s)
{
	if (p->colour && ink != INK_PLAIN)
		lya_output_printf(p->out, "%s%s\033[0m", inks[ink], s);
	else
		lya_output_puts(p->out, s);
}

static void heading(const struct page *p, const char *s)
{
	lya_output_puts(p->out, "\n");
	coloured(p, INK_BOLD, s);
	lya_output_puts(p->out, "\n");
}

/*
 * Names come from captures and site files: what could steer a terminal (C0
 * and C1 controls, the latter as UTF-8) is shown as '?'.
 */
static void put_clean(const struct page *p, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool c1 = c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0;

		if (c < 0x20 || c == 0x7f || c1)
			lya_output_write(p->out, "?", 1);
		else
			lya_output_write(p->out, &text[i], 1);
		i += c1;
	}
}

/* Words on lines of p->width columns. */
static void wrapped(const struct page *p, unsigned indent, const char *lead, const char *text)
{
	size_t column = indent + strlen(lead);
	bool first = true;

	lya_output_printf(p->out, "%*s%s", (int)indent, "", lead);
	indent += (unsigned)strlen(lead);
	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (!first && column + 1 + len > p->width) {
			lya_output_printf(p->out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			lya_output_puts(p->out, " ");
			column++;
		}
		put_clean(p, text, len);
		column += len;
		first = false;
		text += len;
		text += strspn(text, " ");
	}
	lya_output_puts(p->out, "\n");
}

/* "1 234 567": easier on the eye than a row of digits. */
static const char *grouped(uint64_t n, char buf[static 32])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t at = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			buf[at++] = ' ';
		buf[at++] = digits[i];
	}
	buf[at] = '\0';
	return buf;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* The first thing that is read must not be taken for good news. */
static const char *why_not_judged(const struct page *p)
{
	if (p->counts.flows == 0)
		return "no flow was seen";
	if (p->counts.verdicts[LYA_VERDICT_UNDETERMINED] > 0)
		return "no flow that was seen could be";
	return "no flow that was seen concerns the site's servers";
}

static void unjudged_line(const struct page *p)
{
	coloured(p, INK_YELLOW, "NOTHING WAS JUDGED");
	lya_output_printf(p->out, " - %s\n", why_not_judged(p));
}

static void verdict_line(const struct page *p)
{
	static const struct {
		const char *word, *says;
		enum ink ink;
	} verdicts[] = {
		[LYA_REPORT_COMPLIANT] = { "COMPLIANT", "every flow that was seen is accounted for",
					   INK_GREEN },
		[LYA_REPORT_NON_COMPLIANT] = { "NON-COMPLIANT", "see the findings below", INK_RED },
		[LYA_REPORT_INCOMPLETE] = { "INCOMPLETE",
					    "nothing was found in what could be read, but not all "
					    "could be",
					    INK_YELLOW },
	};
	enum lya_report_verdict v = lya_report_verdict(p->in);
	bool judged = lya_report_judged(p->in);

	if (!judged)
		unjudged_line(p);
	if (!judged && v != LYA_REPORT_NON_COMPLIANT)
		return;
	coloured(p, verdicts[v].ink, verdicts[v].word);
	lya_output_printf(p->out, " - %s\n", verdicts[v].says);
	if (v == LYA_REPORT_NON_COMPLIANT && judged && !lya_report_complete(p->in))
		coloured(p, INK_YELLOW, "The evidence is incomplete as well.\n");
}

/* Files of a folder that are no captures: no packet is from them. */
static size_t count_skipped(const struct lya_report_input *in)
{
	size_t n = 0;

	for (size_t i = 0; i < in->n_sources; i++)
		n += in->sources[i].skipped;
	return n;
}

static void capture_lines(const struct page *p)
{
	const struct lya_policy *policy = lya_ledger_policy(p->in->ledger);
	const struct lya_site *site = lya_policy_site(policy);
	const struct lya_rules *rules = lya_policy_rules(policy);
	struct report_span span = report_span(p->in);
	size_t skipped = count_skipped(p->in), read = p->in->n_sources - skipped;
	char first[LYA_TIME_TEXT], last[LYA_TIME_TEXT], packets[32], bytes[32];

	lya_output_puts(p->out, "site ");
	put_clean(p, site->name, strlen(site->name));
	lya_output_puts(p->out, ", rules ");
	put_clean(p, rules->name, strlen(rules->name));
	lya_output_printf(p->out, " (%zu)\n", rules->n);
	if (p->in->filter != NULL) {
		lya_output_puts(p->out, "of the packets that pass the filter ");
		put_clean(p, p->in->filter, strlen(p->in->filter));
		lya_output_puts(p->out, "\n");
	}
	lya_output_printf(p->out, "%s packet%s, %s bytes from %zu source%s",
			  grouped(span.packets, packets), plural(span.packets),
			  grouped(span.bytes, bytes), read, plural(read));
	if (skipped > 0)
		lya_output_printf(p->out, " (%zu other file%s passed over)", skipped,
				  plural(skipped));
	if (span.first_ns != LYA_TIME_NONE)
		lya_output_printf(p->out, "\n%s to %s", lya_time_format(span.first_ns, 0, first),
				  lya_time_format(span.last_ns, 0, last));
	lya_output_puts(p->out, "\n");
}

static void flow_lines(const struct page *p)
{
	static const enum lya_verdict_kind order[] = {
		LYA_VERDICT_DOCUMENTED,        LYA_VERDICT_WAIVED,
		LYA_VERDICT_WRONG_DIRECTION,   LYA_VERDICT_UNEXPECTED_PORT,
		LYA_VERDICT_UNDOCUMENTED_PATH, LYA_VERDICT_UNDETERMINED,
		LYA_VERDICT_OUT_OF_SCOPE,
	};
	char buf[32];

	heading(p, "Flows");
	lya_output_printf(p->out, "%14s  in all\n", grouped(p->counts.flows, buf));
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		uint64_t n = p->counts.verdicts[order[i]];

		if (n == 0)
			continue;
		lya_output_printf(p->out, "%14s  %s", grouped(n, buf), lya_verdict_name(order[i]));
		if (order[i] == LYA_VERDICT_DOCUMENTED && p->counts.probes > 0)
			lya_output_printf(p->out, " (%s health probe%s)",
					  grouped(p->counts.probes, buf), plural(p->counts.probes));
		lya_output_puts(p->out, "\n");
	}
}

static enum ink ink_of(enum lya_severity s)
{
	return s <= LYA_SEVERITY_HIGH ? INK_RED : s == LYA_SEVERITY_MEDIUM ? INK_YELLOW : INK_BOLD;
}

static void finding_block(const struct page *p, const struct lya_finding *f)
{
	char flows[32];

	lya_output_puts(p->out, "  ");
	coloured(p, ink_of(f->severity), f->id);
	lya_output_printf(p->out, "  %s", f->type);
	if (f->flows > 0)
		lya_output_printf(p->out, ", %s flow%s", grouped(f->flows, flows),
				  plural(f->flows));
	lya_output_puts(p->out, "\n");
	wrapped(p, INDENT_TEXT, "", f->what);
	if (f->severity == LYA_SEVERITY_INFO)
		return;
	wrapped(p, INDENT_TEXT, "Why: ", f->why);
	wrapped(p, INDENT_TEXT, "Fix: ", f->fix);
}

static void finding_lines(const struct page *p)
{
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(p->in->ledger, &n);
	size_t shown = 0;
	char title[64], buf[32];

	if (n == 0) {
		heading(p, "No findings");
		return;
	}
	for (size_t i = 0; i < n; i++) {
		enum lya_severity s = list[i].severity;

		if (i == 0 || s != list[i - 1].severity) {
			(void)snprintf(title, sizeof(title), "%s: %" PRIu64 " finding%s",
				       lya_severity_name(s), p->counts.findings[s],
				       plural(p->counts.findings[s]));
			title[0] = (char)(title[0] - 'a' + 'A');
			heading(p, title);
			shown = 0;
		}
		if (shown++ < FINDINGS_SHOWN)
			finding_block(p, &list[i]);
		else if (shown == FINDINGS_SHOWN + 1)
			lya_output_puts(p->out,
					"  ... and more: the JSON report (-o) has them all\n");
	}
	if (p->counts.folded_findings > 0)
		lya_output_printf(p->out,
				  "\n  About %s more findings are not kept one by one (%s).\n",
				  grouped(p->counts.folded_findings, buf),
				  "the bound on findings was reached");
}

static void evidence_lines(const struct page *p)
{
	const struct lya_finding_packets *all = &p->in->evidence_total;
	char buf[32];

	if (p->in->evidence == NULL)
		return;
	heading(p, "Evidence");
	lya_output_printf(p->out, "%14s  packet%s in the file that was asked for\n",
			  grouped(all->packets, buf), plural(all->packets));
	if (all->left_out > 0)
		lya_output_printf(p->out, "%14s  more that belong there: no memory was left\n",
				  grouped(all->left_out, buf));
}

/* Nothing is said of a proof that was not looked for: a deployment without an A/V VIP. */
static void snat_lines(const struct page *p)
{
	const struct lya_report_snat *s = &p->in->snat;
	char vip[LYA_ADDR_TEXT], node[LYA_ADDR_TEXT];

	if (s->n_pairs == 0)
		return;
	heading(p, "A/V Edge: is the client's address kept?");
	for (size_t i = 0; i < s->n_pairs; i++) {
		const struct lya_report_snat_pair *pair = &s->pairs[i];
		uint64_t kept = pair->transactions_preserved + pair->connections_preserved;
		uint64_t lost = pair->transactions_rewritten + pair->connections_rewritten;

		lya_output_printf(p->out, "  %s to %s: ", lya_addr_format(&pair->vip, vip),
				  lya_addr_format(&pair->node, node));
		if (kept + lost == 0)
			lya_output_puts(p->out, "not seen on both sides of the balancer\n");
		else
			lya_output_printf(p->out,
					  "kept %" PRIu64 " time%s, rewritten %" PRIu64 " time%s\n",
					  kept, plural(kept), lost, plural(lost));
	}
	if (p->counts.av_probes > 0)
		lya_output_printf(p->out, "  %" PRIu64 " health probe%s of the balancer\n",
				  p->counts.av_probes, plural(p->counts.av_probes));
}

static void coverage_lines(const struct page *p)
{
	const struct lya_rules *rules = lya_policy_rules(lya_ledger_policy(p->in->ledger));
	size_t n, of[LYA_COVERAGE_FEATURE_OFF + 1] = { 0 }, shown = 0;
	const struct lya_coverage *list = lya_ledger_coverage(p->in->ledger, &n);
	struct lya_text ids = { 0 };

	for (size_t i = 0; i < n; i++) {
		of[list[i].status]++;
		if (list[i].status != LYA_COVERAGE_NOT_OBSERVED || shown++ >= ROWS_SHOWN)
			continue;
		lya_text_addf(&ids, "%s%s", shown > 1 ? ", " : "", rules->list[list[i].rule].id);
	}
	if (shown > ROWS_SHOWN)
		lya_text_addf(&ids, " and %zu more (see the JSON report)", shown - ROWS_SHOWN);
	heading(p, "Documented rows");
	lya_output_printf(
	    p->out,
	    "  %zu in use, %zu not seen in use, %zu that could not be seen from here, "
	    "%zu of features\n  that are not deployed\n",
	    of[LYA_COVERAGE_OBSERVED], of[LYA_COVERAGE_NOT_OBSERVED],
	    of[LYA_COVERAGE_NOT_OBSERVABLE], of[LYA_COVERAGE_FEATURE_OFF]);
	if (shown > 0)
		wrapped(p, 2, "not seen: ", lya_text_str(&ids));
	lya_text_fini(&ids);
}

static void unseen_lines(const struct page *p)
{
	const struct lya_site *site = lya_policy_site(lya_ledger_policy(p->in->ledger));
	struct lya_text names = { 0 };
	size_t unseen = 0;

	if (report_filtered(p->in))
		return;
	for (size_t i = 0; i < site->n_hosts; i++) {
		if (lya_ledger_saw_host(p->in->ledger, i) || unseen++ >= HOSTS_SHOWN)
			continue;
		lya_text_addf(&names, "%s%s", unseen > 1 ? ", " : "", site->hosts[i].name);
	}
	if (unseen > HOSTS_SHOWN)
		lya_text_addf(&names, " and %zu more (see the JSON report)", unseen - HOSTS_SHOWN);
	if (unseen > 0)
		wrapped(p, 2, "declared hosts never seen: ", lya_text_str(&names));
	lya_text_fini(&names);
}

static void edge_lines(const struct page *p)
{
	struct lya_text words = { 0 };
	size_t n;
	const struct lya_edge_pool *list = lya_ledger_edge_pools(p->in->ledger, &n);

	for (size_t i = 0; i < n && !report_filtered(p->in); i++) {
		lya_text_clear(&words);
		lya_text_add(&words, "Edge");
		if (list[i].site.name != NULL)
			lya_text_addf(&words, " pool %s", list[i].site.name);
		lya_text_add(&words, " outside: ");
		report_edge_words(&words, &list[i]);
		wrapped(p, 2, "", lya_text_str(&words));
	}
	lya_text_fini(&words);
}

static void waiver_lines(const struct page *p)
{
	size_t n;
	const struct lya_waiver *list = lya_ledger_waivers(p->in->ledger, &n);
	struct lya_text line = { 0 };

	if (p->counts.verdicts[LYA_VERDICT_WAIVED] == 0)
		return;
	heading(p, "Waived by exceptions of the site");
	for (size_t i = 0; i < n; i++) {
		const struct lya_exception *ex = list[i].exception;

		if (list[i].flows == 0)
			continue;
		lya_text_clear(&line);
		lya_text_addf(&line, "%s: %" PRIu64 " flow%s, %s", ex->id, list[i].flows,
			      plural(list[i].flows), ex->reason);
		if (ex->owner != NULL)
			lya_text_addf(&line, " (%s)", ex->owner);
		if (list[i].has_days)
			lya_text_addf(&line, ", until %s", ex->expires);
		wrapped(p, 2, "", lya_text_str(&line));
	}
	lya_text_fini(&line);
}

static void skipped_lines(const struct page *p)
{
	struct lya_text line = { 0 };
	bool any = false;

	for (size_t i = 0; i < p->in->n_sources; i++) {
		const struct lya_source *s = &p->in->sources[i];

		if (!s->skipped)
			continue;
		if (!any)
			heading(p, "Passed over, being no captures");
		any = true;
		lya_text_clear(&line);
		lya_text_addf(&line, "%s: %s", s->name, s->error);
		wrapped(p, 2, "", lya_text_str(&line));
	}
	lya_text_fini(&line);
}

static void limit_lines(const struct page *p)
{
	struct lya_text line = { 0 };

	if (p->in->totals.interrupted)
		coloured(p, INK_YELLOW, "\nThe audit was stopped before its input ended.\n");
	if (p->in->n_limits > 0)
		heading(p, "What this capture could not show");
	for (size_t i = 0; i < p->in->n_limits; i++) {
		const struct lya_limit *limit = &p->in->limits[i];

		lya_text_clear(&line);
		lya_text_addf(&line, "%s, %s", lya_limit_name(limit->kind), limit->where);
		if (limit->share > 0.0)
			lya_text_addf(&line, " (%.1f %%)", limit->share * 100.0);
		lya_text_addf(&line, ": %s", limit->what);
		wrapped(p, 2, "- ", lya_text_str(&line));
	}
	lya_text_fini(&line);
}

void lya_report_summary(struct lya_output *out, const struct lya_report_input *in, bool colour,
			unsigned width)
{
	struct page p = { .out = out, .in = in, .colour = colour };

	p.width = width == 0 ? WIDTH : width < WIDTH_MIN ? WIDTH_MIN : width;
	lya_ledger_counts(in->ledger, &p.counts);
	verdict_line(&p);
	capture_lines(&p);
	flow_lines(&p);
	finding_lines(&p);
	evidence_lines(&p);
	snat_lines(&p);
	coverage_lines(&p);
	unseen_lines(&p);
	edge_lines(&p);
	waiver_lines(&p);
	skipped_lines(&p);
	limit_lines(&p);
}
