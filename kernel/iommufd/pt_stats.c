// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-table statistics of HWPTs: for the owner by an ioctl, for the whole
 * machine by BPF iterators (drivers/iommu/stats).
 *
 * Nobody waits for a reader: tables are read while others map and unmap. That is
 * safe because no table that a walk may meet is freed meanwhile (stats/read.c).
 * The HWPT is looked up as for a call in flight, so it stays; who destroys it
 * waits until the walk has noticed, which it does table by table. For the length
 * of a look-up only, space->lock is held, to copy where the next mapping is.
 *
 * Leaves are read mapping by mapping. One that is unmapped after it was looked up
 * has no leaves, or those of another one that has taken its place, as far as they
 * lie in it; none of that is counted twice.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core.h"
#include "pt_why.h"

/* What is copied of a mapping */
struct area_view {
	u64 iova;
	u64 last;
	u32 prot;
	u32 backing;
};

/**
 * struct pt_stats_reader - reading one HWPT
 * @tables: for iommu_pt_read_tables()
 * @leaves: for iommu_pt_read_leaves()
 * @hwpt: the HWPT, looked up
 * @restored: the area that comes next, if the HWPT has no IOAS
 * @why: where leaves are counted
 */
struct pt_stats_reader {
	struct iommu_pt_tables tables;
	struct iommu_pt_leaf_reader leaves;
	struct iommufd_hwpt *hwpt;
	struct iommufd_area *restored;
	struct pt_why why;
};

/* Is somebody about to destroy it, or to kill us? */
static bool shall_stop(const struct iommufd_hwpt *hwpt)
{
	return fatal_signal_pending(current) ||
	       xa_load(&hwpt->ictx->objects, hwpt->obj.id) != &hwpt->obj;
}

static bool stop_tables(struct iommu_pt_tables *tables)
{
	return shall_stop(container_of(tables, struct pt_stats_reader, tables)
				  ->hwpt);
}

static bool stop_leaves(struct iommu_pt_leaf_reader *leaves)
{
	return shall_stop(container_of(leaves, struct pt_stats_reader, leaves)
				  ->hwpt);
}

static void tell_leaves(struct iommu_pt_leaf_reader *leaves,
			const struct iommu_pt_run *run)
{
	pt_why_add(&container_of(leaves, struct pt_stats_reader, leaves)->why,
		   run);
}

static struct pt_stats_reader *reader_new(struct iommufd_hwpt *hwpt,
					  struct iox_pt_leaves *leaves)
{
	struct pt_stats_reader *reader = kzalloc_obj(*reader);

	if (!reader)
		return NULL;
	reader->hwpt = hwpt;
	reader->tables.stop = stop_tables;
	reader->leaves.stop = stop_leaves;
	reader->leaves.tell = tell_leaves;
	reader->why.leaves = leaves;
	reader->why.page_sizes = hwpt->domain->pgsize_bitmap;
	if (!hwpt->ioas)
		reader->restored = list_first_entry(&hwpt->restored,
						    struct iommufd_area,
						    unmap_item);
	return reader;
}

static void look_at(const struct iommufd_area *area, struct area_view *view)
{
	view->iova = area->iova;
	view->last = area->last;
	view->prot = iommufd_area_prot(area);
	view->backing = area->pages->backing;
}

/* The areas of an HWPT without an IOAS never change, and are in order. */
static bool next_restored(struct pt_stats_reader *reader, u64 from,
			  struct area_view *view)
{
	struct list_head *all = &reader->hwpt->restored;
	struct iommufd_area *area = reader->restored;

	list_for_each_entry_from(area, all, unmap_item) {
		cond_resched();
		if (area->iova < from)
			continue;
		look_at(area, view);
		reader->restored = area;
		return true;
	}
	return false;
}

static bool next_live(struct iommufd_ioas *ioas, u64 from,
		      struct area_view *view)
{
	struct iommufd_area *area;
	MA_STATE(mas, &ioas->space.areas, from, from);

	guard(mutex)(&ioas->space.lock);
	iova_space_for_each_area(&mas, area, ULONG_MAX) {
		if (area->iova >= from && iommufd_area_is_live(area)) {
			look_at(area, view);
			return true;
		}
		cond_resched();
	}
	return false;
}

/* The first mapping that begins at @from or later */
static bool next_area(struct pt_stats_reader *reader, u64 from,
		      struct area_view *view)
{
	struct iommufd_ioas *ioas = reader->hwpt->ioas;

	return ioas ? next_live(ioas, from, view) :
		      next_restored(reader, from, view);
}

static int read_area(struct pt_stats_reader *reader,
		     const struct area_view *view)
{
	int rc;

	reader->leaves.next = view->iova;
	reader->leaves.last = view->last;
	pt_why_begin(&reader->why, view->iova, view->last);
	rc = iommu_pt_read_leaves(reader->hwpt->domain, &reader->leaves);
	pt_why_end(&reader->why);
	return rc;
}

static u64 bytes_mapped(const struct iox_pt_leaves *leaves)
{
	unsigned int size_lg2;
	u64 bytes = 0;

	for (size_lg2 = 0; size_lg2 < IOX_PT_NR_SIZES; size_lg2++)
		bytes += leaves[size_lg2].leaves << size_lg2;
	return bytes;
}

static int read_areas(struct pt_stats_reader *reader, u64 *nr)
{
	struct area_view view = {};
	u64 from = 0;
	int rc = 0;

	while (!rc && next_area(reader, from, &view)) {
		++*nr;
		rc = read_area(reader, &view);
		if (view.last == ULONG_MAX)
			break;
		from = view.last + 1;
	}
	return rc;
}

static void describe(const struct iommufd_hwpt *hwpt,
		     struct iox_hwpt_info *info)
{
	info->ctx_id = hwpt->ictx->id;
	info->hwpt_id = hwpt->obj.id;
	if (hwpt->ioas) {
		info->space_id = hwpt->ioas->iox.space_id;
		info->ioas_id = hwpt->ioas->obj.id;
	}
	info->pid = hwpt->ictx->pid;
	strscpy(info->comm, hwpt->ictx->comm);
	info->automatic = hwpt->automatic;
	info->nest_parent = hwpt->nest_parent;
	info->page_sizes = hwpt->domain->pgsize_bitmap;
}

/* -EOPNOTSUPP with all that is known in @info; -ECANCELED; -ENOMEM */
static int read_hwpt(struct iommufd_hwpt *hwpt, struct iox_hwpt_info *info)
{
	struct pt_stats_reader *reader __free(kfree) =
		reader_new(hwpt, info->leaves);
	int rc;

	if (!reader)
		return -ENOMEM;
	describe(hwpt, info);
	rc = iommu_pt_read_tables(hwpt->domain, &reader->tables);
	if (rc)
		return rc;
	info->readable = true;
	strscpy(info->format, reader->tables.format);
	info->nr_levels = reader->tables.nr_levels;
	memcpy(info->level, reader->tables.level, sizeof(info->level));
	rc = read_areas(reader, &info->areas);
	info->mapped = bytes_mapped(info->leaves);
	return rc;
}

static int stats_next_hwpt(struct iox_stats_pos *pos,
			   struct iox_hwpt_info *info)
{
	struct iommufd_hwpt *hwpt;
	int rc = -ECANCELED;

	while (rc == -ECANCELED && (hwpt = iommufd_next_hwpt(pos))) {
		memset(info, 0, sizeof(*info));
		rc = read_hwpt(hwpt, info);
		iommufd_next_hwpt_put(hwpt);
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	if (rc == -ECANCELED)
		return -ENOENT;
	return rc == -EOPNOTSUPP ? 0 : rc;
}

static int read_next_area(struct iommufd_hwpt *hwpt, u64 from,
			  struct iox_area_info *info)
{
	struct pt_stats_reader *reader __free(kfree) =
		reader_new(hwpt, info->leaves);
	struct area_view view;
	int rc;

	if (!reader)
		return -ENOMEM;
	if (!next_area(reader, from, &view))
		return -ENOENT;
	info->ctx_id = hwpt->ictx->id;
	info->hwpt_id = hwpt->obj.id;
	if (hwpt->ioas) {
		info->space_id = hwpt->ioas->iox.space_id;
		info->ioas_id = hwpt->ioas->obj.id;
	}
	info->iova = view.iova;
	info->length = view.last - view.iova + 1;
	info->prot = view.prot;
	info->backing = view.backing;
	rc = read_area(reader, &view);
	return rc == -EOPNOTSUPP ? 0 : rc;
}

/* The next area is of the same HWPT, if that has one. */
static void move_behind(struct iox_stats_pos *pos,
			const struct iox_area_info *info)
{
	if (info->iova + info->length) {
		pos->hwpt_id = info->hwpt_id;
		pos->iova = info->iova + info->length;
	} else {
		pos->iova = 0;
	}
}

static int stats_next_area(struct iox_stats_pos *pos,
			   struct iox_area_info *info)
{
	struct iommufd_hwpt *hwpt;
	struct iox_stats_pos at;
	int rc;

	for (;;) {
		at = *pos;
		hwpt = iommufd_next_hwpt(pos);
		if (!hwpt)
			return -ENOENT;
		if (pos->ctx_id != at.ctx_id || hwpt->obj.id != at.hwpt_id)
			at.iova = 0;
		pos->iova = 0;
		memset(info, 0, sizeof(*info));
		rc = read_next_area(hwpt, at.iova, info);
		iommufd_next_hwpt_put(hwpt);
		if (fatal_signal_pending(current))
			return -EINTR;
		if (!rc)
			move_behind(pos, info);
		if (rc != -ENOENT && rc != -ECANCELED)
			return rc;
	}
}

static const struct iox_stats_ops stats_ops = {
	.next_hwpt = stats_next_hwpt,
	.next_area = stats_next_area,
};

void iommufd_stats_init(void)
{
	iox_stats_register(&stats_ops);
}

void iommufd_stats_exit(void)
{
	iox_stats_unregister();
}

static int copy_levels(struct iox_hwpt_pt_stats *cmd,
		       const struct iox_hwpt_info *info)
{
	u32 room = cmd->nr_levels, nr = min(room, info->nr_levels);

	cmd->nr_levels = info->nr_levels;
	if (copy_to_user(u64_to_user_ptr(cmd->levels_uptr), info->level,
			 nr * sizeof(info->level[0])))
		return -EFAULT;
	return room < info->nr_levels ? -EMSGSIZE : 0;
}

static int copy_sizes(struct iox_hwpt_pt_stats *cmd,
		      const struct iox_hwpt_info *info)
{
	struct iox_pt_size __user *to = u64_to_user_ptr(cmd->sizes_uptr);
	u32 room = cmd->nr_sizes, nr = 0;
	u64 left;

	for (left = info->page_sizes; left; left &= left - 1) {
		const struct iox_pt_leaves *leaves =
			&info->leaves[__ffs64(left)];
		struct iox_pt_size size = { .size = left & -left,
					    .leaves = leaves->leaves };

		memcpy(size.why, leaves->why, sizeof(size.why));
		if (nr < room && copy_to_user(to + nr, &size, sizeof(size)))
			return -EFAULT;
		nr++;
	}
	cmd->nr_sizes = nr;
	return room < nr ? -EMSGSIZE : 0;
}

static int answer(struct iommufd_ucmd *ucmd, const struct iox_hwpt_info *info)
{
	struct iox_hwpt_pt_stats *cmd = ucmd->cmd;
	int levels = copy_levels(cmd, info);
	int sizes = copy_sizes(cmd, info);

	if (levels == -EFAULT || sizes == -EFAULT)
		return -EFAULT;
	cmd->out_areas = info->areas;
	cmd->out_mapped = info->mapped;
	strscpy_pad(cmd->out_format, info->format);
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd)) ?: levels ?: sizes;
}

static int look_up_and_read(struct iommufd_ctx *ictx, u32 id,
			    struct iox_hwpt_info *info)
{
	struct iommufd_hwpt *hwpt = iommufd_hwpt_lookup(ictx, id);
	int rc;

	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = read_hwpt(hwpt, info);
	iommufd_object_put(ictx, &hwpt->obj);
	if (rc == -ECANCELED)
		return fatal_signal_pending(current) ? -EINTR : -ENOENT;
	return rc;
}

int iommufd_hwpt_pt_stats(struct iommufd_ucmd *ucmd)
{
	struct iox_hwpt_info *info __free(kfree) = NULL;
	struct iox_hwpt_pt_stats *cmd = ucmd->cmd;
	int rc;

	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	info = kzalloc_obj(*info);
	if (!info)
		return -ENOMEM;
	iommu_pt_read_begin();
	rc = look_up_and_read(ucmd->ictx, cmd->hwpt_id, info);
	iommu_pt_read_end();
	return rc ?: answer(ucmd, info);
}
