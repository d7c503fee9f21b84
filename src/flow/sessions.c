/*
 * sessions.c - a resumed TLS handshake shows no certificates; it has the
 * standing of the full one that made its session (protocol-facts 5.3).
 */
#include "flow/sessions.h"

#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"
#include "lyncaudit/status.h"
#include "lyncaudit/timeutil.h"

enum { FLOW_SESSION_WAYS = 4, SETS_MIN = 64 };

/* Of packet time no more is asked than seconds, modulo 136 years: a set is one cache line. */
struct flow_session {
	uint64_t key; /* 0: free */
	uint32_t time_s;
	uint8_t client; /* enum lya_tls_client */
};

_Static_assert(FLOW_SESSION_WAYS * sizeof(struct flow_session) == 64, "a set is a cache line");

static uint32_t seconds_of(int64_t ns)
{
	return (uint32_t)(ns / LYA_SECOND_NS);
}

/* Negative where the clock stepped back meanwhile. */
static int32_t age_s(const struct flow_session *session, uint32_t now_s)
{
	return (int32_t)(now_s - session->time_s);
}

int flow_sessions_init(struct flow_sessions *s, size_t bytes)
{
	size_t sets = SETS_MIN;

	while (2 * sets * FLOW_SESSION_WAYS * sizeof(*s->list) <= bytes && sets < UINT32_MAX / 2)
		sets *= 2;
	s->n_sets = (uint32_t)sets;
	s->list = lya_map_pages(sets * FLOW_SESSION_WAYS * sizeof(*s->list));
	return s->list == NULL ? LYA_ENOMEM : LYA_OK;
}

void flow_sessions_fini(struct flow_sessions *s)
{
	lya_unmap_pages(s->list, (size_t)s->n_sets * FLOW_SESSION_WAYS * sizeof(*s->list));
}

static const struct lya_hash_key plain = { UINT64_C(0x9e3779b97f4a7c15),
					   UINT64_C(0xc2b2ae3d27d4eb4f) };

uint64_t flow_session_name(const uint8_t *id, size_t len)
{
	return len == 0 ? 0 : lya_hash(&plain, id, len) | 1;
}

uint64_t flow_session_key(const struct lya_addr *server, uint16_t port, uint64_t name)
{
	struct {
		struct lya_addr server;
		uint16_t port;
		uint64_t name;
	} all;

	if (name == 0)
		return 0;
	memset(&all, 0, sizeof(all)); /* padding is hashed */
	memcpy(&all.server, server, sizeof(all.server));
	all.port = port;
	all.name = name;
	return lya_hash(&plain, &all, sizeof(all)) | 1;
}

static struct flow_session *set_of(const struct flow_sessions *s, uint64_t key)
{
	return s->list + (size_t)(key >> 32 & (s->n_sets - 1)) * FLOW_SESSION_WAYS;
}

void flow_session_put(struct flow_sessions *s, uint64_t key, int64_t now_ns,
		      enum lya_tls_client client)
{
	uint32_t now_s = seconds_of(now_ns);
	struct flow_session *set, *place;

	if (key == 0)
		return;
	place = set = set_of(s, key);
	for (unsigned i = 0; i < FLOW_SESSION_WAYS; i++) {
		if (set[i].key == key || set[i].key == 0) {
			place = &set[i];
			break;
		}
		if (age_s(&set[i], now_s) > age_s(place, now_s))
			place = &set[i];
	}
	*place = (struct flow_session){ key, now_s, (uint8_t)client };
}

enum lya_tls_client flow_session_get(const struct flow_sessions *s, uint64_t key, int64_t now_ns)
{
	const struct flow_session *set;

	if (key == 0)
		return LYA_TLS_CLIENT_UNKNOWN;
	set = set_of(s, key);
	for (unsigned i = 0; i < FLOW_SESSION_WAYS; i++) {
		if (set[i].key == key && age_s(&set[i], seconds_of(now_ns)) <= FLOW_SESSION_S)
			return (enum lya_tls_client)set[i].client;
	}
	return LYA_TLS_CLIENT_UNKNOWN;
}
