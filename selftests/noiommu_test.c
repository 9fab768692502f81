// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device that no IOMMU translates for: it is attached as others are, its
 * driver asks for physical addresses and gives it those. DMA goes wherever the
 * device likes, so this takes privilege and a vfio that is told to allow it.
 */
#include <linux/capability.h>
#include <linux/limits.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/mock.h"

#define AT 0x10000000ULL
#define BUFFER_SIZE (16 * PAGE)
#define NO_ID 0x7fffffff
#define NEED_BYPASS "no edu device without an IOMMU: see scripts/test"

/* Like struct iommu_ioas_noiommu_get_pa, with *@length in and out */
static int get_pa(int fd, __u32 ioas, __u64 iova, __u64 *length, __u64 *phys)
{
	struct iommu_ioas_noiommu_get_pa cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas,
		.iova = iova,
		.length = *length,
	};
	int err = xioctl(fd, IOMMU_IOAS_NOIOMMU_GET_PA, &cmd);

	*length = cmd.length;
	*phys = cmd.out_phys;
	return err;
}

/* Where the process's own page tables say that a page is */
static __u64 phys_of(const void *va)
{
	FILE *f = fopen("/proc/self/pagemap", "re");
	__u64 entry = 0;

	if (!f)
		return 0;
	if (fseek(f, (uintptr_t)va / PAGE * sizeof(entry), SEEK_SET) ||
	    fread(&entry, sizeof(entry), 1, f) != 1)
		entry = 0;
	fclose(f);
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

FIXTURE(noiommu)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct edu edu;
	char *buffer;
};

FIXTURE_SETUP(noiommu)
{
	char name[PCI_NAME_SIZE];

	self->fd = -1;
	if (edu_find_noiommu(name))
		SKIP(return, NEED_BYPASS);
	must(vfio_allow_noiommu());
	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(ioas_alloc(self->fd, &self->ioas));
	must(edu_open_name(&self->edu, name));
	must(edu_start(&self->edu, self->fd));
	self->buffer = buffer_small(BUFFER_SIZE);
	buffer_fill(self->buffer, BUFFER_SIZE, 1);
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, BUFFER_SIZE,
			    AT));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
}

FIXTURE_TEARDOWN(noiommu)
{
	if (self->fd < 0)
		return;
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

#define must_get_pa(iova, length, phys)					\
	must(get_pa(self->fd, self->ioas, iova, length, phys))

TEST_F(noiommu, says_where_the_memory_is)
{
	for (size_t at = 0; at < BUFFER_SIZE; at += PAGE) {
		__u64 length = 1, phys;

		must_get_pa(AT + at + 123, &length, &phys);
		EXPECT_EQ(phys_of(self->buffer + at) + 123, phys);
		EXPECT_EQ(1, length);
	}
}

TEST_F(noiommu, device_reaches_it)
{
	__u64 length = EDU_CHUNK, from, to;

	must_get_pa(AT, &length, &from);
	must_get_pa(AT + 7 * PAGE, &length, &to);
	must(edu_copy(&self->edu, to, from, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->buffer, self->buffer + 7 * PAGE, EDU_CHUNK));
}

/* Neither more nor less than what is contiguous, and never more than asked for */
TEST_F(noiommu, says_how_far_it_is_contiguous)
{
	__u64 phys = phys_of(self->buffer), length = UINT64_MAX, got;
	size_t want = PAGE;

	while (want < BUFFER_SIZE && phys_of(self->buffer + want) == phys + want)
		want += PAGE;
	must_get_pa(AT, &length, &got);
	EXPECT_EQ(phys, got);
	EXPECT_EQ(want, length);
	length = 100;
	must_get_pa(AT, &length, &got);
	EXPECT_EQ(100, length);
}

TEST_F(noiommu, huge_page_is_one_piece)
{
	char *huge = buffer_alloc(BUFFER_THP, HUGE_PAGE);
	__u64 length = 2 * HUGE_PAGE, phys;

	ASSERT_NE(NULL, huge);
	must(ioas_map_fixed(self->fd, self->ioas, huge, HUGE_PAGE, 8 * AT));
	must_get_pa(8 * AT, &length, &phys);
	EXPECT_EQ(HUGE_PAGE, length);
	EXPECT_EQ(0, phys % HUGE_PAGE);
	length = 2 * HUGE_PAGE;
	must_get_pa(8 * AT + PAGE + 1, &length, &phys);
	EXPECT_EQ(HUGE_PAGE - PAGE - 1, length);
	must(ioas_unmap_all(self->fd, self->ioas));
	buffer_free(BUFFER_THP, huge, HUGE_PAGE);
}

TEST_F(noiommu, pinned_until_unmapped)
{
	__u64 length = 1, phys;

	EXPECT_LE(self->mark.pins + BUFFER_SIZE / PAGE, leak_pins());
	must(ioas_unmap(self->fd, self->ioas, AT, BUFFER_SIZE));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	must_fail(ENOENT, get_pa(self->fd, self->ioas, AT, &length, &phys));
}

TEST_F(noiommu, mapped_after_attach)
{
	__u64 length = 1, phys;

	must(ioas_map_fixed(self->fd, self->ioas, self->buffer + 5 * PAGE, PAGE,
			    2 * AT));
	must_get_pa(2 * AT, &length, &phys);
	EXPECT_EQ(phys_of(self->buffer + 5 * PAGE), phys);
}

TEST_F(noiommu, detach_and_attach_again)
{
	__u64 length = 1, phys;

	must(vfio_detach(self->edu.fd));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	must_fail(EOPNOTSUPP, get_pa(self->fd, self->ioas, AT, &length, &phys));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must_get_pa(AT, &length, &phys);
}

TEST_F(noiommu, attach_to_another_ioas_replaces)
{
	__u64 length = 1, phys;
	__u32 other;

	must(ioas_alloc(self->fd, &other));
	must(ioas_map_fixed(self->fd, other, self->buffer + PAGE, PAGE, AT));
	must(vfio_attach_ioas(self->edu.fd, other));
	must(get_pa(self->fd, other, AT, &length, &phys));
	EXPECT_EQ(phys_of(self->buffer + PAGE), phys);
	must_fail(EOPNOTSUPP, get_pa(self->fd, self->ioas, AT, &length, &phys));
	must(iommufd_destroy(self->fd, self->ioas));
}

TEST_F(noiommu, hwpt_made_by_hand)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = self->edu.id,
		.pt_id = self->ioas,
	};
	__u64 length = 1, phys;
	__u32 pt;

	must(xioctl(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	pt = cmd.out_hwpt_id;
	must(vfio_attach(self->edu.fd, &pt));
	EXPECT_EQ(cmd.out_hwpt_id, pt);
	must_get_pa(AT, &length, &phys);
	must(vfio_detach(self->edu.fd));
	must(iommufd_destroy(self->fd, cmd.out_hwpt_id));
}

/* There is no IOMMU that could do any of this. */
TEST_F(noiommu, has_nothing_that_takes_an_iommu)
{
	static const __u32 flags[] = {
		IOMMU_HWPT_ALLOC_NEST_PARENT,
		IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
		IOMMU_HWPT_ALLOC_PASID,
	};
	struct iommu_hw_info info = {
		.size = sizeof(info),
		.dev_id = self->edu.id,
	};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.dev_id = self->edu.id,
		.pt_id = self->ioas,
	};
	struct iommu_viommu_alloc viommu = {
		.size = sizeof(viommu),
		.type = IOMMU_VIOMMU_TYPE_SELFTEST,
		.dev_id = self->edu.id,
	};

	must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_GET_HW_INFO, &info));
	for (int i = 0; i < ARRAY_SIZE(flags); i++) {
		cmd.flags = flags[i];
		must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	}
	cmd.flags = 0;
	must(xioctl(self->fd, IOMMU_HWPT_ALLOC, &cmd));
	viommu.hwpt_id = cmd.out_hwpt_id;
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_VIOMMU_ALLOC, &viommu));
	cmd.pt_id = cmd.out_hwpt_id;
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_HWPT_ALLOC, &cmd));
}

/* One IOAS, a domain of each kind; neither device can have the other's. */
TEST_F(noiommu, beside_a_device_with_an_iommu)
{
	__u64 length = EDU_CHUNK, from, to;
	char name[PCI_NAME_SIZE];
	struct mock mock;
	struct edu edu;
	__u32 pt;

	if (edu_find(0, name))
		SKIP(return, "no edu device with an IOMMU");
	must(edu_open(&edu));
	must(edu_start(&edu, self->fd));
	must(vfio_attach_ioas(edu.fd, self->ioas));
	must(edu_copy(&edu, AT + PAGE, AT, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->buffer, self->buffer + PAGE, EDU_CHUNK));
	must_get_pa(AT, &length, &from);
	must_get_pa(AT + 2 * PAGE, &length, &to);
	must(edu_copy(&self->edu, to, from, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->buffer, self->buffer + 2 * PAGE, EDU_CHUNK));

	pt = self->ioas;
	must(vfio_detach(edu.fd));
	must(vfio_attach(edu.fd, &pt));
	if (iommufd_is_iox())
		must_fail(EINVAL, vfio_attach(self->edu.fd, &pt));
	pt = self->ioas;
	must(vfio_detach(self->edu.fd));
	must(vfio_attach(self->edu.fd, &pt));
	must_fail(EINVAL, vfio_attach(edu.fd, &pt));
	ASSERT_EQ(0, mock_plug(self->fd, self->ioas, 0, &mock))
		TH_LOG(NEED_MOCK);
	edu_close(&edu);
}

TEST_F(noiommu, refuses_what_is_wrong)
{
	struct iommu_ioas_noiommu_get_pa cmd = {
		.size = sizeof(cmd),
		.ioas_id = self->ioas,
		.iova = AT,
		.length = 1,
	};
	__u64 length, phys;

	cmd.flags = 1;
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_IOAS_NOIOMMU_GET_PA, &cmd));
	cmd.flags = 0;
	cmd.__reserved = 1;
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_IOAS_NOIOMMU_GET_PA, &cmd));
	length = 0;
	must_fail(EINVAL, get_pa(self->fd, self->ioas, AT, &length, &phys));
	length = 1;
	must_fail(ENOENT, get_pa(self->fd, NO_ID, AT, &length, &phys));
	must_fail(ENOENT, get_pa(self->fd, self->edu.id, AT, &length, &phys));
	must_fail(ENOENT, get_pa(self->fd, self->ioas, AT - 1, &length, &phys));
	must_fail(ENOENT, get_pa(self->fd, self->ioas, AT + BUFFER_SIZE,
				 &length, &phys));
}

static int drop_rawio(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	data[0].effective &= ~(1U << CAP_SYS_RAWIO);
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

TEST_F(noiommu, takes_privilege)
{
	__u64 length = 1, phys;
	int fd;
	__u32 id;

	edu_unmap_bar(&self->edu);
	close(self->edu.fd);
	self->edu.fd = vfio_open(self->edu.name);
	ASSERT_LE(0, self->edu.fd);
	must(drop_rawio());
	must_fail(EPERM, get_pa(self->fd, self->ioas, AT, &length, &phys));
	/* Who was given the open device may have it, but is told no address. */
	must(vfio_bind(self->edu.fd, self->fd, &id));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must_fail(EPERM, get_pa(self->fd, self->ioas, AT, &length, &phys));
	fd = vfio_open(self->edu.name);
	EXPECT_EQ(-EPERM, fd);
}

TEST_F(noiommu, close_iommufd_then_device)
{
	__u64 length = EDU_CHUNK, from, to;

	must_get_pa(AT, &length, &from);
	must_get_pa(AT + PAGE, &length, &to);
	must(close(self->fd));
	must(edu_copy(&self->edu, to, from, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->buffer, self->buffer + PAGE, EDU_CHUNK));
	edu_close(&self->edu);
	EXPECT_NO_LEAK(&self->mark);
	self->fd = iommufd_open();
}

TEST_HARNESS_MAIN
