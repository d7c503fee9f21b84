/*
 * fuzz_audit.c - packets of a valid capture, changed, through the whole audit.
 *
 * Reader, decoder, reassembly, flows, policy, ledger and report run as the
 * program runs them, with the example site and the shipped rules.  What comes
 * out must add up: every packet in one flow and counted once, the flows to the
 * sums of the ledger, the flows that name a finding to that finding's count.
 * The same capture in handfuls of another size must give the same bytes, and so it
 * must where packets are kept for evidence; of what is kept nothing may be missing.
 *
 * Most mutations change one packet and leave the capture around it whole, so
 * that the executions are spent behind the reader, which has a target of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/reader.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/audit.h"
#include "lyncaudit/reasm.h"
#include "lyncaudit/report.h"
#include "lyncaudit/timeutil.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	PACKETS_MAX = 192, /* keeps a report within one pipe, and an execution short */
	MENTIONS_MAX = PACKETS_MAX * LYA_FLOW_FINDINGS,
	PIPE_BYTES = 1 << 20,
	FEW_FLOWS = 3 /* a table so small that it has to evict */
};

#define CAPTURE_BYTES ((size_t)8 << 20)
#define AUDIT_BYTES ((size_t)16 << 20)

/* What stays the same over all executions. */
struct setting {
	struct lya_rules *rules;
	struct lya_site *site;
	struct lya_policy *policy;
	struct lya_report_snat_pair *pairs;
	size_t n_pairs;
	int pipe[2];
	char path[64]; /* of the pipe's writing end */
};

/* The same packets as decode and reasm alone see them: what the flows must add up to. */
struct expected {
	uint64_t frames, wire_bytes, reach_bytes;
	uint64_t flow_packets, flow_bytes;
};

/* One audit. */
struct run {
	struct lya_audit *audit;
	struct lya_output *out;
	uint64_t sum; /* over every byte written */
	uint64_t flows, packets, bytes;
	int64_t last_end_ns;
	struct lya_flow_findings raised[PACKETS_MAX];
};

/* Which invariant was broken is the first question: so a macro, for the line. */
#define must(holds) ((holds) ? (void)0 : broken(#holds, __LINE__))

_Noreturn static void broken(const char *what, int line)
{
	fprintf(stderr, "line %d: does not hold: %s\n", line, what);
	abort();
}

/* Setting --------------------------------------------------------------------- */

static void setting_open(struct setting *s)
{
	struct lya_diags diags = { 0 };
	struct lya_error err;

	must(lya_rules_load(&s->rules, TEST_SOURCE_DIR "/rules/lync-server-2013", &diags, &err) ==
	     LYA_OK);
	must(lya_site_load(&s->site, TEST_SOURCE_DIR "/docs/examples/site.json", &diags, &err) ==
	     LYA_OK);
	must(lya_policy_new(&s->policy, s->site, s->rules, false, &diags, &err) == LYA_OK);
	must(lya_report_snat_pairs(s->site, &s->pairs, &s->n_pairs, &err) == LYA_OK);
	lya_diags_fini(&diags);
	must(pipe2(s->pipe, O_CLOEXEC) == 0);
	must(fcntl(s->pipe[0], F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES);
	must(fcntl(s->pipe[0], F_SETFL, O_NONBLOCK) == 0);
	snprintf(s->path, sizeof(s->path), "/proc/self/fd/%d", s->pipe[1]);
}

/* Loaded once, for as long as the process lives. */
static const struct setting *setting(void)
{
	static struct setting s;

	if (s.policy == NULL)
		setting_open(&s);
	return &s;
}

/* Add what stands in the pipe to the run's sum. */
static void drain(struct run *run)
{
	static uint8_t buf[65536];
	ssize_t n;

	(void)lya_output_flush(run->out);
	while ((n = read(setting()->pipe[0], buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			run->sum = (run->sum ^ buf[i]) * UINT64_C(0x100000001b3);
	}
	must(n == -1 && errno == EAGAIN);
}

/* Flows ----------------------------------------------------------------------- */

static void check_flow(const struct lya_flow *f)
{
	must(f->transport == 6 || f->transport == 17);
	must(f->packets[0] + f->packets[1] > 0);
	for (unsigned side = 0; side < 2; side++) {
		must(f->payload_bytes[side] <= f->bytes[side]);
		must(f->packets[side] > 0 || f->bytes[side] == 0);
	}
	must(f->first_ns <= f->last_ns);
	must((f->transport == 17) == (f->state == LYA_STATE_NONE) || f->unknown != 0);
	must(f->unknown == LYA_UNKNOWN_NOT || (f->port[0] == 0 && f->port[1] == 0));
	must(f->serial > 0);
}

static int take_flow(void *ctx, const struct lya_audit_flow *f)
{
	struct run *run = ctx;

	check_flow(f->flow);
	must(run->flows < PACKETS_MAX);
	must(f->verdict->kind < LYA_VERDICTS);
	must((f->verdict->kind == LYA_VERDICT_UNDETERMINED) <=
	     (f->flow->unknown != LYA_UNKNOWN_NOT));
	must(f->verdict->kind != LYA_VERDICT_WRONG_DIRECTION ||
	     f->verdict->grade == LYA_GRADE_CERTAIN);
	must(f->findings->n <= LYA_FLOW_FINDINGS);
	run->raised[run->flows++] = *f->findings;
	run->packets += f->flow->packets[0] + f->flow->packets[1];
	run->bytes += f->flow->bytes[0] + f->flow->bytes[1];
	lya_report_flow_line(run->out, setting()->policy, f->flow, f->ends, f->verdict,
			     f->findings);
	drain(run);
	return 0;
}

/* Ledger ---------------------------------------------------------------------- */

static bool has_no_flows(enum lya_finding_type kind)
{
	return kind == LYA_FINDING_SITE || kind == LYA_FINDING_EXCEPTION_UNUSED ||
	       kind == LYA_FINDING_EXCEPTION_EXPIRING || kind == LYA_FINDING_MISSING_FLOW;
}

/* Findings that only all flows together show: no flow can say that it raised them. */
static bool is_of_all_flows(enum lya_finding_type kind)
{
	return kind == LYA_FINDING_BLOCKED_FLOW || kind == LYA_FINDING_SIP_ONE_WAY ||
	       kind == LYA_FINDING_EDGE_ROUTING || kind == LYA_FINDING_UNDECLARED_SERVER ||
	       kind == LYA_FINDING_GATEWAY_MISMATCH;
}

/* The flows that said they raise this finding. */
static uint64_t mentions(const struct run *run, const char *id)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < run->flows; i++) {
		const struct lya_flow_findings *r = &run->raised[i];

		for (size_t k = 0; k < r->n; k++)
			n += strcmp(r->ids[k], id) == 0 || strcmp(r->scan_ids[k], id) == 0;
	}
	return n;
}

static void check_finding(const struct run *run, const struct lya_finding *f)
{
	must(f->type != NULL && f->what != NULL && f->why != NULL && f->fix != NULL);
	must(f->what[0] != '\0' && f->why[0] != '\0' && f->fix[0] != '\0');
	if (has_no_flows(f->kind)) {
		must(f->flows == 0);
		return;
	}
	must(f->flows > 0 && f->flows <= run->flows);
	must(f->packets >= f->flows && f->packets <= run->packets && f->bytes <= run->bytes);
	must(f->through <= f->flows && f->attempted + f->refused <= f->flows);
	must(f->first_ns <= f->last_ns && f->n_samples > 0);
	must(is_of_all_flows(f->kind) || mentions(run, f->id) == f->flows);
	for (size_t i = 1; i < f->n_ports; i++)
		must(f->ports[i - 1].last < f->ports[i].first);
}

static void check_findings(const struct run *run, const struct lya_ledger *l,
			   const struct lya_ledger_counts *counts)
{
	uint64_t by_severity[LYA_SEVERITIES] = { 0 };
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(l, &n);

	for (size_t i = 0; i < n; i++) {
		check_finding(run, &list[i]);
		by_severity[list[i].severity]++;
		must(i == 0 || list[i - 1].severity < list[i].severity ||
		     (list[i - 1].severity == list[i].severity &&
		      strcmp(list[i - 1].id, list[i].id) < 0));
	}
	must(memcmp(by_severity, counts->findings, sizeof(by_severity)) == 0);
	must(counts->folded_findings == 0 && counts->folded_flows == 0);
}

static void check_matrix(const struct run *run, const struct lya_ledger *l)
{
	uint64_t flows = 0;
	uint64_t bytes = 0;
	size_t n;
	const struct lya_matrix_row *rows = lya_ledger_matrix(l, &n);

	for (size_t i = 0; i < n; i++) {
		flows += rows[i].flows;
		bytes += rows[i].bytes;
	}
	must(flows == run->flows && bytes == run->bytes);
}

static void check_coverage(const struct run *run, const struct lya_ledger *l)
{
	size_t n;
	const struct lya_coverage *rows = lya_ledger_coverage(l, &n);

	for (size_t i = 0; i < n; i++) {
		must(rows[i].flows <= run->flows && rows[i].bytes <= run->bytes);
		must((rows[i].status == LYA_COVERAGE_OBSERVED) == (rows[i].flows > 0) ||
		     rows[i].status == LYA_COVERAGE_FEATURE_OFF);
		must(i == 0 || rows[i - 1].rule < rows[i].rule);
	}
}

static void check_ledger(const struct run *run, const struct expected *want, bool evicts)
{
	const struct lya_ledger *l = lya_audit_ledger(run->audit);
	struct lya_ledger_counts counts;
	struct lya_flow_stats stats;
	uint64_t judged = 0;

	must(run->packets == want->flow_packets && run->bytes == want->flow_bytes);
	must(run->bytes <= want->reach_bytes);
	lya_ledger_counts(l, &counts);
	must(counts.flows == run->flows && counts.packets == run->packets &&
	     counts.bytes == run->bytes);
	for (unsigned v = 0; v < LYA_VERDICTS; v++)
		judged += counts.verdicts[v];
	must(judged == run->flows);
	lya_audit_flow_stats(run->audit, &stats);
	must(stats.flows == run->flows && stats.open == 0);
	must(evicts || stats.evicted == 0);
	must(!evicts || stats.open_peak <= FEW_FLOWS);
	check_findings(run, l, &counts);
	check_matrix(run, l);
	check_coverage(run, l);
}

static void check_counts(const struct run *run, const struct expected *want)
{
	struct lya_audit_counts counts;
	size_t n;
	const struct lya_limit *limits = lya_audit_limits(run->audit, &n);

	lya_audit_counts(run->audit, &counts);
	must(counts.packets == want->frames && counts.bytes == want->wire_bytes);
	must(counts.first_ns <= counts.last_ns);
	must(counts.not_ip + counts.not_tcp_udp <= counts.packets);
	must(counts.duplicates <= counts.packets);
	for (unsigned ev = 0; ev < LYA_EV_COUNT; ev++)
		must(counts.events[ev] <= counts.packets);
	for (size_t i = 0; i < n; i++) {
		must(limits[i].what != NULL && limits[i].share >= 0 && limits[i].share <= 1);
		must(i == 0 || limits[i - 1].kind <= limits[i].kind);
	}
}

/* Report ---------------------------------------------------------------------- */

static void write_report(struct run *run, const struct lya_source *source)
{
	struct lya_report_input in = {
		.run = { .version = "0", .started_ns = 0, .finished_ns = 0 },
		.sources = source,
		.n_sources = 1,
		.fail_on = LYA_SEVERITY_LOW,
		.ledger = lya_audit_ledger(run->audit),
		.snat = { .pairs = setting()->pairs, .n_pairs = setting()->n_pairs },
	};
	struct lya_audit_counts counts;

	in.limits = lya_audit_limits(run->audit, &in.n_limits);
	lya_audit_counts(run->audit, &counts);
	in.totals.not_ip = counts.not_ip;
	in.totals.not_tcp_udp = counts.not_tcp_udp;
	memcpy(in.totals.events, counts.events, sizeof(in.totals.events));
	in.totals.duplicates = counts.duplicates;
	lya_audit_flow_stats(run->audit, &in.flow_stats);
	in.flow_stats.bytes = 0; /* what is held depends on the handfuls */
	lya_report_json(run->out, &in);
	drain(run);
	lya_report_summary(run->out, &in, true, 0);
	drain(run);
}

/* Evidence -------------------------------------------------------------------- */

/* Every packet that a finding names was kept: there is memory for all of them here. */
static void check_evidence(const struct run *run, const struct lya_source *source, size_t n_packets)
{
	struct lya_finding_packets *counts, total;
	struct lya_output *out;
	struct lya_error err;
	size_t n;
	const struct lya_finding *list = lya_ledger_findings(lya_audit_ledger(run->audit), &n);

	counts = lya_calloc(n + 1, sizeof(*counts));
	must(counts != NULL);
	must(lya_output_open(&out, "/dev/null", false, &err) == LYA_OK);
	must(lya_audit_evidence(run->audit, source, 1, out, counts, &total, &err) == LYA_OK);
	must(lya_output_commit(out, &err) == LYA_OK);
	must(total.packets <= n_packets && total.left_out == 0);
	for (size_t i = 0; i < n; i++) {
		must(counts[i].packets <= total.packets && counts[i].left_out == 0);
		must(counts[i].packets >= (list[i].n_samples > 0));
	}
	lya_free(counts);
}

/* Running --------------------------------------------------------------------- */

static bool is_of_a_flow(const struct lya_packet *pkt)
{
	return pkt->duplicate == LYA_DUP_NONE &&
	       (pkt->kind == LYA_PKT_TCP || pkt->kind == LYA_PKT_UDP ||
		pkt->kind == LYA_PKT_FRAGMENT || pkt->kind == LYA_PKT_CUT);
}

static void expect_packets(struct expected *want, const struct lya_packet *pkts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_of_a_flow(&pkts[i]))
			continue;
		want->flow_packets++;
		want->flow_bytes += pkts[i].ip_bytes;
	}
}

static void expect_released(struct expected *want, const struct lya_reasm *reasm)
{
	size_t n;
	const struct lya_packet *pkts = lya_reasm_released(reasm, &n);

	expect_packets(want, pkts, n);
}

static void expect(struct expected *want, const struct lya_frame *frames, size_t n)
{
	struct lya_reasm_options options = { .max_bytes = 0 };
	struct lya_reasm *reasm;
	struct lya_error err;

	memset(want, 0, sizeof(*want));
	must(lya_reasm_new(&reasm, &options, &err) == LYA_OK);
	for (size_t i = 0; i < n; i++) {
		const struct lya_frame *f = &frames[i];
		struct lya_packet pkt;

		want->frames++;
		want->wire_bytes += f->wirelen;
		want->reach_bytes += f->wirelen > f->caplen ? f->wirelen : f->caplen;
		lya_decode(f, &pkt);
		(void)lya_reasm_mark(reasm, &pkt, 1);
		expect_packets(want, &pkt, lya_reasm_take(reasm, &pkt, 1, false));
		expect_released(want, reasm);
	}
	lya_reasm_flush(reasm);
	expect_released(want, reasm);
	lya_reasm_free(reasm);
}

/* Audit the frames, `handful` at a time, and check what comes out.  Returns the sum of it. */
static uint64_t audit(const struct lya_frame *frames, size_t n, size_t handful, bool evicts,
		      bool reports, bool keeps, const struct expected *want)
{
	static struct run run;
	struct lya_audit_options options = {
		.max_memory = AUDIT_BYTES,
		.max_flows = evicts ? FEW_FLOWS : 0,
		.evidence = keeps,
		.on_flow = take_flow,
		.ctx = &run,
	};
	char name[] = "capture";
	struct lya_source source = { .name = name,
				     .kind = "file",
				     .packets = n,
				     .first_ns = LYA_TIME_NONE,
				     .last_ns = LYA_TIME_NONE,
				     .digits = 6 };
	struct lya_error err;

	memset(&run, 0, sizeof(run));
	must(lya_output_open(&run.out, setting()->path, false, &err) == LYA_OK);
	must(lya_audit_new(&run.audit, setting()->policy, &options, &err) == LYA_OK);
	for (size_t done = 0; done < n; done += handful) {
		size_t some = n - done < handful ? n - done : handful;

		must(lya_audit_take(run.audit, frames + done, some, &err) == LYA_OK);
	}
	must(lya_audit_finish(run.audit, &source, 1, &err) == LYA_OK);
	check_counts(&run, want);
	check_ledger(&run, want, evicts);
	if (reports)
		write_report(&run, &source);
	if (keeps)
		check_evidence(&run, &source, n);
	lya_audit_free(run.audit);
	must(lya_output_commit(run.out, &err) == LYA_OK);
	return run.sum;
}

/* Frames of a capture in one array; they borrow from the reader's buffer, so one call must do. */
static size_t read_frames(struct capture_reader *r, struct lya_frame *frames)
{
	struct lya_error err;
	size_t n = 0;

	if (capture_reader_next(r, frames, PACKETS_MAX, &n, &err) != LYA_OK)
		return 0;
	return n;
}

static void audit_frames(const struct lya_frame *frames, size_t n, size_t size)
{
	struct expected want;
	bool evicts = size % 3 == 0;
	bool twice = size % 4 == 0; /* reports take longer than all the rest: not each time */
	uint64_t sum;

	expect(&want, frames, n);
	sum = audit(frames, n, 64, evicts, twice, false, &want);
	if (twice)
		must(audit(frames, n, 1 + size % 7, evicts, twice, true, &want) == sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lya_frame frames[PACKETS_MAX];
	struct capture_cap cap = { .max = CAPTURE_BYTES };
	struct capture_stream *stream;
	struct capture_reader *r;
	struct lya_error err;
	size_t n;

	/* compressed ones are for unpack's own target */
	if (size < 4 || !(capture_pcap_magic(data) || capture_pcapng_magic(data)))
		return 0;
	if (capture_stream_open_memory(&stream, data, size, &cap, &err) != LYA_OK)
		return 0;
	/* the whole input fits the buffer */
	if (capture_reader_open(&r, stream, size + CAPTURE_BUFFER_SMALL, &cap, &err) != LYA_OK)
		return 0;
	n = read_frames(r, frames);
	if (n > 0)
		audit_frames(frames, n, size);
	capture_reader_close(r);
	return 0;
}

/* Mutation -------------------------------------------------------------------- */

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t max_size, unsigned seed);

enum { FILE_HEADER = 24, RECORD_HEADER = 16 };

static uint32_t load32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static void store32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

/* Where the records of a little-endian pcap begin; at[n] is the end of the last whole one. */
static size_t find_records(const uint8_t *data, size_t size, size_t at[static PACKETS_MAX + 1])
{
	size_t n = 0;
	size_t pos = FILE_HEADER;

	if (size < FILE_HEADER || load32(data) != UINT32_C(0xa1b2c3d4))
		return 0;
	while (n < PACKETS_MAX && size - pos >= RECORD_HEADER) {
		uint32_t len = load32(data + pos + 8);

		if (len > size - pos - RECORD_HEADER)
			break;
		at[n++] = pos;
		pos += RECORD_HEADER + len;
	}
	at[n] = pos;
	return n;
}

/* Give the room from `from` to `to` new content: the tail moves.  Returns the new size. */
static size_t replace(uint8_t *data, size_t size, size_t from, size_t to, const uint8_t *with,
		      size_t len)
{
	memmove(data + from + len, data + to, size - to);
	if (len > 0)
		memcpy(data + from, with, len);
	return size - (to - from) + len;
}

/* Let libFuzzer change one packet's bytes; its record tells the new length. */
static size_t mutate_packet(uint8_t *data, size_t size, size_t max_size, size_t from, size_t to)
{
	static uint8_t packet[RECORD_HEADER + 65536];
	size_t len = to - from;
	size_t room = max_size - size + len - RECORD_HEADER;
	uint32_t was = (uint32_t)(len - RECORD_HEADER);
	uint32_t wire = load32(data + from + 12);
	size_t got;

	if (len > sizeof(packet))
		return size;
	if (room > was + 64U)
		room = was + 64U;
	if (room > sizeof(packet) - RECORD_HEADER)
		room = sizeof(packet) - RECORD_HEADER;
	memcpy(packet, data + from, len);
	got = LLVMFuzzerMutate(packet + RECORD_HEADER, was, room);
	store32(packet + 8, (uint32_t)got);
	store32(packet + 12, wire - was + (uint32_t)got);
	return replace(data, size, from, to, packet, RECORD_HEADER + got);
}

/* Put a copy of one record before another. */
static size_t copy_record(uint8_t *data, size_t size, size_t max_size, size_t from, size_t to,
			  size_t before)
{
	static uint8_t record[RECORD_HEADER + 65536];
	size_t len = to - from;

	if (len > sizeof(record) || len > max_size - size)
		return size;
	memcpy(record, data + from, len);
	return replace(data, size, before, before, record, len);
}

/* Move a record in time, by less than a second or by far. */
static void shift_time(uint8_t *record, unsigned seed)
{
	if (seed % 2 == 0)
		store32(record + 4, (load32(record + 4) + seed % 1000000) % 1000000);
	else
		store32(record, load32(record) + (seed >> 8) % 8192 - 1024);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	size_t at[PACKETS_MAX + 1];
	size_t n = find_records(data, size, at);
	size_t i;
	size_t to;

	if (n == 0 || seed % 32 == 0)
		return LLVMFuzzerMutate(data, size, max_size);
	i = (seed >> 5) % n;
	to = (seed >> 12) % (n + 1);
	switch (seed % 32) {
	case 1:
	case 2:
		return copy_record(data, size, max_size, at[i], at[i + 1], at[to]);
	case 3:
		return n == 1 ? size : replace(data, size, at[i], at[i + 1], NULL, 0);
	case 4:
	case 5:
		shift_time(data + at[i], seed >> 5);
		return size;
	case 6: /* the link type */
		data[20] = (uint8_t)(seed >> 8);
		return size;
	default:
		return mutate_packet(data, size, max_size, at[i], at[i + 1]);
	}
}

/* Packets of two captures: the first records of one, the last of the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
				 uint8_t *out, size_t max_size, unsigned seed)
{
	size_t at_a[PACKETS_MAX + 1];
	size_t at_b[PACKETS_MAX + 1];
	size_t n_a = find_records(a, a_size, at_a);
	size_t n_b = find_records(b, b_size, at_b);
	size_t head;
	size_t from;
	size_t tail;

	if (n_a == 0 || n_b == 0)
		return 0;
	head = at_a[(seed & 0xffff) % (n_a + 1)];
	from = at_b[(seed >> 16) % n_b];
	tail = at_b[n_b] - from;
	if (head > max_size || tail > max_size - head)
		return 0;
	memcpy(out, a, head);
	memcpy(out + head, b + from, tail);
	return head + tail;
}

#endif
