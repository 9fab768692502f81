// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOVA space of an IOAS.
 *
 * Areas live in one maple tree that tracks gaps, so that finding room costs
 * O(log areas). Claims, which have no memory but keep IOVAs for some, lie there
 * between them (claim.c). What no mapping may touch (reserved ranges) is a short
 * list; its complement, the windows, is kept ready as an array, and every search
 * runs window by window.
 *
 * Ends are closed throughout ("last", never "end"): a range may end at
 * ULONG_MAX, and one past that does not exist.
 */
#include <linux/align.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/pgtable.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <uapi/linux/iox.h>

#include "space.h"

/*
 * A gap can be long enough and still hold no congruent start. After so many
 * of those in a row, look for a gap that is long enough wherever it starts.
 */
#define EXACT_TRIES 16

struct iova_reserved {
	struct list_head item;
	unsigned long start;
	unsigned long last;
	const void *owner;
};

/* One search for @length bytes at an IOVA congruent to @offset modulo @align */
struct gap_query {
	struct maple_tree *areas;
	unsigned long length;
	unsigned long align;
	unsigned long offset;
};

static inline struct iova_request *request_of(struct iox_iova_req *req)
{
	return container_of(req, struct iova_request, req);
}

static bool congruent_up(const struct gap_query *q, unsigned long from,
			 unsigned long *iova)
{
	return !check_add_overflow(from, (q->offset - from) & (q->align - 1),
				   iova);
}

static bool congruent_down(const struct gap_query *q, unsigned long from,
			   unsigned long *iova)
{
	return !check_sub_overflow(from, (from - q->offset) & (q->align - 1),
				   iova);
}

/* The lowest or highest gap of @size bytes in [lo, hi], to its full extent */
static bool gap_extent(const struct gap_query *q, unsigned long lo,
		       unsigned long hi, unsigned long size, bool down,
		       struct iova_window *gap)
{
	MA_STATE(mas, q->areas, 0, 0);

	if (down ? mas_empty_area_rev(&mas, lo, hi, size) :
		   mas_empty_area(&mas, lo, hi, size))
		return false;

	gap->start = mas.index;
	gap->last = mas.last;
	if (down) {
		mas_set(&mas, gap->last);
		gap->start = mas_find_rev(&mas, lo) ? mas.last + 1 : lo;
	} else {
		mas_set(&mas, gap->start);
		gap->last = mas_find(&mas, hi) ? mas.index - 1 : hi;
	}
	return true;
}

static bool fit_in_gap(const struct gap_query *q, const struct iova_window *gap,
		       bool down, unsigned long *iova)
{
	unsigned long room = gap->last - gap->start;

	if (room < q->length - 1)
		return false;
	if (down)
		return congruent_down(q, gap->last - (q->length - 1), iova) &&
		       *iova >= gap->start;
	return congruent_up(q, gap->start, iova) && *iova <= gap->last &&
	       gap->last - *iova >= q->length - 1;
}

/* Search one window. Holes that do not fit are passed over one by one. */
static int search_window(const struct gap_query *q, unsigned long lo,
			 unsigned long hi, bool down, unsigned long *iova)
{
	struct iova_window gap;
	unsigned long roomy;
	unsigned int tries;

	for (tries = 0;; tries++) {
		if (!gap_extent(q, lo, hi, q->length, down, &gap))
			return -ENOSPC;
		if (fit_in_gap(q, &gap, down, iova))
			return 0;
		if (tries == EXACT_TRIES &&
		    !check_add_overflow(q->length, q->align - 1, &roomy)) {
			struct iova_window wide;

			if (gap_extent(q, lo, hi, roomy, down, &wide) &&
			    fit_in_gap(q, &wide, down, iova))
				return 0;
		}
		if (down) {
			if (gap.start <= lo)
				return -ENOSPC;
			hi = gap.start - 1;
		} else {
			if (gap.last >= hi)
				return -ENOSPC;
			lo = gap.last + 1;
		}
	}
}

/* Where IOVAs that nobody asked for by number may be */
static const struct iova_window *
automatic_windows(const struct iova_space *space, unsigned int *nr)
{
	*nr = space->allowed ? space->nr_allowed : space->nr_windows;
	return space->allowed ?: space->windows;
}

static int space_gap(struct iox_iova_req *req, u64 min, u64 max, u64 align,
		     bool down, u64 *iova)
{
	struct iova_request *request = request_of(req);
	struct iova_space *space = request->space;
	struct gap_query q = {
		.areas = &space->areas,
		.length = req->length,
		.align = max(align, req->align),
		.offset = req->addr,
	};
	const struct iova_window *windows;
	unsigned int nr, i;

	lockdep_assert_held(&space->lock);
	windows = automatic_windows(space, &nr);

	/* IOVA 0 reads as "none" in too many places to hand it out unasked. */
	min = max(min, 1);
	for (i = 0; i < nr; i++) {
		const struct iova_window *w = &windows[down ? nr - 1 - i : i];
		unsigned long lo = max(w->start, min);
		unsigned long hi = min(w->last, max);
		unsigned long found;

		if (lo > hi || search_window(&q, lo, hi, down, &found))
			continue;
		request->found = found;
		*iova = found;
		return 0;
	}
	return -ENOSPC;
}

static int space_first_gap(struct iox_iova_req *req, u64 min, u64 max,
			   u64 align, u64 *iova)
{
	return space_gap(req, min, max, align, false, iova);
}

static int space_last_gap(struct iox_iova_req *req, u64 min, u64 max,
			  u64 align, u64 *iova)
{
	return space_gap(req, min, max, align, true, iova);
}

static bool in_windows(const struct iova_window *windows, unsigned int nr,
		       unsigned long iova, unsigned long last)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (iova >= windows[i].start && last <= windows[i].last)
			return true;
	return false;
}

/**
 * iova_space_is_taken - is there an area or a claim?
 * @space: where to look; space->lock is held
 * @first: start of the range
 * @last: its end, included
 *
 * Context: does not sleep.
 */
bool iova_space_is_taken(struct iova_space *space, unsigned long first,
			 unsigned long last)
{
	MA_STATE(mas, &space->areas, first, first);

	lockdep_assert_held(&space->lock);
	return mas_find(&mas, last);
}

static int space_check(struct iox_iova_req *req, u64 iova)
{
	struct iova_request *request = request_of(req);
	const struct iova_window *windows;
	unsigned long last;
	unsigned int nr;

	/* Nothing has changed since: the lock has been held. */
	if (iova && iova == request->found)
		return 0;
	if ((iova ^ req->addr) & (req->align - 1))
		return -EINVAL;
	windows = automatic_windows(request->space, &nr);
	if (check_add_overflow(iova, req->length - 1, &last) ||
	    !in_windows(windows, nr, iova, last))
		return -ERANGE;
	return iova_space_is_taken(request->space, iova, last) ? -EEXIST : 0;
}

static int space_next_gap(struct iox_iova_req *req, u64 min, u64 max, u64 *start,
			  u64 *last)
{
	struct iova_request *request = request_of(req);
	struct gap_query q = { .areas = &request->space->areas };
	const struct iova_window *windows;
	struct iova_window gap;
	unsigned int nr, i;

	lockdep_assert_held(&request->space->lock);
	windows = automatic_windows(request->space, &nr);
	min = max(min, 1);
	for (i = 0; i < nr; i++) {
		unsigned long lo = max(windows[i].start, min);
		unsigned long hi = min(windows[i].last, max);

		if (lo > hi || hi - lo < req->length - 1 ||
		    !gap_extent(&q, lo, hi, req->length, false, &gap))
			continue;
		*start = gap.start;
		*last = gap.last;
		return 0;
	}
	return -ENOSPC;
}

static int space_window(struct iox_iova_req *req, u32 index, u64 *start,
			u64 *last)
{
	const struct iova_window *windows;
	unsigned int nr;

	windows = automatic_windows(request_of(req)->space, &nr);
	if (index >= nr)
		return -ENOENT;
	*start = windows[index].start;
	*last = windows[index].last;
	return 0;
}

static const struct iox_space_ops space_ops = {
	.first_gap = space_first_gap,
	.last_gap = space_last_gap,
	.check = space_check,
	.next_gap = space_next_gap,
	.window = space_window,
};

/*
 * The built-in allocator: the lowest room, aligned to the mapping's own size as
 * far as that helps: up to a 2 MiB leaf always, to a 1 GiB leaf if there is such
 * room. Aligned means congruent to the memory, whose large pages must fit.
 */
static int builtin_select(struct iox_iova_req *req, u64 *iova)
{
	unsigned long natural = rounddown_pow_of_two(req->length);

	if (natural >= PUD_SIZE &&
	    !space_first_gap(req, 0, U64_MAX, PUD_SIZE, iova))
		return 0;
	return space_first_gap(req, 0, U64_MAX, min(natural, PMD_SIZE), iova);
}

/* Where the caller would like it, if that is free and no policy objects */
static bool take_hint(struct iox_iova_req *req, u64 *iova)
{
	if (!req->hint || space_check(req, req->hint))
		return false;
	if (req->answer != IOX_TRY_FAULT)
		req->answer = IOX_TRY_HINT;
	*iova = req->hint;
	return true;
}

/* Every map goes through these two: as if written out in all their callers. */
static __always_inline int select_iova(struct iova_request *request, u64 *iova)
{
	struct iox_iova_req *req = &request->req;
	int rc = iox_iova_select(request->ioas, req, iova);

	if (rc == -EAGAIN)
		rc = take_hint(req, iova) ? 0 : builtin_select(req, iova);
	if (!rc)
		iox_iova_placed(request->ioas, req, *iova);
	return rc;
}

static __always_inline int choose_iova(struct iova_request *request, u64 *iova,
				       bool fixed, bool over_claims)
{
	struct iova_space *space = request->space;
	struct iox_iova_req *req = &request->req;
	unsigned long last;

	if ((req->length | req->addr) & (space->align - 1))
		return -EINVAL;
	if (!fixed) {
		/* The offset within a page is kept, whatever the alignment. */
		req->align = max(space->align, PAGE_SIZE);
		req->nr_areas = space->nr_areas;
		req->answer = IOX_TRY_BUILT_IN;
		req->ops = &space_ops;
		return select_iova(request, iova);
	}
	if (*iova & (space->align - 1))
		return -EINVAL;
	if (check_add_overflow(*iova, req->length - 1, &last))
		return -EOVERFLOW;
	if (!in_windows(space->windows, space->nr_windows, *iova, last))
		return -EINVAL;
	if (over_claims ? !!iova_space_next(space, *iova, last) :
			  iova_space_is_taken(space, *iova, last))
		return -EEXIST;
	return 0;
}

/**
 * iova_space_choose - find room that nobody has, for a claim
 * @request: what is wanted; @request->req.length is checked, the fields that
 *	the space knows itself are filled in here
 * @iova: where, if @fixed; else set when 0 is returned
 * @fixed: there and nowhere else
 *
 * Context: space->lock is held by the caller.
 * Return: 0, or an errno of iova_space_place().
 */
int iova_space_choose(struct iova_request *request, u64 *iova, bool fixed)
{
	lockdep_assert_held(&request->space->lock);
	return choose_iova(request, iova, fixed, false);
}

static int insert_area(struct iova_space *space, struct iommufd_area *area)
{
	MA_STATE(mas, &space->areas, area->iova, area->last);
	int rc = mas_store_gfp(&mas, area, GFP_KERNEL_ACCOUNT);

	if (!rc)
		space->nr_areas++;
	return rc;
}

/**
 * iova_space_place - take room for an area, over claims too if it is fixed
 * @request: as in iova_space_choose()
 * @area: gets its iova and last, and is AREA_BUSY until set live or erased.
 *	With @fixed, area->iova says where.
 * @fixed: there and nowhere else
 *
 * Context: sleeps.
 * Return: 0; -EINVAL unaligned or, when @fixed, not in a window; -EOVERFLOW
 * the range wraps; -EEXIST taken; -ENOSPC no room; -ENOMEM; or the errno with
 * which a policy refused.
 */
int iova_space_place(struct iova_request *request, struct iommufd_area *area,
		     bool fixed)
{
	struct iova_space *space = request->space;
	u64 iova = area->iova;
	int rc;

	guard(mutex)(&space->lock);
	rc = choose_iova(request, &iova, fixed, true);
	if (rc)
		return rc;
	area->iova = iova;
	area->last = iova + request->req.length - 1;
	area->state = AREA_BUSY;
	return insert_area(space, area);
}

/**
 * iova_space_erase - give the room of an area back
 * @space: where it is
 * @area: AREA_BUSY; its IOVAs are free when this returns, or claims again
 *
 * Context: sleeps, cannot fail; space->lock is held by the caller.
 */
void iova_space_erase(struct iova_space *space, struct iommufd_area *area)
{
	MA_STATE(mas, &space->areas, area->iova, area->iova);

	lockdep_assert_held(&space->lock);
	WARN_ON(mas_erase(&mas) != area);
	space->nr_areas--;
	if (unlikely(iova_space_has_claims(space)))
		iova_space_uncover(space, area->iova, area->last);
}

/**
 * iova_space_next - the first area that touches a range
 * @space: where to look; space->lock is held
 * @first: start of the range
 * @last: its end, included
 *
 * Context: sleeps where there are many claims.
 */
struct iommufd_area *iova_space_next(struct iova_space *space,
				     unsigned long first, unsigned long last)
{
	struct iommufd_area *area;
	MA_STATE(mas, &space->areas, first, first);

	lockdep_assert_held(&space->lock);
	area = mas_find(&mas, last);
	while (unlikely(iova_is_claim(area))) {
		cond_resched();
		area = mas_find(&mas, last);
	}
	return area;
}

/**
 * iova_space_set_align - change what mappings must be aligned to
 * @space: the space
 * @align: power of two, bytes
 *
 * Claims need not be aligned: nothing translates them.
 *
 * Return: 0; -EADDRINUSE when an area is not so aligned, nothing changed then.
 */
int iova_space_set_align(struct iova_space *space, unsigned long align)
{
	struct iommufd_area *area;
	unsigned long odd;

	guard(mutex)(&space->lock);
	if (align > space->align) {
		MA_STATE(mas, &space->areas, 0, 0);

		iova_space_for_each_area(&mas, area, ULONG_MAX) {
			odd = area->iova | (area->last + 1) | area->start;
			if (odd & (align - 1))
				return -EADDRINUSE;
		}
	}
	WRITE_ONCE(space->align, align);
	return 0;
}

/**
 * iova_space_copy_windows - what may be mapped, for telling user space
 * @space: the space; its lock is not held, as user memory may not be touched
 *	under it
 * @nr: set to the number of windows
 *
 * Return: a copy of the windows, to be given to kfree(); %NULL no memory.
 */
struct iova_window *iova_space_copy_windows(struct iova_space *space,
					    unsigned int *nr)
{
	guard(mutex)(&space->lock);
	*nr = space->nr_windows;
	return kmemdup_array(space->windows, *nr, sizeof(*space->windows),
			     GFP_KERNEL_ACCOUNT);
}

/* The array has room: it was sized when the reserved ranges were added. */
static void rebuild_windows(struct iova_space *space)
{
	struct iova_reserved *r;
	unsigned long pos = 0;
	unsigned int nr = 0;

	list_for_each_entry(r, &space->reserved, item) {
		if (r->start > pos)
			space->windows[nr++] =
				(struct iova_window){ pos, r->start - 1 };
		if (r->last == ULONG_MAX) {
			space->nr_windows = nr;
			return;
		}
		pos = max(pos, r->last + 1);
	}
	space->windows[nr++] = (struct iova_window){ pos, ULONG_MAX };
	space->nr_windows = nr;
}

/* Room for one more window than there are ranges, the new one included */
static int grow_windows(struct iova_space *space)
{
	unsigned int nr = list_count_nodes(&space->reserved) + 2;
	struct iova_window *windows;

	windows = krealloc_array(space->windows, nr, sizeof(*windows),
				 GFP_KERNEL_ACCOUNT);
	if (!windows)
		return -ENOMEM;
	space->windows = windows;
	return 0;
}

/**
 * iova_requirement_is_met - is there a window that is large enough?
 * @required: for this
 * @windows: the windows
 * @nr: how many
 */
bool iova_requirement_is_met(const struct iova_requirement *required,
			     const struct iova_window *windows,
			     unsigned int nr)
{
	unsigned long start;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		start = windows[i].start;
		if (required->fixed)
			start = max(start, required->base);
		else if (check_add_overflow(start, -start & (required->align - 1),
					    &start))
			continue;
		if (required->fixed && start != required->base)
			continue;
		if (start <= windows[i].last &&
		    windows[i].last - start >= required->length - 1)
			return true;
	}
	return !required->length;
}

/**
 * iova_space_is_allowed - is any of a range promised to automatic IOVAs?
 * @space: where to look; space->lock is held
 * @first: start of the range
 * @last: its end, included
 */
bool iova_space_is_allowed(const struct iova_space *space, unsigned long first,
			   unsigned long last)
{
	unsigned int i;

	for (i = 0; i < space->nr_allowed; i++)
		if (first <= space->allowed[i].last &&
		    last >= space->allowed[i].start)
			return true;
	return false;
}

/**
 * iova_space_reserve - keep mappings out of a range
 * @space: the space
 * @start: first IOVA
 * @last: last IOVA, included
 * @owner: on whose behalf; several owners may reserve the same range
 *
 * Return: 0; -EADDRINUSE something is mapped, claimed or promised there, or no
 * required window would be left; -ENOMEM.
 */
int iova_space_reserve(struct iova_space *space, unsigned long start,
		       unsigned long last, const void *owner)
{
	struct iova_reserved *r __free(kfree) =
		kzalloc_obj(*r, GFP_KERNEL_ACCOUNT);
	struct iova_reserved *after;
	int rc;

	if (!r)
		return -ENOMEM;
	r->start = start;
	r->last = last;
	r->owner = owner;

	guard(mutex)(&space->lock);
	if (iova_space_is_taken(space, start, last) ||
	    iova_space_is_allowed(space, start, last))
		return -EADDRINUSE;
	rc = grow_windows(space);
	if (rc)
		return rc;

	list_for_each_entry(after, &space->reserved, item)
		if (after->start > start)
			break;
	list_add_tail(&r->item, &after->item);
	rebuild_windows(space);
	if (!iova_requirement_is_met(&space->required, space->windows,
				     space->nr_windows)) {
		list_del(&r->item);
		rebuild_windows(space);
		return -EADDRINUSE;
	}
	retain_and_null_ptr(r);
	return 0;
}

/**
 * iova_space_unreserve - give back all that an owner reserved
 * @space: the space
 * @owner: as in iova_space_reserve()
 */
void iova_space_unreserve(struct iova_space *space, const void *owner)
{
	struct iova_reserved *r, *next;

	guard(mutex)(&space->lock);
	list_for_each_entry_safe(r, next, &space->reserved, item) {
		if (r->owner != owner)
			continue;
		list_del(&r->item);
		kfree(r);
	}
	rebuild_windows(space);
}

static int compare_windows(const void *a, const void *b)
{
	const struct iova_window *x = a, *y = b;

	return cmp_int(x->start, y->start);
}

/**
 * iova_space_allow - promise where automatic IOVAs come from
 * @space: the space
 * @allowed: the ranges, in any order; taken over and freed with kvfree() when
 *	0 is returned
 * @nr: how many; with 0 there is no promise and no limit any more
 *
 * Return: 0; -EINVAL ranges overlap or end before they start; -EADDRINUSE one
 * is not usable now.
 */
int iova_space_allow(struct iova_space *space, struct iova_window *allowed,
		     unsigned int nr)
{
	unsigned int i;

	sort(allowed, nr, sizeof(*allowed), compare_windows, NULL);
	for (i = 0; i < nr; i++)
		if (allowed[i].last < allowed[i].start ||
		    (i && allowed[i].start <= allowed[i - 1].last))
			return -EINVAL;

	guard(mutex)(&space->lock);
	for (i = 0; i < nr; i++)
		if (!in_windows(space->windows, space->nr_windows,
				allowed[i].start, allowed[i].last))
			return -EADDRINUSE;
	kvfree(space->allowed);
	space->allowed = allowed;
	space->nr_allowed = nr;
	return 0;
}

/**
 * iova_space_require - have a window of some size, now and from now on
 * @space: the space
 * @required: in place of what was required before
 *
 * Return: 0, or -ENOSPC when there is none now; nothing has changed then.
 */
int iova_space_require(struct iova_space *space,
		       const struct iova_requirement *required)
{
	guard(mutex)(&space->lock);
	if (!iova_requirement_is_met(required, space->windows,
				     space->nr_windows))
		return -ENOSPC;
	space->required = *required;
	return 0;
}

/**
 * iova_space_init - an empty space with everything allowed
 * @space: zeroed memory
 *
 * Return: 0 or -ENOMEM.
 */
int iova_space_init(struct iova_space *space)
{
	mutex_init(&space->lock);
	mt_init_flags(&space->areas, MT_FLAGS_ALLOC_RANGE | MT_FLAGS_LOCK_EXTERN);
	mt_set_external_lock(&space->areas, &space->lock);
	mt_init_flags(&space->claims, MT_FLAGS_LOCK_EXTERN);
	mt_set_external_lock(&space->claims, &space->lock);
	INIT_LIST_HEAD(&space->reserved);
	space->align = 1;
	space->windows = kzalloc_obj(*space->windows, GFP_KERNEL_ACCOUNT);
	if (!space->windows)
		return -ENOMEM;
	rebuild_windows(space);
	return 0;
}

/**
 * iova_space_destroy - free what a space holds
 * @space: no area and no claim is left in it; ranges may still be reserved
 */
void iova_space_destroy(struct iova_space *space)
{
	struct iova_reserved *r, *next;

	WARN_ON(space->nr_areas);
	list_for_each_entry_safe(r, next, &space->reserved, item)
		kfree(r);
	kvfree(space->allowed);
	kfree(space->windows);
	mutex_destroy(&space->lock);
}
