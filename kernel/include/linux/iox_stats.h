/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page-table statistics: what generic_pt, the iommufd core and the BPF iterators
 * say to each other.
 *
 * The iterators are built in (libbpf looks for their types only in vmlinux), the
 * core is a module. So the core hands the iterators a table of functions that
 * find HWPTs and read them.
 */
#ifndef __LINUX_IOX_STATS_H
#define __LINUX_IOX_STATS_H

#include <linux/sched.h>
#include <linux/types.h>
#include <uapi/linux/iox.h>

struct iommu_domain;

/* Levels of a page table, and sizes of leaves by log2, that any format has */
#define IOX_PT_NR_LEVELS 6
#define IOX_PT_NR_SIZES 64

#define IOX_PT_FORMAT_LEN 16

/**
 * struct iommu_pt_tables - all tables of a page table
 * @format: of generic_pt
 * @nr_levels: level of the topmost table, plus 1
 * @level: by level; 0 has nothing but leaves
 * @stop: asked now and then: shall reading end?
 */
struct iommu_pt_tables {
	char format[IOX_PT_FORMAT_LEN];
	unsigned int nr_levels;
	struct iox_pt_level level[IOX_PT_NR_LEVELS];
	bool (*stop)(struct iommu_pt_tables *tables);
};

/**
 * struct iommu_pt_run - leaves of one size in a row
 * @iova: of the first one
 * @phys: of the first one; those of the others follow on
 * @length: of all, in bytes; 0 for none
 * @size_lg2: log2 of the size of each
 */
struct iommu_pt_run {
	u64 iova;
	u64 phys;
	u64 length;
	unsigned int size_lg2;
};

/**
 * struct iommu_pt_leaf_reader - who reads the leaves of a range
 * @last: leaves that reach beyond it are left out
 * @next: so are those that begin before it; moves on with what is read
 * @run: what has been read and not told yet
 * @tell: told about each run, in the order of IOVAs
 * @stop: asked now and then: shall reading end?
 */
struct iommu_pt_leaf_reader {
	u64 last;
	u64 next;
	struct iommu_pt_run run;
	void (*tell)(struct iommu_pt_leaf_reader *reader,
		     const struct iommu_pt_run *run);
	bool (*stop)(struct iommu_pt_leaf_reader *reader);
};

/**
 * struct iox_pt_leaves - leaves of one size
 * @leaves: how many
 * @why: by enum iox_pt_why: how many bytes are in them and not in the next
 *	larger leaf
 */
struct iox_pt_leaves {
	u64 leaves;
	u64 why[IOX_PT_NR_WHY];
};

/**
 * struct iox_hwpt_info - an HWPT and its page table, as BPF iterators see it
 * @ctx_id: the open /dev/iommu file, a number never used twice until reboot
 * @space_id: the address space, such a number too; 0 if the HWPT came through a
 *	live update, and has none
 * @hwpt_id: object id within the context
 * @ioas_id: object id of the IOAS, or 0
 * @pid: process that opened the file
 * @comm: its name then
 * @automatic: made by attaching a device to the IOAS
 * @nest_parent: nested HWPTs may sit on this one
 * @readable: what is below is known; else the IOMMU's driver has page tables of
 *	its own kind
 * @format: of generic_pt: "vtdss", "x86_64", "amdv1"
 * @page_sizes: sizes that leaves can have: bit n for 2^n bytes
 * @areas: mappings
 * @mapped: bytes that all leaves map
 * @nr_levels: entries of @level in use
 * @level: tables by level; level 0 has nothing but leaves
 * @leaves: by log2 of their size
 *
 * Nothing stops meanwhile: what is mapped or unmapped while it is read counts or
 * does not. What a map or unmap has not finished yet is not in @areas, @mapped
 * and @leaves.
 */
struct iox_hwpt_info {
	u64 ctx_id;
	u64 space_id;
	u32 hwpt_id;
	u32 ioas_id;
	u32 pid;
	char comm[TASK_COMM_LEN];
	bool automatic;
	bool nest_parent;
	bool readable;
	char format[IOX_PT_FORMAT_LEN];
	u64 page_sizes;
	u64 areas;
	u64 mapped;
	u32 nr_levels;
	struct iox_pt_level level[IOX_PT_NR_LEVELS];
	struct iox_pt_leaves leaves[IOX_PT_NR_SIZES];
};

/**
 * struct iox_area_info - a mapping in an HWPT, as BPF iterators see it
 * @ctx_id: as in struct iox_hwpt_info
 * @space_id: as in struct iox_hwpt_info
 * @hwpt_id: as in struct iox_hwpt_info
 * @ioas_id: as in struct iox_hwpt_info
 * @iova: the first byte
 * @length: bytes
 * @prot: enum iox_prot bits
 * @backing: enum iox_backing
 * @leaves: by log2 of their size; none if the HWPT is not readable
 */
struct iox_area_info {
	u64 ctx_id;
	u64 space_id;
	u32 hwpt_id;
	u32 ioas_id;
	u64 iova;
	u64 length;
	u32 prot;
	u32 backing;
	struct iox_pt_leaves leaves[IOX_PT_NR_SIZES];
};

/**
 * struct iox_stats_pos - where an iteration goes on
 * @ctx_id: contexts before it are done
 * @hwpt_id: so are HWPTs of that context before it
 * @iova: and mappings in that HWPT that begin before it
 */
struct iox_stats_pos {
	u64 ctx_id;
	u64 hwpt_id;
	u64 iova;
};

/**
 * struct iox_stats_ops - how the iterators get at HWPTs
 * @next_hwpt: read the first HWPT from @pos on, and move @pos behind it
 * @next_area: the same with the first area of any HWPT
 *
 * Both are called between iommu_pt_read_begin() and iommu_pt_read_end(), sleep,
 * and return 0, -ENOENT if there is none, -ENOMEM, or -EINTR.
 */
struct iox_stats_ops {
	int (*next_hwpt)(struct iox_stats_pos *pos, struct iox_hwpt_info *info);
	int (*next_area)(struct iox_stats_pos *pos, struct iox_area_info *info);
};

#ifdef CONFIG_IOX_STATS
void iommu_pt_read_begin(void);
void iommu_pt_read_end(void);
int iommu_pt_read_tables(struct iommu_domain *domain,
			 struct iommu_pt_tables *tables);
int iommu_pt_read_leaves(struct iommu_domain *domain,
			 struct iommu_pt_leaf_reader *reader);

void iox_stats_register(const struct iox_stats_ops *ops);
void iox_stats_unregister(void);
#endif

#endif
