/*
 * fragment.c - later fragments find the ports of their head, UDP datagrams are
 * put together.
 *
 *	key (ends, IP id, protocol, tunnel) -> datagram -> held fragments
 *	                                                -> bytes (UDP)
 *
 * A datagram is remembered from its first fragment for LYA_FRAGMENT_TIMEOUT_S,
 * finished ones too: mirrors send late copies.  Everything comes from pools of
 * fixed size but the bytes, which are counted; when a pool is empty the oldest
 * datagram goes.  Without memory for its bytes a datagram still gives ports.
 *
 * The first bytes seen for a place win.  What contradicts them is noted, and
 * the datagram is not put together: nobody can say what its receiver read.
 */
#include "reasm/reasm.h"

#include <assert.h>
#include <string.h>

#include "lyncaudit/alloc.h"
#include "lyncaudit/hash.h"

enum { NONE = -1 };

enum {
	UNIT = 8, /* fragments begin at multiples of it */
	DATAGRAM_MAX = 65536,
	FIRST_CAPACITY = 4096, /* most fragmented datagrams are two or three packets long */
	UDP_LEN = 8,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	HEADER_KEPT = 64, /* of a held packet's IP header */
	/* A second head for a datagram this old is a new datagram whose id came again. */
	REUSE_NS = 500000000
};

/* The bytes of one datagram, from the transport header on. */
struct datagram_bytes {
	struct datagram_bytes *next; /* among those delivered */
	size_t capacity;             /* multiple of UNIT */
	uint8_t seen[DATAGRAM_MAX / UNIT / 8];
	uint8_t data[];
};

/* Zeroed before it is filled: it is compared and hashed as bytes. */
struct datagram_key {
	struct lya_addr src, dst;
	uint8_t transport;
	uint8_t tunnel;
	uint32_t ip_id;
	uint32_t tunnel_id;
};

struct datagram {
	struct datagram_key key;
	int64_t first_ns;
	struct datagram_bytes *bytes; /* owned; NULL: none yet, finished, or spoilt */
	uint32_t total;               /* of the transport header and payload; 0: end not seen */
	uint32_t have;                /* of it, in `bytes` */
	uint32_t reach;               /* the largest end of a fragment seen */
	uint16_t sport, dport;
	bool head_seen;
	bool is_tunnel;          /* the head was opened: no flow of its own */
	bool whole;              /* put together and delivered */
	bool spoilt;             /* cannot be: cut, contradictory, or no memory */
	int32_t next;            /* in its hash chain, or among the free */
	int32_t older, newer;    /* in order of first_ns */
	int32_t held, held_last; /* chain of held packets, in order of arrival */
};

struct held {
	struct lya_packet pkt;
	uint8_t macs[12];
	uint8_t ip[HEADER_KEPT];
	int32_t next; /* of the same datagram, or among the free */
};

struct fragments {
	struct lya_hash_key hash_key;
	struct datagram *datagrams;
	struct held *held;
	int32_t *chains;             /* by hash: the first datagram, plus 1; 0: none */
	struct lya_packet *released; /* room for all that can be held */
	int32_t *released_slots;     /* their places in `held`, free at the next batch */
	uint32_t *released_at;       /* which packet of the batch they go before */
	size_t place;                /* that of what is released now */
	size_t n_datagrams, n_held, n_chains, n_released;
	size_t used_datagrams, used_held; /* places that were ever used */
	int32_t free_datagram, free_held;
	int32_t oldest, newest;
	struct datagram_bytes *spent; /* delivered within this batch */
	size_t bytes, bytes_peak, bytes_max;
	size_t fixed_bytes;
	int64_t now_ns;
	bool nomem; /* an allocation failed: what was promised of messages does not hold */
	struct lya_reasm_stats stats;
};

static size_t size_of(const struct datagram_bytes *b)
{
	return sizeof(*b) + b->capacity;
}

/* Room for n elements, nothing touched before it is used; NULL when out of memory. */
static void *pool(struct fragments *f, size_t n, size_t size)
{
	f->fixed_bytes += n * size;
	return lya_map_pages(n * size);
}

struct fragments *fragments_new(size_t max_bytes)
{
	struct fragments *f = lya_calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	/* Half for the pools (a held packet is there twice: held and released), half for bytes. */
	f->n_held = max_bytes / 4 / (sizeof(*f->held) + sizeof(*f->released) +
				   sizeof(int32_t) + sizeof(uint32_t));
	f->n_datagrams = max_bytes / 4 / (sizeof(*f->datagrams) + sizeof(*f->chains));
	f->n_chains = 1;
	while (2 * f->n_chains <= f->n_datagrams)
		f->n_chains *= 2;
	f->bytes_max = max_bytes / 2;
	f->hash_key = lya_hash_key_random();
	f->free_datagram = f->free_held = NONE;
	f->oldest = f->newest = NONE;
	f->datagrams = pool(f, f->n_datagrams, sizeof(*f->datagrams));
	f->held = pool(f, f->n_held, sizeof(*f->held));
	f->chains = pool(f, f->n_chains, sizeof(*f->chains));
	f->released = pool(f, f->n_held, sizeof(*f->released));
	f->released_slots = pool(f, f->n_held, sizeof(*f->released_slots));
	f->released_at = pool(f, f->n_held, sizeof(*f->released_at));
	if (f->datagrams == NULL || f->held == NULL || f->chains == NULL || f->released == NULL ||
	    f->released_slots == NULL || f->released_at == NULL) {
		fragments_free(f);
		return NULL;
	}
	return f;
}

/* Free bytes that nobody borrows any more. */
static void free_spent(struct fragments *f)
{
	while (f->spent != NULL) {
		struct datagram_bytes *b = f->spent;

		f->spent = b->next;
		f->bytes -= size_of(b);
		lya_free(b);
	}
}

void fragments_free(struct fragments *f)
{
	if (f == NULL)
		return;
	for (int32_t i = f->oldest; i != NONE; i = f->datagrams[i].newer)
		lya_free(f->datagrams[i].bytes);
	free_spent(f);
	lya_unmap_pages(f->datagrams, f->n_datagrams * sizeof(*f->datagrams));
	lya_unmap_pages(f->held, f->n_held * sizeof(*f->held));
	lya_unmap_pages(f->chains, f->n_chains * sizeof(*f->chains));
	lya_unmap_pages(f->released, f->n_held * sizeof(*f->released));
	lya_unmap_pages(f->released_slots, f->n_held * sizeof(*f->released_slots));
	lya_unmap_pages(f->released_at, f->n_held * sizeof(*f->released_at));
	lya_free(f);
}

/* A free place: one that was given back, or the next that was never used; NONE when full. */
static int32_t take_datagram(struct fragments *f)
{
	int32_t i = f->free_datagram;

	if (i != NONE) {
		f->free_datagram = f->datagrams[i].next;
		return i;
	}
	if (f->used_datagrams == f->n_datagrams)
		return NONE;
	return (int32_t)f->used_datagrams++;
}

static int32_t take_held(struct fragments *f)
{
	int32_t i = f->free_held;

	if (i != NONE) {
		f->free_held = f->held[i].next;
		return i;
	}
	if (f->used_held == f->n_held)
		return NONE;
	return (int32_t)f->used_held++;
}

static int32_t *chain_of(const struct fragments *f, const struct datagram_key *key)
{
	return &f->chains[lya_hash(&f->hash_key, key, sizeof(*key)) & (f->n_chains - 1)];
}

static void set_key(struct datagram_key *key, const struct lya_packet *pkt)
{
	memset(key, 0, sizeof(*key));
	key->src = pkt->src;
	key->dst = pkt->dst;
	key->transport = pkt->transport;
	key->tunnel = pkt->path.tunnel;
	key->ip_id = pkt->ip_id;
	key->tunnel_id = pkt->path.tunnel_id;
}

static struct datagram *find(const struct fragments *f, const struct datagram_key *key)
{
	for (int32_t i = *chain_of(f, key); i != 0; i = f->datagrams[i - 1].next)
		if (memcmp(&f->datagrams[i - 1].key, key, sizeof(*key)) == 0)
			return &f->datagrams[i - 1];
	return NULL;
}

static int32_t index_of(const struct fragments *f, const struct datagram *d)
{
	return (int32_t)(d - f->datagrams);
}

/* A later fragment becomes a packet of its flow; d is NULL when the head never came. */
static void resolve(struct fragments *f, const struct datagram *d, struct lya_packet *pkt)
{
	pkt->payload.pos = pkt->payload.end; /* no message begins here */
	if (d == NULL) {
		f->stats.given_up++;
		return;
	}
	if (d->is_tunnel) {
		pkt->kind = LYA_PKT_OTHER_IP;
		f->stats.tunnels++;
		return;
	}
	pkt->kind = d->key.transport == PROTO_TCP ? LYA_PKT_TCP : LYA_PKT_UDP;
	pkt->sport = d->sport;
	pkt->dport = d->dport;
	pkt->seq = 0;
	pkt->ack = 0;
	pkt->window = 0;
}

/* Let go what waited for d's head: with its ports, or without when it never came. */
static void release(struct fragments *f, struct datagram *d)
{
	for (int32_t i = d->held; i != NONE; i = f->held[i].next) {
		struct lya_packet *out = &f->released[f->n_released];

		*out = f->held[i].pkt;
		resolve(f, d->head_seen ? d : NULL, out);
		f->released_at[f->n_released] = (uint32_t)f->place;
		f->released_slots[f->n_released++] = i;
	}
	d->held = d->held_last = NONE;
}

/* Nobody borrows the bytes of a datagram that was not delivered. */
static void drop_bytes(struct fragments *f, struct datagram *d)
{
	if (d->bytes == NULL)
		return;
	f->bytes -= size_of(d->bytes);
	lya_free(d->bytes);
	d->bytes = NULL;
}

static void spoil(struct fragments *f, struct datagram *d)
{
	d->spoilt = true;
	drop_bytes(f, d);
}

/* What a datagram knows at its beginning; key and links stay. */
static void start(struct datagram *d, int64_t first_ns)
{
	assert(d->bytes == NULL && "bytes were dropped");
	d->first_ns = first_ns;
	d->total = 0;
	d->have = 0;
	d->reach = 0;
	d->sport = 0;
	d->dport = 0;
	d->head_seen = false;
	d->is_tunnel = false;
	d->whole = false;
	d->spoilt = false;
	d->held = d->held_last = NONE;
}

static void age_unlink(struct fragments *f, struct datagram *d)
{
	if (d->older != NONE)
		f->datagrams[d->older].newer = d->newer;
	else
		f->oldest = d->newer;
	if (d->newer != NONE)
		f->datagrams[d->newer].older = d->older;
	else
		f->newest = d->older;
}

static void age_append(struct fragments *f, struct datagram *d)
{
	int32_t i = index_of(f, d);

	d->older = f->newest;
	d->newer = NONE;
	if (f->newest != NONE)
		f->datagrams[f->newest].newer = i;
	else
		f->oldest = i;
	f->newest = i;
}

/* Forget d. */
static void forget(struct fragments *f, struct datagram *d)
{
	int32_t i = index_of(f, d);
	int32_t *link = chain_of(f, &d->key);

	release(f, d);
	drop_bytes(f, d);
	while (*link != i + 1)
		link = &f->datagrams[*link - 1].next;
	*link = d->next;
	age_unlink(f, d);
	d->next = f->free_datagram;
	f->free_datagram = i;
}

static void evict_oldest(struct fragments *f)
{
	f->stats.evicted += !f->datagrams[f->oldest].whole;
	forget(f, &f->datagrams[f->oldest]);
}

static struct datagram *make(struct fragments *f, const struct datagram_key *key, int64_t first_ns)
{
	int32_t i = take_datagram(f);
	struct datagram *d;
	int32_t *chain;

	if (i == NONE) {
		evict_oldest(f);
		i = take_datagram(f);
	}
	d = &f->datagrams[i];
	memcpy(&d->key, key, sizeof(*key)); /* with its padding: see find */
	d->bytes = NULL;
	start(d, first_ns);
	chain = chain_of(f, key);
	d->next = *chain;
	*chain = i + 1;
	age_append(f, d);
	return d;
}

/* The same key begins anew. */
static void restart(struct fragments *f, struct datagram *d, int64_t first_ns)
{
	release(f, d);
	drop_bytes(f, d);
	start(d, first_ns);
	age_unlink(f, d);
	age_append(f, d);
}

/* Keep a copy of pkt until d's head comes.  False when there is no room: d is given up. */
static bool hold(struct fragments *f, struct datagram *d, const struct lya_packet *pkt)
{
	int32_t i = take_held(f);
	struct held *h;

	while (i == NONE && f->oldest != index_of(f, d)) {
		evict_oldest(f); /* room for the next batch: released ones are still borrowed */
		if (f->n_released > 0)
			return false;
	}
	if (i == NONE)
		return false;
	h = &f->held[i];
	h->next = NONE;
	h->pkt = *pkt;
	h->pkt.frame = NULL;
	h->pkt.form = LYA_FORM_OTHER;
	h->pkt.payload = (struct lya_cursor){ 0 };
	h->pkt.options = NULL;
	h->pkt.options_len = 0;
	h->pkt.ip_captured = pkt->frag_at < HEADER_KEPT ? pkt->frag_at : HEADER_KEPT;
	memcpy(h->ip, pkt->ip, h->pkt.ip_captured);
	h->pkt.ip = h->ip;
	if (pkt->eth_dst != NULL) {
		memcpy(h->macs, pkt->eth_dst, 6);
		h->pkt.eth_dst = h->macs;
	}
	if (pkt->eth_src != NULL) {
		memcpy(h->macs + 6, pkt->eth_src, 6);
		h->pkt.eth_src = h->macs + 6;
	}
	if (d->held == NONE)
		d->held = i;
	else
		f->held[d->held_last].next = i;
	d->held_last = i;
	return true;
}

/* Room for d's bytes up to `end`.  False when there is none, even with older ones forgotten. */
static bool reserve(struct fragments *f, struct datagram *d, size_t end)
{
	size_t had = d->bytes == NULL ? 0 : size_of(d->bytes);
	size_t capacity = d->bytes == NULL ? FIRST_CAPACITY : d->bytes->capacity;
	struct datagram_bytes *b;

	while (capacity < end)
		capacity *= 2;
	if (d->bytes != NULL && capacity == d->bytes->capacity)
		return true;
	while (f->bytes - had + sizeof(*b) + capacity > f->bytes_max) {
		if (f->oldest == index_of(f, d))
			return false;
		evict_oldest(f);
	}
	b = lya_realloc(d->bytes, sizeof(*b) + capacity);
	if (b == NULL) {
		f->nomem = true;
		return false;
	}
	if (d->bytes == NULL)
		memset(b->seen, 0, sizeof(b->seen));
	d->bytes = b;
	b->capacity = capacity;
	f->bytes += size_of(b) - had;
	if (f->bytes > f->bytes_peak)
		f->bytes_peak = f->bytes;
	return true;
}

bool fragments_failed(const struct fragments *f)
{
	return f->nomem;
}

/* Put `len` bytes at `at`, where nothing was; false where something else was. */
static bool put(struct datagram *d, size_t at, const uint8_t *p, size_t len)
{
	struct datagram_bytes *b = d->bytes;

	for (size_t done = 0; done < len; done += UNIT) {
		size_t unit = (at + done) / UNIT;
		size_t n = len - done < UNIT ? len - done : UNIT;
		uint8_t bit = (uint8_t)(1U << unit % 8);

		if (b->seen[unit / 8] & bit) {
			if (memcmp(b->data + at + done, p + done, n) != 0)
				return false;
			continue;
		}
		memcpy(b->data + at + done, p + done, n);
		b->seen[unit / 8] |= bit;
		d->have += (uint32_t)n;
	}
	return true;
}

/* Does pkt's place agree with what is known of where the datagram ends? */
static bool end_agrees(struct datagram *d, const struct lya_packet *pkt, size_t end)
{
	if (end > d->reach)
		d->reach = (uint32_t)end;
	if (d->total == 0 && !pkt->frag_more)
		d->total = (uint32_t)end;
	if (d->total == 0)
		return true;
	return d->reach <= d->total && (pkt->frag_more ? end < d->total : end == d->total);
}

/* Add pkt's bytes to d. */
static void collect(struct fragments *f, struct datagram *d, struct lya_packet *pkt)
{
	size_t len = pkt->ip_bytes - pkt->frag_at;
	size_t end = pkt->frag_offset + len;
	bool is_cut = pkt->ip_captured < pkt->ip_bytes;

	/* Headers between the fragment's beginning and the transport: nobody sends UDP so. */
	if (is_cut || (pkt->frag_offset == 0 && pkt->frag_at != pkt->l4_at)) {
		spoil(f, d);
		return;
	}
	if (!reserve(f, d, end)) {
		spoil(f, d);
		return;
	}
	if (!end_agrees(d, pkt, end) || !put(d, pkt->frag_offset, pkt->ip + pkt->frag_at, len)) {
		lya_packet_note(pkt, LYA_EV_FRAGMENT_OVERLAP);
		f->stats.overlaps++;
		spoil(f, d);
	}
}

/* d has all its bytes: give its payload to pkt, which brought the last of them. */
static void deliver(struct fragments *f, struct datagram *d, struct lya_packet *pkt)
{
	const uint8_t *p = d->bytes->data;
	size_t len = (size_t)(p[4] << 8 | p[5]);

	d->whole = true;
	if (d->total >= UDP_LEN && (len == 0 || (len >= UDP_LEN && len <= d->total))) {
		pkt->payload = lya_cursor_of(p + UDP_LEN, (len == 0 ? d->total : len) - UDP_LEN);
		pkt->reassembled = true;
		f->stats.reassembled++;
	} else {
		f->stats.lengths += (pkt->events & UINT32_C(1) << LYA_EV_UDP_LENGTH) == 0;
		lya_packet_note(pkt, LYA_EV_UDP_LENGTH);
	}
	d->bytes->next = f->spent; /* freed when the next batch begins */
	f->spent = d->bytes;
	d->bytes = NULL;
}

/* A copy of a known datagram's fragment must not begin a new one; anything else may. */
static bool begins_anew(const struct datagram *d, const struct lya_packet *pkt)
{
	bool is_head = pkt->frag_offset == 0;

	if (pkt->duplicate != LYA_DUP_NONE)
		return false;
	if (d->whole)
		return true;
	return is_head && d->head_seen && pkt->time_ns - d->first_ns > REUSE_NS;
}

static void take_head(struct fragments *f, struct datagram *d, const struct lya_packet *pkt)
{
	if (d->head_seen)
		return;
	d->head_seen = true;
	d->sport = pkt->sport;
	d->dport = pkt->dport;
	release(f, d);
}

void fragments_begin(struct fragments *f)
{
	while (f->n_released > 0) {
		int32_t i = f->released_slots[--f->n_released];

		f->held[i].next = f->free_held;
		f->free_held = i;
	}
	free_spent(f);
	f->place = 0;
}

bool fragments_waiting(const struct fragments *f)
{
	return f->oldest != NONE;
}

void fragments_place(struct fragments *f, size_t place)
{
	f->place = place;
}

bool fragments_take(struct fragments *f, struct lya_packet *pkt)
{
	struct datagram_key key;
	struct datagram *d;

	f->stats.fragments++;
	set_key(&key, pkt);
	d = find(f, &key);
	if (d == NULL)
		d = make(f, &key, pkt->time_ns);
	else if (begins_anew(d, pkt))
		restart(f, d, pkt->time_ns);
	if (pkt->duplicate == LYA_DUP_NONE && key.transport == PROTO_UDP && !d->spoilt)
		collect(f, d, pkt);
	if (pkt->frag_offset == 0) {
		take_head(f, d, pkt);
	} else if (d->head_seen) {
		resolve(f, d, pkt);
	} else {
		if (hold(f, d, pkt))
			return false;
		resolve(f, NULL, pkt);
		return true;
	}
	if (d->bytes != NULL && d->total != 0 && d->have == d->total)
		deliver(f, d, pkt);
	return true;
}

void fragments_take_tunnel(struct fragments *f, const struct lya_packet *pkt)
{
	const uint8_t *ip = pkt->tunnel_head;
	struct datagram_key key;
	struct datagram *d;

	memset(&key, 0, sizeof(key));
	memcpy(key.src.bytes, ip + 12, 4);
	memcpy(key.dst.bytes, ip + 16, 4);
	key.src.family = key.dst.family = 4;
	key.transport = ip[9];
	key.ip_id = (uint32_t)(ip[4] << 8 | ip[5]);
	if (key.transport != PROTO_UDP) /* other protocols' fragments are no flow's anyway */
		return;
	d = find(f, &key);
	if (d == NULL)
		d = make(f, &key, pkt->time_ns);
	else if (d->head_seen && pkt->duplicate == LYA_DUP_NONE)
		restart(f, d, pkt->time_ns);
	spoil(f, d);
	d->is_tunnel = true;
	d->head_seen = true;
	release(f, d);
}

void fragments_expire(struct fragments *f, int64_t now_ns)
{
	const int64_t timeout_ns = INT64_C(1000000000) * LYA_FRAGMENT_TIMEOUT_S;

	if (f->oldest == NONE) /* the clock is that of the packets that matter here */
		return;
	if (now_ns > f->now_ns) /* a clock that steps back lets nothing wait longer */
		f->now_ns = now_ns;
	while (f->oldest != NONE && f->datagrams[f->oldest].first_ns < f->now_ns - timeout_ns)
		forget(f, &f->datagrams[f->oldest]);
}

void fragments_flush(struct fragments *f)
{
	while (f->oldest != NONE)
		forget(f, &f->datagrams[f->oldest]);
}

struct lya_packet *fragments_released(const struct fragments *f, size_t *n)
{
	*n = f->n_released;
	return f->released;
}

const uint32_t *fragments_released_at(const struct fragments *f)
{
	return f->released_at;
}

void fragments_stats(const struct fragments *f, struct lya_reasm_stats *out)
{
	*out = f->stats;
	out->bytes = f->fixed_bytes + f->bytes;
	out->bytes_peak = f->fixed_bytes + f->bytes_peak;
}
