/* SPDX-License-Identifier: GPL-2.0-only */
/* A PCI device that is only its configuration space, an IOMMU that is only its records, and a KHO that can be watched. */
#ifndef __IOMMU_LIVEUPDATE_TEST_MOCK_H
#define __IOMMU_LIVEUPDATE_TEST_MOCK_H

#include <linux/generic_pt/iommu.h>
#include <linux/iommu.h>
#include <linux/pci.h>

#define MOCK_TOKEN	0xfeed0000
#define MOCK_SEGMENT	0x7e57
#define MOCK_IOVA	0x40000000ULL

/**
 * struct mock_domain - A domain with a page table of one of two formats
 * @domain: The domain
 * @ss: VT-d second stage
 * @fs: x86, whose addresses extend their sign
 */
struct mock_domain {
	union {
		struct iommu_domain domain;
		struct pt_iommu iommu;
		struct pt_iommu_vtdss ss;
		struct pt_iommu_x86_64 fs;
	};
};
PT_IOMMU_CHECK_DOMAIN(struct mock_domain, iommu, domain);
PT_IOMMU_CHECK_DOMAIN(struct mock_domain, ss.iommu, domain);
PT_IOMMU_CHECK_DOMAIN(struct mock_domain, fs.iommu, domain);

struct mock_device {
	struct pci_dev pdev;
	struct dev_iommu iommu;
	u16 command;
};

/**
 * struct mock_calls - What the driver was asked, and what it says
 * @preserved: Devices
 * @attached: Devices
 * @isolated: Devices
 * @freed: Domains
 * @fail_preserve: Errno of preserve_device
 * @fail_attach: Errno of attach_restored
 */
struct mock_calls {
	int preserved;
	int attached;
	int isolated;
	int freed;
	int fail_preserve;
	int fail_attach;
};

extern struct mock_calls mock_calls;

/**
 * struct mock_kho - The pages that are handed over
 * @nr: Now
 * @total: Since the begin
 * @fail_at: Refuse the page that would be this one, counted from 1; 0 for none
 * @lost: A page that the next kernel does not find
 */
struct mock_kho {
	int nr;
	int total;
	int fail_at;
	phys_addr_t lost;
};

extern struct mock_kho mock_kho;

void mock_begin(void);
void mock_jump(bool jumped);
int mock_end(void);

struct mock_domain *mock_domain_alloc(bool sign_extend);
int mock_domain_map(struct mock_domain *domain, unsigned int nr);
bool mock_domain_maps(struct iommu_domain *domain, bool sign_extend, unsigned int nr);
void mock_domain_forget(struct mock_domain *domain);

struct mock_device *mock_device_alloc(u8 devfn);
void mock_device_free(struct mock_device *mock);

#endif /* __IOMMU_LIVEUPDATE_TEST_MOCK_H */
