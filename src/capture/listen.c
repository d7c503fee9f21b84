/*
 * listen.c - frames of interfaces in order of time.
 *
 * A frame comes with its block, up to CAPTURE_RING_TIMEOUT_MS after it was stamped.
 * So with several rings a frame waits until each of the others has shown one, or
 * for as long as an older one could still be on its way; who is alone never waits.
 * Which ring of a group a frame came through changes nothing for who is given it.
 */
#include "capture/interface.h"
#include "capture/listen.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "capture/follow.h"
#include "capture/netlink.h"
#include "capture/wire.h"
#include "lyncaudit/alloc.h"
#include "lyncaudit/timeutil.h"

enum { MS_NS = 1000000 };

/* The timeout of a block, one more for a kernel that looks only then, and one for its lateness. */
static const int64_t hold_ns = 3 * (int64_t)CAPTURE_RING_TIMEOUT_MS * MS_NS;

static int64_t steady_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * LYA_SECOND_NS + now.tv_nsec;
}

/* Beginning ---------------------------------------------------------------- */

static int ask_link(const struct capture_listen *l, const char *name, struct capture_link *link,
		    struct lya_error *err)
{
	int rc = LYA_OK;

	*link = (struct capture_link){ .exists = false };
	if (strlen(name) < IFNAMSIZ)
		rc = capture_netlink_ask(l->netlink, name, link, err);
	if (rc != LYA_OK)
		return rc;
	if (!link->exists)
		return lya_error_set(err, LYA_EINPUT, name, NULL,
				     "there is no such interface (lyncaudit watch -D lists them)");
	if (!link->up)
		return lya_error_set(err, LYA_EINPUT, name, NULL,
				     "the interface is down (ip link set %s up)", name);
	return LYA_OK;
}

static void interface_name(struct capture_interface *i, const char *name,
			   const struct capture_link *link,
			   const struct lya_capture_listen_options *options)
{
	memcpy(i->name, name, strlen(name) + 1);
	i->index = link->index;
	i->lost = link->lost;
	i->dropped = link->dropped;
	i->as = (struct capture_ring_options){ .name = i->name, .arphrd = link->arphrd,
					       .bytes = options->ring_bytes,
					       .adapter_time = options->adapter_time };
}

/* For who writes its packets again: the kernel cuts none. */
static int describe(struct lya_capture *c, const struct capture_interface *i, struct lya_error *err)
{
	const struct lya_interface told = { .link = c->listen->queues[i->first].ring.link,
					    .tsresol = c->sources[i->source].digits };

	return capture_interfaces_add(&c->sources[i->source].interfaces, 0, &c->cap, &told, i->name,
				      strlen(i->name), err);
}

static int interface_open(struct lya_capture *c, struct capture_interface *i, const char *name,
			  const struct lya_capture_listen_options *options, struct lya_error *err)
{
	bool kernel = c->filter != NULL && capture_filter_kernel(options->filter);
	struct capture_link link;
	int rc = ask_link(c->listen, name, &link, err);

	if (rc == LYA_OK)
		rc = capture_source_add(c, name, name, "interface", &i->source, err);
	if (rc != LYA_OK)
		return rc;
	interface_name(i, name, &link, options);
	c->sources[i->source].digits = 9;
	c->sources[i->source].unread = false; /* it has no end */
	c->sources[i->source].filtered_unseen = kernel;
	rc = capture_group_begin(c->listen, i, kernel ? options->filter : NULL,
				 options->n_interfaces, err);
	if (rc == LYA_OK)
		rc = describe(c, i, err);
	if (rc == LYA_OK && c->filter != NULL)
		rc = capture_filter_prepare(c->filter, c->listen->queues[i->first].ring.link, err);
	return rc;
}

static int check_names(const struct lya_capture_listen_options *o, struct lya_error *err)
{
	if (o->n_interfaces == 0)
		return lya_error_set(err, LYA_EUSAGE, NULL, NULL, "no interface was named");
	for (size_t i = 0; i < o->n_interfaces; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(o->interfaces[i], o->interfaces[k]) == 0)
				return lya_error_set(err, LYA_EUSAGE, o->interfaces[i], NULL,
						     "the interface is named twice");
		}
	}
	return LYA_OK;
}

static int listen_new(struct lya_capture *c, const struct lya_capture_listen_options *options,
		      struct lya_error *err)
{
	struct capture_listen *l = lya_calloc(1, sizeof(*l));

	if (l == NULL)
		return lya_error_nomem(err);
	c->listen = l;
	l->netlink = -1;
	l->ticked_ns = l->before_ns = LYA_TIME_NONE;
	l->hold = options->hold;
	l->on_event = options->on_event;
	l->ctx = options->ctx;
	l->list = lya_calloc(options->n_interfaces, sizeof(*l->list));
	l->queues = lya_calloc(options->n_interfaces * capture_group_places(options->rings),
			       sizeof(*l->queues));
	if (l->list == NULL || l->queues == NULL)
		return lya_error_nomem(err);
	return capture_netlink_open(&l->netlink, err);
}

/* Room for the queues of one interface more. */
static struct capture_interface *add_interface(struct capture_listen *l, unsigned rings)
{
	struct capture_interface *i = &l->list[l->n];

	*i = (struct capture_interface){ .first = l->n_queues, .n = capture_group_places(rings),
					 .rings = rings > 1 ? rings : 1 };
	for (; l->n_queues < i->first + i->n; l->n_queues++)
		l->queues[l->n_queues] = (struct capture_queue){ .ring.fd = -1, .of = l->n };
	l->n++;
	return i;
}

int capture_listen_begin(struct lya_capture *c, const struct lya_capture_listen_options *options,
			 struct lya_error *err)
{
	int rc = check_names(options, err);

	assert(options->hold <= LYA_CAPTURE_HOLD_MAX && "calls are told apart");
	if (rc == LYA_OK)
		rc = listen_new(c, options, err);
	for (size_t i = 0; rc == LYA_OK && i < options->n_interfaces; i++)
		rc = interface_open(c, add_interface(c->listen, options->rings),
				    options->interfaces[i], options, err);
	if (rc == LYA_OK)
		rc = capture_sources_offset(c, options->offsets, options->n_offsets, err);
	return rc;
}

void capture_listen_free(struct capture_listen *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n_queues; i++)
		capture_ring_close(&l->queues[i].ring);
	for (size_t i = 0; i < l->n; i++)
		capture_group_end(&l->list[i]);
	if (l->netlink != -1)
		(void)close(l->netlink);
	lya_free(l->queues);
	lya_free(l->list);
	lya_free(l);
}

/* Giving ------------------------------------------------------------------- */

/* Another call: what was given so long ago that nobody needs it goes back. */
static void begin_call(struct capture_listen *l)
{
	uint64_t last = l->call++;

	for (size_t k = 0; k < l->n_queues; k++) {
		struct capture_queue *q = &l->queues[k];

		q->done_at[last % CAPTURE_QUEUE_CALLS] = q->ring.done;
		capture_ring_release(&q->ring, q->done_at[(last - l->hold) % CAPTURE_QUEUE_CALLS]);
	}
}

void lya_capture_release(struct lya_capture *c)
{
	for (size_t k = 0; c->listen != NULL && k < c->listen->n_queues; k++)
		capture_ring_release(&c->listen->queues[k].ring, c->listen->queues[k].ring.done);
}

void lya_capture_listen_last(struct lya_capture *c)
{
	if (c->listen != NULL)
		c->listen->last = true;
}

/* Up to max frames older than until_ns, less what the filter leaves out; *taken: before that. */
static int give(struct lya_capture *c, struct capture_queue *q, struct lya_frame *frames,
		size_t max, int64_t until_ns, size_t *taken, size_t *n, struct lya_error *err)
{
	struct capture_interface *i = &c->listen->list[q->of];
	int64_t offset_ns = c->sources[i->source].time_offset_ns;

	*n = *taken = capture_ring_take(&q->ring, frames, max, until_ns - offset_ns);
	for (size_t k = 0; k < *n; k++) {
		frames[k].source = i->source;
		frames[k].number = ++i->number;
		frames[k].time_ns += offset_ns;
	}
	return c->filter != NULL ? capture_lane_filter(c, i->source, frames, n, err) : LYA_OK;
}

/* Frames of sources in turns count as given. */
static void account(struct lya_capture *c, const struct lya_frame *frames, size_t n)
{
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && frames[to].source == frames[from].source; to++)
			;
		capture_account(c, frames + from, to - from, true);
	}
}

/* One ring: what it has. */
static int next_alone(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
		      struct lya_error *err)
{
	struct capture_queue *q = &c->listen->queues[0];
	size_t taken;
	int rc;

	do {
		if (c->listen->hold == 0) /* in another round: what the filter left out */
			capture_ring_release(&q->ring, q->ring.done);
		rc = give(c, q, frames, max, CAPTURE_TIME_MAX, &taken, n, err);
	} while (rc == LYA_OK && taken > 0 && *n == 0);
	return rc;
}

/* Who has the oldest frame, and what of the others there is. */
struct turn {
	struct capture_queue *first;
	int64_t until_ns; /* where another one is next */
	bool missing;     /* some show no frame */
};

static void look(const struct lya_capture *c, struct capture_queue *q, int64_t now_ns)
{
	bool fresh = false;

	q->has = capture_ring_peek(&q->ring, &q->next_ns, &fresh);
	if (!q->has)
		return;
	if (fresh)
		q->ready_ns = now_ns;
	q->next_ns += c->sources[c->listen->list[q->of].source].time_offset_ns;
}

static struct turn turn_of(const struct lya_capture *c, int64_t now_ns)
{
	const struct capture_listen *l = c->listen;
	struct turn t = { .first = NULL, .until_ns = CAPTURE_TIME_MAX };

	for (size_t k = 0; k < l->n_queues; k++) {
		struct capture_queue *q = &l->queues[k];

		if (q->state == CAPTURE_QUEUE_SPARE)
			continue;
		if (!q->has)
			look(c, q, now_ns);
		if (!q->has) {
			t.missing = t.missing || q->state == CAPTURE_QUEUE_HEARS;
		} else if (t.first == NULL || q->next_ns < t.first->next_ns) {
			if (t.first != NULL)
				t.until_ns = t.first->next_ns;
			t.first = q;
		} else if (q->next_ns < t.until_ns) {
			t.until_ns = q->next_ns + 1; /* equal times: the one named first */
		}
	}
	return t;
}

static int next_merged(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
		       struct lya_error *err)
{
	struct capture_listen *l = c->listen;
	int64_t now_ns = steady_ns();
	int rc = LYA_OK;

	l->wake_ns = 0;
	while (rc == LYA_OK && *n < max) {
		struct turn t = turn_of(c, now_ns);
		size_t some = max - *n, taken, kept;

		if (t.first == NULL)
			break;
		if (t.missing && !l->last) {
			l->wake_ns = t.first->ready_ns + hold_ns;
			if (now_ns < l->wake_ns)
				break;
		}
		if (some > t.first->ring.left) /* what comes behind is looked at first */
			some = t.first->ring.left;
		l->wake_ns = 0;
		rc = give(c, t.first, frames + *n, some, t.until_ns, &taken, &kept, err);
		*n += kept;
		t.first->has = false; /* it has moved on */
	}
	return rc;
}

int capture_listen_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
			struct lya_error *err)
{
	int rc;

	*n = 0;
	begin_call(c->listen);
	rc = c->listen->n_queues == 1 ? next_alone(c, frames, max, n, err)
				      : next_merged(c, frames, max, n, err);
	if (rc == LYA_OK)
		account(c, frames, *n);
	return rc;
}

/* A ring that holds frames back polls as one that has some: then only time helps. */
size_t lya_capture_poll(const struct lya_capture *c, struct pollfd *fds, size_t max,
			int *timeout_ms)
{
	const struct capture_listen *l = c->listen;
	size_t n = 0;

	*timeout_ms = -1;
	if (c->follow != NULL) {
		*timeout_ms = CAPTURE_FOLLOW_LOOK_MS;
		return 0;
	}
	if (l->wake_ns != 0) {
		int64_t wait_ns = l->wake_ns - steady_ns();

		*timeout_ms = wait_ns <= 0 ? 0 : (int)(wait_ns / MS_NS + 1);
		return 0;
	}
	for (size_t k = 0; k < l->n_queues; k++) {
		if (l->queues[k].state != CAPTURE_QUEUE_HEARS)
			continue;
		if (n == max) { /* the others are asked as often as they hand blocks over */
			*timeout_ms = CAPTURE_RING_TIMEOUT_MS;
			break;
		}
		fds[n++] = (struct pollfd){ .fd = l->queues[k].ring.fd, .events = POLLIN };
	}
	return n;
}
