/* SPDX-License-Identifier: GPL-2.0 */
/* Ranges of addresses in order, and the largest gap among them, each in O(log ranges). */
#ifndef IOX_LIB_SPANS_H
#define IOX_LIB_SPANS_H

#include <linux/types.h>

/* Part of what it is the range of. Both ends belong to it. */
struct span {
	__u64 start, last;
	/* A treap: ordered by address, and a heap by weight, which is random. */
	struct span *left, *right;
	__u32 weight;
	__u64 first_start, last_last, gap;	/* of all below it */
};

/* All zero is none. */
struct spans {
	struct span *root;
	__u32 seed;
};

/* @s has its start and last. Those that overlap are kept as well; there is no gap then. */
void spans_insert(struct spans *spans, struct span *s);
void spans_remove(struct spans *spans, struct span *s);

/*
 * The lowest that has something in @first..@last, NULL if none has; the ranges there are must not
 * overlap.
 */
struct span *spans_find(const struct spans *spans, __u64 first, __u64 last);

/* How long the largest gap within @first..@last is, if all ranges are in there. */
__u64 spans_largest_gap(const struct spans *spans, __u64 first, __u64 last);

#endif
