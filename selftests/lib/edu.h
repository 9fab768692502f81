/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver for QEMU's "edu" device: a 4 KiB buffer inside the device and an
 * engine that copies between it and memory, by real DMA through the IOMMU.
 *
 * By itself the device drops all address bits above 28; start it with
 * "-device edu,dma_mask=0xffffffffffffffff", or a transfer goes astray.
 */
#ifndef IOX_SELFTEST_EDU_H
#define IOX_SELFTEST_EDU_H

#include <linux/types.h>
#include <stddef.h>

#include "vfio.h"

/* For tests that cannot go on without the device. */
#define NEED_EDU "no edu device: boot with --device edu,dma_mask=0xffffffffffffffff"

/*
 * The most that one transfer moves. QEMU ends itself over a transfer that
 * reaches the last byte of the device's buffer, so stay well away from it.
 */
#define EDU_CHUNK 2048

struct edu {
	int fd;			/* vfio's character device */
	__u32 id;		/* the device's id in its iommufd */
	void *bar;
	size_t bar_size;
	char name[PCI_NAME_SIZE];
};

/* Finds the device and opens it, not bound yet to any iommufd. */
int edu_open(struct edu *edu);

/* The same with that one of several. */
int edu_open_name(struct edu *edu, const char *name);

/* Finds another device for each @index, 0 is the first, that has an IOMMU. */
int edu_find(int index, char name[PCI_NAME_SIZE]);

/* Finds one that has none. */
int edu_find_noiommu(char name[PCI_NAME_SIZE]);

/* Binds the device to @iommufd and makes its registers usable. */
int edu_start(struct edu *edu, int iommufd);

/* Opens an iommufd with one IOAS, and the device, and binds that. */
int edu_bind_new(struct edu *edu, int *iommufd, __u32 *ioas);

/* Makes the registers of an open and bound device usable. */
int edu_map_bar(struct edu *edu);

/* Opens, binds and attaches to @ioas: ready for DMA. */
int edu_setup(struct edu *edu, int iommufd, __u32 ioas);

void edu_close(struct edu *edu);

/* Lets the registers go; the device file stays open. */
void edu_unmap_bar(struct edu *edu);

/* The device reads memory at @iova into its buffer. */
int edu_load(struct edu *edu, __u64 iova, size_t offset, size_t length);

/* The device writes its buffer to memory at @iova. */
int edu_store(struct edu *edu, __u64 iova, size_t offset, size_t length);

/* The device copies any length from memory to memory, chunk by chunk. */
int edu_copy(struct edu *edu, __u64 to, __u64 from, size_t length);

/*
 * A device that nobody has open is made to read at @iova. Returns 0 if the IOMMU
 * refuses that. Prints a line that tells others that this fault is wanted.
 */
int edu_check_blocked(const char *name, __u64 iova);

#endif
