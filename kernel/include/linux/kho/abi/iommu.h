/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one kernel tells the next about IOMMUs that keep translating over a kexec.
 */
#ifndef _LINUX_KHO_ABI_IOMMU_H
#define _LINUX_KHO_ABI_IOMMU_H

#include <linux/build_bug.h>
#include <linux/types.h>

/**
 * DOC: IOMMU live update ABI
 *
 * The state hangs off the "iommu-liveupdate-v1" object of the Live Update Orchestrator, whose data handle is the
 * physical address of a struct iommu_flb_ser. That has three arrays: IOMMUs, domains and devices. An array is a list
 * of pages, each with a header and as many objects as fit; only the last page may have room left. Objects never move,
 * so a physical address names an object in both kernels. An object that was unpreserved stays in its place and is
 * marked deleted.
 *
 * All addresses are physical. Any change of layout or of a meaning is a new compatible string.
 *
 * Not in here, since the hardware itself has it: the root table of an IOMMU, and all that hangs off that. The memory
 * of those tables and of the domains' page tables is handed over by KHO page by page.
 */

#define IOMMU_LIVEUPDATE_FLB_COMPATIBLE	"iommu-liveupdate-v1"
/* What the strings of all versions begin with. */
#define IOMMU_LIVEUPDATE_FLB_PREFIX	"iommu-liveupdate-"

/**
 * struct iommu_flb_ser - Where everything else is
 * @iommu_array_phys:        First page of struct iommu_hw_ser objects, 0 for none
 * @iommu_domain_array_phys: First page of struct iommu_domain_ser objects, 0 for none
 * @device_array_phys:       First page of struct iommu_device_ser objects, 0 for none
 */
struct iommu_flb_ser {
	u64 iommu_array_phys;
	u64 iommu_domain_array_phys;
	u64 device_array_phys;
} __packed;

/**
 * struct iommu_array_check_ser - What an array has to be like
 * @nr_pages:   Pages in the list
 * @nr_objects: Objects in all pages, deleted ones too
 * @checksum:   CRC-32C over the pages in the order of the list: header and objects, not the rest of the page
 * @__reserved: 0
 */
struct iommu_array_check_ser {
	u64 nr_pages;
	u64 nr_objects;
	u32 checksum;
	u32 __reserved;
} __packed;

/**
 * struct iommu_flb_check_ser - Follows struct iommu_flb_ser in the same page; written at freeze
 * @magic:    IOMMU_FLB_CHECK_MAGIC
 * @checksum: CRC-32C over struct iommu_flb_ser and the three @arrays
 * @arrays:   For each of the three arrays, in the order of struct iommu_flb_ser
 */
struct iommu_flb_check_ser {
	u32 magic;
	u32 checksum;
	struct iommu_array_check_ser arrays[3];
} __packed;

#define IOMMU_FLB_CHECK_MAGIC	0x31554c49	/* "ILU1" */

/**
 * struct iommu_array_hdr_ser - Begins every page of an array
 * @next_array_phys: The next page, 0 in the last
 * @nr_objects:      Objects in this page
 */
struct iommu_array_hdr_ser {
	u64 next_array_phys;
	u64 nr_objects;
} __packed;

/**
 * struct iommu_obj_hdr_ser - Begins every object
 * @ref_count: Who needs the object. A domain: the iommufd that preserved it, and each device attached to it.
 *             An IOMMU: each device. A device: 1.
 * @deleted:   Unpreserved again; nothing else in the object means anything
 * @incoming:  Set by the kernel that restored the object, so that it is not restored twice
 * @__unused:  0
 */
struct iommu_obj_hdr_ser {
	u32 ref_count;
	u32 deleted:1;
	u32 incoming:1;
	u32 __unused:30;
} __packed;

/**
 * struct iommu_domain_ser - A page table
 * @obj:             Object header
 * @top_table_phys:  The topmost table
 * @top_level:       Its level, as generic_pt counts: 0 is the level of the smallest pages
 * @vasz:            Width of an IOVA in bits
 * @sign_extend:     The top bit of an IOVA extends to 64 bits
 * @__unused:        0
 * @restored_domain: The number of tables but the topmost in the upper half, and in the lower half a CRC-32C over their
 *                   addresses, 8 bytes each, in the order of a walk that goes down before it goes on. Then a place for
 *                   the kernel that restored the domain to note what became of it
 */
struct iommu_domain_ser {
	struct iommu_obj_hdr_ser obj;
	u64 top_table_phys;
	u64 top_level;
	u32 vasz;
	u32 sign_extend:1;
	u32 __unused:31;
	u64 restored_domain;
} __packed;

/**
 * struct iommu_device_ser - A device that goes on with its DMA
 * @obj:               Object header
 * @devid:             Bus, device and function as in PCI_DEVID()
 * @pci_domain_nr:     PCI domain, which is what ACPI calls a segment
 * @map:               What the device is attached to
 * @map.attachment_id: Chosen by who preserved the device
 * @map.domain_phys:   The struct iommu_domain_ser
 * @map.iommu_phys:    The struct iommu_hw_ser
 */
struct iommu_device_ser {
	struct iommu_obj_hdr_ser obj;
	u32 devid;
	u32 pci_domain_nr;
	struct {
		u64 attachment_id;
		u64 domain_phys;
		u64 iommu_phys;
	} __packed map;
} __packed;

/**
 * enum iommu_hw_type_ser - Whose IOMMU it is
 * @IOMMU_HW_SER_INVALID: None
 * @IOMMU_HW_SER_VTD:     Intel VT-d. The token is the register base address.
 * @IOMMU_HW_SER_MOCK:    Of the unit tests
 */
enum iommu_hw_type_ser {
	IOMMU_HW_SER_INVALID = 0,
	IOMMU_HW_SER_VTD = 1,
	IOMMU_HW_SER_MOCK = 0x6b636f6d,
};

/**
 * struct iommu_hw_ser - An IOMMU that keeps translating
 * @obj:   Object header
 * @token: By which the driver knows it again
 * @type:  enum iommu_hw_type_ser
 */
struct iommu_hw_ser {
	struct iommu_obj_hdr_ser obj;
	u64 token;
	u64 type;
} __packed;

static_assert(sizeof(struct iommu_flb_ser) == 24);
static_assert(sizeof(struct iommu_array_check_ser) == 24);
static_assert(sizeof(struct iommu_flb_check_ser) == 80);
static_assert(sizeof(struct iommu_array_hdr_ser) == 16);
static_assert(sizeof(struct iommu_obj_hdr_ser) == 8);
static_assert(sizeof(struct iommu_domain_ser) == 40);
static_assert(sizeof(struct iommu_device_ser) == 40);
static_assert(sizeof(struct iommu_hw_ser) == 24);

#endif /* _LINUX_KHO_ABI_IOMMU_H */
