// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommufd objects: ids, references, and destroying them in the right order.
 *
 * An object is made in three steps: an id is reserved (nobody can find it),
 * the maker fills it in, it is published (nothing may fail after that).
 */
#include <linux/slab.h>

#include "core.h"
#include "selftest.h"

static void (*const destroy_ops[IOMMUFD_OBJ_MAX])(struct iommufd_object *) = {
	[IOMMUFD_OBJ_ACCESS] = iommufd_access_destroy_object,
	[IOMMUFD_OBJ_DEVICE] = iommufd_device_destroy,
	[IOMMUFD_OBJ_FAULT] = iommufd_fault_destroy,
	[IOMMUFD_OBJ_HWPT_NESTED] = iommufd_hwpt_nested_destroy,
	[IOMMUFD_OBJ_HWPT_PAGING] = iommufd_hwpt_destroy,
	[IOMMUFD_OBJ_HW_QUEUE] = iommufd_hw_queue_destroy,
	[IOMMUFD_OBJ_IOAS] = iommufd_ioas_destroy,
	[IOMMUFD_OBJ_VDEVICE] = iommufd_vdevice_destroy,
	[IOMMUFD_OBJ_VEVENTQ] = iommufd_veventq_destroy,
	[IOMMUFD_OBJ_VIOMMU] = iommufd_viommu_destroy,
#ifdef CONFIG_IOMMUFD_TEST
	[IOMMUFD_OBJ_SELFTEST] = iommufd_test_device_destroy,
#endif
};

/**
 * iommufd_object_new - reserve an id and zeroed memory for an object
 * @ictx: where it will live
 * @size: bytes, the struct iommufd_object at offset 0 included
 * @type: what it will be
 *
 * Context: sleeps.
 * Return: the object, invisible until published; or an error pointer.
 */
struct iommufd_object *iommufd_object_new(struct iommufd_ctx *ictx, size_t size,
					  enum iommufd_object_type type)
{
	struct iommufd_object *obj __free(kfree) =
		kzalloc(size, GFP_KERNEL_ACCOUNT);
	int rc;

	if (!obj)
		return ERR_PTR(-ENOMEM);
	obj->type = type;
	refcount_set(&obj->users, 1);
	refcount_set(&obj->wait_cnt, 1);

	/* Id 0 means "none" throughout the UAPI. */
	rc = xa_alloc(&ictx->objects, &obj->id, NULL,
		      XA_LIMIT(1, U32_MAX), GFP_KERNEL_ACCOUNT);
	if (rc)
		return ERR_PTR(rc);
	return no_free_ptr(obj);
}

/**
 * iommufd_object_publish - let others find a finished object
 * @ictx: where it lives
 * @obj: from iommufd_object_new()
 */
void iommufd_object_publish(struct iommufd_ctx *ictx,
			    struct iommufd_object *obj)
{
	xa_lock(&ictx->objects);
	iommufd_object_publish_locked(ictx, obj);
	xa_unlock(&ictx->objects);
}

/**
 * iommufd_object_publish_locked - the same, with more to do at that moment
 * @ictx: where it lives; the lock of its objects is held
 * @obj: from iommufd_object_new()
 */
void iommufd_object_publish_locked(struct iommufd_ctx *ictx,
				   struct iommufd_object *obj)
{
	/* The reserved slot is there, so that nothing is allocated here. */
	WARN_ON(xa_is_err(__xa_store(&ictx->objects, obj->id, obj, GFP_NOWAIT)));
}

/**
 * iommufd_object_abort - undo iommufd_object_new()
 * @ictx: where it was to live
 * @obj: never published; what it holds has been released by its maker
 */
void iommufd_object_abort(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	xa_erase(&ictx->objects, obj->id);
	kfree(obj);
}

/**
 * iommufd_object_lookup - find an object for the length of a call
 * @ictx: where to look
 * @id: its id
 * @type: what it must be, or IOMMUFD_OBJ_ANY
 *
 * Return: the object, to be released with iommufd_object_put(); -ENOENT.
 */
struct iommufd_object *iommufd_object_lookup(struct iommufd_ctx *ictx, u32 id,
					     enum iommufd_object_type type)
{
	struct iommufd_object *obj;

	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, id);
	if (!obj || (type != IOMMUFD_OBJ_ANY && obj->type != type) ||
	    !refcount_inc_not_zero(&obj->wait_cnt))
		obj = ERR_PTR(-ENOENT);
	xa_unlock(&ictx->objects);
	return obj;
}

/**
 * iommufd_object_put - end what iommufd_object_lookup() began
 * @ictx: where the object lives
 * @obj: the object
 */
void iommufd_object_put(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	if (refcount_dec_and_test(&obj->wait_cnt))
		wake_up_all(&ictx->destroy_wait);
}

static void wait_and_destroy(struct iommufd_ctx *ictx,
			     struct iommufd_object *obj)
{
	if (!refcount_dec_and_test(&obj->wait_cnt))
		wait_event(ictx->destroy_wait,
			   !refcount_read(&obj->wait_cnt));
	destroy_ops[obj->type](obj);
}

/* Called with no lasting users left and the object already out of sight. */
static void object_reap(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	wait_and_destroy(ictx, obj);
	/* The id stays reserved till here, so that nobody meets it half dead. */
	xa_erase(&ictx->objects, obj->id);
	kfree(obj);
}

/**
 * iommufd_object_reap_tombstone - free an object behind user space's back
 * @ictx: where it lived
 * @obj: out of sight by iommufd_object_hide()
 *
 * User space still thinks that it has the object: its id stays reserved as long
 * as the context lives, so that it never means another one.
 */
void iommufd_object_reap_tombstone(struct iommufd_ctx *ictx,
				   struct iommufd_object *obj)
{
	wait_and_destroy(ictx, obj);
	kfree(obj);
}

/* Take an object out of sight if nothing uses it. */
static int object_hide(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	lockdep_assert_held(&ictx->objects.xa_lock);

	if (!refcount_dec_if_one(&obj->users))
		return -EBUSY;
	/* Replacing an entry by the reserved mark allocates nothing. */
	__xa_store(&ictx->objects, obj->id, XA_ZERO_ENTRY, GFP_NOWAIT);
	return 0;
}

/**
 * iommufd_object_hide - take an object out of sight, to be reaped
 * @ictx: where it lives
 * @obj: cannot be freed meanwhile
 *
 * Return: true; false when something uses it, or somebody else was faster.
 */
bool iommufd_object_hide(struct iommufd_ctx *ictx, struct iommufd_object *obj)
{
	int rc;

	xa_lock(&ictx->objects);
	rc = object_hide(ictx, obj);
	xa_unlock(&ictx->objects);
	return !rc;
}

/**
 * iommufd_object_destroy - destroy an object by its id
 * @ictx: where it lives
 * @id: its id
 *
 * Context: sleeps until calls in flight on the object have ended.
 * Return: 0; -ENOENT no such object; -EBUSY something uses it.
 */
int iommufd_object_destroy(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj;
	int rc;

	xa_lock(&ictx->objects);
	obj = xa_load(&ictx->objects, id);
	rc = obj ? object_hide(ictx, obj) : -ENOENT;
	xa_unlock(&ictx->objects);
	if (rc)
		return rc;

	object_reap(ictx, obj);
	return 0;
}

/**
 * iommufd_object_destroy_owned - destroy an object that its kernel owner holds
 * @ictx: where it lives
 * @obj: with one lasting reference, the owner's, which is consumed
 *
 * User space cannot destroy such an object, since the owner's use keeps it.
 */
void iommufd_object_destroy_owned(struct iommufd_ctx *ictx,
				  struct iommufd_object *obj)
{
	int rc;

	xa_lock(&ictx->objects);
	iommufd_object_unuse(obj);
	rc = object_hide(ictx, obj);
	xa_unlock(&ictx->objects);
	if (WARN_ON(rc))
		return;
	object_reap(ictx, obj);
}

/**
 * iommufd_object_destroy_all - destroy what is left when the file is closed
 * @ictx: the context; no call is in flight and no device or access is left
 *
 * What uses another object goes first; each pass frees at least what nothing
 * uses any more.
 */
void iommufd_object_destroy_all(struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	unsigned long id;
	bool progress;

	do {
		progress = false;
		xa_for_each(&ictx->objects, id, obj)
			if (!iommufd_object_destroy(ictx, id))
				progress = true;
	} while (progress);
	/* What is left are the reserved ids of tombstones. */
	WARN_ON(xa_find(&ictx->objects, &(unsigned long){ 0 }, ULONG_MAX,
			XA_PRESENT));
	xa_destroy(&ictx->objects);
}
