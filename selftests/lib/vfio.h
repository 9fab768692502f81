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

/* Writes to a file of sysfs. */
int sysfs_write(const char *path, const char *text);

/* Writes to an attribute of a PCI device, such as "driver/unbind". */
int pci_write(const char *name, const char *attribute, const char *text);

/* Looks for devices that are there and not known yet. */
int pci_rescan(void);

/* Is there a device of this name? */
bool pci_exists(const char *name);

/* Does an IOMMU translate for it? */
bool pci_has_iommu(const char *name);

/* Finds the first PCI device with these ids. */
int pci_find(unsigned int vendor, unsigned int device,
	     char name[PCI_NAME_SIZE]);

/*
 * Is the device bus master, or not, as @wanted? It is asked itself, whoever has
 * it. Returns 0 or a negative errno.
 */
int pci_check_master(const char *name, bool wanted);

/* Lets the device answer and start DMA of its own, whoever has it. */
int pci_force_master(const char *name);

/* Opens the /dev/vfio/N of the device's group; returns a file descriptor. */
int vfio_group_open(const char *name);

/* Finds another one for each @index; 0 is the first. */
int pci_find_nth(unsigned int vendor, unsigned int device, int index,
		 char name[PCI_NAME_SIZE]);

/* Makes vfio-pci the driver of a PCI device, whichever it has now. */
int vfio_pci_claim(const char *name);

/* Can vfio offer devices that no IOMMU translates for? */
bool vfio_knows_noiommu(void);

/* Has vfio offer devices that no IOMMU translates for. */
int vfio_allow_noiommu(void);

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

/* Has @eventfd signalled when the kernel wants the device back. */
int vfio_on_request(int device_fd, int eventfd);

/* One MSI, which @eventfd hears of (-1: nobody); none. */
int vfio_msi_on(int device_fd, int eventfd);
int vfio_msi_off(int device_fd);

/* Lets the device answer to its BARs, or makes it deaf. */
int vfio_memory(int device_fd, bool on);

/* Exports part of a BAR; returns the file descriptor of a dma-buf. */
int vfio_dmabuf(int device_fd, __u32 index, __u64 offset, __u64 length);
/* Gives the command register of the device's configuration space. */
int vfio_pci_command(int device_fd, __u16 *command);

/* Lets the device start DMA of its own, or stops it. */
int vfio_bus_master(int device_fd, bool on);

#endif
