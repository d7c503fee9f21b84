/*
 * test_threads.c - an audit in threads: its order, its failures, its end at any moment.
 *
 * Flows are SYNs two seconds apart from ever new ports, so that they end while packets are
 * still coming, and the rings between the threads go round many times.
 */
#include "audit/judge.h"
#include "audit/relay.h"
#include "pipeline.h"

enum { FLOWS = 3000, GAP_S = 2, FRAME_LEN = 54 };

/* What is told, and where it is refused. */
struct told {
	uint64_t n, refused_at; /* 0: never */
	bool in_order;
	uint16_t port; /* of the last */
};

static int on_flow(void *ctx, const struct lya_audit_flow *f)
{
	struct told *t = ctx;
	uint16_t port = f->flow->port[0] == 443 ? f->flow->port[1] : f->flow->port[0];

	t->in_order = t->in_order && (t->n == 0 || port == t->port + 1);
	t->port = port;
	return ++t->n == t->refused_at ? LYA_EOUTPUT : 0;
}

/* As in the files of a capture: frames stay for as long as the audit wants them to. */
struct traffic {
	uint8_t bytes[FLOWS][PIPE_FRAME / 16];
	struct lya_frame frames[FLOWS];
};

static void make_traffic(struct traffic *t)
{
	struct pipe unused = { .next_id = 1 };
	uint8_t frame[PIPE_FRAME];

	for (unsigned i = 0; i < FLOWS; i++) {
		struct segment s = { .src = CLIENT, .dst = FRONT_END, .flags = SYN, .dport = 443,
				     .sport = (uint16_t)(20000 + i) };

		assert_int_equal(pipe_frame(&unused, &s, frame), FRAME_LEN);
		memcpy(t->bytes[i], frame, FRAME_LEN);
		t->frames[i] = (struct lya_frame){
			.time_ns = ms(INT64_C(1000) * GAP_S * i), .number = i + 1,
			.data = t->bytes[i], .caplen = FRAME_LEN, .wirelen = FRAME_LEN,
			.link = LYA_LINK_ETHERNET, .digits = 6,
		};
	}
}

/* An audit in so many threads, of a pipe whose own is not used. */
static struct lya_audit *open_audit(const struct pipe *p, unsigned threads, struct told *told)
{
	struct lya_audit_options options = { .threads = threads, .on_flow = on_flow, .ctx = told };
	struct lya_audit *a;
	struct lya_error err;

	if (lya_audit_new(&a, p->policy, &options, &err) < LYA_OK)
		fail_msg("%s", err.text);
	return a;
}

/* All frames, `step` at a time; what lya_audit_take answered last. */
static int take_all(struct lya_audit *a, const struct traffic *t, size_t step)
{
	struct lya_error err;
	int rc = LYA_OK;

	for (size_t i = 0; i < FLOWS && rc == LYA_OK; i += step)
		rc = lya_audit_take(a, &t->frames[i], FLOWS - i < step ? FLOWS - i : step, &err);
	return rc;
}

static int finish(struct lya_audit *a, const struct traffic *t)
{
	struct lya_source source = { .name = "a.pcap", .kind = "file", .packets = FLOWS,
				     .first_ns = t->frames[0].time_ns,
				     .last_ns = t->frames[FLOWS - 1].time_ns, .digits = 6 };
	struct lya_error err;

	return lya_audit_finish(a, &source, 1, &err);
}

static struct traffic traffic;

/* Every flow is told once, in order, however the frames come. */
static void all_in_order(void **state)
{
	static const size_t steps[] = { 1, 63, 64, 65, 255, 256, 257, 1000, FLOWS };
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned threads = 0; threads <= 4; threads++) {
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			struct told told = { .in_order = true };
			struct lya_audit *a = open_audit(&p, threads, &told);
			struct lya_audit_counts counts;

			assert_int_equal(take_all(a, &traffic, steps[i]), LYA_OK);
			assert_int_equal(finish(a, &traffic), LYA_OK);
			assert_int_equal(told.n, FLOWS);
			assert_true(told.in_order);
			lya_audit_counts(a, &counts);
			assert_int_equal(counts.packets, FLOWS);
			lya_audit_free(a);
		}
	}
	pipe_close(&p);
}

/* A callback that refuses, early, late or at the very end: nothing is told after it. */
static void a_refusal_stops_all(void **state)
{
	static const uint64_t at[] = { 1, 2, 127, 128, 129, 2000, FLOWS - 1, FLOWS };
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned threads = 1; threads <= 3; threads++) {
		for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
			struct told told = { .in_order = true, .refused_at = at[i] };
			struct lya_audit *a = open_audit(&p, threads, &told);
			int rc = take_all(a, &traffic, 64);

			if (rc == LYA_OK)
				rc = finish(a, &traffic);
			assert_int_equal(rc, LYA_EOUTPUT);
			assert_int_equal(told.n, at[i]);
			lya_audit_free(a);
		}
	}
	pipe_close(&p);
}

/* Given up at any moment: no thread is left waiting for another. */
static void given_up_at_any_moment(void **state)
{
	struct pipe p;

	(void)state;
	pipe_open(&p);
	for (unsigned threads = 2; threads <= 3; threads++) {
		for (size_t n = 0; n <= FLOWS; n += n < 10 ? 1 : 613) {
			struct told told = { .in_order = true };
			struct lya_audit *a = open_audit(&p, threads, &told);
			struct lya_error err;

			for (size_t i = 0; i < n; i++)
				assert_int_equal(lya_audit_take(a, &traffic.frames[i], 1, &err),
						 LYA_OK);
			lya_audit_free(a);
			assert_true(told.n <= n);
		}
	}
	pipe_close(&p);
}

static struct lya_addr address(const char *text)
{
	struct lya_addr addr;

	assert_true(lya_addr_parse(text, &addr));
	return addr;
}

/* As who borrows the name for the call alone. */
static int tell(struct audit_sink *sink, enum lya_flow_detail_kind kind, const char *name)
{
	char borrowed[64];
	struct lya_flow_detail d = { .kind = kind, .serial = 7, .name = borrowed, .port = 443 };
	int rc;

	(void)snprintf(borrowed, sizeof(borrowed), "%s", name);
	d.client = kind == LYA_DETAIL_SNI;
	d.addr = address(d.client ? "10.20.0.5" : "10.2.0.11");
	d.peer = address(d.client ? "10.2.0.11" : "10.20.0.5");
	rc = sink->detail(sink->ctx, &d);
	memset(borrowed, 'x', sizeof(borrowed));
	return rc;
}

static int judge_flow(void *ctx, const struct lya_flow *flow, const struct lya_snat_evidence *found,
		      struct lya_trail_flow kept)
{
	return audit_judge_flow(ctx, flow, found, kept);
}

static int judge_listeners_known(void *ctx)
{
	audit_judge_listeners_known(ctx);
	return 0;
}

static int judge_detail(void *ctx, const struct lya_flow_detail *detail)
{
	return audit_judge_detail(ctx, detail);
}

/* Names that payloads said are lent for the call; they are judged later. */
static void names_outlive_who_said_them(void **state)
{
	struct pipe p;
	struct lya_audit_options options = { .max_memory = (size_t)64 << 20,
					     .on_flow = pipe_on_flow, .ctx = &p };
	struct lya_flow flow = { .serial = 7, .transport = 6, .port = { 443, 50000 } };
	struct audit_relay *relay;
	struct audit_follow *follow;
	struct audit_judge *judge;
	struct audit_sink sink, to = { .flow = judge_flow, .detail = judge_detail,
				       .listeners_known = judge_listeners_known };
	int32_t shown;

	(void)state;
	pipe_open(&p);
	flow.addr[0] = address("10.2.0.11");
	flow.addr[1] = address("10.20.0.5");
	flow.app.tls = LYA_TLS_SERVER_CERT;
	assert_int_equal(audit_relay_new(&relay, NULL), LYA_OK);
	sink = audit_relay_sink(relay);
	assert_int_equal(audit_follow_new(&follow, p.policy, &options, &sink, NULL), LYA_OK);
	assert_int_equal(audit_judge_new(&judge, p.policy, &options, audit_follow_snat(follow), NULL),
			 LYA_OK);
	assert_int_equal(tell(&sink, LYA_DETAIL_SNI, "owas.contoso.example"), 0);
	assert_int_equal(tell(&sink, LYA_DETAIL_CERT_NAME, "fe01.contoso.example"), 0);
	assert_int_equal(sink.flow(sink.ctx, &flow, NULL, (struct lya_trail_flow){ 0 }), 0);
	to.ctx = judge;
	assert_int_equal(audit_relay_start(relay, follow, &to, 3, NULL), LYA_OK);
	assert_int_equal(audit_relay_finish(relay), LYA_OK);
	assert_int_equal(p.n_flows, 1);
	shown = p.flows[0].verdict.payload.shown;
	assert_true(shown < 0);
	assert_string_equal(p.site->hosts[-shown - 1].name, "owas01");
	audit_relay_free(relay);
	audit_follow_free(follow);
	audit_judge_free(judge);
	pipe_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_in_order),
		cmocka_unit_test(a_refusal_stops_all),
		cmocka_unit_test(given_up_at_any_moment),
		cmocka_unit_test(names_outlive_who_said_them),
	};

	make_traffic(&traffic);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
