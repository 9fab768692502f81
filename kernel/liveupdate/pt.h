/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables of every generic_pt format over a kexec. Compiled once for each format, from within
 * generic_pt/iommu_pt.h.
 *
 * A table is preserved page by page, so that what it costs depends on the tables and not on what they map. Nothing in
 * a table changes on the way: the hardware goes on walking the very same pages.
 */
#ifndef __IOMMU_LIVEUPDATE_PT_H
#define __IOMMU_LIVEUPDATE_PT_H

#include <linux/kho/abi/iommu.h>

/* The next entry that leads to a table. For all others, which most are, nothing else is worked out. */
static __always_inline bool next_table(struct pt_state *pts)
{
	for (; pts->index < pts->end_index; pts->index++) {
		pt_load_entry(pts);
		if (pts->type != PT_ENTRY_TABLE)
			continue;
		pt_index_to_va(pts);
		return true;
	}
	return false;
}

#define for_each_table(pts) for (_pt_iter_first(pts); next_table(pts); (pts)->index++)

static int __preserve_tables(struct pt_range *range, void *arg, unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	unsigned long *nr = arg;
	int ret;

	if (!pt_can_have_table(&pts))
		return 0;

	for_each_table(&pts) {
		ret = iommu_preserve_pages(pts.table_lower);
		if (ret)
			return ret;
		++*nr;
		ret = pt_descend(&pts, arg, __preserve_tables);
		if (ret)
			return ret;
	}
	return 0;
}

/* In the order of __preserve_tables(), so that counting finds the place where that stopped. */
static int __unpreserve_tables(struct pt_range *range, void *arg, unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	unsigned long *nr = arg;
	int ret;

	if (!pt_can_have_table(&pts))
		return 0;

	for_each_table(&pts) {
		if (!*nr)
			return -ECANCELED;
		--*nr;
		iommu_unpreserve_pages(pts.table_lower);
		ret = pt_descend(&pts, arg, __unpreserve_tables);
		if (ret)
			return ret;
	}
	return 0;
}

static int NS(preserve)(struct pt_iommu *iommu_table, struct iommu_domain_ser *ser, unsigned long *nr_pages)
{
	struct pt_common *common = common_from_iommu(iommu_table);
	struct pt_range range = pt_all_range(common);
	unsigned long nr = 0;
	int ret;

	ret = iommu_preserve_pages(range.top_table);
	if (ret)
		return ret;
	ret = pt_walk_range(&range, __preserve_tables, &nr);
	if (ret) {
		range = pt_all_range(common);
		pt_walk_range(&range, __unpreserve_tables, &nr);
		iommu_unpreserve_pages(range.top_table);
		return ret;
	}

	ser->top_table_phys = virt_to_phys(range.top_table);
	ser->top_level = range.top_level;
	ser->vasz = common->max_vasz_lg2;
	ser->sign_extend = pt_feature(common, PT_FEAT_SIGN_EXTEND);
	*nr_pages = nr + 1;
	return 0;
}

static void NS(unpreserve)(struct pt_iommu *iommu_table)
{
	struct pt_range range = pt_all_range(common_from_iommu(iommu_table));
	unsigned long nr = ULONG_MAX;

	pt_walk_range(&range, __unpreserve_tables, &nr);
	iommu_unpreserve_pages(range.top_table);
}

/* A table whose memory was handed over, and that no other entry has led to before. */
static int restore_table(struct pt_common *common, phys_addr_t phys, unsigned int lg2sz)
{
	struct pt_iommu *iommu_table = iommu_from_common(common);
	void *table = iommu_restore_pages(phys, log2_to_int(lg2sz));

	if (!table)
		return -EUCLEAN;
	if (pt_feature(common, PT_FEAT_DMA_INCOHERENT))
		return iommu_pages_start_incoherent(table, iommu_table->iommu_device);
	return 0;
}

static int __restore_tables(struct pt_range *range, void *arg, unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	unsigned long *nr = arg;
	int ret;

	if (!pt_can_have_table(&pts))
		return 0;

	for_each_table(&pts) {
		struct pt_state child_pts = pt_init(range, level - 1, NULL);

		ret = restore_table(range->common, pt_table_pa(&pts),
				    pt_num_items_lg2(&child_pts) + ilog2(PT_ITEM_WORD_SIZE));
		if (ret)
			return ret;
		++*nr;
		ret = pt_descend(&pts, arg, __restore_tables);
		if (ret)
			return ret;
	}
	return 0;
}

static int NS(restore)(struct pt_iommu *iommu_table, const struct iommu_domain_ser *ser, unsigned long *nr_pages)
{
	struct pt_common *common = common_from_iommu(iommu_table);
	uintptr_t old_top = common->top_of_table;
	struct pt_range range, old_range;
	unsigned long nr = 0;
	uintptr_t top;
	int ret;

	if (ser->vasz != common->max_vasz_lg2 || ser->sign_extend != pt_feature(common, PT_FEAT_SIGN_EXTEND) ||
	    ser->top_level > PT_MAX_TOP_LEVEL)
		return -EINVAL;
	if (!pt_feature(common, PT_FEAT_DYNAMIC_TOP) && ser->top_level != pt_top_get_level(common))
		return -EINVAL;
	if (!PAGE_ALIGNED(ser->top_table_phys))
		return -EUCLEAN;

	top = _pt_top_set(phys_to_virt(ser->top_table_phys), ser->top_level);
	ret = restore_table(common, ser->top_table_phys, pt_top_memsize_lg2(common, top));
	if (ret)
		return ret;

	common->top_of_table = top;
	range = pt_all_range(common);
	ret = pt_walk_range(&range, __restore_tables, &nr);
	if (ret) {
		common->top_of_table = old_top;
		return ret;
	}

	old_range = _pt_top_range(common, old_top);
	iommu_pages_free_incoherent(old_range.top_table, iommu_table->iommu_device);
	*nr_pages = nr + 1;
	return 0;
}

#endif /* __IOMMU_LIVEUPDATE_PT_H */
