/*
 * ahead.c - unpacking in a thread of its own.
 */
#include "capture/ahead.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "capture/source.h"

enum {
	SLOTS = 4,
	SLOT_BYTES = 262144, /* as a reader's buffer: what is handed over is still in the caches */
	NAP_NS = 100000,     /* about what unpacking half a slot takes */
	NAPS = 10
};

struct slot {
	uint8_t *data;
	size_t len;           /* 0 with LYA_OK: the end */
	int rc;               /* of the unpacking behind these bytes */
	struct lya_error why; /* when rc is no LYA_OK */
	uint64_t raw;
};

struct capture_ahead {
	struct capture_unpack *unpack;     /* the thread's */
	const struct capture_bytes *bytes; /* the thread's */
	struct capture_budget budget;
	struct slot slots[SLOTS];
	uint8_t *memory;
	sem_t full, empty;
	atomic_bool stop;
	pthread_t thread;
	/* Of the reader: the slot in hand, and how much of it has been read. */
	size_t at, pos;
	bool in_hand;
	uint64_t raw;
};

/* Fill a slot; false when nothing comes after it. */
static bool fill(struct capture_ahead *a, struct slot *s)
{
	s->len = 0;
	do {
		size_t got;

		s->rc = capture_unpack_read(a->unpack, s->data + s->len, SLOT_BYTES - s->len, &got,
					    &s->why);
		s->len += got;
		if (got == 0 || s->rc != LYA_OK)
			break;
	} while (s->len < SLOT_BYTES);
	s->raw = a->bytes->raw;
	return s->rc == LYA_OK && s->len == SLOT_BYTES;
}

static void *run(void *arg)
{
	struct capture_ahead *a = arg;
	bool more = true;

	for (size_t i = 0; more; i = (i + 1) % SLOTS) {
		while (sem_wait(&a->empty) == -1) /* no signal reaches this thread */
			;
		if (atomic_load(&a->stop))
			break;
		more = fill(a, &a->slots[i]);
		(void)sem_post(&a->full);
	}
	return NULL;
}

/* Signals are for the thread that waits for input: here they would be lost. */
static int start(struct capture_ahead *a)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&a->thread, NULL, run, a);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

static void release(struct capture_ahead *a)
{
	struct capture_budget budget = a->budget;

	capture_budget_free(&budget, a->memory, (size_t)SLOTS * SLOT_BYTES);
	capture_budget_free(&budget, a, sizeof(*a));
}

int capture_ahead_open(struct capture_ahead **out, struct capture_unpack *u,
		       const struct capture_bytes *bytes, struct capture_cap *cap,
		       struct lya_error *err)
{
	struct capture_budget budget = { .cap = cap };
	struct capture_ahead *a = capture_budget_alloc(&budget, sizeof(*a));
	int rc;

	*out = NULL;
	if (a == NULL)
		return capture_budget_error(&budget, "unpacking it", err);
	*a = (struct capture_ahead){ .unpack = u, .bytes = bytes, .budget = budget };
	a->memory = capture_budget_alloc(&a->budget, (size_t)SLOTS * SLOT_BYTES);
	if (a->memory == NULL) {
		rc = capture_budget_error(&a->budget, "unpacking it", err);
		release(a);
		return rc;
	}
	for (size_t i = 0; i < SLOTS; i++)
		a->slots[i].data = a->memory + i * SLOT_BYTES;
	(void)sem_init(&a->full, 0, 0);
	(void)sem_init(&a->empty, 0, SLOTS);
	rc = start(a);
	if (rc != 0) {
		release(a);
		return lya_error_set(err, LYA_EIO, NULL, NULL, "no thread to unpack it: %s",
				     strerror(rc));
	}
	*out = a;
	return LYA_OK;
}

void capture_ahead_close(struct capture_ahead *a)
{
	if (a == NULL)
		return;
	atomic_store(&a->stop, true);
	(void)sem_post(&a->empty);
	(void)pthread_join(a->thread, NULL);
	(void)sem_destroy(&a->full);
	(void)sem_destroy(&a->empty);
	release(a);
}

/*
 * Wait for a slot; -1: a signal came.  Who sleeps until it is woken costs the thread that
 * unpacks a call of the system for each slot, so at first it only naps; when nothing comes
 * for long, the input itself is waited for.
 */
static int wait_full(struct capture_ahead *a)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	for (unsigned i = 0; i < NAPS; i++) {
		if (sem_trywait(&a->full) == 0)
			return 0;
		if (nanosleep(&nap, NULL) == -1)
			return -1;
	}
	return sem_wait(&a->full);
}

/* Have a slot in hand. */
static int take_slot(struct capture_ahead *a, struct lya_error *err)
{
	if (a->in_hand)
		return LYA_OK;
	if (wait_full(a) == -1)
		return lya_error_set(err, LYA_ESTOP, NULL, NULL,
				     "interrupted while waiting for input");
	a->in_hand = true;
	a->pos = 0;
	a->raw = a->slots[a->at].raw;
	return LYA_OK;
}

int capture_ahead_read(struct capture_ahead *a, uint8_t *buf, size_t size, size_t *got,
		       struct lya_error *err)
{
	struct slot *s = &a->slots[a->at];
	int rc = take_slot(a, err);

	*got = 0;
	if (rc != LYA_OK)
		return rc;
	*got = size < s->len - a->pos ? size : s->len - a->pos;
	memcpy(buf, s->data + a->pos, *got);
	a->pos += *got;
	if (a->pos < s->len)
		return LYA_OK;
	if (s->len == SLOT_BYTES && s->rc == LYA_OK) {
		a->in_hand = false;
		a->at = (a->at + 1) % SLOTS;
		(void)sem_post(&a->empty);
		return LYA_OK;
	}
	/* The last slot stays in hand, and says so whenever it is asked. */
	return s->rc == LYA_OK ? LYA_OK : lya_error_set(err, s->rc, NULL, NULL, "%s", s->why.text);
}

uint64_t capture_ahead_raw(const struct capture_ahead *a)
{
	return a->raw;
}
