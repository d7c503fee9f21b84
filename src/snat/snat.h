/*
 * snat.h - what the files of this module share.
 *
 *	packet, message, hello ---> places.c: is an end an A/V node or VIP?
 *	                               |
 *	        transaction.c, connection.c: the other leg, in tables (table.c)
 *	                               |
 *	              notes at the flows that show it (note.c) ---> evidence.c
 */
#ifndef LYNCAUDIT_SRC_SNAT_H
#define LYNCAUDIT_SRC_SNAT_H

#include "lyncaudit/hash.h"
#include "lyncaudit/snat.h"

/* places.c: the addresses that matter ------------------------------------------- */

/* A declared A/V Edge node or VIP, outside or inside. */
struct snat_place {
	struct lya_addr addr;
	int32_t pool;
	bool vip;      /* else a node */
	bool internal; /* the Edge's internal interface, or the VIP before it */
	uint32_t number; /* of external VIPs, and of external nodes: 0, 1, ... */
};

struct snat_ports {
	bool any;
	uint64_t bits[(UINT16_MAX + 1) / 64];
};

/* A bit for each of some addresses, by its end: most others are told by it. */
enum { SNAT_SIEVE = 4096 };

struct snat_sieve {
	uint64_t bits[SNAT_SIEVE / 64];
};

struct snat_places {
	struct snat_place *list;
	size_t n;
	uint32_t *slots; /* number in list plus one; 0: free */
	size_t mask;
	struct lya_addr *balancers; /* VIPs and single addresses of balancers, sorted */
	size_t n_balancers;
	bool balancer_networks;     /* there are more, as networks */
	struct snat_sieve sieve, balancer_sieve;
	uint32_t n_vips, n_nodes;   /* external */
	struct snat_ports relay;    /* ports of the A/V Edge's relay */
	struct snat_ports tcp[2];   /* A/V ports of the VIPs, outside and inside */
};

int snat_places_init(struct snat_places *p, const struct lya_policy *policy);
void snat_places_fini(struct snat_places *p);
const struct snat_place *snat_place_at(const struct snat_places *p, const struct lya_addr *addr);
/* False: one end at least may be a place. */
bool snat_is_elsewhere(const struct snat_places *p, const struct lya_packet *pkt);
/* The same of two addresses of one family; true: one at least may be. */
bool snat_may_be_beside(const struct snat_places *p, const struct lya_addr ends[static 2]);
/* One of the balancers' single addresses. */
bool snat_is_balancer_address(const struct snat_places *p, const struct lya_addr *addr);
bool snat_has_port(const struct snat_ports *ports, uint16_t port);
/* The node is one of those behind the VIP. */
static inline bool snat_serves(const struct snat_place *vip, const struct snat_place *node)
{
	return vip->vip && !node->vip && vip->internal == node->internal && vip->pool == node->pool;
}

/* table.c: a bounded table, the oldest of which make room -------------------------- */

struct snat_item {
	uint32_t hash;
	bool used;
	bool cut;       /* not to be found any more: too many had its key */
	uint16_t marks; /* its owner's; 0 in a new one */
};

struct snat_slot {
	uint32_t hash;
	uint32_t item; /* 0: free */
};

struct snat_table {
	uint8_t *items; /* of cap items; number 1 is the first */
	struct snat_slot *slots;
	size_t size, key_at, key_len;
	size_t clear; /* bytes of a new item that are made zero */
	uint32_t cap, mask, next;
	bool is_full; /* every item was used */
	struct lya_hash_key key;
};

/* Items are structs of `size` bytes that begin with a snat_item; key_at + key_len <= clear. */
int snat_table_init(struct snat_table *t, size_t size, size_t key_at, size_t key_len,
		    size_t clear, size_t bytes);
void snat_table_fini(struct snat_table *t);
uint32_t snat_table_hash(const struct snat_table *t, const void *key);
/*
 * What is known of that hash is wanted soon: first its slot is asked for, and the slot that
 * would be given up for it were it new, as the nth of a few; then its item.
 */
void snat_table_ask(const struct snat_table *t, uint32_t hash, uint32_t nth);
void snat_table_ask_item(const struct snat_table *t, uint32_t hash);
/* The newest item with that key, NULL: none; and the next older one. */
void *snat_table_find(const struct snat_table *t, uint32_t hash, const void *key);
void *snat_table_again(const struct snat_table *t, const void *item);
/* The item that the next snat_table_put overwrites; NULL: none. */
void *snat_table_oldest(const struct snat_table *t);
/* A new item with that key, its first `clear` bytes zero but for it; never fails. */
void *snat_table_put(struct snat_table *t, uint32_t hash, const void *key);
/* Item number n (from 1); NULL when there is none: items are used in order. */
void *snat_table_at(const struct snat_table *t, uint32_t n);

/* note.c: what is known of a flow ---------------------------------------------------- */

struct snat_note_key {
	struct lya_addr addr[2]; /* the lower end first, as in struct lya_flow */
	uint16_t port[2];
	uint8_t transport;
	uint8_t zero;
};

struct snat_note {
	struct snat_item item;
	struct snat_note_key key;
	int64_t first_ns, last_ns;
	bool counted; /* a connection that stands in the sums */
	struct lya_snat_evidence found;
};

/* The note of a leg's flow, made when there is none. */
struct snat_note *snat_note(struct lya_snat *s, const struct lya_snat_leg *leg, uint8_t transport);
/* The note of a leg's flow; NULL: none. */
struct snat_note *snat_note_find(const struct lya_snat *s, const struct lya_snat_leg *leg,
				 uint8_t transport);
struct snat_note *snat_note_of(const struct lya_snat *s, const struct lya_flow *flow);
void snat_note_proof(const struct lya_snat *s, struct snat_note *note,
		     const struct lya_snat_proof *proof, bool proven, bool internal);
void snat_note_relay(const struct lya_snat *s, struct snat_note *note,
		     const struct lya_snat_relay *relay);

/* transaction.c, connection.c ---------------------------------------------------------- */

enum snat_state { SNAT_OPEN, SNAT_PRESERVED, SNAT_REWRITTEN };

/* What a leg keeps beside the sighting's time and client. */
enum { SNAT_PACKET_BITS = 44, SNAT_SOURCE_BITS = 20, SNAT_PLACE_BITS = 24 };

/* A struct lya_snat_leg, in the bytes that there are for it. */
struct snat_sight {
	int64_t time_ns;
	uint8_t client[16];
	uint64_t packet : SNAT_PACKET_BITS;
	uint64_t source : SNAT_SOURCE_BITS;
	uint64_t client_port : 16;
	uint64_t server_port : 16;
	uint64_t place : SNAT_PLACE_BITS; /* the server, in the list of places */
	uint64_t digits : 4;
	uint64_t is_ipv4 : 1;             /* the client's address */
};

/* Two cache lines: most are seen once, and fill the first. */
struct snat_transaction {
	struct snat_item item; /* marks: transaction.c */
	uint8_t id[16];
	struct snat_sight legs[2]; /* in the order seen */
	int64_t last_ns;           /* of sightings after the first */
	uint64_t sums;             /* where it was counted, plus one; 0: nowhere */
	uint64_t unused;
};

_Static_assert(sizeof(struct snat_transaction) == 128, "two cache lines");

struct snat_connection {
	struct snat_item item;
	uint8_t value[LYA_SNAT_VALUE]; /* the key: ISN or random, zeroes behind it */
	uint8_t key;                   /* enum lya_snat_key */
	uint8_t state;
	bool repeated;                 /* other connections have the same random */
	bool told;                     /* counted as unpaired */
	bool has_ts;
	uint32_t ts;                   /* TCP timestamp */
	int16_t wscale;                /* -1: not offered */
	struct lya_snat_leg client;    /* leg to the VIP */
	struct lya_snat_leg node;      /* the other one, once paired */
};

enum { SNAT_BATCH = LYA_SNAT_BATCH };

/*
 * A message with that id (16 bytes) is taken soon, as the nth, in which case hash is
 * what this gives; first all of them are asked for, then all are looked up.
 */
uint32_t snat_transaction_ask(const struct lya_snat *s, const uint8_t *id, uint32_t nth);
void snat_transaction_look_up(const struct lya_snat *s, uint32_t hash);
void snat_transaction_take(struct lya_snat *s, const struct lya_packet *pkt,
			   const struct lya_stun *msg, uint32_t hash);
/* The same of a request with that id (16 bytes). */
void snat_transaction_request(struct lya_snat *s, const struct lya_packet *pkt, const uint8_t *id,
			      uint32_t hash);
void snat_connection_syn(struct lya_snat *s, const struct lya_packet *pkt);
void snat_connection_hello(struct lya_snat *s, const struct lya_packet *pkt,
			   const struct lya_tls_hello *hello);
/* No other leg was seen of it, and that is not counted yet. */
bool snat_transaction_is_alone(const struct snat_transaction *t);
bool snat_connection_is_alone(const struct lya_snat *s, const struct snat_connection *c);
/* Count it as unpaired if no other leg can come any more. */
void snat_transaction_end(struct lya_snat *s, struct snat_transaction *t);
void snat_connection_end(struct lya_snat *s, struct snat_connection *c);
/* Items whose last word is spoken. */
void snat_transaction_close(struct lya_snat *s, const struct snat_transaction *t, bool dropped);
void snat_connection_close(struct lya_snat *s, const struct snat_connection *c, bool dropped);

/* ----------------------------------------------------------------------------------------- */

struct lya_snat {
	const struct lya_policy *policy;
	struct lya_snat_options options;
	struct snat_places places;
	struct snat_table transactions, connections, notes;
	struct lya_snat_sums *sums; /* of external VIP i and node k: [i * n_nodes + k] */
	struct lya_snat_stats stats;
	int64_t now_ns;
	bool finished;
};

enum {
	SNAT_TRANSACTION_MS = 2000, /* a balancer's other leg, retransmissions aside */
	SNAT_CONNECTION_MS = 1000   /* policy-model: within a second */
};

/* Time between two packets; far apart ones are as far apart as can be said. */
static inline int64_t snat_between(int64_t earlier_ns, int64_t later_ns)
{
	int64_t ns;

	if (__builtin_sub_overflow(later_ns, earlier_ns, &ns))
		return later_ns < earlier_ns ? INT64_MIN : INT64_MAX;
	return ns;
}

/* The leg that a packet shows; answer: it comes from the server. */
void snat_leg_of(const struct lya_packet *pkt, bool answer, struct lya_snat_leg *leg);
bool snat_same_client(const struct lya_snat_leg *a, const struct lya_snat_leg *b);
bool snat_same_leg(const struct lya_snat_leg *a, const struct lya_snat_leg *b);
/* The observer hears of a packet at one of the places. */
static inline void snat_observe(const struct lya_snat *s, const struct lya_packet *pkt)
{
	if (s->options.observer.sight != NULL)
		s->options.observer.sight(s->options.observer.ctx, pkt);
}
/* A VIP or an address of a load balancer. */
bool snat_is_balancer(const struct lya_snat *s, const struct lya_addr *addr);
enum lya_place snat_place_of_source(const struct lya_snat *s, uint32_t source);
/* Where an external VIP and node are summed, plus one; 0: nowhere. */
uint32_t snat_sums_of(const struct lya_snat *s, const struct snat_place *vip,
		      const struct snat_place *node);

#endif
