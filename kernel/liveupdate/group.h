/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Groups of devices that came over a kexec. Part of iommu.c, where struct iommu_group is.
 *
 * Such a group has one device. It starts with the restored domain attached and live update as the owner. The owner that
 * live update names as the heir inherits both by claiming the ownership; whoever else claims it is refused. Attaching
 * the restored domain then changes nothing but our book-keeping, and from there on the group is like any other.
 */
#ifndef __IOMMU_LIVEUPDATE_GROUP_H
#define __IOMMU_LIVEUPDATE_GROUP_H

#include "liveupdate.h"

#ifdef CONFIG_IOMMU_LIVEUPDATE

static int __iommu_group_alloc_blocking_domain(struct iommu_group *group);
static struct device *iommu_group_first_dev(struct iommu_group *group);

/* An owner that nobody else can pass. */
static char iommu_liveupdate_owner;

static bool iommu_group_held(struct iommu_group *group)
{
	lockdep_assert_held(&group->mutex);
	return group->owner == &iommu_liveupdate_owner;
}

/* True if a device of the group came over a kexec, and the group is therefore set up. */
static bool iommu_group_restore(struct iommu_group *group)
{
	struct iommu_domain *domain = NULL;
	struct group_device *gdev;

	lockdep_assert_held(&group->mutex);
	if (group->domain)
		return false;

	for_each_group_device(group, gdev) {
		if (!iommu_liveupdate_find(gdev->dev))
			continue;
		domain = iommu_liveupdate_attach(gdev->dev, list_is_singular(&group->devices));
	}
	if (!domain)
		return false;

	if (IS_ERR(domain)) {
		if (!__iommu_group_alloc_blocking_domain(group))
			__iommu_group_set_domain_nofail(group, group->blocking_domain);
	} else {
		group->domain = domain;
		group->restored = true;
	}
	group->owner = &iommu_liveupdate_owner;
	group->owner_cnt = 1;
	return true;
}

static int iommu_group_inherit(struct iommu_group *group, void *owner)
{
	lockdep_assert_held(&group->mutex);
	if (!group->restored || group->heir != owner)
		return -EBUSY;
	/* As for every owner: what the group is attached to when its owner detaches it. */
	if (__iommu_group_alloc_blocking_domain(group))
		return -ENOMEM;
	group->owner = owner;
	return 0;
}

/* The heir leaves without having attached anything: the device goes on as before it came. */
static bool iommu_group_take_back(struct iommu_group *group)
{
	lockdep_assert_held(&group->mutex);
	if (!group->restored)
		return false;
	group->owner = &iommu_liveupdate_owner;
	return true;
}

static bool iommu_group_attach_restored(struct iommu_group *group, struct iommu_domain *domain)
{
	lockdep_assert_held(&group->mutex);
	if (!group->restored || iommu_group_held(group) || group->domain != domain)
		return false;
	group->restored = false;
	group->heir = NULL;
	iommu_liveupdate_taken(iommu_group_first_dev(group));
	return true;
}

/**
 * iommu_group_set_heir - Name who may claim a restored device
 * @dev: The device
 * @owner: As in iommu_device_claim_dma_owner(); NULL for nobody
 *
 * Return: -EBUSY if the device is not live update's to give.
 */
int iommu_group_set_heir(struct device *dev, void *owner)
{
	struct iommu_group *group = dev->iommu_group;

	guard(mutex)(&group->mutex);
	if (!group->restored || !iommu_group_held(group))
		return -EBUSY;
	group->heir = owner;
	return 0;
}

/**
 * iommu_group_release_restored - Block a device that nobody came back for, and let everybody have it
 * @dev: The device
 */
void iommu_group_release_restored(struct device *dev)
{
	struct iommu_group *group = dev->iommu_group;

	guard(mutex)(&group->mutex);
	if (!iommu_group_held(group))
		return;
	if (!__iommu_group_alloc_blocking_domain(group))
		__iommu_group_set_domain_nofail(group, group->blocking_domain);
	group->restored = false;
	group->heir = NULL;
	group->owner_cnt = 0;
	group->owner = NULL;
	__iommu_group_set_domain_nofail(group, group->default_domain);
}

/**
 * iommu_group_call_attached - Do something about a device while its attachment cannot change
 * @dev: A device, alone in its group
 * @domain: What it has to be attached to, and nothing else, with no PASID
 * @fn: What to do
 * @arg: For @fn
 *
 * Return: what @fn returned, -EOPNOTSUPP for a group of several devices or a PASID, -EINVAL for another domain.
 */
int iommu_group_call_attached(struct device *dev, struct iommu_domain *domain,
			      int (*fn)(struct device *dev, void *arg), void *arg)
{
	struct iommu_group *group = dev->iommu_group;
	unsigned long pasid = IOMMU_NO_PASID;

	guard(mutex)(&group->mutex);
	if (!list_is_singular(&group->devices))
		return -EOPNOTSUPP;
	if (xa_find_after(&group->pasid_array, &pasid, ULONG_MAX, XA_PRESENT))
		return -EOPNOTSUPP;
	if (group->domain != domain || group->restored)
		return -EINVAL;
	if (group->recovery_cnt)
		return -EBUSY;
	return fn(dev, arg);
}

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline bool iommu_group_held(struct iommu_group *group)
{
	return false;
}

static inline bool iommu_group_restore(struct iommu_group *group)
{
	return false;
}

static inline int iommu_group_inherit(struct iommu_group *group, void *owner)
{
	return -EBUSY;
}

static inline bool iommu_group_take_back(struct iommu_group *group)
{
	return false;
}

static inline bool iommu_group_attach_restored(struct iommu_group *group, struct iommu_domain *domain)
{
	return false;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* __IOMMU_LIVEUPDATE_GROUP_H */
