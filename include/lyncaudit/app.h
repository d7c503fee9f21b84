/*
 * app.h - recognise what is spoken, from the first payload of a flow.
 *
 * Knows bytes, not who sent them nor whether that is allowed.  Incremental
 * and bounded: the caller feeds payload as it comes, per side, and may drop
 * the working state once lya_app_done says that more would change nothing.
 * What is kept for good is the small struct lya_app_result.
 *
 * A flow costs no copy beyond its first 16 bytes per side: every recogniser
 * is a machine that takes bytes as they come.  What must be seen whole (a
 * certificate, a server name, a STUN message in a stream, a segment that
 * came too early) is read in place when one segment holds it; otherwise it is
 * put together in scratch memory that the observer may lend.
 */
#ifndef LYNCAUDIT_APP_H
#define LYNCAUDIT_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lyncaudit/addr.h"

enum lya_app {
	LYA_APP_NONE,    /* no payload seen */
	LYA_APP_UNKNOWN, /* payload, but no protocol of ours */
	LYA_APP_TLS,
	LYA_APP_PSEUDO_TLS, /* MS-TURN's imitation of TLS: neither TLS nor cleartext */
	LYA_APP_STUN,
	LYA_APP_MSTURN,
	LYA_APP_RTP,
	LYA_APP_RTCP,
	LYA_APP_SIP,
	LYA_APP_HTTP,
	LYA_APP_DNS,
	LYA_APP_DHCP,
	LYA_APP_XMPP,
	LYA_APP_DCERPC,
	LYA_APP_SMB,
	LYA_APP_SSRP,
	LYA_APP_TDS,
	LYA_APP_RDP,
	LYA_APP_SSH,
	LYA_APP_DTLS,
	LYA_APP_COUNT
};

/* The flow log's name of it: "tls", "pseudo-tls", "stun", ...; never NULL. */
const char *lya_app_name(enum lya_app app);

enum {
	LYA_APP_PREFIX = 16,
	LYA_APP_ICE_MAX = 512 /* datagrams of a flow of nothing but ICE checks that are looked at */
};

/*
 * What is known of a flow's payload; small, kept per flow.
 *
 * service_payload: false for what a load balancer's health probe may carry: no
 * payload, a TLS handshake without data, HTTP GET or HEAD in a small exchange
 * (2 KiB there, 8 KiB back), plain STUN Binding, datagrams of no known protocol.
 *
 * tls: bits only for LYA_APP_TLS and, after STARTTLS, LYA_APP_XMPP.  A handshake
 * is complete when both ..._CCS are there and LYA_TLS_GAP is not.
 *
 * client_side: ICE checks name nobody (both ends send them), nor do SIP requests;
 * -1 too when both sides sent what names the client.
 */
struct lya_app_result {
	uint8_t app;        /* enum lya_app */
	int8_t client_side; /* the side (0, 1) whose bytes name it the client; -1: not known */
	/* TLS: what the handshake showed; bits LYA_TLS_... */
	uint16_t tls;
	uint16_t tls_version;  /* as chosen by the server, 0x0303; 0 when not seen */
	uint8_t seen;          /* bits LYA_SEEN_..., whatever app became */
	bool service_payload;  /* more than a load balancer's health probe carries */
	bool ice;              /* nothing but STUN Binding, every request with ICE attributes */
	uint8_t inherited;      /* enum lya_tls_client: of the handshake that this one resumes */
	uint8_t prefix_len[2]; /* bytes in prefix, per side */
	uint8_t prefix[2][LYA_APP_PREFIX]; /* first payload bytes of each side */
};

/*
 * What was met on the way.  app names one protocol; a TURN flow whose media
 * follow without wrapping, or an XMPP stream that went on in TLS, is two.
 */
enum {
	LYA_SEEN_STUN = 1 << 0,    /* a STUN message, MS-TURN included */
	LYA_SEEN_TURN = 1 << 1,    /* TURN: an allocation, wrapped data, of either dialect */
	LYA_SEEN_TURN_OK = 1 << 2, /* an Allocate success: media may follow on these ports */
	LYA_SEEN_MEDIA = 1 << 3,   /* RTP: three packets of one source in sequence */
	LYA_SEEN_PSEUDO_TLS = 1 << 4,
	LYA_SEEN_STARTTLS = 1 << 5, /* XMPP: TLS began on the same connection */
	LYA_SEEN_CLEAR = 1 << 6     /* XMPP: stanzas or dialback outside TLS */
};

enum {
	LYA_TLS_CLIENT_HELLO = 1 << 0,
	LYA_TLS_SERVER_HELLO = 1 << 1,
	LYA_TLS_SERVER_CERT = 1 << 2,
	LYA_TLS_CERT_REQUEST = 1 << 3,
	LYA_TLS_HELLO_DONE = 1 << 4,
	LYA_TLS_CLIENT_CERT = 1 << 5, /* not empty */
	LYA_TLS_CLIENT_CERT_EMPTY = 1 << 6,
	LYA_TLS_CERT_VERIFY = 1 << 7,
	LYA_TLS_CLIENT_CCS = 1 << 8,
	LYA_TLS_SERVER_CCS = 1 << 9,
	LYA_TLS_APP_DATA = 1 << 10,      /* TLS 1.3: records past the client's Finished, no alert */
	LYA_TLS_RESUMED = 1 << 11,       /* server: hello, then ChangeCipherSpec, no certificate */
	LYA_TLS_RENEGOTIATION = 1 << 12, /* handshake records past both Finished, up to TLS 1.2 */
	LYA_TLS_ALERT = 1 << 13,         /* a fatal alert in clear */
	LYA_TLS_GAP = 1 << 14,           /* bytes were missing inside the handshake */
	LYA_TLS_SSLV2_HELLO = 1 << 15
};

/* How a TLS connection's client stands. */
enum lya_tls_client {
	LYA_TLS_CLIENT_UNKNOWN,   /* hidden, or not seen whole */
	LYA_TLS_CLIENT_PROVEN,    /* a certificate, and the key to it */
	LYA_TLS_CLIENT_ANONYMOUS, /* a handshake without: not asked for, or nothing to offer */
	LYA_TLS_CLIENT_REJECTED   /* a certificate that the server did not accept */
};

/*
 * Read it from what the handshake showed.  A resumed handshake has `inherited`,
 * which whoever remembers sessions has filled in.
 */
enum lya_tls_client lya_app_tls_client(const struct lya_app_result *res);

struct lya_app_state;    /* working state of one flow: plain bytes, may be moved */
struct lya_app_observer; /* who wants details; below */

/* Bytes that a state of that IP protocol (6 or 17) takes: the flow table keeps pools of them. */
size_t lya_app_state_size(uint8_t transport);
/* The state of a stream, which a segment of that side is soon fed to: ask the caches for it. */
void lya_app_ask_ahead(const struct lya_app_state *st, unsigned side);
/* Begin a flow of that protocol in storage of so many bytes. */
void lya_app_init(struct lya_app_state *st, uint8_t transport);
/* Tell details to obs (NULL: to nobody) from now on.  obs must outlive the state. */
void lya_app_observe(struct lya_app_state *st, const struct lya_app_observer *obs);
/*
 * TCP: the first byte that side will send has this sequence number (its SYN's
 * plus one).  Without it a flow's first segment is taken for the beginning.
 */
void lya_app_start(struct lya_app_state *st, unsigned side, uint32_t seq);
/*
 * Feed what one packet carried.  side is 0 or 1; seq the TCP sequence number
 * of data[0] (0 for UDP); len the bytes captured, full_len those that were
 * sent.  An empty UDP datagram is fed too (len 0).  Repeated bytes are passed
 * over.  A segment that comes too early waits in scratch memory for the
 * missing one, as long as there is room and for LYA_APP_PATIENCE segments;
 * without scratch the missing bytes count as lost.
 */
void lya_app_feed(struct lya_app_state *st, unsigned side, uint32_t seq, const uint8_t *data,
		  size_t len, size_t full_len);
/* No more will come: what still waits for missing bytes is taken without them. */
void lya_app_end(struct lya_app_state *st);
/* True once feeding more cannot change the result. */
bool lya_app_done(const struct lya_app_state *st);
/* What is known now. */
void lya_app_result(const struct lya_app_state *st, struct lya_app_result *out);
/*
 * The scratch memory that the state holds, or NULL.  The state lets go of it
 * and must not be fed any more.
 */
void *lya_app_scratch_take(struct lya_app_state *st);
/* The same if nothing waits in it, else NULL.  The state may be fed, and borrow again. */
void *lya_app_scratch_spare(struct lya_app_state *st);

/*
 * A stream whose beginning dribbles in.  Until a side has sent enough for any
 * recogniser to say a word (a TLS record begins with a header, a message's
 * header and 35 fixed bytes; of all others the first 16 bytes decide), its
 * bytes are only kept, which takes a fraction of a state.  Whoever is slow on
 * purpose, with a hundred thousand connections, holds no more than that.
 */
enum { LYA_APP_DRIP = 40 };

struct lya_app_drip {
	uint32_t next_seq[2]; /* of the next byte in order, once known */
	uint8_t len[2];
	bool known[2];
	int8_t first; /* the side that spoke first; -1: none yet */
	uint8_t bytes[2][LYA_APP_DRIP];
};

void lya_app_drip_init(struct lya_app_drip *d);
/* As lya_app_start. */
void lya_app_drip_start(struct lya_app_drip *d, unsigned side, uint32_t seq);
/*
 * As lya_app_feed, of TCP; false when it is time for a state: pour into one,
 * and feed the segment to that.
 */
bool lya_app_drip_feed(struct lya_app_drip *d, unsigned side, uint32_t seq, const uint8_t *data,
		       size_t len, size_t full_len);
/* What was kept goes to a state that has been begun. */
void lya_app_drip_pour(const struct lya_app_drip *d, struct lya_app_state *st);

enum {
	LYA_APP_SCRATCH = 20480, /* bytes of one piece of scratch memory */
	LYA_APP_PATIENCE = 8     /* segments of one side that a missing one is waited for */
};

/* Single messages, for those who look at every packet ------------------------- */

struct lya_stun_addr {
	struct lya_addr addr; /* family 0: not there */
	uint16_t port;
};

/* A STUN, RFC 5766 TURN or MS-TURN message as it lies in one datagram or frame. */
struct lya_stun {
	uint16_t type;   /* message type as sent */
	uint16_t length; /* of the attributes */
	uint8_t id[16];  /* bytes 4..19: cookie and transaction id, or a 16-byte id */
	bool rfc5389;    /* the cookie 2112A442 is there */
	bool msturn;     /* MS-TURN: magic cookie attribute first */
	bool request, response, error, indication; /* exactly one */
	bool binding, allocate;                    /* the method, in any class */
	bool username;                             /* USERNAME is there */
	bool ice;               /* an attribute of connectivity checks (ICE or MS-ICE2) is there */
	bool cut;               /* attributes end before the length says (captured less) */
	bool has_sequence;      /* 8050 MS-Sequence Number */
	uint8_t connection[20]; /* its connection id */
	uint32_t sequence;      /* its counter */
	uint32_t ms_version;    /* 8008; 0 when absent */
	uint16_t error_code;    /* 401, 300, ...; 0 when absent */
	struct lya_stun_addr mapped;    /* the sender of the request as the server saw it */
	struct lya_stun_addr relay;     /* the allocated relay address */
	struct lya_stun_addr alternate; /* alternate server */
};

/*
 * Read a STUN message.  False when data is none.  full_len is the datagram's
 * or frame's length as sent: a STUN message fills it exactly.  Without either
 * magic cookie only a Binding or Shared Secret message of RFC 3489 whose
 * attributes come out even is taken for one.  *out is undefined when it is none.
 */
bool lya_stun_read(const uint8_t *data, size_t len, size_t full_len, struct lya_stun *out);

/*
 * A request of RFC 5389, cookie and all: what lya_stun_read says, too, for who
 * wants to know no more of it than its id.
 */
bool lya_stun_is_request(const uint8_t *data, size_t len, size_t full_len);

/* Details, for those who want them -------------------------------------------- */

/* What a ClientHello or ServerHello says.  Borrowed until the call returns. */
struct lya_tls_hello {
	uint16_t version;   /* client: the highest offered before 1.3; server: chosen */
	uint16_t suite;     /* client: the first offered; server: chosen */
	uint16_t suites;    /* client: how many; server: 1 */
	uint8_t random[32]; /* SSLv2-framed hello: the challenge, zeroes before it */
	uint8_t session_id[32];
	uint8_t session_id_len;
	bool ticket; /* client: a session ticket (0023) that is not empty */
	bool retry;  /* server: HelloRetryRequest */
	bool pseudo; /* as MS-TURN's pseudo-TLS lays it out */
};

enum { LYA_DNS_NAME = 256 };

/*
 * All functions may be NULL; all data is borrowed until the call returns.
 * side is the side that sent it.  A detail that one segment does not hold
 * comes only if scratch memory was lent; nothing is told twice.
 */
struct lya_app_observer {
	void *ctx;
	/*
	 * Lend LYA_APP_SCRATCH bytes to the state that is being fed, or NULL
	 * when there are none.  Asked while the state holds none, each time it
	 * has a use for them; given back by lya_app_scratch_take.
	 */
	void *(*lend)(void *ctx);
	/*
	 * A STUN message, in a datagram or a frame, as long as the flow is not
	 * done: who wants all of them reads datagrams with lya_stun_read.
	 */
	void (*on_stun)(void *ctx, unsigned side, const struct lya_stun *msg);
	void (*on_client_hello)(void *ctx, unsigned side, const struct lya_tls_hello *hello);
	void (*on_server_hello)(void *ctx, unsigned side, const struct lya_tls_hello *hello);
	/* The host name that a ClientHello asks for; comes before on_client_hello. */
	void (*on_sni)(void *ctx, unsigned side, const char *name);
	/* A session ticket: offered by a client (before on_client_hello) or given by a server. */
	void (*on_ticket)(void *ctx, unsigned side, const uint8_t *ticket, size_t len);
	/*
	 * One name of the first certificate of a Certificate message: the
	 * subject's common name or a dNSName; printable ASCII, in the order of
	 * the certificate, at most LYA_CERT_NAMES_MAX.
	 */
	void (*on_cert_name)(void *ctx, unsigned side, const char *name, bool common_name);
	/* The endpoint mapper named a TCP port of this side's host. */
	void (*on_epm_port)(void *ctx, unsigned side, uint16_t port);
	/* SQL Browser named an instance and its TCP port (0: none) on this side's host. */
	void (*on_sql_instance)(void *ctx, unsigned side, const char *instance, uint16_t port);
};

enum { LYA_CERT_NAMES_MAX = 64 };

#endif
