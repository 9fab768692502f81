/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program does that knows vfio's groups and its type 1 IOMMU only. As in
 * iommufd.h, calls return 0 (or what they are named after) or a negative errno.
 */
#ifndef IOX_SELFTEST_TYPE1_H
#define IOX_SELFTEST_TYPE1_H

#include <linux/types.h>
#include <linux/vfio.h>
#include <stddef.h>

#include "edu.h"

#define TYPE1_RW (VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE)

/* Any ioctl that takes a number, not a pointer; returns what it returns. */
int type1_ioctl(int fd, unsigned long request, unsigned long arg);

int type1_map_flags(int fd, __u32 flags, const void *va, __u64 size,
		    __u64 iova);

/* Readable and writable. */
int type1_map(int fd, const void *va, __u64 size, __u64 iova);

/* *@size is how much, then how much it has really been. */
int type1_unmap_flags(int fd, __u32 flags, __u64 iova, __u64 *size);

int type1_unmap(int fd, __u64 iova, __u64 *size);

/* Everything there is; *@size says how much it was. */
int type1_unmap_all(int fd, __u64 *size);

/* Puts the device's group into @container; returns the group's file. */
int type1_join(struct edu *edu, int container);

/* Opens the device through its group and makes it ready for DMA. */
int type1_open_device(struct edu *edu, int group);

#endif
