// SPDX-License-Identifier: GPL-2.0-only
/* The model of an IOVA space: what may be mapped where. */
#include <errno.h>
#include <stdlib.h>

#include "fuzz.h"

#define LEAF (2ULL << 20)

__u64 ioas_align(const struct ioas *ioas)
{
	if (ioas->small_pages || ioas->pinning)
		return PAGE;
	return ioas->hwpts.nr ? MOCK_PAGE_SIZE : 1;
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* All that is reserved, also where the domains cannot translate */
static unsigned int reserved_ranges(const struct ioas *ioas,
				    struct range *ranges)
{
	unsigned int nr = 0;

	for (; nr < ioas->nr_reserved; nr++)
		ranges[nr] = ioas->reserved[nr];
	if (ioas->hwpts.nr) {
		ranges[nr++] = (struct range){ 0, APERTURE_FIRST - 1 };
		ranges[nr++] = (struct range){ APERTURE_LAST + 1, UINT64_MAX };
	}
	qsort(ranges, nr, sizeof(*ranges), compare_ranges);
	return nr;
}

unsigned int ioas_windows(const struct ioas *ioas, struct range *windows)
{
	struct range reserved[MAX_RANGES + 2];
	unsigned int nr_reserved = reserved_ranges(ioas, reserved), nr = 0;
	__u64 from = 0;

	for (unsigned int i = 0; i < nr_reserved; i++) {
		if (reserved[i].first > from)
			windows[nr++] = (struct range){
				from, reserved[i].first - 1 };
		if (reserved[i].last == UINT64_MAX)
			return nr;
		if (reserved[i].last + 1 > from)
			from = reserved[i].last + 1;
	}
	windows[nr++] = (struct range){ from, UINT64_MAX };
	return nr;
}

static bool meet(const struct range *a, __u64 first, __u64 last)
{
	return a->first <= last && first <= a->last;
}

bool area_in(const struct ioas *ioas, __u64 first, __u64 last)
{
	for (unsigned int i = 0; i < ioas->areas.nr; i++)
		if (ioas->areas.at[i]->iova <= last &&
		    first <= ioas->areas.at[i]->last)
			return true;
	return false;
}

static bool inside(const struct range *ranges, unsigned int nr, __u64 first,
		   __u64 last)
{
	for (unsigned int i = 0; i < nr; i++)
		if (ranges[i].first <= first && last <= ranges[i].last)
			return true;
	return false;
}

void expect_fixed(const struct ioas *ioas, __u64 iova, __u64 length,
		  __u64 start, struct answer *lawful)
{
	struct range windows[MAX_RANGES + 3];
	unsigned int nr = ioas_windows(ioas, windows);
	__u64 last = iova + length - 1;

	if ((iova | length | start) & (ioas_align(ioas) - 1))
		may_fail(lawful, EINVAL);
	if (last < iova) {
		may_fail(lawful, EOVERFLOW);
		return;
	}
	if (!inside(windows, nr, iova, last))
		may_fail(lawful, EINVAL);
	if (area_in(ioas, iova, last))
		may_fail(lawful, EEXIST);
}

/* --- automatic IOVAs ------------------------------------------------------------- */

static unsigned int automatic_windows(const struct ioas *ioas,
				      struct range *windows)
{
	if (!ioas->nr_allowed)
		return ioas_windows(ioas, windows);
	for (unsigned int i = 0; i < ioas->nr_allowed; i++)
		windows[i] = ioas->allowed[i];
	return ioas->nr_allowed;
}

/* Is there room in [first, last] at an IOVA congruent to @start? */
static bool fits(__u64 first, __u64 last, __u64 length, __u64 start,
		 __u64 align)
{
	__u64 iova = first + ((start - first) & (align - 1));

	return iova >= first && iova <= last && last - iova >= length - 1;
}

/* Let *@next be [@first, @last] if that meets [@from, @to], and before it. */
static void take_first(struct range *next, __u64 first, __u64 last, __u64 from,
		       __u64 to)
{
	if (last >= from && first <= to &&
	    (next->last < next->first || first < next->first))
		*next = (struct range){ first, last };
}

static bool room_in_window(const struct ioas *ioas, const struct range *window,
			   __u64 length, __u64 start, __u64 align)
{
	__u64 from = window->first;

	for (;;) {
		struct range next = { UINT64_MAX, 0 };

		for (unsigned int i = 0; i < ioas->areas.nr; i++)
			take_first(&next, ioas->areas.at[i]->iova,
				   ioas->areas.at[i]->last, from, window->last);
		for (unsigned int i = 0; i < ioas->nr_claims; i++)
			take_first(&next, ioas->claims[i].first,
				   ioas->claims[i].last, from, window->last);
		if (next.last < next.first)
			return fits(from, window->last, length, start, align);
		if (next.first > from &&
		    fits(from, next.first - 1, length, start, align))
			return true;
		if (next.last >= window->last)
			return false;
		from = next.last + 1;
	}
}

static bool room(const struct ioas *ioas, __u64 length, __u64 start,
		 __u64 align)
{
	struct range windows[MAX_RANGES + 3];
	unsigned int nr = automatic_windows(ioas, windows);

	for (unsigned int i = 0; i < nr; i++) {
		/* IOVA 0 is never given unasked. */
		if (!windows[i].first)
			windows[i].first = 1;
		if (windows[i].first <= windows[i].last &&
		    room_in_window(ioas, &windows[i], length, start, align))
			return true;
	}
	return false;
}

static __u64 natural_align(__u64 length)
{
	__u64 align = PAGE;

	while (align * 2 <= length && align < LEAF)
		align *= 2;
	return align;
}

/*
 * The kernel need not look for room that is not aligned to the mapping's own
 * size, up to a 2 MiB leaf; it must find what is.
 */
void expect_auto(const struct ioas *ioas, __u64 length, __u64 start,
		 struct answer *lawful)
{
	if ((length | start) & (ioas_align(ioas) - 1))
		may_fail(lawful, EINVAL);
	/* Others' areas are not known. */
	if (ioas->common)
		return;
	if (room(ioas, length, start, natural_align(length)))
		return;
	lawful->may_succeed = !lawful->nr && room(ioas, length, start, PAGE);
	may_fail(lawful, ENOSPC);
}

bool auto_is_sound(const struct ioas *ioas, __u64 iova, __u64 length,
		   __u64 start)
{
	struct range windows[MAX_RANGES + 3];
	unsigned int nr = automatic_windows(ioas, windows);
	__u64 last = iova + length - 1;

	return last >= iova && inside(windows, nr, iova, last) &&
	       !area_in(ioas, iova, last) && !claim_in(ioas, iova, last) &&
	       !((iova ^ start) & (ioas_align(ioas) - 1)) &&
	       !((iova ^ start) & (PAGE - 1));
}

/* --- reserving ------------------------------------------------------------------- */

void expect_reserve(const struct ioas *ioas, __u64 first, __u64 last,
		    struct answer *lawful)
{
	if (area_in(ioas, first, last) || claim_in(ioas, first, last))
		may_fail(lawful, EADDRINUSE);
	for (unsigned int i = 0; i < ioas->nr_allowed; i++)
		if (meet(&ioas->allowed[i], first, last))
			may_fail(lawful, EADDRINUSE);
}

bool misaligned(const struct ioas *ioas, __u64 align)
{
	for (unsigned int i = 0; i < ioas->areas.nr; i++) {
		const struct area *area = ioas->areas.at[i];

		if ((area->iova | (area->last + 1) | area->start) & (align - 1))
			return true;
	}
	return false;
}
