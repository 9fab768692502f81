// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dirty tracking: which of the mapped pages have been written to by DMA.
 *
 * No area may come or go while page tables are walked, so domains_rwsem is held
 * for writing. It is let go between the chunks that a bitmap comes in.
 */
#include <linux/iova_bitmap.h>
#include <linux/log2.h>
#include <linux/overflow.h>

#include "core.h"

static struct iommufd_area *area_from(struct iommufd_ioas *ioas,
				      unsigned long first, unsigned long last)
{
	lockdep_assert_held_write(&ioas->domains_rwsem);

	guard(mutex)(&ioas->space.lock);
	return iova_space_next(&ioas->space, first, last);
}

/* What is known from before the tracking began does not count. */
static int forget_dirty(struct iommufd_hwpt *hwpt)
{
	const struct iommu_dirty_ops *ops = hwpt->domain->dirty_ops;
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	struct iommufd_area *area;
	int rc = 0;

	iommu_dirty_bitmap_init(&dirty, NULL, &gather);
	for (area = area_from(hwpt->ioas, 0, ULONG_MAX); area && !rc;
	     area = area_from(hwpt->ioas, area->last + 1, ULONG_MAX)) {
		rc = ops->read_and_clear_dirty(hwpt->domain, area->iova,
					       iommufd_area_length(area), 0,
					       &dirty);
		cond_resched();
		if (area->last == ULONG_MAX)
			break;
	}
	iommu_iotlb_sync(hwpt->domain, &gather);
	return rc;
}

static int set_dirty_tracking(struct iommufd_hwpt *hwpt, bool enable)
{
	const struct iommu_dirty_ops *ops = hwpt->domain->dirty_ops;
	int rc = 0;

	if (!ops || !hwpt->ioas)
		return -EOPNOTSUPP;
	guard(rwsem_write)(&hwpt->ioas->domains_rwsem);
	/* The next kernel takes the tables as they are. */
	if (READ_ONCE(hwpt->lu_preserved))
		return -EBUSY;
	if (enable)
		rc = forget_dirty(hwpt);
	return rc ?: ops->set_dirty_tracking(hwpt->domain, enable);
}

int iommufd_hwpt_set_dirty_tracking(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_set_dirty_tracking *cmd = ucmd->cmd;
	struct iommufd_hwpt *hwpt;
	int rc;

	if (cmd->flags & ~IOMMU_HWPT_DIRTY_TRACKING_ENABLE || cmd->__reserved)
		return -EOPNOTSUPP;
	hwpt = iommufd_hwpt_lookup(ucmd->ictx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = set_dirty_tracking(hwpt,
				cmd->flags & IOMMU_HWPT_DIRTY_TRACKING_ENABLE);
	iommufd_object_put(ucmd->ictx, &hwpt->obj);
	return rc;
}

/* Where a bitmap is filled from */
struct dirty_source {
	struct iommufd_hwpt *hwpt;
	unsigned long flags;
};

/* -EINVAL if something in the range is not mapped */
static int read_range(struct dirty_source *source, unsigned long iova,
		      unsigned long last, struct iommu_dirty_bitmap *dirty)
{
	struct iommu_domain *domain = source->hwpt->domain;
	struct iommufd_area *area;
	unsigned long end;
	int rc;

	for (;; iova = end + 1) {
		area = area_from(source->hwpt->ioas, iova, last);
		if (!area || area->iova > iova)
			return -EINVAL;
		end = min(area->last, last);
		rc = domain->dirty_ops->read_and_clear_dirty(domain, iova,
							     end - iova + 1,
							     source->flags,
							     dirty);
		if (rc || end == last)
			return rc;
		cond_resched();
	}
}

static int read_chunk(struct iova_bitmap *bitmap, unsigned long iova,
		      size_t length, void *opaque)
{
	struct dirty_source *source = opaque;
	struct iommu_iotlb_gather gather;
	struct iommu_dirty_bitmap dirty;
	int rc;

	guard(rwsem_write)(&source->hwpt->ioas->domains_rwsem);
	iommu_dirty_bitmap_init(&dirty, bitmap, &gather);
	rc = read_range(source, iova, iova + length - 1, &dirty);
	iommu_iotlb_sync(source->hwpt->domain, &gather);
	return rc;
}

static int check_bitmap(const struct iommu_hwpt_get_dirty_bitmap *cmd)
{
	u64 last;

	if (cmd->flags & ~IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR ||
	    cmd->__reserved)
		return -EOPNOTSUPP;
	if (!cmd->length || !is_power_of_2(cmd->page_size) ||
	    (cmd->iova | cmd->length) & (cmd->page_size - 1))
		return -EINVAL;
	if (check_add_overflow(cmd->iova, cmd->length - 1, &last))
		return -EOVERFLOW;
	return 0;
}

static int get_dirty_bitmap(struct iommufd_hwpt *hwpt,
			    const struct iommu_hwpt_get_dirty_bitmap *cmd)
{
	struct dirty_source source = { .hwpt = hwpt };
	struct iova_bitmap *bitmap;
	int rc;

	if (!hwpt->domain->dirty_ops || !hwpt->ioas)
		return -EOPNOTSUPP;
	if (cmd->flags & IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR)
		source.flags = IOMMU_DIRTY_NO_CLEAR;
	bitmap = iova_bitmap_alloc(cmd->iova, cmd->length, cmd->page_size,
				   u64_to_user_ptr(cmd->data));
	if (IS_ERR(bitmap))
		return PTR_ERR(bitmap);
	rc = iova_bitmap_for_each(bitmap, &source, read_chunk);
	iova_bitmap_free(bitmap);
	return rc;
}

int iommufd_hwpt_get_dirty_bitmap(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_get_dirty_bitmap *cmd = ucmd->cmd;
	struct iommufd_hwpt *hwpt;
	int rc;

	rc = check_bitmap(cmd);
	if (rc)
		return rc;
	hwpt = iommufd_hwpt_lookup(ucmd->ictx, cmd->hwpt_id);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = get_dirty_bitmap(hwpt, cmd);
	iommufd_object_put(ucmd->ictx, &hwpt->obj);
	return rc;
}
