/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why leaves are not larger.
 */
#ifndef IOMMUFD_PT_WHY_H
#define IOMMUFD_PT_WHY_H

#include <linux/iox_stats.h>

/**
 * struct pt_block - memory for which it is not known yet why it is in small leaves
 * @phys: first address of the memory that a larger leaf would hold
 * @bytes: how much of that is in leaves of the size in question
 */
struct pt_block {
	u64 phys;
	u64 bytes;
};

/**
 * struct pt_why - finding out, leaf by leaf, why they are not larger
 * @leaves: by log2 of their size: where it is counted
 * @page_sizes: sizes that leaves can have
 * @area_iova: the mapping that the leaves belong to
 * @area_last: its last byte
 * @iova: what has been met last and is contiguous, as IOVAs and in memory
 * @phys: where its memory begins
 * @length: bytes
 * @open: sizes for which @block is in use
 * @block: by log2 of the size of leaves
 */
struct pt_why {
	struct iox_pt_leaves *leaves;
	u64 page_sizes;
	u64 area_iova;
	u64 area_last;
	u64 iova;
	u64 phys;
	u64 length;
	u64 open;
	struct pt_block block[IOX_PT_NR_SIZES];
};

void pt_why_begin(struct pt_why *why, u64 area_iova, u64 area_last);
void pt_why_add(struct pt_why *why, const struct iommu_pt_run *run);
void pt_why_end(struct pt_why *why);

#endif
