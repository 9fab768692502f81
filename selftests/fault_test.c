// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must not work with a device attached: DMA to what is not mapped, memory
 * that cannot be pinned, IOVAs that are reserved, more memory than is allowed.
 */
#include <limits.h>
#include <sys/resource.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/kmsg.h"
#include "lib/leak.h"

#define AT 0x100000000ULL
#define NOWHERE 0x200000000ULL
#define BUFFER_SIZE (64 * PAGE)

/* Few bytes, since the IOMMU reports a fault for each eight of them. */
#define PROBE 8

FIXTURE(faults)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct edu edu;
	char *buffer;
	int kmsg;
};

FIXTURE_SETUP(faults)
{
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	self->buffer = buffer_small(BUFFER_SIZE);
	buffer_fill(self->buffer, BUFFER_SIZE, 1);
	self->kmsg = kmsg_open();
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(faults)
{
	edu_close(&self->edu);
	close(self->kmsg);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

/*
 * Has the IOMMU reported a fault at @iova? The kernel reports no more than
 * some faults in five seconds, hence the patience.
 */
static bool fault_reported(int kmsg, struct edu *edu, bool write, __u64 iova)
{
	char needle[32], line[256];

	snprintf(needle, sizeof(needle), "fault addr 0x%llx ",
		 iova & ~(PAGE - 1));
	for (int i = 0; i < 6; i++) {
		int err = write ? edu_store(edu, iova, 0, PROBE) :
				  edu_load(edu, iova, 0, PROBE);

		if (err)
			return false;
		if (!kmsg_wait(kmsg, needle, 1000, line, sizeof(line)))
			return strstr(line, write ? "DMA Write" : "DMA Read");
	}
	return false;
}

/* What the device holds in its buffer, as far as a probe goes. */
static int device_bytes(int fd, __u32 ioas, struct edu *edu, char *out)
{
	int err = ioas_map_fixed(fd, ioas, out, PAGE, AT + 0x10000000);

	if (!err)
		err = edu_store(edu, AT + 0x10000000, 0, PROBE);
	if (!err)
		err = ioas_unmap(fd, ioas, AT + 0x10000000, PAGE);
	return err;
}

/* --- DMA that must fault ----------------------------------------------------- */

TEST_F(faults, read_of_unmapped_iova)
{
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, false, NOWHERE));
}

TEST_F(faults, write_of_unmapped_iova)
{
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, true, NOWHERE));
}

TEST_F(faults, read_after_unmap)
{
	char *out = self->buffer + PAGE;

	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	/* Reachable once, so that the IOMMU's caches hold the address. */
	must(edu_load(&self->edu, AT, 0, PROBE));
	must(device_bytes(self->fd, self->ioas, &self->edu, out));
	ASSERT_EQ(0, memcmp(out, self->buffer, PROBE));

	must(ioas_unmap(self->fd, self->ioas, AT, PAGE));
	buffer_fill(self->buffer, PAGE, 2);
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, false, AT));
	must(device_bytes(self->fd, self->ioas, &self->edu, out));
	ASSERT_NE(0, memcmp(out, self->buffer, PROBE));
}

/* No memory of any kind, before and after there was some on top. */
TEST_F(faults, reserved_iova)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd reserves nothing");
	must(ioas_reserve_fixed(self->fd, self->ioas, 4 * PAGE, AT));
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, false, AT + PAGE));

	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE,
			    AT + PAGE));
	must(edu_load(&self->edu, AT + PAGE, 0, PROBE));
	must(ioas_unmap(self->fd, self->ioas, AT + PAGE, PAGE));
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, true, AT + PAGE));
	ASSERT_TRUE(buffer_holds(self->buffer, PAGE, 1));
	must_fail(EEXIST, ioas_reserve_fixed(self->fd, self->ioas, PAGE,
					     AT + PAGE));
}

TEST_F(faults, write_after_unmap)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	must(edu_load(&self->edu, AT, 0, PROBE));
	must(edu_store(&self->edu, AT + PROBE, 0, PROBE));
	ASSERT_EQ(0, memcmp(self->buffer, self->buffer + PROBE, PROBE));

	must(ioas_unmap(self->fd, self->ioas, AT, PAGE));
	buffer_fill(self->buffer, PAGE, 2);
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, true, AT));
	ASSERT_TRUE(buffer_holds(self->buffer, PAGE, 2));
}

/* One of two mappings of the same memory is gone: only the other one works. */
TEST_F(faults, unmapped_alias)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE,
			    AT + PAGE));
	must(edu_load(&self->edu, AT, 0, PROBE));
	must(ioas_unmap(self->fd, self->ioas, AT, PAGE));
	must(edu_load(&self->edu, AT + PAGE, 0, PROBE));
	must(edu_store(&self->edu, AT + PAGE + PROBE, 0, PROBE));
	ASSERT_EQ(0, memcmp(self->buffer, self->buffer + PROBE, PROBE));
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, false, AT));
}

TEST_F(faults, byte_behind_a_mapping)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, false, AT + PAGE));
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, false, AT - PAGE));
}

TEST_F(faults, write_to_a_read_only_mapping)
{
	char *out = self->buffer + PAGE;
	__u64 iova = AT;

	must(ioas_map(self->fd, self->ioas,
		      IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		      self->buffer, PAGE, &iova));
	/* The write comes first: QEMU reports none once it knows the address. */
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, true, AT));
	ASSERT_TRUE(buffer_holds(self->buffer, BUFFER_SIZE, 1));
	/* It can be read, and that does not make it writeable. */
	must(edu_load(&self->edu, AT, 0, PROBE));
	must(device_bytes(self->fd, self->ioas, &self->edu, out));
	EXPECT_EQ(0, memcmp(out, self->buffer, PROBE));
	must(edu_store(&self->edu, AT + PROBE, 0, PROBE));
	EXPECT_TRUE(buffer_holds(self->buffer, PAGE, 1));
}

TEST_F(faults, after_detach)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	must(edu_load(&self->edu, AT, 0, PROBE));
	must(vfio_detach(self->edu.fd));
	buffer_fill(self->buffer, PAGE, 2);
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, true, AT));
	ASSERT_TRUE(buffer_holds(self->buffer, PAGE, 2));
}

/* --- memory that cannot be pinned --------------------------------------------- */

/* A refused map leaves no pin, no charge, and its IOVA free. */
#define must_not_map(err, va, length)					\
do {									\
	must_fail(err, ioas_map_fixed(self->fd, self->ioas, va, length, AT)); \
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));	\
	must_fail(ENOENT, ioas_unmap(self->fd, self->ioas, AT, length)); \
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT)); \
	must(ioas_unmap(self->fd, self->ioas, AT, PAGE));		\
} while (0)

TEST_F(faults, memory_that_is_not_there_is_efault)
{
	must_not_map(EFAULT, (void *)PAGE, PAGE);
	must_not_map(EFAULT, (void *)0x7fff00000000, 16 * PAGE);
}

TEST_F(faults, memory_with_a_hole_is_efault)
{
	ASSERT_EQ(0, munmap(self->buffer + 40 * PAGE, PAGE));
	must_not_map(EFAULT, self->buffer, BUFFER_SIZE);
}

TEST_F(faults, memory_that_ends_too_early_is_efault)
{
	ASSERT_EQ(0, munmap(self->buffer + BUFFER_SIZE - PAGE, PAGE));
	must_not_map(EFAULT, self->buffer + PAGE, BUFFER_SIZE - PAGE);
}

TEST_F(faults, memory_that_is_read_only_is_efault)
{
	__u64 iova = AT;

	ASSERT_EQ(0, mprotect(self->buffer + PAGE, PAGE, PROT_READ));
	must_not_map(EFAULT, self->buffer, 2 * PAGE);
	/* The device may still read it. */
	must(ioas_map(self->fd, self->ioas,
		      IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		      self->buffer, 2 * PAGE, &iova));
}

TEST_F(faults, memory_without_access_is_efault)
{
	ASSERT_EQ(0, mprotect(self->buffer, PAGE, PROT_NONE));
	must_fail(EFAULT, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 PAGE, AT));
	ASSERT_EQ(0, mprotect(self->buffer, PAGE, PROT_READ | PROT_WRITE));
}

/* What could be pinned before the hole must not stay within reach. */
TEST_F(faults, failed_map_leaves_no_way_to_the_memory)
{
	ASSERT_EQ(0, munmap(self->buffer + 40 * PAGE, PAGE));
	must_fail(EFAULT, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 BUFFER_SIZE, AT));
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, false, AT));
	ASSERT_TRUE(fault_reported(self->kmsg, &self->edu, true, AT));
	ASSERT_TRUE(buffer_holds(self->buffer, 40 * PAGE, 1));
}

TEST_F(faults, attach_with_memory_gone_fails_and_changes_nothing)
{
	const long pins = self->mark.pins;
	__u32 other;

	must(ioas_alloc(self->fd, &other));
	must(ioas_map_fixed(self->fd, other, self->buffer, PAGE, AT));
	must(ioas_map_fixed(self->fd, other, self->buffer + PAGE, PAGE,
			    AT + PAGE));
	ASSERT_EQ(0, munmap(self->buffer + PAGE, PAGE));

	/* The device stays where it was. */
	must_fail(EFAULT, vfio_attach_ioas(self->edu.fd, other));
	EXPECT_EQ(pins, leak_pins_settled(pins));
	must_fail(EBUSY, iommufd_destroy(self->fd, self->ioas));
	must(vfio_detach(self->edu.fd));
	must_fail(EFAULT, vfio_attach_ioas(self->edu.fd, other));
	EXPECT_EQ(pins, leak_pins_settled(pins));

	/* Without the bad mapping it works. */
	must(ioas_unmap(self->fd, other, AT + PAGE, PAGE));
	must(vfio_attach_ioas(self->edu.fd, other));
	must(edu_load(&self->edu, AT, 0, PROBE));
}

/* --- addresses that cannot be mapped ------------------------------------------ */

TEST_F(faults, alignment_is_a_page)
{
	struct iommu_iova_range ranges[16];
	__u32 count = ARRAY_SIZE(ranges);
	__u64 alignment = 0;

	must(ioas_ranges(self->fd, self->ioas, ranges, &count, &alignment));
	ASSERT_EQ(PAGE, alignment);
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 PAGE, AT + 1));
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 PAGE, AT + PAGE / 2));
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 PAGE - 1, AT));
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 PAGE / 2, AT));
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer + 1,
					 PAGE, AT));
	must_fail(ENOENT, ioas_unmap(self->fd, self->ioas, AT, PAGE));
}

TEST_F(faults, automatic_iova_for_unaligned_memory_is_einval)
{
	__u64 iova;

	must_fail(EINVAL, ioas_map_auto(self->fd, self->ioas, self->buffer + 1,
					PAGE, &iova));
	must_fail(EINVAL, ioas_map_auto(self->fd, self->ioas, self->buffer,
					PAGE + 1, &iova));
}

TEST_F(faults, windows_leave_out_msi)
{
	struct iommu_iova_range ranges[16];
	__u32 count = 0;

	must_fail(EMSGSIZE, ioas_ranges(self->fd, self->ioas, NULL, &count,
					NULL));
	ASSERT_LE(2, count);
	ASSERT_GE(ARRAY_SIZE(ranges), count);
	must(ioas_ranges(self->fd, self->ioas, ranges, &count, NULL));
	for (__u32 i = 0; i < count; i++) {
		EXPECT_LE(ranges[i].start, ranges[i].last);
		EXPECT_TRUE(ranges[i].last < MSI_FIRST ||
			    ranges[i].start > MSI_LAST);
		if (i)
			EXPECT_LT(ranges[i - 1].last, ranges[i].start);
	}
	EXPECT_GT(ULONG_MAX, ranges[count - 1].last);
	EXPECT_FALSE(ioas_range_usable(self->fd, self->ioas, MSI_FIRST,
				       MSI_FIRST + PAGE - 1));
	EXPECT_TRUE(ioas_range_usable(self->fd, self->ioas, MSI_FIRST - PAGE,
				      MSI_FIRST - 1));
	EXPECT_TRUE(ioas_range_usable(self->fd, self->ioas, MSI_LAST + 1,
				      MSI_LAST + PAGE));
}

TEST_F(faults, windows_widen_on_detach)
{
	must(vfio_detach(self->edu.fd));
	EXPECT_TRUE(ioas_range_usable(self->fd, self->ioas, 0, ULONG_MAX));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	EXPECT_FALSE(ioas_range_usable(self->fd, self->ioas, MSI_FIRST,
				       MSI_LAST));
}

TEST_F(faults, windows_short_array_is_filled_as_far_as_it_goes)
{
	struct iommu_iova_range one = { .start = 1, .last = 1 };
	__u32 count = 1;

	must_fail(EMSGSIZE, ioas_ranges(self->fd, self->ioas, &one, &count,
					NULL));
	EXPECT_LE(2, count);
	EXPECT_EQ(0, one.start);
	EXPECT_EQ(MSI_FIRST - 1, one.last);
}

TEST_F(faults, map_in_the_msi_window_is_einval)
{
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 PAGE, MSI_FIRST));
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 PAGE, MSI_LAST + 1 - PAGE));
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 2 * PAGE, MSI_FIRST - PAGE));
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE,
			    MSI_FIRST - PAGE));
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE,
			    MSI_LAST + 1));
}

TEST_F(faults, map_beyond_the_aperture_is_einval)
{
	struct iommu_iova_range ranges[16];
	__u32 count = ARRAY_SIZE(ranges);
	__u64 last;

	must(ioas_ranges(self->fd, self->ioas, ranges, &count, NULL));
	last = ranges[count - 1].last;
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 PAGE, last + 1));
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 2 * PAGE, last + 1 - PAGE));
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE,
			    last + 1 - PAGE));
	must(edu_load(&self->edu, last + 1 - PAGE, 0, PROBE));
}

/* One huge page over and over: much to map, and next to no memory. */
static char *repeated_huge_page(size_t length)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	char *all;

	if (fd < 0 || ftruncate(fd, HUGE_PAGE))
		return NULL;
	all = mmap(NULL, length + HUGE_PAGE, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (all == MAP_FAILED)
		return NULL;
	all += -(uintptr_t)all % HUGE_PAGE;
	for (size_t i = 0; i < length; i += HUGE_PAGE)
		if (mmap(all + i, HUGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			return NULL;
	close(fd);
	return all;
}

/* Five times 1 GiB do not fit below the window at 4 GiB - 18 MiB. */
TEST_F(faults, automatic_iovas_avoid_the_msi_window)
{
	const size_t length = 1UL << 30;
	char *big;
	__u64 iova;

	ASSERT_TRUE(buffer_hugetlb_pool(4));
	big = repeated_huge_page(length);
	ASSERT_NE(NULL, big);
	for (int i = 0; i < 5; i++) {
		must(ioas_map_auto(self->fd, self->ioas, big, length, &iova));
		EXPECT_TRUE(ioas_range_usable(self->fd, self->ioas, iova,
					      iova + length - 1));
	}
	must(ioas_unmap_all(self->fd, self->ioas));
}

TEST_F(faults, attach_over_a_mapping_in_the_msi_window_fails)
{
	__u32 other;

	must(ioas_alloc(self->fd, &other));
	must(ioas_map_fixed(self->fd, other, self->buffer, PAGE, MSI_FIRST));
	must_fail(EADDRINUSE, vfio_attach_ioas(self->edu.fd, other));
	/* Still attached to the first, and nothing of the other is reserved. */
	must_fail(EBUSY, iommufd_destroy(self->fd, self->ioas));
	EXPECT_TRUE(ioas_range_usable(self->fd, other, 0, ULONG_MAX));
	must(ioas_map_fixed(self->fd, other, self->buffer, PAGE,
			    MSI_FIRST + PAGE));
	must(ioas_unmap_all(self->fd, other));
	must(vfio_attach_ioas(self->edu.fd, other));
}

TEST_F(faults, attach_over_a_mapping_beyond_the_aperture_fails)
{
	__u32 other;

	must(ioas_alloc(self->fd, &other));
	must(ioas_map_fixed(self->fd, other, self->buffer, PAGE, 1ULL << 60));
	must_fail(EADDRINUSE, vfio_attach_ioas(self->edu.fd, other));
	must(ioas_unmap_all(self->fd, other));
	must(vfio_attach_ioas(self->edu.fd, other));
}

/* --- RLIMIT_MEMLOCK -------------------------------------------------------------- */

#define LIMIT_PAGES 16

/*
 * Becomes a user of its own, to whom nothing is charged yet, without the
 * capability that lifts the limit.
 */
static int drop_to_limit(uid_t uid)
{
	struct rlimit limit = { LIMIT_PAGES * PAGE, LIMIT_PAGES * PAGE };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) || setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

/* Runs in a child, whose uid can then be thrown away. 0 is success. */
static int use_the_limit(int fd, __u32 ioas, const char *buffer)
{
	const size_t all = LIMIT_PAGES * PAGE;

	if (drop_to_limit(54321))
		return 1;
	for (int i = 0; i < 3; i++) {
		if (ioas_map_fixed(fd, ioas, buffer, all + PAGE, AT) != -ENOMEM)
			return 10 * i + 2;
		if (ioas_map_fixed(fd, ioas, buffer, all, AT))
			return 10 * i + 3;
		if (ioas_map_fixed(fd, ioas, buffer, PAGE, 2 * AT) != -ENOMEM)
			return 10 * i + 4;
		if (ioas_unmap(fd, ioas, AT, all))
			return 10 * i + 5;
		/* A map that fails after it was charged gives it back. */
		if (ioas_map_fixed(fd, ioas, (void *)PAGE, all, AT) != -EFAULT)
			return 10 * i + 6;
	}
	return 0;
}

TEST_F(faults, memlock_limit_is_enomem_and_given_back)
{
	int status;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid)
		_exit(use_the_limit(self->fd, self->ioas, self->buffer));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
}

/* Mapped as a record by one user, pinned later by the attach of another. */
static int attach_over_the_limit(int fd, __u32 ioas, int device,
				 const char *buffer)
{
	if (drop_to_limit(54322))
		return 1;
	if (ioas_map_fixed(fd, ioas, buffer, 2 * LIMIT_PAGES * PAGE, AT))
		return 2;
	if (vfio_attach_ioas(device, ioas) != -ENOMEM)
		return 3;
	if (ioas_unmap_all(fd, ioas))
		return 4;
	if (ioas_map_fixed(fd, ioas, buffer, LIMIT_PAGES * PAGE, AT))
		return 5;
	return vfio_attach_ioas(device, ioas) ? 6 : 0;
}

TEST_F(faults, memlock_limit_holds_at_attach)
{
	int status;
	__u32 other;
	pid_t pid;

	must(ioas_alloc(self->fd, &other));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(attach_over_the_limit(self->fd, other, self->edu.fd,
					    self->buffer));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_TRUE(WIFEXITED(status));
	ASSERT_EQ(0, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
