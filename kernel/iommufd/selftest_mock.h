/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mock IOMMU and its devices, and what the files of the test driver tell
 * each other. The ABI is the base tree's iommufd_test.h.
 */
#ifndef IOMMUFD_SELFTEST_MOCK_H
#define IOMMUFD_SELFTEST_MOCK_H

#include <linux/device.h>
#include <linux/generic_pt/iommu.h>
#include <linux/mutex.h>

#include "core.h"
#include "iommufd_test.h"
#include "selftest.h"

/**
 * struct mock_domain - a paging domain of the mock IOMMU
 * @domain: as the IOMMU core knows it
 * @iommu: the same, as the page table code knows it
 * @amdv1: the page table
 * @tracking: dirty pages are recorded
 */
struct mock_domain {
	union {
		struct iommu_domain domain;
		struct pt_iommu iommu;
		struct pt_iommu_amdv1_mock amdv1;
	};
	bool tracking;
};
PT_IOMMU_CHECK_DOMAIN(struct mock_domain, iommu, domain);
PT_IOMMU_CHECK_DOMAIN(struct mock_domain, amdv1.iommu, domain);

/**
 * struct mock_nested - a domain that a guest would own
 * @domain: as the IOMMU core knows it
 * @viommu: what it was made for; %NULL when straight on a parent domain
 * @iotlb: one value for each IOTLB entry; invalidation makes it 0
 */
struct mock_nested {
	struct iommu_domain domain;
	struct iommufd_viommu *viommu;
	u32 iotlb[MOCK_NESTED_DOMAIN_IOTLB_NUM];
};

/**
 * struct mock_dev - a device on the mock bus
 * @dev: as the driver core knows it
 * @index: what it is named by
 * @flags: MOCK_FLAGS_DEVICE_*
 * @cache: one value for each entry of its cache; invalidation makes it 0
 * @iopf_users: domains attached that take page faults; under the group's lock
 * @lock: protects @viommu
 * @viommu: of the nested domain that it is attached to
 */
struct mock_dev {
	struct device dev;
	int index;
	u32 flags;
	u32 cache[MOCK_DEV_CACHE_NUM];
	unsigned int iopf_users;
	struct mutex lock;
	struct iommufd_viommu *viommu;
};

static inline struct mock_dev *to_mock_dev(struct device *dev)
{
	return container_of(dev, struct mock_dev, dev);
}

static inline struct mock_domain *to_mock_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_domain, domain);
}

static inline struct mock_nested *to_mock_nested(struct iommu_domain *domain)
{
	return container_of(domain, struct mock_nested, domain);
}

/* selftest_iommu.c */
int mock_iommu_register(void);
void mock_iommu_unregister(void);
struct mock_dev *mock_dev_create(u32 flags);
void mock_dev_destroy(struct mock_dev *mdev);
bool mock_domain_is_paging(const struct iommu_domain *domain);
int mock_iopf_switch(struct device *dev, struct iommu_domain *domain,
		     struct iommu_domain *old);
int mock_set_pasid(struct iommu_domain *domain, struct device *dev,
		   ioasid_t pasid, struct iommu_domain *old);

/* selftest_nested.c */
struct iommu_domain *mock_nested_alloc(struct device *dev,
				       struct iommu_domain *parent, u32 flags,
				       const struct iommu_user_data *user_data);
bool mock_domain_is_nested(const struct iommu_domain *domain);
size_t mock_viommu_size(struct device *dev, enum iommu_viommu_type type);
int mock_viommu_init(struct iommufd_viommu *viommu,
		     struct iommu_domain *parent,
		     const struct iommu_user_data *user_data);

/* selftest_access.c */
int iommufd_test_check_page(unsigned long uptr, struct page *page);
int iommufd_test_access_create(struct iommufd_ucmd *ucmd);
int iommufd_test_access_replace(struct iommufd_ucmd *ucmd);
int iommufd_test_access_pages(struct iommufd_ucmd *ucmd);
int iommufd_test_access_unpin(struct iommufd_ucmd *ucmd);
int iommufd_test_access_rw(struct iommufd_ucmd *ucmd);

/* selftest_dmabuf.c */
int iommufd_test_dmabuf_get(struct iommufd_ucmd *ucmd);
int iommufd_test_dmabuf_revoke(struct iommufd_ucmd *ucmd);

#endif
