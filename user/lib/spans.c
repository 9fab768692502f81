// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stddef.h>

#include "spans.h"

static __u64 larger(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

/* How much is free between what ends at @last and what begins at @start. */
static __u64 between(__u64 last, __u64 start)
{
	return start > last ? start - last - 1 : 0;
}

/* Equal starts are possible, and each has to be found again. */
static bool before(const struct span *a, const struct span *b)
{
	return a->start != b->start ? a->start < b->start : a < b;
}

/* Makes what @s knows of those below it true again. */
static void update(struct span *s)
{
	s->first_start = s->left ? s->left->first_start : s->start;
	s->last_last = s->last;
	s->gap = 0;
	if (s->left) {
		s->gap = larger(s->left->gap, between(s->left->last_last, s->start));
		s->last_last = larger(s->last_last, s->left->last_last);
	}
	if (s->right) {
		s->gap = larger(s->gap, larger(s->right->gap,
					       between(s->last_last, s->right->first_start)));
		s->last_last = larger(s->last_last, s->right->last_last);
	}
}

/* Those of @from that come before @s to *@low, the others to *@high. */
static void split(struct span *from, const struct span *s, struct span **low, struct span **high)
{
	if (!from) {
		*low = *high = NULL;
	} else if (before(from, s)) {
		split(from->right, s, &from->right, high);
		update(from);
		*low = from;
	} else {
		split(from->left, s, low, &from->left);
		update(from);
		*high = from;
	}
}

static struct span *join(struct span *low, struct span *high)
{
	if (!low || !high)
		return low ? low : high;
	if (low->weight > high->weight) {
		low->right = join(low->right, high);
		update(low);
		return low;
	}
	high->left = join(low, high->left);
	update(high);
	return high;
}

/* The same numbers in every run. */
static __u32 random_weight(struct spans *spans)
{
	spans->seed = spans->seed * 1664525 + 1013904223;
	return spans->seed ^ spans->seed >> 16;
}

void spans_insert(struct spans *spans, struct span *s)
{
	struct span *low, *high;

	s->weight = random_weight(spans);
	s->left = s->right = NULL;
	update(s);
	split(spans->root, s, &low, &high);
	spans->root = join(join(low, s), high);
}

static struct span *without(struct span *in, const struct span *s)
{
	if (in == s)
		return join(in->left, in->right);
	if (before(s, in))
		in->left = without(in->left, s);
	else
		in->right = without(in->right, s);
	update(in);
	return in;
}

void spans_remove(struct spans *spans, struct span *s)
{
	spans->root = without(spans->root, s);
}

struct span *spans_find(const struct spans *spans, __u64 first, __u64 last)
{
	struct span *s = spans->root, *found = NULL;

	while (s) {
		if (s->last < first) {
			s = s->right;
			continue;
		}
		if (s->start <= last)
			found = s;
		s = s->left;
	}
	return found;
}

__u64 spans_largest_gap(const struct spans *spans, __u64 first, __u64 last)
{
	const struct span *root = spans->root;
	__u64 gap;

	if (!root)
		return last - first + 1;
	gap = root->gap;
	if (root->first_start > first)
		gap = larger(gap, root->first_start - first);
	if (root->last_last < last)
		gap = larger(gap, last - root->last_last);
	return gap;
}
