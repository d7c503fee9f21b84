/*
 * detail.c - what the recognisers tell on their way: TLS sessions, which the
 * table remembers itself, and what others may want to remember.
 *
 * The one observer of all inspections knows the flow that is being fed.
 */
#include "flow/table.h"

/* Of the flow that is being fed. */
static struct flow_handshake *current_handshake(struct lya_flow_table *t)
{
	struct flow_inspect *in = &t->inspect;

	return in->slot != 0 ? flow_handshake_at(&in->pools[FLOW_LARGE], in->slot) : &in->nobodys;
}

static void note_server_hello(void *ctx, unsigned side, const struct lya_tls_hello *hello)
{
	struct flow_handshake *hand = current_handshake(ctx);

	hand->hello = (uint8_t)(side + 1);
	if (!hello->retry && !hello->pseudo)
		hand->session = flow_session_name(hello->session_id, hello->session_id_len);
}

static void note_ticket(void *ctx, unsigned side, const uint8_t *ticket, size_t len)
{
	current_handshake(ctx)->tickets[side] = flow_session_name(ticket, len);
}

/*
 * A resumed handshake has the standing of the one it resumes; whatever may be
 * resumed from here has the standing of this one.
 */
void flow_detail_session(struct lya_flow_table *t, uint32_t n, const struct flow_handshake *hand,
			 struct lya_app_result *res)
{
	struct flow_sessions *s = &t->inspect.sessions;
	int64_t now = t->inspect.packet_ns;
	enum lya_tls_client client;
	struct lya_addr addr;
	uint64_t session, offered, given;
	uint16_t port;

	if (res->client_side < 0)
		return;
	flow_address(t, n, !res->client_side, &addr);
	port = flow_port(flow_hot_at(t, n), !res->client_side);
	session = flow_session_key(&addr, port, hand->session);
	offered = flow_session_key(&addr, port, hand->tickets[res->client_side]);
	given = flow_session_key(&addr, port, hand->tickets[!res->client_side]);
	if ((res->tls & LYA_TLS_RESUMED) != 0) {
		client = flow_session_get(s, session, now);
		/* with a ticket the client makes up the session id */
		if (client == LYA_TLS_CLIENT_UNKNOWN)
			client = flow_session_get(s, offered, now);
		res->inherited = (uint8_t)client;
	}
	client = lya_app_tls_client(res);
	if (client != LYA_TLS_CLIENT_PROVEN && client != LYA_TLS_CLIENT_ANONYMOUS)
		return;
	if ((res->tls & LYA_TLS_RESUMED) == 0)
		flow_session_put(s, session, now, client);
	flow_session_put(s, given, now, client);
}

/* For others ------------------------------------------------------------------ */

static void tell(struct lya_flow_table *t, unsigned side, struct lya_flow_detail *d)
{
	uint32_t n = t->inspect.current;
	int rc;

	if (t->status != LYA_OK)
		return;
	d->serial = flow_serial(t, n);
	d->record = n;
	d->time_ns = t->inspect.packet_ns;
	flow_address(t, n, side, &d->addr);
	flow_address(t, n, !side, &d->peer);
	d->port = flow_port(flow_hot_at(t, n), side);
	rc = t->options.on_detail(t->options.ctx, d);
	if (rc < 0)
		t->status = rc;
}

static void tell_rpc_port(void *ctx, unsigned side, uint16_t port)
{
	struct lya_flow_detail d = { .kind = LYA_DETAIL_RPC_PORT, .rpc_port = port };

	tell(ctx, side, &d);
}

/* The server's certificate comes after its hello, the client's after that. */
static void tell_cert_name(void *ctx, unsigned side, const char *name, bool common_name)
{
	struct lya_flow_table *t = ctx;
	const struct flow_handshake *hand = current_handshake(t);
	struct lya_flow_detail d = { .kind = LYA_DETAIL_CERT_NAME, .name = name };

	(void)common_name;
	d.client = hand->hello != 0 && hand->hello != side + 1;
	tell(t, side, &d);
}

static void tell_sni(void *ctx, unsigned side, const char *name)
{
	struct lya_flow_detail d = { .kind = LYA_DETAIL_SNI, .client = true, .name = name };

	tell(ctx, side, &d);
}

/* Datagrams are read whole by who wants them; what a stream holds is told from here. */
static void tell_stun(void *ctx, unsigned side, const struct lya_stun *msg)
{
	const struct lya_flow_table *t = ctx;
	struct lya_packet *pkt = t->inspect.fed;

	(void)side;
	if (pkt == NULL || pkt->kind != LYA_PKT_TCP)
		return;
	lya_packet_fill(pkt);
	t->options.observer.on_stun(t->options.observer.ctx, pkt, msg);
}

static void tell_client_hello(void *ctx, unsigned side, const struct lya_tls_hello *hello)
{
	const struct lya_flow_table *t = ctx;

	(void)side;
	if (t->inspect.fed == NULL)
		return;
	lya_packet_fill(t->inspect.fed);
	t->options.observer.on_client_hello(t->options.observer.ctx, t->inspect.fed, hello);
}

void flow_detail_init(struct lya_flow_table *t)
{
	struct lya_app_observer *obs = &t->inspect.observer;

	if (t->options.observer.on_stun != NULL)
		obs->on_stun = tell_stun;
	if (t->options.observer.on_client_hello != NULL)
		obs->on_client_hello = tell_client_hello;

	obs->on_server_hello = note_server_hello;
	obs->on_ticket = note_ticket;
	if (t->options.on_detail == NULL)
		return;
	obs->on_epm_port = tell_rpc_port;
	obs->on_cert_name = tell_cert_name;
	obs->on_sni = tell_sni;
}
