// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOVA space of an IOAS.
 *
 * Areas live in one maple tree that tracks gaps, so that finding room costs
 * O(log areas). What no mapping may touch (reserved ranges) is a short list;
 * its complement, the windows, is kept ready as an array, and every search
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

static int check_free(struct iova_space *space, unsigned long iova,
		      unsigned long length, const struct iova_window *windows,
		      unsigned int nr)
{
	unsigned long last;

	if (check_add_overflow(iova, length - 1, &last) ||
	    !in_windows(windows, nr, iova, last))
		return -ERANGE;
	if (iova_space_next(space, iova, last))
		return -EEXIST;
	return 0;
}

static int space_check(struct iox_iova_req *req, u64 iova)
{
	struct iova_request *request = request_of(req);
	const struct iova_window *windows;
	unsigned int nr;

	/* Nothing has changed since: the lock has been held. */
	if (iova && iova == request->found)
		return 0;
	if ((iova ^ req->addr) & (req->align - 1))
		return -EINVAL;
	windows = automatic_windows(request->space, &nr);
	return check_free(request->space, iova, req->length, windows, nr);
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

static int select_iova(struct iova_request *request, u64 *iova)
{
	struct iox_iova_req *req = &request->req;
	int rc = iox_iova_select(request->ioas, req, iova);

	request->chooser = IOMMUFD_CHOOSER_POLICY;
	if (rc == -EAGAIN) {
		rc = 0;
		if (req->hint && !space_check(req, req->hint)) {
			request->chooser = IOMMUFD_CHOOSER_HINT;
			*iova = req->hint;
		} else {
			request->chooser = IOMMUFD_CHOOSER_BUILT_IN;
			rc = builtin_select(req, iova);
		}
	}
	if (!rc)
		iox_iova_placed(request->ioas, req, *iova);
	return rc;
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
 * iova_space_place - take room for an area
 * @request: what is wanted; @request->req.length is checked, the fields that
 *	the space knows itself are filled in here
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
	struct iox_iova_req *req = &request->req;
	u64 iova = area->iova;
	unsigned long last;
	int rc;

	guard(mutex)(&space->lock);

	if ((req->length | req->addr) & (space->align - 1))
		return -EINVAL;

	if (fixed) {
		if (iova & (space->align - 1))
			return -EINVAL;
		if (check_add_overflow(iova, req->length - 1, &last))
			return -EOVERFLOW;
		rc = check_free(space, iova, req->length, space->windows,
				space->nr_windows);
		if (rc)
			return rc == -ERANGE ? -EINVAL : rc;
	} else {
		/* The offset within a page is kept, whatever the alignment. */
		req->align = max(space->align, PAGE_SIZE);
		req->nr_areas = space->nr_areas;
		req->ops = &space_ops;
		rc = select_iova(request, &iova);
		if (rc)
			return rc;
	}

	area->iova = iova;
	area->last = iova + req->length - 1;
	area->state = AREA_BUSY;
	return insert_area(space, area);
}

/**
 * iova_space_erase - give the room of an area back
 * @space: where it is
 * @area: AREA_BUSY; its IOVAs are free when this returns
 *
 * Context: sleeps, cannot fail; space->lock is held by the caller.
 */
void iova_space_erase(struct iova_space *space, struct iommufd_area *area)
{
	MA_STATE(mas, &space->areas, area->iova, area->iova);

	lockdep_assert_held(&space->lock);
	WARN_ON(mas_erase(&mas) != area);
	space->nr_areas--;
}

/**
 * iova_space_next - the first area that touches a range
 * @space: where to look; space->lock is held
 * @first: start of the range
 * @last: its end, included
 */
struct iommufd_area *iova_space_next(struct iova_space *space,
				     unsigned long first, unsigned long last)
{
	MA_STATE(mas, &space->areas, first, first);

	lockdep_assert_held(&space->lock);
	return mas_find(&mas, last);
}

/**
 * iova_space_set_align - change what mappings must be aligned to
 * @space: the space
 * @align: power of two, bytes
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

		mas_for_each(&mas, area, ULONG_MAX) {
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

/* Is there a window that is large enough? */
static bool has_room(const struct iova_requirement *required,
		     const struct iova_window *windows, unsigned int nr)
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

/* Is any of a range promised to automatic IOVAs? */
static bool is_allowed(const struct iova_space *space, unsigned long start,
		       unsigned long last)
{
	unsigned int i;

	for (i = 0; i < space->nr_allowed; i++)
		if (start <= space->allowed[i].last &&
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
 * Return: 0; -EADDRINUSE something is mapped or promised there, or no required
 * window would be left; -ENOMEM.
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
	if (iova_space_next(space, start, last) || is_allowed(space, start, last))
		return -EADDRINUSE;
	rc = grow_windows(space);
	if (rc)
		return rc;

	list_for_each_entry(after, &space->reserved, item)
		if (after->start > start)
			break;
	list_add_tail(&r->item, &after->item);
	rebuild_windows(space);
	if (!has_room(&space->required, space->windows, space->nr_windows)) {
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
	if (!has_room(required, space->windows, space->nr_windows))
		return -ENOSPC;
	space->required = *required;
	return 0;
}

static bool in_the_way(struct iova_space *space, struct iova_trial *trial,
		       const struct iova_window *range)
{
	if (iova_space_next(space, range->start, range->last))
		trial->reason = IOX_ATTACH_MAPPED;
	else if (is_allowed(space, range->start, range->last))
		trial->reason = IOX_ATTACH_ALLOWED;
	else
		return false;
	trial->conflict = *range;
	return true;
}

static bool is_misaligned(struct iova_space *space, struct iova_trial *trial)
{
	struct iommufd_area *area;
	MA_STATE(mas, &space->areas, 0, 0);

	if (trial->align <= space->align)
		return false;
	mas_for_each(&mas, area, ULONG_MAX) {
		if (!((area->iova | (area->last + 1) | area->start) &
		      (trial->align - 1)))
			continue;
		trial->reason = IOX_ATTACH_MISALIGNED;
		trial->conflict = (struct iova_window){ area->iova, area->last };
		return true;
	}
	return false;
}

/* Take @range out of the middle of the window that it is in, if it is. */
static bool split_window(struct iova_trial *trial,
			 const struct iova_window *range)
{
	struct iova_window *w;
	unsigned int i;

	for (i = 0; i < trial->nr_windows; i++) {
		w = &trial->windows[i];
		if (w->start >= range->start || w->last <= range->last)
			continue;
		memmove(w + 1, w, (trial->nr_windows - i) * sizeof(*w));
		w[0].last = range->start - 1;
		w[1].start = range->last + 1;
		trial->nr_windows++;
		return true;
	}
	return false;
}

/* Take @range out of the windows of a trial, whose array has room for one more. */
static void cut_windows(struct iova_trial *trial,
			const struct iova_window *range)
{
	unsigned int i, kept = 0;

	if (split_window(trial, range))
		return;
	for (i = 0; i < trial->nr_windows; i++) {
		struct iova_window w = trial->windows[i];

		if (w.start < range->start)
			w.last = min(w.last, range->start - 1);
		else if (w.last > range->last)
			w.start = max(w.start, range->last + 1);
		else
			continue;
		trial->windows[kept++] = w;
	}
	trial->nr_windows = kept;
}

/**
 * iova_space_try - what would be if some ranges could not be used?
 * @space: the space; nothing of it is changed
 * @trial: says which; filled in
 *
 * Return: 0, whether it could be or not: see trial->reason; or -ENOMEM.
 */
int iova_space_try(struct iova_space *space, struct iova_trial *trial)
{
	unsigned int i;

	guard(mutex)(&space->lock);
	trial->windows = kmalloc_array(space->nr_windows + trial->nr_ranges,
				       sizeof(*trial->windows),
				       GFP_KERNEL_ACCOUNT);
	if (!trial->windows)
		return -ENOMEM;
	trial->nr_windows = space->nr_windows;
	memcpy(trial->windows, space->windows,
	       space->nr_windows * sizeof(*trial->windows));
	for (i = 0; i < trial->nr_ranges; i++)
		cut_windows(trial, &trial->ranges[i]);

	for (i = 0; i < trial->nr_ranges; i++)
		if (in_the_way(space, trial, &trial->ranges[i]))
			return 0;
	if (is_misaligned(space, trial))
		return 0;
	if (!has_room(&space->required, trial->windows, trial->nr_windows))
		trial->reason = IOX_ATTACH_REQUIRED;
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
 * @space: no area is left in it; ranges may still be reserved
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
