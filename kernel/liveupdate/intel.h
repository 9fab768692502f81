/* SPDX-License-Identifier: GPL-2.0-only */
/* What the VT-d driver has to call for devices that go on over a kexec. */
#ifndef __IOMMU_LIVEUPDATE_INTEL_H
#define __IOMMU_LIVEUPDATE_INTEL_H

#include <linux/errno.h>
#include <linux/types.h>

struct device;
struct intel_iommu;
struct iommu_domain;
struct iommu_liveupdate_ops;

#ifdef CONFIG_IOMMU_LIVEUPDATE

extern const struct iommu_liveupdate_ops intel_liveupdate_ops;

void intel_liveupdate_begin(void);
bool intel_liveupdate_adopt(struct intel_iommu *iommu);
bool intel_liveupdate_adopt_pasids(struct device *dev);
bool intel_liveupdate_shutdown(struct intel_iommu *iommu);
int intel_replace_domain(struct iommu_domain *domain, struct device *dev);

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline void intel_liveupdate_begin(void)
{
}

static inline bool intel_liveupdate_adopt(struct intel_iommu *iommu)
{
	return false;
}

static inline bool intel_liveupdate_adopt_pasids(struct device *dev)
{
	return false;
}

static inline bool intel_liveupdate_shutdown(struct intel_iommu *iommu)
{
	return false;
}

static inline int intel_replace_domain(struct iommu_domain *domain, struct device *dev)
{
	return -EOPNOTSUPP;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* __IOMMU_LIVEUPDATE_INTEL_H */
