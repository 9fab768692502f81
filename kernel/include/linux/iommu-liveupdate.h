/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOMMU state that outlives the kernel: what iommufd's and vfio-pci's file handlers call, and what IOMMU drivers and
 * the PCI core hook into.
 */
#ifndef _LINUX_IOMMU_LIVEUPDATE_H
#define _LINUX_IOMMU_LIVEUPDATE_H

#include <linux/errno.h>
#include <linux/err.h>
#include <linux/types.h>

struct device;
struct iommu_device;
struct iommu_device_ser;
struct iommu_domain;
struct iommu_domain_ser;
struct iommu_hw_ser;
struct liveupdate_file_handler;
struct pci_dev;

/**
 * struct iommu_restored_info - What is known of a device that came through a live update
 * @attachment_id: As given to iommu_device_preserve()
 * @domain_phys:   As returned by iommu_domain_preserve()
 * @domain:        The restored domain, which the device is attached to; NULL if the device was isolated
 */
struct iommu_restored_info {
	u64 attachment_id;
	u64 domain_phys;
	struct iommu_domain *domain;
};

/**
 * struct iommu_liveupdate_ops - What an IOMMU driver has to be able to do
 * @hw_type:           enum iommu_hw_type_ser
 * @hw_token:          By what the driver will know @iommu again in the next kernel.
 * @can_preserve:      Optional. Whether @restore_domain could bring this domain back just as it is.
 * @can_preserve_device: Optional. -EOPNOTSUPP for what @attach_restored could not bring back just as it is.
 * @preserve_device:   Keep the tables that lead from the hardware's root to @domain for @dev.
 * @unpreserve_device: Undo.
 * @restore_domain:    A domain for @dev with the page table of @ser in place of an empty one, checked as it
 *                     is read.
 * @attach_restored:   Tell the driver's own structures that @dev is attached to @domain. The hardware already has it
 *                     so; check that, change nothing.
 * @isolate:           Stop all translation for @dev: its record cannot be believed.
 *
 * All but @hw_token and those that ask may sleep. @can_preserve_device is called with the mutex of the device's group
 * held, @preserve_device with that of the outgoing state too, @unpreserve_device with the latter. The others are called from within
 * iommu_probe_device(), with the mutex of the group and that of the incoming state held.
 */
struct iommu_liveupdate_ops {
	u64 hw_type;
	u64 (*hw_token)(struct iommu_device *iommu);
	bool (*can_preserve)(struct iommu_domain *domain);
	int (*can_preserve_device)(struct device *dev, struct iommu_domain *domain);
	int (*preserve_device)(struct device *dev, struct iommu_domain *domain);
	void (*unpreserve_device)(struct device *dev, struct iommu_domain *domain);
	struct iommu_domain *(*restore_domain)(struct device *dev, const struct iommu_domain_ser *ser,
					       unsigned long *nr_pages);
	int (*attach_restored)(struct iommu_domain *domain, struct device *dev);
	void (*isolate)(struct device *dev);
};

#ifdef CONFIG_IOMMU_LIVEUPDATE

int iommu_liveupdate_register_flb(struct liveupdate_file_handler *fh);
void iommu_liveupdate_unregister_flb(struct liveupdate_file_handler *fh);

int iommu_domain_can_preserve(struct iommu_domain *domain);
int iommu_domain_preserve(struct iommu_domain *domain, u64 *domain_phys);
void iommu_domain_unpreserve(struct iommu_domain *domain);
unsigned int iommu_domain_preserved_devices(struct iommu_domain *domain);
u64 iommu_domain_preserved_bytes(struct iommu_domain *domain);
int iommu_device_can_preserve(struct device *dev, struct iommu_domain *domain);
int iommu_device_preserve(struct device *dev, struct iommu_domain *domain, u64 attachment_id, u64 *device_phys);
void iommu_device_unpreserve(struct device *dev);
bool iommu_device_is_preserved(struct device *dev);

struct iommu_domain *iommu_domain_claim_restored(u64 domain_phys);
void iommu_domain_unclaim_restored(struct iommu_domain *domain);
void iommu_domain_discard_restored(u64 domain_phys);
bool iommu_domain_restored_in_use(struct iommu_domain *domain);
int iommu_device_get_restored(struct device *dev, u64 device_phys, struct iommu_restored_info *info);
int iommu_device_hand_over(struct device *dev, void *owner);
void iommu_device_take_back(struct device *dev);
void iommu_device_finish_restored(struct device *dev);
void iommu_device_discard_restored(struct device *dev);
bool iommu_device_is_restored(struct device *dev);

/* For the PCI core */
bool pci_liveupdate_keeps_master(struct pci_dev *pdev);
bool pci_liveupdate_keeps_bus_numbers(void);

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline int iommu_liveupdate_register_flb(struct liveupdate_file_handler *fh)
{
	return -EOPNOTSUPP;
}

static inline void iommu_liveupdate_unregister_flb(struct liveupdate_file_handler *fh)
{
}

static inline int iommu_domain_can_preserve(struct iommu_domain *domain)
{
	return -EOPNOTSUPP;
}

static inline int iommu_domain_preserve(struct iommu_domain *domain, u64 *domain_phys)
{
	return -EOPNOTSUPP;
}

static inline void iommu_domain_unpreserve(struct iommu_domain *domain)
{
}

static inline unsigned int iommu_domain_preserved_devices(struct iommu_domain *domain)
{
	return 0;
}

static inline u64 iommu_domain_preserved_bytes(struct iommu_domain *domain)
{
	return 0;
}

static inline int iommu_device_can_preserve(struct device *dev, struct iommu_domain *domain)
{
	return -EOPNOTSUPP;
}

static inline int iommu_device_preserve(struct device *dev, struct iommu_domain *domain, u64 attachment_id,
					u64 *device_phys)
{
	return -EOPNOTSUPP;
}

static inline void iommu_device_unpreserve(struct device *dev)
{
}

static inline bool iommu_device_is_preserved(struct device *dev)
{
	return false;
}

static inline struct iommu_domain *iommu_domain_claim_restored(u64 domain_phys)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void iommu_domain_unclaim_restored(struct iommu_domain *domain)
{
}

static inline void iommu_domain_discard_restored(u64 domain_phys)
{
}

static inline bool iommu_domain_restored_in_use(struct iommu_domain *domain)
{
	return false;
}

static inline int iommu_device_get_restored(struct device *dev, u64 device_phys, struct iommu_restored_info *info)
{
	return -EOPNOTSUPP;
}

static inline int iommu_device_hand_over(struct device *dev, void *owner)
{
	return -EOPNOTSUPP;
}

static inline void iommu_device_take_back(struct device *dev)
{
}

static inline void iommu_device_finish_restored(struct device *dev)
{
}

static inline void iommu_device_discard_restored(struct device *dev)
{
}

static inline bool iommu_device_is_restored(struct device *dev)
{
	return false;
}

static inline bool pci_liveupdate_keeps_master(struct pci_dev *pdev)
{
	return false;
}

static inline bool pci_liveupdate_keeps_bus_numbers(void)
{
	return false;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* _LINUX_IOMMU_LIVEUPDATE_H */
