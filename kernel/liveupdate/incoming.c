// SPDX-License-Identifier: GPL-2.0-only
/*
 * What came from the previous kernel.
 *
 * A record is believed once it is verified (verify.c). Then, in this order: the IOMMU driver adopts its tables, and asks
 * here which devices they may have; each such device, when it is probed, gets the restored domain and is held for its
 * session; the session's files take domain and device over, or discard them.
 *
 * A device whose record is wrong is isolated: no bus master any more, no translation, and still held until its session is
 * finished. If it cannot even be known which devices are at work, the kernel stops.
 */
#define pr_fmt(fmt) "iommu: live update: " fmt

#include <linux/export.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/kexec_handover.h>
#include <linux/liveupdate.h>
#include <linux/mm.h>
#include <linux/panic.h>
#include <linux/pci.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>

#include "../iommu-pages.h"
#include "../iommu-priv.h"
#include "liveupdate.h"
#include "test.h"

/**
 * struct incoming - Live object of the FLB
 * @state: What was handed over
 * @devices: All struct iommu_liveupdate_dev
 * @unknown: All struct unknown_device
 */
struct incoming {
	struct iommu_lu_state state;
	struct list_head devices;
	struct list_head unknown;
};

/**
 * struct unknown_device - A device that was at work, and has no record that can be believed
 * @list: Entry of @unknown in struct incoming
 * @ser: What takes the place of its record: a bad one
 */
struct unknown_device {
	struct list_head list;
	struct iommu_device_ser ser;
};

/* Protects @incoming and all that hangs off it. */
static DEFINE_MUTEX(incoming_lock);
static struct incoming *incoming;

/* The head of an array that is as good as empty. */
static u64 no_pages;

static void restore_page(u64 phys)
{
	WARN_ON(!iommu_restore_pages(phys, PAGE_SIZE));
}

static void free_page_at(u64 phys)
{
	iommu_free_pages(phys_to_virt(phys));
}

/* Calls @fn for every page, which may free it. */
static void with_all_pages(struct iommu_lu_state *state, void (*fn)(u64 phys))
{
	for (int i = 0; i < IOMMU_LU_NR_ARRAYS; i++) {
		u64 phys = *state->arrays[i].headp;

		while (phys) {
			struct iommu_array_hdr_ser *page = phys_to_virt(phys);
			u64 next = page->next_array_phys;

			fn(phys);
			phys = next;
		}
	}
	fn(virt_to_phys(state->ser));
}

int iommu_lu_incoming_begin(u64 data, void **obj)
{
	struct incoming *in __free(kfree) = kzalloc_obj(*in);
	const char *why;
	int ret;

	if (!in)
		panic("iommu: live update: out of memory while devices are at work\n");
	INIT_LIST_HEAD(&in->devices);
	INIT_LIST_HEAD(&in->unknown);

	ret = iommu_lu_verify(data, &in->state, &why);
	if (ret == -EUCLEAN) {
		pr_err("no device's record can be believed: %s\n", why);
		in->state.arrays[IOMMU_LU_DEVICE].headp = &no_pages;
		in->state.arrays[IOMMU_LU_DEVICE].last = NULL;
	} else if (ret) {
		panic("iommu: live update: the memory that devices use cannot be known: %s\n", why);
	}
	with_all_pages(&in->state, restore_page);

	*obj = in;
	guard(mutex)(&incoming_lock);
	incoming = no_free_ptr(in);
	return 0;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_incoming_begin);

/**
 * iommu_liveupdate_incoming - Ask whether the previous kernel left something
 *
 * The first who asks has it all verified.
 */
bool iommu_liveupdate_incoming(void)
{
	void *obj;

	if (liveupdate_flb_get_incoming(&iommu_lu_flb, &obj))
		return false;
	/* The files that are not finished keep it alive. */
	liveupdate_flb_put_incoming(&iommu_lu_flb);
	return true;
}

/* An IOMMU that was left translating. */
struct iommu_hw_ser *iommu_liveupdate_find_hw(u64 type, u64 token)
{
	struct iommu_array_hdr_ser *page;
	struct iommu_hw_ser *hw;
	u64 index;

	guard(mutex)(&incoming_lock);
	if (!incoming)
		return NULL;
	iommu_lu_for_each(&incoming->state.arrays[IOMMU_LU_HW], hw, page, index) {
		if (hw->type == type && hw->token == token)
			return hw;
	}
	return NULL;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_liveupdate_find_hw);

static struct iommu_device_ser *find_device(u32 pci_domain_nr, u32 devid)
{
	struct iommu_array_hdr_ser *page;
	struct unknown_device *unknown;
	struct iommu_device_ser *ser;
	u64 index;

	lockdep_assert_held(&incoming_lock);
	if (!incoming)
		return NULL;
	iommu_lu_for_each(&incoming->state.arrays[IOMMU_LU_DEVICE], ser, page, index) {
		if (ser->pci_domain_nr == pci_domain_nr && ser->devid == devid)
			return ser;
	}
	list_for_each_entry(unknown, &incoming->unknown, list) {
		if (unknown->ser.pci_domain_nr == pci_domain_nr && unknown->ser.devid == devid)
			return &unknown->ser;
	}
	return NULL;
}

/* A device that the tables of @hw may translate for, and to what. */
struct iommu_device_ser *iommu_liveupdate_find_device(struct iommu_hw_ser *hw, u32 pci_domain_nr, u32 devid,
						      struct iommu_domain_ser **domain_ser)
{
	struct iommu_device_ser *ser;

	guard(mutex)(&incoming_lock);
	ser = find_device(pci_domain_nr, devid);
	if (!ser || ser->map.iommu_phys != virt_to_phys(hw) || !ser->map.domain_phys)
		return NULL;
	*domain_ser = phys_to_virt(ser->map.domain_phys);
	return ser;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_liveupdate_find_device);

/* The driver has made the tables of @hw its own. */
void iommu_liveupdate_adopted(struct iommu_hw_ser *hw)
{
	guard(mutex)(&incoming_lock);
	hw->obj.incoming = 1;
	iommu_lu_stats_in.owned_ns = local_clock();
	pr_info("IOMMU at %#llx verified and owned %llu us after boot\n", hw->token,
		iommu_lu_stats_in.owned_ns / NSEC_PER_USEC);
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_liveupdate_adopted);

static void stop_device(u32 pci_domain_nr, u32 devid)
{
	struct pci_dev *pdev = pci_get_domain_bus_and_slot(pci_domain_nr, PCI_BUS_NUM(devid), devid & 0xff);

	if (!pdev)
		return;
	pci_clear_master(pdev);
	pci_dev_put(pdev);
}

/* A record without a domain is a bad one. */
static void isolate(struct iommu_device_ser *ser, const char *why)
{
	stop_device(ser->pci_domain_nr, ser->devid);
	ser->map.domain_phys = 0;
	pr_err("%04x:%02x:%02x.%x isolated: %s\n", ser->pci_domain_nr, PCI_BUS_NUM(ser->devid), PCI_SLOT(ser->devid),
	       PCI_FUNC(ser->devid), why);
}

static struct iommu_device_ser *add_unknown(u32 pci_domain_nr, u32 devid)
{
	struct unknown_device *unknown = kzalloc_obj(*unknown);

	if (!unknown)
		panic("iommu: live update: out of memory while devices are at work\n");
	unknown->ser.pci_domain_nr = pci_domain_nr;
	unknown->ser.devid = devid;
	list_add_tail(&unknown->list, &incoming->unknown);
	return &unknown->ser;
}

/* The driver has found something wrong with a device that its tables have. It sees to these itself. */
void iommu_liveupdate_isolate(u32 pci_domain_nr, u32 devid, const char *why)
{
	guard(mutex)(&incoming_lock);
	isolate(find_device(pci_domain_nr, devid) ?: add_unknown(pci_domain_nr, devid), why);
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_liveupdate_isolate);

/* All devices behind an IOMMU whose tables cannot be adopted. */
void iommu_liveupdate_isolate_hw(u64 type, u64 token, const char *why)
{
	struct iommu_array_hdr_ser *page;
	struct iommu_device_ser *ser;
	u64 index;

	guard(mutex)(&incoming_lock);
	if (!incoming)
		return;
	iommu_lu_for_each(&incoming->state.arrays[IOMMU_LU_DEVICE], ser, page, index) {
		struct iommu_hw_ser *hw = phys_to_virt(ser->map.iommu_phys);

		if (ser->map.domain_phys && hw->type == type && hw->token == token)
			isolate(ser, why);
	}
}

/* All devices whose IOMMU has not come up. */
void iommu_liveupdate_isolate_all(const char *why)
{
	struct iommu_array_hdr_ser *page;
	struct iommu_device_ser *ser;
	u64 index;

	guard(mutex)(&incoming_lock);
	if (!incoming)
		return;
	iommu_lu_for_each(&incoming->state.arrays[IOMMU_LU_DEVICE], ser, page, index) {
		struct iommu_hw_ser *hw = phys_to_virt(ser->map.iommu_phys);

		if (ser->map.domain_phys && !hw->obj.incoming)
			isolate(ser, why);
	}
}

/*
 * Something was left behind that this kernel cannot read, because it is another version's or live update is off. Which
 * devices are at work is not known, so all are stopped. No driver has one yet; those that get one become bus masters again.
 */
void iommu_liveupdate_isolate_unknown(void)
{
	const char *name = liveupdate_flb_incoming_name(IOMMU_LIVEUPDATE_FLB_PREFIX);
	struct pci_dev *pdev = NULL;
	static bool done;

	if (done)
		return;
	done = true;
	if (name ? liveupdate_enabled() && !strcmp(name, iommu_lu_flb.compatible) :
		   !is_kho_boot() || liveupdate_enabled())
		return;
	for_each_pci_dev(pdev) {
		if (!pdev->driver && !pdev->subordinate)
			pci_clear_master(pdev);
	}
	if (name)
		pr_err("all devices stopped: the previous kernel left %s, which cannot be used\n", name);
}

static int __init iommu_liveupdate_check(void)
{
	iommu_liveupdate_isolate_unknown();
	if (iommu_liveupdate_incoming())
		iommu_liveupdate_isolate_all("its IOMMU is not in use");
	return 0;
}
device_initcall(iommu_liveupdate_check);

/* For iommu.c: whether @dev came from the previous kernel and has not been set up. */
bool iommu_liveupdate_find(struct device *dev)
{
	struct iommu_device_ser *ser;

	if (!READ_ONCE(incoming) || !dev_is_pci(dev))
		return false;
	guard(mutex)(&incoming_lock);
	ser = find_device(pci_domain_nr(to_pci_dev(dev)->bus), pci_dev_id(to_pci_dev(dev)));
	return ser && !ser->obj.incoming;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_liveupdate_find);

/* What has become of a domain, NULL if nothing yet, or if it could not be restored. */
static struct iommu_lu_domain *lu_domain_of(const struct iommu_domain_ser *ser)
{
	return ser->obj.incoming ? (void *)ser->restored_domain : NULL;
}

static struct iommu_lu_domain *restore_domain(struct device *dev, struct iommu_domain_ser *ser)
{
	struct iommu_lu_domain *lu_domain __free(kfree) = NULL;
	u64 start = local_clock();
	struct iommu_domain *domain;
	unsigned long nr_pages;

	/* A failed attempt may have used up part of the pages. */
	if (ser->obj.incoming)
		return lu_domain_of(ser) ?: ERR_PTR(-EUCLEAN);

	lu_domain = kzalloc_obj(*lu_domain);
	if (!lu_domain)
		return ERR_PTR(-ENOMEM);
	domain = dev_iommu_ops(dev)->liveupdate_ops->restore_domain(dev, ser, &nr_pages);
	ser->obj.incoming = 1;
	ser->restored_domain = 0;
	if (IS_ERR(domain))
		return ERR_CAST(domain);

	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->owner = dev_iommu_ops(dev);
	lu_domain->domain = domain;
	ser->restored_domain = (u64)lu_domain;
	iommu_lu_stats_in.domains++;
	iommu_lu_stats_in.tables += nr_pages;
	iommu_lu_stats_in.domains_ns += local_clock() - start;
	return no_free_ptr(lu_domain);
}

static struct iommu_domain *restore_device(struct device *dev, struct iommu_device_ser *ser, bool alone)
{
	const struct iommu_liveupdate_ops *ops = dev_iommu_ops(dev)->liveupdate_ops;
	struct iommu_hw_ser *hw = phys_to_virt(ser->map.iommu_phys);
	struct iommu_lu_domain *lu_domain;
	u64 start;
	int ret;

	if (!ser->map.domain_phys)
		return ERR_PTR(-EUCLEAN);
	if (!alone)
		return ERR_PTR(-EXDEV);
	if (!ops || !hw->obj.incoming || hw->type != ops->hw_type ||
	    hw->token != ops->hw_token(dev->iommu->iommu_dev))
		return ERR_PTR(-ENODEV);

	lu_domain = restore_domain(dev, phys_to_virt(ser->map.domain_phys));
	if (IS_ERR(lu_domain))
		return ERR_CAST(lu_domain);
	start = local_clock();
	ret = ops->attach_restored(lu_domain->domain, dev);
	if (ret)
		return ERR_PTR(ret);
	iommu_lu_stats_in.devices++;
	iommu_lu_stats_in.devices_ns += local_clock() - start;
	lu_domain->nr_devices++;
	return lu_domain->domain;
}

/**
 * iommu_liveupdate_attach - For iommu.c: bring a device back to what it was attached to
 * @dev: A device for which iommu_liveupdate_find() said yes
 * @alone: It is the only one in its group
 *
 * Return: the domain; an error if the device had to be isolated.
 */
struct iommu_domain *iommu_liveupdate_attach(struct device *dev, bool alone)
{
	const struct iommu_liveupdate_ops *ops = dev_iommu_ops(dev)->liveupdate_ops;
	struct iommu_liveupdate_dev *lu = kzalloc_obj(*lu);
	struct iommu_device_ser *ser;
	struct iommu_domain *domain;

	guard(mutex)(&incoming_lock);
	ser = find_device(pci_domain_nr(to_pci_dev(dev)->bus), pci_dev_id(to_pci_dev(dev)));
	ser->obj.incoming = 1;
	domain = lu ? restore_device(dev, ser, alone) : ERR_PTR(-ENOMEM);
	if (IS_ERR(domain)) {
		if (ser->map.domain_phys)
			isolate(ser, "it cannot be attached as it was");
		if (ops)
			ops->isolate(dev);
		dev_err(dev, "live update failed (%pe)\n", domain);
	}
	if (lu) {
		lu->dev = dev;
		lu->ser = ser;
		lu->incoming = true;
		lu->domain = IS_ERR(domain) ? NULL : domain;
		list_add_tail(&lu->list, &incoming->devices);
		dev->iommu->liveupdate = lu;
	}
	return domain;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_liveupdate_attach);

static struct iommu_lu_domain *find_lu_domain(struct iommu_domain *domain)
{
	struct iommu_array_hdr_ser *page;
	struct iommu_domain_ser *ser;
	u64 index;

	lockdep_assert_held(&incoming_lock);
	if (!incoming)
		return NULL;
	iommu_lu_for_each(&incoming->state.arrays[IOMMU_LU_DOMAIN], ser, page, index) {
		struct iommu_lu_domain *lu_domain = lu_domain_of(ser);

		if (lu_domain && lu_domain->domain == domain)
			return lu_domain;
	}
	return NULL;
}

static void put_domain(struct iommu_domain *domain)
{
	struct iommu_lu_domain *lu_domain = find_lu_domain(domain);

	if (--lu_domain->nr_devices || !lu_domain->discarded)
		return;
	iommu_domain_free(lu_domain->domain);
	lu_domain->domain = NULL;
}

/* For iommu.c: the heir has attached the domain. From here on the one who attached it keeps the domain alive. */
void iommu_liveupdate_taken(struct device *dev)
{
	struct iommu_liveupdate_dev *lu;

	guard(mutex)(&incoming_lock);
	lu = dev->iommu->liveupdate;
	if (lu->taken)
		return;
	lu->taken = true;
	put_domain(lu->domain);
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_liveupdate_taken);

/**
 * iommu_domain_claim_restored - Take a restored domain over
 * @domain_phys: As iommu_domain_preserve() said in the previous kernel
 *
 * The caller owns the domain, and frees it with iommu_domain_free(), but not while iommu_domain_restored_in_use().
 *
 * Context: Before the caller's file is finished.
 * Return: the domain; -EINVAL if there is no such record, -EBUSY if somebody has claimed it, -ENODEV if no device
 * came back with it.
 */
struct iommu_domain *iommu_domain_claim_restored(u64 domain_phys)
{
	struct iommu_lu_domain *lu_domain;
	struct iommu_domain_ser *ser;

	guard(mutex)(&incoming_lock);
	ser = incoming ? iommu_lu_array_at(&incoming->state.arrays[IOMMU_LU_DOMAIN], domain_phys) : NULL;
	if (!ser)
		return ERR_PTR(-EINVAL);
	lu_domain = lu_domain_of(ser);
	if (!lu_domain || lu_domain->discarded || !lu_domain->nr_devices)
		return ERR_PTR(-ENODEV);
	if (lu_domain->claimed)
		return ERR_PTR(-EBUSY);
	lu_domain->claimed = true;
	return lu_domain->domain;
}
EXPORT_SYMBOL_GPL(iommu_domain_claim_restored);

/**
 * iommu_domain_unclaim_restored - Give a claimed domain back
 * @domain: The domain, as it was when it was claimed
 */
void iommu_domain_unclaim_restored(struct iommu_domain *domain)
{
	struct iommu_lu_domain *lu_domain;

	guard(mutex)(&incoming_lock);
	lu_domain = find_lu_domain(domain);
	if (!WARN_ON(!lu_domain))
		lu_domain->claimed = false;
}
EXPORT_SYMBOL_GPL(iommu_domain_unclaim_restored);

/**
 * iommu_domain_discard_restored - Say that nobody is going to claim a domain
 * @domain_phys: As for iommu_domain_claim_restored(); no such record is fine
 *
 * The domain is freed together with its last device, or now if that is gone.
 */
void iommu_domain_discard_restored(u64 domain_phys)
{
	struct iommu_lu_domain *lu_domain;
	struct iommu_domain_ser *ser;

	guard(mutex)(&incoming_lock);
	ser = incoming ? iommu_lu_array_at(&incoming->state.arrays[IOMMU_LU_DOMAIN], domain_phys) : NULL;
	lu_domain = ser ? lu_domain_of(ser) : NULL;
	if (!lu_domain || lu_domain->discarded || WARN_ON(lu_domain->claimed))
		return;
	lu_domain->discarded = true;
	if (lu_domain->nr_devices)
		return;
	iommu_domain_free(lu_domain->domain);
	lu_domain->domain = NULL;
}
EXPORT_SYMBOL_GPL(iommu_domain_discard_restored);

/**
 * iommu_domain_restored_in_use - Ask whether devices use a domain that their heirs have not attached yet
 * @domain: Any domain
 */
bool iommu_domain_restored_in_use(struct iommu_domain *domain)
{
	struct iommu_lu_domain *lu_domain;

	if (!READ_ONCE(incoming))
		return false;
	guard(mutex)(&incoming_lock);
	lu_domain = find_lu_domain(domain);
	return lu_domain && lu_domain->nr_devices;
}
EXPORT_SYMBOL_GPL(iommu_domain_restored_in_use);

/**
 * iommu_device_get_restored - Ask what a device came with
 * @dev: The device
 * @device_phys: As iommu_device_preserve() said in the previous kernel
 * @info: Filled in
 *
 * Return: 0, -ENODEV if @dev did not come over the kexec, or is finished; -EINVAL if the record is another device's.
 */
int iommu_device_get_restored(struct device *dev, u64 device_phys, struct iommu_restored_info *info)
{
	struct iommu_liveupdate_dev *lu;

	guard(mutex)(&incoming_lock);
	lu = dev->iommu ? dev->iommu->liveupdate : NULL;
	if (!lu || !lu->incoming)
		return -ENODEV;
	if (virt_to_phys(lu->ser) != device_phys)
		return -EINVAL;
	info->attachment_id = lu->ser->map.attachment_id;
	info->domain_phys = lu->ser->map.domain_phys;
	info->domain = lu->domain;
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_device_get_restored);

/**
 * iommu_device_hand_over - Name who may claim a restored device
 * @dev: The device
 * @owner: Who will call iommu_device_claim_dma_owner(), and then attach the domain that is attached already
 *
 * Return: 0, or -EBUSY if somebody has the device, or it is isolated.
 */
int iommu_device_hand_over(struct device *dev, void *owner)
{
	if (!iommu_device_is_restored(dev))
		return -EBUSY;
	return iommu_group_set_heir(dev, owner);
}
EXPORT_SYMBOL_GPL(iommu_device_hand_over);

/**
 * iommu_device_take_back - Undo iommu_device_hand_over()
 * @dev: The device, which the owner has not claimed, or released without having attached anything
 */
void iommu_device_take_back(struct device *dev)
{
	WARN_ON(iommu_device_is_restored(dev) && iommu_group_set_heir(dev, NULL));
}
EXPORT_SYMBOL_GPL(iommu_device_take_back);

/* Ends the journey of a device: nothing about it is special any more. */
static void finish_device(struct device *dev, bool stop)
{
	struct iommu_liveupdate_dev *lu;

	/* Nothing has held it since it was stopped: somebody else may be using it. */
	if (!dev->iommu || !dev->iommu->liveupdate || !dev->iommu->liveupdate->incoming)
		return;
	if (stop) {
		pci_clear_master(to_pci_dev(dev));
		iommu_group_release_restored(dev);
	}

	guard(mutex)(&incoming_lock);
	lu = dev->iommu->liveupdate;
	if (!lu || !lu->incoming)
		return;
	if (lu->domain && !lu->taken)
		put_domain(lu->domain);
	list_del(&lu->list);
	dev->iommu->liveupdate = NULL;
	kfree(lu);
}

/**
 * iommu_device_finish_restored - A device has come to who had preserved it
 * @dev: The device. If its heir did not attach anything, it is discarded.
 */
void iommu_device_finish_restored(struct device *dev)
{
	finish_device(dev, iommu_device_is_restored(dev));
}
EXPORT_SYMBOL_GPL(iommu_device_finish_restored);

/**
 * iommu_device_discard_restored - Nobody comes for a device
 * @dev: The device. It is stopped, and free for every driver.
 */
void iommu_device_discard_restored(struct device *dev)
{
	finish_device(dev, true);
}
EXPORT_SYMBOL_GPL(iommu_device_discard_restored);

/**
 * iommu_device_is_restored - Ask whether a device goes on for somebody who has not taken it yet
 * @dev: Any device
 */
bool iommu_device_is_restored(struct device *dev)
{
	struct dev_iommu *iommu = dev->iommu;

	return iommu && iommu->liveupdate && iommu->liveupdate->incoming && !iommu->liveupdate->taken;
}
EXPORT_SYMBOL_GPL(iommu_device_is_restored);

/* For iommu.c: the device is unplugged. */
void iommu_liveupdate_remove_device(struct device *dev)
{
	if (!dev->iommu || !dev->iommu->liveupdate)
		return;
	if (WARN_ON(!dev->iommu->liveupdate->incoming))
		iommu_device_unpreserve(dev);
	else
		iommu_device_finish_restored(dev);
}

static void free_domains(struct incoming *in)
{
	struct iommu_array_hdr_ser *page;
	struct iommu_domain_ser *ser;
	u64 index;

	iommu_lu_for_each(&in->state.arrays[IOMMU_LU_DOMAIN], ser, page, index) {
		struct iommu_lu_domain *lu_domain = lu_domain_of(ser);

		if (!lu_domain)
			continue;
		if (lu_domain->domain && !lu_domain->claimed)
			iommu_domain_free(lu_domain->domain);
		kfree(lu_domain);
	}
}

void iommu_lu_incoming_show(struct seq_file *m, iommu_lu_show_fn show)
{
	guard(mutex)(&incoming_lock);
	if (incoming)
		show(m, "incoming", &incoming->state);
}

/* All files are finished. Who did not finish its device or domain did not want it. */
void iommu_lu_incoming_end(void *obj)
{
	struct unknown_device *unknown, *next;
	struct incoming *in = obj;

	while (!list_empty(&in->devices))
		iommu_device_finish_restored(list_first_entry(&in->devices, struct iommu_liveupdate_dev, list)->dev);

	guard(mutex)(&incoming_lock);
	WRITE_ONCE(incoming, NULL);
	free_domains(in);
	with_all_pages(&in->state, free_page_at);
	list_for_each_entry_safe(unknown, next, &in->unknown, list)
		kfree(unknown);
	kfree(in);
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_incoming_end);
