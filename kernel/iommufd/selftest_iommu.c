// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mock IOMMU: a bus with devices that do no DMA, and domains that are real
 * page tables of a format whose smallest page is half of the CPU's.
 */
#include <linux/device/faux.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/property.h>
#include <linux/slab.h>

#include "selftest_mock.h"
#include "../iommu-pages.h"
#include "../iommu-priv.h"

#define DOMAIN_FLAGS                                                           \
	(IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING |      \
	 IOMMU_HWPT_ALLOC_PASID)

static const struct bus_type mock_bus = {
	.name = "iommufd_mock",
};

static struct iommu_device mock_iommu;
static struct faux_device *mock_parent;
static struct notifier_block mock_notifier;
static struct iopf_queue *mock_iopf_queue;
static DEFINE_IDA(mock_ida);

/*
 * Devices are told apart from those of vendors, since they have no interrupts
 * to isolate and live no longer than the context that they are bound to.
 */
bool iommufd_test_is_mock(const struct device *dev)
{
	return dev->bus == &mock_bus;
}

/**
 * mock_iopf_switch - have faults reported as the new domain wants it
 * @dev: whose
 * @domain: the new domain; %NULL or one without a handler needs no faults
 * @old: the domain before, likewise
 *
 * Return: 0, else nothing has changed.
 */
int mock_iopf_switch(struct device *dev, struct iommu_domain *domain,
		     struct iommu_domain *old)
{
	struct mock_dev *mdev = to_mock_dev(dev);
	int rc;

	if (domain && domain->iopf_handler) {
		rc = mdev->iopf_users ?
			     0 :
			     iopf_queue_add_device(mock_iopf_queue, dev);
		if (rc)
			return rc;
		mdev->iopf_users++;
	}
	if (old && old->iopf_handler && !--mdev->iopf_users)
		iopf_queue_remove_device(mock_iopf_queue, dev);
	return 0;
}

static bool can_track(struct device *dev)
{
	return !(to_mock_dev(dev)->flags & MOCK_FLAGS_DEVICE_NO_DIRTY);
}

static bool domain_suits(const struct iommu_domain *domain, struct device *dev)
{
	return !domain->dirty_ops || can_track(dev);
}

static void forget_viommu(struct device *dev)
{
	struct mock_dev *mdev = to_mock_dev(dev);

	guard(mutex)(&mdev->lock);
	mdev->viommu = NULL;
}

static int blocked_attach(struct iommu_domain *domain, struct device *dev,
			  struct iommu_domain *old)
{
	forget_viommu(dev);
	return mock_iopf_switch(dev, NULL, old);
}

static int blocked_set_pasid(struct iommu_domain *domain, struct device *dev,
			     ioasid_t pasid, struct iommu_domain *old)
{
	return mock_iopf_switch(dev, NULL, old);
}

static const struct iommu_domain_ops blocked_ops = {
	.attach_dev = blocked_attach,
	.set_dev_pasid = blocked_set_pasid,
};

static struct iommu_domain mock_blocked = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &blocked_ops,
};

static int paging_attach(struct iommu_domain *domain, struct device *dev,
			 struct iommu_domain *old)
{
	int rc;

	if (!domain_suits(domain, dev))
		return -EINVAL;
	rc = mock_iopf_switch(dev, domain, old);
	if (rc)
		return rc;
	forget_viommu(dev);
	return 0;
}

/**
 * mock_set_pasid - attach a domain to a PASID
 * @domain: paging or nested
 * @dev: whose PASID
 * @pasid: IOMMU_TEST_PASID_RESERVED can be attached, but not replaced
 * @old: what it is attached to
 */
int mock_set_pasid(struct iommu_domain *domain, struct device *dev,
		   ioasid_t pasid, struct iommu_domain *old)
{
	if (!domain_suits(domain, dev))
		return -EINVAL;
	if (pasid == IOMMU_TEST_PASID_RESERVED && old)
		return -ENOMEM;
	return mock_iopf_switch(dev, domain, old);
}

static void paging_iotlb_sync(struct iommu_domain *domain,
			      struct iommu_iotlb_gather *gather)
{
	/* Nothing caches these tables, so that they can go at once. */
	iommu_put_pages_list(&gather->freelist);
}

static void paging_free(struct iommu_domain *domain)
{
	struct mock_domain *mock = to_mock_domain(domain);

	pt_iommu_deinit(&mock->iommu);
	kfree(mock);
}

static const struct iommu_domain_ops paging_ops = {
	IOMMU_PT_DOMAIN_OPS(amdv1_mock),
	.attach_dev = paging_attach,
	.set_dev_pasid = mock_set_pasid,
	.iotlb_sync = paging_iotlb_sync,
	.free = paging_free,
};

bool mock_domain_is_paging(const struct iommu_domain *domain)
{
	return domain->ops == &paging_ops;
}

static int set_tracking(struct iommu_domain *domain, bool enabled)
{
	to_mock_domain(domain)->tracking = enabled;
	return 0;
}

static const struct iommu_dirty_ops dirty_ops = {
	IOMMU_PT_DIRTY_OPS(amdv1_mock),
	.set_dirty_tracking = set_tracking,
};

static int make_table(struct mock_domain *mock, u32 type)
{
	const struct pt_iommu_amdv1_mock_cfg cfg = {
		.common = {
			.hw_max_vasz_lg2 = ilog2(MOCK_APERTURE_LAST) + 1,
			.hw_max_oasz_lg2 = 51,
		},
		.starting_level = 2,
	};
	int rc;

	if (type != MOCK_IOMMUPT_DEFAULT && type != MOCK_IOMMUPT_HUGE)
		return -EOPNOTSUPP;
	mock->iommu.nid = NUMA_NO_NODE;
	mock->domain.ops = &paging_ops;
	rc = pt_iommu_amdv1_mock_init(&mock->amdv1, &cfg, GFP_KERNEL_ACCOUNT);
	if (rc)
		return rc;

	mock->domain.geometry.aperture_start = MOCK_APERTURE_START;
	if (type == MOCK_IOMMUPT_HUGE)
		mock->domain.pgsize_bitmap = MOCK_PAGE_SIZE |
					     MOCK_HUGE_PAGE_SIZE;
	return 0;
}

static struct iommu_domain *
paging_alloc(struct device *dev, u32 flags,
	     const struct iommu_user_data *user_data)
{
	struct iommu_hwpt_selftest cfg = {};
	struct mock_domain *mock;
	int rc;

	if (flags & ~DOMAIN_FLAGS ||
	    (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING && !can_track(dev)))
		return ERR_PTR(-EOPNOTSUPP);
	if (user_data) {
		rc = iommu_copy_struct_from_user(&cfg, user_data,
						 IOMMU_HWPT_DATA_SELFTEST,
						 iotlb);
		if (rc)
			return ERR_PTR(rc);
	}

	mock = kzalloc_obj(*mock, GFP_KERNEL_ACCOUNT);
	if (!mock)
		return ERR_PTR(-ENOMEM);
	rc = make_table(mock, cfg.pagetable_type);
	if (rc) {
		kfree(mock);
		return ERR_PTR(rc);
	}
	if (flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING)
		mock->domain.dirty_ops = &dirty_ops;
	return &mock->domain;
}

static bool mock_capable(struct device *dev, enum iommu_cap cap)
{
	if (cap == IOMMU_CAP_DIRTY_TRACKING)
		return can_track(dev);
	return cap == IOMMU_CAP_CACHE_COHERENCY;
}

static void *mock_hw_info(struct device *dev, u32 *length,
			  enum iommu_hw_info_type *type)
{
	const struct iommu_test_hw_info info = {
		.test_reg = IOMMU_HW_INFO_SELFTEST_REGVAL,
	};
	bool known = *type == IOMMU_HW_INFO_TYPE_DEFAULT ||
		     *type == IOMMU_HW_INFO_TYPE_SELFTEST;

	if (!known)
		return ERR_PTR(-EOPNOTSUPP);
	*type = IOMMU_HW_INFO_TYPE_SELFTEST;
	*length = sizeof(info);
	return kmemdup(&info, sizeof(info), GFP_KERNEL) ?: ERR_PTR(-ENOMEM);
}

static struct iommu_device *mock_probe(struct device *dev)
{
	return iommufd_test_is_mock(dev) ? &mock_iommu : ERR_PTR(-ENODEV);
}

static void mock_page_response(struct device *dev, struct iopf_fault *fault,
			       struct iommu_page_response *response)
{
	/* There is no device that waits for it. */
}

static const struct iommu_ops mock_ops = {
	.owner = THIS_MODULE,
	.default_domain = &mock_blocked,
	.blocked_domain = &mock_blocked,
	.default_domain_ops = &paging_ops,
	.user_pasid_table = 1,
	.capable = mock_capable,
	.hw_info = mock_hw_info,
	.domain_alloc_paging_flags = paging_alloc,
	.domain_alloc_nested = mock_nested_alloc,
	.get_viommu_size = mock_viommu_size,
	.viommu_init = mock_viommu_init,
	.probe_device = mock_probe,
	.device_group = generic_device_group,
	.page_response = mock_page_response,
};

static void mock_dev_release(struct device *dev)
{
	struct mock_dev *mdev = to_mock_dev(dev);

	ida_free(&mock_ida, mdev->index);
	mutex_destroy(&mdev->lock);
	kfree(mdev);
}

static int mock_dev_name(struct mock_dev *mdev)
{
	static const struct property_entry pasid_properties[] = {
		PROPERTY_ENTRY_U32("pasid-num-bits", MOCK_PASID_WIDTH),
		{}
	};
	int rc = dev_set_name(&mdev->dev, "iommufd_mock%d", mdev->index);

	if (rc || !(mdev->flags & MOCK_FLAGS_DEVICE_PASID))
		return rc;
	return device_create_managed_software_node(&mdev->dev, pasid_properties,
						   NULL);
}

/**
 * mock_dev_create - plug in a device
 * @flags: MOCK_FLAGS_DEVICE_*
 *
 * Return: the device, in an iommu_group of its own; -EINVAL unknown flags; or
 * another errno.
 */
struct mock_dev *mock_dev_create(u32 flags)
{
	struct mock_dev *mdev;
	int rc, i;

	if (flags & ~(MOCK_FLAGS_DEVICE_NO_DIRTY | MOCK_FLAGS_DEVICE_PASID))
		return ERR_PTR(-EINVAL);
	mdev = kzalloc_obj(*mdev);
	if (!mdev)
		return ERR_PTR(-ENOMEM);
	mdev->index = ida_alloc(&mock_ida, GFP_KERNEL);
	if (mdev->index < 0) {
		rc = mdev->index;
		kfree(mdev);
		return ERR_PTR(rc);
	}
	mdev->flags = flags;
	for (i = 0; i < MOCK_DEV_CACHE_NUM; i++)
		mdev->cache[i] = IOMMU_TEST_DEV_CACHE_DEFAULT;
	mutex_init(&mdev->lock);
	device_initialize(&mdev->dev);
	mdev->dev.bus = &mock_bus;
	mdev->dev.release = mock_dev_release;

	rc = mock_dev_name(mdev);
	if (!rc)
		rc = iommu_mock_device_add(&mdev->dev, &mock_iommu);
	if (rc) {
		put_device(&mdev->dev);
		return ERR_PTR(rc);
	}
	return mdev;
}

/**
 * mock_dev_destroy - unplug a device
 * @mdev: bound to nothing
 */
void mock_dev_destroy(struct mock_dev *mdev)
{
	device_unregister(&mdev->dev);
}

int mock_iommu_register(void)
{
	int rc;

	mock_parent = faux_device_create("iommufd_mock_iommu", NULL, NULL);
	if (!mock_parent)
		return -ENODEV;
	rc = bus_register(&mock_bus);
	if (rc)
		goto destroy_parent;
	mock_iopf_queue = iopf_queue_alloc("iommufd_mock");
	if (!mock_iopf_queue) {
		rc = -ENOMEM;
		goto unregister_bus;
	}
	rc = iommu_device_sysfs_add(&mock_iommu, &mock_parent->dev, NULL, "%s",
				    dev_name(&mock_parent->dev));
	if (rc)
		goto free_queue;
	mock_iommu.max_pasids = BIT(MOCK_PASID_WIDTH);
	rc = iommu_device_register_bus(&mock_iommu, &mock_ops, &mock_bus,
				       &mock_notifier);
	if (rc)
		goto remove_sysfs;
	return 0;

remove_sysfs:
	iommu_device_sysfs_remove(&mock_iommu);
free_queue:
	iopf_queue_free(mock_iopf_queue);
unregister_bus:
	bus_unregister(&mock_bus);
destroy_parent:
	faux_device_destroy(mock_parent);
	return rc;
}

void mock_iommu_unregister(void)
{
	iommu_device_unregister_bus(&mock_iommu, &mock_bus, &mock_notifier);
	iommu_device_sysfs_remove(&mock_iommu);
	iopf_queue_free(mock_iopf_queue);
	bus_unregister(&mock_bus);
	faux_device_destroy(mock_parent);
	ida_destroy(&mock_ida);
}

MODULE_IMPORT_NS("GENERIC_PT_IOMMU");
