/*
 * alloc.h - the one door to the heap.
 *
 * Every allocation of the library goes through here, so that a test can make
 * the n-th one fail and see what becomes of it.
 */
#ifndef LYNCAUDIT_ALLOC_H
#define LYNCAUDIT_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* As malloc, calloc, realloc, strdup and free; NULL when out of memory. */
void *lya_malloc(size_t size);
void *lya_calloc(size_t n, size_t size); /* checks n * size */
void *lya_realloc(void *p, size_t size);
char *lya_strdup(const char *s);
char *lya_strndup(const char *s, size_t len);
void lya_free(void *p); /* NULL is fine */

/*
 * Grow the array at *list (elements of `size` bytes, capacity *cap) to hold
 * at least `want` elements.  Returns LYA_OK, or LYA_ENOMEM with the array
 * unchanged.
 */
int lya_grow(void **list, size_t *cap, size_t want, size_t size);

/*
 * Memory of `size` bytes straight from the kernel, zero, touched only when
 * used: for tables that may grow large.  NULL when refused.
 */
void *lya_map_pages(size_t size);
/*
 * The same for a table that packets touch all over.  It spans more pages of
 * 4 KiB than a processor keeps translations of, so that a packet costs a walk
 * through the page tables beside each line that it wants.  Large pages are
 * asked for; where there are none, it works the same.
 */
void *lya_map_large(size_t size);
/* Give back what either gave. */
void lya_unmap_pages(void *p, size_t size); /* NULL is fine */

/* Test hook: let the n-th allocation from now on (1 is the next) fail; 0 turns it off. */
void lya_alloc_fail_at(uint64_t n);
/* Allocations made since the program began. */
uint64_t lya_alloc_count(void);

#endif
