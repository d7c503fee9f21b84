/*
 * app.h - recognise what is spoken, from the first payload of a flow.
 *
 * Knows bytes, not who sent them nor whether that is allowed.  Incremental
 * and bounded: the caller feeds payload as it comes, per side, and may drop
 * the working state once lya_app_done says that more would change nothing.
 * What is kept for good is the small struct lya_app_result.
 */
#ifndef LYNCAUDIT_APP_H
#define LYNCAUDIT_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

enum { LYA_APP_PREFIX = 16 };

/* What is known of a flow's payload; small, kept per flow. */
struct lya_app_result {
	uint8_t app;        /* enum lya_app */
	int8_t client_side; /* the side (0, 1) whose bytes name it the client; -1: not known */
	/* TLS: what the handshake showed; bits LYA_TLS_... */
	uint16_t tls;
	uint16_t tls_version;    /* as chosen by the server, 0x0303; 0 when not seen */
	bool service_payload;    /* more than a probe carries: see lya_app_feed */
	bool ice;                /* every message was a STUN Binding with ICE attributes */
	uint8_t prefix_len[2];   /* bytes in prefix, per side */
	uint8_t prefix[2][LYA_APP_PREFIX]; /* first payload bytes of each side */
};

enum {
	LYA_TLS_CLIENT_HELLO = 1 << 0,
	LYA_TLS_SERVER_HELLO = 1 << 1,
	LYA_TLS_SERVER_CERT = 1 << 2,
	LYA_TLS_CERT_REQUEST = 1 << 3,
	LYA_TLS_HELLO_DONE = 1 << 4,
	LYA_TLS_CLIENT_CERT = 1 << 5,       /* not empty */
	LYA_TLS_CLIENT_CERT_EMPTY = 1 << 6,
	LYA_TLS_CERT_VERIFY = 1 << 7,
	LYA_TLS_CLIENT_CCS = 1 << 8,
	LYA_TLS_SERVER_CCS = 1 << 9,
	LYA_TLS_APP_DATA = 1 << 10,         /* application data records, TLS 1.3's handshake excepted where it can be told */
	LYA_TLS_RESUMED = 1 << 11,
	LYA_TLS_RENEGOTIATION = 1 << 12,
	LYA_TLS_ALERT = 1 << 13,
	LYA_TLS_GAP = 1 << 14,              /* bytes were missing inside the handshake */
	LYA_TLS_SSLV2_HELLO = 1 << 15
};

struct lya_app_state; /* working state of one flow */

/* Bytes that one state takes: the flow table keeps pools of them. */
size_t lya_app_state_size(void);
/* Begin a flow of the given IP protocol (6 or 17) in storage of lya_app_state_size() bytes. */
void lya_app_init(struct lya_app_state *st, uint8_t transport);
/*
 * Feed what one packet carried.  side is 0 or 1; seq the TCP sequence number
 * of data[0] (0 for UDP; use rel = "seen so far" order otherwise); len the
 * bytes captured, full_len those that were sent.  An empty UDP datagram is
 * fed too (len 0).  In-order and slightly reordered segments are put together
 * within a small window.
 */
void lya_app_feed(struct lya_app_state *st, unsigned side, uint32_t seq, const uint8_t *data,
                  size_t len, size_t full_len);
/* True once feeding more cannot change the result. */
bool lya_app_done(const struct lya_app_state *st);
/* What is known now. */
void lya_app_result(const struct lya_app_state *st, struct lya_app_result *out);

/* Single messages, for those who look at every packet ------------------------- */

/* A STUN, RFC 5766 TURN or MS-TURN message as it lies in one datagram or frame. */
struct lya_stun {
	uint16_t type;            /* message type as sent */
	uint16_t length;          /* of the attributes */
	uint8_t id[16];           /* bytes 4..19: cookie and transaction id, or a 16-byte id */
	bool rfc5389;             /* the cookie 2112A442 is there */
	bool msturn;              /* MS-TURN: magic cookie attribute first */
	bool request, response, error, indication;
	bool binding, allocate;
	bool ice;                 /* PRIORITY, USE-CANDIDATE, ICE-CONTROLLED or -CONTROLLING seen */
	bool cut;                 /* attributes end before the length says (captured less) */
	uint32_t ms_version;      /* 8008; 0 when absent */
};

/*
 * Read a STUN header and what is simple to see in the attributes.  False when
 * data is no STUN message.  full_len is the datagram's length as sent: a STUN
 * message fills it exactly.
 */
bool lya_stun_read(const uint8_t *data, size_t len, size_t full_len, struct lya_stun *out);

#endif
