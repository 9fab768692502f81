/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one kernel tells the next about a preserved file of a vfio-pci device.
 */
#ifndef _LINUX_KHO_ABI_VFIO_PCI_H
#define _LINUX_KHO_ABI_VFIO_PCI_H

#include <linux/build_bug.h>
#include <linux/types.h>

/**
 * DOC: vfio-pci live update ABI
 *
 * The data handle of a file is the physical address of a struct vfio_pci_ser. What the IOMMU has to know of the device
 * is the IOMMU core's: see struct iommu_device_ser.
 *
 * Any change of layout or of a meaning is a new compatible string.
 */

#define VFIO_PCI_LUO_FH_COMPATIBLE	"vfio-pci-v1"

/* The largest configuration space there is, in bytes */
#define VFIO_PCI_SER_CONFIG_MAX		4096

/**
 * struct vfio_pci_ser - A preserved file
 * @domain:        PCI domain, which is what ACPI calls a segment
 * @bdf:           Bus, device and function as in PCI_DEVID()
 * @__reserved:    0
 * @magic:         VFIO_PCI_SER_MAGIC
 * @checksum:      CRC-32C over the whole structure with 0 in this place; written at freeze
 * @iommufd_token: The iommufd that the device is bound to, in the same session
 * @hwpt_token:    The HWPT that it is attached to there
 * @device_phys:   Its struct iommu_device_ser
 * @vendor:        PCI vendor id
 * @device:        PCI device id
 * @flags:         VFIO_PCI_SER_RESET_WORKS
 * @config_size:   Bytes of @config that are used
 * @config:        The configuration space as the file's user sees it
 */
struct vfio_pci_ser {
	u32 domain;
	u16 bdf;
	u16 __reserved;
	u32 magic;
	u32 checksum;
	u64 iommufd_token;
	u64 hwpt_token;
	u64 device_phys;
	u16 vendor;
	u16 device;
	u32 flags;
	u32 config_size;
	u8 config[VFIO_PCI_SER_CONFIG_MAX];
} __packed;

#define VFIO_PCI_SER_MAGIC		0x31435056	/* "VPC1" */

/* The function can be reset alone, as tried when the file was opened */
#define VFIO_PCI_SER_RESET_WORKS	0x1

static_assert(sizeof(struct vfio_pci_ser) == 52 + VFIO_PCI_SER_CONFIG_MAX);

#endif /* _LINUX_KHO_ABI_VFIO_PCI_H */
