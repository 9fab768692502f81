// SPDX-License-Identifier: GPL-2.0-only
/*
 * An iommufd as the container of vfio: the IOAS that vfio uses when its own API
 * names none, and the ioctls of vfio's type 1 IOMMU on that IOAS.
 *
 * Type 1 (v1) differs from v2 in that unmap may begin and end inside of
 * mappings. A mapping can be cut wherever each page has a PTE of its own, so v1
 * is an IOAS of small pages, and such an IOAS is v1.
 */
#include <linux/export.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/vfio.h>

#include "core.h"

/**
 * iommufd_vfio_compat_ioas_get_id - id of the compatibility IOAS
 * @ictx: the context
 * @out_ioas_id: set when 0 is returned
 *
 * Return: 0, or -ENODEV when none is set.
 */
int iommufd_vfio_compat_ioas_get_id(struct iommufd_ctx *ictx, u32 *out_ioas_id)
{
	int rc = -ENODEV;

	xa_lock(&ictx->objects);
	if (ictx->vfio_ioas) {
		*out_ioas_id = ictx->vfio_ioas->obj.id;
		rc = 0;
	}
	xa_unlock(&ictx->objects);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_compat_ioas_get_id, "IOMMUFD_VFIO");

/**
 * iommufd_vfio_compat_ioas_create - make sure that there is a compatibility IOAS
 * @ictx: the context
 *
 * Return: 0, also when there was one; -EINVAL @ictx is for devices without an
 * IOMMU; -ENOMEM.
 */
int iommufd_vfio_compat_ioas_create(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas = iommufd_ioas_new(ictx);
	int rc = 0;

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	xa_lock(&ictx->objects);
	if (ictx->no_iommu) {
		rc = -EINVAL;
	} else if (!ictx->vfio_ioas) {
		/* Both at once, lest somebody destroys it in between. */
		iommufd_object_publish_locked(ictx, &ioas->obj);
		ictx->vfio_ioas = ioas;
		ioas = NULL;
	}
	xa_unlock(&ictx->objects);

	if (ioas) {
		iommufd_ioas_abort(ioas);
	}
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_compat_ioas_create, "IOMMUFD_VFIO");

/**
 * iommufd_vfio_compat_set_no_iommu - use a context for devices without an IOMMU
 * @ictx: the context; it never gets a compatibility IOAS by itself after that
 *
 * Return: 0, or -EINVAL when it has a compatibility IOAS.
 */
int iommufd_vfio_compat_set_no_iommu(struct iommufd_ctx *ictx)
{
	int rc = 0;

	xa_lock(&ictx->objects);
	if (ictx->vfio_ioas)
		rc = -EINVAL;
	else
		ictx->no_iommu = true;
	xa_unlock(&ictx->objects);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_compat_set_no_iommu, "IOMMUFD_VFIO");

static void set_vfio_ioas(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas)
{
	xa_lock(&ictx->objects);
	ictx->vfio_ioas = ioas;
	xa_unlock(&ictx->objects);
}

static int choose_vfio_ioas(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_ioas *ioas = iommufd_ioas_lookup(ictx, id);

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	/* Destroying it waits for this call, and then clears it. */
	set_vfio_ioas(ictx, ioas);
	iommufd_object_put(ictx, &ioas->obj);
	return 0;
}

int iommufd_vfio_ioas(struct iommufd_ucmd *ucmd)
{
	struct iommu_vfio_ioas *cmd = ucmd->cmd;
	struct iommufd_ctx *ictx = ucmd->ictx;
	int rc = -EOPNOTSUPP;

	if (cmd->__reserved)
		return rc;
	if (cmd->op == IOMMU_VFIO_IOAS_SET)
		return choose_vfio_ioas(ictx, cmd->ioas_id);
	if (cmd->op == IOMMU_VFIO_IOAS_GET) {
		rc = iommufd_vfio_compat_ioas_get_id(ictx, &cmd->ioas_id);
		return rc ?: iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	}
	if (cmd->op == IOMMU_VFIO_IOAS_CLEAR) {
		set_vfio_ioas(ictx, NULL);
		rc = 0;
	}
	return rc;
}

/* The compatibility IOAS for the length of a call, or -ENODEV */
static struct iommufd_ioas *get_vfio_ioas(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas;

	xa_lock(&ictx->objects);
	ioas = ictx->vfio_ioas;
	if (!ioas || !refcount_inc_not_zero(&ioas->obj.wait_cnt))
		ioas = ERR_PTR(-ENODEV);
	xa_unlock(&ictx->objects);
	return ioas;
}

static int map_dma(struct iommufd_ctx *ictx, void __user *arg)
{
	const size_t min_size = offsetofend(struct vfio_iommu_type1_dma_map,
					    size);
	struct iommufd_op seen __uninitialized, *op;
	struct vfio_iommu_type1_dma_map map;
	struct iommufd_ioas *ioas;
	u32 flags = 0;
	int rc;

	if (copy_from_user(&map, arg, min_size))
		return -EFAULT;
	if (map.argsz < min_size ||
	    map.flags & ~(VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE))
		return -EINVAL;
	if (map.flags & VFIO_DMA_MAP_FLAG_READ)
		flags |= IOMMU_IOAS_MAP_READABLE;
	if (map.flags & VFIO_DMA_MAP_FLAG_WRITE)
		flags |= IOMMU_IOAS_MAP_WRITEABLE;

	ioas = get_vfio_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	op = iommufd_op_begin(&seen, ictx->id, IOMMUFD_OP_MAP);
	rc = iommufd_ioas_map_user(ioas, flags, map.vaddr, map.size, map.iova,
				   op);
	iommufd_op_end(op, rc);
	iommufd_object_put(ictx, &ioas->obj);
	return rc;
}

static int split_ends(struct iommufd_ioas *ioas, unsigned long iova,
		      unsigned long last)
{
	int rc = iommufd_ioas_split(ioas, iova);

	if (!rc && last != ULONG_MAX)
		rc = iommufd_ioas_split(ioas, last + 1);
	return rc;
}

/* As v1 does it: what is cut off of a mapping goes, the rest stays. */
static int cut_out(struct iommufd_ioas *ioas, unsigned long iova,
		   unsigned long last)
{
	int rc = split_ends(ioas, iova, last);

	if (rc != -EBUSY)
		return rc;
	iommufd_access_notify_unmap(ioas, iova, last - iova + 1);
	return split_ends(ioas, iova, last);
}

static int unmap_some(struct iommufd_ioas *ioas,
		      struct vfio_iommu_type1_dma_unmap *unmap,
		      struct iommufd_op *op)
{
	unsigned long last, bytes = 0;
	int rc;

	if (!unmap->size)
		return -EINVAL;
	if (check_add_overflow(unmap->iova, unmap->size - 1, &last)) {
		unmap->size = 0;
		return -EOVERFLOW;
	}
	rc = cut_out(ioas, unmap->iova, last);
	if (rc)
		return rc;
	rc = iommufd_unmap_range(ioas, unmap->iova, last, &bytes, op);
	unmap->size = bytes;
	return rc;
}

static int unmap_all(struct iommufd_ioas *ioas,
		     struct vfio_iommu_type1_dma_unmap *unmap,
		     struct iommufd_op *op)
{
	unsigned long bytes = 0;
	int rc;

	if (unmap->iova || unmap->size)
		return -EINVAL;
	rc = iommufd_unmap_range(ioas, 0, ULONG_MAX, &bytes, op);
	unmap->size = bytes;
	return rc;
}

static int unmap_dma(struct iommufd_ctx *ictx, void __user *arg)
{
	const size_t min_size = offsetofend(struct vfio_iommu_type1_dma_unmap,
					    size);
	struct iommufd_op seen __uninitialized, *op;
	struct vfio_iommu_type1_dma_unmap unmap;
	struct iommufd_ioas *ioas;
	int rc;

	if (copy_from_user(&unmap, arg, min_size))
		return -EFAULT;
	if (unmap.argsz < min_size || unmap.flags & ~VFIO_DMA_UNMAP_FLAG_ALL)
		return -EINVAL;

	ioas = get_vfio_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	op = iommufd_op_begin(&seen, ictx->id, IOMMUFD_OP_UNMAP);
	if (unmap.flags & VFIO_DMA_UNMAP_FLAG_ALL)
		rc = unmap_all(ioas, &unmap, op);
	else
		rc = unmap_some(ioas, &unmap, op);
	iommufd_op_unmapped(op, unmap.size);
	iommufd_op_end(op, rc);
	iommufd_object_put(ictx, &ioas->obj);

	/* Also when it failed: programs read the size, and mind it. */
	if (copy_to_user(arg, &unmap, min_size))
		return -EFAULT;
	return rc;
}

static u64 page_sizes(struct iommufd_ioas *ioas)
{
	struct iommufd_hwpt *hwpt;
	u64 sizes = PAGE_MASK;

	guard(rwsem_read)(&ioas->domains_rwsem);
	list_for_each_entry(hwpt, &ioas->hwpts, item) {
		u64 own = hwpt->domain->pgsize_bitmap;

		/* Several of its pages make one of ours. */
		if (own & ~PAGE_MASK)
			own |= PAGE_SIZE;
		sizes &= own;
	}
	return sizes;
}

/* What VFIO_IOMMU_GET_INFO answers, the chain of capabilities included */
struct info {
	struct vfio_iommu_type1_info fixed;
	struct vfio_iommu_type1_info_dma_avail avail __aligned(8);
	struct vfio_iommu_type1_info_cap_iova_range iovas __aligned(8);
};

/* The answer as far as @iovas, with room for the ranges of @nr windows */
static struct info *info_new(struct iommufd_ioas *ioas,
			     const struct iova_window *windows, unsigned int nr)
{
	struct info *info;
	size_t size = offsetof(struct info, iovas.iova_ranges[nr]);
	unsigned int i;

	info = kzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!info)
		return NULL;
	info->fixed.argsz = size;
	info->fixed.flags = VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS;
	info->fixed.iova_pgsizes = page_sizes(ioas);

	info->avail.header.id = VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL;
	info->avail.header.version = 1;
	info->avail.header.next = offsetof(struct info, iovas);
	/* Memory is the only limit. */
	info->avail.avail = U32_MAX;

	info->iovas.header.id = VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE;
	info->iovas.header.version = 1;
	info->iovas.nr_iovas = nr;
	for (i = 0; i < nr; i++) {
		info->iovas.iova_ranges[i].start = windows[i].start;
		info->iovas.iova_ranges[i].end = windows[i].last;
	}
	return info;
}

static struct info *describe(struct iommufd_ioas *ioas)
{
	unsigned int nr;
	struct iova_window *windows __free(kfree) =
		iova_space_copy_windows(&ioas->space, &nr);

	return windows ? info_new(ioas, windows, nr) : NULL;
}

static int get_info(struct iommufd_ctx *ictx, void __user *arg)
{
	const size_t min_size = offsetofend(struct vfio_iommu_type1_info,
					    iova_pgsizes);
	struct info *info __free(kfree) = NULL;
	struct iommufd_ioas *ioas;
	size_t room;
	u32 argsz;

	if (get_user(argsz, (u32 __user *)arg))
		return -EFAULT;
	if (argsz < min_size)
		return -EINVAL;

	ioas = get_vfio_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	info = describe(ioas);
	iommufd_object_put(ictx, &ioas->obj);
	if (!info)
		return -ENOMEM;

	/* All capabilities or none; argsz tells how much room they need. */
	room = min_t(size_t, argsz, sizeof(info->fixed));
	if (argsz >= info->fixed.argsz) {
		room = info->fixed.argsz;
		info->fixed.cap_offset = offsetof(struct info, avail);
	}
	return copy_to_user(arg, info, room) ? -EFAULT : 0;
}

static int is_coherent(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas = get_vfio_ioas(ictx);
	struct iommufd_hwpt *hwpt;
	int coherent = 1;

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	scoped_guard(rwsem_read, &ioas->domains_rwsem)
		list_for_each_entry(hwpt, &ioas->hwpts, item)
			if (!hwpt->coherent)
				coherent = 0;
	iommufd_object_put(ictx, &ioas->obj);
	return coherent;
}

static int check_extension(struct iommufd_ctx *ictx, unsigned long extension)
{
	switch (extension) {
	case VFIO_TYPE1_IOMMU:
	case VFIO_TYPE1v2_IOMMU:
	case VFIO_UNMAP_ALL:
		return 1;
	case VFIO_DMA_CC_IOMMU:
		return is_coherent(ictx);
	case VFIO_NOIOMMU_IOMMU:
		return IS_ENABLED(CONFIG_VFIO_NOIOMMU);
	default:
		return 0;
	}
}

static int set_iommu(struct iommufd_ctx *ictx, unsigned long type)
{
	struct iommufd_ioas *ioas;
	int rc = 0;

	if (type == VFIO_NOIOMMU_IOMMU && READ_ONCE(ictx->no_iommu))
		return 0;
	if (type != VFIO_TYPE1_IOMMU && type != VFIO_TYPE1v2_IOMMU)
		return -EINVAL;

	ioas = get_vfio_ioas(ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	if (type == VFIO_TYPE1_IOMMU)
		rc = iommufd_ioas_set_small_pages(ioas, true);
	iommufd_object_put(ictx, &ioas->obj);
	return rc;
}

/**
 * iommufd_vfio_ioctl - ioctls of vfio's container
 * @ictx: the context
 * @cmd: any ioctl that is not iommufd's own
 * @arg: its argument
 */
int iommufd_vfio_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
		       unsigned long arg)
{
	void __user *uarg = (void __user *)arg;

	switch (cmd) {
	case VFIO_IOMMU_MAP_DMA:
		return map_dma(ictx, uarg);
	case VFIO_IOMMU_UNMAP_DMA:
		return unmap_dma(ictx, uarg);
	case VFIO_IOMMU_GET_INFO:
		return get_info(ictx, uarg);
	case VFIO_SET_IOMMU:
		return set_iommu(ictx, arg);
	case VFIO_CHECK_EXTENSION:
		return check_extension(ictx, arg);
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	default:
		return -ENOTTY;
	}
}
