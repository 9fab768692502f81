/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables of every generic_pt format over a kexec. Compiled once for each format, from within
 * generic_pt/iommu_pt.h.
 *
 * A table is preserved page by page, so that what it costs depends on the tables and not on what they map. Nothing in
 * a table changes on the way: the hardware goes on walking the very same pages. How many there are, and a checksum of
 * where they are, go along: before it takes the first one over, the next kernel has seen that all are as they were.
 */
#ifndef __IOMMU_LIVEUPDATE_PT_H
#define __IOMMU_LIVEUPDATE_PT_H

#include <linux/crc32.h>
#include <linux/kho/abi/iommu.h>
#include <linux/slab.h>
#include <linux/unroll.h>

#include "liveupdate.h"

/* Bits that are part of an address in every format, and tell nothing about the kind of an entry in any. */
#define PT_LU_ADDRESS	GENMASK_ULL(51, 12)
/* Entries that are looked at together. */
#define PT_LU_STRIDE	16

/**
 * struct pt_lu_tables - All tables but the topmost, in the order in which a walk meets them
 * @nr: Tables so far
 * @max: A walk that meets one more fails
 * @checksum: CRC-32C over their addresses
 * @list: For @max tables, each with its address, and log2 of its size in the lower bits; or NULL
 */
struct pt_lu_tables {
	u32 nr;
	u32 max;
	u32 checksum;
	u64 *list;
};

static int add_table(struct pt_lu_tables *tables, u64 phys, unsigned int lg2sz)
{
	if (tables->nr == tables->max)
		return -EUCLEAN;
	tables->checksum = crc32c(tables->checksum, &phys, sizeof(phys));
	if (tables->list)
		tables->list[tables->nr] = phys | lg2sz;
	tables->nr++;
	return 0;
}

/* Are these entries of one kind? Bits that are set in some, and not in all, may be those of an address only. */
static __always_inline bool all_alike(const u64 *entries, u64 like, u64 address)
{
	u64 any = like, all = like;

	unrolled_count(PT_LU_STRIDE)
	for (int i = 0; i < PT_LU_STRIDE; i++) {
		any |= entries[i];
		all &= entries[i];
	}
	return !((any ^ all) & ~address);
}

/* The first entry from @from on that may be of another kind than @like. */
static __always_inline unsigned int skip_alike(const u64 *entries, unsigned int from, unsigned int end, u64 like)
{
	/* With nothing but an address, it could be anything. */
	u64 address = like & ~PT_LU_ADDRESS ? PT_LU_ADDRESS : 0;

	while (from + PT_LU_STRIDE <= end && all_alike(&entries[from], like, address))
		from += PT_LU_STRIDE;
	while (from < end && !((entries[from] ^ like) & ~address))
		from++;
	return from;
}

/*
 * The next entry that leads to a table. Most do not, and are alike but for their addresses: of those, nothing is worked
 * out.
 */
static __always_inline bool next_table(struct pt_state *pts)
{
	const u64 *entries = pt_cur_table(pts, const u64);

	while (pts->index < pts->end_index) {
		pt_load_entry(pts);
		if (pts->type == PT_ENTRY_TABLE) {
			pt_index_to_va(pts);
			return true;
		}
		if (PT_ITEM_WORD_SIZE == sizeof(u64))
			pts->index = skip_alike(entries, pts->index + 1, pts->end_index, entries[pts->index]);
		else
			pts->index++;
	}
	return false;
}

#define for_each_table(pts) for (_pt_iter_first(pts); next_table(pts); (pts)->index++)

static int __preserve_tables(struct pt_range *range, void *arg, unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	struct pt_lu_tables *tables = arg;
	int ret;

	if (!pt_can_have_table(&pts))
		return 0;

	for_each_table(&pts) {
		ret = iommu_preserve_pages(pts.table_lower);
		if (ret)
			return ret;
		ret = add_table(tables, pt_table_pa(&pts), 0);
		if (ret) {
			iommu_unpreserve_pages(pts.table_lower);
			return ret;
		}
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
	struct pt_lu_tables *tables = arg;
	int ret;

	if (!pt_can_have_table(&pts))
		return 0;

	for_each_table(&pts) {
		if (!tables->nr)
			return -ECANCELED;
		--tables->nr;
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
	struct pt_lu_tables tables = { .max = U32_MAX, .checksum = ~0 };
	struct pt_range range = pt_all_range(common);
	int ret;

	ret = iommu_preserve_pages(range.top_table);
	if (ret)
		return ret;
	ret = pt_walk_range(&range, __preserve_tables, &tables);
	if (ret) {
		range = pt_all_range(common);
		pt_walk_range(&range, __unpreserve_tables, &tables);
		iommu_unpreserve_pages(range.top_table);
		return ret;
	}

	ser->top_table_phys = virt_to_phys(range.top_table);
	ser->top_level = range.top_level;
	ser->vasz = common->max_vasz_lg2;
	ser->sign_extend = pt_feature(common, PT_FEAT_SIGN_EXTEND);
	ser->restored_domain = (u64)tables.nr << 32 | tables.checksum;
	*nr_pages = tables.nr + 1ul;
	return 0;
}

static void NS(unpreserve)(struct pt_iommu *iommu_table)
{
	struct pt_range range = pt_all_range(common_from_iommu(iommu_table));
	struct pt_lu_tables tables = { .nr = U32_MAX };

	pt_walk_range(&range, __unpreserve_tables, &tables);
	iommu_unpreserve_pages(range.top_table);
}

/* Nothing is taken over here, and no table is entered that was not handed over as a whole. */
static int __find_tables(struct pt_range *range, void *arg, unsigned int level, struct pt_table_p *table)
{
	struct pt_state pts = pt_init(range, level, table);
	int ret;

	if (!pt_can_have_table(&pts))
		return 0;

	for_each_table(&pts) {
		struct pt_state child_pts = pt_init(range, level - 1, NULL);
		unsigned int lg2sz = pt_num_items_lg2(&child_pts) + ilog2(PT_ITEM_WORD_SIZE);

		if (!iommu_pages_restorable(pt_table_pa(&pts), log2_to_int(lg2sz)))
			return -EUCLEAN;
		ret = add_table(arg, pt_table_pa(&pts), lg2sz);
		if (ret)
			return ret;
		ret = pt_descend(&pts, arg, __find_tables);
		if (ret)
			return ret;
	}
	return 0;
}

/* All tables, if they are just those that were preserved. The previous top is in force again on return. */
static int find_tables(struct pt_common *common, uintptr_t top, const struct iommu_domain_ser *ser,
		       struct pt_lu_tables *tables)
{
	uintptr_t old_top = common->top_of_table;
	struct pt_range range;
	int ret;

	tables->max = ser->restored_domain >> 32;
	tables->checksum = ~0;
	tables->list = kvmalloc_array(max(tables->max, 1), sizeof(*tables->list), GFP_KERNEL);
	if (!tables->list)
		return -ENOMEM;
	common->top_of_table = top;
	range = pt_all_range(common);
	ret = pt_walk_range(&range, __find_tables, tables);
	common->top_of_table = old_top;
	if (ret)
		return ret;
	return tables->nr == tables->max && tables->checksum == (u32)ser->restored_domain ? 0 : -EUCLEAN;
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

static int restore_tables(struct pt_common *common, uintptr_t top, const struct iommu_domain_ser *ser,
			  const struct pt_lu_tables *tables)
{
	int ret = restore_table(common, ser->top_table_phys, pt_top_memsize_lg2(common, top));

	for (u32 i = 0; i < tables->nr && !ret; i++)
		ret = restore_table(common, tables->list[i] & PAGE_MASK, tables->list[i] & ~PAGE_MASK);
	return ret;
}

static int check_format(struct pt_common *common, const struct iommu_domain_ser *ser)
{
	if (ser->vasz != common->max_vasz_lg2 || ser->sign_extend != pt_feature(common, PT_FEAT_SIGN_EXTEND) ||
	    ser->top_level > PT_MAX_TOP_LEVEL)
		return -EINVAL;
	if (!pt_feature(common, PT_FEAT_DYNAMIC_TOP) && ser->top_level != pt_top_get_level(common))
		return -EINVAL;
	return PAGE_ALIGNED(ser->top_table_phys) ? 0 : -EUCLEAN;
}

static int NS(restore)(struct pt_iommu *iommu_table, const struct iommu_domain_ser *ser, unsigned long *nr_pages)
{
	struct pt_common *common = common_from_iommu(iommu_table);
	struct pt_lu_tables tables = {};
	struct pt_range old_range;
	uintptr_t old_top, top;
	int ret;

	ret = check_format(common, ser);
	if (ret)
		return ret;
	top = _pt_top_set(phys_to_virt(ser->top_table_phys), ser->top_level);
	if (!iommu_pages_restorable(ser->top_table_phys, log2_to_int(pt_top_memsize_lg2(common, top))))
		return -EUCLEAN;
	ret = find_tables(common, top, ser, &tables);
	if (!ret)
		ret = restore_tables(common, top, ser, &tables);
	kvfree(tables.list);
	if (ret)
		return ret;

	old_top = common->top_of_table;
	common->top_of_table = top;
	old_range = _pt_top_range(common, old_top);
	iommu_pages_free_incoherent(old_range.top_table, iommu_table->iommu_device);
	*nr_pages = tables.nr + 1ul;
	return 0;
}

#endif /* __IOMMU_LIVEUPDATE_PT_H */
