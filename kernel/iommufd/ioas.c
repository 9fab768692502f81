// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctls on I/O address spaces: arguments in, answers out.
 */
#include <linux/dma-buf.h>
#include <linux/file.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <uapi/linux/iox.h>

#include "core.h"

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
	ioas->iox.ctx_id = ictx->id;
	ioas->iox.ioas_id = ioas->obj.id;
	iox_ioas_add(&ioas->iox);
	return ioas;
}

/**
 * iommufd_ioas_abort - undo iommufd_ioas_new()
 * @ioas: never published
 */
void iommufd_ioas_abort(struct iommufd_ioas *ioas)
{
	iox_ioas_remove(&ioas->iox);
	iova_space_destroy(&ioas->space);
	iommufd_object_abort(ioas->ictx, &ioas->obj);
}

void iommufd_ioas_destroy(struct iommufd_object *obj)
{
	struct iommufd_ioas *ioas = container_of(obj, struct iommufd_ioas, obj);
	struct iommufd_op seen __uninitialized, *op;
	unsigned long bytes;

	/* No domain and no access is left: this frees records, and cannot fail. */
	op = iommufd_op_begin(&seen, ioas->ictx->id, IOMMUFD_OP_DESTROY);
	iommufd_op_describe(op, ioas, 0, 0);
	WARN_ON(iommufd_unmap_range(ioas, 0, ULONG_MAX, &bytes, NULL));
	iox_ioas_remove(&ioas->iox);
	/* On its own behalf: tests do that. */
	iova_space_unreserve(&ioas->space, ioas);
	iova_space_destroy(&ioas->space);

	xa_lock(&ioas->ictx->objects);
	if (ioas->ictx->vfio_ioas == ioas)
		ioas->ictx->vfio_ioas = NULL;
	xa_unlock(&ioas->ictx->objects);

	mutex_destroy(&ioas->attach_lock);
	mutex_destroy(&ioas->access_lock);
	iommufd_op_end(op, 0);
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
		iommufd_ioas_abort(ioas);
		return rc;
	}
	iommufd_object_publish(ucmd->ictx, &ioas->obj);
	return 0;
}

/**
 * iommufd_copy_windows - tell user space about windows
 * @uptr: its array of struct iommu_iova_range
 * @num: the room in there, as it said; set to @nr
 * @windows: the windows
 * @nr: how many
 *
 * Return: 0; -EMSGSIZE there is too little room, as many as fit are there;
 * -EFAULT.
 */
int iommufd_copy_windows(u64 uptr, u32 *num, const struct iova_window *windows,
			 unsigned int nr)
{
	struct iommu_iova_range __user *out = u64_to_user_ptr(uptr);
	unsigned int room = *num, i;

	*num = nr;
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
	windows = iova_space_copy_windows(&ioas->space, &nr);
	cmd->out_iova_alignment = READ_ONCE(ioas->space.align);
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	if (!windows)
		return -ENOMEM;

	copied = iommufd_copy_windows(cmd->allowed_iovas, &cmd->num_iovas,
				      windows, nr);
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

int iommufd_ioas_allow_iovas(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_allow_iovas *cmd = ucmd->cmd;
	struct iommu_iova_range __user *in = u64_to_user_ptr(cmd->allowed_iovas);
	struct iova_window *allowed __free(kvfree) = NULL;
	struct iommufd_ioas *ioas;
	struct iommu_iova_range range;
	unsigned int i;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->num_iovas) {
		allowed = kvmalloc_array(cmd->num_iovas, sizeof(*allowed),
					 GFP_KERNEL_ACCOUNT);
		if (!allowed)
			return -ENOMEM;
	}
	for (i = 0; i < cmd->num_iovas; i++) {
		if (copy_from_user(&range, in + i, sizeof(range)))
			return -EFAULT;
		allowed[i] = (struct iova_window){ range.start, range.last };
	}

	ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iova_space_allow(&ioas->space, allowed, cmd->num_iovas);
	if (!rc)
		retain_and_null_ptr(allowed);
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	return rc;
}

/**
 * struct map_args - what all ways to map have in common
 * @ioas_id: where
 * @flags: enum iommufd_ioas_map_flags
 * @length: bytes
 * @iova: wanted if fixed, else a hint; where it is mapped in the end
 * @start: offset of the first byte in the pages
 * @op: what is told of it, or %NULL
 */
struct map_args {
	u32 ioas_id;
	u32 flags;
	u64 length;
	u64 iova;
	unsigned long start;
	struct iommufd_op *op;
};

static int check_map(u32 flags, u64 addr, u64 length)
{
	unsigned long end;

	if (flags & ~MAP_FLAGS)
		return -EOPNOTSUPP;
	if (!prot_of(flags) || !length)
		return -EINVAL;
	if (check_add_overflow(addr, length - 1, &end))
		return -EOVERFLOW;
	return 0;
}

/* Map pages, whose reference is consumed. */
static int map_pages(struct iommufd_ioas *ioas, struct map_args *args,
		     struct iommufd_pages *pages)
{
	const struct iox_iova_req what = {
		.length = args->length,
		.addr = pages->base + args->start,
		.hint = args->iova,
		.backing = pages->backing,
	};
	struct iommufd_area *area;
	int rc = -ENOMEM;

	area = kzalloc_obj(*area, GFP_KERNEL_ACCOUNT);
	if (!area)
		goto put_pages;
	area->prot = prot_of(args->flags);
	area->start = args->start;
	area->iova = args->iova;
	area->pages = pages;
	rc = iommufd_map_area(ioas, area, &what,
			      args->flags & IOMMU_IOAS_MAP_FIXED_IOVA,
			      &args->iova, args->op);
	if (!rc)
		return 0;

	kfree(area);
put_pages:
	iommufd_pages_put(pages);
	return rc;
}

/*
 * Map pages, whose reference is consumed, and answer the call; *iova is the
 * field of the call that says where.
 */
static int map_and_respond(struct iommufd_ucmd *ucmd, struct map_args *args,
			   struct iommufd_pages *pages, u64 *iova, size_t size)
{
	struct iommufd_ioas *ioas =
		iommufd_ioas_lookup(ucmd->ictx, args->ioas_id);
	unsigned long bytes;
	int rc;

	if (IS_ERR(ioas)) {
		iommufd_pages_put(pages);
		return PTR_ERR(ioas);
	}
	rc = map_pages(ioas, args, pages);
	if (!rc) {
		*iova = args->iova;
		rc = iommufd_ucmd_respond(ucmd, size);
		/* Nobody would know where it is. */
		if (rc)
			iommufd_unmap_range(ioas, args->iova,
					    args->iova + args->length - 1,
					    &bytes, NULL);
	}
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	return rc;
}

int iommufd_ioas_map(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_map *cmd = ucmd->cmd;
	struct map_args args = {
		.ioas_id = cmd->ioas_id,
		.flags = cmd->flags,
		.length = cmd->length,
		.iova = cmd->iova,
		.start = offset_in_page(cmd->user_va),
		.op = ucmd->op,
	};
	struct iommufd_pages *pages;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->flags & IOX_IOAS_MAP_RESERVE)
		return iommufd_ioas_reserve(ucmd);
	rc = check_map(cmd->flags, cmd->user_va, cmd->length);
	if (rc)
		return rc;
	pages = iommufd_pages_from_user(cmd->user_va,
					cmd->flags & IOMMU_IOAS_MAP_WRITEABLE,
					READ_ONCE(ucmd->ictx->account));
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	return map_and_respond(ucmd, &args, pages, &cmd->iova, sizeof(*cmd));
}

/**
 * iommufd_ioas_map_user - map memory of the calling process where it says
 * @ioas: where
 * @flags: IOMMU_IOAS_MAP_READABLE and WRITEABLE, at least one of them
 * @uptr: user address of the first byte
 * @length: bytes
 * @iova: of the first byte
 * @op: what is told of it, or %NULL
 *
 * Return: 0, or an errno as from IOMMU_IOAS_MAP with IOMMU_IOAS_MAP_FIXED_IOVA.
 */
int iommufd_ioas_map_user(struct iommufd_ioas *ioas, u32 flags, u64 uptr,
			  u64 length, u64 iova, struct iommufd_op *op)
{
	struct map_args args = {
		.ioas_id = ioas->obj.id,
		.flags = flags | IOMMU_IOAS_MAP_FIXED_IOVA,
		.length = length,
		.iova = iova,
		.start = offset_in_page(uptr),
		.op = op,
	};
	struct iommufd_pages *pages;
	int rc;

	rc = check_map(flags, uptr, length);
	if (rc)
		return rc;
	pages = iommufd_pages_from_user(uptr, flags & IOMMU_IOAS_MAP_WRITEABLE,
					READ_ONCE(ioas->ictx->account));
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	return map_pages(ioas, &args, pages);
}

static struct iommufd_pages *
pages_from_fd(struct iommufd_ctx *ictx, const struct iommu_ioas_map_file *cmd)
{
	bool writable = cmd->flags & IOMMU_IOAS_MAP_WRITEABLE;
	struct dma_buf *dmabuf = ERR_PTR(-EINVAL);
	struct iommufd_pages *pages;

	if (IS_ENABLED(CONFIG_DMA_SHARED_BUFFER))
		dmabuf = dma_buf_get(cmd->fd);
	if (!IS_ERR(dmabuf)) {
		pages = iommufd_pages_from_dmabuf(dmabuf, cmd->start,
						  cmd->length, writable);
		dma_buf_put(dmabuf);
		return pages;
	}

	CLASS(fd, file)(cmd->fd);
	if (fd_empty(file))
		return ERR_PTR(-EBADF);
	return iommufd_pages_from_file(fd_file(file), cmd->start, writable,
				       READ_ONCE(ictx->account));
}

int iommufd_ioas_map_file(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_map_file *cmd = ucmd->cmd;
	struct map_args args = {
		.ioas_id = cmd->ioas_id,
		.flags = cmd->flags,
		.length = cmd->length,
		.iova = cmd->iova,
		.start = offset_in_page(cmd->start),
		.op = ucmd->op,
	};
	struct iommufd_pages *pages;
	int rc;

	rc = check_map(cmd->flags, cmd->start, cmd->length);
	if (rc)
		return rc;

	pages = pages_from_fd(ucmd->ictx, cmd);
	if (IS_ERR(pages))
		return PTR_ERR(pages);
	return map_and_respond(ucmd, &args, pages, &cmd->iova, sizeof(*cmd));
}

/*
 * The memory behind [iova, iova + length), with a reference; *start is where in
 * it that begins.
 */
static struct iommufd_pages *find_pages(struct iommufd_ioas *ioas, u64 iova,
					u64 length, unsigned long *start)
{
	struct iommufd_area *area;

	guard(mutex)(&ioas->space.lock);
	area = iova_space_next(&ioas->space, iova, iova);
	if (!area || !iommufd_area_is_live(area) ||
	    area->last - iova < length - 1)
		return ERR_PTR(-ENOENT);
	*start = area->start + (iova - area->iova);
	kref_get(&area->pages->kref);
	return area->pages;
}

int iommufd_ioas_copy(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_copy *cmd = ucmd->cmd;
	struct map_args args = {
		.ioas_id = cmd->dst_ioas_id,
		.flags = cmd->flags,
		.length = cmd->length,
		.iova = cmd->dst_iova,
		.op = ucmd->op,
	};
	struct iommufd_pages *pages;
	struct iommufd_ioas *src;
	int rc;

	rc = check_map(cmd->flags, cmd->src_iova, cmd->length);
	if (rc)
		return rc;

	src = iommufd_ioas_lookup(ucmd->ictx, cmd->src_ioas_id);
	if (IS_ERR(src))
		return PTR_ERR(src);
	pages = find_pages(src, cmd->src_iova, cmd->length, &args.start);
	iommufd_object_put(ucmd->ictx, &src->obj);
	if (IS_ERR(pages))
		return PTR_ERR(pages);

	/* A copy gives no more than the memory was pinned for. */
	if (cmd->flags & IOMMU_IOAS_MAP_WRITEABLE && !pages->writable) {
		iommufd_pages_put(pages);
		return -EPERM;
	}
	return map_and_respond(ucmd, &args, pages, &cmd->dst_iova,
			       sizeof(*cmd));
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
	rc = iommufd_unmap_range(ioas, cmd->iova, last, &bytes, ucmd->op);
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	if (rc)
		return rc;
	if (!bytes && !all)
		return -ENOENT;
	cmd->length = bytes;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}
