// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why leaves are not larger: enum iox_pt_why says what counts as what.
 *
 * A larger leaf holds the memory from one multiple of its size to the next: a
 * block. Leaves come in the order of IOVAs. As long as they follow on in memory
 * too, they are a piece, and a block is judged when the piece has left it, or
 * has ended: only then it is known how much of the block is in the piece. For
 * each size of leaves there is one block that is not judged yet.
 */
#include <linux/bitops.h>
#include <linux/math.h>
#include <linux/minmax.h>

#include "pt_why.h"

/* log2 of the next larger size, 0 if there is none */
static unsigned int larger_lg2(const struct pt_why *why, unsigned int size_lg2)
{
	u64 larger = why->page_sizes & ~(BIT_ULL(size_lg2 + 1) - 1);

	return larger ? __ffs64(larger) : 0;
}

/* All of a block is in the piece, and yet in small leaves. */
static enum iox_pt_why whole_block(const struct pt_why *why, u64 size)
{
	return (why->iova ^ why->phys) & (size - 1) ? IOX_PT_UNALIGNED :
						      IOX_PT_UNUSED;
}

static enum iox_pt_why judge(const struct pt_why *why, u64 block, u64 size)
{
	bool begins = block >= why->phys;
	bool ends = block + size <= why->phys + why->length;

	if (begins && ends)
		return whole_block(why, size);
	if (why->area_last - why->area_iova < size - 1)
		return IOX_PT_SHORT;
	if (!begins && why->iova != why->area_iova)
		return IOX_PT_SCATTERED;
	if (!ends && why->iova + why->length - 1 != why->area_last)
		return IOX_PT_SCATTERED;
	return IOX_PT_SHORT;
}

static void close_block(struct pt_why *why, unsigned int size_lg2)
{
	u64 size = BIT_ULL(larger_lg2(why, size_lg2));
	struct pt_block *block = &why->block[size_lg2];

	why->leaves[size_lg2].why[judge(why, block->phys, size)] += block->bytes;
	why->open &= ~BIT_ULL(size_lg2);
}

static void close_all(struct pt_why *why)
{
	while (why->open)
		close_block(why, __ffs64(why->open));
}

/* So many bytes from @phys on, all in one block, are in leaves of this size. */
static void add_part(struct pt_why *why, unsigned int size_lg2, u64 size,
		     u64 phys, u64 bytes)
{
	struct pt_block *block = &why->block[size_lg2];
	u64 start = round_down(phys, size);

	if (!bytes)
		return;
	if (why->open & BIT_ULL(size_lg2)) {
		if (block->phys == start) {
			block->bytes += bytes;
			return;
		}
		close_block(why, size_lg2);
	}
	*block = (struct pt_block){ start, bytes };
	why->open |= BIT_ULL(size_lg2);
}

/**
 * pt_why_begin - the leaves that follow are of one mapping
 * @why: @why->leaves and page_sizes are set
 * @area_iova: the mapping
 * @area_last: its last byte
 */
void pt_why_begin(struct pt_why *why, u64 area_iova, u64 area_last)
{
	why->area_iova = area_iova;
	why->area_last = area_last;
	why->length = 0;
	why->open = 0;
}

/**
 * pt_why_add - count leaves, and why they are not larger
 * @why: the state
 * @run: leaves that are wholly in the mapping, behind those before
 */
void pt_why_add(struct pt_why *why, const struct iommu_pt_run *run)
{
	unsigned int larger = larger_lg2(why, run->size_lg2);
	u64 end = run->phys + run->length;
	u64 size, head, tail;

	if (run->iova != why->iova + why->length ||
	    run->phys != why->phys + why->length) {
		close_all(why);
		why->iova = run->iova;
		why->phys = run->phys;
		why->length = 0;
	}
	why->length += run->length;
	why->leaves[run->size_lg2].leaves += run->length >> run->size_lg2;
	if (!larger)
		return;

	/* What is left of a block, whole blocks, and the beginning of one */
	size = BIT_ULL(larger);
	head = min(round_up(run->phys, size), end);
	tail = max(round_down(end, size), head);
	add_part(why, run->size_lg2, size, run->phys, head - run->phys);
	why->leaves[run->size_lg2].why[whole_block(why, size)] += tail - head;
	add_part(why, run->size_lg2, size, tail, end - tail);
}

/**
 * pt_why_end - the mapping ends, all of it is counted on return
 * @why: the state
 */
void pt_why_end(struct pt_why *why)
{
	close_all(why);
}
