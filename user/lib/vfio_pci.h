/* SPDX-License-Identifier: GPL-2.0 */
/* What sysfs and /proc know of a device that live update cares about. */
#ifndef IOX_VFIO_PCI_H
#define IOX_VFIO_PCI_H

#include <stdbool.h>
#include <stddef.h>

/* Something that keeps vfio-pci from preserving a device. */
struct vfio_pci_rule {
	bool (*is_broken)(const char *sysfs);
	const char *kind;
	int err;
	const char *why, *mend;
};

/* Ends with one whose kind is NULL. @sysfs is the device's folder. */
extern const struct vfio_pci_rule vfio_pci_rules[];

/* Is vfio-pci the driver of the device with this name, such as 0000:00:04.0? */
bool vfio_pci_has_device(const char *name);

/* The path of a device's group; false if it has none. */
bool vfio_pci_group(const char *sysfs, char path[64]);

/* An interrupt of the device that is on; false if none is. */
bool vfio_pci_find_irq(const char *name, char *irq, size_t size);

#endif
