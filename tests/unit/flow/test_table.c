/*
 * test_table.c - keys, paths, timeouts, limits and order of the flow table.
 */
#include "packets.h"

#include "lyncaudit/alloc.h"

#define SECOND LYA_SECOND_NS

static void take(struct lya_flow_table *t, struct lya_packet p)
{
	assert_int_equal(lya_flow_table_take(t, &p, 1, NULL), LYA_OK);
}

static uint64_t open_now(const struct lya_flow_table *t)
{
	struct lya_flow_stats s;

	lya_flow_table_stats(t, &s);
	return s.open;
}

/* Keys --------------------------------------------------------------------- */

static void test_sides_and_counts(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet p = test_tcp(7, 2, 50000, 1, 443, T_ACK);
	const struct lya_flow *f;

	(void)state;
	p.ip_bytes = 140;
	p.payload_len = 100;
	p.number = UINT64_C(0x123456789ab);
	p.source = 3;
	p.digits = 9;
	take(t, p);
	take(t, test_tcp(9, 1, 443, 2, 50000, T_ACK));
	take(t, test_tcp(8, 1, 443, 2, 50000, T_ACK | LYA_TCP_PSH));
	p = test_tcp(10, 1, 443, 2, 50000, T_RST);
	p.duplicate = LYA_DUP_ROUTED; /* the second sighting of a packet counts nowhere */
	take(t, p);
	p.dport = 50001;
	take(t, p);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 1);
	f = &e.list[0];
	assert_int_equal(f->addr[0].bytes[3], 1); /* side 0: the lower address */
	assert_int_equal(f->addr[1].bytes[3], 2);
	assert_int_equal(f->addr[0].family, 4);
	assert_int_equal(f->port[0], 443);
	assert_int_equal(f->port[1], 50000);
	assert_int_equal(f->first_side, 1);
	assert_int_equal(f->packets[0], 2);
	assert_int_equal(f->packets[1], 1);
	assert_int_equal(f->bytes[0], 80);
	assert_int_equal(f->bytes[1], 140);
	assert_int_equal(f->payload_bytes[0], 0);
	assert_int_equal(f->payload_bytes[1], 100);
	assert_true(f->acked);
	assert_int_equal(f->first_ns, 7);
	assert_int_equal(f->last_ns, 9); /* the one out of order does not take it back */
	assert_true(f->number == UINT64_C(0x123456789ab));
	assert_int_equal(f->source, 3);
	assert_int_equal(f->digits, 9);
	test_done(t, &e);
}

/* What makes two packets two flows, and what does not. */
static void test_keys(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet base = test_udp(0, 1, 1000, 2, 2000);
	struct lya_packet p;

	(void)state;
	take(t, base);
	take(t, test_udp(0, 2, 2000, 1, 1000)); /* the other direction */
	assert_int_equal(open_now(t), 1);
	take(t, test_udp(0, 1, 2000, 2, 1000)); /* ports the other way round */
	assert_int_equal(open_now(t), 2);
	take(t, test_tcp(0, 1, 1000, 2, 2000, T_ACK));
	assert_int_equal(open_now(t), 3);
	p = test_packet(LYA_PKT_UDP, 17, 0, test_addr6(1), 1000, test_addr6(2), 2000);
	take(t, p);
	assert_int_equal(open_now(t), 4);
	p = test_packet(LYA_PKT_UDP, 17, 0, test_addr6(2), 2000, test_addr6(1), 1000);
	take(t, p);
	p = test_packet(LYA_PKT_UDP, 17, 0, test_addr6(1), 1000, test_addr6(3), 2000);
	assert_int_equal(open_now(t), 4);
	take(t, p);
	assert_int_equal(open_now(t), 5);
	take(t, test_udp(0, 7, 9, 7, 9)); /* both ends alike */
	take(t, test_udp(0, 7, 9, 7, 9));
	assert_int_equal(open_now(t), 6);
	take(t, test_udp(0, 7, 9, 7, 10)); /* one address, ordered by port */
	take(t, test_udp(0, 7, 10, 7, 9));
	assert_int_equal(open_now(t), 7);
	p = base;
	p.path.n_vlan = 1;
	p.path.vlan[0] = 12; /* VLANs are path, not key */
	take(t, p);
	assert_int_equal(open_now(t), 7);
	test_done(t, &e);
}

static struct lya_packet in_tunnel(uint8_t kind, uint32_t id)
{
	struct lya_packet p = test_udp(0, 1, 1000, 2, 2000);

	p.path.n_tunnels = 1;
	p.path.tunnel = kind;
	p.path.tunnel_id = id;
	return p;
}

static void test_tunnels(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });

	(void)state;
	take(t, test_udp(0, 1, 1000, 2, 2000));
	take(t, in_tunnel(LYA_TUN_VXLAN, 5));
	take(t, in_tunnel(LYA_TUN_VXLAN, 5));
	take(t, in_tunnel(LYA_TUN_VXLAN, 6));
	take(t, in_tunnel(LYA_TUN_GRE, 5));
	assert_int_equal(open_now(t), 4);
	take(t,
	     in_tunnel(LYA_TUN_ERSPAN2, 9)); /* a mirror's transport, a label: no other network */
	take(t, in_tunnel(LYA_TUN_MPLS, 9));
	assert_int_equal(open_now(t), 4);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.list[1].path.tunnel, LYA_TUN_VXLAN);
	assert_int_equal(e.list[1].path.tunnel_id, 5);
	assert_int_equal(e.list[1].path.n_tunnels, 1);
	assert_int_equal(e.list[1].packets[0], 2);
	test_done(t, &e);
}

static void test_path_and_macs(void **state)
{
	static const uint8_t MAC_A[6] = { 2, 0, 0, 0, 0, 1 };
	static const uint8_t MAC_B[6] = { 2, 0, 0, 0, 0, 2 };
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet p = test_udp(0, 2, 1000, 1, 2000);
	struct lya_packet q = test_udp(1, 1, 2000, 2, 1000);
	struct lya_packet r = test_udp(2, 5, 5, 6, 6);

	(void)state;
	r.frame_broadcast = true;
	p.path.n_vlan = 2;
	p.path.vlan[0] = 100;
	p.path.vlan[1] = 7;
	p.eth_src = MAC_A;
	q.eth_src = MAC_B;
	q.eth_dst = MAC_A; /* a frame without one tells its source all the same */
	q.frame_broadcast = true;
	take(t, p);
	take(t, q);
	q.eth_src = MAC_A; /* only the first packet of a side tells */
	take(t, q);
	take(t, r);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.list[0].path.n_vlan, 2);
	assert_int_equal(e.list[0].path.vlan[0], 100);
	assert_int_equal(e.list[0].path.vlan[1], 7);
	assert_memory_equal(e.list[0].mac[1], MAC_A, 6);
	assert_memory_equal(e.list[0].mac[0], MAC_B, 6);
	assert_memory_equal(e.list[0].to_mac[1], "\0\0\0\0\0", 6);
	assert_memory_equal(e.list[0].to_mac[0], MAC_A, 6);
	assert_false(e.list[0].group_dst); /* it was answered */
	assert_int_equal(e.list[1].path.n_vlan, 0);
	assert_memory_equal(e.list[1].mac[0], "\0\0\0\0\0", 6);
	assert_memory_equal(e.list[1].to_mac[0], "\0\0\0\0\0", 6);
	assert_true(e.list[1].group_dst);
	test_done(t, &e);
}

static struct lya_packet tagged(struct lya_packet p, uint16_t vlan)
{
	p.path.n_vlan = vlan != 0;
	p.path.vlan[0] = vlan;
	return p;
}

static struct lya_packet with_seq(struct lya_packet p, uint32_t seq, uint32_t ack)
{
	p.seq = seq;
	p.ack = ack;
	return p;
}

static void test_vlan_in_key(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ .vlan_in_key = true });
	struct lya_packet p = test_udp(0, 1, 1000, 2, 2000);

	(void)state;
	take(t, p);
	take(t, tagged(p, 10));
	take(t, tagged(p, 20));
	take(t, tagged(p, 10));
	assert_int_equal(open_now(t), 3);
	test_done(t, &e);
}

/* The same ends twice, in two customers' VLANs: two flows, every packet with its own. */
static void test_vlan_split(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	const struct lya_packet syn = test_tcp(0, 1, 1000, 2, 443, T_SYN);
	const struct lya_packet back = test_tcp(1, 2, 443, 1, 1000, T_SYNACK);
	const struct lya_packet ack = test_tcp(2, 1, 1000, 2, 443, T_ACK);

	(void)state;
	take(t, tagged(with_seq(syn, 100, 0), 10));
	take(t,
	     tagged(with_seq(syn, 100, 0), 30)); /* the same SYN, routed: no other conversation */
	assert_int_equal(open_now(t), 1);
	take(t, tagged(with_seq(syn, 777, 0), 20));
	assert_int_equal(open_now(t), 2);
	take(t, tagged(with_seq(back, 5, 778), 20));
	take(t, tagged(with_seq(ack, 778, 6), 20));
	take(t, tagged(with_seq(ack, 779, 6), 20));
	take(t, tagged(with_seq(back, 9, 101), 10));
	assert_int_equal(open_now(t), 2);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 2);
	assert_int_equal(e.list[0].path.vlan[0], 10);
	assert_true(e.list[0].vlan_split);
	assert_int_equal(e.list[0].packets[0], 2);
	assert_int_equal(e.list[0].packets[1], 1);
	assert_int_equal(e.list[1].path.vlan[0], 20);
	assert_true(e.list[1].vlan_split);
	assert_int_equal(e.list[1].packets[0], 3);
	assert_int_equal(e.list[1].packets[1], 1);
	test_done(t, &e);
}

/* An untagged conversation beside a tagged one is told apart as well. */
static void test_vlan_split_untagged(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	const struct lya_packet syn = test_tcp(0, 1, 1000, 2, 443, T_SYN);

	(void)state;
	take(t, tagged(with_seq(syn, 100, 0), 10));
	take(t, with_seq(syn, 777, 0));
	take(t, with_seq(syn, 777, 0));
	assert_int_equal(open_now(t), 2);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.list[1].packets[0], 2);
	test_done(t, &e);
}

static void test_unknown(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet p =
	    test_packet(LYA_PKT_FRAGMENT, 17, 0, test_addr4(1), 0, test_addr4(2), 0);
	struct lya_packet q = test_packet(LYA_PKT_CUT, 6, 1, test_addr4(2), 0, test_addr4(1), 0);
	struct lya_packet other =
	    test_packet(LYA_PKT_OTHER_IP, 1, 1, test_addr4(2), 0, test_addr4(1), 0);

	(void)state;
	take(t, p);
	take(t, p);
	take(t, q);
	take(t, other);                   /* no flow of ours */
	take(t, test_udp(2, 1, 0, 2, 0)); /* port 0 is known, if odd */
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 3);
	assert_int_equal(e.list[0].unknown, LYA_UNKNOWN_FRAGMENT);
	assert_int_equal(e.list[0].transport, 17);
	assert_int_equal(e.list[0].packets[0], 2);
	assert_int_equal(e.list[1].unknown, LYA_UNKNOWN_CUT);
	assert_int_equal(e.list[1].transport, 6);
	assert_int_equal(e.list[1].state, LYA_STATE_NONE);
	assert_int_equal(e.list[2].unknown, LYA_UNKNOWN_NOT);
	test_done(t, &e);
}

static struct lya_packet icmp(int64_t time_ns, const struct lya_packet *about, uint8_t type,
			      uint8_t code)
{
	struct lya_packet p =
	    test_packet(LYA_PKT_ICMP_ERROR, 1, time_ns, test_addr4(99), 0, about->src, 0);

	p.quoted.src = about->src;
	p.quoted.dst = about->dst;
	p.quoted.sport = about->sport;
	p.quoted.dport = about->dport;
	p.quoted.transport = about->transport;
	p.quoted.type = type;
	p.quoted.code = code;
	p.quoted.has_ports = true;
	return p;
}

static void test_icmp(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet p = test_udp(0, 2, 1000, 1, 3478);
	struct lya_packet none = test_udp(0, 3, 1000, 1, 3478);

	(void)state;
	take(t, p);
	take(t, icmp(1, &none, 3, 3)); /* about a flow that was not seen: makes none */
	take(t, icmp(1, &p, 3, 3));
	take(t, icmp(2, &p, 3, 13)); /* the first one tells the reason */
	take(t, test_udp(3, 4, 1, 5, 1));
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 2);
	assert_true(e.list[0].icmp_error);
	assert_int_equal(e.list[0].icmp_type, 3);
	assert_int_equal(e.list[0].icmp_code, 3);
	assert_int_equal(e.list[0].packets[0] + e.list[0].packets[1], 1);
	assert_false(e.list[0].answered);
	assert_int_equal(e.list[0].last_ns, 0);
	assert_false(e.list[1].icmp_error);
	test_done(t, &e);
}

static void test_counters_carry(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet p = test_udp(0, 1, 1000, 2, 2000);

	(void)state;
	p.ip_bytes = UINT32_MAX;
	p.payload_len = UINT32_MAX - 28;
	for (int i = 0; i < 5; i++)
		take(t, p);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_true(e.list[0].bytes[0] == UINT64_C(5) * UINT32_MAX);
	assert_true(e.list[0].payload_bytes[0] == UINT64_C(5) * (UINT32_MAX - 28));
	assert_true(e.list[0].bytes[1] == 0);
	test_done(t, &e);
}

/* Time --------------------------------------------------------------------- */

/* A flow that is quiet for longer than its timeout is over: when exactly, by whom. */
static void check_timeout(struct lya_packet *pkts, size_t n, int timeout_s)
{
	int64_t last = pkts[n - 1].time_ns;
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });

	assert_int_equal(lya_flow_table_take(t, pkts, n, NULL), LYA_OK);
	assert_int_equal(open_now(t), 1);
	take(t, test_udp(last + timeout_s * SECOND, 50, 1, 51, 1));
	assert_int_equal(e.n, 0);
	take(t, test_udp(last + (timeout_s + 2) * SECOND, 50, 1, 51, 1));
	assert_int_equal(e.n, 1);
	assert_int_equal(e.list[0].serial, 1);
	test_done(t, &e);
}

static void test_timeouts(void **state)
{
	struct lya_packet udp[] = { test_udp(5, 1, 1, 2, 2), test_udp(6, 2, 2, 1, 1) };
	struct lya_packet syn[] = { test_tcp(5, 1, 1, 2, 2, T_SYN) };
	struct lya_packet refused[] = { syn[0], test_tcp(6, 2, 2, 1, 1, T_RSTACK) };
	struct lya_packet open[] = { syn[0],
					   with_seq(test_tcp(6, 2, 2, 1, 1, T_SYNACK), 0, 1),
					   test_tcp(7, 1, 1, 2, 2, T_ACK) };
	struct lya_packet closed[] = { open[0], open[1],
					     test_tcp(90 * SECOND, 1, 1, 2, 2, T_FINACK),
					     test_tcp(91 * SECOND, 2, 2, 1, 1, T_FINACK) };
	struct lya_packet reset[] = { open[0], open[1], open[2],
					    test_tcp(40 * SECOND, 1, 1, 2, 2, T_RST) };

	(void)state;
	check_timeout(udp, 2, LYA_FLOW_UDP_IDLE_S);
	check_timeout(udp, 1, LYA_FLOW_UDP_IDLE_S);
	check_timeout(syn, 1, LYA_FLOW_TCP_OPENING_S);
	check_timeout(refused, 2, LYA_FLOW_TCP_OPENING_S);
	check_timeout(open, 3, LYA_FLOW_TCP_IDLE_S);
	check_timeout(open + 2, 1, LYA_FLOW_TCP_IDLE_S);
	check_timeout(reset, 4, LYA_FLOW_TCP_CLOSED_S);
	check_timeout(closed, 4, LYA_FLOW_TCP_CLOSED_S); /* after a minute and a half of life */
}

static void test_closed_after_a_long_life(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	int64_t now = 0;

	(void)state;
	take(t, with_seq(test_tcp(0, 1, 1, 2, 2, T_SYN), 9, 0));
	take(t, with_seq(test_tcp(1, 2, 2, 1, 1, T_SYNACK), 0, 10));
	for (; now < 20000 * SECOND; now += 1700 * SECOND) /* many timeouts, never idle for one */
		take(t, test_tcp(now, 1, 1, 2, 2, T_ACK));
	take(t, test_tcp(now, 1, 1, 2, 2, T_FINACK));
	take(t, test_tcp(now, 2, 2, 1, 1, T_FINACK));
	take(t, test_udp(now + 59 * SECOND, 50, 1, 51, 1));
	assert_int_equal(e.n, 0);
	take(t, test_udp(now + 62 * SECOND, 50, 1, 51, 1));
	assert_int_equal(e.n, 1);
	assert_int_equal(e.list[0].state, LYA_STATE_CLOSED);
	assert_true(e.list[0].last_ns == now);
	test_done(t, &e);
}

/* Idle flows end by their last packet, whatever they were made of. */
static void test_order_of_ends(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	static const uint32_t ends[] = { 3, 1, 2, 5, 4 };

	(void)state;
	take(t, test_udp(100, 3, 1, 10, 1));
	take(t, test_udp(100, 1, 1, 10, 1));
	take(t, test_udp(100, 2, 1, 10, 1));
	take(t, test_packet(LYA_PKT_UDP, 17, 50, test_addr6(9), 1, test_addr6(8), 1));
	take(t, test_udp(100, 4, 1, 10, 1));
	take(t, test_udp(100, 5, 1, 10, 1));
	take(t, test_udp(120, 10, 1, 4, 1)); /* answered: another class, and later */
	take(t, test_udp(110, 5, 1, 10, 1));
	take(t, test_udp(500 * SECOND, 50, 1, 51, 1));
	assert_int_equal(e.n, 6);
	assert_int_equal(e.list[0].addr[0].family, 6);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(e.list[i + 1].addr[0].bytes[3], ends[i]);
	test_done(t, &e);
}

/* What test_each is told. */
struct shown {
	size_t n, stop_at;
	uint16_t ports[4]; /* of side 1 */
	int8_t syn_side[4];
};

static int show(void *ctx, const struct lya_flow *flow)
{
	struct shown *s = ctx;

	assert_true(s->n < 4);
	s->ports[s->n] = flow->port[1];
	s->syn_side[s->n] = flow->syn_side;
	return ++s->n == s->stop_at ? LYA_ESTOP : LYA_OK;
}

/* Open flows that were answered are shown, others are not, and all end after it as without. */
static void test_answered(void **state)
{
	const int64_t later = (LYA_FLOW_UDP_IDLE_S + 2) * SECOND;
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet wide =
	    test_packet(LYA_PKT_TCP, 6, later, test_addr6(2), 50002, test_addr6(1), 443);
	struct lya_packet wide_answer =
	    test_packet(LYA_PKT_TCP, 6, later, test_addr6(1), 443, test_addr6(2), 50002);
	struct shown shown = { .n = 0 };

	(void)state;
	assert_int_equal(lya_flow_table_answered(t, show, &shown), LYA_OK);
	assert_int_equal(shown.n, 0);
	take(t, test_udp(0, 2, 50009, 1, 443));
	take(t, test_udp(0, 1, 443, 2, 50009));
	take(t, test_tcp(later, 2, 50000, 1, 443, T_SYN));
	take(t, test_tcp(later, 1, 443, 2, 50000, T_SYN | T_ACK));
	take(t, test_tcp(later, 1, 443, 2, 50001, T_ACK));
	take(t, test_tcp(later, 2, 50003, 1, 443, T_SYN)); /* not answered, */
	take(t, test_udp(later, 2, 50004, 1, 3478));        /* nor that */
	take(t, test_udp(later, 2, 50005, 1, 3478));
	take(t, test_udp(later, 1, 3478, 2, 50005));
	wide.tcp_flags = T_SYN;
	take(t, wide);
	wide_answer.tcp_flags = T_SYN | T_ACK;
	take(t, wide_answer);
	assert_int_equal(e.n, 1); /* the first datagrams' */
	assert_int_equal(lya_flow_table_answered(t, show, &shown), LYA_OK);
	assert_int_equal(shown.n, 3);
	assert_int_equal(shown.ports[0], 50000);
	assert_int_equal(shown.syn_side[0], 1);
	assert_int_equal(shown.ports[1], 50005);
	assert_int_equal(shown.ports[2], 50002);
	shown = (struct shown){ .stop_at = 2 };
	assert_int_equal(lya_flow_table_answered(t, show, &shown), LYA_ESTOP);
	assert_int_equal(shown.n, 2);
	assert_int_equal(open_now(t), 6);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 7);
	test_done(t, &e);
}

static void test_order_of_flush(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	uint32_t x = 1;

	(void)state;
	for (uint32_t i = 1; i <= 5000; i++) {
		x = x * 1664525 + 1013904223;
		/* crowds on few instants, and times far apart */
		take(t, test_udp((int64_t)(x >> 28) * 7, i, 1, 70000, 1));
		if (i % 3 == 0)
			take(t, test_udp((int64_t)(x >> 4), i, 1, 70000, 1));
		if (i % 50 == 0)
			take(t,
			     test_packet(LYA_PKT_UDP, 17, 5, test_addr6(i), 1, test_addr6(1), 2));
	}
	take(t, test_udp(110 * SECOND, 1, 7, 70000, 1));
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 5101);
	for (size_t i = 1; i < e.n; i++) {
		const struct lya_flow *a = &e.list[i - 1];
		const struct lya_flow *b = &e.list[i];

		assert_true(a->last_ns < b->last_ns ||
			    (a->last_ns == b->last_ns && a->serial < b->serial));
	}
	assert_int_equal(open_now(t), 0);
	take(t, test_udp(120 * SECOND, 1, 7, 70000, 1)); /* the table goes on after a flush */
	assert_int_equal(open_now(t), 1);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	assert_int_equal(e.n, 5102);
	test_done(t, &e);
}

static void test_clock_steps(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	const int64_t day = 86400 * SECOND;

	(void)state;
	take(t, test_udp(day, 1, 1, 2, 2));
	take(t, test_udp(day - SECOND, 1, 1, 2, 2)); /* slightly out of order */
	assert_int_equal(open_now(t), 1);
	take(t, test_udp(5 * SECOND, 1, 1, 2, 2)); /* the clock was set back by a day */
	assert_int_equal(open_now(t), 1);
	take(t, test_udp(200 * SECOND, 3, 3, 4, 4)); /* time passes since: the first is idle */
	assert_int_equal(e.n, 1);
	assert_true(e.list[0].first_ns == day);
	assert_true(e.list[0].last_ns == day); /* no negative duration */
	assert_int_equal(e.list[0].packets[0], 3);
	take(t, test_udp(900 * day, 3, 3, 4, 4)); /* years ahead: at once, not second by second */
	assert_int_equal(e.n, 2);
	take(t, test_udp(INT64_MAX, 5, 5, 6, 6));
	take(t, test_udp(INT64_MIN, 7, 7, 8, 8));
	take(t, test_udp(0, 7, 7, 8, 8));
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	for (size_t i = 0; i < e.n; i++)
		assert_true(e.list[i].last_ns >= e.list[i].first_ns);
	test_done(t, &e);
}

/* Limits ------------------------------------------------------------------- */

enum { LIMIT = 800 };

static void establish(struct lya_flow_table *t, int64_t at, uint32_t client)
{
	take(t, with_seq(test_tcp(at, client, 1000, 70000, 443, T_SYN), 9, 0));
	take(t, with_seq(test_tcp(at + 1, 70000, 443, client, 1000, T_SYNACK), 0, 10));
	take(t, test_tcp(at + 2, client, 1000, 70000, 443, T_ACK));
}

static void test_flood_spares_the_established(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ .max_flows = LIMIT });
	struct lya_flow_stats s;

	(void)state;
	for (uint32_t i = 1; i <= 700; i++)
		establish(t, i, i);
	assert_int_equal(e.n, 0);
	for (uint32_t i = 0; i < 20000; i++) {
		struct lya_packet p = test_tcp(1000 + i, 100000 + i, 7, 70000, 443, T_SYN);

		if (i % 4 == 1)
			p = test_udp(1000 + i, 100000 + i, 7, 70000, (uint16_t)i);
		if (i % 4 == 2)
			p = test_tcp(1000 + i, 100000 + i, 7, 70000, 443, T_ACK);
		if (i % 4 == 3)
			p = test_packet(LYA_PKT_FRAGMENT, 17, 1000 + i, test_addr6(i), 0,
					test_addr6(1), 0);
		take(t, p);
	}
	lya_flow_table_stats(t, &s);
	assert_int_equal(s.open, LIMIT);
	assert_int_equal(s.open_peak, LIMIT);
	assert_int_equal(s.evicted, e.n);
	assert_int_equal(s.flows, 20700);
	assert_int_equal(e.n, 20700 - LIMIT);
	for (size_t i = 0; i < e.n; i++) /* the flood's own, oldest first */
		assert_int_equal(e.list[i].serial, 701 + i);
	test_done(t, &e);
}

/* Established flows alone: the least recently active goes, and openers keep their share. */
static void test_least_recently_active_goes(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ .max_flows = LIMIT });

	(void)state;
	for (uint32_t i = 1; i <= LIMIT - LIMIT / 8; i++)
		establish(t, i * SECOND, i);
	take(t, test_tcp(900 * SECOND, 1, 1000, 70000, 443, T_ACK)); /* the oldest one is active */
	for (uint32_t i = 1000; i < 1100; i++) /* knocks fill the rest of the table */
		take(t, test_tcp(900 * SECOND, i, 7, 70000, 443, T_SYN));
	assert_int_equal(e.n, 0);
	establish(t, 901 * SECOND, 2000);
	assert_int_equal(e.n, 2);
	assert_int_equal(e.list[0].state, LYA_STATE_ATTEMPTED); /* for the new one's SYN */
	assert_int_equal(e.list[0].addr[0].bytes[3], 1000 & 255);
	assert_int_equal(e.list[1].serial, 2); /* for its being let in */
	assert_int_equal(e.list[1].state, LYA_STATE_ESTABLISHED);
	test_done(t, &e);
}

/* By bytes: the limit holds for both families, and neither starves. */
static void test_limit_in_bytes(void **state)
{
	struct test_ended e;
	const size_t cap = (size_t)4 << 20;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ .max_bytes = cap });
	struct lya_flow_stats s;
	uint64_t v4;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		take(t, test_udp(i, i, 1, 200000, 9));
	lya_flow_table_stats(t, &s);
	v4 = s.open;
	assert_in_range(v4, 20000, cap / 96);
	for (uint32_t i = 0; i < 100000; i++)
		take(t, test_packet(LYA_PKT_UDP, 17, 100000 + i, test_addr6(i), 1,
				    test_addr6(200000), 9));
	lya_flow_table_stats(t, &s);
	assert_in_range(s.open - v4, 2000, cap / 128);
	assert_in_range(s.bytes, cap / 2, cap + (64 << 10)); /* the clock wheels come on top */
	test_done(t, &e);
}

/* The goal for a million flows at once, all of the table included. */
static void test_bytes_per_flow(void **state)
{
	enum { FLOWS = 1000000 };
	struct test_ended e;
	struct lya_flow_table *t =
	    test_table(&e, (struct lya_flow_options){ .max_bytes = (size_t)1 << 30 });
	struct lya_flow_stats s;

	(void)state;
	for (uint32_t i = 0; i < FLOWS; i++)
		take(t, test_tcp(i, i, (uint16_t)i, 200000, 443, T_SYN));
	lya_flow_table_stats(t, &s);
	assert_int_equal(s.open, FLOWS);
	assert_in_range(s.bytes / FLOWS, 64, 120);
	test_done(t, &e);
}

/* Order and batches -------------------------------------------------------- */

enum { MANY = 6000, ENDS = 60 };

/* A seeded mess of everything: reuse, floods at the limit, time gone by. */
static struct lya_packet *make_mess(void)
{
	struct lya_packet *p = calloc(MANY, sizeof(*p));
	uint64_t x = 88172645463325252u;
	int64_t now = 0;

	assert_non_null(p);
	for (size_t i = 0; i < MANY; i++) {
		static const uint8_t FLAGS[] = { T_SYN, T_SYNACK, T_ACK, T_ACK, T_FINACK, T_RST };
		uint32_t a, b;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		a = (uint32_t)(x % ENDS) + 1;
		b = (uint32_t)(x / ENDS % 4) + 100;
		now += (int64_t)(x >> 20 & 0x3fffffff) - SECOND / 100;
		if ((x >> 50 & 255) == 0)
			now += 130 * SECOND;
		if ((x >> 58 & 3) == 0)
			p[i] = test_udp(now, x & 1 ? a : b, 5, x & 1 ? b : a, 5);
		else
			p[i] =
			    test_tcp(now, x & 1 ? a : b, 5, x & 1 ? b : a, 5, FLAGS[(x >> 10) % 6]);
		if ((x >> 60 & 3) == 0) {
			p[i].src = test_addr6(a);
			p[i].dst = test_addr6(b);
		}
		p[i].seq = (uint32_t)(x >> 40 & 3);
		p[i].ack = (uint32_t)(x >> 42 & 3);
		p[i] = tagged(p[i], (uint16_t)((x >> 33 & 31) == 0 ? 7 : 0));
		p[i].number = i + 1;
	}
	return p;
}

static void run_mess(struct lya_packet *p, size_t batch, struct test_ended *e)
{
	struct lya_flow_table *t = test_table(e, (struct lya_flow_options){ .max_flows = 150 });
	uint64_t packets = 0;

	for (size_t i = 0; i < MANY; i += batch)
		assert_int_equal(lya_flow_table_take(t, p + i, i + batch < MANY ? batch : MANY - i, NULL),
				 0);
	assert_int_equal(lya_flow_table_flush(t), LYA_OK);
	for (size_t i = 0; i < e->n; i++)
		packets += e->list[i].packets[0] + e->list[i].packets[1];
	assert_int_equal(packets, MANY); /* every packet in one flow */
	lya_flow_table_free(t);
}

/* Each run has another hash key and another handful: the ends are the same. */
static void test_batches_change_nothing(void **state)
{
	struct lya_packet *p = make_mess();
	struct test_ended first, e;

	(void)state;
	run_mess(p, 1, &first);
	assert_true(first.n > 500);
	for (size_t batch = 2; batch <= 64; batch++) {
		run_mess(p, batch, &e);
		assert_int_equal(e.n, first.n);
		for (size_t i = 0; i < e.n; i++) {
			const struct lya_flow *a = &first.list[i];
			const struct lya_flow *b = &e.list[i];

			assert_int_equal(a->serial, b->serial);
			assert_int_equal(a->number, b->number);
			assert_int_equal(a->state, b->state);
			assert_int_equal(a->vlan_split, b->vlan_split);
			assert_memory_equal(a->packets, b->packets, sizeof(a->packets));
			assert_true(a->first_ns == b->first_ns && a->last_ns == b->last_ns);
		}
		free(e.list);
	}
	free(first.list);
	free(p);
}

/* Failure ------------------------------------------------------------------ */

static void test_on_end_stops(void **state)
{
	struct test_ended e;
	struct lya_flow_table *t = test_table(&e, (struct lya_flow_options){ 0 });
	struct lya_packet late = test_udp(1000 * SECOND, 50, 1, 51, 1);

	(void)state;
	e.stop_at = 2;
	for (uint32_t i = 1; i <= 5; i++)
		take(t, test_udp(i, i, 1, 70, 1));
	assert_int_equal(lya_flow_table_take(t, &late, 1, NULL), LYA_ESTOP);
	assert_int_equal(e.n, 2);
	assert_int_equal(lya_flow_table_take(t, &late, 1, NULL), LYA_ESTOP);
	assert_int_equal(lya_flow_table_flush(t), LYA_ESTOP);
	assert_int_equal(e.n, 2);
	test_done(t, &e);
}

/* Every allocation fails once: an error, never a crash or a leak. */
static void test_allocation_failure(void **state)
{
	struct lya_flow_options o = { .max_bytes = (size_t)8 << 20 };
	bool whole = false;

	(void)state;
	for (uint64_t n = 1; !whole && n < 1000; n++) {
		struct lya_flow_table *t = NULL;
		struct lya_error err;
		int rc;

		lya_alloc_fail_at(n);
		rc = lya_flow_table_new(&t, &o, &err);
		for (uint32_t i = 0; rc == LYA_OK && i < 6000; i++) {
			struct lya_packet p =
			    tagged(test_udp(i, i, 1, 90000, 1), (uint16_t)(i % 50));

			p.eth_src = p.src.bytes;
			rc = lya_flow_table_take(t, &p, 1, NULL);
		}
		lya_alloc_fail_at(0);
		assert_true(rc == LYA_OK || rc == LYA_ENOMEM);
		whole = rc == LYA_OK;
		lya_flow_table_free(t);
	}
	assert_true(whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sides_and_counts),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_path_and_macs),
		cmocka_unit_test(test_vlan_in_key),
		cmocka_unit_test(test_vlan_split),
		cmocka_unit_test(test_vlan_split_untagged),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_counters_carry),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_closed_after_a_long_life),
		cmocka_unit_test(test_order_of_ends),
		cmocka_unit_test(test_answered),
		cmocka_unit_test(test_order_of_flush),
		cmocka_unit_test(test_clock_steps),
		cmocka_unit_test(test_flood_spares_the_established),
		cmocka_unit_test(test_least_recently_active_goes),
		cmocka_unit_test(test_limit_in_bytes),
		cmocka_unit_test(test_bytes_per_flow),
		cmocka_unit_test(test_batches_change_nothing),
		cmocka_unit_test(test_on_end_stops),
		cmocka_unit_test(test_allocation_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
