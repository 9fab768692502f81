// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update, as far as no kernel has to be left for it: marks, what a session
 * refuses to preserve, what is frozen while it does, and that all is as before
 * when it gives up. What is there after the jump: edu_kexec.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/iox.h>
#include <linux/reboot.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/luo.h"
#include "lib/mock.h"
#include "liveupdate.h"

#define NO_ID 0x7fffffff

/* --- marks ------------------------------------------------------------------ */

FIXTURE(mark)
{
	struct leak_mark mark;
	struct edu edu;
	int fd;
	__u32 ioas, hwpt, other;
};

FIXTURE_SETUP(mark)
{
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	must(hwpt_alloc_paging(self->fd, self->edu.id, self->ioas,
			       &self->hwpt));
	must(hwpt_alloc_paging(self->fd, self->edu.id, self->ioas,
			       &self->other));
}

FIXTURE_TEARDOWN(mark)
{
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

TEST_F(mark, is_found_by_its_token)
{
	__u32 found;

	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must(hwpt_mark(self->fd, self->other, 0));
	must(hwpt_find(self->fd, HWPT_TOKEN, &found));
	EXPECT_EQ(self->hwpt, found);
	must(hwpt_find(self->fd, 0, &found));
	EXPECT_EQ(self->other, found);
	must_fail(ENOENT, hwpt_find(self->fd, 1, &found));
}

TEST_F(mark, of_another_is_eaddrinuse)
{
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must_fail(EADDRINUSE, hwpt_mark(self->fd, self->other, HWPT_TOKEN));
}

TEST_F(mark, again_is_nothing_new)
{
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
}

TEST_F(mark, moves)
{
	__u32 found;

	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must(hwpt_mark(self->fd, self->hwpt, ~0ULL));
	must_fail(ENOENT, hwpt_find(self->fd, HWPT_TOKEN, &found));
	must(hwpt_find(self->fd, ~0ULL, &found));
	EXPECT_EQ(self->hwpt, found);
	must(hwpt_mark(self->fd, self->other, HWPT_TOKEN));
}

/* A move that collides leaves the mark where it was. */
TEST_F(mark, that_cannot_move_stays)
{
	__u32 found;

	must(hwpt_mark(self->fd, self->hwpt, 1));
	must(hwpt_mark(self->fd, self->other, 2));
	must_fail(EADDRINUSE, hwpt_mark(self->fd, self->hwpt, 2));
	must(hwpt_find(self->fd, 1, &found));
	EXPECT_EQ(self->hwpt, found);
}

TEST_F(mark, is_taken_off)
{
	must_fail(ENOENT, hwpt_unmark(self->fd, self->hwpt));
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must(hwpt_unmark(self->fd, self->hwpt));
	must_fail(ENOENT, hwpt_unmark(self->fd, self->hwpt));
	must(hwpt_mark(self->fd, self->other, HWPT_TOKEN));
}

TEST_F(mark, goes_with_its_hwpt)
{
	__u32 found;

	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must(iommufd_destroy(self->fd, self->hwpt));
	must_fail(ENOENT, hwpt_find(self->fd, HWPT_TOKEN, &found));
	must(hwpt_mark(self->fd, self->other, HWPT_TOKEN));
}

TEST_F(mark, is_for_paging_hwpts)
{
	must_fail(ENOENT, hwpt_mark(self->fd, self->ioas, HWPT_TOKEN));
	must_fail(ENOENT, hwpt_mark(self->fd, self->edu.id, HWPT_TOKEN));
	must_fail(ENOENT, hwpt_mark(self->fd, NO_ID, HWPT_TOKEN));
}

TEST_F(mark, wants_sound_arguments)
{
	struct iommu_hwpt_lu_mark_preserve cmd = {
		.size = sizeof(cmd),
		.hwpt_id = self->hwpt,
		.hwpt_token = HWPT_TOKEN,
	};

	cmd.flags = 1;
	must_fail(EOPNOTSUPP,
		  xioctl(self->fd, IOMMU_HWPT_LU_MARK_PRESERVE, &cmd));
	cmd.flags = IOX_LU_UNMARK | IOX_LU_FIND;
	must_fail(EINVAL, xioctl(self->fd, IOMMU_HWPT_LU_MARK_PRESERVE, &cmd));
	cmd.flags = IOX_LU_UNMARK;
	must_fail(EINVAL, xioctl(self->fd, IOMMU_HWPT_LU_MARK_PRESERVE, &cmd));
	cmd.flags = IOX_LU_FIND;
	must_fail(EINVAL, xioctl(self->fd, IOMMU_HWPT_LU_MARK_PRESERVE, &cmd));
	cmd.flags = 0;
	cmd.__reserved = 1;
	must_fail(EOPNOTSUPP,
		  xioctl(self->fd, IOMMU_HWPT_LU_MARK_PRESERVE, &cmd));
}

/* --- HWPTs that cannot go, of a mock IOMMU that knows all kinds of them --------- */

FIXTURE(kinds)
{
	struct mock mock;
	int fd, queue;
	__u32 ioas, fault;
};

FIXTURE_SETUP(kinds)
{
	struct iommu_fault_alloc fault = { .size = sizeof(fault) };

	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(ioas_alloc(self->fd, &self->ioas));
	if (mock_plug(self->fd, self->ioas, 0, &self->mock) == -ENOTTY)
		SKIP(return, NEED_MOCK);
	must(xioctl(self->fd, IOMMU_FAULT_QUEUE_ALLOC, &fault));
	self->fault = fault.out_fault_id;
	self->queue = fault.out_fault_fd;
}

FIXTURE_TEARDOWN(kinds)
{
	close(self->queue);
	EXPECT_EQ(0, close(self->fd));
}

static int hwpt_alloc_kind(const FIXTURE_DATA(kinds) *self, __u32 pt,
			   __u32 flags, __u32 data_type, __u32 *id)
{
	struct iommu_hwpt_selftest data = { .iotlb = 0 };
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = self->mock.dev,
		.pt_id = pt,
		.data_type = data_type,
		.fault_id = flags & IOMMU_HWPT_FAULT_ID_VALID ? self->fault : 0,
	};
	int err;

	if (data_type) {
		cmd.data_len = sizeof(data);
		cmd.data_uptr = (__u64)&data;
	}
	err = xioctl(self->fd, IOMMU_HWPT_ALLOC, &cmd);
	*id = cmd.out_hwpt_id;
	return err;
}

TEST_F(kinds, nested_hwpts_cannot_be_marked)
{
	__u32 parent, nested;

	must(hwpt_alloc_kind(self, self->ioas, IOMMU_HWPT_ALLOC_NEST_PARENT,
			     IOMMU_HWPT_DATA_NONE, &parent));
	must(hwpt_alloc_kind(self, parent, 0, IOMMU_HWPT_DATA_SELFTEST,
			     &nested));
	must_fail(EOPNOTSUPP, hwpt_mark(self->fd, parent, HWPT_TOKEN));
	must_fail(EOPNOTSUPP, hwpt_mark(self->fd, nested, HWPT_TOKEN));
	must_fail(EOPNOTSUPP, hwpt_unmark(self->fd, nested));
}

/* Nobody would answer while the kernel is replaced. */
TEST_F(kinds, hwpts_with_page_faults_cannot_be_marked)
{
	__u32 hwpt;

	must(hwpt_alloc_kind(self, self->ioas, IOMMU_HWPT_FAULT_ID_VALID,
			     IOMMU_HWPT_DATA_NONE, &hwpt));
	must_fail(EOPNOTSUPP, hwpt_mark(self->fd, hwpt, HWPT_TOKEN));
}

/* This can be marked, but its IOMMU cannot leave it for another kernel. */
TEST_F(kinds, not_every_iommu_can)
{
	int session = luo_create("liveupdate_test");
	__u32 hwpt;

	ASSERT_LE(0, session);
	must(hwpt_alloc_kind(self, self->ioas, 0, IOMMU_HWPT_DATA_NONE, &hwpt));
	must(hwpt_mark(self->fd, hwpt, HWPT_TOKEN));
	must_fail(EOPNOTSUPP, luo_preserve_fd(session, self->fd, IOMMUFD_TOKEN));
	must(hwpt_unmark(self->fd, hwpt));
	must(iommufd_destroy(self->fd, hwpt));
	close(session);
}

/* --- a session -------------------------------------------------------------- */

TEST_F(session, takes_it_and_gives_it_back)
{
	must(preserve_all(self));
	EXPECT_TRUE(device_works(self));
	must(give_up(self));
	EXPECT_TRUE(device_works(self));
}

TEST_F(session, can_be_tried_again)
{
	for (int i = 0; i < 3; i++) {
		must(preserve_all(self));
		must(give_up(self));
		self->session = luo_create("liveupdate_test");
		ASSERT_LE(0, self->session);
	}
}

/* --- what it refuses to preserve, and that nothing is frozen then ------------ */

TEST_F(session, refuses_anonymous_memory)
{
	char *page = buffer_small(PAGE);

	must(preserve_memory(self));
	must(ioas_map_fixed(self->fd, self->ioas, page, PAGE, AT + 2 * SIZE));
	must_fail(EOPNOTSUPP, preserve_iommufd(self));
	must(map_still_works(self));
	must(ioas_unmap(self->fd, self->ioas, AT + 2 * SIZE, PAGE));
	must(preserve_iommufd(self));
	buffer_free(BUFFER_SMALL, page, PAGE);
}

TEST_F(session, refuses_an_unsealed_memfd)
{
	int memfd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, PAGE));
	must(ioas_map_memfd(self->fd, self->ioas, memfd, PAGE, AT + 2 * SIZE));
	must(preserve_memory(self));
	must(luo_preserve_fd(self->session, memfd, DEVICE_TOKEN));
	must_fail(EINVAL, preserve_iommufd(self));
	must(map_still_works(self));
	ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	must(preserve_iommufd(self));
	close(memfd);
}

TEST_F(session, refuses_a_memfd_that_it_does_not_have)
{
	must_fail(ENOENT, preserve_iommufd(self));
	must(map_still_works(self));
	must(preserve_memory(self));
	must(preserve_iommufd(self));
}

TEST_F(session, refuses_a_memfd_of_another_session)
{
	int other = luo_create("liveupdate_test other");

	ASSERT_LE(0, other);
	must(luo_preserve_fd(other, self->memfd, MEMFD_TOKEN));
	must_fail(ENOENT, preserve_iommufd(self));
	must(map_still_works(self));
	close(other);
}

/* What is mapped is not in the file any more: it would not survive. */
TEST_F(session, refuses_memory_that_its_file_has_lost)
{
	ASSERT_EQ(0, fallocate(self->memfd,
			       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE,
			       PAGE));
	must(preserve_memory(self));
	must_fail(ESTALE, preserve_iommufd(self));
	must(map_still_works(self));
}

TEST_F(session, refuses_an_iommufd_without_marks)
{
	must(preserve_memory(self));
	must(hwpt_unmark(self->fd, self->hwpt));
	must_fail(EINVAL, preserve_iommufd(self));
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must(preserve_iommufd(self));
}

/* The second of two HWPTs cannot be preserved: the first is given back. */
TEST_F(session, refuses_all_or_none)
{
	char *page = buffer_small(PAGE);
	__u32 ioas, hwpt;

	must(ioas_alloc(self->fd, &ioas));
	must(hwpt_alloc_paging(self->fd, self->edu.id, ioas, &hwpt));
	must(hwpt_mark(self->fd, hwpt, ~0ULL));
	must(ioas_map_fixed(self->fd, ioas, page, PAGE, AT));
	must(preserve_memory(self));
	must_fail(EOPNOTSUPP, preserve_iommufd(self));
	must(map_still_works(self));
	must(iommufd_destroy(self->fd, hwpt));
	must(preserve_iommufd(self));
	buffer_free(BUFFER_SMALL, page, PAGE);
}

TEST_F(session, refuses_a_file_twice)
{
	must(preserve_all(self));
	must_fail(EBUSY, luo_preserve_fd(self->session, self->fd, 99));
	must_fail(EBUSY, luo_preserve_fd(self->session, self->edu.fd, 99));
}

TEST_F(session, refuses_a_device_without_its_iommufd)
{
	must(preserve_memory(self));
	must_fail(ENOENT, preserve_device(self));
	must(preserve_iommufd(self));
	must(preserve_device(self));
}

TEST_F(session, refuses_a_device_whose_iommufd_another_one_has)
{
	int other = luo_create("liveupdate_test other");

	ASSERT_LE(0, other);
	must(luo_preserve_fd(other, self->memfd, MEMFD_TOKEN));
	must(luo_preserve_fd(other, self->fd, IOMMUFD_TOKEN));
	must_fail(ENOENT, preserve_device(self));
	must(luo_preserve_fd(other, self->edu.fd, DEVICE_TOKEN));
	close(other);
	must(map_still_works(self));
}

TEST_F(session, refuses_a_device_whose_hwpt_is_not_marked)
{
	__u32 pt;

	must(hwpt_alloc_paging(self->fd, self->edu.id, self->ioas, &pt));
	must(vfio_attach(self->edu.fd, &pt));
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must_fail(ENOENT, preserve_device(self));
}

TEST_F(session, refuses_a_device_that_is_not_attached)
{
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must(vfio_detach(self->edu.fd));
	must_fail(EINVAL, preserve_device(self));
}

TEST_F(session, refuses_a_device_that_is_not_bound)
{
	int fd = vfio_open(self->edu.name);

	ASSERT_LE(0, fd);
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must_fail(EINVAL, luo_preserve_fd(self->session, fd, DEVICE_TOKEN));
	close(fd);
}

/* --- what is frozen ----------------------------------------------------------- */

TEST_F(session, freezes_mappings)
{
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.dst_ioas_id = self->ioas,
		.src_ioas_id = self->ioas,
		.length = PAGE,
		.dst_iova = AT + SIZE,
		.src_iova = AT,
	};
	struct iommu_option option = {
		.size = sizeof(option),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = self->ioas,
	};
	char *page = buffer_small(PAGE);
	__u32 hwpt;

	must(preserve_all(self));
	must_fail(EBUSY, ioas_map_fixed(self->fd, self->ioas, page, PAGE,
					AT + SIZE));
	must_fail(EBUSY, ioas_map_memfd(self->fd, self->ioas, self->memfd, SIZE,
					AT + SIZE));
	must_fail(EBUSY, xioctl(self->fd, IOMMU_IOAS_COPY, &copy));
	must_fail(EBUSY, ioas_unmap(self->fd, self->ioas, AT, SIZE));
	must_fail(EBUSY, ioas_unmap_all(self->fd, self->ioas));
	must_fail(EBUSY, xioctl(self->fd, IOMMU_OPTION, &option));
	must_fail(EBUSY, hwpt_alloc_paging(self->fd, self->edu.id, self->ioas,
					   &hwpt));
	EXPECT_TRUE(device_works(self));
	must(give_up(self));
	buffer_free(BUFFER_SMALL, page, PAGE);
}

/* What the frozen IOAS maps may be copied elsewhere. */
TEST_F(session, leaves_other_spaces_alone)
{
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.src_ioas_id = self->ioas,
		.length = SIZE,
		.dst_iova = AT,
		.src_iova = AT,
	};

	must(preserve_all(self));
	must(ioas_alloc(self->fd, &copy.dst_ioas_id));
	must(xioctl(self->fd, IOMMU_IOAS_COPY, &copy));
	must(ioas_unmap(self->fd, copy.dst_ioas_id, AT, SIZE));
}

TEST_F(session, freezes_attachments)
{
	__u32 pt, other_ioas;

	must(ioas_alloc(self->fd, &other_ioas));
	must(preserve_all(self));
	must_fail(EBUSY, vfio_detach(self->edu.fd));
	pt = other_ioas;
	must_fail(EBUSY, vfio_attach(self->edu.fd, &pt));
	EXPECT_TRUE(device_works(self));
	must(give_up(self));
	must(vfio_detach(self->edu.fd));
	pt = self->hwpt;
	must(vfio_attach(self->edu.fd, &pt));
}

/* The device is not preserved, but what it would be attached to is. */
TEST_F(session, lets_no_device_join)
{
	__u32 pt;

	must(vfio_detach(self->edu.fd));
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	pt = self->hwpt;
	must_fail(EBUSY, vfio_attach(self->edu.fd, &pt));
	pt = self->ioas;
	must_fail(EBUSY, vfio_attach(self->edu.fd, &pt));
	must(give_up(self));
	pt = self->hwpt;
	must(vfio_attach(self->edu.fd, &pt));
}

TEST_F(session, freezes_marks_and_objects)
{
	__u32 ioas, hwpt;

	must(ioas_alloc(self->fd, &ioas));
	must(hwpt_alloc_paging(self->fd, self->edu.id, ioas, &hwpt));
	must(preserve_all(self));
	must_fail(EBUSY, hwpt_mark(self->fd, self->hwpt, 1));
	must_fail(EBUSY, hwpt_mark(self->fd, hwpt, 1));
	must_fail(EBUSY, hwpt_unmark(self->fd, self->hwpt));
	must_fail(EBUSY, iommufd_destroy(self->fd, self->hwpt));
	must_fail(EBUSY, iommufd_destroy(self->fd, self->ioas));
	must(give_up(self));
	must(hwpt_unmark(self->fd, self->hwpt));
}

/* The session holds the files: nothing goes before it does. */
TEST_F(session, outlives_closed_files)
{
	long pins = leak_pins();

	must(preserve_all(self));
	edu_unmap_bar(&self->edu);
	ASSERT_EQ(0, close(self->edu.fd));
	ASSERT_EQ(0, close(self->fd));
	EXPECT_LE(pins, leak_pins());
	self->edu.fd = -1;
	self->fd = open("/dev/null", O_RDONLY);
	EXPECT_EQ(0, close(self->session));
	self->session = -1;
}

/* --- kexec refused ------------------------------------------------------------ */

static int jump(void)
{
	return syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		       LINUX_REBOOT_CMD_KEXEC, NULL) ? -errno : 0;
}

TEST_F(session, keeps_the_kernel_from_jumping_with_interrupts_on)
{
	must(preserve_all(self));
	ASSERT_EQ(0, system("scripts/vm/kexec-load"));
	must(vfio_msi_on(self->edu.fd, -1));
	must_fail(EBUSY, jump());
	EXPECT_TRUE(device_works(self));
	must(vfio_msi_off(self->edu.fd));
	must(give_up(self));
	EXPECT_TRUE(device_works(self));
}

TEST_F(session, keeps_the_kernel_from_jumping_without_the_device)
{
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	ASSERT_EQ(0, system("scripts/vm/kexec-load"));
	must_fail(ENODEV, jump());
	must(give_up(self));
	EXPECT_TRUE(device_works(self));
}

TEST_HARNESS_MAIN
