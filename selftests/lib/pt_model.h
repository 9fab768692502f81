/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What page-table statistics have to be, counted from what is mapped where and
 * from where that memory is, which /proc/self/pagemap tells.
 */
#ifndef IOX_SELFTEST_PT_MODEL_H
#define IOX_SELFTEST_PT_MODEL_H

#include <linux/iox.h>
#include <linux/types.h>
#include <stddef.h>

#define PT_LEVELS 6
#define PT_SIZES 64

/* What IOX_HWPT_PT_STATS answers, or what the model says that it should. */
struct pt_stats {
	__u64 areas;
	__u64 mapped;
	__u32 nr_levels;
	__u64 page_sizes;	/* bit n: leaves can have 2^n bytes */
	__u64 tables[PT_LEVELS];
	__u64 table_bytes[PT_LEVELS];
	__u64 leaves[PT_SIZES];		/* by log2 of their size */
	__u64 why[PT_SIZES][IOX_PT_NR_WHY];
	char format[16];
};

/* A mapping: whole pages, and the frame of each. */
struct pt_area {
	__u64 iova;
	size_t npages;
	__u64 *pfn;
};

/* Asks the kernel. Returns 0 or a negative errno. */
int pt_stats_read(int fd, __u32 hwpt, struct pt_stats *stats);

/* Finds the frames behind @va, all of which have to be there. To be freed. */
__u64 *pt_frames(const void *va, size_t npages);

/*
 * Counts what @areas make of an empty page table of tables with 512 entries of
 * 8 bytes. @stats->nr_levels and page_sizes say what it can have. Sorts @areas.
 * @small: it is mapped page by page.
 */
void pt_model_count(struct pt_area *areas, size_t nr, int small,
		    struct pt_stats *stats);

/* The first difference in words, or NULL. */
const char *pt_difference(const struct pt_stats *want,
			  const struct pt_stats *got);

__u64 pt_total_tables(const struct pt_stats *stats);

#endif
