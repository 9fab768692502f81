// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attaching devices: giving them a domain, with or without a PASID.
 *
 * The IOMMU tells devices apart by group, so it is the group that has a domain,
 * and one more for each PASID in use. The first device of a group that attaches
 * brings it, the others join, the last one to detach takes it away.
 */
#include <linux/export.h>
#include <linux/iommu-liveupdate.h>
#include <linux/pci-ats.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "core.h"
#include "../iommu-priv.h"

/**
 * struct iommufd_attachment - a domain of a group
 * @pasid: for which requests
 * @hwpt: what they are translated through; a use is held. %NULL only while the
 *	first device is on its way in
 * @handle: what the IOMMU core knows the attachment by
 * @devices: object id to struct iommufd_device
 */
struct iommufd_attachment {
	ioasid_t pasid;
	struct iommufd_hwpt *hwpt;
	struct iommufd_attach_handle *handle;
	struct xarray devices;
};

/**
 * struct target - what a device is to be attached to
 * @obj: the object that the caller named, held for the call
 * @ioas: the address space, or that of the nest parent; %NULL when @hwpt came
 *	through a live update
 * @hwpt: the HWPT that the caller named, %NULL when it named the IOAS
 * @result: id of the HWPT that the device has been attached to
 * @unused: HWPT to put once no lock is held any more, or %NULL
 */
struct target {
	struct iommufd_object *obj;
	struct iommufd_ioas *ioas;
	struct iommufd_hwpt *hwpt;
	u32 result;
	struct iommufd_hwpt *unused;
};

/**
 * iommufd_device_ranges - where can nothing be mapped for a device?
 * @idev: a device that an IOMMU translates for
 * @nr: set to the number of ranges
 * @more: for how many more the array shall have room
 *
 * Return: what the IOMMU does not translate for this device, to be given to
 * kfree(); %NULL no memory.
 */
struct iova_window *iommufd_device_ranges(struct iommufd_device *idev,
					  unsigned int *nr, unsigned int more)
{
	struct iommu_resv_region *region;
	struct iova_window *ranges;
	LIST_HEAD(regions);

	iommu_get_resv_regions(idev->dev, &regions);
	ranges = kmalloc_array(list_count_nodes(&regions) + more,
			       sizeof(*ranges), GFP_KERNEL_ACCOUNT);
	*nr = 0;
	list_for_each_entry(region, &regions, list)
		if (ranges && region->type != IOMMU_RESV_DIRECT_RELAXABLE)
			ranges[(*nr)++] = (struct iova_window){
				region->start,
				region->start + region->length - 1,
			};
	iommu_put_resv_regions(idev->dev, &regions);
	return ranges;
}

/* Keep mappings out of there. */
static int reserve_regions(struct iommufd_ioas *ioas,
			   struct iommufd_device *idev)
{
	struct iova_window *ranges __free(kfree) = NULL;
	unsigned int nr, i;
	int rc = 0;

	if (!iommufd_device_has_iommu(idev))
		return 0;
	ranges = iommufd_device_ranges(idev, &nr, 0);
	if (!ranges)
		return -ENOMEM;
	for (i = 0; i < nr && !rc; i++)
		rc = iova_space_reserve(&ioas->space, ranges[i].start,
					ranges[i].last, idev);
	if (rc)
		iova_space_unreserve(&ioas->space, idev);
	return rc;
}

/*
 * The regions are those of requests without a PASID. Where there is no IOAS to
 * check them against, only the devices that came with the HWPT may be.
 */
static int reserve_for(struct iommufd_attachment *at, struct iommufd_ioas *ioas,
		       struct iommufd_device *idev)
{
	if (!ioas)
		return iommu_device_is_restored(idev->dev) ? 0 : -EINVAL;
	return at->pasid == IOMMU_NO_PASID ? reserve_regions(ioas, idev) : 0;
}

static void unreserve_for(struct iommufd_attachment *at,
			  struct iommufd_ioas *ioas,
			  struct iommufd_device *idev)
{
	if (ioas && at->pasid == IOMMU_NO_PASID)
		iova_space_unreserve(&ioas->space, idev);
}

static struct iommufd_attachment *attachment_get(struct iommufd_group *group,
						 ioasid_t pasid)
{
	struct iommufd_attachment *at = xa_load(&group->attachments, pasid);
	int rc;

	if (at)
		return at;
	at = kzalloc_obj(*at, GFP_KERNEL_ACCOUNT);
	if (!at)
		return ERR_PTR(-ENOMEM);
	rc = xa_insert(&group->attachments, pasid, at, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(at);
		return ERR_PTR(rc);
	}
	at->pasid = pasid;
	xa_init(&at->devices);
	return at;
}

/* Free an attachment that no device is part of any more. */
static void attachment_trim(struct iommufd_group *group,
			    struct iommufd_attachment *at)
{
	if (!xa_empty(&at->devices))
		return;
	xa_erase(&group->attachments, at->pasid);
	kfree(at->handle);
	kfree(at);
}

static bool group_uses_pasids(struct iommufd_group *group)
{
	unsigned long first = IOMMU_NO_PASID + 1;

	return xa_find(&group->attachments, &first, ULONG_MAX, XA_PRESENT);
}

/**
 * iommufd_device_uses_pasids - is any PASID of its group attached?
 * @idev: bound, with group->lock held
 */
bool iommufd_device_uses_pasids(struct iommufd_device *idev)
{
	lockdep_assert_held(&idev->group->lock);
	return group_uses_pasids(idev->group);
}

/**
 * iommufd_device_hwpt - what a device is attached to, without a PASID
 * @idev: bound, with group->lock held
 */
struct iommufd_hwpt *iommufd_device_hwpt(struct iommufd_device *idev)
{
	struct iommufd_attachment *at;

	lockdep_assert_held(&idev->group->lock);
	at = xa_load(&idev->group->attachments, IOMMU_NO_PASID);
	return at && xa_load(&at->devices, idev->obj.id) ? at->hwpt : NULL;
}

/* With PASIDs in use, all domains of a group have to be made for that. */
static int check_pasid(struct iommufd_device *idev, ioasid_t pasid,
		       struct iommufd_hwpt *hwpt)
{
	struct iommufd_group *group = idev->group;
	struct iommufd_attachment *rid;

	if (pasid == IOMMU_NO_PASID)
		return hwpt->pasid_compat || !group_uses_pasids(group) ?
			       0 : -EINVAL;
	if (!hwpt->pasid_compat || pasid >= idev->dev->iommu->max_pasids)
		return -EINVAL;
	rid = xa_load(&group->attachments, IOMMU_NO_PASID);
	return rid && !rid->hwpt->pasid_compat ? -EINVAL : 0;
}

/* A response of "failure" turns off a page request interface that VFs share. */
static bool shares_page_requests(struct device *dev)
{
	return dev_is_pci(dev) && to_pci_dev(dev)->is_virtfn &&
	       pci_pri_supported(to_pci_dev(dev));
}

static int check_device(struct iommufd_device *idev, ioasid_t pasid,
			struct iommufd_hwpt *hwpt)
{
	if (iommufd_domain_is_noiommu(hwpt->domain) ==
	    iommufd_device_has_iommu(idev))
		return -EINVAL;
	if (hwpt->domain->dirty_ops &&
	    !device_iommu_capable(idev->dev, IOMMU_CAP_DIRTY_TRACKING))
		return -EINVAL;
	if (hwpt->fault && shares_page_requests(idev->dev))
		return -EINVAL;
	/* Whoever asks the device later will rely on what it is capable of. */
	if (device_iommu_capable(idev->dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY) &&
	    !iommufd_hwpt_enforce_coherency(hwpt))
		return -EINVAL;
	return check_pasid(idev, pasid, hwpt);
}

static int check_devices(struct iommufd_attachment *at,
			 struct iommufd_hwpt *hwpt)
{
	struct iommufd_device *idev;
	unsigned long id;
	int rc;

	xa_for_each(&at->devices, id, idev) {
		rc = check_device(idev, at->pasid, hwpt);
		if (rc)
			return rc;
	}
	return 0;
}

static int tell_iommu(struct iommufd_device *idev,
		      struct iommufd_attachment *at, struct iommu_domain *domain,
		      struct iommu_attach_handle *handle)
{
	struct iommu_group *group = idev->group->group;

	if (!iommufd_device_has_iommu(idev))
		return 0;
	if (at->pasid == IOMMU_NO_PASID)
		return at->hwpt ? iommu_replace_group_handle(group, domain,
							     handle) :
				  iommu_attach_group_handle(domain, group,
							    handle);
	return at->hwpt ? iommu_replace_device_pasid(domain, idev->dev,
						     at->pasid, handle) :
			  iommu_attach_device_pasid(domain, idev->dev,
						    at->pasid, handle);
}

/* Nothing faults by a handle that the core has forgotten. */
static void forget_handle(struct iommufd_attachment *at)
{
	if (at->handle && at->handle->fault)
		iommufd_fault_drop(at->handle->fault, at->handle);
	kfree(at->handle);
	at->handle = NULL;
}

/* Have the IOMMU translate for the group through @hwpt from now on. */
static int set_domain(struct iommufd_device *idev,
		      struct iommufd_attachment *at, struct iommufd_hwpt *hwpt)
{
	/* The core wants a new handle each time: others may still read the old. */
	struct iommufd_attach_handle *handle __free(kfree) =
		kzalloc_obj(*handle, GFP_KERNEL_ACCOUNT);
	int rc;

	if (!handle)
		return -ENOMEM;
	handle->idev = idev;
	handle->fault = hwpt->fault;

	rc = check_devices(at, hwpt);
	if (!rc)
		rc = tell_iommu(idev, at, hwpt->domain, &handle->handle);
	if (rc)
		return rc;
	forget_handle(at);
	at->handle = no_free_ptr(handle);
	at->hwpt = hwpt;
	return 0;
}

/* Try the domains that other devices brought to the IOAS. */
static int join_automatic(struct iommufd_device *idev,
			  struct iommufd_attachment *at,
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
		rc = set_domain(idev, at, hwpt);
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

static int set_domain_for_ioas(struct iommufd_device *idev,
			       struct iommufd_attachment *at,
			       struct target *target)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	guard(mutex)(&target->ioas->attach_lock);
	rc = join_automatic(idev, at, target->ioas);
	if (rc != -EINVAL)
		return rc;

	hwpt = iommufd_hwpt_new_automatic(target->ioas, idev->dev);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	rc = set_domain(idev, at, hwpt);
	if (rc)
		target->unused = hwpt;
	return rc;
}

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
	case IOMMUFD_OBJ_HWPT_NESTED:
		target->hwpt = container_of(obj, struct iommufd_hwpt, obj);
		target->ioas = target->hwpt->ioas;
		return 0;
	default:
		iommufd_object_put(ictx, obj);
		return -EINVAL;
	}
}

/* A preserved HWPT is for the devices that are preserved with it. */
static bool target_is_frozen(const struct target *target)
{
	if (target->hwpt && READ_ONCE(target->hwpt->lu_preserved))
		return true;
	return target->ioas && READ_ONCE(target->ioas->frozen);
}

static bool target_is(const struct target *target,
		      const struct iommufd_hwpt *hwpt)
{
	if (target->hwpt)
		return hwpt == target->hwpt;
	return hwpt->automatic && hwpt->ioas == target->ioas;
}

static int set_target(struct iommufd_device *idev,
		      struct iommufd_attachment *at, struct target *target)
{
	int rc;

	if (!target->hwpt)
		return set_domain_for_ioas(idev, at, target);
	if (!iommufd_object_use(&target->hwpt->obj))
		return -ENOENT;
	rc = set_domain(idev, at, target->hwpt);
	if (rc)
		target->unused = target->hwpt;
	return rc;
}

/* @idev is in at->devices already. */
static int attach_device(struct iommufd_device *idev,
			 struct iommufd_attachment *at, struct target *target)
{
	int rc = reserve_for(at, target->ioas, idev);

	if (rc)
		return rc;
	rc = at->hwpt ? check_device(idev, at->pasid, at->hwpt) :
			set_target(idev, at, target);
	if (rc)
		unreserve_for(at, target->ioas, idev);
	return rc;
}

static int add_device(struct iommufd_device *idev,
		      struct iommufd_attachment *at, struct target *target)
{
	int rc;

	if (xa_load(&at->devices, idev->obj.id))
		return -EBUSY;
	if (at->hwpt && !target_is(target, at->hwpt))
		return -EINVAL;
	rc = xa_insert(&at->devices, idev->obj.id, idev, GFP_KERNEL_ACCOUNT);
	if (rc)
		return rc;
	rc = attach_device(idev, at, target);
	if (rc)
		xa_erase(&at->devices, idev->obj.id);
	return rc;
}

static int attach_locked(struct iommufd_device *idev, ioasid_t pasid,
			 struct target *target)
{
	struct iommufd_group *group = idev->group;
	struct iommufd_attachment *at;
	int rc;

	guard(mutex)(&group->lock);
	if (idev->lu_preserved)
		return -EBUSY;
	at = attachment_get(group, pasid);
	if (IS_ERR(at))
		return PTR_ERR(at);
	rc = add_device(idev, at, target);
	if (rc)
		attachment_trim(group, at);
	else
		target->result = at->hwpt->obj.id;
	return rc;
}

static void unreserve_devices(struct iommufd_attachment *at,
			      struct iommufd_ioas *ioas)
{
	struct iommufd_device *idev;
	unsigned long id;

	xa_for_each(&at->devices, id, idev)
		unreserve_for(at, ioas, idev);
}

static int reserve_devices(struct iommufd_attachment *at,
			   struct iommufd_ioas *ioas)
{
	struct iommufd_device *idev;
	unsigned long id;
	int rc;

	xa_for_each(&at->devices, id, idev) {
		rc = reserve_for(at, ioas, idev);
		if (rc) {
			unreserve_devices(at, ioas);
			return rc;
		}
	}
	return 0;
}

static int replace_locked(struct iommufd_device *idev, ioasid_t pasid,
			  struct target *target)
{
	struct iommufd_attachment *at;
	struct iommufd_hwpt *old;
	bool moves;
	int rc;

	guard(mutex)(&idev->group->lock);
	if (idev->lu_preserved)
		return -EBUSY;
	at = xa_load(&idev->group->attachments, pasid);
	if (!at || !xa_load(&at->devices, idev->obj.id))
		return -EINVAL;
	old = at->hwpt;
	target->result = old->obj.id;
	if (target_is(target, old))
		return 0;

	moves = old->ioas != target->ioas || !target->ioas;
	rc = moves ? reserve_devices(at, target->ioas) : 0;
	if (rc)
		return rc;
	rc = set_target(idev, at, target);
	if (rc) {
		if (moves)
			unreserve_devices(at, target->ioas);
		return rc;
	}
	if (moves)
		unreserve_devices(at, old->ioas);
	target->result = at->hwpt->obj.id;
	target->unused = old;
	return 0;
}

static int change_domain(struct iommufd_device *idev, ioasid_t pasid,
			 u32 *pt_id, struct iommufd_op *op,
			 int (*change)(struct iommufd_device *idev,
				       ioasid_t pasid, struct target *target))
{
	struct target target;
	int rc;

	rc = target_get(idev->ictx, *pt_id, &target);
	if (rc)
		return rc;
	if (target.ioas)
		iommufd_op_describe(op, target.ioas, 0, 0);
	/* A domain made on the way knows nothing of PASIDs. */
	if (pasid != IOMMU_NO_PASID && !target.hwpt)
		rc = -EINVAL;
	else if (target_is_frozen(&target))
		rc = -EBUSY;
	else
		rc = change(idev, pasid, &target);
	if (!rc) {
		*pt_id = target.result;
		iommufd_op_hwpt(op, target.result);
	}
	iommufd_object_put(idev->ictx, target.obj);

	/*
	 * Destroying waits for calls that hold the HWPT, and those may wait
	 * for group->lock: only now nothing is held.
	 */
	if (target.unused)
		iommufd_hwpt_put(target.unused);
	return rc;
}

static int change_domain_seen(struct iommufd_device *idev, ioasid_t pasid,
			      u32 *pt_id,
			      int (*change)(struct iommufd_device *idev,
					    ioasid_t pasid,
					    struct target *target))
{
	struct iommufd_op seen __uninitialized, *op;
	int rc;

	op = iommufd_op_begin(&seen, idev->ictx->id, IOMMUFD_OP_ATTACH);
	rc = change_domain(idev, pasid, pt_id, op, change);
	iommufd_op_end(op, rc);
	return rc;
}

/**
 * iommufd_device_attach - let a device reach what an IOAS maps
 * @idev: bound and not attached
 * @pasid: which requests of the device; IOMMU_NO_PASID for those without one
 * @pt_id: id of an IOAS or an HWPT; set to that of the HWPT
 *
 * Context: sleeps. The caller serialises attach, replace and detach of @idev.
 * Return: 0; -ENOENT no such object; -EINVAL it is of another type, does not
 * suit the device or the PASID, or the group is attached elsewhere; -EBUSY
 * attached already, or either is being preserved by a live update; -EADDRINUSE
 * something is mapped in a range that is reserved for this device; or an errno of the IOMMU or of pinning. Nothing has changed
 * on failure.
 */
int iommufd_device_attach(struct iommufd_device *idev, ioasid_t pasid,
			  u32 *pt_id)
{
	return change_domain_seen(idev, pasid, pt_id, attach_locked);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_attach, "IOMMUFD");

/**
 * iommufd_device_replace - move an attached device, without a gap
 * @idev: attached; the other devices of its group move with it
 * @pasid: as attached
 * @pt_id: as in iommufd_device_attach()
 *
 * Context and return: as iommufd_device_attach(); -EINVAL also when @idev is
 * not attached.
 */
int iommufd_device_replace(struct iommufd_device *idev, ioasid_t pasid,
			   u32 *pt_id)
{
	return change_domain_seen(idev, pasid, pt_id, replace_locked);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_replace, "IOMMUFD");

/* Undo tell_iommu() */
static void untell_iommu(struct iommufd_device *idev,
			 struct iommufd_attachment *at)
{
	struct iommu_domain *domain = at->hwpt->domain;

	if (!iommufd_device_has_iommu(idev))
		return;
	if (at->pasid == IOMMU_NO_PASID)
		iommu_detach_group_handle(domain, idev->group->group);
	else
		iommu_detach_device_pasid(domain, idev->dev, at->pasid);
}

static void clear_domain(struct iommufd_device *idev,
			 struct iommufd_attachment *at)
{
	untell_iommu(idev, at);
	forget_handle(at);
}

/* Take a device out of its group's domain; returns the HWPT to put, if any. */
static struct iommufd_hwpt *detach_locked(struct iommufd_device *idev,
					  ioasid_t pasid,
					  struct iommufd_op *op)
{
	struct iommufd_group *group = idev->group;
	struct iommufd_attachment *at;
	struct iommufd_hwpt *hwpt;
	bool last;

	guard(mutex)(&group->lock);
	at = xa_load(&group->attachments, pasid);
	if (!at || !xa_erase(&at->devices, idev->obj.id))
		return NULL;
	hwpt = at->hwpt;
	if (hwpt->ioas)
		iommufd_op_describe(op, hwpt->ioas, 0, 0);
	iommufd_op_hwpt(op, hwpt->obj.id);
	last = xa_empty(&at->devices);
	if (last)
		clear_domain(idev, at);
	unreserve_for(at, hwpt->ioas, idev);
	attachment_trim(group, at);
	return last ? hwpt : NULL;
}

/**
 * iommufd_device_detach - undo iommufd_device_attach()
 * @idev: nothing happens if it is not attached
 * @pasid: as attached
 */
void iommufd_device_detach(struct iommufd_device *idev, ioasid_t pasid)
{
	struct iommufd_op seen __uninitialized, *op;
	struct iommufd_hwpt *hwpt;

	op = iommufd_op_begin(&seen, idev->ictx->id, IOMMUFD_OP_DETACH);
	hwpt = detach_locked(idev, pasid, op);
	if (hwpt)
		iommufd_hwpt_put(hwpt);
	iommufd_op_end(op, 0);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_detach, "IOMMUFD");
