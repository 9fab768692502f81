// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices, accesses and dirty tracking take what is reserved for free IOVAs, and
 * find what lies over it.
 */
#include <errno.h>
#include <linux/iox.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/mock.h"

/* --- the CPU and the mock IOMMU ------------------------------------------------------ */

/* Pages in reach of mock devices */
#define M(n) (0x10000000ULL + (__u64)(n) * PAGE)

FIXTURE(mocked)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct mock mock;
	char *page;
};

FIXTURE_SETUP(mocked)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd reserves nothing");
	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(ioas_alloc(self->fd, &self->ioas));
	if (mock_plug(self->fd, self->ioas, 0, &self->mock) == -ENOTTY)
		SKIP(return, NEED_MOCK);
	self->page = buffer_small(PAGE);
	must(ioas_reserve_fixed(self->fd, self->ioas, 4 * PAGE, M(0)));
	must(ioas_map_fixed(self->fd, self->ioas, self->page, PAGE, M(1)));
}

FIXTURE_TEARDOWN(mocked)
{
	if (!self->page)
		return;
	EXPECT_EQ(0, close(self->fd));
	buffer_free(BUFFER_SMALL, self->page, PAGE);
	EXPECT_NO_LEAK(&self->mark);
}

TEST_F(mocked, accesses_find_nothing)
{
	int access = mock_access(self->fd, self->ioas, true);
	char bytes[8] = "1234567";
	__u32 id;

	ASSERT_LE(0, access);
	must_fail(ENOENT, mock_access_rw(self->fd, access, M(0), bytes, 8, 0));
	must_fail(ENOENT, mock_access_rw(self->fd, access, M(2), bytes, 8, 0));
	/* From what is mapped into what is reserved */
	must_fail(ENOENT,
		  mock_access_rw(self->fd, access, M(2) - 4, bytes, 8, 0));
	must(mock_access_rw(self->fd, access, M(1), bytes, 8,
			    MOCK_ACCESS_RW_WRITE));
	EXPECT_EQ(0, memcmp(self->page, bytes, 8));
	must_fail(ENOENT, mock_access_pin(self->fd, access, M(0), NULL, PAGE,
					  &id));
	must(mock_access_pin(self->fd, access, M(1), self->page, PAGE, &id));
	/* Whoever holds it does not hold what lies below. */
	must(ioas_unmap(self->fd, self->ioas, M(2), 2 * PAGE));
	must(mock_access_unpin(self->fd, access, id));
	must(ioas_unmap(self->fd, self->ioas, M(1), PAGE));
	must_fail(ENOENT, mock_access_rw(self->fd, access, M(1), bytes, 8, 0));
	must_fail(EEXIST, ioas_reserve_fixed(self->fd, self->ioas, PAGE, M(1)));
	close(access);
}

static int dirty_bitmap(const FIXTURE_DATA(mocked) *self, __u32 hwpt,
			__u64 iova, size_t length)
{
	__u64 bits = 0;
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.iova = iova,
		.length = length,
		.page_size = PAGE,
		.data = (uintptr_t)&bits,
	};

	return xioctl(self->fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd);
}

TEST_F(mocked, nothing_in_it_is_dirty)
{
	struct iommu_hwpt_alloc alloc = {
		.size = sizeof(alloc),
		.flags = IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
	};
	struct iommu_hwpt_set_dirty_tracking set = {
		.size = sizeof(set),
		.flags = IOMMU_HWPT_DIRTY_TRACKING_ENABLE,
	};

	alloc.dev_id = self->mock.dev;
	alloc.pt_id = self->ioas;
	must(xioctl(self->fd, IOMMU_HWPT_ALLOC, &alloc));
	set.hwpt_id = alloc.out_hwpt_id;
	must(xioctl(self->fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &set));
	must(dirty_bitmap(self, alloc.out_hwpt_id, M(1), PAGE));
	must_fail(EINVAL, dirty_bitmap(self, alloc.out_hwpt_id, M(0), PAGE));
	must_fail(EINVAL,
		  dirty_bitmap(self, alloc.out_hwpt_id, M(1), 2 * PAGE));
	must(iommufd_destroy(self->fd, alloc.out_hwpt_id));
}

/* What is reserved keeps out nobody who wants to change how it is mapped. */
TEST_F(mocked, is_nothing_mapped)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = self->ioas,
	};

	must_fail(EINVAL, xioctl(self->fd, IOMMU_OPTION, &cmd));
	must(ioas_unmap(self->fd, self->ioas, M(1), PAGE));
	must(xioctl(self->fd, IOMMU_OPTION, &cmd));
	must_fail(EEXIST, ioas_reserve_fixed(self->fd, self->ioas, PAGE, M(1)));
}

/* --- a device ------------------------------------------------------------------------ */

/* Pages of what the device's address space has reserved */
#define AT 0x100000000ULL
#define P(n) (AT + (__u64)(n) * PAGE)

FIXTURE(device)
{
	struct leak_mark mark;
	struct edu edu;
	int fd;
	__u32 ioas;
	char *pages;
};

FIXTURE_SETUP(device)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd reserves nothing");
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	self->pages = buffer_small(2 * PAGE);
	buffer_fill(self->pages, 2 * PAGE, 1);
	must(ioas_reserve_fixed(self->fd, self->ioas, 1 << 30, AT));
}

FIXTURE_TEARDOWN(device)
{
	if (!iommufd_is_iox())
		return;
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	buffer_free(BUFFER_SMALL, self->pages, 2 * PAGE);
	EXPECT_NO_LEAK(&self->mark);
}

/* Its DMA goes to what lies over reservations from before and after the attach. */
TEST_F(device, works_over_reservations)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->pages, PAGE, P(3)));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(ioas_reserve_fixed(self->fd, self->ioas, 2 * PAGE, AT / 2));
	must(ioas_map_fixed(self->fd, self->ioas, self->pages + PAGE, PAGE,
			    AT / 2 + PAGE));
	must(edu_copy(&self->edu, AT / 2 + PAGE, P(3), 256));
	EXPECT_EQ(0, memcmp(self->pages, self->pages + PAGE, 256));
	must(ioas_unmap(self->fd, self->ioas, P(3), PAGE));
	must_fail(EEXIST, ioas_reserve_fixed(self->fd, self->ioas, PAGE, P(3)));
}

TEST_F(device, map_that_fails_leaves_them)
{
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	ASSERT_EQ(0, munmap(self->pages + PAGE, PAGE));
	must_fail(EFAULT, ioas_map_fixed(self->fd, self->ioas, self->pages,
					 2 * PAGE, P(1)));
	must_fail(EEXIST,
		  ioas_reserve_fixed(self->fd, self->ioas, PAGE, P(1)));
	must(ioas_unmap(self->fd, self->ioas, AT, 1 << 30));
	must(ioas_reserve_fixed(self->fd, self->ioas, 1 << 30, AT));
}

TEST_F(device, reservations_take_no_page_tables)
{
	long before;

	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	before = leak_iommu_pages();
	must(ioas_reserve_fixed(self->fd, self->ioas, 1 << 30, 2 * AT));
	EXPECT_EQ(before, leak_iommu_pages());
}

TEST_HARNESS_MAIN
