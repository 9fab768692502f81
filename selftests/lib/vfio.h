/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCI device held through vfio's character device. As in iommufd.h, calls
 * return 0 (or what they are named after) or a negative errno.
 */
#ifndef IOX_SELFTEST_VFIO_H
#define IOX_SELFTEST_VFIO_H

#include <linux/types.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stddef.h>

/* "0000:00:04.0" and its terminating zero */
#define PCI_NAME_SIZE 16

/* Finds the first PCI device with these ids. */
int pci_find(unsigned int vendor, unsigned int device,
	     char name[PCI_NAME_SIZE]);

/* Opens the /dev/vfio/N of the device's group; returns a file descriptor. */
int vfio_group_open(const char *name);

/* Finds another one for each @index; 0 is the first. */
int pci_find_nth(unsigned int vendor, unsigned int device, int index,
		 char name[PCI_NAME_SIZE]);

/* Makes vfio-pci the driver of a PCI device, whichever it has now. */
int vfio_pci_claim(const char *name);

/* Opens the device's /dev/vfio/devices/vfioN; returns a file descriptor. */
int vfio_open(const char *name);

int vfio_bind(int device_fd, int iommufd, __u32 *device_id);

/* *@pt_id names an IOAS or a HWPT, then what the device is attached to. */
int vfio_attach(int device_fd, __u32 *pt_id);

/* Attaches to an IOAS, when the HWPT's id is of no interest. */
int vfio_attach_ioas(int device_fd, __u32 ioas);

int vfio_detach(int device_fd);

int vfio_region_info(int device_fd, __u32 index,
		     struct vfio_region_info *info);

/* Maps a BAR into this process; *@length is its size. */
int vfio_map_bar(int device_fd, __u32 index, void **bar, size_t *length);

/* Gives the command register of the device's configuration space. */
int vfio_pci_command(int device_fd, __u16 *command);

/* Lets the device start DMA of its own, or stops it. */
int vfio_bus_master(int device_fd, bool on);

#endif
