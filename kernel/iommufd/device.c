// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: taking them out of the kernel's hands, and giving them a domain.
 *
 * The IOMMU tells devices apart by group, so it is the group that has a
 * domain. The first device of a group that attaches brings it, the others join,
 * the last one to detach takes it away.
 */
#include <linux/export.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>

#include "core.h"
#include "selftest.h"
#include "../iommu-priv.h"

static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Allow devices whose interrupts the IOMMU does not isolate, trusting whoever drives them with the machine.");

/**
 * struct iommufd_group - an iommu_group with devices bound to this context
 * @users: devices bound, protected by ictx->groups_lock
 * @ictx: the context
 * @group: the IOMMU's; a reference is held
 * @lock: protects what follows
 * @hwpt: what all its attached devices translate through; %NULL for none
 * @handle: what the IOMMU core knows the attachment by
 * @devices: attached devices
 */
struct iommufd_group {
	unsigned int users;
	struct iommufd_ctx *ictx;
	struct iommu_group *group;
	struct mutex lock;
	struct iommufd_hwpt *hwpt;
	struct iommu_attach_handle *handle;
	struct list_head devices;
};

/**
 * struct iommufd_device - a device bound to a context
 * @obj: its id
 * @ictx: the context, held
 * @group: its group, held
 * @dev: the device, whose driver has bound it
 * @item: in group->devices while attached, else empty
 */
struct iommufd_device {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct iommufd_group *group;
	struct device *dev;
	struct list_head item;
};

static struct iommufd_group *group_new(struct iommufd_ctx *ictx,
				       struct iommu_group *iommu_group)
{
	struct iommufd_group *group = kzalloc_obj(*group, GFP_KERNEL_ACCOUNT);
	int rc;

	if (!group)
		return ERR_PTR(-ENOMEM);
	rc = xa_insert(&ictx->groups, iommu_group_id(iommu_group), group,
		       GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(group);
		return ERR_PTR(rc);
	}
	group->ictx = ictx;
	group->group = iommu_group_ref_get(iommu_group);
	mutex_init(&group->lock);
	INIT_LIST_HEAD(&group->devices);
	return group;
}

static struct iommufd_group *group_get(struct iommufd_ctx *ictx,
				       struct device *dev)
{
	struct iommu_group *iommu_group = iommu_group_get(dev);
	struct iommufd_group *group;

	if (!iommu_group)
		return ERR_PTR(-ENODEV);
	scoped_guard(mutex, &ictx->groups_lock) {
		group = xa_load(&ictx->groups, iommu_group_id(iommu_group));
		if (!group)
			group = group_new(ictx, iommu_group);
		if (!IS_ERR(group))
			group->users++;
	}
	iommu_group_put(iommu_group);
	return group;
}

static void group_put(struct iommufd_group *group)
{
	guard(mutex)(&group->ictx->groups_lock);
	if (--group->users)
		return;
	WARN_ON(group->hwpt || !list_empty(&group->devices));
	xa_erase(&group->ictx->groups, iommu_group_id(group->group));
	iommu_group_put(group->group);
	mutex_destroy(&group->lock);
	kfree(group);
}

/**
 * iommufd_ctx_has_group - is a device of a group bound to a context?
 * @ictx: the context
 * @group: any group
 */
bool iommufd_ctx_has_group(struct iommufd_ctx *ictx, struct iommu_group *group)
{
	if (!ictx || !group)
		return false;
	return xa_load(&ictx->groups, iommu_group_id(group));
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_has_group, "IOMMUFD");

/* A device that can write anywhere in the MSI window can raise any interrupt. */
static int check_isolated_msi(struct iommufd_group *group, struct device *dev)
{
	if (iommu_group_has_isolated_msi(group->group) ||
	    iommufd_test_is_mock(dev))
		return 0;
	if (!allow_unsafe_interrupts)
		return -EPERM;
	dev_warn_once(dev, "interrupts are not isolated by the IOMMU; iommufd.allow_unsafe_interrupts trusts its user\n");
	return 0;
}

/**
 * iommufd_device_bind - take ownership of a device's DMA for a context
 * @ictx: the context
 * @dev: the calling driver's device
 * @id: set to the device's object id
 *
 * The device cannot reach any memory until it is attached.
 *
 * Context: sleeps.
 * Return: the device, to be released with iommufd_device_unbind(); -EINVAL its
 * DMA is not coherent; -ENODEV no IOMMU; -EPERM interrupts are not isolated;
 * -EBUSY somebody else owns the group; -ENOMEM.
 */
struct iommufd_device *iommufd_device_bind(struct iommufd_ctx *ictx,
					   struct device *dev, u32 *id)
{
	struct iommufd_device *idev;
	struct iommufd_group *group;
	int rc;

	if (!device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY))
		return ERR_PTR(-EINVAL);

	group = group_get(ictx, dev);
	if (IS_ERR(group))
		return ERR_CAST(group);
	rc = check_isolated_msi(group, dev);
	if (rc)
		goto put_group;
	rc = iommu_device_claim_dma_owner(dev, ictx);
	if (rc)
		goto put_group;

	idev = iommufd_new(ictx, idev, obj, IOMMUFD_OBJ_DEVICE);
	if (IS_ERR(idev)) {
		rc = PTR_ERR(idev);
		goto release_owner;
	}
	idev->ictx = ictx;
	idev->group = group;
	idev->dev = dev;
	INIT_LIST_HEAD(&idev->item);
	/* A mock device goes with the context, so it must not hold it. */
	if (!iommufd_test_is_mock(dev))
		iommufd_ctx_get(ictx);
	/* The driver's own use; user space cannot destroy a bound device. */
	refcount_inc(&idev->obj.users);
	*id = idev->obj.id;
	iommufd_object_publish(ictx, &idev->obj);
	return idev;

release_owner:
	iommu_device_release_dma_owner(dev);
put_group:
	group_put(group);
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_bind, "IOMMUFD");

void iommufd_device_destroy(struct iommufd_object *obj)
{
	struct iommufd_device *idev =
		container_of(obj, struct iommufd_device, obj);

	iommu_device_release_dma_owner(idev->dev);
	group_put(idev->group);
}

/**
 * iommufd_device_unbind - undo iommufd_device_bind()
 * @idev: detached
 */
void iommufd_device_unbind(struct iommufd_device *idev)
{
	bool holds_ctx = !iommufd_test_is_mock(idev->dev);
	struct iommufd_ctx *ictx = idev->ictx;

	iommufd_object_destroy_owned(ictx, &idev->obj);
	if (holds_ctx)
		iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_unbind, "IOMMUFD");

struct iommufd_ctx *iommufd_device_to_ictx(struct iommufd_device *idev)
{
	return idev->ictx;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_to_ictx, "IOMMUFD");

u32 iommufd_device_to_id(struct iommufd_device *idev)
{
	return idev->obj.id;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_to_id, "IOMMUFD");

/* Keep mappings out of what the IOMMU does not translate for this device. */
static int reserve_regions(struct iommufd_ioas *ioas,
			   struct iommufd_device *idev)
{
	struct iommu_resv_region *region;
	LIST_HEAD(regions);
	int rc = 0;

	iommu_get_resv_regions(idev->dev, &regions);
	list_for_each_entry(region, &regions, list) {
		if (region->type == IOMMU_RESV_DIRECT_RELAXABLE)
			continue;
		rc = iova_space_reserve(&ioas->space, region->start,
					region->start + region->length - 1,
					idev);
		if (rc)
			break;
	}
	iommu_put_resv_regions(idev->dev, &regions);
	if (rc)
		iova_space_unreserve(&ioas->space, idev);
	return rc;
}

/* Have the IOMMU translate for the group through @hwpt from now on. */
static int set_domain(struct iommufd_group *group, struct iommufd_hwpt *hwpt)
{
	/* The core wants a new handle each time: others may still read the old. */
	struct iommu_attach_handle *handle __free(kfree) =
		kzalloc_obj(*handle, GFP_KERNEL_ACCOUNT);
	int rc;

	if (!handle)
		return -ENOMEM;
	if (group->hwpt)
		rc = iommu_replace_group_handle(group->group, hwpt->domain,
						handle);
	else
		rc = iommu_attach_group_handle(hwpt->domain, group->group,
					       handle);
	if (rc)
		return rc;
	kfree(group->handle);
	group->handle = no_free_ptr(handle);
	group->hwpt = hwpt;
	return 0;
}

/* Try the domains that other devices brought to the IOAS. */
static int join_automatic(struct iommufd_group *group,
			  struct iommufd_device *idev,
			  struct iommufd_ioas *ioas)
{
	bool coherent = device_iommu_capable(idev->dev,
					     IOMMU_CAP_ENFORCE_CACHE_COHERENCY);
	struct iommufd_hwpt *hwpt;
	int rc;

	guard(rwsem_read)(&ioas->domains_rwsem);
	list_for_each_entry(hwpt, &ioas->hwpts, item) {
		if (!hwpt->automatic || (coherent && !hwpt->coherent) ||
		    !iommufd_object_use(&hwpt->obj))
			continue;
		rc = set_domain(group, hwpt);
		/* -EINVAL says that this domain does not suit the device. */
		if (rc != -EINVAL) {
			if (rc)
				iommufd_object_unuse(&hwpt->obj);
			return rc;
		}
		iommufd_object_unuse(&hwpt->obj);
	}
	return -EINVAL;
}

static int set_domain_for_ioas(struct iommufd_group *group,
			       struct iommufd_device *idev,
			       struct iommufd_ioas *ioas,
			       struct iommufd_hwpt **unused)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	guard(mutex)(&ioas->attach_lock);
	rc = join_automatic(group, idev, ioas);
	if (rc != -EINVAL)
		return rc;

	hwpt = iommufd_hwpt_new_automatic(ioas, idev->dev);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = set_domain(group, hwpt);
	if (rc)
		*unused = hwpt;
	return rc;
}

/**
 * struct target - what a device is to be attached to
 * @obj: the object that the caller named, held for the call
 * @ioas: the address space
 * @hwpt: the HWPT that the caller named, %NULL when it named the IOAS
 */
struct target {
	struct iommufd_object *obj;
	struct iommufd_ioas *ioas;
	struct iommufd_hwpt *hwpt;
};

static int target_get(struct iommufd_ctx *ictx, u32 id, struct target *target)
{
	struct iommufd_object *obj =
		iommufd_object_lookup(ictx, id, IOMMUFD_OBJ_ANY);

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	*target = (struct target){ .obj = obj };
	switch (obj->type) {
	case IOMMUFD_OBJ_IOAS:
		target->ioas = container_of(obj, struct iommufd_ioas, obj);
		return 0;
	case IOMMUFD_OBJ_HWPT_PAGING:
		target->hwpt = container_of(obj, struct iommufd_hwpt, obj);
		target->ioas = target->hwpt->ioas;
		return 0;
	default:
		iommufd_object_put(ictx, obj);
		return -EINVAL;
	}
}

static bool target_is(const struct target *target,
		      const struct iommufd_hwpt *hwpt)
{
	if (target->hwpt)
		return hwpt == target->hwpt;
	return hwpt->automatic && hwpt->ioas == target->ioas;
}

static int set_target(struct iommufd_group *group, struct iommufd_device *idev,
		      const struct target *target, struct iommufd_hwpt **unused)
{
	int rc;

	if (!target->hwpt)
		return set_domain_for_ioas(group, idev, target->ioas, unused);
	if (!iommufd_object_use(&target->hwpt->obj))
		return -ENOENT;
	rc = set_domain(group, target->hwpt);
	if (rc)
		*unused = target->hwpt;
	return rc;
}

/* *unused: an HWPT to put once no lock is held any more */
static int attach_locked(struct iommufd_device *idev,
			 const struct target *target,
			 struct iommufd_hwpt **unused)
{
	struct iommufd_group *group = idev->group;
	int rc;

	guard(mutex)(&group->lock);
	if (!list_empty(&idev->item))
		return -EBUSY;
	if (group->hwpt && !target_is(target, group->hwpt))
		return -EINVAL;

	rc = reserve_regions(target->ioas, idev);
	if (rc)
		return rc;
	if (!group->hwpt) {
		rc = set_target(group, idev, target, unused);
		if (rc) {
			iova_space_unreserve(&target->ioas->space, idev);
			return rc;
		}
	}
	list_add_tail(&idev->item, &group->devices);
	return 0;
}

static void unreserve_group(struct iommufd_group *group,
			    struct iommufd_ioas *ioas)
{
	struct iommufd_device *idev;

	list_for_each_entry(idev, &group->devices, item)
		iova_space_unreserve(&ioas->space, idev);
}

static int reserve_group(struct iommufd_group *group, struct iommufd_ioas *ioas)
{
	struct iommufd_device *idev;
	int rc;

	list_for_each_entry(idev, &group->devices, item) {
		rc = reserve_regions(ioas, idev);
		if (rc) {
			unreserve_group(group, ioas);
			return rc;
		}
	}
	return 0;
}

static int replace_locked(struct iommufd_device *idev,
			  const struct target *target,
			  struct iommufd_hwpt **unused)
{
	struct iommufd_group *group = idev->group;
	struct iommufd_hwpt *old;
	bool moves;
	int rc;

	guard(mutex)(&group->lock);
	old = group->hwpt;
	if (list_empty(&idev->item))
		return -EINVAL;
	if (target_is(target, old))
		return 0;

	moves = old->ioas != target->ioas;
	rc = moves ? reserve_group(group, target->ioas) : 0;
	if (rc)
		return rc;
	rc = set_target(group, idev, target, unused);
	if (rc) {
		if (moves)
			unreserve_group(group, target->ioas);
		return rc;
	}
	if (moves)
		unreserve_group(group, old->ioas);
	*unused = old;
	return 0;
}

static int change_domain(struct iommufd_device *idev, ioasid_t pasid,
			 u32 *pt_id,
			 int (*change)(struct iommufd_device *idev,
				       const struct target *target,
				       struct iommufd_hwpt **unused))
{
	struct iommufd_hwpt *unused = NULL;
	struct target target;
	int rc;

	if (pasid != IOMMU_NO_PASID)
		return -EOPNOTSUPP;
	rc = target_get(idev->ictx, *pt_id, &target);
	if (rc)
		return rc;
	rc = change(idev, &target, &unused);
	/* The caller serialises attach and detach of its device. */
	if (!rc)
		*pt_id = idev->group->hwpt->obj.id;
	iommufd_object_put(idev->ictx, target.obj);

	/*
	 * Destroying waits for calls that hold the HWPT, and those may wait
	 * for group->lock: only now nothing is held.
	 */
	if (unused)
		iommufd_hwpt_put(unused);
	return rc;
}

/**
 * iommufd_device_attach - let a device reach what an IOAS maps
 * @idev: bound and not attached
 * @pasid: IOMMU_NO_PASID
 * @pt_id: id of an IOAS or an HWPT; set to that of the HWPT
 *
 * Context: sleeps. The caller serialises attach, replace and detach of @idev.
 * Return: 0; -ENOENT no such object; -EINVAL it is of another type, or the
 * group is attached elsewhere; -EBUSY attached already; -EADDRINUSE something
 * is mapped in a range that is reserved for this device; -EOPNOTSUPP a PASID;
 * or an errno of the IOMMU or of pinning. Nothing has changed on failure.
 */
int iommufd_device_attach(struct iommufd_device *idev, ioasid_t pasid,
			  u32 *pt_id)
{
	return change_domain(idev, pasid, pt_id, attach_locked);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_attach, "IOMMUFD");

/**
 * iommufd_device_replace - move an attached device, without a gap
 * @idev: attached; the other devices of its group move with it
 * @pasid: IOMMU_NO_PASID
 * @pt_id: as in iommufd_device_attach()
 *
 * Context and return: as iommufd_device_attach(); -EINVAL also when @idev is
 * not attached.
 */
int iommufd_device_replace(struct iommufd_device *idev, ioasid_t pasid,
			   u32 *pt_id)
{
	return change_domain(idev, pasid, pt_id, replace_locked);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_replace, "IOMMUFD");

/* Take a device out of its group's domain; returns the HWPT to put, if any. */
static struct iommufd_hwpt *detach_locked(struct iommufd_device *idev)
{
	struct iommufd_group *group = idev->group;
	struct iommufd_hwpt *hwpt;

	guard(mutex)(&group->lock);
	hwpt = group->hwpt;
	list_del_init(&idev->item);
	if (list_empty(&group->devices)) {
		iommu_detach_group_handle(hwpt->domain, group->group);
		kfree(group->handle);
		group->handle = NULL;
		group->hwpt = NULL;
	}
	iova_space_unreserve(&hwpt->ioas->space, idev);
	return group->hwpt ? NULL : hwpt;
}

/**
 * iommufd_device_detach - undo iommufd_device_attach()
 * @idev: attached
 * @pasid: as attached
 */
void iommufd_device_detach(struct iommufd_device *idev, ioasid_t pasid)
{
	struct iommufd_hwpt *hwpt = detach_locked(idev);

	if (hwpt)
		iommufd_hwpt_put(hwpt);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_detach, "IOMMUFD");
