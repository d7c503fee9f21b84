/*
 * pages.h - memory that packets touch all over.
 *
 * A table of many flows spans more pages of 4 KiB than a processor keeps
 * translations of, so that a packet costs a walk through the page tables
 * beside each line that it wants.  Large pages are asked for; where there are
 * none, it works the same.
 */
#ifndef LYNCAUDIT_FLOW_PAGES_H
#define LYNCAUDIT_FLOW_PAGES_H

#include <stddef.h>
#include <sys/mman.h>

#include "lyncaudit/alloc.h"

/* As lya_map_pages; given back by lya_unmap_pages. */
static inline void *flow_map_large(size_t size)
{
	void *p = lya_map_pages(size);

#ifdef MADV_HUGEPAGE
	if (p != NULL)
		(void)madvise(p, size, MADV_HUGEPAGE); /* a wish */
#endif
	return p;
}

#endif
