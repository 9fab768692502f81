// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/iox.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "iommufd.h"

int xioctl(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg) < 0 ? -errno : 0;
}

int iommufd_open(void)
{
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

bool iommufd_is_iox(void)
{
	return access("/sys/kernel/iox", F_OK) == 0;
}

int iommufd_destroy(int fd, __u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };

	return xioctl(fd, IOMMU_DESTROY, &cmd);
}

int ioas_alloc(int fd, __u32 *id)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	int err = xioctl(fd, IOMMU_IOAS_ALLOC, &cmd);

	if (!err)
		*id = cmd.out_ioas_id;
	return err;
}

int ioas_map(int fd, __u32 ioas, __u32 flags, const void *va, size_t length,
	     __u64 *iova)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = length,
		.iova = *iova,
	};
	int err = xioctl(fd, IOMMU_IOAS_MAP, &cmd);

	if (!err)
		*iova = cmd.iova;
	return err;
}

int ioas_map_fixed(int fd, __u32 ioas, const void *va, size_t length,
		   __u64 iova)
{
	return ioas_map(fd, ioas, MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA, va,
			length, &iova);
}

int ioas_map_auto(int fd, __u32 ioas, const void *va, size_t length,
		  __u64 *iova)
{
	*iova = 0;
	return ioas_map(fd, ioas, MAP_RW, va, length, iova);
}

int ioas_reserve(int fd, __u32 ioas, __u64 va, __u64 length, __u64 *iova)
{
	return ioas_map(fd, ioas, IOX_IOAS_MAP_RESERVE, (void *)(uintptr_t)va,
			length, iova);
}

int ioas_reserve_fixed(int fd, __u32 ioas, __u64 length, __u64 iova)
{
	return ioas_map(fd, ioas,
			IOX_IOAS_MAP_RESERVE | IOMMU_IOAS_MAP_FIXED_IOVA, NULL,
			length, &iova);
}

int ioas_map_file_fixed(int fd, __u32 ioas, int file, __u64 start,
			__u64 length, __u64 iova)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = ioas,
		.fd = file,
		.start = start,
		.length = length,
		.iova = iova,
	};

	return xioctl(fd, IOMMU_IOAS_MAP_FILE, &cmd);
}

int ioas_map_memfd(int fd, __u32 ioas, int memfd, size_t length, __u64 iova)
{
	return ioas_map_file_fixed(fd, ioas, memfd, 0, length, iova);
}

int hwpt_alloc_paging(int fd, __u32 device, __u32 ioas, __u32 *id)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = device,
		.pt_id = ioas,
	};
	int err = xioctl(fd, IOMMU_HWPT_ALLOC, &cmd);

	if (!err)
		*id = cmd.out_hwpt_id;
	return err;
}

int ioas_unmap_count(int fd, __u32 ioas, __u64 iova, __u64 *length)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = *length,
	};
	int err = xioctl(fd, IOMMU_IOAS_UNMAP, &cmd);

	*length = cmd.length;
	return err;
}

int ioas_unmap(int fd, __u32 ioas, __u64 iova, __u64 length)
{
	return ioas_unmap_count(fd, ioas, iova, &length);
}

int ioas_unmap_all(int fd, __u32 ioas)
{
	return ioas_unmap(fd, ioas, 0, UINT64_MAX);
}

int ioas_ranges(int fd, __u32 ioas, struct iommu_iova_range *ranges,
		__u32 *count, __u64 *alignment)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = *count,
		.allowed_iovas = (uintptr_t)ranges,
	};
	int err = xioctl(fd, IOMMU_IOAS_IOVA_RANGES, &cmd);

	*count = cmd.num_iovas;
	if (alignment)
		*alignment = cmd.out_iova_alignment;
	return err;
}

int ioas_allow(int fd, __u32 ioas, const struct iommu_iova_range *ranges,
	       __u32 count)
{
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.num_iovas = count,
		.allowed_iovas = (uintptr_t)ranges,
	};

	return xioctl(fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd);
}

bool ioas_range_usable(int fd, __u32 ioas, __u64 first, __u64 last)
{
	struct iommu_iova_range ranges[16];
	__u32 count = sizeof(ranges) / sizeof(ranges[0]);

	if (ioas_ranges(fd, ioas, ranges, &count, NULL))
		return false;
	for (__u32 i = 0; i < count; i++)
		if (ranges[i].start <= first && last <= ranges[i].last)
			return true;
	return false;
}
