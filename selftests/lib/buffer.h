/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory to map: of several kinds, filled with bytes that can be told apart. */
#ifndef IOX_SELFTEST_BUFFER_H
#define IOX_SELFTEST_BUFFER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define PAGE 4096UL
#define HUGE_PAGE (2UL << 20)

enum buffer_kind {
	BUFFER_SMALL,		/* anonymous memory in 4 KiB pages */
	BUFFER_THP,		/* a transparent huge page */
	BUFFER_HUGETLB,		/* from the hugetlbfs pool, 2 MiB pages */
	BUFFER_MEMFD,		/* a shared mapping of a memfd, 4 KiB pages */
};

/* Reads and writes; exits the process if there is no memory. */
void *buffer_small(size_t length);

/*
 * As long as @length says, rounded up to 2 MiB for the huge kinds. NULL if the
 * kernel would not give this kind. Fresh memory holds no bytes yet.
 */
void *buffer_alloc(enum buffer_kind kind, size_t length);

/* Makes sure that the hugetlbfs pool has this many pages. */
bool buffer_hugetlb_pool(size_t pages);

void buffer_free(enum buffer_kind kind, void *buffer, size_t length);

/* The same @seed gives the same bytes, another one gives others. */
void buffer_fill(void *buffer, size_t length, __u32 seed);

/* Are these the bytes that buffer_fill() wrote with @seed? */
bool buffer_holds(const void *buffer, size_t length, __u32 seed);

#endif
