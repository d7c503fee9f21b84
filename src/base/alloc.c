/*
 * alloc.c - the one door to the heap.
 *
 * The counter is the only state in file scope of the library: a test sets it
 * to let the n-th allocation fail, so it must be reachable from everywhere.
 */
#include "lyncaudit/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lyncaudit/status.h"

static _Atomic uint64_t made;    /* allocations so far */
static _Atomic uint64_t fail_at; /* the one of them that fails; 0: none */

/* True when this allocation is the one to fail. */
static bool refuse(void)
{
	uint64_t nth = atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) + 1;

	return nth == atomic_load_explicit(&fail_at, memory_order_relaxed);
}

void lya_alloc_fail_at(uint64_t n)
{
	atomic_store(&fail_at, n == 0 ? 0 : atomic_load(&made) + n);
}

uint64_t lya_alloc_count(void)
{
	return atomic_load(&made);
}

void *lya_malloc(size_t size)
{
	if (refuse())
		return NULL;
	return malloc(size == 0 ? 1 : size);
}

void *lya_calloc(size_t n, size_t size)
{
	if (refuse())
		return NULL;
	return calloc(n == 0 ? 1 : n, size == 0 ? 1 : size);
}

void *lya_realloc(void *p, size_t size)
{
	if (refuse())
		return NULL;
	return realloc(p, size == 0 ? 1 : size);
}

char *lya_strdup(const char *s)
{
	return lya_strndup(s, strlen(s));
}

char *lya_strndup(const char *s, size_t len)
{
	char *copy = lya_malloc(len + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

void lya_free(void *p)
{
	free(p);
}

int lya_grow(void **list, size_t *cap, size_t want, size_t size)
{
	size_t grown = *cap;
	void *p;

	if (want <= *cap)
		return LYA_OK;
	if (grown < 8)
		grown = 8;
	while (grown < want)
		grown = grown + grown / 2;
	if (grown > SIZE_MAX / size)
		return LYA_ENOMEM;
	p = lya_realloc(*list, grown * size);
	if (p == NULL)
		return LYA_ENOMEM;
	*list = p;
	*cap = grown;
	return LYA_OK;
}

void *lya_map_pages(size_t size)
{
	void *p;

	if (refuse())
		return NULL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void *lya_map_large(size_t size)
{
	void *p = lya_map_pages(size);

#ifdef MADV_HUGEPAGE
	if (p != NULL)
		(void)madvise(p, size, MADV_HUGEPAGE); /* a wish */
#endif
	return p;
}

void lya_unmap_pages(void *p, size_t size)
{
	if (p != NULL)
		(void)munmap(p, size);
}
