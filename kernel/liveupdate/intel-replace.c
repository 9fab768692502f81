// SPDX-License-Identifier: GPL-2.0-only
/*
 * From one page table to another while the device is running, which is what the owner of a restored domain does once it
 * has built its own.
 *
 * An entry has the table's address in one word and the domain id in another, so the hardware may see the new id with the
 * old table for a moment. All that it does then is right, since both tables are there and stand for the same device.
 * What it may have cached under either id is flushed before the old table can go.
 */
#include <linux/pci.h>

#include "../intel/iommu.h"
#include "../intel/pasid.h"
#include "intel.h"

/* Whether nothing in the device's entry has to change but the table's address and the domain id. */
static bool same_but_table(struct dmar_domain *old, struct dmar_domain *new)
{
	if (old->domain.ops != new->domain.ops || old->domain.iopf_handler || new->domain.iopf_handler)
		return false;
	if (old->force_snooping != new->force_snooping || old->dirty_tracking != new->dirty_tracking)
		return false;

	if (intel_domain_is_fs_paging(old)) {
		struct pt_iommu_x86_64_hw_info old_info, new_info;

		pt_iommu_x86_64_hw_info(&old->fspt, &old_info);
		pt_iommu_x86_64_hw_info(&new->fspt, &new_info);
		return old_info.levels == new_info.levels;
	}
	if (intel_domain_is_ss_paging(old)) {
		struct pt_iommu_vtdss_hw_info old_info, new_info;

		pt_iommu_vtdss_hw_info(&old->sspt, &old_info);
		pt_iommu_vtdss_hw_info(&new->sspt, &new_info);
		return old_info.aw == new_info.aw;
	}
	return false;
}

static int alias_is_other(struct pci_dev *pdev, u16 alias, void *data)
{
	return alias != *(u16 *)data;
}

static bool can_replace(struct device_domain_info *info, struct dmar_domain *new)
{
	u16 rid = PCI_DEVID(info->bus, info->devfn);

	if (!info->domain_attached || !info->domain || !dev_is_pci(info->dev) || dev_is_real_dma_subdevice(info->dev) ||
	    context_copied(info->iommu, info->bus, info->devfn))
		return false;
	return same_but_table(info->domain, new) &&
	       !pci_for_each_dma_alias(to_pci_dev(info->dev), alias_is_other, &rid);
}

static u64 table_address(struct dmar_domain *domain)
{
	struct pt_iommu_x86_64_hw_info fs_info;
	struct pt_iommu_vtdss_hw_info ss_info;

	if (intel_domain_is_fs_paging(domain)) {
		pt_iommu_x86_64_hw_info(&domain->fspt, &fs_info);
		return fs_info.gcr3_pt & VTD_PAGE_MASK;
	}
	pt_iommu_vtdss_hw_info(&domain->sspt, &ss_info);
	return ss_info.ssptptr;
}

static void set_bits64(u64 *word, u64 mask, u64 bits)
{
	WRITE_ONCE(*word, (READ_ONCE(*word) & ~mask) | bits);
}

static void replace_context(struct device_domain_info *info, struct dmar_domain *new, u16 old_did, u16 did)
{
	u16 sid = PCI_DEVID(info->bus, info->devfn);
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *context;

	scoped_guard(spinlock, &iommu->lock) {
		context = iommu_context_addr(iommu, info->bus, info->devfn, 0);
		set_bits64(&context->hi, GENMASK_ULL(23, 8), (u64)did << 8);
		dma_wmb();
		set_bits64(&context->lo, VTD_PAGE_MASK, table_address(new));
		__iommu_flush_cache(iommu, context, sizeof(*context));
	}
	intel_context_flush_no_pasid(info, context, did, sid);
	intel_context_flush_no_pasid(info, context, old_did, sid);
}

static void replace_pasid(struct device_domain_info *info, struct dmar_domain *new, u16 old_did, u16 did)
{
	struct pasid_entry *entry = get_pasid_table_from_pde(info->pasid_table->table);
	bool first_stage = intel_domain_is_fs_paging(new);
	struct intel_iommu *iommu = info->iommu;
	const u16 dids[] = { did, old_did };

	scoped_guard(spinlock, &iommu->lock) {
		set_bits64(&entry->val[1], GENMASK_ULL(15, 0), did);
		dma_wmb();
		set_bits64(&entry->val[first_stage ? 2 : 0], VTD_PAGE_MASK, table_address(new));
		__iommu_flush_cache(iommu, entry, sizeof(*entry));
	}
	for (int i = 0; i < ARRAY_SIZE(dids); i++) {
		qi_flush_pasid_cache(iommu, dids[i], QI_PC_PASID_SEL, IOMMU_NO_PASID);
		if (first_stage)
			qi_flush_piotlb_all(iommu, dids[i], IOMMU_NO_PASID);
		else
			iommu->flush.flush_iotlb(iommu, dids[i], 0, 0, DMA_TLB_DSI_FLUSH);
	}
	if (info->ats_enabled)
		qi_flush_dev_iotlb(iommu, PCI_DEVID(info->bus, info->devfn), info->pfsid, info->ats_qdep, 0,
				   64 - VTD_PAGE_SHIFT);
}

/**
 * intel_replace_domain - Attach another domain to a device with no moment without translation
 * @domain: The new one
 * @dev: The device
 *
 * Return: 0; -EOPNOTSUPP if the device has to be blocked first, since nothing is attached, or too different a domain;
 * another errno if the new domain cannot be attached, while the old one still is.
 */
int intel_replace_domain(struct iommu_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct dmar_domain *new = to_dmar_domain(domain);
	struct dmar_domain *old = info->domain;
	struct intel_iommu *iommu = info->iommu;
	int ret;

	if (!can_replace(info, new))
		return -EOPNOTSUPP;
	ret = paging_domain_compatible(domain, dev);
	if (ret || old == new)
		return ret;
	ret = domain_attach_iommu(new, iommu);
	if (ret)
		return ret;
	ret = cache_tag_assign_domain(new, dev, IOMMU_NO_PASID);
	if (ret) {
		domain_detach_iommu(new, iommu);
		return ret;
	}

	scoped_guard(spinlock_irqsave, &old->lock)
		list_del(&info->link);
	info->domain = new;
	scoped_guard(spinlock_irqsave, &new->lock)
		list_add(&info->link, &new->devices);

	if (sm_supported(iommu))
		replace_pasid(info, new, domain_id_iommu(old, iommu), domain_id_iommu(new, iommu));
	else
		replace_context(info, new, domain_id_iommu(old, iommu), domain_id_iommu(new, iommu));

	cache_tag_unassign_domain(old, dev, IOMMU_NO_PASID);
	domain_detach_iommu(old, iommu);
	return 0;
}
