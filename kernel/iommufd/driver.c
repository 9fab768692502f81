// SPDX-License-Identifier: GPL-2.0-only
/*
 * What drivers of IOMMUs call. It is built in when they are, so nothing here
 * may call into the iommufd module.
 */
#include <linux/export.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "core.h"

static bool are_siblings(const struct iommufd_object *a,
			 const struct iommufd_object *b)
{
	return !WARN_ON_ONCE(a == b || a->type != b->type);
}

/**
 * _iommufd_object_depend - let an object keep a sibling of its alive
 * @obj_dependent: the one that needs the other
 * @obj_depended: the one that is kept
 *
 * Return: 0; -EINVAL they are not of the same type, or the same one.
 */
int _iommufd_object_depend(struct iommufd_object *obj_dependent,
			   struct iommufd_object *obj_depended)
{
	if (!are_siblings(obj_dependent, obj_depended))
		return -EINVAL;
	refcount_inc(&obj_depended->users);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(_iommufd_object_depend, "IOMMUFD");

/**
 * _iommufd_object_undepend - undo _iommufd_object_depend()
 * @obj_dependent: as there
 * @obj_depended: as there
 */
void _iommufd_object_undepend(struct iommufd_object *obj_dependent,
			      struct iommufd_object *obj_depended)
{
	if (are_siblings(obj_dependent, obj_depended))
		refcount_dec(&obj_depended->users);
}
EXPORT_SYMBOL_NS_GPL(_iommufd_object_undepend, "IOMMUFD");

/**
 * _iommufd_alloc_mmap - let user space map a region of a device
 * @ictx: through whose file
 * @owner: the object that the region goes with; kept while it is mapped
 * @mmio_addr: physical address, a multiple of the page size
 * @length: bytes, a multiple of the page size
 * @offset: set to where in the file it is
 *
 * Return: 0; -EINVAL; -ENOMEM; -EBUSY no room in the file.
 */
int _iommufd_alloc_mmap(struct iommufd_ctx *ictx, struct iommufd_object *owner,
			phys_addr_t mmio_addr, size_t length,
			unsigned long *offset)
{
	struct iommufd_mmap *region;
	int rc;

	if (WARN_ON_ONCE(!length || !PAGE_ALIGNED(mmio_addr | length)))
		return -EINVAL;
	region = kzalloc_obj(*region, GFP_KERNEL_ACCOUNT);
	if (!region)
		return -ENOMEM;
	region->owner = owner;
	region->phys = mmio_addr;
	region->length = length;
	/* Not 0: drivers may take that for "none". */
	rc = mtree_alloc_range(&ictx->mmaps, &region->offset, region, length,
			       PAGE_SIZE, LONG_MAX, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(region);
		return rc;
	}
	*offset = region->offset;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(_iommufd_alloc_mmap, "IOMMUFD");

/**
 * _iommufd_destroy_mmap - undo _iommufd_alloc_mmap()
 * @ictx: as there
 * @owner: as there, on its way out: nothing maps the region any more
 * @offset: as set there
 */
void _iommufd_destroy_mmap(struct iommufd_ctx *ictx,
			   struct iommufd_object *owner, unsigned long offset)
{
	struct iommufd_mmap *region = mtree_erase(&ictx->mmaps, offset);

	WARN_ON_ONCE(!region || region->owner != owner);
	kfree(region);
}
EXPORT_SYMBOL_NS_GPL(_iommufd_destroy_mmap, "IOMMUFD");

/**
 * iommufd_vdevice_to_device - the device behind a vDEVICE
 * @vdev: alive
 */
struct device *iommufd_vdevice_to_device(struct iommufd_vdevice *vdev)
{
	return vdev->idev->dev;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vdevice_to_device, "IOMMUFD");

/**
 * iommufd_viommu_find_dev - the device that a virtual machine knows by an id
 * @viommu: whose id; the caller holds its @vdevs' lock as long as it uses what
 *	is returned
 * @vdev_id: the id
 */
struct device *iommufd_viommu_find_dev(struct iommufd_viommu *viommu,
				       unsigned long vdev_id)
{
	struct iommufd_vdevice *found = xa_load(&viommu->vdevs, vdev_id);

	lockdep_assert_held(&viommu->vdevs.xa_lock);
	return found ? iommufd_vdevice_to_device(found) : NULL;
}
EXPORT_SYMBOL_NS_GPL(iommufd_viommu_find_dev, "IOMMUFD");

/**
 * iommufd_viommu_get_vdev_id - what a virtual machine knows a device by
 * @viommu: the virtual machine's
 * @dev: the device
 * @vdev_id: set to the id
 *
 * Return: 0; -ENOENT it has no vDEVICE there.
 */
int iommufd_viommu_get_vdev_id(struct iommufd_viommu *viommu,
			       struct device *dev, unsigned long *vdev_id)
{
	struct iommufd_vdevice *vdev;
	unsigned long virt_id;

	/* A vDEVICE leaves the table under this lock before it goes. */
	guard(spinlock)(&viommu->vdevs.xa_lock);
	xa_for_each(&viommu->vdevs, virt_id, vdev)
		if (iommufd_vdevice_to_device(vdev) == dev) {
			*vdev_id = virt_id;
			return 0;
		}
	return -ENOENT;
}
EXPORT_SYMBOL_NS_GPL(iommufd_viommu_get_vdev_id, "IOMMUFD");

static struct iommufd_veventq *find_veventq(struct iommufd_viommu *viommu,
					    enum iommu_veventq_type type)
{
	struct iommufd_veventq *veventq;

	lockdep_assert_held(&viommu->veventqs_rwsem);

	list_for_each_entry(veventq, &viommu->veventqs, node)
		if (veventq->type == type)
			return veventq;
	return NULL;
}

static struct iommufd_vevent *vevent_new(const void *data, size_t len)
{
	struct iommufd_vevent *event =
		kmalloc(struct_size(event, data, len), GFP_KERNEL);

	if (!event)
		return NULL;
	event->header.flags = 0;
	event->data_len = len;
	memcpy(event->data, data, len);
	return event;
}

/* Queue an event, %NULL for one that got lost; false when it was not taken. */
static bool queue_event(struct iommufd_veventq *veventq,
			struct iommufd_vevent *event)
{
	struct iommufd_eventq *eventq = &veventq->common;
	struct iommufd_vevent *last = event;
	bool taken;

	guard(spinlock)(&eventq->lock);
	taken = event && veventq->nr_events < veventq->depth;
	if (taken)
		veventq->nr_events++;
	else
		last = &veventq->lost;
	last->header.sequence = veventq->sequence;
	veventq->sequence = (veventq->sequence + 1) & INT_MAX;
	/* Once a later event follows, its sequence shows what got lost. */
	list_del_init(&veventq->lost.node);
	list_add_tail(&last->node, &eventq->deliver);
	return taken;
}

/**
 * iommufd_viommu_report_event - tell a virtual machine about an event
 * @viommu: the virtual machine's
 * @type: of the event
 * @event_data: the event, in the form that user space reads
 * @data_len: bytes
 *
 * Context: sleeps.
 * Return: 0, also when the queue is full, as user space will see; -EOPNOTSUPP
 * nobody wants events of this type; -EINVAL there is no event; -ENOMEM.
 */
int iommufd_viommu_report_event(struct iommufd_viommu *viommu,
				enum iommu_veventq_type type, void *event_data,
				size_t data_len)
{
	struct iommufd_veventq *veventq;
	struct iommufd_vevent *event;

	if (WARN_ON_ONCE(!event_data || !data_len))
		return -EINVAL;

	guard(rwsem_read)(&viommu->veventqs_rwsem);
	veventq = find_veventq(viommu, type);
	if (!veventq)
		return -EOPNOTSUPP;
	event = vevent_new(event_data, data_len);
	if (!queue_event(veventq, event))
		kfree(event);
	wake_up_interruptible(&veventq->common.wait);
	return event ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_NS_GPL(iommufd_viommu_report_event, "IOMMUFD");

MODULE_DESCRIPTION("What drivers of IOMMUs call of iommufd");
MODULE_LICENSE("GPL");
