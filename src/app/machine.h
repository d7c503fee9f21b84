/*
 * machine.h - what the recognisers share.
 *
 * TCP: each side's bytes run, in order, through one machine at a time.  The
 * first LYA_APP_PREFIX bytes are kept; app_choose looks at them and names the
 * machine, which then gets every byte from the first.  A machine keeps what it
 * needs in its side's union and may name its successor.  Because a machine
 * sees a stream and not segments, where the stream was cut makes no difference.
 *
 * UDP: a datagram is judged whole.
 */
#ifndef LYNCAUDIT_APP_MACHINE_H
#define LYNCAUDIT_APP_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/app.h"
#include "lyncaudit/cursor.h"

enum { PROTO_TCP = 6, PROTO_UDP = 17 };

enum app_machine {
	APP_SNIFF, /* not chosen yet: fewer bytes than app_choose needs */
	APP_DEAD,  /* nothing more to learn from this side */
	APP_TLS_MACHINE,
	APP_SSL2_MACHINE, /* an SSLv2-framed ClientHello, then TLS */
	APP_LINE_MACHINE,
	APP_XMPP_MACHINE,
	APP_DNS_MACHINE,
	APP_RPC_MACHINE,
	APP_SMB_MACHINE,
	APP_TDS_MACHINE,
	APP_RDP_MACHINE,
	APP_SSH_MACHINE,
	APP_MSTURN_MACHINE, /* MS-TURN's frames */
	APP_TURN_MACHINE,   /* STUN and ChannelData back to back (RFC 5766) */
	APP_RFC4571_MACHINE,
	APP_MACHINES
};

/* tls.c */
struct app_tls {
	uint8_t rec_hdr[5];
	uint8_t rec_have; /* bytes in rec_hdr; 5 while the record's body is read */
	uint8_t rec_type;
	uint8_t msg_hdr[4];
	uint8_t msg_have; /* bytes in msg_hdr; 4 while the message's body is read */
	uint8_t msg_type;
	uint8_t step;   /* inside the message */
	uint8_t hidden; /* TLS 1.3: records of type 23 so far */
	uint8_t after;  /* records since the handshake was complete */
	uint16_t flags;
	uint16_t rec_len;
	uint16_t rec_left; /* bytes left in the record */
	uint16_t big_len;  /* length of the big piece that is being read */
	uint32_t msg_len;
	uint32_t msg_left; /* bytes left in the message */
	struct lya_tls_hello hello;
};

/* line.c */
struct app_line {
	uint8_t step;
	uint8_t len;    /* characters in token */
	uint8_t digits; /* of a status code */
	bool response;
	bool probe; /* a method that asks for a page and sends nothing */
	uint16_t bytes;
	char token[16];
};

/* xmpp.c */
struct app_xmpp {
	bool in_tag;
	bool in_name;
	bool has_id; /* the tag has an attribute "id" */
	uint8_t len; /* characters in name; more than it holds are not kept */
	uint16_t bytes;
	char name[16];
	char last[4]; /* the characters before this one, newest last */
};

/* dns.c */
struct app_dns {
	uint8_t step;
	uint16_t name_len;
	bool query;
};

/* dcerpc.c */
struct app_rpc {
	uint8_t step;
	uint16_t frag_left; /* bytes left in the fragment */
	uint16_t port;      /* told last */
	uint8_t window[12]; /* the last bytes of a response */
	uint8_t window_have;
};

/* smb.c */
struct app_smb {
	bool begun; /* a NetBIOS session is open, or none is needed */
};

/* turn.c */
struct app_frames {
	uint32_t len;      /* of the frame's body */
	uint8_t header[4]; /* of the frame */
	bool body;         /* the header is read, the body is next */
};

/* rtp.c: one source of a side, by its last packet */
struct app_rtp {
	uint32_t ssrc;
	uint16_t seq;
	uint8_t count; /* packets in sequence; 0: slot unused */
};

enum { APP_RTP_SLOTS = 2 }; /* a side may send two sources in turn, audio and its repair, say */

/* What is kept of a side, whatever the transport. */
struct app_side {
	uint32_t bytes;    /* payload, lost bytes included; stops at its maximum */
	uint32_t rtcp_ssrc;
	uint8_t rtcp_count;
	uint8_t packets;   /* with payload; stops at its maximum */
	uint8_t head_len;
	uint8_t head[LYA_APP_PREFIX];
	struct app_rtp rtp[APP_RTP_SLOTS];
};

/* And of a side of a TCP connection. */
struct app_stream {
	uint32_t next_seq; /* of the next byte in order */
	uint32_t skip;     /* bytes to pass over before the machine's next piece */
	uint32_t held_seq; /* of the first byte that waits in scratch memory */
	uint16_t held;     /* bytes that wait; 0: none */
	uint16_t big_have; /* bytes of a big piece in scratch memory */
	uint8_t held_wait; /* segments since it waits */
	uint8_t machine;   /* enum app_machine */
	uint8_t have;      /* bytes in piece */
	bool seq_known;
	union {
		struct app_tls tls;
		struct app_line line;
		struct app_xmpp xmpp;
		struct app_dns dns;
		struct app_rpc rpc;
		struct app_smb smb;
		struct app_frames frames;
	} u;
	uint8_t piece[36];
};

/*
 * Datagrams need the first part alone, two cache lines: whoever keeps states by
 * the hundred thousand gives them no more.  What is asked of every packet of a
 * stream comes first in the second part, too.
 */
struct lya_app_state {
	const struct lya_app_observer *obs; /* borrowed; may be NULL */
	struct app_side side[2];
	uint8_t transport;
	uint8_t app;
	int8_t client; /* as lya_app_result.client_side */
	uint8_t seen;
	uint16_t tls;
	uint16_t tls_version;
	uint16_t messages;    /* datagrams, frames; stops at its maximum */
	uint8_t pseudo_sides; /* bit per side: its TLS was the pseudo-TLS of MS-TURN */
	uint8_t real_sides;   /* bit per side: its TLS was not */
	bool client_conflict; /* both sides sent what names the client */
	bool service;
	bool settled;  /* nothing more to learn from the flow */
	bool payload;  /* a packet carried something */
	bool single;   /* a protocol that one message shows whole */
	bool stun_ice; /* a STUN message with ICE attributes was seen */
	bool not_ice;  /* something else than an ICE check was seen */
	bool headless; /* the first bytes of a side were lost */
	bool rpc_bind; /* DCE/RPC: a bind was seen */
	bool rpc_epm;  /* and it was to the endpoint mapper */

	/* TCP alone */
	uint8_t *scratch; /* lent, LYA_APP_SCRATCH bytes; or NULL */
	struct app_stream stream[2];
};

/* Pieces: a machine asks for n bytes, whatever the segments. */

/* Gather the bytes of a piece of which some are there, or that `in` does not hold whole; app.c. */
const uint8_t *app_piece_gather(struct app_stream *s, struct lya_cursor *in, size_t want);

/*
 * Gather want (<= sizeof side->piece) bytes; NULL until they are there.  The
 * bytes returned are valid until the next piece is asked for.
 */
static inline const uint8_t *app_piece(struct app_stream *s, struct lya_cursor *in, size_t want)
{
	if (s->have == 0 && lya_cursor_left(in) >= want)
		return lya_cursor_take(in, want);
	return app_piece_gather(s, in, want);
}

/* Pass over s->skip bytes; true when none is left. */
static inline bool app_skip(struct app_stream *s, struct lya_cursor *in)
{
	size_t n = lya_cursor_left(in);

	if (n > s->skip)
		n = s->skip;
	lya_cursor_skip(in, n);
	s->skip -= (uint32_t)n;
	return s->skip == 0;
}

enum app_big { APP_BIG_MORE, APP_BIG_READY, APP_BIG_NO };

/*
 * Gather want bytes of any number: in place when `in` holds them all, else in
 * scratch memory.  READY: they are at *out until the next feed.  NO: there is
 * no room for them and nothing was consumed.  MORE: `in` is used up.
 */
enum app_big app_big_piece(struct lya_app_state *st, unsigned side, struct lya_cursor *in,
			   size_t want, const uint8_t **out);

static inline uint16_t app_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* Verdicts. */

/* The flow speaks app.  The first one stays, but for the cases in app.c. */
void app_is(struct lya_app_state *st, enum lya_app app);
/* side's bytes name it the client. */
void app_client_is(struct lya_app_state *st, unsigned side);
/* Nothing more to learn from this side. */
void app_side_done(struct lya_app_state *st, unsigned side);
/* This side goes on in another machine, which starts afresh. */
void app_become(struct lya_app_state *st, unsigned side, enum app_machine machine);
/* One more datagram or frame. */
void app_count_message(struct lya_app_state *st);
/* A protocol of which one message is enough; client is side, !side or -1. */
void app_is_single(struct lya_app_state *st, enum lya_app app, int client);

/*
 * The machine for a stream that begins with the n (<= LYA_APP_PREFIX) bytes
 * at p; APP_SNIFF when more bytes could change the answer.
 */
enum app_machine app_choose(const uint8_t *p, size_t n);

/*
 * One machine.  feed takes bytes from `in` until none is left or until it has
 * named another machine; lost passes over n bytes that were not captured and
 * answers false when the machine cannot go on without them.
 */
void app_tls_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
bool app_tls_lost(struct lya_app_state *st, unsigned side, size_t n);
void app_ssl2_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_line_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_xmpp_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_dns_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_rpc_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_smb_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_tds_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_rdp_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_ssh_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_msturn_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_turn_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);
void app_rfc4571_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);

/* Tell a ClientHello; tls.c. */
void app_tls_client_hello(struct lya_app_state *st, unsigned side,
			  const struct lya_tls_hello *hello);
/* A TLS machine whose hello came in another frame; tls.c. */
void app_tls_hello_seen(struct app_stream *s);

/*
 * Tell the names in the X.509 certificate at der; certname.c.  A certificate
 * that is not well-formed tells what could be read of it, or nothing.
 */
void app_certificate(struct lya_app_state *st, unsigned side, const uint8_t *der, size_t len);

/* A STUN message of a flow, in a datagram or a frame: what it says of the flow. */
void app_stun_message(struct lya_app_state *st, unsigned side, const struct lya_stun *m);

/*
 * Datagrams (and, of RTP, packets in frames): true when recognised.  len bytes
 * of full_len were captured.
 */
bool app_stun_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		       size_t full_len);
bool app_rtp_plausible(const uint8_t *data, size_t len, size_t full_len); /* one packet: a hint */
bool app_rtp_packet(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		    size_t full_len);
bool app_dns_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		      size_t full_len);
bool app_dhcp_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		       size_t full_len);
bool app_ssrp_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		       size_t full_len);
bool app_dtls_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		       size_t full_len);
bool app_line_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
		       size_t full_len);

#endif
