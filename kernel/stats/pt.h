/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading page tables of every generic_pt format. Compiled once for each format,
 * from within generic_pt/iommu_pt.h.
 *
 * Others map and unmap meanwhile. The caller sees to it that no table which the
 * walk may have met is freed before the walk ends: see read.c.
 */
#ifndef __IOX_STATS_PT_H
#define __IOX_STATS_PT_H

#include <linux/iox_stats.h>
#include <linux/sched.h>

static int __read_tables(struct pt_range *range, void *arg, unsigned int level,
			 struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct iommu_pt_tables *tables = arg;
	int ret;

	tables->level[level].tables++;
	if (!pt_can_have_table(&pts))
		return 0;
	for_each_pt_level_entry(&pts) {
		if (pts.type != PT_ENTRY_TABLE)
			continue;
		ret = pt_descend(&pts, arg, __read_tables);
		if (ret)
			return ret;
	}
	cond_resched();
	return tables->stop(tables) ? -ECANCELED : 0;
}

static void set_table_sizes(struct pt_range *range,
			    struct iommu_pt_tables *tables)
{
	struct pt_common *common = range->common;
	struct pt_state pts = pt_init_top(range);
	struct iox_pt_level *level;
	uintptr_t top;

	tables->nr_levels = range->top_level + 1;
	for (pts.level = 0; pts.level < range->top_level; pts.level++) {
		level = &tables->level[pts.level];
		level->bytes = level->tables * PT_ITEM_WORD_SIZE *
			       log2_to_int(pt_num_items_lg2(&pts));
	}
	top = _pt_top_set(range->top_table, range->top_level);
	tables->level[range->top_level].bytes =
		log2_to_int(pt_top_memsize_lg2(common, top));
}

static int NS(read_tables)(struct pt_iommu *iommu_table,
			   struct iommu_pt_tables *tables)
{
	struct pt_range range = pt_all_range(common_from_iommu(iommu_table));
	int ret;

	static_assert(PT_MAX_TOP_LEVEL < IOX_PT_NR_LEVELS);
	strscpy(tables->format, __stringify(PTPFX_RAW));
	ret = pt_walk_range(&range, __read_tables, tables);
	set_table_sizes(&range, tables);
	return ret;
}

static void add_leaf(struct pt_state *pts, struct iommu_pt_leaf_reader *reader)
{
	unsigned int size_lg2 = pt_entry_oa_lg2sz(pts);
	u64 iova = log2_set_mod(pts->range->va, 0, size_lg2);
	u64 size = log2_to_int(size_lg2);
	struct iommu_pt_run *run = &reader->run;
	u64 phys = pt_entry_oa(pts);

	if (iova < reader->next || iova + (size - 1) > reader->last)
		return;
	reader->next = iova + size;
	if (size_lg2 == run->size_lg2 && iova == run->iova + run->length &&
	    phys == run->phys + run->length) {
		run->length += size;
		return;
	}
	if (run->length)
		reader->tell(reader, run);
	*run = (struct iommu_pt_run){ iova, phys, size, size_lg2 };
}

static int __read_leaves(struct pt_range *range, void *arg, unsigned int level,
			 struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct iommu_pt_leaf_reader *reader = arg;
	int ret;

	for_each_pt_level_entry(&pts) {
		if (pts.type == PT_ENTRY_OA)
			add_leaf(&pts, reader);
		if (pts.type != PT_ENTRY_TABLE)
			continue;
		ret = pt_descend(&pts, arg, __read_leaves);
		if (ret)
			return ret;
	}
	cond_resched();
	return reader->stop(reader) ? -ECANCELED : 0;
}

static int NS(read_leaves)(struct pt_iommu *iommu_table, u64 first, u64 last,
			   struct iommu_pt_leaf_reader *reader)
{
	struct pt_range range;

	/* A table that has not grown so far has nothing there. */
	if (make_range(common_from_iommu(iommu_table), &range, first,
		       last - first + 1))
		return 0;
	return pt_walk_range(&range, __read_leaves, reader);
}

#endif
