// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices: taking them out of the kernel's hands, and what their IOMMU can do.
 */
#include <linux/export.h>
#include <linux/moduleparam.h>
#include <linux/pci-ats.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "core.h"
#include "selftest.h"
#include "../iommu-priv.h"

static bool allow_unsafe_interrupts;
module_param(allow_unsafe_interrupts, bool, 0644);
MODULE_PARM_DESC(allow_unsafe_interrupts,
		 "Allow devices whose interrupts the IOMMU does not isolate, trusting whoever drives them with the machine.");

static struct iommufd_group *group_alloc(struct iommufd_ctx *ictx)
{
	struct iommufd_group *group = kzalloc_obj(*group, GFP_KERNEL_ACCOUNT);

	if (!group)
		return ERR_PTR(-ENOMEM);
	group->ictx = ictx;
	mutex_init(&group->lock);
	xa_init(&group->attachments);
	return group;
}

static struct iommufd_group *group_new(struct iommufd_ctx *ictx,
				       struct iommu_group *iommu_group)
{
	struct iommufd_group *group = group_alloc(ictx);
	int rc;

	if (IS_ERR(group))
		return group;
	rc = xa_insert(&ictx->groups, iommu_group_id(iommu_group), group,
		       GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(group);
		return ERR_PTR(rc);
	}
	group->group = iommu_group_ref_get(iommu_group);
	return group;
}

/* Without an IOMMU, each device is one of its own. */
static struct iommufd_group *group_single(struct iommufd_ctx *ictx)
{
	struct iommufd_group *group = group_alloc(ictx);

	if (!IS_ERR(group))
		group->users = 1;
	return group;
}

static struct iommufd_group *group_get(struct iommufd_ctx *ictx,
				       struct device *dev)
{
	struct iommu_group *iommu_group;
	struct iommufd_group *group;

	/* The group that vfio has made for it says nothing of the hardware. */
	if (iommufd_dev_is_noiommu(dev))
		return group_single(ictx);
	iommu_group = iommu_group_get(dev);
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
	WARN_ON(!xa_empty(&group->attachments));
	if (group->group) {
		xa_erase(&group->ictx->groups, iommu_group_id(group->group));
		iommu_group_put(group->group);
	}
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

/* Keep the kernel, and other contexts, from using the device's DMA. */
static int claim(struct iommufd_group *group, struct device *dev)
{
	int rc;

	/* Without an IOMMU, nothing can: vfio has asked whether its user may. */
	if (!group->group)
		return 0;
	rc = check_isolated_msi(group, dev);
	return rc ?: iommu_device_claim_dma_owner(dev, group->ictx);
}

static void release(struct iommufd_group *group, struct device *dev)
{
	if (group->group)
		iommu_device_release_dma_owner(dev);
}

/**
 * iommufd_device_bind - take ownership of a device's DMA for a context
 * @ictx: the context
 * @dev: the calling driver's device
 * @id: set to the device's object id
 *
 * The device cannot reach any memory until it is attached, unless it has no
 * IOMMU and CONFIG_IOMMUFD_NOIOMMU lets it be bound all the same.
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

	if (!iommufd_dev_is_noiommu(dev) &&
	    !device_iommu_capable(dev, IOMMU_CAP_CACHE_COHERENCY))
		return ERR_PTR(-EINVAL);

	group = group_get(ictx, dev);
	if (IS_ERR(group))
		return ERR_CAST(group);
	rc = claim(group, dev);
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
	/* A mock device goes with the context, so it must not hold it. */
	if (!iommufd_test_is_mock(dev))
		iommufd_ctx_get(ictx);
	/* The driver's own use; user space cannot destroy a bound device. */
	refcount_inc(&idev->obj.users);
	*id = idev->obj.id;
	iommufd_object_publish(ictx, &idev->obj);
	return idev;

release_owner:
	release(group, dev);
put_group:
	group_put(group);
	return ERR_PTR(rc);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_bind, "IOMMUFD");

void iommufd_device_destroy(struct iommufd_object *obj)
{
	struct iommufd_device *idev =
		container_of(obj, struct iommufd_device, obj);

	release(idev->group, idev->dev);
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

	iommufd_vdevice_bury(idev);
	iommufd_object_destroy_owned(ictx, &idev->obj);
	if (holds_ctx)
		iommufd_ctx_put(ictx);
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_unbind, "IOMMUFD");

/**
 * iommufd_device_to_ictx - the context that a device is bound to
 * @idev: bound; the context lives as long as that
 */
struct iommufd_ctx *iommufd_device_to_ictx(struct iommufd_device *idev)
{
	return idev->ictx;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_to_ictx, "IOMMUFD");

/**
 * iommufd_device_to_id - what user space knows a bound device by
 * @idev: bound
 */
u32 iommufd_device_to_id(struct iommufd_device *idev)
{
	return idev->obj.id;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_to_id, "IOMMUFD");

/* What the driver of the IOMMU says about it, or %NULL if it says nothing */
static void *driver_hw_info(struct device *dev, struct iommu_hw_info *cmd,
			    u32 *length)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);
	enum iommu_hw_info_type type = IOMMU_HW_INFO_TYPE_DEFAULT;
	void *info = NULL;

	if (cmd->flags & IOMMU_HW_INFO_FLAG_INPUT_TYPE)
		type = cmd->in_data_type;
	*length = 0;
	if (ops->hw_info)
		info = ops->hw_info(dev, length, &type);
	else if (type != IOMMU_HW_INFO_TYPE_DEFAULT)
		info = ERR_PTR(-EOPNOTSUPP);
	cmd->out_data_type = type;
	return info;
}

static u64 pasid_capabilities(struct device *dev)
{
	u64 capabilities = 0;
	int status;

	if (!dev_is_pci(dev))
		return 0;
	status = pci_pasid_status(to_pci_dev(dev));
	if (status < 0)
		return 0;
	if (status & PCI_PASID_CTRL_EXEC)
		capabilities |= IOMMU_HW_CAP_PCI_PASID_EXEC;
	if (status & PCI_PASID_CTRL_PRIV)
		capabilities |= IOMMU_HW_CAP_PCI_PASID_PRIV;
	return capabilities;
}

static void fill_capabilities(struct device *dev, struct iommu_hw_info *cmd)
{
	cmd->out_capabilities = 0;
	cmd->out_max_pasid_log2 = 0;
	if (device_iommu_capable(dev, IOMMU_CAP_DIRTY_TRACKING))
		cmd->out_capabilities |= IOMMU_HW_CAP_DIRTY_TRACKING;
	if (!device_iommu_capable(dev, IOMMU_CAP_PCI_ATS_SUPPORTED))
		cmd->out_capabilities |= IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED;
	/* IOMMU drivers turn PASIDs on for each device that can have them. */
	if (dev->iommu->max_pasids) {
		cmd->out_max_pasid_log2 = ilog2(dev->iommu->max_pasids);
		cmd->out_capabilities |= pasid_capabilities(dev);
	}
}

static int get_hw_info(struct iommufd_ucmd *ucmd, struct device *dev)
{
	struct iommu_hw_info *cmd = ucmd->cmd;
	void __user *out = u64_to_user_ptr(cmd->data_uptr);
	u32 length, copied;
	void *info __free(kfree) = driver_hw_info(dev, cmd, &length);

	if (IS_ERR(info))
		return PTR_ERR(info);
	copied = min(cmd->data_len, length);
	if (copy_to_user(out, info, copied) ||
	    clear_user(out + copied, cmd->data_len - copied))
		return -EFAULT;
	cmd->data_len = length;
	fill_capabilities(dev, cmd);
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

int iommufd_get_hw_info(struct iommufd_ucmd *ucmd)
{
	struct iommu_hw_info *cmd = ucmd->cmd;
	struct iommufd_device *idev;
	int rc;

	if (cmd->flags & ~IOMMU_HW_INFO_FLAG_INPUT_TYPE ||
	    memchr_inv(cmd->__reserved, 0, sizeof(cmd->__reserved)))
		return -EOPNOTSUPP;
	idev = iommufd_device_lookup(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev))
		return PTR_ERR(idev);
	rc = iommufd_device_has_iommu(idev) ? get_hw_info(ucmd, idev->dev) :
					      -EOPNOTSUPP;
	iommufd_object_put(ucmd->ictx, &idev->obj);
	return rc;
}
