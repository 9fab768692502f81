// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that no IOMMU translates for.
 *
 * They are attached as others are, which pins what the IOAS maps. Their domain
 * is a page table that only the CPU reads: a driver in user space asks it where
 * its memory is, and gives the device physical addresses. Nothing keeps the
 * device from reaching all other memory too, so vfio offers no such device
 * unless told to, and that and asking take CAP_SYS_RAWIO.
 */
#include <linux/capability.h>
#include <linux/generic_pt/iommu.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "../iommu-pages.h"
#include "core.h"
#include "selftest.h"

/* What the format has: 4 levels, all that a physical address can be */
#define IOVA_BITS 48
#define PHYS_BITS 52
#define TOP_LEVEL 3

/**
 * struct noiommu_domain - a page table that nobody but the CPU reads
 * @domain: as the IOMMU core knows it
 * @iommu: the same, as the page table code knows it
 * @amdv1: the page table
 * @top_lock: what the page table code holds while it makes the table higher
 */
struct noiommu_domain {
	union {
		struct iommu_domain domain;
		struct pt_iommu iommu;
		struct pt_iommu_amdv1 amdv1;
	};
	spinlock_t top_lock;
};
PT_IOMMU_CHECK_DOMAIN(struct noiommu_domain, iommu, domain);
PT_IOMMU_CHECK_DOMAIN(struct noiommu_domain, amdv1.iommu, domain);

static void noiommu_iotlb_sync(struct iommu_domain *domain,
			       struct iommu_iotlb_gather *gather)
{
	/* Nothing caches these tables, so that they can go at once. */
	iommu_put_pages_list(&gather->freelist);
}

static void noiommu_free(struct iommu_domain *domain)
{
	struct noiommu_domain *noiommu =
		container_of(domain, struct noiommu_domain, domain);

	pt_iommu_deinit(&noiommu->iommu);
	kfree(noiommu);
}

static const struct iommu_domain_ops noiommu_ops = {
	IOMMU_PT_DOMAIN_OPS(amdv1),
	.iotlb_sync = noiommu_iotlb_sync,
	.free = noiommu_free,
};

static void noiommu_change_top(struct pt_iommu *table, phys_addr_t top,
			       unsigned int level)
{
	/* There is no hardware to tell. */
}

static spinlock_t *noiommu_top_lock(struct pt_iommu *table)
{
	return &container_of(table, struct noiommu_domain, iommu)->top_lock;
}

static const struct pt_iommu_driver_ops noiommu_driver_ops = {
	.change_top = noiommu_change_top,
	.get_top_lock = noiommu_top_lock,
};

/**
 * iommufd_dev_is_noiommu - has a device no IOMMU, and can it be used so?
 * @dev: any device
 */
bool iommufd_dev_is_noiommu(const struct device *dev)
{
	return !dev->iommu && !iommufd_test_is_mock(dev);
}

/**
 * iommufd_domain_is_noiommu - is this domain for devices without an IOMMU?
 * @domain: any domain
 */
bool iommufd_domain_is_noiommu(const struct iommu_domain *domain)
{
	return domain->ops == &noiommu_ops;
}

/**
 * iommufd_noiommu_domain_alloc - make a domain for devices without an IOMMU
 *
 * Return: the domain, to be freed by iommu_domain_free(); or an error pointer.
 */
struct iommu_domain *iommufd_noiommu_domain_alloc(void)
{
	const struct pt_iommu_amdv1_cfg cfg = {
		.common = {
			.features = BIT(PT_FEAT_DYNAMIC_TOP) |
				    BIT(PT_FEAT_AMDV1_ENCRYPT_TABLES) |
				    BIT(PT_FEAT_AMDV1_FORCE_COHERENCE),
			.hw_max_vasz_lg2 = IOVA_BITS,
			.hw_max_oasz_lg2 = PHYS_BITS,
		},
		.starting_level = TOP_LEVEL,
	};
	struct noiommu_domain *noiommu =
		kzalloc_obj(*noiommu, GFP_KERNEL_ACCOUNT);
	int rc;

	if (!noiommu)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&noiommu->top_lock);
	noiommu->domain.type = IOMMU_DOMAIN_UNMANAGED;
	noiommu->domain.ops = &noiommu_ops;
	noiommu->iommu.nid = NUMA_NO_NODE;
	noiommu->iommu.driver_ops = &noiommu_driver_ops;
	rc = pt_iommu_amdv1_init(&noiommu->amdv1, &cfg, GFP_KERNEL_ACCOUNT);
	if (rc) {
		kfree(noiommu);
		return ERR_PTR(rc);
	}
	return &noiommu->domain;
}

/* All domains of this kind hold the same, so any will do. */
static struct iommu_domain *find_domain(struct iommufd_ioas *ioas)
{
	struct iommufd_hwpt *hwpt;

	list_for_each_entry(hwpt, &ioas->hwpts, item)
		if (iommufd_domain_is_noiommu(hwpt->domain))
			return hwpt->domain;
	return NULL;
}

/*
 * Where [iova, last] begins, and how much of it is contiguous from there on.
 * With domains_rwsem held for writing, since no table may be freed meanwhile.
 */
static int find_phys(struct iommu_domain *domain, unsigned long iova,
		     unsigned long last, u64 *phys, u64 *length)
{
	unsigned long at = iova;

	*phys = iommu_iova_to_phys(domain, iova);
	if (!*phys)
		return -ENOENT;
	do {
		unsigned long page_last = at | ~PAGE_MASK;

		if (page_last >= last) {
			*length = last - iova + 1;
			return 0;
		}
		at = page_last + 1;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (iommu_iova_to_phys(domain, at) == *phys + (at - iova));
	*length = at - iova;
	return 0;
}

static int get_pa(struct iommufd_ioas *ioas,
		  struct iommu_ioas_noiommu_get_pa *cmd, unsigned long last)
{
	struct iommu_domain *domain;

	guard(rwsem_write)(&ioas->domains_rwsem);
	domain = find_domain(ioas);
	if (!domain)
		return -EOPNOTSUPP;
	return find_phys(domain, cmd->iova, last, &cmd->out_phys,
			 &cmd->length);
}

/**
 * iommufd_ioas_noiommu_get_pa - IOMMU_IOAS_NOIOMMU_GET_PA
 * @ucmd: the call
 *
 * Return: 0; -EPERM without CAP_SYS_RAWIO; -EOPNOTSUPP no device without an
 * IOMMU is attached; -ENOENT @iova is not mapped.
 */
int iommufd_ioas_noiommu_get_pa(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_noiommu_get_pa *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;
	unsigned long last;
	int rc;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (cmd->flags || cmd->__reserved)
		return -EOPNOTSUPP;
	if (!cmd->length)
		return -EINVAL;
	/* It is the most that is wanted, not all that is. */
	if (check_add_overflow(cmd->iova, cmd->length - 1, &last))
		last = ULONG_MAX;
	ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = get_pa(ioas, cmd, last);
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	return rc ?: iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

MODULE_IMPORT_NS("GENERIC_PT_IOMMU");
