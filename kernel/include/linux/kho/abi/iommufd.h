/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one kernel tells the next about a preserved iommufd.
 */
#ifndef _LINUX_KHO_ABI_IOMMUFD_H
#define _LINUX_KHO_ABI_IOMMUFD_H

#include <linux/build_bug.h>
#include <linux/types.h>

/**
 * DOC: iommufd live update ABI
 *
 * The data handle of a file is the physical address of a struct iommufd_ser, which is a page of its own. It has two
 * lists of pages, each with a header and as many records as are in it: HWPTs, and the areas that they map.
 *
 * The page tables of an HWPT are the IOMMU core's: see struct iommu_domain_ser. The areas say what the tables have to
 * look like, and which memory devices may write to: the new kernel holds on to it as long as the HWPT lives.
 *
 * All addresses are physical. Checksums are CRC-32C. Any change of layout or of a meaning is a new compatible string.
 */

#define IOMMUFD_LUO_FH_COMPATIBLE	"iommufd-v1"

/**
 * struct iommufd_ser_list - A list of pages with records
 * @first_phys: The first page, 0 if there is no record
 * @nr:         Records in all pages
 */
struct iommufd_ser_list {
	u64 first_phys;
	u64 nr;
} __packed;

/**
 * struct iommufd_ser - A preserved file
 * @magic:    IOMMUFD_SER_MAGIC
 * @checksum: Over what follows; written at freeze
 * @hwpts:    struct iommufd_hwpt_ser
 * @areas:    struct iommufd_area_ser
 */
struct iommufd_ser {
	u32 magic;
	u32 checksum;
	struct iommufd_ser_list hwpts;
	struct iommufd_ser_list areas;
} __packed;

#define IOMMUFD_SER_MAGIC	0x31464d49	/* "IMF1" */

/**
 * struct iommufd_ser_page - Begins a page of records
 * @next_phys: The next page, 0 in the last
 * @nr:        Records in this page, at least 1
 * @checksum:  Over @next_phys, @nr and the records; written at freeze
 */
struct iommufd_ser_page {
	u64 next_phys;
	u32 nr;
	u32 checksum;
} __packed;

/**
 * struct iommufd_hwpt_ser - An HWPT
 * @hwpt_token:  What it is known by
 * @domain_phys: Its struct iommu_domain_ser
 * @first_area:  Index of the first area that it maps; several HWPTs of an IOAS each have their own
 * @nr_areas:    How many
 * @flags:       IOMMUFD_HWPT_SER_COHERENT
 * @__reserved:  0
 */
struct iommufd_hwpt_ser {
	u64 hwpt_token;
	u64 domain_phys;
	u64 first_area;
	u64 nr_areas;
	u32 flags;
	u32 __reserved;
} __packed;

/* DMA cannot bypass the caches */
#define IOMMUFD_HWPT_SER_COHERENT	0x1

/**
 * struct iommufd_area_ser - What is mapped somewhere
 * @iova:       The first address, in bytes
 * @length:     In bytes; whole pages
 * @file_token: The memfd, in the same session
 * @file_start: Where in it the area begins, in bytes
 * @prot:       IOMMUFD_AREA_SER_READ, IOMMUFD_AREA_SER_WRITE
 * @__reserved: 0
 */
struct iommufd_area_ser {
	u64 iova;
	u64 length;
	u64 file_token;
	u64 file_start;
	u32 prot;
	u32 __reserved;
} __packed;

#define IOMMUFD_AREA_SER_READ	0x1
#define IOMMUFD_AREA_SER_WRITE	0x2

static_assert(sizeof(struct iommufd_ser) == 40);
static_assert(sizeof(struct iommufd_ser_page) == 16);
static_assert(sizeof(struct iommufd_hwpt_ser) == 40);
static_assert(sizeof(struct iommufd_area_ser) == 40);

#endif /* _LINUX_KHO_ABI_IOMMUFD_H */
