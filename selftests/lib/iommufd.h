/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls into /dev/iommu for test programs.
 *
 * Each helper fills in one structure, makes one ioctl and returns 0 or a
 * negative errno. That one function serves three ways:
 *
 *	ioas_map(...)			gives the code
 *	must(ioas_map(...))		asserts success
 *	must_fail(EEXIST, ioas_map(...))	asserts this errno
 *
 * must() and must_fail() end the test; they need kselftest_harness.h and work
 * inside of TEST, TEST_F and FIXTURE_SETUP only.
 */
#ifndef IOX_SELFTEST_IOMMUFD_H
#define IOX_SELFTEST_IOMMUFD_H

#include <linux/iommufd.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define must(call) ASSERT_EQ(0, call)
#define must_fail(err, call) ASSERT_EQ(-(err), call)

#define MAP_RW (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

/* The window that x86 keeps for message-signalled interrupts. */
#define MSI_FIRST 0xfee00000ULL
#define MSI_LAST 0xfeefffffULL

/* Returns 0 or a negative errno for any ioctl on any file. */
int xioctl(int fd, unsigned long request, void *arg);

/* Returns a file descriptor or a negative errno. */
int iommufd_open(void);

/* Is this kernel's iommufd ours, with policies and IOVA hints? */
bool iommufd_is_iox(void);

int iommufd_destroy(int fd, __u32 id);

int ioas_alloc(int fd, __u32 *id);

/* @flags decides whether *@iova is input (FIXED_IOVA), a hint, or output. */
int ioas_map(int fd, __u32 ioas, __u32 flags, const void *va, size_t length,
	     __u64 *iova);

/* Readable and writeable, at @iova. */
int ioas_map_fixed(int fd, __u32 ioas, const void *va, size_t length,
		   __u64 iova);

/* Readable and writeable, anywhere, with no hint. */
int ioas_map_auto(int fd, __u32 ioas, const void *va, size_t length,
		  __u64 *iova);

/* *@iova is a hint, or 0, then where; as if memory at @va were to be there. */
int ioas_reserve(int fd, __u32 ioas, __u64 va, __u64 length, __u64 *iova);

int ioas_reserve_fixed(int fd, __u32 ioas, __u64 length, __u64 iova);

/* Readable and writeable, at @iova: memory of a memfd or a dma-buf. */
int ioas_map_file_fixed(int fd, __u32 ioas, int file, __u64 start,
			__u64 length, __u64 iova);
/* The first @length bytes of a memfd, readable and writeable, at @iova. */
int ioas_map_memfd(int fd, __u32 ioas, int memfd, size_t length, __u64 iova);

int ioas_unmap(int fd, __u32 ioas, __u64 iova, __u64 length);

/* Like ioas_unmap(), and says in *@length what was really unmapped. */
int ioas_unmap_count(int fd, __u32 ioas, __u64 iova, __u64 *length);

int ioas_unmap_all(int fd, __u32 ioas);

/* *@count is the room in @ranges, then what there is to report. */
int ioas_ranges(int fd, __u32 ioas, struct iommu_iova_range *ranges,
		__u32 *count, __u64 *alignment);

/* Promises these ranges to automatic IOVAs; none at all ends that. */
int ioas_allow(int fd, __u32 ioas, const struct iommu_iova_range *ranges,
	       __u32 count);

/* A paging domain of its own for @device, with what is mapped in @ioas. */
int hwpt_alloc_paging(int fd, __u32 device, __u32 ioas, __u32 *id);

/* Does [@first, @last] lie inside of one of the IOAS's windows? */
bool ioas_range_usable(int fd, __u32 ioas, __u64 first, __u64 last);

#endif
