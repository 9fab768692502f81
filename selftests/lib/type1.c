// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "iommufd.h"
#include "type1.h"

int type1_ioctl(int fd, unsigned long request, unsigned long arg)
{
	int rc = ioctl(fd, request, arg);

	return rc < 0 ? -errno : rc;
}

int type1_map_flags(int fd, __u32 flags, const void *va, __u64 size, __u64 iova)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd),
		.flags = flags,
		.vaddr = (uintptr_t)va,
		.iova = iova,
		.size = size,
	};

	return xioctl(fd, VFIO_IOMMU_MAP_DMA, &cmd);
}

int type1_map(int fd, const void *va, __u64 size, __u64 iova)
{
	return type1_map_flags(fd, TYPE1_RW, va, size, iova);
}

int type1_unmap_flags(int fd, __u32 flags, __u64 iova, __u64 *size)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd),
		.flags = flags,
		.iova = iova,
		.size = *size,
	};
	int err = xioctl(fd, VFIO_IOMMU_UNMAP_DMA, &cmd);

	*size = cmd.size;
	return err;
}

int type1_unmap(int fd, __u64 iova, __u64 *size)
{
	return type1_unmap_flags(fd, 0, iova, size);
}

int type1_unmap_all(int fd, __u64 *size)
{
	*size = 0;
	return type1_unmap_flags(fd, VFIO_DMA_UNMAP_FLAG_ALL, 0, size);
}

int type1_join(struct edu *edu, int container)
{
	int group, err;

	group = vfio_group_open(edu->name);
	if (group < 0)
		return group;
	err = xioctl(group, VFIO_GROUP_SET_CONTAINER, &container);
	if (err) {
		close(group);
		return err;
	}
	return group;
}

int type1_open_device(struct edu *edu, int group)
{
	edu->fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, edu->name);
	if (edu->fd < 0)
		return -errno;
	return edu_map_bar(edu);
}
