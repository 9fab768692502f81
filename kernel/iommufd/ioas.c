// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctls on I/O address spaces: arguments in, answers out.
 */
#include <linux/overflow.h>
#include <linux/slab.h>

#include "core.h"
#include "pages.h"

#define MAP_FLAGS                                                             \
	(IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE |               \
	 IOMMU_IOAS_MAP_READABLE)

/**
 * iommufd_ioas_new - make an empty address space
 * @ictx: where; the object is not published yet
 */
struct iommufd_ioas *iommufd_ioas_new(struct iommufd_ctx *ictx)
{
	struct iommufd_ioas *ioas;
	int rc;

	ioas = iommufd_new(ictx, ioas, obj, IOMMUFD_OBJ_IOAS);
	if (IS_ERR(ioas))
		return ioas;
	rc = iova_space_init(&ioas->space);
	if (rc) {
		iommufd_object_abort(ictx, &ioas->obj);
		return ERR_PTR(rc);
	}
	ioas->ictx = ictx;
	init_rwsem(&ioas->domains_rwsem);
	INIT_LIST_HEAD(&ioas->hwpts);
	mutex_init(&ioas->attach_lock);
	INIT_LIST_HEAD(&ioas->accesses);
	mutex_init(&ioas->access_lock);
	return ioas;
}

void iommufd_ioas_destroy(struct iommufd_object *obj)
{
	struct iommufd_ioas *ioas = container_of(obj, struct iommufd_ioas, obj);
	unsigned long bytes;

	/* No domain and no access is left: this frees records, and cannot fail. */
	WARN_ON(iommufd_unmap_range(ioas, 0, ULONG_MAX, &bytes));
	iova_space_destroy(&ioas->space);

	xa_lock(&ioas->ictx->objects);
	if (ioas->ictx->vfio_ioas == ioas)
		ioas->ictx->vfio_ioas = NULL;
	xa_unlock(&ioas->ictx->objects);

	mutex_destroy(&ioas->attach_lock);
	mutex_destroy(&ioas->access_lock);
}

int iommufd_ioas_alloc_ioctl(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_alloc *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;

	ioas = iommufd_ioas_new(ucmd->ictx);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	/* The caller must learn the id before anybody can guess it. */
	cmd->out_ioas_id = ioas->obj.id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (rc) {
		iova_space_destroy(&ioas->space);
		iommufd_object_abort(ucmd->ictx, &ioas->obj);
		return rc;
	}
	iommufd_object_publish(ucmd->ictx, &ioas->obj);
	return 0;
}

/* Copy windows out as far as there is room; -EMSGSIZE when there is too little */
static int copy_windows(struct iommu_ioas_iova_ranges *cmd,
			const struct iova_window *windows, unsigned int nr)
{
	struct iommu_iova_range __user *out = u64_to_user_ptr(cmd->allowed_iovas);
	unsigned int room = cmd->num_iovas, i;

	cmd->num_iovas = nr;
	for (i = 0; i < min(nr, room); i++) {
		struct iommu_iova_range range = { .start = windows[i].start,
						  .last = windows[i].last };

		if (copy_to_user(out + i, &range, sizeof(range)))
			return -EFAULT;
	}
	return room < nr ? -EMSGSIZE : 0;
}

int iommufd_ioas_iova_ranges(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_iova_ranges *cmd = ucmd->cmd;
	struct iova_window *windows __free(kfree) = NULL;
	struct iommufd_ioas *ioas;
	unsigned int nr;
	int rc, copied;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	/* A copy: user memory is not touched with the lock held. */
	scoped_guard(mutex, &ioas->space.lock) {
		nr = ioas->space.nr_windows;
		windows = kmemdup_array(ioas->space.windows, nr,
					sizeof(*windows), GFP_KERNEL_ACCOUNT);
		cmd->out_iova_alignment = ioas->space.align;
	}
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	if (!windows)
		return -ENOMEM;

	copied = copy_windows(cmd, windows, nr);
	if (copied && copied != -EMSGSIZE)
		return copied;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	return rc ?: copied;
}

static int prot_of(u32 flags)
{
	int prot = 0;

	if (flags & IOMMU_IOAS_MAP_READABLE)
		prot |= IOMMU_READ;
	if (flags & IOMMU_IOAS_MAP_WRITEABLE)
		prot |= IOMMU_WRITE;
	return prot;
}

static int check_map(const struct iommu_ioas_map *cmd)
{
	unsigned long end;

	if (cmd->flags & ~MAP_FLAGS || cmd->__reserved)
		return -EOPNOTSUPP;
	if (!prot_of(cmd->flags) || !cmd->length)
		return -EINVAL;
	if (check_add_overflow(cmd->user_va, cmd->length - 1, &end))
		return -EOVERFLOW;
	return 0;
}

static int map_user(struct iommufd_ioas *ioas, struct iommu_ioas_map *cmd,
		    bool fixed)
{
	const struct iox_iova_req what = {
		.length = cmd->length,
		.addr = cmd->user_va,
		.hint = cmd->iova,
		.backing = IOX_BACKING_USER,
	};
	struct iommufd_area *area;
	int rc;

	area = kzalloc_obj(*area, GFP_KERNEL_ACCOUNT);
	if (!area)
		return -ENOMEM;
	area->prot = prot_of(cmd->flags);
	area->start = offset_in_page(cmd->user_va);
	area->iova = cmd->iova;
	area->pages = iommufd_pages_from_user(cmd->user_va,
					      area->prot & IOMMU_WRITE);
	if (IS_ERR(area->pages)) {
		rc = PTR_ERR(area->pages);
		goto free_area;
	}

	rc = iommufd_map_area(ioas, area, &what, fixed, &cmd->iova);
	if (!rc)
		return 0;

	iommufd_pages_put(area->pages);
free_area:
	kfree(area);
	return rc;
}

int iommufd_ioas_map(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_map *cmd = ucmd->cmd;
	bool fixed = cmd->flags & IOMMU_IOAS_MAP_FIXED_IOVA;
	struct iommufd_ioas *ioas;
	unsigned long bytes;
	int rc;

	rc = check_map(cmd);
	if (rc)
		return rc;
	ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);

	rc = map_user(ioas, cmd, fixed);
	if (!rc) {
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
		/* Nobody would know where it is. */
		if (rc)
			iommufd_unmap_range(ioas, cmd->iova,
					    cmd->iova + cmd->length - 1,
					    &bytes);
	}
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	return rc;
}

int iommufd_ioas_unmap(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_unmap *cmd = ucmd->cmd;
	unsigned long last, bytes;
	struct iommufd_ioas *ioas;
	bool all;
	int rc;

	all = !cmd->iova && cmd->length == U64_MAX;
	if (!cmd->length)
		return -EINVAL;
	if (all)
		last = ULONG_MAX;
	else if (check_add_overflow(cmd->iova, cmd->length - 1, &last))
		return -EOVERFLOW;

	ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iommufd_unmap_range(ioas, cmd->iova, last, &bytes);
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	if (rc)
		return rc;
	if (!bytes && !all)
		return -ENOENT;
	cmd->length = bytes;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}
