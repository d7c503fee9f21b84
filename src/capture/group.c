/*
 * group.c - the rings through which an interface is listened to, and those to come.
 *
 * A ring that is alone may be bound to another interface.  One of a group may not, and by
 * the time that its interface is made anew nobody may open a socket any more: so sockets wait
 * for that in a stock, which cost next to nothing without the memory of a ring.  Each time as
 * many as the interface has rings are used up; the last one goes on alone.
 *
 * The rings before are read to their end meanwhile: so there are places for twice as many.
 */
#include "capture/listen.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <string.h>

#include "capture/adapter.h"
#include "capture/filter.h"
#include "lyncaudit/alloc.h"

/*
 * An interface may be made anew so many times; of all interfaces so many sockets are in
 * stock, for the kernel takes some ten milliseconds to close one.
 */
enum { TIMES = 8, STOCK_MAX = 64 };

size_t capture_group_places(unsigned rings)
{
	return rings > 1 ? 2 * (size_t)rings : 1;
}

static void place_clear(struct capture_queue *q)
{
	capture_ring_close(&q->ring);
	*q = (struct capture_queue){ .ring.fd = -1, .of = q->of };
}

/* n that have their sockets listen to an interface; a group is complete before any has memory. */
static int start(struct capture_queue *list, size_t n, const struct capture_ring_options *o,
		 int ifindex, struct lya_error *err)
{
	unsigned group = 0;
	int rc = LYA_OK;

	for (size_t k = 0; rc == LYA_OK && k < n; k++) {
		if (capture_ring_bind(&list[k].ring, ifindex) == -1)
			return lya_error_set(err, LYA_EIO, o->name, NULL,
					     "cannot be listened to: %s", strerror(errno));
		if (n > 1)
			rc = capture_ring_join(&list[k].ring, o, &group, err);
	}
	for (size_t k = 0; rc == LYA_OK && k < n; k++) {
		if (list[k].ring.map == NULL)
			rc = capture_ring_furnish(&list[k].ring, o, err);
	}
	for (size_t k = 0; rc == LYA_OK && k < n; k++)
		list[k].state = CAPTURE_QUEUE_HEARS;
	return rc;
}

/* As many sockets as there may be, one at least. */
static int fill_stock(struct capture_interface *i, size_t max, struct lya_error *err)
{
	int rc = LYA_OK;

	i->stock = lya_calloc(max, sizeof(*i->stock));
	if (i->stock == NULL)
		return lya_error_nomem(err);
	while (rc == LYA_OK && i->n_stock < max) {
		rc = capture_ring_open(&i->stock[i->n_stock], &i->as, err);
		if (rc == LYA_OK)
			i->n_stock++;
	}
	return i->n_stock > 0 ? LYA_OK : rc;
}

/* For one of n_interfaces: those for all times, and the last one. */
static size_t stock_of(size_t rings, size_t n_interfaces)
{
	size_t most = STOCK_MAX / n_interfaces, all = TIMES * rings + 1;

	return most == 0 ? 1 : most < all ? most : all;
}

static int begin(struct capture_listen *l, struct capture_interface *i, size_t n_interfaces,
		 struct lya_error *err)
{
	struct capture_queue *list = &l->queues[i->first];
	int rc = LYA_OK;

	i->alone = i->rings == 1;
	for (size_t k = 0; rc == LYA_OK && k < i->rings; k++)
		rc = capture_ring_open(&list[k].ring, &i->as, err);
	if (rc == LYA_OK && i->as.adapter_time)
		rc = capture_adapter_switch_on(list[0].ring.fd, i->name, err);
	if (rc == LYA_OK)
		rc = start(list, i->rings, &i->as, i->index, err);
	if (rc == LYA_OK && !i->alone)
		rc = fill_stock(i, stock_of(i->rings, n_interfaces), err);
	return rc;
}

/* All sockets have the same program. */
int capture_group_begin(struct capture_listen *l, struct capture_interface *i, const char *filter,
			size_t n_interfaces, struct lya_error *err)
{
	struct bpf_program program;
	int rc;

	if (filter == NULL)
		return begin(l, i, n_interfaces, err);
	rc = capture_filter_prefilter(filter, capture_ring_link(i->as.arphrd), &program, err);
	if (rc != LYA_OK)
		return rc;
	i->as.filter = &program;
	rc = begin(l, i, n_interfaces, err);
	i->as.filter = NULL;
	pcap_freecode(&program);
	return rc;
}

void capture_group_end(struct capture_interface *i)
{
	while (i->n_stock > 0)
		capture_ring_close(&i->stock[--i->n_stock]);
	lya_free(i->stock);
}

void capture_group_tidy(struct capture_listen *l, const struct capture_interface *i)
{
	for (size_t k = i->first; k < i->first + i->n; k++) {
		struct capture_queue *q = &l->queues[k];
		int64_t time_ns;
		bool fresh;

		if (q->state == CAPTURE_QUEUE_OVER && !q->has && q->ring.done == q->ring.released &&
		    !capture_ring_peek(&q->ring, &time_ns, &fresh))
			place_clear(q);
	}
}

/* As many places in a row as there are rings, where nothing is any more; NULL: there are none. */
static struct capture_queue *find_places(struct capture_listen *l,
					 const struct capture_interface *i)
{
	for (size_t from = i->first; from < i->first + i->n; from += i->rings) {
		size_t k = 0;

		while (k < i->rings && l->queues[from + k].state == CAPTURE_QUEUE_SPARE)
			k++;
		if (k == i->rings)
			return &l->queues[from];
	}
	return NULL;
}

/* Sockets from the stock listen to an interface in the place of those that do. */
static bool replace(struct capture_listen *l, struct capture_interface *i, int ifindex)
{
	struct capture_queue *list = find_places(l, i), *before = &l->queues[i->first];
	size_t n = i->n_stock > i->rings ? i->rings : 1;
	struct lya_error err;

	if (list == NULL)
		return false;
	i->alone = n == 1;
	for (size_t k = 0; k < n; k++)
		list[k].ring = i->stock[--i->n_stock];
	for (size_t k = 0; k < i->n; k++) {
		if (before[k].state == CAPTURE_QUEUE_HEARS)
			before[k].state = CAPTURE_QUEUE_OVER;
	}
	if (start(list, n, &i->as, ifindex, &err) == LYA_OK)
		return true;
	for (size_t k = 0; k < n && !i->alone; k++)
		place_clear(&list[k]);
	return false;
}

/* The one that is alone, which is the only one that is not over. */
static struct capture_queue *find_alone(struct capture_listen *l, const struct capture_interface *i)
{
	size_t k = i->first;

	while (l->queues[k].ring.fd == -1 || l->queues[k].state == CAPTURE_QUEUE_OVER)
		k++;
	return &l->queues[k];
}

bool capture_group_follow(struct capture_listen *l, struct capture_interface *i, int ifindex)
{
	struct lya_error err;
	bool heard = i->alone ? start(find_alone(l, i), 1, &i->as, ifindex, &err) == LYA_OK
			      : replace(l, i, ifindex);

	if (heard)
		i->index = ifindex;
	return heard;
}
