// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hardware page tables made by hand: allocating them, attaching to them, what
 * the IOMMU says about itself, dirty tracking, PASIDs, fault queues. Whatever
 * needs hardware that the VM has not got must be refused cleanly.
 */
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

#define AT 0x100000000ULL
#define SIZE (16 * PAGE)
#define NO_ID 0x7fffffff

static int hwpt_alloc(int fd, __u32 dev, __u32 pt, __u32 flags, __u32 *id)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = dev,
		.pt_id = pt,
	};
	int rc = xioctl(fd, IOMMU_HWPT_ALLOC, &cmd);

	*id = cmd.out_hwpt_id;
	return rc;
}

static int hwpt_set_dirty_tracking(int fd, __u32 id, __u32 flags)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.hwpt_id = id,
	};

	return xioctl(fd, IOMMU_HWPT_SET_DIRTY_TRACKING, &cmd);
}

static int fault_queue(int fd, __u32 flags, __u32 *id, int *queue)
{
	struct iommu_fault_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
	};
	int rc = xioctl(fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	*id = cmd.out_fault_id;
	*queue = cmd.out_fault_fd;
	return rc;
}

static int hw_info(int fd, struct iommu_hw_info *cmd)
{
	cmd->size = sizeof(*cmd);
	return xioctl(fd, IOMMU_GET_HW_INFO, cmd);
}

/* --- with a device ---------------------------------------------------------- */

FIXTURE(hwpt)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct edu edu;
	char *from, *to;
};

FIXTURE_SETUP(hwpt)
{
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	self->from = buffer_alloc(BUFFER_SMALL, SIZE);
	self->to = buffer_alloc(BUFFER_SMALL, SIZE);
	ASSERT_NE(NULL, self->from);
	ASSERT_NE(NULL, self->to);
	buffer_fill(self->from, SIZE, 1);
	buffer_fill(self->to, SIZE, 2);
	must(ioas_map_fixed(self->fd, self->ioas, self->from, SIZE, AT));
}

FIXTURE_TEARDOWN(hwpt)
{
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
	buffer_free(BUFFER_SMALL, self->from, SIZE);
	buffer_free(BUFFER_SMALL, self->to, SIZE);
}

/* What was mapped before the domain was made is in it, and what comes after. */
TEST_F(hwpt, dma_through_it)
{
	__u32 id, pt;

	must(hwpt_alloc(self->fd, self->edu.id, self->ioas, 0, &id));
	must(ioas_map_fixed(self->fd, self->ioas, self->to, SIZE, AT + SIZE));
	pt = id;
	must(vfio_attach(self->edu.fd, &pt));
	EXPECT_EQ(id, pt);
	must(edu_copy(&self->edu, AT + SIZE, AT, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->from, self->to, EDU_CHUNK));
}

/* From one domain to another and back, with DMA through each. */
TEST_F(hwpt, replace)
{
	__u32 first, second, pt, other;

	must(ioas_alloc(self->fd, &other));
	must(ioas_map_fixed(self->fd, self->ioas, self->to, SIZE, AT + SIZE));
	must(ioas_map_fixed(self->fd, other, self->to, SIZE, AT));
	must(ioas_map_fixed(self->fd, other, self->from, SIZE, AT + SIZE));
	must(hwpt_alloc(self->fd, self->edu.id, self->ioas, 0, &first));
	must(hwpt_alloc(self->fd, self->edu.id, other, 0, &second));
	pt = first;
	must(vfio_attach(self->edu.fd, &pt));
	must_fail(EBUSY, iommufd_destroy(self->fd, first));
	must(edu_copy(&self->edu, AT + SIZE, AT, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->from, self->to, EDU_CHUNK));

	pt = second;
	must(vfio_attach(self->edu.fd, &pt));
	EXPECT_EQ(second, pt);
	must_fail(EBUSY, iommufd_destroy(self->fd, second));
	must(iommufd_destroy(self->fd, first));
	buffer_fill(self->to, SIZE, 3);
	must(edu_copy(&self->edu, AT + SIZE, AT, EDU_CHUNK));
	EXPECT_TRUE(buffer_holds(self->from, EDU_CHUNK, 3));

	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(iommufd_destroy(self->fd, second));
	must(iommufd_destroy(self->fd, other));
}

/* It stays when the last device leaves it, and keeps its IOAS alive. */
TEST_F(hwpt, outlives_its_device)
{
	__u32 id, pt;

	must(hwpt_alloc(self->fd, self->edu.id, self->ioas, 0, &id));
	pt = id;
	must(vfio_attach(self->edu.fd, &pt));
	must(vfio_detach(self->edu.fd));
	must(vfio_attach(self->edu.fd, &pt));
	must(vfio_detach(self->edu.fd));
	must_fail(EBUSY, iommufd_destroy(self->fd, self->ioas));
	must(iommufd_destroy(self->fd, id));
	must_fail(ENOENT, vfio_attach(self->edu.fd, &pt));
	must(iommufd_destroy(self->fd, self->ioas));
}

/* An IOAS attached by itself makes a domain of its own, not one made by hand. */
TEST_F(hwpt, is_not_shared_with_the_ioas)
{
	__u32 id, pt = self->ioas;

	must(hwpt_alloc(self->fd, self->edu.id, self->ioas, 0, &id));
	must(vfio_attach(self->edu.fd, &pt));
	EXPECT_NE(id, pt);
	EXPECT_NE(self->ioas, pt);
	must(vfio_detach(self->edu.fd));
	must_fail(ENOENT, iommufd_destroy(self->fd, pt));
	must(iommufd_destroy(self->fd, id));
}

TEST_F(hwpt, refuses_what_it_does_not_know)
{
	__u32 id, dev = self->edu.id;
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = dev,
		.pt_id = self->ioas,
	};

	must_fail(ENOENT, hwpt_alloc(self->fd, NO_ID, self->ioas, 0, &id));
	must_fail(ENOENT, hwpt_alloc(self->fd, dev, NO_ID, 0, &id));
	must_fail(ENOENT, hwpt_alloc(self->fd, self->ioas, self->ioas, 0, &id));
	must_fail(EINVAL, hwpt_alloc(self->fd, dev, dev, 0, &id));
	must_fail(EOPNOTSUPP,
		  hwpt_alloc(self->fd, dev, self->ioas, 1U << 31, &id));
	must_fail(EOPNOTSUPP,
		  hwpt_alloc(self->fd, dev, self->ioas,
			     IOMMU_HWPT_ALLOC_NEST_PARENT |
				     IOMMU_HWPT_FAULT_ID_VALID, &id));
	must_fail(ENOENT, hwpt_alloc(self->fd, dev, self->ioas,
				     IOMMU_HWPT_FAULT_ID_VALID, &id));
	cmd.__reserved = 1;
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	cmd.__reserved = 0;
	cmd.data_len = 8;
	must_fail(EINVAL, xioctl(self->fd, IOMMU_HWPT_ALLOC, &cmd));
}

/* This IOMMU has neither in the mode that it is in. */
TEST_F(hwpt, refuses_nesting_and_dirty_tracking)
{
	struct iommu_hwpt_get_dirty_bitmap get = {
		.size = sizeof(get),
		.iova = AT,
		.length = SIZE,
		.page_size = PAGE,
	};
	__u64 bitmap = 0;
	__u32 id;

	must_fail(EOPNOTSUPP,
		  hwpt_alloc(self->fd, self->edu.id, self->ioas,
			     IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &id));
	must_fail(EOPNOTSUPP,
		  hwpt_alloc(self->fd, self->edu.id, self->ioas,
			     IOMMU_HWPT_ALLOC_NEST_PARENT, &id));
	must(hwpt_alloc(self->fd, self->edu.id, self->ioas, 0, &id));
	must_fail(EOPNOTSUPP, hwpt_set_dirty_tracking(self->fd, id, 1));
	must_fail(EOPNOTSUPP, hwpt_set_dirty_tracking(self->fd, id, 2));
	must_fail(ENOENT, hwpt_set_dirty_tracking(self->fd, NO_ID, 1));
	get.hwpt_id = id;
	get.data = (__u64)&bitmap;
	must_fail(EOPNOTSUPP,
		  xioctl(self->fd, IOMMU_HWPT_GET_DIRTY_BITMAP, &get));
	EXPECT_EQ(0, bitmap);
}

TEST_F(hwpt, refuses_pasids)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.flags = VFIO_DEVICE_ATTACH_PASID,
		.pasid = 1,
	};
	__u32 id;

	must(hwpt_alloc(self->fd, self->edu.id, self->ioas, 0, &id));
	attach.pt_id = id;
	must_fail(EINVAL,
		  xioctl(self->edu.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach));
	/* The driver may make a domain for PASIDs, but the device has none. */
	if (!hwpt_alloc(self->fd, self->edu.id, self->ioas,
			IOMMU_HWPT_ALLOC_PASID, &id)) {
		attach.pt_id = id;
		must_fail(EINVAL, xioctl(self->edu.fd,
					 VFIO_DEVICE_ATTACH_IOMMUFD_PT,
					 &attach));
	}
}

/* The IOMMU's own structure, in a buffer that is too long or too short. */
TEST_F(hwpt, info_of_vt_d)
{
	char buffer[sizeof(struct iommu_hw_info_vtd) + 8];
	struct iommu_hw_info_vtd *vtd = (void *)buffer;
	struct iommu_hw_info cmd = {
		.dev_id = self->edu.id,
		.data_len = sizeof(buffer),
		.data_uptr = (__u64)buffer,
	};

	memset(buffer, 0xa5, sizeof(buffer));
	must(hw_info(self->fd, &cmd));
	EXPECT_EQ(IOMMU_HW_INFO_TYPE_INTEL_VTD, cmd.out_data_type);
	EXPECT_EQ(sizeof(*vtd), cmd.data_len);
	EXPECT_EQ(0, cmd.out_max_pasid_log2);
	EXPECT_EQ(0, cmd.out_capabilities & IOMMU_HW_CAP_DIRTY_TRACKING);
	EXPECT_NE(0, cmd.out_capabilities & IOMMU_HW_CAP_PCI_ATS_NOT_SUPPORTED);
	EXPECT_EQ(0, vtd->__reserved);
	EXPECT_NE(0, vtd->cap_reg);
	EXPECT_NE(0, vtd->ecap_reg);
	EXPECT_EQ(0, *(__u64 *)(buffer + sizeof(*vtd)));

	memset(buffer, 0xa5, sizeof(buffer));
	cmd.data_len = 4;
	must(hw_info(self->fd, &cmd));
	EXPECT_EQ(sizeof(*vtd), cmd.data_len);
	EXPECT_EQ(0xa5a5a5a5, vtd->__reserved);

	cmd.data_len = 0;
	cmd.data_uptr = 0;
	must(hw_info(self->fd, &cmd));
	EXPECT_EQ(sizeof(*vtd), cmd.data_len);
}

TEST_F(hwpt, info_refused)
{
	struct iommu_hw_info cmd = {
		.dev_id = self->edu.id,
		.flags = IOMMU_HW_INFO_FLAG_INPUT_TYPE,
		.in_data_type = IOMMU_HW_INFO_TYPE_ARM_SMMUV3,
	};

	must_fail(EOPNOTSUPP, hw_info(self->fd, &cmd));
	cmd.in_data_type = IOMMU_HW_INFO_TYPE_INTEL_VTD;
	must(hw_info(self->fd, &cmd));
	cmd.dev_id = self->ioas;
	must_fail(ENOENT, hw_info(self->fd, &cmd));
	cmd.dev_id = self->edu.id;
	cmd.flags = 2;
	must_fail(EOPNOTSUPP, hw_info(self->fd, &cmd));
	cmd.flags = 0;
	cmd.__reserved[2] = 1;
	must_fail(EOPNOTSUPP, hw_info(self->fd, &cmd));
	cmd.__reserved[2] = 0;
	cmd.data_len = 8;
	cmd.data_uptr = 8;
	must_fail(EFAULT, hw_info(self->fd, &cmd));
}

TEST_F(hwpt, no_virtual_iommu)
{
	struct iommu_viommu_alloc cmd = {
		.size = sizeof(cmd),
		.type = IOMMU_VIOMMU_TYPE_ARM_SMMUV3,
		.dev_id = self->edu.id,
	};
	struct iommu_hwpt_invalidate invalidate = {
		.size = sizeof(invalidate),
		.entry_num = 1,
		.entry_len = 8,
		.data_uptr = (__u64)&invalidate,
	};

	must(hwpt_alloc(self->fd, self->edu.id, self->ioas, 0, &cmd.hwpt_id));
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_VIOMMU_ALLOC, &cmd));
	invalidate.hwpt_id = cmd.hwpt_id;
	must_fail(EINVAL, xioctl(self->fd, IOMMU_HWPT_INVALIDATE, &invalidate));
	EXPECT_EQ(0, invalidate.entry_num);
}

/* --- without ----------------------------------------------------------------- */

FIXTURE(queue)
{
	struct leak_mark mark;
	int fd, queue;
	__u32 id;
};

FIXTURE_SETUP(queue)
{
	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(fault_queue(self->fd, 0, &self->id, &self->queue));
}

FIXTURE_TEARDOWN(queue)
{
	close(self->queue);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

TEST_F(queue, is_empty)
{
	struct pollfd poll_fd = { .fd = self->queue, .events = POLLIN | POLLOUT };
	struct iommu_hwpt_pgfault fault;

	EXPECT_EQ(1, poll(&poll_fd, 1, 0));
	EXPECT_EQ(POLLOUT, poll_fd.revents);
	EXPECT_EQ(0, read(self->queue, &fault, sizeof(fault)));
	EXPECT_EQ(0, read(self->queue, &fault, 0));
	EXPECT_EQ(-1, read(self->queue, &fault, sizeof(fault) - 1));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pread(self->queue, &fault, sizeof(fault), sizeof(fault)));
	EXPECT_EQ(ESPIPE, errno);
}

TEST_F(queue, refuses_answers_to_nothing)
{
	struct iommu_hwpt_page_response response = { .cookie = 1 };

	EXPECT_EQ(-1, write(self->queue, &response, sizeof(response)));
	EXPECT_EQ(EINVAL, errno);
	response.code = IOMMUFD_PAGE_RESP_INVALID + 1;
	EXPECT_EQ(-1, write(self->queue, &response, sizeof(response)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->queue, &response, sizeof(response) - 1));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(0, write(self->queue, &response, 0));
}

TEST_F(queue, lives_as_long_as_its_file)
{
	must_fail(EBUSY, iommufd_destroy(self->fd, self->id));
	close(self->queue);
	must(iommufd_destroy(self->fd, self->id));
	must_fail(ENOENT, iommufd_destroy(self->fd, self->id));
}

/* The queue's file holds the context, whose own file is gone. */
TEST_F(queue, outlives_the_context_file)
{
	struct pollfd poll_fd = { .fd = self->queue, .events = POLLIN };
	int fd = self->fd;

	self->fd = dup(fd);
	close(fd);
	EXPECT_EQ(0, poll(&poll_fd, 1, 0));
}

TEST_F(queue, cannot_be_mapped_or_flagged)
{
	__u32 id;
	int queue;

	must_fail(EOPNOTSUPP, fault_queue(self->fd, 1, &id, &queue));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED,
				   self->queue, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd,
				   0));
	EXPECT_EQ(ENXIO, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, self->fd,
				   0));
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
