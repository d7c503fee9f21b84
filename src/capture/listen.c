/*
 * listen.c - frames of interfaces in order of time.
 *
 * A frame comes with its block, up to CAPTURE_RING_TIMEOUT_MS after it was stamped.
 * So with several interfaces a frame waits until each of the others has shown one, or
 * for as long as an older one could still be on its way; who is alone never waits.
 */
#include "capture/listen.h"

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

/* The timeout of a block, and as much as its timer may be late. */
static const int64_t hold_ns = 2 * (int64_t)CAPTURE_RING_TIMEOUT_MS * MS_NS;

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

static int interface_open(struct lya_capture *c, struct capture_interface *i, const char *name,
			  const struct lya_capture_listen_options *options, struct lya_error *err)
{
	struct capture_ring_options ring = { .bytes = options->ring_bytes,
					     .filter = c->filter != NULL ? options->filter : NULL,
					     .adapter_time = options->adapter_time };
	struct capture_link link;
	int rc = ask_link(c->listen, name, &link, err);

	if (rc == LYA_OK)
		rc = capture_source_add(c, name, name, "interface", &i->source, err);
	if (rc != LYA_OK)
		return rc;
	memcpy(i->name, name, strlen(name) + 1);
	i->index = link.index;
	i->lost = link.lost;
	ring.name = i->name;
	ring.arphrd = link.arphrd;
	c->sources[i->source].digits = 9;
	c->sources[i->source].unread = false; /* it has no end */
	rc = capture_ring_open(&i->ring, &ring, err);
	if (rc == LYA_OK && c->filter != NULL)
		rc = capture_filter_prepare(c->filter, i->ring.link, err);
	if (rc == LYA_OK && capture_ring_bind(&i->ring, i->index) == -1)
		rc = lya_error_set(err, LYA_EIO, name, NULL, "cannot be listened to: %s",
				   strerror(errno));
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
	l->ticked_ns = LYA_TIME_NONE;
	l->on_event = options->on_event;
	l->ctx = options->ctx;
	l->list = lya_calloc(options->n_interfaces, sizeof(*l->list));
	return l->list != NULL ? capture_netlink_open(&l->netlink, err) : lya_error_nomem(err);
}

int capture_listen_begin(struct lya_capture *c, const struct lya_capture_listen_options *options,
			 struct lya_error *err)
{
	int rc = check_names(options, err);

	if (rc == LYA_OK)
		rc = listen_new(c, options, err);
	for (size_t i = 0; rc == LYA_OK && i < options->n_interfaces; i++) {
		c->listen->list[i].ring.fd = -1;
		c->listen->n++;
		rc = interface_open(c, &c->listen->list[i], options->interfaces[i], options, err);
	}
	if (rc == LYA_OK)
		rc = capture_sources_offset(c, options->offsets, options->n_offsets, err);
	return rc;
}

void capture_listen_free(struct capture_listen *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n; i++)
		capture_ring_close(&l->list[i].ring);
	if (l->netlink != -1)
		(void)close(l->netlink);
	lya_free(l->list);
	lya_free(l);
}

/* Giving ------------------------------------------------------------------- */

/* Up to max frames older than until_ns, less what the filter leaves out; *taken: before that. */
static int give(struct lya_capture *c, struct capture_interface *i, struct lya_frame *frames,
		size_t max, int64_t until_ns, size_t *taken, size_t *n, struct lya_error *err)
{
	int64_t offset_ns = c->sources[i->source].time_offset_ns;
	int rc = LYA_OK;

	*n = *taken = capture_ring_take(&i->ring, frames, max, until_ns - offset_ns);
	for (size_t k = 0; k < *n; k++) {
		frames[k].source = i->source;
		frames[k].number = ++i->number;
		frames[k].time_ns += offset_ns;
	}
	if (c->filter != NULL)
		rc = capture_lane_filter(c, i->source, frames, n, err);
	if (rc == LYA_OK && *n > 0)
		capture_account(c, frames, *n, true);
	return rc;
}

/* One interface: what it has. */
static int next_alone(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
		      struct lya_error *err)
{
	struct capture_interface *i = &c->listen->list[0];
	size_t taken;
	int rc;

	do {
		capture_ring_release(&i->ring);
		rc = give(c, i, frames, max, CAPTURE_TIME_MAX, &taken, n, err);
	} while (rc == LYA_OK && taken > 0 && *n == 0);
	return rc;
}

/* Who has the oldest frame, and what of the others there is. */
struct turn {
	struct capture_interface *first;
	int64_t first_ns;
	int64_t until_ns; /* where another one is next */
	bool missing;     /* some show no frame */
};

static struct turn turn_of(const struct lya_capture *c, int64_t now_ns)
{
	const struct capture_listen *l = c->listen;
	struct turn t = { .first = NULL, .until_ns = CAPTURE_TIME_MAX };

	for (size_t k = 0; k < l->n; k++) {
		struct capture_interface *i = &l->list[k];
		bool fresh = false;
		int64_t time_ns;

		if (!capture_ring_peek(&i->ring, &time_ns, &fresh)) {
			t.missing = true;
			continue;
		}
		if (fresh)
			i->ready_ns = now_ns;
		time_ns += c->sources[i->source].time_offset_ns;
		if (t.first == NULL || time_ns < t.first_ns) {
			if (t.first != NULL)
				t.until_ns = t.first_ns;
			t.first = i;
			t.first_ns = time_ns;
		} else if (time_ns < t.until_ns) {
			t.until_ns = time_ns + 1; /* equal times: the one named first */
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

	for (size_t k = 0; k < l->n; k++)
		capture_ring_release(&l->list[k].ring);
	l->wake_ns = 0;
	while (rc == LYA_OK && *n < max) {
		struct turn t = turn_of(c, now_ns);
		size_t some = max - *n, taken, kept;

		if (t.first == NULL)
			break;
		if (t.missing) {
			l->wake_ns = t.first->ready_ns + hold_ns;
			if (now_ns < l->wake_ns)
				break;
			if (some > t.first->ring.left) /* what comes behind may be fresh */
				some = t.first->ring.left;
		}
		l->wake_ns = 0;
		rc = give(c, t.first, frames + *n, some, t.until_ns, &taken, &kept, err);
		*n += kept;
	}
	return rc;
}

int capture_listen_next(struct lya_capture *c, struct lya_frame *frames, size_t max, size_t *n,
			struct lya_error *err)
{
	*n = 0;
	return c->listen->n == 1 ? next_alone(c, frames, max, n, err)
				 : next_merged(c, frames, max, n, err);
}

/* A ring that holds frames back polls as one that has some: then only time helps. */
size_t lya_capture_poll(const struct lya_capture *c, struct pollfd *fds, size_t max, int *timeout_ms)
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
	for (; n < l->n && n < max; n++)
		fds[n] = (struct pollfd){ .fd = l->list[n].ring.fd, .events = POLLIN };
	return n;
}
