/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Devices of an iommufd in a live update: what vfio's file handlers call.
 */
#ifndef _LINUX_IOMMUFD_LIVEUPDATE_H
#define _LINUX_IOMMUFD_LIVEUPDATE_H

#include <linux/errno.h>
#include <linux/types.h>

struct iommu_domain;
struct iommufd_ctx;
struct iommufd_device;
struct liveupdate_session;

/**
 * struct iommufd_device_place - Where a device is to come back
 * @iommufd_token: The iommufd that it is bound to
 * @hwpt_token:    The HWPT there that it is attached to
 * @device_phys:   What the IOMMU core keeps of it
 */
struct iommufd_device_place {
	u64 iommufd_token;
	u64 hwpt_token;
	u64 device_phys;
};

#if IS_ENABLED(CONFIG_IOMMUFD) && defined(CONFIG_LIVEUPDATE)

int iommufd_device_preserve(struct iommufd_device *idev, struct liveupdate_session *session,
			    struct iommufd_device_place *place);
void iommufd_device_unpreserve(struct iommufd_device *idev);
bool iommufd_device_is_preserved(struct iommufd_device *idev);
int iommufd_ctx_find_restored(struct iommufd_ctx *ictx, u64 hwpt_token, const struct iommu_domain *domain,
			      u32 *hwpt_id);

#else

static inline bool iommufd_device_is_preserved(struct iommufd_device *idev)
{
	return false;
}

#endif

#endif /* _LINUX_IOMMUFD_LIVEUPDATE_H */
