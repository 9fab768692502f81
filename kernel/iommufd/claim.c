// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims: IOVAs that user space has reserved for mappings at fixed places.
 * (What devices cannot use is called reserved in here, and is another matter.)
 *
 * A claim has no memory, hence no area: it is a range in a tree, whose entry is
 * a value that says what it is for. space->claims has all of them. space->areas
 * has them too, as far as nothing is mapped over them, so that whoever looks for
 * room finds in one tree all that is taken. A mapping is stored over that as if
 * it were free; when it goes, space->claims tells what comes to light.
 *
 * So no mapping need know what it lies over, and a space without claims costs
 * nothing more. What gives room back cannot fail, as in iova_space_erase().
 */
#include <linux/overflow.h>
#include <linux/timekeeping.h>

#include "space.h"

#define CLAIM_PROT (IOX_PROT_READ | IOX_PROT_WRITE)
#define CLAIM_BACKING_SHIFT 2

static void *claim_entry(const struct iox_iova_req *req)
{
	return xa_mk_value((req->prot & CLAIM_PROT) |
			   req->backing << CLAIM_BACKING_SHIFT);
}

static struct iox_iova_area describe(const struct iox_ioas *ioas, void *claim,
				     unsigned long first, unsigned long last)
{
	return (struct iox_iova_area){
		.space_id = ioas->space_id,
		.iova = first,
		.length = last - first + 1,
		.prot = xa_to_value(claim) & CLAIM_PROT,
		.backing = xa_to_value(claim) >> CLAIM_BACKING_SHIFT,
	};
}

static int store(struct maple_tree *tree, unsigned long first,
		 unsigned long last, void *entry, gfp_t gfp)
{
	MA_STATE(mas, tree, first, last);

	return mas_store_gfp(&mas, entry, gfp);
}

static void store_nofail(struct maple_tree *tree, unsigned long first,
			 unsigned long last, void *entry)
{
	WARN_ON(store(tree, first, last, entry, GFP_KERNEL | __GFP_NOFAIL));
}

static int insert_claim(struct iova_space *space, unsigned long first,
			unsigned long last, void *claim)
{
	int rc = store(&space->areas, first, last, claim, GFP_KERNEL_ACCOUNT);

	if (rc)
		return rc;
	rc = store(&space->claims, first, last, claim, GFP_KERNEL_ACCOUNT);
	if (rc)
		store_nofail(&space->areas, first, last, NULL);
	else
		space->nr_areas++;
	return rc;
}

/**
 * iova_space_claim - reserve IOVAs for mappings at fixed places
 * @request: as in iova_space_choose()
 * @iova: where, if @fixed; else set when 0 is returned
 * @fixed: there and nowhere else
 * @ns: how long it took to find room
 *
 * Policies are told.
 *
 * Context: sleeps.
 * Return: 0, or an errno of iova_space_place().
 */
int iova_space_claim(struct iova_request *request, u64 *iova, bool fixed,
		     u64 *ns)
{
	struct iova_space *space = request->space;
	void *claim = claim_entry(&request->req);
	struct iox_iova_area what;
	unsigned long last;
	u64 start;
	int rc;

	guard(mutex)(&space->lock);
	start = ktime_get_ns();
	rc = iova_space_choose(request, iova, fixed);
	*ns = ktime_get_ns() - start;
	if (rc)
		return rc;
	last = *iova + request->req.length - 1;
	rc = insert_claim(space, *iova, last, claim);
	if (rc)
		return rc;
	what = describe(request->ioas, claim, *iova, last);
	iox_iova_mapped(request->ioas, &what);
	return 0;
}

/* Forget a part of a claim that nothing lies over. */
static void drop_claim(struct iova_space *space, unsigned long first,
		       unsigned long last)
{
	MA_STATE(mas, &space->claims, first, first);

	mas_walk(&mas);
	space->nr_areas += (mas.index < first) + (mas.last > last);
	space->nr_areas--;
	store_nofail(&space->claims, first, last, NULL);
	store_nofail(&space->areas, first, last, NULL);
}

/**
 * iova_space_unclaim - give up what is claimed in a range
 * @space: the space; space->lock is held
 * @ioas: the same, as policies know it; they are told
 * @first: start of the range
 * @last: its end, included
 *
 * What is mapped over, by an area in whatever state, stays claimed. A claim that
 * is only partly in the range is cut.
 *
 * Context: sleeps, cannot fail.
 * Return: how many bytes are not claimed any more, ULONG_MAX at most.
 */
unsigned long iova_space_unclaim(struct iova_space *space,
				 struct iox_ioas *ioas, unsigned long first,
				 unsigned long last)
{
	MA_STATE(mas, &space->areas, first, first);
	unsigned long bytes = 0, start, end;
	struct iox_iova_area what;
	void *entry;

	lockdep_assert_held(&space->lock);
	mas_for_each(&mas, entry, last) {
		if (!iova_is_claim(entry))
			continue;
		start = max(mas.index, first);
		end = min(mas.last, last);
		what = describe(ioas, entry, start, end);
		iox_iova_unmapped(ioas, &what);
		drop_claim(space, start, end);
		bytes = size_add(bytes, end - start + 1);
		if (end == last)
			break;
		mas_set(&mas, end + 1);
		cond_resched();
	}
	return bytes;
}

/*
 * Show [first, last] of a claim, which is [whole->index, whole->last], in one
 * piece with what is already to be seen of it on either side.
 */
static void show_claim(struct iova_space *space, const struct ma_state *whole,
		       unsigned long first, unsigned long last, void *claim)
{
	MA_STATE(mas, &space->areas, 0, 0);

	if (first > whole->index) {
		mas_set(&mas, first - 1);
		if (iova_is_claim(mas_walk(&mas)))
			first = mas.index;
	}
	if (last < whole->last) {
		mas_set(&mas, last + 1);
		if (iova_is_claim(mas_walk(&mas)))
			last = mas.last;
	}
	store_nofail(&space->areas, first, last, claim);
}

/**
 * iova_space_uncover - show the claims that an area has lain over
 * @space: the space; space->lock is held
 * @first: where the area began
 * @last: its end, included; it is erased
 *
 * Context: sleeps, cannot fail.
 */
void iova_space_uncover(struct iova_space *space, unsigned long first,
			unsigned long last)
{
	MA_STATE(mas, &space->claims, first, first);
	void *claim;

	lockdep_assert_held(&space->lock);
	mas_for_each(&mas, claim, last)
		show_claim(space, &mas, max(mas.index, first),
			   min(mas.last, last), claim);
}
