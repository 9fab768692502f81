// SPDX-License-Identifier: GPL-2.0-only
/*
 * What goes to the next kernel: domains, devices, and the IOMMUs between them.
 *
 * Everything is undone in reverse, by what undoes each, or not at all if the kernel jumps. From the jump on nothing is
 * allocated and nothing fails; sealing the state with a checksum is the last that happens to it.
 */
#include <linux/export.h>
#include <linux/generic_pt/iommu.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/ktime.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "../iommu-priv.h"
#include "liveupdate.h"
#include "test.h"

/**
 * struct outgoing - Live object of the FLB
 * @state: What is handed over
 * @domains: struct iommu_domain_ser by the address of the struct iommu_domain
 */
struct outgoing {
	struct iommu_lu_state state;
	struct xarray domains;
};

/* Protects @outgoing and all that hangs off it. */
DEFINE_MUTEX(iommu_lu_outgoing_lock);
static struct outgoing *outgoing;

int iommu_lu_outgoing_begin(u64 *data, void **obj)
{
	struct outgoing *out __free(kfree) = kzalloc_obj(*out);
	struct iommu_flb_ser *ser;

	if (!out)
		return -ENOMEM;
	ser = iommu_lu_alloc_page();
	if (IS_ERR(ser))
		return PTR_ERR(ser);
	iommu_lu_state_init(&out->state, ser);
	xa_init(&out->domains);

	*data = virt_to_phys(ser);
	*obj = out;
	guard(mutex)(&iommu_lu_outgoing_lock);
	outgoing = no_free_ptr(out);
	return 0;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_outgoing_begin);

void iommu_lu_outgoing_end(void *obj)
{
	struct outgoing *out = obj;

	guard(mutex)(&iommu_lu_outgoing_lock);
	WARN_ON(!xa_empty(&out->domains));
	outgoing = NULL;
	for (int i = 0; i < IOMMU_LU_NR_ARRAYS; i++)
		iommu_lu_array_unpreserve(&out->state.arrays[i]);
	iommu_lu_free_page(out->state.ser);
	xa_destroy(&out->domains);
	kfree(out);
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_outgoing_end);

/* Count and sum up. Nothing changes any more: user space is gone, or about to. */
void iommu_lu_outgoing_freeze(void *obj)
{
	struct outgoing *out = obj;
	struct iommu_flb_check_ser *check = iommu_lu_check(&out->state);

	guard(mutex)(&iommu_lu_outgoing_lock);
	check->magic = IOMMU_FLB_CHECK_MAGIC;
	for (int i = 0; i < IOMMU_LU_NR_ARRAYS; i++) {
		const struct iommu_lu_array *array = &out->state.arrays[i];
		u64 nr_objects = 0;

		if (array->last)
			nr_objects = (array->nr_pages - 1) * iommu_lu_array_max(array) + array->last->nr_objects;
		check->arrays[i] = (struct iommu_array_check_ser){
			.nr_pages = array->nr_pages,
			.nr_objects = nr_objects,
			.checksum = iommu_lu_array_checksum(array),
		};
	}
	check->checksum = iommu_lu_state_checksum(&out->state);
	iommu_lu_test_frozen(&out->state);
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_outgoing_freeze);

/* Whether there is anything that goes to the next kernel. */
bool iommu_lu_outgoing_any(void)
{
	guard(mutex)(&iommu_lu_outgoing_lock);
	return outgoing;
}

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE_TEST)
/* The jump: what is preserved belongs to the next kernel. */
void iommu_lu_outgoing_forget(void)
{
	guard(mutex)(&iommu_lu_outgoing_lock);
	xa_destroy(&outgoing->domains);
	kfree(outgoing);
	outgoing = NULL;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_outgoing_forget);
#endif

void iommu_lu_outgoing_show(struct seq_file *m, iommu_lu_show_fn show)
{
	guard(mutex)(&iommu_lu_outgoing_lock);
	if (outgoing)
		show(m, "outgoing", &outgoing->state);
}

static struct iommu_domain_ser *find_domain(struct iommu_domain *domain)
{
	lockdep_assert_held(&iommu_lu_outgoing_lock);
	return outgoing ? xa_load(&outgoing->domains, (unsigned long)domain) : NULL;
}

static int domain_preserve_locked(struct iommu_domain *domain, u64 *domain_phys)
{
	struct iommu_lu_array *array = &outgoing->state.arrays[IOMMU_LU_DOMAIN];
	struct pt_iommu *pt = iommupt_from_domain(domain);
	u64 start = ktime_get_ns();
	struct iommu_domain_ser *ser;
	unsigned long nr_pages;
	int ret;

	ser = iommu_lu_array_add(array);
	if (IS_ERR(ser))
		return PTR_ERR(ser);
	ret = xa_insert(&outgoing->domains, (unsigned long)domain, ser, GFP_KERNEL);
	if (ret)
		goto err_del;
	ret = pt->ops->preserve(pt, ser, &nr_pages);
	if (ret)
		goto err_erase;

	*domain_phys = virt_to_phys(ser);
	iommu_lu_stats_out.domains++;
	iommu_lu_stats_out.tables += nr_pages;
	iommu_lu_stats_out.domains_ns += ktime_get_ns() - start;
	return 0;

err_erase:
	xa_erase(&outgoing->domains, (unsigned long)domain);
err_del:
	iommu_lu_array_del(array, ser);
	return ret;
}

/**
 * iommu_domain_can_preserve - Ask whether a domain's page table could be handed over to the next kernel
 * @domain: The domain
 *
 * Return: 0, or -EOPNOTSUPP if this kind of domain cannot be restored.
 */
int iommu_domain_can_preserve(struct iommu_domain *domain)
{
	const struct iommu_liveupdate_ops *ops;

	if (!iommupt_from_domain(domain) || domain->type != IOMMU_DOMAIN_UNMANAGED || !domain->owner)
		return -EOPNOTSUPP;
	ops = domain->owner->liveupdate_ops;
	if (!ops || (ops->can_preserve && !ops->can_preserve(domain)))
		return -EOPNOTSUPP;
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_domain_can_preserve);

/**
 * iommu_domain_preserve - Hand the page table of a domain over to the next kernel
 * @domain: A paging domain of a user's. It may not be mapped to or unmapped from until it is unpreserved.
 * @domain_phys: Set to the name of the domain for the next kernel
 *
 * Context: While a file is or is just being preserved whose handler has called iommu_liveupdate_register_flb().
 * Return: 0, -EOPNOTSUPP if this kind of domain cannot be restored, -EBUSY if it is preserved already, or -ENOMEM.
 */
int iommu_domain_preserve(struct iommu_domain *domain, u64 *domain_phys)
{
	int ret = iommu_domain_can_preserve(domain);

	if (ret)
		return ret;
	guard(mutex)(&iommu_lu_outgoing_lock);
	if (!outgoing)
		return -ENOENT;
	if (find_domain(domain))
		return -EBUSY;
	return domain_preserve_locked(domain, domain_phys);
}
EXPORT_SYMBOL_GPL(iommu_domain_preserve);

/**
 * iommu_domain_unpreserve - Undo iommu_domain_preserve()
 * @domain: The domain. No preserved device may be attached to it any more.
 */
void iommu_domain_unpreserve(struct iommu_domain *domain)
{
	struct pt_iommu *pt = iommupt_from_domain(domain);
	struct iommu_domain_ser *ser;

	guard(mutex)(&iommu_lu_outgoing_lock);
	ser = find_domain(domain);
	if (WARN_ON(!ser || ser->obj.ref_count != 1))
		return;
	pt->ops->unpreserve(pt);
	xa_erase(&outgoing->domains, (unsigned long)domain);
	iommu_lu_array_del(&outgoing->state.arrays[IOMMU_LU_DOMAIN], ser);
}
EXPORT_SYMBOL_GPL(iommu_domain_unpreserve);

/**
 * iommu_domain_preserved_devices - Count the preserved devices that are attached to a preserved domain
 * @domain: The domain
 *
 * A domain without one cannot be restored, since a device leads to the IOMMU driver that has to do it.
 *
 * Return: their number, 0 for a domain that is not preserved.
 */
unsigned int iommu_domain_preserved_devices(struct iommu_domain *domain)
{
	struct iommu_domain_ser *ser;

	guard(mutex)(&iommu_lu_outgoing_lock);
	ser = find_domain(domain);
	return ser ? ser->obj.ref_count - 1 : 0;
}
EXPORT_SYMBOL_GPL(iommu_domain_preserved_devices);

/**
 * iommu_domain_preserved_bytes - How large is the page table of a preserved domain?
 * @domain: The domain
 *
 * Return: bytes of its tables, the topmost counted as one page; 0 for a domain that is not preserved.
 */
u64 iommu_domain_preserved_bytes(struct iommu_domain *domain)
{
	struct iommu_domain_ser *ser;

	guard(mutex)(&iommu_lu_outgoing_lock);
	ser = find_domain(domain);
	return ser ? (upper_32_bits(ser->restored_domain) + 1ULL) << PAGE_SHIFT : 0;
}
EXPORT_SYMBOL_GPL(iommu_domain_preserved_bytes);

static struct iommu_hw_ser *hw_get(struct iommu_device *iommu, const struct iommu_liveupdate_ops *ops)
{
	struct iommu_lu_array *array = &outgoing->state.arrays[IOMMU_LU_HW];
	u64 token = ops->hw_token(iommu);
	struct iommu_array_hdr_ser *page;
	struct iommu_hw_ser *hw;
	u64 index;

	iommu_lu_for_each(array, hw, page, index) {
		if (hw->type != ops->hw_type || hw->token != token)
			continue;
		hw->obj.ref_count++;
		return hw;
	}

	hw = iommu_lu_array_add(array);
	if (IS_ERR(hw))
		return hw;
	hw->type = ops->hw_type;
	hw->token = token;
	return hw;
}

static void hw_put(struct iommu_hw_ser *hw)
{
	if (!--hw->obj.ref_count)
		iommu_lu_array_del(&outgoing->state.arrays[IOMMU_LU_HW], hw);
}

struct preserve_args {
	struct iommu_domain *domain;
	u64 attachment_id;
	u64 device_phys;
};

static int fill_device(struct device *dev, struct iommu_domain *domain, struct iommu_domain_ser *domain_ser,
		       struct iommu_device_ser *ser)
{
	const struct iommu_liveupdate_ops *ops = dev_iommu_ops(dev)->liveupdate_ops;
	struct pci_dev *pdev = to_pci_dev(dev);
	struct iommu_hw_ser *hw;
	int ret;

	hw = hw_get(dev->iommu->iommu_dev, ops);
	if (IS_ERR(hw))
		return PTR_ERR(hw);
	ret = ops->can_preserve_device ? ops->can_preserve_device(dev, domain) : 0;
	if (!ret)
		ret = ops->preserve_device(dev, domain);
	if (ret) {
		hw_put(hw);
		return ret;
	}

	ser->devid = pci_dev_id(pdev);
	ser->pci_domain_nr = pci_domain_nr(pdev->bus);
	ser->map.domain_phys = virt_to_phys(domain_ser);
	ser->map.iommu_phys = virt_to_phys(hw);
	domain_ser->obj.ref_count++;
	return 0;
}

/* The group's mutex is held: the device stays attached as it is. */
static int device_preserve_locked(struct device *dev, void *arg)
{
	struct preserve_args *args = arg;
	struct iommu_liveupdate_dev *lu __free(kfree) = kzalloc_obj(*lu);
	u64 start = ktime_get_ns();
	struct iommu_domain_ser *domain_ser;
	struct iommu_lu_array *array;
	int ret;

	if (!lu)
		return -ENOMEM;
	guard(mutex)(&iommu_lu_outgoing_lock);
	if (dev->iommu->liveupdate)
		return -EBUSY;
	domain_ser = find_domain(args->domain);
	if (!domain_ser)
		return -ENOENT;

	array = &outgoing->state.arrays[IOMMU_LU_DEVICE];
	lu->dev = dev;
	lu->domain = args->domain;
	lu->ser = iommu_lu_array_add(array);
	if (IS_ERR(lu->ser))
		return PTR_ERR(lu->ser);
	ret = fill_device(dev, args->domain, domain_ser, lu->ser);
	if (ret) {
		iommu_lu_array_del(array, lu->ser);
		return ret;
	}

	lu->ser->map.attachment_id = args->attachment_id;
	args->device_phys = virt_to_phys(lu->ser);
	dev->iommu->liveupdate = no_free_ptr(lu);
	iommu_lu_stats_out.devices++;
	iommu_lu_stats_out.devices_ns += ktime_get_ns() - start;
	return 0;
}

static int alias_is_other(struct pci_dev *pdev, u16 alias, void *data)
{
	return alias != pci_dev_id(data);
}

/* Whether the next kernel will find the device where it is now, with all its requests coming from there. */
static bool stays_in_place(struct pci_dev *pdev)
{
	if (pdev->is_virtfn || pci_num_vf(pdev) || pci_real_dma_dev(pdev) != pdev)
		return false;
	return !pci_for_each_dma_alias(pdev, alias_is_other, pdev);
}

static int can_preserve_locked(struct device *dev, void *arg)
{
	const struct iommu_liveupdate_ops *ops = dev_iommu_ops(dev)->liveupdate_ops;
	const struct preserve_args *args = arg;

	return ops->can_preserve_device ? ops->can_preserve_device(dev, args->domain) : 0;
}

static int check_device(struct device *dev, struct iommu_domain *domain)
{
	if (!dev_is_pci(dev) || !dev->iommu_group || !dev->iommu || !dev->iommu->iommu_dev)
		return -EOPNOTSUPP;
	if (!dev_iommu_ops(dev)->liveupdate_ops || domain->owner != dev_iommu_ops(dev) ||
	    !stays_in_place(to_pci_dev(dev)))
		return -EOPNOTSUPP;
	return 0;
}

/**
 * iommu_device_can_preserve - Ask what iommu_device_preserve() would say about a device
 * @dev: A device
 * @domain: What it is attached to, whether preserved or not
 *
 * Context: Takes the mutex of the device's group.
 * Return: 0; -EBUSY if it is preserved already; or as iommu_device_preserve(), apart from want of memory.
 */
int iommu_device_can_preserve(struct device *dev, struct iommu_domain *domain)
{
	struct preserve_args args = { .domain = domain };
	int ret = check_device(dev, domain);

	if (ret)
		return ret;
	if (iommu_device_is_preserved(dev))
		return -EBUSY;
	return iommu_group_call_attached(dev, domain, can_preserve_locked, &args);
}
EXPORT_SYMBOL_GPL(iommu_device_can_preserve);

/**
 * iommu_device_preserve - Let a device go on with its DMA while the kernel is replaced
 * @dev: A PCI device, alone in its group
 * @domain: What the device is attached to. It has to be preserved already.
 * @attachment_id: For the caller, to find again in the next kernel
 * @device_phys: Set to the name of the device's record for the next kernel
 *
 * From now on until it is unpreserved the device must stay attached as it is. On the jump, it and the bridges above it
 * remain bus masters.
 *
 * Context: As iommu_domain_preserve(). Takes the mutex of the device's group.
 * Return: 0; -ENOENT if @domain is not preserved; -EBUSY if the device is; -EINVAL if it is not attached to @domain;
 * -EOPNOTSUPP if it shares a group, has a PASID attached, is or has a virtual function, issues requests under another
 * address, or the IOMMU driver has to decline; -ENOMEM.
 */
int iommu_device_preserve(struct device *dev, struct iommu_domain *domain, u64 attachment_id, u64 *device_phys)
{
	struct preserve_args args = { .domain = domain, .attachment_id = attachment_id };
	int ret = check_device(dev, domain);

	if (ret)
		return ret;
	if (iommu_lu_test_attached(dev))
		ret = device_preserve_locked(dev, &args);
	else
		ret = iommu_group_call_attached(dev, domain, device_preserve_locked, &args);
	if (!ret)
		*device_phys = args.device_phys;
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_device_preserve);

/**
 * iommu_device_unpreserve - Undo iommu_device_preserve()
 * @dev: The device
 */
void iommu_device_unpreserve(struct device *dev)
{
	struct iommu_liveupdate_dev *lu;
	struct iommu_domain_ser *domain_ser;

	guard(mutex)(&iommu_lu_outgoing_lock);
	lu = dev->iommu->liveupdate;
	if (WARN_ON(!lu || lu->incoming))
		return;

	dev_iommu_ops(dev)->liveupdate_ops->unpreserve_device(dev, lu->domain);
	domain_ser = phys_to_virt(lu->ser->map.domain_phys);
	domain_ser->obj.ref_count--;
	hw_put(phys_to_virt(lu->ser->map.iommu_phys));
	iommu_lu_array_del(&outgoing->state.arrays[IOMMU_LU_DEVICE], lu->ser);
	dev->iommu->liveupdate = NULL;
	kfree(lu);
}
EXPORT_SYMBOL_GPL(iommu_device_unpreserve);

/**
 * iommu_device_is_preserved - Ask whether a device is preserved for the next kernel
 * @dev: Any device
 */
bool iommu_device_is_preserved(struct device *dev)
{
	struct dev_iommu *iommu = dev->iommu;

	return iommu && iommu->liveupdate && !iommu->liveupdate->incoming;
}
EXPORT_SYMBOL_GPL(iommu_device_is_preserved);
