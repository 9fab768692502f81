// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update: devices that go on running while the kernel is replaced.
 *
 * A file is accepted if it is the device's own (not a group's), bound and attached
 * to an HWPT that the same session preserves, and if nothing is lost that this
 * knows nothing of: virtual functions, what else is in the group, the extra
 * regions of displays. The device's interrupts have to be off when the kernel
 * goes.
 *
 * The next kernel neither resets the device nor stops its DMA, and keeps others
 * away from it until the session is finished.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/crc32.h>
#include <linux/file.h>
#include <linux/io.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommufd.h>
#include <linux/iommufd_liveupdate.h>
#include <linux/iox_admit.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/vfio_pci.h>
#include <linux/liveupdate.h>
#include <linux/seq_file.h>
#include <linux/vfio_liveupdate.h>

#include "vfio_pci_priv.h"

static struct vfio_pci_core_device *core_of(struct vfio_device *device)
{
	return container_of(device, struct vfio_pci_core_device, vdev);
}

static bool lu_can_preserve(struct liveupdate_file_handler *handler,
			    struct file *file)
{
	struct vfio_device *device = vfio_cdev_file_device(file);

	return device && device->ops == &vfio_pci_ops;
}

/* --- Preserving ------------------------------------------------------------- */

static int check_kind(struct pci_dev *pdev)
{
	/* Virtual functions are gone until their physical function makes them. */
	if (pdev->is_virtfn || pci_num_vf(pdev))
		return -EOPNOTSUPP;
	if (vfio_pci_is_intel_display(pdev))
		return -EOPNOTSUPP;
	return 0;
}

static int preserve_device(struct vfio_pci_core_device *vdev,
			   struct liveupdate_session *session,
			   struct vfio_pci_ser *ser)
{
	struct iommufd_device_place place;
	struct pci_dev *pdev = vdev->pdev;
	int rc;

	guard(mutex)(&vdev->vdev.dev_set->lock);
	rc = iommufd_device_preserve(vdev->vdev.iommufd_device, session,
				     &place);
	if (rc)
		return rc;
	ser->domain = pci_domain_nr(pdev->bus);
	ser->bdf = pci_dev_id(pdev);
	ser->magic = VFIO_PCI_SER_MAGIC;
	ser->iommufd_token = place.iommufd_token;
	ser->hwpt_token = place.hwpt_token;
	ser->device_phys = place.device_phys;
	ser->vendor = pdev->vendor;
	ser->device = pdev->device;
	ser->flags = vdev->reset_works ? VFIO_PCI_SER_RESET_WORKS : 0;
	ser->config_size = pdev->cfg_size;
	return 0;
}

static void describe(struct iox_admit_req *req, const struct vfio_pci_ser *ser)
{
	req->segment = ser->domain;
	req->bdf = ser->bdf;
	req->vendor = ser->vendor;
	req->device = ser->device;
	req->iommufd_token = ser->iommufd_token;
}

static bool irqs_on(struct vfio_pci_core_device *vdev)
{
	guard(mutex)(&vdev->igate);
	return vdev->irq_type != VFIO_PCI_NUM_IRQS;
}

/* Policies are asked when all is known, and nothing else is in the way. */
static int ask_to_preserve(struct vfio_pci_core_device *vdev,
			   struct liveupdate_file_op_args *args,
			   const struct vfio_pci_ser *ser)
{
	struct iox_admission *admission;
	int rc;

	admission = iox_admission_new(IOX_ADMIT_DEVICE, args);
	if (IS_ERR_OR_NULL(admission))
		return PTR_ERR_OR_ZERO(admission);
	describe(&admission->req, ser);
	admission->req.class = vdev->pdev->class;
	admission->req.irqs_on = irqs_on(vdev);
	rc = iox_admit(admission, IOX_ADMIT_PRESERVE);
	if (rc)
		iox_admission_free(admission);
	else
		args->private_data = admission;
	return rc;
}

static int lu_preserve(struct liveupdate_file_op_args *args)
{
	struct vfio_device *device = vfio_cdev_file_device(args->file);
	struct vfio_pci_core_device *vdev = core_of(device);
	struct vfio_pci_ser *ser;
	int rc;

	/* It stays bound as long as the file is open. */
	if (!vfio_cdev_file_is_bound(args->file))
		return -EINVAL;
	rc = check_kind(vdev->pdev);
	if (rc)
		return rc;
	ser = kho_alloc_preserve(sizeof(*ser));
	if (IS_ERR(ser))
		return PTR_ERR(ser);
	rc = preserve_device(vdev, args->session, ser);
	if (rc)
		goto free_ser;
	rc = ask_to_preserve(vdev, args, ser);
	if (rc)
		goto unpreserve;
	args->serialized_data = virt_to_phys(ser);
	return 0;

unpreserve:
	scoped_guard(mutex, &device->dev_set->lock)
		iommufd_device_unpreserve(device->iommufd_device);
free_ser:
	kho_unpreserve_free(ser);
	return rc;
}

static void lu_unpreserve(struct liveupdate_file_op_args *args)
{
	struct vfio_device *device = vfio_cdev_file_device(args->file);

	iox_admission_withdraw(args->private_data);
	iox_admission_free(args->private_data);
	scoped_guard(mutex, &device->dev_set->lock)
		iommufd_device_unpreserve(device->iommufd_device);
	kho_unpreserve_free(phys_to_virt(args->serialized_data));
}

static u32 ser_checksum(const struct vfio_pci_ser *ser)
{
	const size_t place = offsetof(struct vfio_pci_ser, checksum);
	const u32 zero = 0;
	u32 crc;

	crc = crc32c(~0, ser, place);
	crc = crc32c(crc, &zero, sizeof(zero));
	return crc32c(crc, &ser->iommufd_token,
		      sizeof(*ser) - place - sizeof(zero));
}

/* An interrupt would go to a vector that the next kernel knows nothing of. */
static int check_quiet(struct vfio_pci_core_device *vdev)
{
	if (irqs_on(vdev))
		return -EBUSY;
	guard(rwsem_read)(&vdev->memory_lock);
	if (vdev->pm_runtime_engaged || vdev->pdev->current_state != PCI_D0)
		return -EBUSY;
	return 0;
}

static int lu_freeze(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev =
		core_of(vfio_cdev_file_device(args->file));
	struct vfio_pci_ser *ser = phys_to_virt(args->serialized_data);
	struct iox_admission *admission = args->private_data;
	int rc = check_quiet(vdev);

	if (rc)
		return rc;
	rc = iox_admit(admission, IOX_ADMIT_FREEZE);
	if (rc)
		return rc;
	memcpy(ser->config, vdev->vconfig, ser->config_size);
	ser->checksum = ser_checksum(ser);
	return 0;
}

/* --- Coming back ------------------------------------------------------------ */

/* What the previous kernel wrote, or %NULL if it is not to be believed */
static struct vfio_pci_ser *checked_ser(u64 phys)
{
	struct vfio_pci_ser *ser;

	if (!kho_restorable(phys, get_order(sizeof(*ser))))
		return NULL;
	ser = phys_to_virt(phys);
	if (ser->magic != VFIO_PCI_SER_MAGIC || ser->__reserved ||
	    ser->flags & ~VFIO_PCI_SER_RESET_WORKS ||
	    ser->config_size > VFIO_PCI_SER_CONFIG_MAX ||
	    ser->checksum != ser_checksum(ser))
		return NULL;
	return ser;
}

#ifdef CONFIG_IOMMUFD_TEST
static unsigned int lu_damage;
module_param(lu_damage, uint, 0644);
MODULE_PARM_DESC(lu_damage, "1: log how many single bits of a preserved file could be damaged unseen; 2: damage one");

/* What becomes of records that are damaged on their way to this kernel? */
static void damage_ser(u64 phys)
{
	struct vfio_pci_ser *ser = phys_to_virt(phys);
	const unsigned long bits = sizeof(*ser) * BITS_PER_BYTE;
	unsigned long bit, unseen = 0;
	u8 *byte;

	for (bit = 0; lu_damage == 1 && bit < bits; bit++) {
		byte = (u8 *)ser + bit / BITS_PER_BYTE;
		*byte ^= BIT(bit % BITS_PER_BYTE);
		unseen += !!checked_ser(phys);
		*byte ^= BIT(bit % BITS_PER_BYTE);
	}
	if (lu_damage == 1)
		pr_info("%lu of %lu bits can be damaged unseen\n", unseen,
			bits);
	if (lu_damage == 2)
		ser->hwpt_token ^= 1;
}
#else
static void damage_ser(u64 phys)
{
}
#endif

static struct pci_dev *find_pci(const struct vfio_pci_ser *ser)
{
	return pci_get_domain_bus_and_slot(ser->domain, PCI_BUS_NUM(ser->bdf),
					   ser->bdf & 0xff);
}

/* The device that vfio-pci drives, held by its registration with vfio */
static struct vfio_pci_core_device *get_vdev(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *vdev;

	guard(device)(&pdev->dev);
	if (!pdev->driver || pdev->dev.driver != &vfio_pci_driver.driver)
		return ERR_PTR(-ENODEV);
	vdev = dev_get_drvdata(&pdev->dev);
	if (!vfio_device_try_get_registration(&vdev->vdev))
		return ERR_PTR(-ENODEV);
	return vdev;
}

static int check_same(const struct vfio_pci_ser *ser,
		      const struct pci_dev *pdev)
{
	return ser->vendor == pdev->vendor && ser->device == pdev->device &&
	       ser->config_size == pdev->cfg_size ? 0 : -ENODEV;
}

static struct file *open_restored(struct vfio_pci_core_device *vdev,
				  const struct vfio_pci_ser *ser,
				  struct iommufd_ctx *ictx, u32 hwpt_id)
{
	struct device *dev = &vdev->pdev->dev;
	struct file *file;
	int rc;

	rc = iommu_device_hand_over(dev, ictx);
	if (rc)
		return ERR_PTR(rc);
	file = vfio_cdev_file_restore(&vdev->vdev, ictx, hwpt_id);
	if (IS_ERR(file)) {
		iommu_device_take_back(dev);
		return file;
	}
	/* The session has the only reference to the file. */
	memcpy(vdev->vconfig, ser->config, ser->config_size);
	vdev->reset_works = ser->flags & VFIO_PCI_SER_RESET_WORKS;
	return file;
}

static struct file *restore_in(struct vfio_pci_core_device *vdev,
			       const struct vfio_pci_ser *ser,
			       struct iommufd_ctx *ictx)
{
	struct iommu_restored_info info;
	u32 hwpt_id;
	int rc;

	rc = iommu_device_get_restored(&vdev->pdev->dev, ser->device_phys,
				       &info);
	if (rc)
		return ERR_PTR(rc);
	if (!info.domain)
		return ERR_PTR(-EIO);
	if (info.attachment_id != ser->hwpt_token)
		return ERR_PTR(-EINVAL);
	rc = iommufd_ctx_find_restored(ictx, ser->hwpt_token, info.domain,
				       &hwpt_id);
	if (rc)
		return ERR_PTR(rc);
	return open_restored(vdev, ser, ictx, hwpt_id);
}

static struct file *restore_file(struct vfio_pci_core_device *vdev,
				 const struct vfio_pci_ser *ser,
				 struct liveupdate_session *session)
{
	struct iommufd_ctx *ictx;
	struct file *iommufd, *file;
	int rc;

	rc = check_same(ser, vdev->pdev);
	if (rc)
		return ERR_PTR(rc);
	rc = liveupdate_get_file_incoming(session, ser->iommufd_token,
					  &iommufd);
	if (rc)
		return ERR_PTR(rc);
	ictx = iommufd_ctx_from_file(iommufd);
	fput(iommufd);
	if (IS_ERR(ictx))
		return ERR_CAST(ictx);
	file = restore_in(vdev, ser, ictx);
	iommufd_ctx_put(ictx);
	return file;
}

static int ask_to_retrieve(struct liveupdate_file_op_args *args,
			   const struct vfio_pci_ser *ser)
{
	struct iox_admission *admission;
	int rc;

	admission = iox_admission_new(IOX_ADMIT_DEVICE, args);
	if (IS_ERR_OR_NULL(admission))
		return PTR_ERR_OR_ZERO(admission);
	describe(&admission->req, ser);
	rc = iox_admit(admission, IOX_ADMIT_RETRIEVE);
	iox_admission_free(admission);
	return rc;
}

static int lu_retrieve(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_core_device *vdev;
	struct vfio_pci_ser *ser;
	struct pci_dev *pdev;
	struct file *file;
	int rc;

	damage_ser(args->serialized_data);
	ser = checked_ser(args->serialized_data);
	if (!ser)
		return -EINVAL;
	rc = ask_to_retrieve(args, ser);
	if (rc)
		return rc;
	pdev = find_pci(ser);
	if (!pdev)
		return -ENODEV;
	vdev = get_vdev(pdev);
	pci_dev_put(pdev);
	if (IS_ERR(vdev))
		return PTR_ERR(vdev);
	file = restore_file(vdev, ser, args->session);
	vfio_device_put_registration(&vdev->vdev);
	if (IS_ERR(file))
		return PTR_ERR(file);
	args->file = file;
	return 0;
}

static void finish_device(const struct vfio_pci_ser *ser, bool retrieved)
{
	struct pci_dev *pdev = find_pci(ser);

	if (!pdev)
		return;
	if (retrieved)
		iommu_device_finish_restored(&pdev->dev);
	else
		iommu_device_discard_restored(&pdev->dev);
	pci_dev_put(pdev);
}

/* A device that nobody has retrieved is stopped. */
static void lu_finish(struct liveupdate_file_op_args *args)
{
	struct vfio_pci_ser *ser = checked_ser(args->serialized_data);

	if (args->retrieve_status > 0)
		vfio_cdev_file_finish(args->file);
	if (!ser) {
		pr_err("what was preserved of a device cannot be read, the device stays unusable\n");
		return;
	}
	finish_device(ser, args->retrieve_status > 0);
	kho_restore_free(ser);
}

static void lu_show(struct liveupdate_file_op_args *args, struct seq_file *m,
		    const char *direction)
{
	const struct vfio_pci_ser *ser;

	/* Of this kernel: not sealed yet, and to be believed. */
	ser = args->file && !args->retrieve_status ?
		      phys_to_virt(args->serialized_data) :
		      checked_ser(args->serialized_data);
	if (!ser) {
		seq_printf(m, "%s unreadable:%d\n", direction, -EINVAL);
		return;
	}
	seq_printf(m,
		   "%s device %04x:%02x:%02x.%x vendor=%#06x device=%#06x iommufd=%#llx hwpt=%#llx\n",
		   direction, ser->domain, PCI_BUS_NUM(ser->bdf),
		   PCI_SLOT(ser->bdf), PCI_FUNC(ser->bdf), ser->vendor,
		   ser->device, ser->iommufd_token, ser->hwpt_token);
}

static const struct liveupdate_file_ops lu_file_ops = {
	.can_preserve = lu_can_preserve,
	.preserve = lu_preserve,
	.unpreserve = lu_unpreserve,
	.freeze = lu_freeze,
	.retrieve = lu_retrieve,
	.finish = lu_finish,
	.show = lu_show,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler lu_handler = {
	.ops = &lu_file_ops,
	.compatible = VFIO_PCI_LUO_FH_COMPATIBLE,
};

/* Does live update know the handler? Written when the module comes only. */
static bool registered;

/**
 * vfio_pci_liveupdate_init - have live update know vfio-pci's files
 *
 * Return: 0, also when this kernel has no live update; or why not.
 */
int vfio_pci_liveupdate_init(void)
{
	int rc = liveupdate_register_file_handler(&lu_handler);

	if (rc)
		return rc == -EOPNOTSUPP ? 0 : rc;
	rc = iommu_liveupdate_register_flb(&lu_handler);
	if (rc) {
		liveupdate_unregister_file_handler(&lu_handler);
		return rc == -EOPNOTSUPP ? 0 : rc;
	}
	registered = true;
	return 0;
}

/** vfio_pci_liveupdate_exit - undo vfio_pci_liveupdate_init() */
void vfio_pci_liveupdate_exit(void)
{
	if (!registered)
		return;
	iommu_liveupdate_unregister_flb(&lu_handler);
	liveupdate_unregister_file_handler(&lu_handler);
}

MODULE_IMPORT_NS("IOMMUFD");
