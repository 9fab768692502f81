/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which tables and leaves an I/O page table of three or four levels would have, with leaves of
 * 4 KiB, 2 MiB and 1 GiB, as x86's: counted from what is mapped, without a device.
 *
 * As in the kernel, a table that has become empty stays until what is unmapped covers all that it
 * could lead to, or a leaf takes its place.
 */
#ifndef IOX_LIB_PT_MODEL_H
#define IOX_LIB_PT_MODEL_H

#include <stdbool.h>
#include <linux/types.h>

enum pt_leaf {
	PT_LEAF_4K,
	PT_LEAF_2M,
	PT_LEAF_1G,
	PT_NR_LEAVES
};

struct pt_area {
	__u64 iova, length;
	__u64 addr;	/* of the memory: leaves can only be as large as both are aligned */
	__u32 run;	/* log2 of the aligned pieces in which the memory is contiguous */
};

/* Address bits of an IOMMU for which three levels are enough. */
#define PT_BITS_OF_3_LEVELS 39

/* All zero is a table of four levels that maps nothing. */
struct pt_model {
	bool three;			/* levels */
	void *level2, *level3;		/* tables, see pt_model.c */
	__u64 tables;			/* pages, without the root */
	__u64 leaves[PT_NR_LEAVES];
};

/* What is mapped must not overlap. False without memory: the model is good for nothing then. */
bool pt_model_map(struct pt_model *m, const struct pt_area *a);

/* @a as it was mapped, all of it. */
void pt_model_unmap(struct pt_model *m, const struct pt_area *a);

void pt_model_free(struct pt_model *m);

#endif
