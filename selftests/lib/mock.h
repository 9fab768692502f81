/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mock devices behind a mock IOMMU, and drivers that use memory by the CPU, as
 * CONFIG_IOMMUFD_TEST makes them. As in iommufd.h, calls return 0 (or what they
 * are named after) or a negative errno; @fd is always an iommufd.
 */
#ifndef IOX_SELFTEST_MOCK_H
#define IOX_SELFTEST_MOCK_H

#include <iommufd_test.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* For tests that cannot go on without. */
#define NEED_MOCK "no mock devices: the kernel needs CONFIG_IOMMUFD_TEST"

/* Ids of a device: what destroys it, what it is attached to, what it is bound as */
struct mock {
	__u32 stdev;
	__u32 hwpt;
	__u32 dev;
};

/* Fills in the size and makes the call. */
int mock_call(int fd, struct iommu_test_cmd *cmd);

/* Plugs in a device and attaches it; @flags are MOCK_FLAGS_DEVICE_*. */
int mock_plug(int fd, __u32 pt, __u32 flags, struct mock *mock);

int mock_replace(int fd, __u32 stdev, __u32 *pt);
int mock_pasid_attach(int fd, __u32 stdev, __u32 pasid, __u32 pt);
int mock_pasid_replace(int fd, __u32 stdev, __u32 pasid, __u32 pt);
int mock_pasid_detach(int fd, __u32 stdev, __u32 pasid);

/* Is the PASID attached to this HWPT, or to none if that is 0? */
int mock_pasid_check(int fd, __u32 stdev, __u32 pasid, __u32 hwpt);

/* Does the HWPT lead from @iova to the memory at @va? -EINVAL if not. */
int mock_check_map(int fd, __u32 hwpt, __u64 iova, const void *va,
		   size_t length);

/* Is each page of this memory pinned so many times? -EIO if not. */
int mock_check_pins(int fd, const void *va, size_t length, __u32 pins);

/* Marks the pages whose bits are set as written to by a device. */
int mock_dirty(int fd, __u32 hwpt, __u64 iova, size_t length,
	       const void *bitmap);

/* The device asks for a page. */
int mock_page_request(int fd, __u32 dev, __u32 group, __u64 addr);

/* The vIOMMU reports an event of the device. */
int mock_event(int fd, __u32 dev);

/* Returns a file descriptor, which is the access. */
int mock_access(int fd, __u32 ioas, bool pins);
int mock_access_replace(int fd, int access, __u32 ioas);

/* Fails unless what gets pinned is the memory at @va. */
int mock_access_pin(int fd, int access, __u64 iova, const void *va,
		    size_t length, __u32 *id);
int mock_access_unpin(int fd, int access, __u32 id);

/* @flags are MOCK_ACCESS_RW_*. */
int mock_access_rw(int fd, int access, __u64 iova, void *data, size_t length,
		   __u32 flags);

/* Returns the file descriptor of a dma-buf. */
int mock_dmabuf(int fd, size_t length);
int mock_dmabuf_revoke(int fd, int dmabuf, bool revoked);

#endif
