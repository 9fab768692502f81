// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio's groups, container and type 1 IOMMU, as programs use them that have
 * never heard of iommufd: on /dev/vfio/vfio and on /dev/iommu.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/type1.h"

#define CONTAINER "/dev/vfio/vfio"
#define AT 0x10000000ULL
#define SIZE HUGE_PAGE

/* --- one container, one group, one device --------------------------------- */

FIXTURE(type1)
{
	struct leak_mark mark;
	int fd;
	int group;
	struct edu edu;
	char *buffer;
};

FIXTURE_VARIANT(type1)
{
	const char *path;
	int version;
};

FIXTURE_VARIANT_ADD(type1, container_v1)
{
	.path = CONTAINER,
	.version = VFIO_TYPE1_IOMMU,
};

FIXTURE_VARIANT_ADD(type1, container_v2)
{
	.path = CONTAINER,
	.version = VFIO_TYPE1v2_IOMMU,
};

FIXTURE_VARIANT_ADD(type1, iommufd_v1)
{
	.path = "/dev/iommu",
	.version = VFIO_TYPE1_IOMMU,
};

FIXTURE_VARIANT_ADD(type1, iommufd_v2)
{
	.path = "/dev/iommu",
	.version = VFIO_TYPE1v2_IOMMU,
};

#define is_v1() (variant->version == VFIO_TYPE1_IOMMU)

FIXTURE_SETUP(type1)
{
	int cdev;

	leak_mark(&self->mark);
	self->fd = open(variant->path, O_RDWR);
	ASSERT_LE(0, self->fd);
	/* Finds the device and gives it to vfio-pci. */
	ASSERT_EQ(0, edu_open(&self->edu)) TH_LOG(NEED_EDU);
	cdev = self->edu.fd;
	close(cdev);
	self->edu.fd = -1;

	self->group = type1_join(&self->edu, self->fd);
	ASSERT_LE(0, self->group);
	must(type1_ioctl(self->fd, VFIO_SET_IOMMU, variant->version));
	must(type1_open_device(&self->edu, self->group));
	self->buffer = buffer_small(SIZE);
	buffer_fill(self->buffer, SIZE, 1);
}

FIXTURE_TEARDOWN(type1)
{
	edu_close(&self->edu);
	if (self->group >= 0)
		EXPECT_EQ(0, close(self->group));
	if (self->fd >= 0)
		EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
	buffer_free(BUFFER_SMALL, self->buffer, SIZE);
}

#define must_unmap(iova, want)						\
do {									\
	__u64 _size = (want);						\
									\
	must(type1_unmap(self->fd, iova, &_size));			\
	ASSERT_EQ(want, _size);						\
} while (0)

#define must_unmap_all(want)						\
do {									\
	__u64 _size;							\
									\
	must(type1_unmap_all(self->fd, &_size));			\
	ASSERT_EQ(want, _size);						\
} while (0)

/* "VmLck" or "VmPin" of this process, in pages */
static long status_pages(const char *name)
{
	char line[128], format[32];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "re");

	snprintf(format, sizeof(format), "%s: %%ld kB", name);
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, format, &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb < 0 ? kb : kb / (long)(PAGE / 1024);
}

/* The device copies @length bytes of one page to another one of the buffer. */
static bool copies(struct edu *edu, char *buffer, __u64 iova, size_t to,
		   size_t from, size_t length)
{
	memset(buffer + to * PAGE, 0, PAGE);
	return !edu_copy(edu, iova + to * PAGE, iova + from * PAGE, length) &&
	       !memcmp(buffer + to * PAGE, buffer + from * PAGE, length);
}

TEST_F(type1, dma_round_trip)
{
	must(type1_map(self->fd, self->buffer, SIZE, AT));
	EXPECT_TRUE(copies(&self->edu, self->buffer, AT, 100, 3, PAGE));
	must_unmap(AT, SIZE);
}

/* A container is an iommufd, and the compatibility IOAS is an IOAS. */
TEST_F(type1, iommufd_calls_on_the_same_space)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_GET,
	};

	must(xioctl(self->fd, IOMMU_VFIO_IOAS, &cmd));
	must(ioas_map_fixed(self->fd, cmd.ioas_id, self->buffer, SIZE, AT));
	must_fail(EEXIST, type1_map(self->fd, self->buffer, PAGE, AT));
	EXPECT_TRUE(copies(&self->edu, self->buffer, AT, 7, 5, PAGE));
	must_fail(EBUSY, iommufd_destroy(self->fd, cmd.ioas_id));
	must_unmap_all(SIZE);

	cmd.op = IOMMU_VFIO_IOAS_CLEAR;
	must(xioctl(self->fd, IOMMU_VFIO_IOAS, &cmd));
	must_fail(ENODEV, type1_map(self->fd, self->buffer, PAGE, AT));
}

/* What iommufd has reserved comes back when type 1 unmaps, cut or not. */
TEST_F(type1, maps_over_reservations)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_GET,
	};
	__u64 size = PAGE;

	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd reserves nothing");
	must(xioctl(self->fd, IOMMU_VFIO_IOAS, &cmd));
	must(ioas_reserve_fixed(self->fd, cmd.ioas_id, SIZE, AT));
	must(type1_map(self->fd, self->buffer, 4 * PAGE, AT + PAGE));
	EXPECT_TRUE(copies(&self->edu, self->buffer, AT + PAGE, 1, 0, PAGE));
	if (is_v1()) {
		must_unmap(AT + 2 * PAGE, PAGE);
		must_fail(EEXIST, ioas_reserve_fixed(self->fd, cmd.ioas_id,
						     PAGE, AT + 2 * PAGE));
		must(type1_map(self->fd, self->buffer, PAGE, AT + 2 * PAGE));
	}
	must_unmap(AT + PAGE, 4 * PAGE);
	must_fail(EEXIST, ioas_reserve_fixed(self->fd, cmd.ioas_id, PAGE,
					     AT + 4 * PAGE));
	must(type1_unmap(self->fd, AT, &size));
	EXPECT_EQ(PAGE, size);
	must(type1_map(self->fd, self->buffer, PAGE, AT + PAGE));
	must_unmap_all(SIZE);
}

/* iommufd's own unmap never cuts a mapping, whatever the version. */
TEST_F(type1, iommufd_unmap_of_a_part)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_GET,
	};

	must(xioctl(self->fd, IOMMU_VFIO_IOAS, &cmd));
	must(type1_map(self->fd, self->buffer, SIZE, AT));
	must_fail(ENOENT, ioas_unmap(self->fd, cmd.ioas_id, AT, PAGE));
	must_unmap(AT, SIZE);
}

TEST_F(type1, device_outlives_container_and_group)
{
	must(type1_map(self->fd, self->buffer, SIZE, AT));
	ASSERT_EQ(0, close(self->fd));
	ASSERT_EQ(0, close(self->group));
	self->fd = self->group = -1;
	EXPECT_TRUE(copies(&self->edu, self->buffer, AT, 100, 3, PAGE));
}

TEST_F(type1, group_changes_containers)
{
	int other = open(CONTAINER, O_RDWR), null = open("/dev/null", O_RDWR);
	int none = -1;

	ASSERT_LE(0, other);
	must_fail(EINVAL,
		  xioctl(self->group, VFIO_GROUP_SET_CONTAINER, &other));
	edu_close(&self->edu);
	must(type1_ioctl(self->group, VFIO_GROUP_UNSET_CONTAINER, 0));
	must_fail(EINVAL, type1_ioctl(self->group, VFIO_GROUP_UNSET_CONTAINER,
				      0));
	must_fail(EBADFD, xioctl(self->group, VFIO_GROUP_SET_CONTAINER, &null));
	must_fail(EBADF, xioctl(self->group, VFIO_GROUP_SET_CONTAINER, &none));

	must(xioctl(self->group, VFIO_GROUP_SET_CONTAINER, &other));
	must(type1_map(other, self->buffer, SIZE, AT));
	must(type1_open_device(&self->edu, self->group));
	EXPECT_TRUE(copies(&self->edu, self->buffer, AT, 9, 8, PAGE));
	close(null);
	ASSERT_EQ(0, close(other));
}

/* --- unmapping parts ------------------------------------------------------- */

static const char *const kind_names[] = {
	[BUFFER_SMALL] = "small pages",
	[BUFFER_THP] = "a transparent huge page",
	[BUFFER_HUGETLB] = "hugetlbfs",
};

#define for_each_kind(kind)						\
	for (kind = BUFFER_SMALL; kind <= BUFFER_HUGETLB; kind++)

/* From the middle: v1 cuts, and both remaining parts work; v2 refuses. */
TEST_F(type1, unmap_from_the_middle)
{
	unsigned int kind;

	for_each_kind(kind) {
		char *buffer = buffer_alloc(kind, SIZE);
		__u64 size = 2 * PAGE;
		long pinned;

		ASSERT_NE(NULL, buffer) TH_LOG("no %s", kind_names[kind]);
		buffer_fill(buffer, SIZE, 3);
		must(type1_map(self->fd, buffer, SIZE, AT));
		pinned = status_pages("VmPin");
		if (is_v1()) {
			must(type1_unmap(self->fd, AT + 100 * PAGE, &size));
			EXPECT_EQ(2 * PAGE, size);
			EXPECT_EQ(pinned - 2, status_pages("VmPin"));
		} else {
			must_fail(ENOENT, type1_unmap(self->fd,
						      AT + 100 * PAGE, &size));
			EXPECT_EQ(0, size);
			EXPECT_EQ(pinned, status_pages("VmPin"));
		}
		EXPECT_TRUE(copies(&self->edu, buffer, AT, 99, 0, PAGE));
		EXPECT_TRUE(copies(&self->edu, buffer, AT, 0, 102, PAGE));
		EXPECT_TRUE(copies(&self->edu, buffer, AT, 511, 98, PAGE));
		must_unmap_all(is_v1() ? SIZE - 2 * PAGE : SIZE);
		EXPECT_EQ(pinned - 512, status_pages("VmPin"));
		buffer_free(kind, buffer, SIZE);
	}
}

/* What v1 has unmapped is out of the device's reach, the pages around it not. */
TEST_F(type1, no_dma_to_what_is_cut_out)
{
	char zero[PAGE] = {};

	if (!is_v1())
		SKIP(return, "v2 cuts nothing out");
	must(type1_map(self->fd, self->buffer, SIZE, AT));
	must_unmap(AT + 5 * PAGE, PAGE);
	memset(self->buffer + 4 * PAGE, 0, 3 * PAGE);
	must(edu_load(&self->edu, AT, 0, 64));
	must(edu_store(&self->edu, AT + 4 * PAGE, 0, 64));
	must(edu_store(&self->edu, AT + 5 * PAGE, 0, 64));
	must(edu_store(&self->edu, AT + 6 * PAGE, 0, 64));
	EXPECT_EQ(0, memcmp(self->buffer + 4 * PAGE, self->buffer, 64));
	EXPECT_EQ(0, memcmp(self->buffer + 5 * PAGE, zero, PAGE));
	EXPECT_EQ(0, memcmp(self->buffer + 6 * PAGE, self->buffer, 64));
}

TEST_F(type1, a_hole_can_be_mapped_again)
{
	if (!is_v1())
		SKIP(return, "v2 makes no holes");
	must(type1_map(self->fd, self->buffer, SIZE, AT));
	must_unmap(AT + 5 * PAGE, PAGE);
	must_fail(EEXIST, type1_map(self->fd, self->buffer + 300 * PAGE,
				    2 * PAGE, AT + 5 * PAGE));
	must(type1_map(self->fd, self->buffer + 300 * PAGE, PAGE,
		       AT + 5 * PAGE));
	must(edu_copy(&self->edu, AT + 5 * PAGE, AT + 7 * PAGE, PAGE));
	EXPECT_EQ(0, memcmp(self->buffer + 300 * PAGE,
			    self->buffer + 7 * PAGE, PAGE));
	must_unmap_all(SIZE);
}

/* A range that begins in one mapping and ends in another */
TEST_F(type1, unmap_across_mappings)
{
	__u64 size = 8 * PAGE;

	must(type1_map(self->fd, self->buffer, 8 * PAGE, AT));
	must(type1_map(self->fd, self->buffer + 8 * PAGE, 2 * PAGE,
		       AT + 9 * PAGE));
	must(type1_map(self->fd, self->buffer + 10 * PAGE, 8 * PAGE,
		       AT + 11 * PAGE));
	if (!is_v1()) {
		must_fail(ENOENT, type1_unmap(self->fd, AT + 5 * PAGE, &size));
		must_unmap_all(18 * PAGE);
		return;
	}
	must(type1_unmap(self->fd, AT + 5 * PAGE, &size));
	EXPECT_EQ(7 * PAGE, size);
	EXPECT_TRUE(copies(&self->edu, self->buffer, AT, 4, 0, PAGE));
	must(edu_copy(&self->edu, AT, AT + 13 * PAGE, PAGE));
	EXPECT_EQ(0, memcmp(self->buffer, self->buffer + 12 * PAGE, PAGE));
	must_unmap_all(11 * PAGE);
}

/* Odd pages first, in both directions, then the even ones */
TEST_F(type1, unmap_page_by_page)
{
	char *buffer = buffer_alloc(BUFFER_HUGETLB, SIZE);
	const size_t pages = SIZE / PAGE;
	size_t i;

	if (!is_v1())
		SKIP(return, "v2 unmaps whole mappings only");
	ASSERT_NE(NULL, buffer);
	buffer_fill(buffer, SIZE, 4);
	must(type1_map(self->fd, buffer, SIZE, AT));
	for (i = 1; i < pages / 2; i += 2) {
		must_unmap(AT + i * PAGE, PAGE);
		must_unmap(AT + (pages - i) * PAGE, PAGE);
	}
	EXPECT_EQ(pages / 2, status_pages("VmPin"));
	EXPECT_TRUE(copies(&self->edu, buffer, AT, 2, 300, PAGE));
	for (i = 0; i < pages; i += 2)
		must_unmap(AT + i * PAGE, PAGE);
	EXPECT_EQ(0, status_pages("VmPin"));
	must_unmap_all(0);
	buffer_free(BUFFER_HUGETLB, buffer, SIZE);
}

struct unmapper {
	int fd;
	__u64 iova;
	__u64 bytes;
	int err;
};

#define RACE_PAGES 32

static void *unmap_thread(void *arg)
{
	struct unmapper *u = arg;

	for (size_t i = 0; i < RACE_PAGES && !u->err; i++) {
		__u64 size = PAGE;

		u->err = type1_unmap(u->fd, u->iova + i * PAGE, &size);
		u->bytes += size;
	}
	return NULL;
}

/* Two threads unmap the halves of one mapping: neither misses any of it. */
TEST_F(type1, two_threads_cut_one_mapping)
{
	pthread_t thread;

	if (!is_v1())
		SKIP(return, "v2 cuts nothing");
	for (int round = 0; round < 40; round++) {
		struct unmapper a = { .fd = self->fd, .iova = AT };
		struct unmapper b = { .fd = self->fd,
				      .iova = AT + RACE_PAGES * PAGE };

		must(type1_map(self->fd, self->buffer, 2 * RACE_PAGES * PAGE,
			       AT));
		ASSERT_EQ(0, pthread_create(&thread, NULL, unmap_thread, &a));
		unmap_thread(&b);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		ASSERT_EQ(0, a.err);
		ASSERT_EQ(0, b.err);
		ASSERT_EQ(RACE_PAGES * PAGE, a.bytes);
		ASSERT_EQ(RACE_PAGES * PAGE, b.bytes);
	}
	EXPECT_EQ(0, status_pages("VmPin"));
}

/* v1 needs small pages; what is mapped in large ones cannot change. */
TEST_F(type1, v1_after_mapping)
{
	struct iommu_option option = {
		.size = sizeof(option),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_GET,
	};
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_GET,
	};

	must(xioctl(self->fd, IOMMU_VFIO_IOAS, &cmd));
	option.object_id = cmd.ioas_id;
	must(xioctl(self->fd, IOMMU_OPTION, &option));
	EXPECT_EQ(!is_v1(), option.val64);
	must(type1_map(self->fd, self->buffer, SIZE, AT));
	if (!is_v1())
		must_fail(EINVAL, type1_ioctl(self->fd, VFIO_SET_IOMMU,
					      VFIO_TYPE1_IOMMU));
	must(type1_ioctl(self->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	must_unmap_all(SIZE);
	must(type1_ioctl(self->fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU));
	must(type1_map(self->fd, self->buffer, SIZE, AT));
	must_unmap(AT + PAGE, PAGE);
}

/* --- arguments ------------------------------------------------------------- */

TEST_F(type1, map_errors)
{
	struct vfio_iommu_type1_dma_map cmd = {
		.argsz = sizeof(cmd) - 1,
		.flags = TYPE1_RW,
		.vaddr = (__u64)self->buffer,
		.iova = AT,
		.size = PAGE,
	};
	const void *top = (void *)-PAGE;
	char *b = self->buffer;
	int fd = self->fd;

	must_fail(EINVAL, xioctl(fd, VFIO_IOMMU_MAP_DMA, &cmd));
	must_fail(EFAULT, xioctl(fd, VFIO_IOMMU_MAP_DMA, NULL));
	must_fail(EINVAL, type1_map(fd, b, 0, AT));
	must_fail(EINVAL, type1_map_flags(fd, VFIO_DMA_MAP_FLAG_VADDR, b, PAGE,
					  AT));
	must_fail(EINVAL, type1_map_flags(fd, 8 | TYPE1_RW, b, PAGE, AT));
	must_fail(EINVAL, type1_map(fd, b, PAGE, AT + 0x800));
	must_fail(EINVAL, type1_map(fd, b + 0x800, PAGE, AT));
	must_fail(EINVAL, type1_map(fd, b, 0x800, AT));
	must_fail(EINVAL, type1_map(fd, b, PAGE, MSI_FIRST));
	must_fail(EINVAL, type1_map(fd, b, PAGE, 1ULL << 60));
	must_fail(EOVERFLOW, type1_map(fd, b, 2 * PAGE, -PAGE));
	must_fail(EOVERFLOW, type1_map(fd, top, 2 * PAGE, AT));
	must_fail(EFAULT, type1_map(fd, (void *)PAGE, PAGE, AT));
	must_unmap_all(0);

	/* A program of the future may know more than we do. */
	cmd.argsz = sizeof(cmd) + 64;
	must(xioctl(fd, VFIO_IOMMU_MAP_DMA, &cmd));
	must_fail(EEXIST, type1_map(fd, b, 2 * PAGE, AT - PAGE));
	must_unmap_all(PAGE);
}

/* The kernel of reference warns at this one, which ends a run. */
TEST_F(type1, map_for_nothing)
{
	if (!iommufd_is_iox())
		SKIP(return, "not tried on other kernels");
	must_fail(EINVAL, type1_map_flags(self->fd, 0, self->buffer, PAGE, AT));
}

TEST_F(type1, unmap_errors)
{
	struct vfio_iommu_type1_dma_unmap cmd = {
		.argsz = sizeof(cmd) - 1,
		.iova = AT,
		.size = PAGE,
	};
	const __u32 all = VFIO_DMA_UNMAP_FLAG_ALL;
	int fd = self->fd;
	__u64 size = PAGE;

	must_fail(EINVAL, xioctl(fd, VFIO_IOMMU_UNMAP_DMA, &cmd));
	must_fail(EINVAL, type1_unmap_flags(fd, all, 0, &size));
	must_fail(EINVAL, type1_unmap_flags(fd, 1, AT, &size));
	must_fail(EINVAL, type1_unmap_flags(fd, 1 | all, AT, &size));
	must_fail(EINVAL, type1_unmap_flags(fd, 4, AT, &size));
	size = 2 * PAGE;
	must_fail(EOVERFLOW, type1_unmap(fd, -PAGE, &size));
	size = 0;
	must_fail(EINVAL, type1_unmap(fd, AT, &size));
	must_fail(EINVAL, type1_unmap_flags(fd, all, AT, &size));

	/* Nothing there is no error. */
	size = PAGE;
	must(type1_unmap(fd, AT, &size));
	EXPECT_EQ(0, size);

	must(type1_map(fd, self->buffer, 4 * PAGE, AT));
	size = PAGE;
	must_fail(is_v1() ? EINVAL : ENOENT,
		  type1_unmap(fd, AT + 0x800, &size));
	must_unmap_all(4 * PAGE);
	must(type1_map(fd, self->buffer, 4 * PAGE, AT));
	size = -1;
	must(type1_unmap(fd, 0, &size));
	EXPECT_EQ(4 * PAGE, size);
}

TEST_F(type1, other_calls)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = {
		.argsz = sizeof(dirty),
		.flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_START,
	};

	must_fail(ENOTTY, xioctl(self->fd, VFIO_IOMMU_DIRTY_PAGES, &dirty));
	must_fail(ENOTTY, type1_ioctl(self->fd, VFIO_IOMMU_ENABLE, 0));
	must_fail(ENOTTY, type1_ioctl(self->fd, VFIO_DEVICE_RESET, 0));
	must_fail(EINVAL, type1_ioctl(self->fd, VFIO_SET_IOMMU, 0));
	must_fail(EINVAL, type1_ioctl(self->fd, VFIO_SET_IOMMU,
				      VFIO_SPAPR_TCE_IOMMU));
	must_fail(EINVAL, type1_ioctl(self->fd, VFIO_SET_IOMMU,
				      VFIO_NOIOMMU_IOMMU));
}

/* --- information ----------------------------------------------------------- */

#define INFO_ROOM 512

/* The capability with this id, or NULL; false if the chain is malformed. */
static bool find_cap(const char *info, __u16 id, const void **found)
{
	const struct vfio_iommu_type1_info *fixed = (const void *)info;
	__u32 at = fixed->cap_offset;

	*found = NULL;
	while (at) {
		const struct vfio_info_cap_header *cap =
			(const void *)(info + at);

		if (at % 8 || at + sizeof(*cap) > fixed->argsz ||
		    cap->version != 1 || (cap->next && cap->next <= at))
			return false;
		if (cap->id == id)
			*found = cap;
		at = cap->next;
	}
	return true;
}

static int get_info(int fd, char *info, __u32 argsz)
{
	struct vfio_iommu_type1_info *fixed = (void *)info;

	memset(info, 0x55, INFO_ROOM);
	fixed->argsz = argsz;
	return xioctl(fd, VFIO_IOMMU_GET_INFO, info);
}

static size_t untouched_from(const char *info)
{
	size_t end = INFO_ROOM;

	while (end && info[end - 1] == 0x55)
		end--;
	return end;
}

/* However much room there is: no byte too many, no capability in part. */
TEST_F(type1, info_in_any_room)
{
	/* A program from before there were capabilities */
	const size_t least = offsetof(struct vfio_iommu_type1_info, cap_offset);
	char info[INFO_ROOM] __attribute__((aligned(8)));
	struct vfio_iommu_type1_info *fixed = (void *)info;
	__u32 needed, room;

	must(get_info(self->fd, info, least));
	needed = fixed->argsz;
	ASSERT_GT(needed, sizeof(*fixed));
	ASSERT_LT(needed, INFO_ROOM - 64);
	for (room = 0; room < least; room++)
		must_fail(EINVAL, get_info(self->fd, info, room));
	for (; room < needed + 32; room++) {
		must(get_info(self->fd, info, room));
		ASSERT_GE(room, untouched_from(info));
		ASSERT_EQ(needed, fixed->argsz);
		ASSERT_EQ(VFIO_IOMMU_INFO_PGSIZES | VFIO_IOMMU_INFO_CAPS,
			  fixed->flags);
		ASSERT_NE(0, fixed->iova_pgsizes & PAGE);
		if (room < sizeof(*fixed))
			continue;
		ASSERT_EQ(room >= needed, fixed->cap_offset != 0);
	}
}

TEST_F(type1, info_capabilities)
{
	struct iommu_vfio_ioas ioas = {
		.size = sizeof(ioas),
		.op = IOMMU_VFIO_IOAS_GET,
	};
	char info[INFO_ROOM] __attribute__((aligned(8)));
	const struct vfio_iommu_type1_info_cap_iova_range *iovas;
	const struct vfio_iommu_type1_info_dma_avail *avail;
	struct iommu_iova_range ranges[8];
	__u32 count = 8;
	__u64 align;

	must(get_info(self->fd, info, INFO_ROOM));
	ASSERT_TRUE(find_cap(info, VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL,
			     (const void **)&avail));
	ASSERT_NE(NULL, avail);
	EXPECT_LT(1000, avail->avail);
	ASSERT_TRUE(find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_MIGRATION,
			     (const void **)&iovas));
	EXPECT_EQ(NULL, iovas);
	ASSERT_TRUE(find_cap(info, VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE,
			     (const void **)&iovas));
	ASSERT_NE(NULL, iovas);

	must(xioctl(self->fd, IOMMU_VFIO_IOAS, &ioas));
	must(ioas_ranges(self->fd, ioas.ioas_id, ranges, &count, &align));
	ASSERT_EQ(count, iovas->nr_iovas);
	for (__u32 i = 0; i < count; i++) {
		EXPECT_EQ(ranges[i].start, iovas->iova_ranges[i].start);
		EXPECT_EQ(ranges[i].last, iovas->iova_ranges[i].end);
	}
	EXPECT_EQ(MSI_FIRST - 1, iovas->iova_ranges[0].end);
}

TEST_F(type1, extensions)
{
	static const unsigned long yes[] = {
		VFIO_TYPE1_IOMMU, VFIO_TYPE1v2_IOMMU, VFIO_UNMAP_ALL,
	};
	static const unsigned long no[] = {
		0, VFIO_SPAPR_TCE_IOMMU, VFIO_EEH,
		__VFIO_RESERVED_TYPE1_NESTING_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU,
		VFIO_UPDATE_VADDR, 1000,
	};
	size_t i;

	EXPECT_EQ(VFIO_API_VERSION,
		  type1_ioctl(self->fd, VFIO_GET_API_VERSION, 0));
	for (i = 0; i < ARRAY_SIZE(yes); i++)
		EXPECT_EQ(1, type1_ioctl(self->fd, VFIO_CHECK_EXTENSION,
					 yes[i]));
	for (i = 0; i < ARRAY_SIZE(no); i++)
		EXPECT_EQ(0, type1_ioctl(self->fd, VFIO_CHECK_EXTENSION,
					 no[i]));
	/* Whether vfio can be told to allow it, not whether it has been. */
	EXPECT_EQ(vfio_knows_noiommu(),
		  type1_ioctl(self->fd, VFIO_CHECK_EXTENSION,
			      VFIO_NOIOMMU_IOMMU));
	/* The emulated IOMMU cannot enforce it, so the device decides. */
	EXPECT_EQ(0, type1_ioctl(self->fd, VFIO_CHECK_EXTENSION,
				 VFIO_DMA_CC_IOMMU));
}

/* --- accounting ------------------------------------------------------------ */

/* From here on RLIMIT_MEMLOCK holds for this process. */
static int limit_memlock(size_t bytes)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	const struct rlimit limit = { bytes, bytes };

	if (setrlimit(RLIMIT_MEMLOCK, &limit) ||
	    syscall(SYS_capget, &header, data))
		return -errno;
	data[CAP_TO_INDEX(CAP_IPC_LOCK)].effective &=
		~CAP_TO_MASK(CAP_IPC_LOCK);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

/* The container charges the process, an iommufd the user. */
TEST_F(type1, who_is_charged)
{
	bool process = !strcmp(variant->path, CONTAINER);
	char *more = buffer_small(SIZE + PAGE);
	const long pages = SIZE / PAGE;

	must(limit_memlock(SIZE));
	must(type1_map(self->fd, self->buffer, SIZE, AT));
	EXPECT_EQ(pages, status_pages("VmPin"));
	EXPECT_EQ(process ? pages : 0, status_pages("VmLck"));
	must_fail(ENOMEM, type1_map(self->fd, self->buffer, PAGE, 2 * AT));
	if (is_v1()) {
		must_unmap(AT + 9 * PAGE, PAGE);
		EXPECT_EQ(pages - 1, status_pages("VmPin"));
		EXPECT_EQ(process ? pages - 1 : 0, status_pages("VmLck"));
		must(type1_map(self->fd, self->buffer, PAGE, 2 * AT));
	}
	must_unmap_all(SIZE);
	EXPECT_EQ(0, status_pages("VmPin"));
	EXPECT_EQ(0, status_pages("VmLck"));

	must_fail(ENOMEM, type1_map(self->fd, more, SIZE + PAGE, AT));
	EXPECT_EQ(0, status_pages("VmPin"));
	EXPECT_EQ(0, status_pages("VmLck"));

	/* What is locked by mlock() counts for a process only. */
	ASSERT_EQ(0, mlock(self->buffer, PAGE));
	EXPECT_EQ(process ? -ENOMEM : 0,
		  type1_map(self->fd, self->buffer, SIZE, AT));
	ASSERT_EQ(0, munlock(self->buffer, PAGE));
}

/* Who may lock without limit is not charged for what he locked. */
TEST_F(type1, no_limit_no_charge)
{
	must(type1_map(self->fd, self->buffer, SIZE, AT));
	EXPECT_EQ(SIZE / PAGE, status_pages("VmPin"));
	EXPECT_EQ(0, status_pages("VmLck"));
}

/* --- without a group ------------------------------------------------------- */

TEST(calls_before_there_is_a_group)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };
	int fd = open(CONTAINER, O_RDWR);
	char *buffer = buffer_small(PAGE);
	__u64 size = PAGE;

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, type1_ioctl(fd, VFIO_GET_API_VERSION, 0));
	EXPECT_EQ(1, type1_ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1_IOMMU));
	must_fail(ENODEV, type1_ioctl(fd, VFIO_CHECK_EXTENSION,
				      VFIO_DMA_CC_IOMMU));
	must_fail(EINVAL, type1_ioctl(fd, VFIO_SET_IOMMU, 0));
	must_fail(ENODEV, type1_ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU));
	must_fail(ENODEV, type1_ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	must_fail(ENODEV, xioctl(fd, VFIO_IOMMU_GET_INFO, &info));
	must_fail(ENODEV, type1_map(fd, buffer, PAGE, AT));
	must_fail(ENODEV, type1_unmap(fd, AT, &size));
	must_fail(ENODEV, type1_unmap_all(fd, &size));
	info.argsz = 1;
	must_fail(EINVAL, xioctl(fd, VFIO_IOMMU_GET_INFO, &info));
	must_fail(EINVAL, type1_map_flags(fd, 16, buffer, PAGE, AT));
	close(fd);
}

/* An IOAS of one's own makes a container without any group. */
TEST(an_ioas_named_by_hand)
{
	struct iommu_vfio_ioas cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_VFIO_IOAS_SET,
	};
	int fd = open(CONTAINER, O_RDWR);
	char *buffer = buffer_small(4 * PAGE);
	__u64 size = PAGE;

	ASSERT_LE(0, fd);
	must(ioas_alloc(fd, &cmd.ioas_id));
	must(xioctl(fd, IOMMU_VFIO_IOAS, &cmd));
	EXPECT_EQ(1, type1_ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU));
	/* Nothing is in a domain yet, so v1 may still come. */
	must(type1_map(fd, buffer, 4 * PAGE, AT));
	must(type1_ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU));
	must(type1_unmap(fd, AT + PAGE, &size));
	EXPECT_EQ(PAGE, size);
	EXPECT_EQ(0, status_pages("VmPin"));
	must(type1_unmap_all(fd, &size));
	EXPECT_EQ(3 * PAGE, size);
	must(iommufd_destroy(fd, cmd.ioas_id));
	must_fail(ENODEV, type1_map(fd, buffer, PAGE, AT));
	close(fd);
}

TEST_HARNESS_MAIN
