// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual IOMMUs: the share of an IOMMU that a virtual machine has, its name
 * for each device (vDEVICE), and queues that hardware reads from the virtual
 * machine's own memory.
 *
 * A vDEVICE goes with its device, which may be at any moment, when the device's
 * driver unbinds it. It holds the device like a call in flight does; unbinding
 * destroys it first and leaves its id behind as a tombstone.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>

#include "core.h"
#include "../iommu-priv.h"

static int init_viommu(struct iommufd_viommu *viommu,
		       struct iommufd_ctx *ictx, struct iommufd_device *idev,
		       struct iommufd_hwpt *hwpt,
		       const struct iommu_viommu_alloc *cmd)
{
	const struct iommu_user_data data = {
		.type = cmd->type,
		.uptr = u64_to_user_ptr(cmd->data_uptr),
		.len = cmd->data_len,
	};
	int rc;

	viommu->ictx = ictx;
	viommu->type = cmd->type;
	viommu->hwpt = container_of(hwpt, struct iommufd_hwpt_paging, hwpt);
	viommu->iommu_dev = __iommu_get_iommu_dev(idev->dev);
	xa_init(&viommu->vdevs);
	INIT_LIST_HEAD(&viommu->veventqs);
	init_rwsem(&viommu->veventqs_rwsem);

	rc = dev_iommu_ops(idev->dev)->viommu_init(viommu, hwpt->domain,
						   cmd->data_len ? &data :
								   NULL);
	if (rc)
		return rc;
	/* The callers hold both, so they are alive. */
	WARN_ON(!iommufd_object_use(&hwpt->obj));
	return WARN_ON(!viommu->ops) ? -EINVAL : 0;
}

static int new_viommu(struct iommufd_ucmd *ucmd, struct iommufd_device *idev,
		      struct iommufd_hwpt *hwpt)
{
	const struct iommu_ops *ops = dev_iommu_ops(idev->dev);
	struct iommu_viommu_alloc *cmd = ucmd->cmd;
	struct iommufd_viommu *viommu;
	struct iommufd_object *obj;
	size_t size;
	int rc;

	if (!ops->get_viommu_size || !ops->viommu_init)
		return -EOPNOTSUPP;
	size = ops->get_viommu_size(idev->dev, cmd->type);
	if (!size || WARN_ON(size < sizeof(*viommu)))
		return -EOPNOTSUPP;
	if (!hwpt->nest_parent || hwpt->domain->owner != ops)
		return -EINVAL;
	obj = iommufd_object_new(ucmd->ictx, size, IOMMUFD_OBJ_VIOMMU);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	viommu = container_of(obj, struct iommufd_viommu, obj);

	/* The answer goes first: then nothing is to be undone if it cannot. */
	cmd->out_viommu_id = obj->id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (!rc)
		rc = init_viommu(viommu, ucmd->ictx, idev, hwpt, cmd);
	if (rc) {
		iommufd_object_abort(ucmd->ictx, obj);
		return rc;
	}
	iommufd_object_publish(ucmd->ictx, obj);
	return 0;
}

int iommufd_viommu_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_viommu_alloc *cmd = ucmd->cmd;
	struct iommufd_device *idev;
	struct iommufd_hwpt *hwpt;
	int rc;

	if (cmd->flags || cmd->__reserved ||
	    cmd->type == IOMMU_VIOMMU_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	idev = iommufd_device_lookup(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	hwpt = iommufd_hwpt_lookup(ucmd->ictx, cmd->hwpt_id);
	if (IS_ERR(hwpt)) {
		rc = PTR_ERR(hwpt);
		goto put_device;
	}
	rc = iommufd_device_has_iommu(idev) ? new_viommu(ucmd, idev, hwpt) :
					      -EOPNOTSUPP;
	iommufd_object_put(ucmd->ictx, &hwpt->obj);
put_device:
	iommufd_object_put(ucmd->ictx, &idev->obj);
	return rc;
}

void iommufd_viommu_destroy(struct iommufd_object *obj)
{
	struct iommufd_viommu *viommu =
		container_of(obj, struct iommufd_viommu, obj);

	if (viommu->ops->destroy)
		viommu->ops->destroy(viommu);
	iommufd_object_unuse(&viommu->hwpt->hwpt.obj);
	xa_destroy(&viommu->vdevs);
}

/* Undo the steps of init_vdevice(). */
static void clear_vdevice(struct iommufd_vdevice *vdev)
{
	if (vdev->destroy)
		vdev->destroy(vdev);
	xa_erase(&vdev->viommu->vdevs, vdev->virt_id);
	vdev->idev->vdev = NULL;
	iommufd_object_unuse(&vdev->viommu->obj);
}

static int init_vdevice(struct iommufd_vdevice *vdev,
			struct iommufd_viommu *viommu,
			struct iommufd_device *idev, unsigned long virt_id)
{
	int rc;

	lockdep_assert_held(&idev->group->lock);

	vdev->viommu = viommu;
	vdev->idev = idev;
	vdev->virt_id = virt_id;
	rc = xa_insert(&viommu->vdevs, virt_id, vdev, GFP_KERNEL_ACCOUNT);
	if (rc)
		return rc == -EBUSY ? -EEXIST : rc;
	WARN_ON(!iommufd_object_use(&viommu->obj));
	idev->vdev = vdev;
	if (!viommu->ops->vdevice_init)
		return 0;
	rc = viommu->ops->vdevice_init(vdev);
	if (rc) {
		vdev->destroy = NULL;
		clear_vdevice(vdev);
	}
	return rc;
}

static int new_vdevice(struct iommufd_ucmd *ucmd, struct iommufd_viommu *viommu,
		       struct iommufd_device *idev)
{
	size_t size = max(sizeof(struct iommufd_vdevice),
			  viommu->ops->vdevice_size);
	struct iommu_vdevice_alloc *cmd = ucmd->cmd;
	struct iommufd_object *obj;
	int rc;

	guard(mutex)(&idev->group->lock);
	if (idev->leaving)
		return -ENOENT;
	if (idev->vdev)
		return -EEXIST;
	obj = iommufd_object_new(ucmd->ictx, size, IOMMUFD_OBJ_VDEVICE);
	if (IS_ERR(obj))
		return PTR_ERR(obj);

	cmd->out_vdevice_id = obj->id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (!rc)
		rc = init_vdevice(container_of(obj, struct iommufd_vdevice,
					       obj),
				  viommu, idev, cmd->virt_id);
	if (rc) {
		iommufd_object_abort(ucmd->ictx, obj);
		return rc;
	}
	/* Like a call in flight, which unbinding will wait for. */
	refcount_inc(&idev->obj.wait_cnt);
	iommufd_object_publish(ucmd->ictx, obj);
	return 0;
}

int iommufd_vdevice_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_vdevice_alloc *cmd = ucmd->cmd;
	struct iommufd_viommu *viommu;
	struct iommufd_device *idev;
	int rc;

	/* Drivers and the table of ids know no more than this. */
	if (cmd->virt_id > ULONG_MAX)
		return -EINVAL;
	viommu = iommufd_viommu_lookup(ucmd->ictx, cmd->viommu_id);
	if (IS_ERR(viommu))
		return PTR_ERR(viommu);
	idev = iommufd_device_lookup(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev)) {
		rc = PTR_ERR(idev);
		goto put_viommu;
	}
	if (iommufd_device_has_iommu(idev) &&
	    viommu->iommu_dev == __iommu_get_iommu_dev(idev->dev))
		rc = new_vdevice(ucmd, viommu, idev);
	else
		rc = -EINVAL;
	iommufd_object_put(ucmd->ictx, &idev->obj);
put_viommu:
	iommufd_object_put(ucmd->ictx, &viommu->obj);
	return rc;
}

void iommufd_vdevice_destroy(struct iommufd_object *obj)
{
	struct iommufd_vdevice *vdev =
		container_of(obj, struct iommufd_vdevice, obj);
	struct iommufd_device *idev = vdev->idev;

	scoped_guard(mutex, &idev->group->lock)
		clear_vdevice(vdev);
	/* Last: from here on the device may go. */
	iommufd_object_put(idev->ictx, &idev->obj);
}

/**
 * iommufd_vdevice_bury - destroy the vDEVICE of a device that is leaving
 * @idev: gets none any more
 */
void iommufd_vdevice_bury(struct iommufd_device *idev)
{
	struct iommufd_vdevice *vdev;

	scoped_guard(mutex, &idev->group->lock) {
		idev->leaving = true;
		vdev = idev->vdev;
		/* Hidden already: user space destroys it, and will be waited for. */
		if (vdev && !iommufd_object_hide(idev->ictx, &vdev->obj))
			vdev = NULL;
	}
	if (vdev)
		iommufd_object_reap_tombstone(idev->ictx, &vdev->obj);
}

/* Physical address of pages that follow each other, or -EFAULT if they do not */
static int contiguous(struct page **pages, unsigned long npages,
		      phys_addr_t *phys)
{
	unsigned long i;

	for (i = 1; i < npages; i++)
		if (page_to_pfn(pages[i]) != page_to_pfn(pages[0]) + i)
			return -EFAULT;
	*phys = page_to_phys(pages[0]);
	return 0;
}

static void unpin_queue(struct iommufd_hw_queue *queue)
{
	unsigned long first = ALIGN_DOWN(queue->base_addr, PAGE_SIZE);
	unsigned long end = PAGE_ALIGN(queue->base_addr + queue->length);

	iommufd_access_unpin_pages(queue->access, first, end - first);
	iommufd_access_destroy_internal(queue->access);
}

/* Hold the queue's memory, and find out where it is. */
static int pin_queue(struct iommufd_hw_queue *queue, phys_addr_t *phys)
{
	unsigned long first = ALIGN_DOWN(queue->base_addr, PAGE_SIZE);
	unsigned long end = PAGE_ALIGN(queue->base_addr + queue->length);
	unsigned long npages = (end - first) >> PAGE_SHIFT;
	struct iommufd_ioas *ioas = queue->viommu->hwpt->hwpt.ioas;
	struct page **pages __free(kvfree) =
		kvmalloc_array(npages, sizeof(*pages),
			       GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	int rc;

	if (!pages)
		return -ENOMEM;
	queue->access = iommufd_access_create_internal(queue->viommu->ictx,
						       ioas->obj.id);
	if (IS_ERR(queue->access))
		return PTR_ERR(queue->access);
	rc = iommufd_access_pin_pages(queue->access, first, end - first, pages,
				      IOMMUFD_ACCESS_RW_WRITE);
	if (rc) {
		iommufd_access_destroy_internal(queue->access);
		return rc;
	}
	rc = contiguous(pages, npages, phys);
	if (rc)
		unpin_queue(queue);
	*phys += offset_in_page(queue->base_addr);
	return rc;
}

static int init_queue(struct iommufd_hw_queue *queue,
		      struct iommufd_viommu *viommu,
		      const struct iommu_hw_queue_alloc *cmd)
{
	phys_addr_t phys = 0;
	int rc;

	queue->viommu = viommu;
	queue->type = cmd->type;
	queue->base_addr = cmd->nesting_parent_iova;
	queue->length = cmd->length;
	rc = pin_queue(queue, &phys);
	if (rc)
		return rc;
	rc = viommu->ops->hw_queue_init_phys(queue, cmd->index, phys);
	if (rc)
		unpin_queue(queue);
	else
		WARN_ON(!iommufd_object_use(&viommu->obj));
	return rc;
}

static int new_queue(struct iommufd_ucmd *ucmd, struct iommufd_viommu *viommu)
{
	struct iommu_hw_queue_alloc *cmd = ucmd->cmd;
	struct iommufd_object *obj;
	size_t size;
	int rc;

	if (!viommu->ops->get_hw_queue_size ||
	    !viommu->ops->hw_queue_init_phys)
		return -EOPNOTSUPP;
	size = viommu->ops->get_hw_queue_size(viommu, cmd->type);
	if (!size || WARN_ON(size < sizeof(struct iommufd_hw_queue)))
		return -EOPNOTSUPP;
	obj = iommufd_object_new(ucmd->ictx, size, IOMMUFD_OBJ_HW_QUEUE);
	if (IS_ERR(obj))
		return PTR_ERR(obj);

	cmd->out_hw_queue_id = obj->id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (!rc)
		rc = init_queue(container_of(obj, struct iommufd_hw_queue,
					     obj),
				viommu, cmd);
	if (rc) {
		iommufd_object_abort(ucmd->ictx, obj);
		return rc;
	}
	iommufd_object_publish(ucmd->ictx, obj);
	return 0;
}

int iommufd_hw_queue_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_hw_queue_alloc *cmd = ucmd->cmd;
	struct iommufd_viommu *viommu;
	u64 end;
	int rc;

	if (cmd->flags || cmd->type == IOMMU_HW_QUEUE_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!cmd->length)
		return -EINVAL;
	/* The page that it ends in has to end below 2^64 as well. */
	if (check_add_overflow(cmd->nesting_parent_iova,
			       cmd->length + PAGE_SIZE - 1, &end) ||
	    cmd->length > ULONG_MAX - PAGE_SIZE)
		return -EOVERFLOW;
	viommu = iommufd_viommu_lookup(ucmd->ictx, cmd->viommu_id);
	if (IS_ERR(viommu))
		return PTR_ERR(viommu);
	rc = new_queue(ucmd, viommu);
	iommufd_object_put(ucmd->ictx, &viommu->obj);
	return rc;
}

void iommufd_hw_queue_destroy(struct iommufd_object *obj)
{
	struct iommufd_hw_queue *queue =
		container_of(obj, struct iommufd_hw_queue, obj);

	if (queue->destroy)
		queue->destroy(queue);
	unpin_queue(queue);
	iommufd_object_unuse(&queue->viommu->obj);
}

static void region_open(struct vm_area_struct *vma)
{
	struct iommufd_mmap *region = vma->vm_private_data;

	refcount_inc(&region->owner->users);
}

static void region_close(struct vm_area_struct *vma)
{
	struct iommufd_mmap *region = vma->vm_private_data;

	refcount_dec(&region->owner->users);
}

static const struct vm_operations_struct region_vm_ops = {
	.open = region_open,
	.close = region_close,
};

/* Find the region that a mapping wants all of, and use its owner. */
static struct iommufd_mmap *region_get(struct iommufd_ctx *ictx,
				       struct vm_area_struct *vma)
{
	unsigned long offset = vma->vm_pgoff << PAGE_SHIFT;
	struct iommufd_mmap *region;
	MA_STATE(mas, &ictx->mmaps, offset, offset);

	/* As long as this is held, the region stays, and its owner with it. */
	guard(spinlock)(&ictx->mmaps.ma_lock);
	region = mas_walk(&mas);
	if (!region || region->offset != offset ||
	    region->length != vma->vm_end - vma->vm_start)
		return NULL;
	/* An owner that is not published yet might still be given up. */
	if (xa_load(&ictx->objects, region->owner->id) != region->owner ||
	    !iommufd_object_use(region->owner))
		return NULL;
	return region;
}

int iommufd_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct iommufd_mmap *region;
	int rc;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	region = region_get(filp->private_data, vma);
	if (!region)
		return -ENXIO;

	vma->vm_private_data = region;
	vma->vm_ops = &region_vm_ops;
	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_IO);
	rc = io_remap_pfn_range(vma, vma->vm_start, PHYS_PFN(region->phys),
				region->length, vma->vm_page_prot);
	/* The mapping is not there, so it will not be closed. */
	if (rc)
		iommufd_object_unuse(region->owner);
	return rc;
}
