/*
 * fuzz_fragment.c - a sequence of fragments through reasm: any order, overlaps,
 * copies, lost heads, time that jumps.
 *
 * Each fragment is 6 bytes of input and its content: which datagram and
 * protocol, place (two bytes), length, milliseconds since the one before, and
 * a seed of the content.  Checked: every packet goes on exactly once, memory
 * stays under the cap, a datagram put together is the size it claims.
 */
#include <string.h>

#include "lyncaudit/reasm.h"
#include "packet_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORD = 6, RECORDS_MAX = 24, HEADER = 20, CONTENT_MAX = 512, CAP = 1 << 20, BATCH = 8 };

struct run {
	struct lya_reasm *r;
	uint8_t frames[BATCH][HEADER + CONTENT_MAX];
	struct lya_packet pkts[BATCH];
	unsigned n;
	uint64_t in, out;
	uint64_t seen; /* bit per packet number */
};

static void came_out(struct run *run, const struct lya_packet *pkt)
{
	uint64_t bit = UINT64_C(1) << pkt->number;

	must(!(run->seen & bit));
	run->seen |= bit;
	run->out++;
	must(!pkt->payload.failed);
	if (pkt->payload.pos != NULL)
		(void)touch(pkt->payload.pos, lya_cursor_left(&pkt->payload));
	if (pkt->reassembled) {
		must(pkt->kind == LYA_PKT_UDP);
		must(lya_cursor_left(&pkt->payload) <= 65535);
	} else {
		must(lya_cursor_left(&pkt->payload) <= pkt->payload_len);
	}
	if (pkt->ip != NULL)
		(void)touch(pkt->ip, pkt->ip_captured);
}

static void drain(struct run *run)
{
	size_t n;
	const struct lya_packet *more = lya_reasm_released(run->r, &n);

	for (size_t i = 0; i < n; i++)
		came_out(run, &more[i]);
}

static void flush_batch(struct run *run)
{
	struct lya_reasm_stats stats;
	size_t marked = lya_reasm_mark(run->r, run->pkts, run->n);
	size_t left = lya_reasm_take(run->r, run->pkts, run->n, false);

	must(marked <= run->n && left <= run->n);
	for (size_t i = 0; i < left; i++)
		came_out(run, &run->pkts[i]);
	drain(run);
	run->n = 0;
	lya_reasm_stats(run->r, &stats);
	must(stats.bytes <= CAP && stats.bytes_peak <= CAP);
}

/* One record: a raw IPv4 fragment. */
static void add_fragment(struct run *run, const uint8_t *record, int64_t time_ns)
{
	uint8_t *p = run->frames[run->n];
	size_t len = record[3] * 2U;
	struct lya_frame frame = { .data = p, .link = LYA_LINK_RAW, .time_ns = time_ns };

	memset(p, 0, HEADER);
	p[0] = 0x45;
	p[2] = (uint8_t)((HEADER + len) >> 8);
	p[3] = (uint8_t)(HEADER + len);
	p[5] = record[0] & 3;
	p[6] = record[1] & 0x3f; /* more fragments, and the place */
	p[7] = record[2];
	p[9] = record[0] & 0x10 ? 6 : 17;
	p[15] = 1;
	p[19] = 2;
	for (size_t i = 0; i < len; i++)
		p[HEADER + i] = (uint8_t)(record[0] & 0x20 ? record[5] + i : record[5]);
	frame.caplen = (uint32_t)(HEADER + len);
	frame.wirelen = frame.caplen;
	frame.number = run->in++;
	if (record[0] & 0x40 && len > 4)
		frame.caplen -= 4;
	lya_decode(&frame, &run->pkts[run->n++]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/*
	 * One reasm for all inputs, hours of packet time apart: to make one costs a
	 * hundred times what an input does.
	 */
	static struct run run;
	static int64_t begin_ns;
	struct lya_reasm_options options = { .max_bytes = CAP };
	int64_t time_ns;

	if (begin_ns > INT64_MAX / 2) { /* packet time has an end, too */
		lya_reasm_free(run.r);
		run.r = NULL;
		begin_ns = 0;
	}
	if (run.r == NULL)
		must(lya_reasm_new(&run.r, &options, NULL) == LYA_OK);
	run.in = run.out = run.seen = 0;
	begin_ns += INT64_C(10000000000000);
	time_ns = begin_ns;
	for (size_t i = 0; i < RECORDS_MAX && (i + 1) * RECORD <= size; i++) {
		const uint8_t *record = data + i * RECORD;

		time_ns += (record[4] & 0x80 ? -1 : 1) * (int64_t)(record[4] & 0x7f) * 100000000;
		add_fragment(&run, record, time_ns);
		if (run.n == BATCH || record[0] & 0x80)
			flush_batch(&run);
	}
	flush_batch(&run);
	lya_reasm_flush(run.r);
	drain(&run);
	must(run.out == run.in);
	return 0;
}
