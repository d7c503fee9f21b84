/*
 * sessions.h - TLS sessions that may be resumed, and how their clients stood.
 */
#ifndef LYNCAUDIT_FLOW_SESSIONS_H
#define LYNCAUDIT_FLOW_SESSIONS_H

#include "lyncaudit/app.h"

/* Ten hours, for how long Windows' servers keep a session by default; in packet time. */
enum { FLOW_SESSION_S = 36000 };

struct flow_session;

/*
 * A cache of fixed size.  Sessions stand in small sets; in a full one the oldest
 * makes room.  The hash is not keyed at random, so that two runs agree on which
 * one that is: who makes up collisions loses what is known of his own sessions.
 */
struct flow_sessions {
	struct flow_session *list; /* n_sets * FLOW_SESSION_WAYS */
	uint32_t n_sets;           /* a power of two */
};

int flow_sessions_init(struct flow_sessions *s, size_t bytes);
void flow_sessions_fini(struct flow_sessions *s);
/* A session id or a ticket in short; 0: none. */
uint64_t flow_session_name(const uint8_t *id, size_t len);
/* With the server's address and port it names a session; 0 stays 0. */
uint64_t flow_session_key(const struct lya_addr *server, uint16_t port, uint64_t name);
/* Key 0 is no session: nothing is kept. */
void flow_session_put(struct flow_sessions *s, uint64_t key, int64_t now_ns,
		      enum lya_tls_client client);
/* LYA_TLS_CLIENT_UNKNOWN: not seen, too old, or forgotten. */
enum lya_tls_client flow_session_get(const struct flow_sessions *s, uint64_t key, int64_t now_ns);

#endif
