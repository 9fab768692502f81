// SPDX-License-Identifier: GPL-2.0-only
/*
 * VT-d over a kexec.
 *
 * The hardware's root table stays where it is, and so do the context tables that lead to preserved devices, in scalable
 * mode these devices' PASID tables, and the page tables. Before the jump everything else is taken out of them. The next
 * kernel finds the root in the hardware, goes through all that hangs off it, takes what is neither known nor as
 * expected out, and uses the rest as its own.
 *
 * Interrupt remapping and the invalidation queue do not come along: the next kernel sets both up anew, which leaves
 * translation alone, and preserved devices have their interrupts off.
 */
#define pr_fmt(fmt) "DMAR: live update: " fmt

#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/kexec.h>
#include <linux/panic.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "../intel/iommu.h"
#include "../intel/pasid.h"
#include "../iommu-pages.h"
#include "intel.h"
#include "liveupdate.h"

/* A context table is half a bus in scalable mode, and a bus in legacy mode, where only the even ones are used. */
#define NR_TABLES	512

/**
 * struct intel_liveupdate - What of an IOMMU is preserved; there while any device is
 * @nr_devices: Devices
 * @tables: Devices by context table
 * @devices: A bit for each requester id
 */
struct intel_liveupdate {
	unsigned int nr_devices;
	u16 tables[NR_TABLES];
	DECLARE_BITMAP(devices, BIT(16));
};

static unsigned int table_index(struct intel_iommu *iommu, u8 bus, u8 devfn)
{
	return bus * 2 + (sm_supported(iommu) && devfn >= 0x80);
}

static u64 *table_entry(struct intel_iommu *iommu, unsigned int index)
{
	struct root_entry *root = &iommu->root_entry[index / 2];

	return index % 2 ? &root->hi : &root->lo;
}

static void *table_of(struct intel_iommu *iommu, unsigned int index)
{
	u64 entry = *table_entry(iommu, index);

	return entry & 1 ? phys_to_virt(entry & VTD_PAGE_MASK) : NULL;
}

/* Context entries have twice the size in scalable mode, and a table of them half the devices. */
static unsigned int table_devices(struct intel_iommu *iommu)
{
	return sm_supported(iommu) ? 128 : 256;
}

static struct context_entry *table_context(struct intel_iommu *iommu, unsigned int index, unsigned int i)
{
	struct context_entry *table = table_of(iommu, index);

	return &table[sm_supported(iommu) ? i * 2 : i];
}

static u16 table_rid(unsigned int index, unsigned int i)
{
	return PCI_DEVID(index / 2, (index % 2) * 128 + i);
}

static void clear_context(struct intel_iommu *iommu, struct context_entry *context)
{
	unsigned int nr = sm_supported(iommu) ? 2 : 1;

	context_clear_present(context);
	__iommu_flush_cache(iommu, context, sizeof(*context));
	memset(context, 0, nr * sizeof(*context));
	__iommu_flush_cache(iommu, context, nr * sizeof(*context));
}

static void flush_all(struct intel_iommu *iommu)
{
	iommu->flush.flush_context(iommu, 0, 0, 0, DMA_CCMD_GLOBAL_INVL);
	if (sm_supported(iommu))
		qi_flush_pasid_cache(iommu, 0, QI_PC_GLOBAL, 0);
	iommu->flush.flush_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH);
}

static u64 intel_hw_token(struct iommu_device *iommu)
{
	return container_of(iommu, struct intel_iommu, iommu)->reg_phys;
}

/* The attributes that the record of a domain has no place for. */
static bool intel_can_preserve(struct iommu_domain *domain)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);

	if (!intel_domain_is_fs_paging(dmar_domain) && !intel_domain_is_ss_paging(dmar_domain))
		return false;
	return !dmar_domain->nested_parent && !dmar_domain->dirty_tracking;
}

/* Calls @fn for all pages of a device's PASID table, the directory first, until one fails. */
static int pasid_pages(struct pasid_table *pasid_table, int (*fn)(void *page), unsigned int nr, unsigned int *done)
{
	struct pasid_dir_entry *dir = pasid_table->table;
	unsigned int nr_pde = pasid_table->max_pasid >> PASID_PDE_SHIFT;
	int ret;

	for (unsigned int i = 0; i <= nr_pde && *done < nr; i++) {
		void *page = i ? get_pasid_table_from_pde(&dir[i - 1]) : (void *)dir;

		if (!page)
			continue;
		ret = fn(page);
		if (ret)
			return ret;
		++*done;
	}
	return 0;
}

static int unpreserve_page(void *page)
{
	iommu_unpreserve_pages(page);
	return 0;
}

static void unpreserve_pasids(struct pasid_table *pasid_table, unsigned int nr)
{
	unsigned int done = 0;

	pasid_pages(pasid_table, unpreserve_page, nr, &done);
}

static int preserve_pasids(struct pasid_table *pasid_table)
{
	unsigned int done = 0;
	int ret = pasid_pages(pasid_table, iommu_preserve_pages, UINT_MAX, &done);

	if (ret)
		unpreserve_pasids(pasid_table, done);
	return ret;
}

static int get_liveupdate(struct intel_iommu *iommu)
{
	struct intel_liveupdate *lu;
	int ret;

	if (iommu->liveupdate)
		return 0;
	lu = kvzalloc_obj(*lu);
	if (!lu)
		return -ENOMEM;
	ret = iommu_preserve_pages(iommu->root_entry);
	if (ret) {
		kvfree(lu);
		return ret;
	}
	iommu->liveupdate = lu;
	return 0;
}

static void put_liveupdate(struct intel_iommu *iommu)
{
	if (iommu->liveupdate->nr_devices)
		return;
	iommu_unpreserve_pages(iommu->root_entry);
	kvfree(iommu->liveupdate);
	iommu->liveupdate = NULL;
}

/* Page requests go to a queue in memory of this kernel. */
static int intel_can_preserve_device(struct device *dev, struct iommu_domain *domain)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);

	if (info->pri_enabled || info->iommu->copied_tables || info->domain != to_dmar_domain(domain))
		return -EOPNOTSUPP;
	return 0;
}

static int intel_preserve_device(struct device *dev, struct iommu_domain *domain)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct intel_liveupdate *lu;
	unsigned int index;
	int ret;

	ret = get_liveupdate(iommu);
	if (ret)
		return ret;
	lu = iommu->liveupdate;
	index = table_index(iommu, info->bus, info->devfn);
	if (!lu->tables[index])
		ret = iommu_preserve_pages(table_of(iommu, index));
	if (ret)
		goto err_put;
	if (info->pasid_table)
		ret = preserve_pasids(info->pasid_table);
	if (ret)
		goto err_table;

	lu->tables[index]++;
	lu->nr_devices++;
	__set_bit(PCI_DEVID(info->bus, info->devfn), lu->devices);
	return 0;

err_table:
	if (!lu->tables[index])
		iommu_unpreserve_pages(table_of(iommu, index));
err_put:
	put_liveupdate(iommu);
	return ret;
}

static void intel_unpreserve_device(struct device *dev, struct iommu_domain *domain)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct intel_liveupdate *lu = iommu->liveupdate;
	unsigned int index = table_index(iommu, info->bus, info->devfn);

	__clear_bit(PCI_DEVID(info->bus, info->devfn), lu->devices);
	if (info->pasid_table)
		unpreserve_pasids(info->pasid_table, UINT_MAX);
	if (!--lu->tables[index])
		iommu_unpreserve_pages(table_of(iommu, index));
	lu->nr_devices--;
	put_liveupdate(iommu);
}

/**
 * intel_liveupdate_shutdown - Leave an IOMMU translating for preserved devices, and for nobody else
 * @iommu: The IOMMU, at the end of the shutdown
 *
 * Return: false if it has to be switched off.
 */
bool intel_liveupdate_shutdown(struct intel_iommu *iommu)
{
	struct intel_liveupdate *lu = iommu->liveupdate;

	if (!lu || !kexec_in_progress)
		return false;

	for (unsigned int index = 0; index < NR_TABLES; index++) {
		if (!table_of(iommu, index))
			continue;
		if (!lu->tables[index]) {
			*table_entry(iommu, index) = 0;
			__iommu_flush_cache(iommu, table_entry(iommu, index), sizeof(u64));
			continue;
		}
		for (unsigned int i = 0; i < table_devices(iommu); i++) {
			struct context_entry *context = table_context(iommu, index, i);

			if (context_present(context) && !test_bit(table_rid(index, i), lu->devices))
				clear_context(iommu, context);
		}
	}
	flush_all(iommu);
	return true;
}

/* What the hardware would find for a device, as far as a domain has to do with it. */
struct translation {
	u64 top_table_phys;
	unsigned int aw;
	u16 did;
	bool first_stage;
};

/* In scalable mode, once the PASID table is restored, or at least known to be ours. */
static bool read_pasid_entry(struct pasid_entry *entry, struct translation *tr)
{
	u16 pgtt = pasid_pte_get_pgtt(entry);

	if (!pasid_pte_is_present(entry) || (pgtt != PASID_ENTRY_PGTT_FL_ONLY && pgtt != PASID_ENTRY_PGTT_SL_ONLY))
		return false;
	tr->first_stage = pgtt == PASID_ENTRY_PGTT_FL_ONLY;
	tr->did = pasid_get_domain_id(entry);
	if (tr->first_stage) {
		tr->top_table_phys = READ_ONCE(entry->val[2]) & VTD_PAGE_MASK;
		tr->aw = (READ_ONCE(entry->val[2]) >> 2) & 3;
	} else {
		tr->top_table_phys = READ_ONCE(entry->val[0]) & VTD_PAGE_MASK;
		tr->aw = (READ_ONCE(entry->val[0]) >> 2) & 7;
	}
	return true;
}

static size_t pasid_dir_size(struct context_entry *context)
{
	return get_pasid_dir_size(context) * sizeof(struct pasid_dir_entry);
}

/* The only PASID that a preserved device has is the one for requests without, which is 0. */
static bool read_pasid_dir(struct context_entry *context, struct translation *tr)
{
	u64 phys = context->lo & VTD_PAGE_MASK;
	struct pasid_entry *first = NULL;
	struct pasid_dir_entry *dir;

	if (!iommu_pages_restorable(phys, pasid_dir_size(context)))
		return false;
	dir = phys_to_virt(phys);
	for (unsigned int i = 0; i < get_pasid_dir_size(context); i++) {
		struct pasid_entry *table = get_pasid_table_from_pde(&dir[i]);

		if (!table)
			continue;
		if (!iommu_pages_restorable(READ_ONCE(dir[i].val) & PDE_PFN_MASK, VTD_PAGE_SIZE))
			return false;
		if (!i)
			first = table;
		for (unsigned int j = !i; j < PASID_TBL_ENTRIES; j++) {
			if (pasid_pte_is_present(&table[j]))
				return false;
		}
	}
	return first && read_pasid_entry(first, tr);
}

static bool read_context(struct intel_iommu *iommu, struct context_entry *context, struct translation *tr)
{
	unsigned int tt = (context->lo >> 2) & 3;

	if (sm_supported(iommu))
		return read_pasid_dir(context, tr);

	if (tt != CONTEXT_TT_MULTI_LEVEL && tt != CONTEXT_TT_DEV_IOTLB)
		return false;
	tr->first_stage = false;
	tr->top_table_phys = context->lo & VTD_PAGE_MASK;
	tr->aw = context->hi & 7;
	tr->did = context_domain_id(context);
	return true;
}

/* One id for all devices of a domain, and none for two: their translations would be taken for each other's. */
static const char *take_did(struct intel_iommu *iommu, struct xarray *dids, u16 did, struct iommu_domain_ser *domain_ser)
{
	struct iommu_domain_ser *other = xa_load(dids, did);

	if (other)
		return other == domain_ser ? NULL : "its domain id is another domain's";
	if (ida_alloc_range(&iommu->domain_ida, did, did, GFP_KERNEL) < 0 ||
	    xa_err(xa_store(dids, did, domain_ser, GFP_KERNEL)))
		return "out of memory";
	return NULL;
}

static const char *check_device(struct intel_iommu *iommu, struct iommu_hw_ser *hw, struct xarray *dids,
				struct context_entry *context, u16 rid)
{
	struct iommu_domain_ser *domain_ser;
	struct translation tr;

	if (!iommu_liveupdate_find_device(hw, iommu->segment, rid, &domain_ser))
		return "it is in the IOMMU's tables, but has no record";
	if (!read_context(iommu, context, &tr))
		return "its context entry makes no sense";
	if (tr.top_table_phys != domain_ser->top_table_phys || tr.first_stage != domain_ser->sign_extend)
		return "its context entry leads elsewhere than its record";
	if (tr.did < IDA_START_DID || tr.did >= iommu->max_domain_id)
		return "its domain id does not exist";
	return take_did(iommu, dids, tr.did, domain_ser);
}

static void adopt_table(struct intel_iommu *iommu, struct iommu_hw_ser *hw, struct xarray *dids, unsigned int index)
{
	for (unsigned int i = 0; i < table_devices(iommu); i++) {
		struct context_entry *context = table_context(iommu, index, i);
		u16 rid = table_rid(index, i);
		const char *why;

		if (!context_present(context))
			continue;
		why = check_device(iommu, hw, dids, context, rid);
		if (!why)
			continue;
		iommu_liveupdate_isolate(iommu->segment, rid, why);
		clear_context(iommu, context);
	}
}

/**
 * intel_liveupdate_adopt - Go on with the tables that the hardware uses
 * @iommu: An IOMMU that was found translating. Its invalidation queue is up.
 *
 * The caller sets the root pointer again, which flushes everything.
 *
 * Return: false if the previous kernel did not leave it so for us, and it has to be switched off.
 */
bool intel_liveupdate_adopt(struct intel_iommu *iommu)
{
	struct iommu_hw_ser *hw;
	u64 rtaddr = readq(iommu->reg + DMAR_RTADDR_REG);
	struct xarray dids;

	if (!iommu_liveupdate_incoming())
		return false;
	hw = iommu_liveupdate_find_hw(IOMMU_HW_SER_VTD, iommu->reg_phys);
	if (!hw)
		return false;
	if (!!(rtaddr & DMA_RTADDR_SMT) != !!sm_supported(iommu)) {
		iommu_liveupdate_isolate_hw(IOMMU_HW_SER_VTD, iommu->reg_phys,
					    "the previous kernel had another translation mode");
		return false;
	}

	iommu->root_entry = iommu_restore_pages(rtaddr & VTD_PAGE_MASK, VTD_PAGE_SIZE);
	if (!iommu->root_entry)
		panic("DMAR: live update: %s has a root table that was not handed over\n", iommu->name);
	xa_init(&dids);
	for (unsigned int index = 0; index < NR_TABLES; index++) {
		u64 entry = *table_entry(iommu, index);

		if (!(entry & 1))
			continue;
		if (!iommu_restore_pages(entry & VTD_PAGE_MASK, VTD_PAGE_SIZE))
			panic("DMAR: live update: %s has a context table that was not handed over\n", iommu->name);
		adopt_table(iommu, hw, &dids, index);
	}
	xa_destroy(&dids);
	iommu_liveupdate_adopted(hw);
	return true;
}

/**
 * intel_liveupdate_begin - Before any IOMMU is touched: stop the devices behind those that will not be adopted
 *
 * Whoever is not translated for from now on would find other memory behind its addresses.
 */
void intel_liveupdate_begin(void)
{
	struct dmar_drhd_unit *drhd;
	struct intel_iommu *iommu;

	iommu_liveupdate_isolate_unknown();
	if (!iommu_liveupdate_incoming())
		return;
	for_each_iommu(iommu, drhd) {
		u32 gsts = readl(iommu->reg + DMAR_GSTS_REG);

		if (drhd->ignored || dmar_policy_off() || !(gsts & DMA_GSTS_TES))
			iommu_liveupdate_isolate_hw(IOMMU_HW_SER_VTD, iommu->reg_phys, "its IOMMU is off");
	}
}

static struct pasid_table *restore_pasids(struct context_entry *context)
{
	struct pasid_table *pasid_table __free(kfree) = kzalloc_obj(*pasid_table);
	unsigned int nr_pde = get_pasid_dir_size(context);
	struct pasid_dir_entry *dir;

	if (!pasid_table)
		return NULL;
	dir = iommu_restore_pages(context->lo & VTD_PAGE_MASK, pasid_dir_size(context));
	if (!dir)
		return NULL;
	for (unsigned int i = 0; i < nr_pde; i++) {
		u64 pde = READ_ONCE(dir[i].val);

		if ((pde & PASID_PTE_PRESENT) && !iommu_restore_pages(pde & PDE_PFN_MASK, VTD_PAGE_SIZE))
			return NULL;
	}
	pasid_table->table = dir;
	pasid_table->max_pasid = nr_pde << PASID_PDE_SHIFT;
	return no_free_ptr(pasid_table);
}

/**
 * intel_liveupdate_adopt_pasids - Use the PASID table that the context entry of a restored device has
 * @dev: A device that is just being probed, in scalable mode
 *
 * Return: false if it needs a new one.
 */
bool intel_liveupdate_adopt_pasids(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *context;

	if (!iommu_liveupdate_find(dev))
		return false;
	scoped_guard(spinlock, &iommu->lock)
		context = iommu_context_addr(iommu, info->bus, info->devfn, false);
	if (!context || !context_present(context))
		return false;

	info->pasid_table = restore_pasids(context);
	if (info->pasid_table)
		return true;
	iommu_liveupdate_isolate(info->segment, PCI_DEVID(info->bus, info->devfn),
				 "its PASID table cannot be restored");
	clear_context(iommu, context);
	flush_all(iommu);
	return false;
}

static struct iommu_domain *intel_restore_domain(struct device *dev, const struct iommu_domain_ser *ser,
						 unsigned long *nr_pages)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct iommu_domain *domain;
	struct pt_iommu *pt;
	int ret;

	if (ser->sign_extend)
		domain = intel_iommu_domain_alloc_first_stage(dev, info->iommu, 0);
	else
		domain = intel_iommu_domain_alloc_second_stage(dev, info->iommu, 0);
	if (IS_ERR(domain))
		return domain;

	pt = iommupt_from_domain(domain);
	ret = pt->ops->restore(pt, ser, nr_pages);
	if (ret) {
		domain->ops->free(domain);
		return ERR_PTR(ret);
	}
	return domain;
}

static bool read_translation(struct device_domain_info *info, struct translation *tr)
{
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *context;

	guard(spinlock)(&iommu->lock);
	context = iommu_context_addr(iommu, info->bus, info->devfn, false);
	if (!context || !context_present(context))
		return false;
	if (!sm_supported(iommu))
		return read_context(iommu, context, tr);
	return info->pasid_table && read_pasid_entry(get_pasid_table_from_pde(info->pasid_table->table), tr);
}

/* That the hardware walks the table as the driver would have it. */
static bool translates_to(const struct translation *tr, struct dmar_domain *domain)
{
	struct pt_iommu_x86_64_hw_info fs_info;
	struct pt_iommu_vtdss_hw_info ss_info;

	if (tr->first_stage && intel_domain_is_fs_paging(domain)) {
		pt_iommu_x86_64_hw_info(&domain->fspt, &fs_info);
		return tr->top_table_phys == (fs_info.gcr3_pt & VTD_PAGE_MASK) && tr->aw == fs_info.levels - 4;
	}
	if (!tr->first_stage && intel_domain_is_ss_paging(domain)) {
		pt_iommu_vtdss_hw_info(&domain->sspt, &ss_info);
		return tr->top_table_phys == ss_info.ssptptr && tr->aw == ss_info.aw;
	}
	return false;
}

/* As domain_attach_iommu(), with the id that the hardware has. */
static int attach_did(struct dmar_domain *domain, struct intel_iommu *iommu, u16 did)
{
	struct iommu_domain_info *info __free(kfree) = kzalloc_obj(*info);
	struct iommu_domain_info *curr;

	if (!info)
		return -ENOMEM;
	guard(mutex)(&iommu->did_lock);
	curr = xa_load(&domain->iommu_array, iommu->seq_id);
	if (curr) {
		if (curr->did != did)
			return -EUCLEAN;
		curr->refcnt++;
		return 0;
	}
	info->refcnt = 1;
	info->did = did;
	info->iommu = iommu;
	curr = xa_store(&domain->iommu_array, iommu->seq_id, info, GFP_KERNEL);
	if (xa_is_err(curr))
		return xa_err(curr);
	retain_and_null_ptr(info);
	return 0;
}

static int intel_attach_restored(struct iommu_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct translation tr;
	int ret;

	if (!read_translation(info, &tr) || !translates_to(&tr, dmar_domain))
		return -EUCLEAN;
	ret = paging_domain_compatible(domain, dev);
	if (ret)
		return ret;
	ret = attach_did(dmar_domain, info->iommu, tr.did);
	if (ret)
		return ret;

	info->domain = dmar_domain;
	info->domain_attached = true;
	scoped_guard(spinlock_irqsave, &dmar_domain->lock)
		list_add(&info->link, &dmar_domain->devices);
	/* In scalable mode the driver does so when it has probed the device. */
	if (!sm_supported(info->iommu))
		iommu_enable_pci_ats(info);
	ret = cache_tag_assign_domain(dmar_domain, dev, IOMMU_NO_PASID);
	if (ret)
		device_block_translation(dev);
	return ret;
}

static void intel_isolate(struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *context;

	if (info->pasid_table) {
		intel_pasid_tear_down_entry(iommu, dev, IOMMU_NO_PASID, false);
		return;
	}
	scoped_guard(spinlock, &iommu->lock) {
		context = iommu_context_addr(iommu, info->bus, info->devfn, false);
		if (context && context_present(context))
			clear_context(iommu, context);
	}
	flush_all(iommu);
}

const struct iommu_liveupdate_ops intel_liveupdate_ops = {
	.hw_type = IOMMU_HW_SER_VTD,
	.hw_token = intel_hw_token,
	.can_preserve = intel_can_preserve,
	.can_preserve_device = intel_can_preserve_device,
	.preserve_device = intel_preserve_device,
	.unpreserve_device = intel_unpreserve_device,
	.restore_domain = intel_restore_domain,
	.attach_restored = intel_attach_restored,
	.isolate = intel_isolate,
};

MODULE_IMPORT_NS("GENERIC_PT_IOMMU");
