// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accesses: kernel drivers that reach the memory of an IOAS with the CPU.
 */
#include <linux/export.h>
#include <linux/highmem.h>
#include <linux/slab.h>

#include "core.h"

/**
 * struct iommufd_access_link - an access that an IOAS has to tell about unmaps
 * @item: in ioas->accesses
 * @access: the access
 */
struct iommufd_access_link {
	struct list_head item;
	struct iommufd_access *access;
};

/**
 * struct iommufd_access - a driver's view of an IOAS
 * @obj: its id
 * @ictx: the context, held
 * @ops: how the driver learns of unmaps
 * @data: what it wants to hear then
 * @lock: protects @ioas; held while pages are pinned or copied
 * @ioas: what new pins and copies go to; %NULL when detached
 * @pinned_in: where pages are unpinned; stays until the last one is, so that
 *	the driver can let go while it is being detached
 * @link: ties it to @ioas while attached
 */
struct iommufd_access {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	const struct iommufd_access_ops *ops;
	void *data;
	struct mutex lock;
	struct iommufd_ioas *ioas;
	struct iommufd_ioas *pinned_in;
	struct iommufd_access_link *link;
};

/* The part of a range of IOVAs that one area maps, by page index */
struct piece {
	struct iommufd_area *area;
	unsigned long first;
	unsigned long last;
	unsigned long offset;
	unsigned long bytes;
};

bool iommufd_ioas_has_pinning_access(struct iommufd_ioas *ioas)
{
	struct iommufd_access_link *link;

	lockdep_assert_held(&ioas->access_lock);
	list_for_each_entry(link, &ioas->accesses, item)
		if (link->access->ops->needs_pin_pages)
			return true;
	return false;
}

/**
 * iommufd_access_notify_unmap - ask all accesses to let go of a range
 * @ioas: the IOAS
 * @iova: first IOVA
 * @length: bytes
 */
void iommufd_access_notify_unmap(struct iommufd_ioas *ioas, unsigned long iova,
				 unsigned long length)
{
	struct iommufd_access_link *link;

	guard(mutex)(&ioas->access_lock);
	list_for_each_entry(link, &ioas->accesses, item)
		if (link->access->ops->unmap)
			link->access->ops->unmap(link->access->data, iova,
						 length);
}

/**
 * iommufd_access_create - give a driver a handle on a context
 * @ictx: the context
 * @ops: kept, not copied
 * @data: passed to @ops->unmap
 * @id: set to the object id
 *
 * Return: the access, or -ENOMEM.
 */
struct iommufd_access *
iommufd_access_create(struct iommufd_ctx *ictx,
		      const struct iommufd_access_ops *ops, void *data, u32 *id)
{
	struct iommufd_access *access;

	access = iommufd_new(ictx, access, obj, IOMMUFD_OBJ_ACCESS);
	if (IS_ERR(access))
		return access;
	access->ictx = ictx;
	access->ops = ops;
	access->data = data;
	mutex_init(&access->lock);
	iommufd_ctx_get(ictx);
	refcount_inc(&access->obj.users);
	*id = access->obj.id;
	iommufd_object_publish(ictx, &access->obj);
	return access;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_create, "IOMMUFD");

/* For what pins without a driver that could let go: unmap fails meanwhile. */
static const struct iommufd_access_ops internal_ops = {
	.needs_pin_pages = 1,
};

/**
 * iommufd_access_create_internal - pin memory of an IOAS for another object
 * @ictx: the context, which the access does not hold
 * @ioas_id: an IOAS that the caller uses
 *
 * User space never sees such an access.
 *
 * Return: the access, attached; -ENOMEM, or as iommufd_access_attach().
 */
struct iommufd_access *iommufd_access_create_internal(struct iommufd_ctx *ictx,
						      u32 ioas_id)
{
	struct iommufd_access *access;
	int rc;

	access = iommufd_new(ictx, access, obj, IOMMUFD_OBJ_ACCESS);
	if (IS_ERR(access))
		return access;
	access->ictx = ictx;
	access->ops = &internal_ops;
	mutex_init(&access->lock);
	rc = iommufd_access_attach(access, ioas_id);
	if (rc) {
		mutex_destroy(&access->lock);
		iommufd_object_abort(ictx, &access->obj);
		return ERR_PTR(rc);
	}
	return access;
}

/**
 * iommufd_access_destroy_internal - undo iommufd_access_create_internal()
 * @access: has nothing pinned
 */
void iommufd_access_destroy_internal(struct iommufd_access *access)
{
	iommufd_access_destroy_object(&access->obj);
	iommufd_object_abort(access->ictx, &access->obj);
}

static struct iommufd_access_link *join_ioas(struct iommufd_access *access,
					     struct iommufd_ioas *ioas)
{
	struct iommufd_access_link *link __free(kfree) =
		kzalloc_obj(*link, GFP_KERNEL_ACCOUNT);
	int rc;

	if (!link)
		return ERR_PTR(-ENOMEM);
	link->access = access;
	if (!iommufd_object_use(&ioas->obj))
		return ERR_PTR(-ENOENT);

	guard(mutex)(&ioas->access_lock);
	list_add_tail(&link->item, &ioas->accesses);
	rc = iommufd_ioas_update_align(ioas);
	if (rc) {
		list_del(&link->item);
		iommufd_object_unuse(&ioas->obj);
		return ERR_PTR(rc);
	}
	return no_free_ptr(link);
}

static void leave_ioas(struct iommufd_access *access, struct iommufd_ioas *ioas,
		       struct iommufd_access_link *link)
{
	if (access->ops->unmap)
		access->ops->unmap(access->data, 0, ULONG_MAX);
	scoped_guard(mutex, &ioas->access_lock) {
		list_del(&link->item);
		/* One user less asks for no more than was given before. */
		WARN_ON(iommufd_ioas_update_align(ioas));
	}
	kfree(link);
	iommufd_object_unuse(&ioas->obj);
}

/* Attach to @ioas, if there is one, and detach from where it was. */
static int change_ioas(struct iommufd_access *access, struct iommufd_ioas *ioas)
{
	struct iommufd_access_link *link = NULL;
	struct iommufd_ioas *old;

	if (ioas) {
		link = join_ioas(access, ioas);
		if (IS_ERR(link))
			return PTR_ERR(link);
	}

	scoped_guard(mutex, &access->lock) {
		old = access->ioas;
		access->ioas = NULL;
	}
	/* Without the lock: the driver unpins from within. */
	if (old)
		leave_ioas(access, old, access->link);

	guard(mutex)(&access->lock);
	access->link = link;
	access->ioas = ioas;
	access->pinned_in = ioas;
	return 0;
}

void iommufd_access_destroy_object(struct iommufd_object *obj)
{
	struct iommufd_access *access =
		container_of(obj, struct iommufd_access, obj);

	change_ioas(access, NULL);
	mutex_destroy(&access->lock);
}

/**
 * iommufd_access_destroy - undo iommufd_access_create()
 * @access: detached if it is attached; ops->unmap may be called for that
 */
void iommufd_access_destroy(struct iommufd_access *access)
{
	struct iommufd_ctx *ictx = access->ictx;

	iommufd_object_destroy_owned(ictx, &access->obj);
	iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_destroy, "IOMMUFD");

static int attach_id(struct iommufd_access *access, u32 ioas_id)
{
	struct iommufd_ioas *ioas = iommufd_ioas_lookup(access->ictx, ioas_id);
	int rc;

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = change_ioas(access, ioas);
	iommufd_object_put(access->ictx, &ioas->obj);
	return rc;
}

/**
 * iommufd_access_attach - let an access reach an IOAS
 * @access: not attached
 * @ioas_id: the IOAS
 *
 * Context: sleeps. The caller serialises attach, replace and detach.
 * Return: 0; -EINVAL attached already; -ENOENT; -EADDRINUSE something mapped
 * is not aligned to pages, and this access pins pages.
 */
int iommufd_access_attach(struct iommufd_access *access, u32 ioas_id)
{
	if (access->ioas)
		return -EINVAL;
	return attach_id(access, ioas_id);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_attach, "IOMMUFD");

/**
 * iommufd_access_replace - move an access to another IOAS
 * @access: attached
 * @ioas_id: the IOAS
 *
 * Context and return: as iommufd_access_attach(); -ENOENT when not attached.
 */
int iommufd_access_replace(struct iommufd_access *access, u32 ioas_id)
{
	if (!access->ioas)
		return -ENOENT;
	return attach_id(access, ioas_id);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_replace, "IOMMUFD");

/**
 * iommufd_access_detach - undo iommufd_access_attach()
 * @access: attached; ops->unmap is called for everything
 */
void iommufd_access_detach(struct iommufd_access *access)
{
	WARN_ON(!access->ioas);
	change_ioas(access, NULL);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_detach, "IOMMUFD");

static void piece_of(struct piece *piece, struct iommufd_area *area,
		     unsigned long iova, unsigned long last)
{
	unsigned long start = area->start + (iova - area->iova);
	unsigned long end = min(last, area->last);

	piece->area = area;
	piece->bytes = end - iova + 1;
	piece->offset = offset_in_page(start);
	piece->first = start >> PAGE_SHIFT;
	piece->last = (start + (piece->bytes - 1)) >> PAGE_SHIFT;
}

/* Pin what one area maps of [iova, last]. */
static int acquire_piece(struct iommufd_ioas *ioas, unsigned long iova,
			 unsigned long last, unsigned int flags,
			 struct piece *piece)
{
	int prot = flags & IOMMUFD_ACCESS_RW_WRITE ? IOMMU_WRITE : IOMMU_READ;
	struct iommufd_area *area;
	int rc;

	scoped_guard(mutex, &ioas->space.lock) {
		area = iova_space_next(&ioas->space, iova, iova);
		if (!area || !iommufd_area_is_live(area))
			return -ENOENT;
		if (!(area->prot & prot))
			return -EPERM;
		/* From here on unmap has to ask. */
		area->access_pins++;
		piece_of(piece, area, iova, last);
	}
	rc = iommufd_pages_acquire(area->pages, piece->first, piece->last);
	if (rc) {
		guard(mutex)(&ioas->space.lock);
		area->access_pins--;
	}
	return rc;
}

static void release_piece(struct iommufd_ioas *ioas, struct piece *piece)
{
	iommufd_pages_release(piece->area->pages, piece->first, piece->last);
	guard(mutex)(&ioas->space.lock);
	piece->area->access_pins--;
}

static void unpin_range(struct iommufd_ioas *ioas, unsigned long iova,
			unsigned long length)
{
	unsigned long last = iova + length - 1;
	struct iommufd_area *area;
	struct piece piece;

	for (; length; length -= piece.bytes, iova += piece.bytes) {
		scoped_guard(mutex, &ioas->space.lock)
			area = iova_space_next(&ioas->space, iova, iova);
		if (WARN_ON(!area || !area->access_pins))
			return;
		piece_of(&piece, area, iova, last);
		release_piece(ioas, &piece);
	}
}

static int collect_page(void *arg, unsigned long pfn, unsigned long npages)
{
	struct page ***next = arg;

	while (npages--)
		*(*next)++ = pfn_to_page(pfn++);
	return 0;
}

static int pin_pages(struct iommufd_access *access, unsigned long iova,
		     unsigned long length, struct page **out_pages,
		     unsigned int flags, struct iommufd_op *op)
{
	unsigned long last, pos;
	struct piece piece;
	int rc;

	if (!length || (iova | length) & ~PAGE_MASK ||
	    WARN_ON(!access->ops->needs_pin_pages))
		return -EINVAL;
	if (check_add_overflow(iova, length - 1, &last))
		return -EOVERFLOW;

	guard(mutex)(&access->lock);
	if (!access->ioas)
		return -ENOENT;
	iommufd_op_describe(op, access->ioas, iova, length);
	for (pos = iova; pos - iova < length; pos += piece.bytes) {
		rc = acquire_piece(access->ioas, pos, last, flags, &piece);
		if (rc) {
			unpin_range(access->ioas, iova, pos - iova);
			return rc;
		}
		iommufd_pages_for_each_run(piece.area->pages, piece.first,
					   piece.last, collect_page,
					   &out_pages);
	}
	return 0;
}

/**
 * iommufd_access_pin_pages - pin the memory behind a range of IOVAs
 * @access: attached, with ops->needs_pin_pages
 * @iova: first IOVA, a multiple of the page size
 * @length: bytes, a multiple of the page size
 * @out_pages: the pages, in order
 * @flags: IOMMUFD_ACCESS_RW_WRITE to write to them
 *
 * Context: sleeps.
 * Return: 0; -ENOENT not mapped or not attached; -EPERM not mapped for reading,
 * or for writing if that is wanted; -EINVAL; -EOVERFLOW; or an errno of
 * iommufd_pages_acquire().
 */
int iommufd_access_pin_pages(struct iommufd_access *access, unsigned long iova,
			     unsigned long length, struct page **out_pages,
			     unsigned int flags)
{
	struct iommufd_op seen __uninitialized, *op;
	int rc;

	op = iommufd_op_begin(&seen, access->ictx->id, IOMMUFD_OP_PIN);
	rc = pin_pages(access, iova, length, out_pages, flags, op);
	iommufd_op_end(op, rc);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_pin_pages, "IOMMUFD");

/**
 * iommufd_access_unpin_pages - undo iommufd_access_pin_pages()
 * @access: the access; may be in the middle of its detach
 * @iova: as pinned
 * @length: as pinned
 */
void iommufd_access_unpin_pages(struct iommufd_access *access,
				unsigned long iova, unsigned long length)
{
	struct iommufd_ioas *ioas = access->pinned_in;

	if (!WARN_ON(!ioas))
		unpin_range(ioas, iova, length);
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_unpin_pages, "IOMMUFD");

/* Where a copy is */
struct copy {
	void *data;
	unsigned long offset;
	unsigned long left;
	bool write;
};

static int copy_run(void *arg, unsigned long pfn, unsigned long npages)
{
	struct copy *copy = arg;

	for (; npages && copy->left; npages--, pfn++) {
		size_t bytes = min(copy->left, PAGE_SIZE - copy->offset);

		if (copy->write)
			memcpy_to_page(pfn_to_page(pfn), copy->offset,
				       copy->data, bytes);
		else
			memcpy_from_page(copy->data, pfn_to_page(pfn),
					 copy->offset, bytes);
		copy->data += bytes;
		copy->left -= bytes;
		copy->offset = 0;
	}
	return 0;
}

/**
 * iommufd_access_rw - copy between a buffer and the memory behind IOVAs
 * @access: attached
 * @iova: first IOVA
 * @data: kernel buffer
 * @len: bytes
 * @flags: IOMMUFD_ACCESS_RW_WRITE writes to the IOVAs
 *
 * Context: sleeps; may be called from a kernel thread. Not from ops->unmap.
 * Return: 0; else as iommufd_access_pin_pages(), and part may be copied.
 */
int iommufd_access_rw(struct iommufd_access *access, unsigned long iova,
		      void *data, size_t len, unsigned int flags)
{
	struct copy copy = { .data = data,
			     .write = flags & IOMMUFD_ACCESS_RW_WRITE };
	unsigned long last;
	struct piece piece;
	int rc;

	if (!len)
		return -EINVAL;
	if (check_add_overflow(iova, len - 1, &last))
		return -EOVERFLOW;

	guard(mutex)(&access->lock);
	if (!access->ioas)
		return -ENOENT;
	for (; len; len -= piece.bytes, iova += piece.bytes) {
		rc = acquire_piece(access->ioas, iova, last, flags, &piece);
		if (rc)
			return rc;
		copy.offset = piece.offset;
		copy.left = piece.bytes;
		iommufd_pages_for_each_run(piece.area->pages, piece.first,
					   piece.last, copy_run, &copy);
		release_piece(access->ioas, &piece);
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_access_rw, "IOMMUFD");
