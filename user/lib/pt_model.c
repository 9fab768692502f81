// SPDX-License-Identifier: GPL-2.0
#include <search.h>
#include <stdlib.h>

#include "pt_model.h"

#define SHIFT_4K 12
#define SHIFT_2M 21
#define SHIFT_1G 30
#define SHIFT_512G 39
#define ENTRIES 512

/*
 * A table whose entries can lead to other tables: those of level 2 (an entry is 2 MiB) in one tree,
 * those of level 3 (an entry is 1 GiB) in the other. Tables of level 1 have no more than their bit.
 * Of three levels, the third is the root, which is always there and not counted.
 */
struct table {
	__u64 index;			/* which IOVAs: shifted by 30 or 39 */
	__u64 leads[ENTRIES / 64];	/* entries that lead to a table */
};

/* A part of an area that lies within one GiB. */
struct piece {
	__u64 first, last;
	bool huge, large;		/* 1 GiB, 2 MiB leaves are possible */
};

static int compare(const void *left, const void *right)
{
	const struct table *a = left, *b = right;

	return a->index < b->index ? -1 : a->index > b->index;
}

static struct table *find(void *const *level, __u64 index)
{
	const struct table key = { .index = index };
	struct table **found = tfind(&key, level, compare);

	return found ? *found : NULL;
}

static bool is_root(const struct pt_model *m, void *const *level)
{
	return m->three && level == &m->level3;
}

static struct table *find_or_add(struct pt_model *m, void **level, __u64 index)
{
	struct table *t = find(level, index);

	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->index = index;
	if (!tsearch(t, level, compare)) {
		free(t);
		return NULL;
	}
	m->tables += !is_root(m, level);
	return t;
}

static void drop(struct pt_model *m, void **level, struct table *t)
{
	tdelete(t, level, compare);
	free(t);
	m->tables--;
}

static bool leads(const struct table *t, __u64 entry)
{
	return t->leads[entry / 64] >> entry % 64 & 1;
}

/* Whether the entry leads to a table; those of level 1 are counted with it. */
static void set_leads(struct table *t, __u64 entry, bool on)
{
	t->leads[entry / 64] &= ~(1ULL << entry % 64);
	t->leads[entry / 64] |= (__u64)on << entry % 64;
}

static void set_level1(struct pt_model *m, struct table *t, __u64 iova, bool on)
{
	__u64 entry = iova >> SHIFT_2M & (ENTRIES - 1);

	m->tables -= leads(t, entry);
	m->tables += on;
	set_leads(t, entry, on);
}

static struct table *level3_of(struct pt_model *m, __u64 iova)
{
	return find_or_add(m, &m->level3, iova >> SHIFT_512G);
}

/* The table for one GiB goes, with all below it. */
static void drop_level2(struct pt_model *m, __u64 iova)
{
	struct table *t = find(&m->level2, iova >> SHIFT_1G);
	struct table *above = find(&m->level3, iova >> SHIFT_512G);

	if (!t)
		return;
	for (size_t i = 0; i < ENTRIES / 64; i++)
		m->tables -= (__u64)__builtin_popcountll(t->leads[i]);
	set_leads(above, iova >> SHIFT_1G & (ENTRIES - 1), false);
	drop(m, &m->level2, t);
}

static bool is_whole(const struct piece *p, unsigned int shift)
{
	__u64 mask = (1ULL << shift) - 1;

	return !(p->first & mask) && (p->last & mask) == mask && p->last - p->first == mask;
}

static struct piece slot_of(const struct piece *p, __u64 at)
{
	__u64 end = at | ((1ULL << SHIFT_2M) - 1);

	return (struct piece){ .first = at, .last = end < p->last ? end : p->last };
}

static void count_leaves(struct pt_model *m, enum pt_leaf leaf, __u64 nr, bool add)
{
	m->leaves[leaf] += add ? nr : -nr;
}

/* 2 MiB, or less of one, of a piece: false if its leaves are small. */
static bool count_slot(struct pt_model *m, const struct piece *p, const struct piece *slot,
		       bool add)
{
	if (p->large && is_whole(slot, SHIFT_2M)) {
		count_leaves(m, PT_LEAF_2M, 1, add);
		return true;
	}
	count_leaves(m, PT_LEAF_4K, (slot->last - slot->first + 1) >> SHIFT_4K, add);
	return false;
}

static bool map_slots(struct pt_model *m, const struct piece *p)
{
	struct table *above = level3_of(m, p->first), *t;
	struct piece slot;

	t = above ? find_or_add(m, &m->level2, p->first >> SHIFT_1G) : NULL;
	if (!t)
		return false;
	set_leads(above, p->first >> SHIFT_1G & (ENTRIES - 1), true);
	for (__u64 at = p->first;; at = slot.last + 1) {
		slot = slot_of(p, at);
		set_level1(m, t, at, !count_slot(m, p, &slot, true));
		if (slot.last == p->last)
			return true;
	}
}

static bool map_piece(struct pt_model *m, const struct piece *p)
{
	if (!p->huge || !is_whole(p, SHIFT_1G))
		return map_slots(m, p);
	count_leaves(m, PT_LEAF_1G, 1, true);
	drop_level2(m, p->first);
	return level3_of(m, p->first);
}

static void unmap_slots(struct pt_model *m, const struct piece *p)
{
	struct table *t = find(&m->level2, p->first >> SHIFT_1G);
	struct piece slot;

	for (__u64 at = p->first;; at = slot.last + 1) {
		slot = slot_of(p, at);
		count_slot(m, p, &slot, false);
		if (t && is_whole(&slot, SHIFT_2M))
			set_level1(m, t, at, false);
		if (slot.last == p->last)
			return;
	}
}

static bool unmap_piece(struct pt_model *m, const struct piece *p)
{
	bool whole = is_whole(p, SHIFT_1G);

	if (whole && p->huge)
		count_leaves(m, PT_LEAF_1G, 1, false);
	else
		unmap_slots(m, p);
	if (whole)
		drop_level2(m, p->first);
	return true;
}

/* Tables of level 3 that lie in what is unmapped; those below them are gone. */
static void drop_level3(struct pt_model *m, __u64 first, __u64 last)
{
	__u64 size = 1ULL << SHIFT_512G, at = (first + size - 1) & ~(size - 1);

	for (; at >= first && at <= last && last - at >= size - 1; at += size) {
		struct table *t = find(&m->level3, at >> SHIFT_512G);

		if (t)
			drop(m, &m->level3, t);
	}
}

/* Goes through an area GiB by GiB. */
static bool walk(struct pt_model *m, const struct pt_area *a,
		 bool (*visit)(struct pt_model *m, const struct piece *p))
{
	__u64 page = (1ULL << SHIFT_4K) - 1, last = (a->iova + a->length - 1) | page, end;
	__u64 differ = a->iova ^ a->addr;
	struct piece p = {
		.first = a->iova & ~page,
		.huge = a->run >= SHIFT_1G && !(differ & ((1ULL << SHIFT_1G) - 1)),
		.large = a->run >= SHIFT_2M && !(differ & ((1ULL << SHIFT_2M) - 1)),
	};

	for (;; p.first = p.last + 1) {
		end = p.first | ((1ULL << SHIFT_1G) - 1);
		p.last = end < last ? end : last;
		if (!visit(m, &p))
			return false;
		if (p.last == last)
			return true;
	}
}

bool pt_model_map(struct pt_model *m, const struct pt_area *a)
{
	return walk(m, a, map_piece);
}

void pt_model_unmap(struct pt_model *m, const struct pt_area *a)
{
	walk(m, a, unmap_piece);
	if (!m->three)
		drop_level3(m, a->iova, a->iova + a->length - 1);
}

void pt_model_free(struct pt_model *m)
{
	tdestroy(m->level2, free);
	tdestroy(m->level3, free);
	*m = (struct pt_model){ .three = m->three };
}
