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

enum app_machine {
	APP_SNIFF, /* not chosen yet: fewer bytes than app_choose needs */
	APP_DEAD,  /* nothing more to learn from this side */
	APP_TLS_MACHINE,
	APP_LINE_MACHINE,
	APP_MACHINES
};

/* tls.c */
struct app_tls {
	uint8_t rec_hdr[5];
	uint8_t rec_have;
	uint8_t rec_type;
	uint8_t msg_hdr[4];
	uint8_t msg_have;
	uint8_t msg_type;
	uint8_t step;         /* inside the message */
	uint8_t flags;
	uint16_t rec_left;    /* bytes left in the record */
	uint16_t part_left;   /* bytes left in the list that is walked */
	uint16_t ext_type;
	uint16_t rec_len;
	uint32_t msg_left;    /* bytes left in the message */
	uint16_t records;     /* counted up to a bound */
	struct lya_tls_hello hello;
};

/* line.c */
struct app_line {
	uint8_t step;
	uint8_t token_len;
	uint8_t digits;
	bool probe;
	uint16_t bytes;
	char token[16];
};

struct app_side {
	uint32_t next_seq;  /* TCP: of the next byte in order */
	uint32_t skip;      /* bytes to pass over before the machine's next piece */
	uint32_t bytes;     /* payload fed, lost bytes included; stops at its maximum */
	uint32_t held_seq;  /* of the first byte that waits in scratch memory */
	uint16_t held;      /* bytes that wait; 0: none */
	uint16_t big_have;  /* bytes of a big piece in scratch memory */
	uint8_t held_wait;  /* segments since it waits */
	uint8_t packets;    /* with payload; stops at its maximum */
	bool seq_known;
	bool recognised;    /* the machine is sure of its protocol */
	uint8_t machine;    /* enum app_machine */
	uint8_t head_len;
	uint8_t have;       /* bytes in piece */
	uint8_t head[LYA_APP_PREFIX];
	uint8_t piece[36];
	union {
		struct app_tls tls;
		struct app_line line;
	} u;
};

struct lya_app_state {
	const struct lya_app_observer *obs; /* borrowed; may be NULL */
	uint8_t *scratch;                   /* lent, LYA_APP_SCRATCH bytes; or NULL */
	struct app_side side[2];
	uint8_t transport;
	uint8_t app;
	int8_t client;          /* as lya_app_result.client_side */
	uint8_t seen;
	uint16_t tls;
	uint16_t tls_version;
	bool client_conflict;   /* both sides sent what names the client */
	bool service;
	bool settled;           /* nothing more to learn from the flow */
	bool payload;           /* a packet carried something */
	bool stun_ice;          /* a Binding request with ICE attributes was seen */
	bool not_ice;           /* something else than an ICE check was seen */
};

/* Pieces: a machine asks for n bytes, whatever the segments. */

/*
 * Gather want (<= sizeof side->piece) bytes; NULL until they are there.  The
 * bytes returned are valid until the next piece is asked for.
 */
const uint8_t *app_piece(struct app_side *s, struct lya_cursor *in, size_t want);
/* Pass over s->skip bytes; true when none is left. */
bool app_skip(struct app_side *s, struct lya_cursor *in);

/* Verdicts. */

/* The flow speaks app.  The first one stays, with the exceptions that result.c knows. */
void app_is(struct lya_app_state *st, enum lya_app app);
/* side's bytes name it the client. */
void app_client_is(struct lya_app_state *st, unsigned side);
/* Nothing more to learn from this side. */
void app_side_done(struct lya_app_state *st, unsigned side);

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
void app_line_feed(struct lya_app_state *st, unsigned side, struct lya_cursor *in);

/* A STUN message of a flow, in a datagram or a frame: what it says of the flow. */
void app_stun_message(struct lya_app_state *st, unsigned side, const struct lya_stun *m);

/* Datagrams: true when recognised. */
bool app_stun_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len,
                       size_t full_len);
bool app_line_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len);
bool app_dns_datagram(struct lya_app_state *st, unsigned side, const uint8_t *data, size_t len);

/* True when the len bytes at data are a DNS message; *query tells which kind. */
bool app_dns_read(const uint8_t *data, size_t len, bool *query);

#endif
