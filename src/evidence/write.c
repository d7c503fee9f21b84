/*
 * write.c - the chosen packets as a pcapng file.
 *
 *     section header   what this is, and what is missing
 *     interfaces       those that the packets came through: name, link type, snap
 *                      length and clock as their captures tell, and which capture it is
 *     packets          as captured, outer headers included; a comment for every finding
 *                      that it proves, and one that says where it is from
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "evidence/block.h"
#include "evidence/clock.h"
#include "evidence/evidence.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

enum {
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	VERSION_MAJOR = 1,
	VERSION_MINOR = 0
};

/* What packets of one interface have in common. */
struct iface {
	uint32_t source;
	uint16_t iface, link;
	bool swapped; /* LINKTYPE_NULL of a big-endian capture */
	uint8_t digits;
	int64_t first_ns, last_ns;
	struct clock clock;
};

struct file {
	struct lya_output *out;
	struct lya_text block, line;
	const struct lya_evidence_about *about;
	const struct lya_finding *findings;
	size_t n_findings;
	const struct lya_source *sources; /* by the numbers that packets have */
	size_t n_sources;
	struct absent absent;
	struct chosen chosen;
	struct iface *ifaces; /* in order of source and number */
	size_t n_ifaces;
	uint32_t *proves;     /* findings of the packet at hand, ascending */
	size_t n_proves, cap_proves;
	struct lya_finding_packets *counts; /* may be NULL */
	struct lya_finding_packets *total;
};

/* Interfaces ------------------------------------------------------------------------------ */

static struct iface iface_of(const struct packet_head *head)
{
	return (struct iface){
		.source = head->source,
		.iface = head->iface,
		.link = head->link,
		.swapped = head->link == LYA_LINK_NULL && (head->flags & LYA_FRAME_BIG_ENDIAN) != 0,
		.digits = head->digits,
		.first_ns = head->time_ns,
		.last_ns = head->time_ns,
	};
}

static int by_number(const void *pa, const void *pb)
{
	const struct iface *a = pa, *b = pb;

	if (a->source != b->source)
		return a->source < b->source ? -1 : 1;
	if (a->iface != b->iface)
		return a->iface < b->iface ? -1 : 1;
	if (a->link != b->link)
		return a->link < b->link ? -1 : 1;
	if (a->swapped != b->swapped)
		return a->swapped ? 1 : -1;
	return a->digits < b->digits ? -1 : a->digits > b->digits;
}

/* What its capture tells of an interface; NULL: nothing. */
static const struct lya_interface *told_of(const struct file *f, const struct iface *i)
{
	const struct lya_interfaces *all;

	if (i->source >= f->n_sources)
		return NULL;
	all = &f->sources[i->source].interfaces;
	return i->iface < all->n && all->list[i->iface].link == i->link ? &all->list[i->iface]
									 : NULL;
}

static struct clock own_clock(const struct file *f, const struct iface *i)
{
	const struct lya_interface *told = told_of(f, i);

	if (told == NULL)
		return (struct clock){ .tsresol = i->digits };
	return (struct clock){ .offset_s = told->offset_s, .tsresol = told->tsresol };
}

static void widen(struct iface *to, const struct iface *from)
{
	if (from->first_ns < to->first_ns)
		to->first_ns = from->first_ns;
	if (from->last_ns > to->last_ns)
		to->last_ns = from->last_ns;
}

/* The interfaces of all chosen packets, each once. */
static int find_ifaces(struct file *f)
{
	size_t n = 0;

	f->ifaces = lya_calloc(f->chosen.n + 1, sizeof(*f->ifaces));
	if (f->ifaces == NULL)
		return LYA_ENOMEM;
	for (size_t i = 0; i < f->chosen.n; i++)
		f->ifaces[i] = iface_of(f->chosen.list[i].head);
	if (f->chosen.n > 0)
		qsort(f->ifaces, f->chosen.n, sizeof(*f->ifaces), by_number);
	for (size_t i = 0; i < f->chosen.n; i++) {
		if (n > 0 && by_number(&f->ifaces[n - 1], &f->ifaces[i]) == 0)
			widen(&f->ifaces[n - 1], &f->ifaces[i]);
		else
			f->ifaces[n++] = f->ifaces[i];
	}
	f->n_ifaces = n;
	for (size_t i = 0; i < n; i++)
		f->ifaces[i].clock = clock_for(own_clock(f, &f->ifaces[i]), f->ifaces[i].first_ns,
					       f->ifaces[i].last_ns);
	return LYA_OK;
}

/* "edge.pcapng", as the report names it. */
static void add_source(struct file *f, uint32_t source)
{
	const char *name = source < f->n_sources ? f->sources[source].name : "?";

	block_line(&f->line, strcmp(name, "-") == 0 ? "standard input" : name);
}

static void line_option(struct file *f, uint16_t code)
{
	if (f->line.failed)
		f->block.failed = true;
	else
		block_option(&f->block, code, lya_text_str(&f->line), f->line.len);
}

static void iface_comment(struct file *f, const struct iface *i)
{
	int64_t moved_ns = i->source < f->n_sources ? f->sources[i->source].time_offset_ns : 0;

	lya_text_clear(&f->line);
	lya_text_addf(&f->line, "interface %u of ", i->iface);
	add_source(f, i->source);
	if (moved_ns != 0)
		lya_text_addf(&f->line, ", times moved by %+.6f s",
			      (double)moved_ns / (double)LYA_SECOND_NS);
	line_option(f, OPTION_COMMENT);
}

/*
 * Packets of LINKTYPE_NULL begin with a number in the byte order of their file; of a
 * big-endian one they are what LINKTYPE_LOOP means whatever the order.
 */
static void write_iface(struct file *f, const struct iface *i)
{
	const struct lya_interface *told = told_of(f, i);
	struct lya_text *b = &f->block;

	block_begin(b, BLOCK_INTERFACE);
	block_u16(b, i->swapped ? (uint16_t)LYA_LINK_LOOP : i->link);
	block_u16(b, 0);
	block_u32(b, told != NULL ? told->snaplen : 0);
	if (told != NULL && told->name != NULL)
		block_option(b, OPTION_NAME, told->name, strlen(told->name));
	block_option(b, OPTION_TSRESOL, &i->clock.tsresol, 1);
	if (i->clock.offset_s != 0) {
		block_u16(b, OPTION_TSOFFSET);
		block_u16(b, sizeof(i->clock.offset_s));
		block_u64(b, (uint64_t)i->clock.offset_s);
	}
	iface_comment(f, i);
	block_options_end(b);
	block_write(b, f->out);
}

/* The section --------------------------------------------------------------------------------- */

static void add_plural(struct file *f, uint64_t n, const char *what)
{
	lya_text_addf(&f->line, "%" PRIu64 " %s%s", n, what, n == 1 ? "" : "s");
}

static void add_absent(struct file *f)
{
	char since[LYA_TIME_TEXT];

	if (f->absent.left_out == 0 && f->absent.before == 0)
		lya_text_addf(&f->line, "None is missing.");
	if (f->absent.left_out > 0) {
		add_plural(f, f->absent.left_out, "packet");
		lya_text_addf(&f->line, " that belong here are missing for want of memory "
					"(--max-memory raises the limit)%s.",
			      f->about->reloaded ? ", or because their flows were in order by the "
						   "site and rules of before they were read again"
						 : "");
	}
	if (f->absent.before > 0) {
		lya_text_add(&f->line, f->absent.left_out > 0 ? "  " : "");
		add_plural(f, f->absent.before, "packet");
		lya_text_addf(&f->line,
			      " that belong here came before the sensor was started at %s: packets "
			      "are kept in memory alone.",
			      lya_time_format(f->about->since_ns, 0, since));
	}
}

static void section_comment(struct file *f)
{
	lya_text_clear(&f->line);
	lya_text_addf(&f->line, "Packets that prove the findings of %s%s of the site ",
		      f->about->period != NULL ? "the report " : "an audit",
		      f->about->period != NULL ? f->about->period : "");
	block_line(&f->line, lya_policy_site(lya_ledger_policy(f->about->ledger))->name);
	lya_text_addf(&f->line, ": of each flow that the report shows the first ones, and both legs "
				"where an address was rewritten.  ");
	add_absent(f);
	line_option(f, OPTION_COMMENT);
}

/* An audit's report says it; that of a night is made from what is kept, where no packets are. */
static void missing_comments(struct file *f)
{
	for (size_t i = 0; i < f->n_findings && f->about->period != NULL && f->counts != NULL; i++) {
		if (f->counts[i].left_out == 0)
			continue;
		lya_text_clear(&f->line);
		lya_text_addf(&f->line, "%s: ", f->findings[i].id);
		add_plural(f, f->counts[i].left_out, "packet");
		lya_text_add(&f->line, " missing.");
		line_option(f, OPTION_COMMENT);
	}
}

static void write_section(struct file *f)
{
	static const char writer[] = "lyncaudit " LYNCAUDIT_VERSION;
	struct lya_text *b = &f->block;

	block_begin(b, BLOCK_SECTION);
	block_u32(b, BYTE_ORDER_MAGIC);
	block_u16(b, VERSION_MAJOR);
	block_u16(b, VERSION_MINOR);
	block_u64(b, UINT64_MAX); /* its length is for those who seek */
	block_option(b, OPTION_USERAPPL, writer, sizeof(writer) - 1);
	section_comment(f);
	missing_comments(f);
	block_options_end(b);
	block_write(b, f->out);
}

/* Packets ------------------------------------------------------------------------------------ */

/* The findings of the packets from..to, which are one packet of several sets. */
static int find_proves(struct file *f, size_t from, size_t to)
{
	f->n_proves = 0;
	for (size_t i = from; i < to; i++) {
		size_t n;
		const struct claim *claims = chosen_claims(&f->chosen, f->chosen.list[i].set, &n);
		void *list = f->proves;
		int rc = lya_grow(&list, &f->cap_proves, f->n_proves + n, sizeof(*f->proves));

		if (rc != LYA_OK)
			return rc;
		f->proves = list;
		for (size_t k = 0; k < n; k++) {
			size_t at = 0;

			while (at < f->n_proves && f->proves[at] < claims[k].finding)
				at++;
			if (at < f->n_proves && f->proves[at] == claims[k].finding)
				continue;
			memmove(&f->proves[at + 1], &f->proves[at],
				(f->n_proves - at) * sizeof(*f->proves));
			f->proves[at] = claims[k].finding;
			f->n_proves++;
		}
	}
	return LYA_OK;
}

/* "F-3f9c2a71 wrong-direction (rproxy.2.2): fe01 ... The nearest documented one is ..." */
static void finding_comment(struct file *f, const struct lya_finding *finding)
{
	const struct lya_rules *rules = lya_policy_rules(lya_ledger_policy(f->about->ledger));

	lya_text_clear(&f->line);
	lya_text_addf(&f->line, "%s %s", finding->id, finding->type);
	for (size_t i = 0; i < finding->n_rules; i++)
		lya_text_addf(&f->line, "%s%s", i == 0 ? " (" : ", ",
			      rules->list[finding->rules[i]].id);
	lya_text_add(&f->line, finding->n_rules > 0 ? "): " : ": ");
	block_line(&f->line, finding->what);
	lya_text_add(&f->line, " ");
	block_line(&f->line, finding->why);
	line_option(f, OPTION_COMMENT);
}

static void origin_comment(struct file *f, const struct packet_head *head)
{
	lya_text_clear(&f->line);
	lya_text_addf(&f->line, "packet %" PRIu64 " of ", head->number);
	add_source(f, head->source);
	line_option(f, OPTION_COMMENT);
}

static void write_packet(struct file *f, const struct packet_head *head)
{
	struct iface key = iface_of(head);
	const struct iface *i =
	    bsearch(&key, f->ifaces, f->n_ifaces, sizeof(*f->ifaces), by_number);
	struct lya_text *b = &f->block;
	uint64_t units = 0;

	(void)clock_units(&i->clock, head->time_ns, &units); /* it was chosen to tell this time */
	block_begin(b, BLOCK_PACKET);
	block_u32(b, (uint32_t)(i - f->ifaces));
	block_u32(b, (uint32_t)(units >> 32));
	block_u32(b, (uint32_t)units);
	block_u32(b, head->caplen);
	block_u32(b, head->wirelen);
	block_bytes(b, packet_data(head), head->caplen);
	for (size_t k = 0; k < f->n_proves; k++)
		finding_comment(f, &f->findings[f->proves[k]]);
	origin_comment(f, head);
	block_options_end(b);
	block_write(b, f->out);
}

static bool same_packet(const struct choice *a, const struct choice *b)
{
	return a->head->number == b->head->number && a->head->source == b->head->source;
}

static int write_packets(struct file *f)
{
	const struct chosen *c = &f->chosen;

	for (size_t from = 0, to; from < c->n; from = to) {
		int rc;

		to = from + 1;
		while (to < c->n && same_packet(&c->list[from], &c->list[to]))
			to++;
		rc = find_proves(f, from, to);
		if (rc != LYA_OK)
			return rc;
		f->total->packets++;
		for (size_t k = 0; k < f->n_proves && f->counts != NULL; k++)
			f->counts[f->proves[k]].packets++;
		write_packet(f, c->list[from].head);
	}
	return f->block.failed ? LYA_ENOMEM : LYA_OK;
}

static int write_all(struct file *f)
{
	int rc = find_ifaces(f);

	if (rc != LYA_OK)
		return rc;
	write_section(f);
	for (size_t i = 0; i < f->n_ifaces; i++)
		write_iface(f, &f->ifaces[i]);
	return write_packets(f);
}

static int write_chosen(struct file *f, const struct lya_evidence *e)
{
	const struct lya_evidence_about *about = f->about;
	struct kept_names names;
	uint32_t *map;
	int rc = evidence_names(e, about->ledger, about->sources, about->n_sources, &map, &names);

	if (rc == LYA_OK)
		rc = chosen_make(&f->chosen, e, &names, about->since_ns, f->counts, &f->absent);
	f->total->left_out = f->absent.left_out + f->absent.before;
	lya_free(map);
	return rc == LYA_OK ? write_all(f) : rc;
}

int lya_evidence_write(const struct lya_evidence *e, const struct lya_evidence_about *about,
		       struct lya_output *out, struct lya_finding_packets *counts,
		       struct lya_finding_packets *total, struct lya_error *err)
{
	bool told = e->n_sources > 0;
	struct file f = { .out = out, .about = about, .counts = counts, .total = total,
			  .sources = told ? e->sources : about->sources,
			  .n_sources = told ? e->n_sources : about->n_sources };
	int rc;

	f.findings = lya_ledger_findings(about->ledger, &f.n_findings);
	*total = (struct lya_finding_packets){ 0 };
	for (size_t i = 0; counts != NULL && i < f.n_findings; i++)
		counts[i] = (struct lya_finding_packets){ 0 };
	rc = write_chosen(&f, e);
	chosen_fini(&f.chosen);
	lya_free(f.ifaces);
	lya_free(f.proves);
	lya_text_fini(&f.block);
	lya_text_fini(&f.line);
	return rc == LYA_OK ? LYA_OK : lya_error_nomem(err);
}
