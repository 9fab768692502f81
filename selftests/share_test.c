// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that several address spaces, files and processes share: IOAS_COPY,
 * IOAS_MAP_FILE, who pays for it, and where automatic IOVAs are allowed.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

#define AT 0x40000000ULL
#define SIZE (2 * HUGE_PAGE)

FIXTURE(share)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas, other;
	int memfd;
	char *memory;
	struct edu edu;
};

FIXTURE_VARIANT(share)
{
	unsigned int memfd_flags;
};

FIXTURE_VARIANT_ADD(share, small_pages)
{
	.memfd_flags = 0,
};

FIXTURE_VARIANT_ADD(share, huge_pages)
{
	.memfd_flags = MFD_HUGETLB,
};

FIXTURE_SETUP(share)
{
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	must(ioas_alloc(self->fd, &self->other));
	ASSERT_TRUE(buffer_hugetlb_pool(SIZE / HUGE_PAGE));
	self->memfd = memfd_create("share", variant->memfd_flags |
					    MFD_ALLOW_SEALING | MFD_CLOEXEC);
	ASSERT_LE(0, self->memfd);
	ASSERT_EQ(0, ftruncate(self->memfd, SIZE));
	self->memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    self->memfd, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	buffer_fill(self->memory, SIZE, 1);
}

FIXTURE_TEARDOWN(share)
{
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
	munmap(self->memory, SIZE);
	close(self->memfd);
}

static int map_file(int fd, __u32 ioas, int memfd, __u32 flags, __u64 start,
		    __u64 length, __u64 *iova)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.ioas_id = ioas,
		.fd = memfd,
		.start = start,
		.length = length,
		.iova = *iova,
	};
	int rc = xioctl(fd, IOMMU_IOAS_MAP_FILE, &cmd);

	*iova = cmd.iova;
	return rc;
}

static int map_file_fixed(int fd, __u32 ioas, int memfd, __u64 start,
			  __u64 length, __u64 iova)
{
	return map_file(fd, ioas, memfd, MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
			start, length, &iova);
}

static int copy_fixed(int fd, __u32 dst, __u64 dst_iova, __u32 src,
		      __u64 src_iova, __u64 length, __u32 prot)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = prot | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = dst,
		.src_ioas_id = src,
		.length = length,
		.dst_iova = dst_iova,
		.src_iova = src_iova,
	};

	return xioctl(fd, IOMMU_IOAS_COPY, &cmd);
}

/* The device copies one piece of the file to another, both by IOVA. */
#define device_copies(from_iova, to_iova, from, to) do {		\
	buffer_fill(self->memory + (from), EDU_CHUNK, 7);		\
	buffer_fill(self->memory + (to), EDU_CHUNK, 8);			\
	must(edu_copy(&self->edu, to_iova, from_iova, EDU_CHUNK));	\
	ASSERT_TRUE(buffer_holds(self->memory + (to), EDU_CHUNK, 7));	\
} while (0)

TEST_F(share, file_round_trip)
{
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(map_file_fixed(self->fd, self->ioas, self->memfd, 0, SIZE, AT));
	device_copies(AT, AT + SIZE - PAGE, 0, SIZE - PAGE);
	must(ioas_unmap(self->fd, self->ioas, AT, SIZE));
}

TEST_F(share, part_of_a_file_from_the_middle_of_a_large_page)
{
	__u64 start = HUGE_PAGE - 3 * PAGE;

	must(map_file_fixed(self->fd, self->ioas, self->memfd, start,
			    8 * PAGE, AT));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	device_copies(AT, AT + 7 * PAGE, start, start + 7 * PAGE);
}

TEST_F(share, file_stays_when_it_is_closed_and_unmapped)
{
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(map_file_fixed(self->fd, self->ioas, self->memfd, 0, SIZE, AT));
	ASSERT_EQ(0, close(self->memfd));
	self->memfd = -1;
	device_copies(AT + PAGE, AT, PAGE, 0);
}

TEST_F(share, past_the_end_of_a_file_is_einval)
{
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must_fail(EINVAL, map_file_fixed(self->fd, self->ioas, self->memfd,
					 SIZE, PAGE, AT));
	must_fail(EINVAL, map_file_fixed(self->fd, self->ioas, self->memfd,
					 SIZE - PAGE, 2 * PAGE, AT));
	must_fail(ENOENT, ioas_unmap(self->fd, self->ioas, AT, PAGE));
}

TEST_F(share, not_a_memfd_is_einval)
{
	int null = open("/dev/null", O_RDWR);

	ASSERT_LE(0, null);
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must_fail(EINVAL, map_file_fixed(self->fd, self->ioas, null, 0, PAGE,
					 AT));
	must_fail(EBADF, map_file_fixed(self->fd, self->ioas, -1, 0, PAGE, AT));
	close(null);
}

TEST_F(share, sealed_file_is_not_for_writing)
{
	__u64 iova = AT;

	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd does not look at seals");
	munmap(self->memory, SIZE);
	self->memory = NULL;
	ASSERT_EQ(0, fcntl(self->memfd, F_ADD_SEALS, F_SEAL_WRITE));
	must_fail(EPERM, map_file_fixed(self->fd, self->ioas, self->memfd, 0,
					PAGE, AT));
	must(map_file(self->fd, self->ioas, self->memfd,
		      IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA, 0,
		      PAGE, &iova));
}

TEST_F(share, copy_works_without_and_with_a_device)
{
	must(map_file_fixed(self->fd, self->other, self->memfd, 0, SIZE, AT));
	must(copy_fixed(self->fd, self->ioas, AT + SIZE, self->other, AT,
			SIZE, MAP_RW));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(copy_fixed(self->fd, self->ioas, AT + 2 * SIZE, self->other, AT,
			SIZE, MAP_RW));
	device_copies(AT + SIZE, AT + 2 * SIZE + PAGE, 0, PAGE);
}

/*
 * Pieces of one large page, each pinned for itself, go in any order. All of the
 * memory is mapped at AT.
 */
#define copy_parts_and_unmap_source() do {				\
	must(copy_fixed(self->fd, self->ioas, AT + SIZE, self->ioas,	\
			AT + 5 * PAGE, 9 * PAGE, MAP_RW));		\
	must(copy_fixed(self->fd, self->ioas, AT + 2 * SIZE, self->ioas,	\
			AT + 10 * PAGE, HUGE_PAGE, MAP_RW));		\
	must(ioas_unmap(self->fd, self->ioas, AT, SIZE));		\
	device_copies(AT + SIZE, AT + 2 * SIZE + HUGE_PAGE - PAGE,	\
		      5 * PAGE, HUGE_PAGE + 9 * PAGE);			\
	must(ioas_unmap(self->fd, self->ioas, AT + SIZE, 9 * PAGE));	\
	device_copies(AT + 2 * SIZE, AT + 2 * SIZE + PAGE, 10 * PAGE,	\
		      11 * PAGE);					\
} while (0)

TEST_F(share, copies_of_parts_of_a_file_outlive_their_source)
{
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(map_file_fixed(self->fd, self->ioas, self->memfd, 0, SIZE, AT));
	copy_parts_and_unmap_source();
}

TEST_F(share, copies_of_parts_of_user_memory_outlive_their_source)
{
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(ioas_map_fixed(self->fd, self->ioas, self->memory, SIZE, AT));
	copy_parts_and_unmap_source();
}

/* Small pages before and behind the file's, from the middle to the middle */
TEST_F(share, memory_of_two_kinds_in_one_mapping)
{
	size_t length = 2 * HUGE_PAGE + SIZE;
	char *whole = buffer_small(length + HUGE_PAGE);
	char *start = whole + HUGE_PAGE - (uintptr_t)whole % HUGE_PAGE;

	ASSERT_EQ(start + HUGE_PAGE,
		  mremap(self->memory, SIZE, SIZE,
			 MREMAP_MAYMOVE | MREMAP_FIXED, start + HUGE_PAGE));
	self->memory = start + HUGE_PAGE;
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(ioas_map_fixed(self->fd, self->ioas, start + PAGE,
			    length - 2 * PAGE, AT + PAGE));
	device_copies(AT + HUGE_PAGE - PAGE, AT + HUGE_PAGE + SIZE + PAGE,
		      -PAGE, SIZE + PAGE);
	device_copies(AT + HUGE_PAGE + SIZE - PAGE, AT + HUGE_PAGE + PAGE,
		      SIZE - PAGE, PAGE);
	must(ioas_unmap(self->fd, self->ioas, AT + PAGE, length - 2 * PAGE));
	munmap(start + HUGE_PAGE + SIZE, whole + 2 * HUGE_PAGE - start);
	munmap(whole, start + HUGE_PAGE - whole);
}

TEST_F(share, memory_is_pinned_and_charged_once)
{
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(map_file_fixed(self->fd, self->ioas, self->memfd, 0, SIZE, AT));
	ASSERT_EQ(self->mark.charged_kb + SIZE / 1024, leak_charged_kb());
	must(copy_fixed(self->fd, self->ioas, AT + SIZE, self->ioas, AT, SIZE,
			MAP_RW));
	ASSERT_EQ(self->mark.charged_kb + SIZE / 1024, leak_charged_kb());
}

TEST_F(share, copy_of_what_is_not_there_is_enoent)
{
	must(map_file_fixed(self->fd, self->other, self->memfd, 0, SIZE, AT));
	must_fail(ENOENT, copy_fixed(self->fd, self->ioas, AT, self->other,
				     AT - PAGE, PAGE, MAP_RW));
	must_fail(ENOENT, copy_fixed(self->fd, self->ioas, AT, self->other,
				     AT + SIZE - PAGE, 2 * PAGE, MAP_RW));
	must_fail(ENOENT, copy_fixed(self->fd, self->ioas, AT, 12345, AT, PAGE,
				     MAP_RW));
}

TEST_F(share, copy_cannot_add_permission)
{
	__u64 iova = AT;

	must(map_file(self->fd, self->other, self->memfd,
		      IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA, 0,
		      SIZE, &iova));
	must_fail(EPERM, copy_fixed(self->fd, self->ioas, AT, self->other, AT,
				    PAGE, MAP_RW));
	must(copy_fixed(self->fd, self->ioas, AT, self->other, AT, PAGE,
			IOMMU_IOAS_MAP_READABLE));
}

TEST_F(share, another_process_takes_over_the_charge)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };
	int status;
	pid_t child;

	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd leaves the count of a privileged process where it is");
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(map_file_fixed(self->fd, self->ioas, self->memfd, 0, SIZE, AT));
	child = fork();
	if (!child)
		_exit(xioctl(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd) ||
		      leak_charged_kb() != (long)(SIZE / 1024));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	ASSERT_EQ(self->mark.charged_kb, leak_charged_kb());
}

TEST_F(share, own_memory_cannot_be_handed_over)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	must(ioas_map_fixed(self->fd, self->ioas, self->memory, PAGE, AT));
	must_fail(EINVAL, xioctl(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd));
	must(ioas_unmap(self->fd, self->ioas, AT, PAGE));
	must(xioctl(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd));
}

/* --- options and allowed IOVAs ---------------------------------------------- */

FIXTURE(ioas)
{
	int fd;
	__u32 ioas;
	char *buffer;
};

FIXTURE_SETUP(ioas)
{
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(ioas_alloc(self->fd, &self->ioas));
	self->buffer = buffer_small(4 * PAGE);
}

FIXTURE_TEARDOWN(ioas)
{
	EXPECT_EQ(0, close(self->fd));
}

TEST_F(ioas, automatic_iovas_come_from_what_is_allowed)
{
	struct iommu_iova_range ranges[] = {
		{ .start = 64 * PAGE, .last = 66 * PAGE - 1 },
		{ .start = 16 * PAGE, .last = 18 * PAGE - 1 },
	};
	__u64 iova;

	must(ioas_allow(self->fd, self->ioas, ranges, 2));
	for (int i = 0; i < 4; i++) {
		must(ioas_map_auto(self->fd, self->ioas, self->buffer, PAGE,
				   &iova));
		ASSERT_TRUE((iova >= 64 * PAGE && iova < 66 * PAGE) ||
			    (iova >= 16 * PAGE && iova < 18 * PAGE));
	}
	must_fail(ENOSPC, ioas_map_auto(self->fd, self->ioas, self->buffer,
					PAGE, &iova));
	/* fixed ones may be elsewhere, and the promise can be taken back */
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	must(ioas_allow(self->fd, self->ioas, NULL, 0));
	must(ioas_map_auto(self->fd, self->ioas, self->buffer, PAGE, &iova));
}

TEST_F(ioas, allowed_ranges_must_make_sense)
{
	struct iommu_iova_range overlap[] = {
		{ .start = 0, .last = 2 * PAGE - 1 },
		{ .start = PAGE, .last = 4 * PAGE - 1 },
	};
	struct iommu_iova_range backwards = { .start = PAGE, .last = 0 };

	must_fail(EINVAL, ioas_allow(self->fd, self->ioas, overlap, 2));
	must_fail(EINVAL, ioas_allow(self->fd, self->ioas, &backwards, 1));
	must_fail(EFAULT, ioas_allow(self->fd, self->ioas, (void *)PAGE, 1));
	must_fail(ENOENT, ioas_allow(self->fd, 12345, NULL, 0));
}

TEST_F(ioas, attach_keeps_the_promise_or_fails)
{
	struct iommu_iova_range ranges = { .start = MSI_FIRST - PAGE,
					   .last = MSI_LAST };
	struct edu edu;

	ASSERT_EQ(0, edu_open(&edu)) TH_LOG(NEED_EDU);
	must(edu_start(&edu, self->fd));
	must(ioas_allow(self->fd, self->ioas, &ranges, 1));
	must_fail(EADDRINUSE, vfio_attach_ioas(edu.fd, self->ioas));
	ranges.last = MSI_FIRST - 1;
	must(ioas_allow(self->fd, self->ioas, &ranges, 1));
	must(vfio_attach_ioas(edu.fd, self->ioas));
	ranges.last = MSI_FIRST;
	must_fail(EADDRINUSE, ioas_allow(self->fd, self->ioas, &ranges, 1));
	edu_close(&edu);
}

static int option(int fd, __u32 id, __u16 op, __u32 object, __u64 *value)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = id,
		.op = op,
		.object_id = object,
		.val64 = *value,
	};
	int rc = xioctl(fd, IOMMU_OPTION, &cmd);

	*value = cmd.val64;
	return rc;
}

TEST_F(ioas, huge_pages_can_be_switched_off)
{
	__u64 value = 7;

	must(option(self->fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET,
		    self->ioas, &value));
	ASSERT_EQ(1, value);
	value = 0;
	must(option(self->fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_SET,
		    self->ioas, &value));
	must(option(self->fd, IOMMU_OPTION_HUGE_PAGES, IOMMU_OPTION_OP_GET,
		    self->ioas, &value));
	ASSERT_EQ(0, value);
	must_fail(EINVAL, ioas_map_fixed(self->fd, self->ioas, self->buffer,
					 PAGE / 2, AT));
	value = 2;
	must_fail(EINVAL, option(self->fd, IOMMU_OPTION_HUGE_PAGES,
				 IOMMU_OPTION_OP_SET, self->ioas, &value));
	must_fail(ENOENT, option(self->fd, IOMMU_OPTION_HUGE_PAGES,
				 IOMMU_OPTION_OP_GET, 12345, &value));
}

TEST_F(ioas, accounting_by_process_is_a_choice)
{
	__u64 value = 1;

	/* for a whole context, before there is anything in it */
	must_fail(EBUSY, option(self->fd, IOMMU_OPTION_RLIMIT_MODE,
				IOMMU_OPTION_OP_SET, 0, &value));
	must(iommufd_destroy(self->fd, self->ioas));
	must(option(self->fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET, 0,
		    &value));
	value = 0;
	must(option(self->fd, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_GET, 0,
		    &value));
	ASSERT_EQ(1, value);
	must_fail(EOPNOTSUPP, option(self->fd, IOMMU_OPTION_RLIMIT_MODE,
				     IOMMU_OPTION_OP_GET, 1, &value));
	must_fail(EOPNOTSUPP, option(self->fd, 99, IOMMU_OPTION_OP_GET, 0,
				     &value));
	must_fail(EOPNOTSUPP, option(self->fd, IOMMU_OPTION_RLIMIT_MODE, 7, 0,
				     &value));
}

TEST_HARNESS_MAIN
