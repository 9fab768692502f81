// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of one device that another one reaches: a BAR that vfio-pci exports as
 * a dma-buf, mapped for edu. The exporter can take it away at any moment.
 */
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/mock.h"

#define AT 0x100000000ULL
#define MEMORY_AT 0x200000000ULL
#define MEMORY_SIZE (16 * PAGE)

/* QEMU's ivshmem-plain: what is behind its BAR 2 is plain memory. */
#define SHMEM_VENDOR 0x1af4
#define SHMEM_DEVICE 0x1110
#define SHMEM_BAR VFIO_PCI_BAR2_REGION_INDEX
#define NEED_SHMEM "no ivshmem-plain device: see scripts/test"

FIXTURE(dmabuf)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct edu edu;
	char name[PCI_NAME_SIZE];
	int exporter;
	int file;
	char *bar;
	size_t size;
	char *memory;
};

/* Opens the device that exports, and its BAR. */
static int open_exporter(const char *name, int iommufd, int *exporter,
			 char **bar, size_t *size)
{
	void *map = NULL;
	__u32 id;
	int err;

	*exporter = vfio_open(name);
	if (*exporter < 0)
		return *exporter;
	err = vfio_bind(*exporter, iommufd, &id) ?:
	      vfio_memory(*exporter, true) ?:
	      vfio_map_bar(*exporter, SHMEM_BAR, &map, size);
	*bar = map;
	return err;
}

static void close_exporter(int *exporter, char **bar, size_t size)
{
	if (*bar)
		munmap(*bar, size);
	*bar = NULL;
	if (*exporter >= 0)
		close(*exporter);
	*exporter = -1;
}

FIXTURE_SETUP(dmabuf)
{
	self->exporter = -1;
	self->edu.fd = -1;
	self->fd = -1;
	if (pci_find(SHMEM_VENDOR, SHMEM_DEVICE, self->name))
		SKIP(return, NEED_SHMEM);
	must(vfio_pci_claim(self->name));
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	must(open_exporter(self->name, self->fd, &self->exporter, &self->bar,
			   &self->size));
	self->file = vfio_dmabuf(self->exporter, SHMEM_BAR, 0, self->size);
	ASSERT_LE(0, self->file);
	self->memory = buffer_small(MEMORY_SIZE);
	buffer_fill(self->memory, MEMORY_SIZE, 1);
	buffer_fill(self->bar, self->size, 2);
	must(ioas_map_fixed(self->fd, self->ioas, self->memory, MEMORY_SIZE,
			    MEMORY_AT));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
}

FIXTURE_TEARDOWN(dmabuf)
{
	if (self->fd < 0)
		return;
	edu_close(&self->edu);
	close_exporter(&self->exporter, &self->bar, self->size);
	if (self->file >= 0)
		close(self->file);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

#define must_map(start, length)						\
	must(ioas_map_file_fixed(self->fd, self->ioas, self->file, start,	\
				 length, AT))

/* The device copies from memory into the BAR, and back to elsewhere. */
static int check_dma(struct edu *edu, __u64 at, char *memory, char *bar)
{
	char *back = memory + MEMORY_SIZE / 2;
	int err;

	memset(back, 0, EDU_CHUNK);
	err = edu_copy(edu, at, MEMORY_AT, EDU_CHUNK);
	if (!err && memcmp(bar, memory, EDU_CHUNK))
		return -EIO;
	err = err ?: edu_copy(edu, MEMORY_AT + MEMORY_SIZE / 2, at, EDU_CHUNK);
	return err ?: memcmp(back, memory, EDU_CHUNK) ? -EIO : 0;
}

TEST_F(dmabuf, device_reaches_the_other_one)
{
	must_map(0, self->size);
	must(check_dma(&self->edu, AT, self->memory, self->bar));
	must(check_dma(&self->edu, AT + self->size - PAGE, self->memory,
		       self->bar + self->size - PAGE));
	must(ioas_unmap(self->fd, self->ioas, AT, self->size));
}

TEST_F(dmabuf, device_attached_later)
{
	must(vfio_detach(self->edu.fd));
	must_map(0, self->size);
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(check_dma(&self->edu, AT, self->memory, self->bar));
}

TEST_F(dmabuf, part_of_it)
{
	must_map(3 * PAGE, 2 * PAGE);
	must(check_dma(&self->edu, AT + PAGE, self->memory,
		       self->bar + 4 * PAGE));
	EXPECT_TRUE(buffer_holds(self->bar, 3 * PAGE, 2));
}

/* The dma-buf itself is only a part of the BAR. */
TEST_F(dmabuf, part_of_the_bar)
{
	int part = vfio_dmabuf(self->exporter, SHMEM_BAR, 8 * PAGE, 4 * PAGE);

	ASSERT_LE(0, part);
	must_fail(EINVAL, ioas_map_file_fixed(self->fd, self->ioas, part, PAGE,
					      4 * PAGE, AT));
	must(ioas_map_file_fixed(self->fd, self->ioas, part, PAGE, PAGE, AT));
	close(part);
	must(check_dma(&self->edu, AT, self->memory, self->bar + 9 * PAGE));
}

/* It is not pinned, and nobody pays for it. */
TEST_F(dmabuf, is_neither_pinned_nor_charged)
{
	long charged = leak_charged_kb();
	long pins = leak_pins();

	must_map(0, self->size);
	EXPECT_EQ(pins, leak_pins_settled(pins));
	EXPECT_EQ(charged, leak_charged_kb());
}

TEST_F(dmabuf, copied_to_another_ioas)
{
	struct iommu_ioas_copy copy = {
		.size = sizeof(copy),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.src_ioas_id = self->ioas,
		.length = PAGE,
		.dst_iova = 2 * AT,
		.src_iova = AT + PAGE,
	};
	__u32 other;

	must(ioas_alloc(self->fd, &other));
	copy.dst_ioas_id = other;
	must_map(0, self->size);
	must(xioctl(self->fd, IOMMU_IOAS_COPY, &copy));
	must(ioas_unmap(self->fd, self->ioas, AT, self->size));
	must(ioas_unmap(self->fd, self->ioas, MEMORY_AT, MEMORY_SIZE));
	must(vfio_attach_ioas(self->edu.fd, other));
	must(ioas_map_fixed(self->fd, other, self->memory, MEMORY_SIZE,
			    2 * AT + PAGE));
	must(edu_copy(&self->edu, 2 * AT, 2 * AT + PAGE, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->bar + PAGE, self->memory, EDU_CHUNK));
}

/* --- taken away --------------------------------------------------------------------- */

/* What the device writes there goes nowhere: this faults, and the kernel says so. */
static int write_in_vain(struct edu *edu)
{
	return edu_copy(edu, AT, MEMORY_AT, 8);
}

/* A device that does not answer to its BARs is not to be reached. */
TEST_F(dmabuf, revoked_with_the_bar)
{
	must_map(0, self->size);
	must(check_dma(&self->edu, AT, self->memory, self->bar));
	must(vfio_memory(self->exporter, false));
	must(write_in_vain(&self->edu));
	must_fail(ENODEV, ioas_map_file_fixed(self->fd, self->ioas, self->file,
					      0, self->size, 2 * AT));
	must_fail(EEXIST, ioas_map_fixed(self->fd, self->ioas, self->memory,
					 PAGE, AT));

	/* For good: what is there now has to be mapped anew. */
	must(vfio_memory(self->exporter, true));
	buffer_fill(self->bar, self->size, 3);
	must(write_in_vain(&self->edu));
	EXPECT_TRUE(buffer_holds(self->bar, self->size, 3));
	must(ioas_unmap(self->fd, self->ioas, AT, self->size));
	must_map(0, self->size);
	must(check_dma(&self->edu, AT, self->memory, self->bar));
}

TEST_F(dmabuf, revoked_by_closing_the_device)
{
	must_map(0, self->size);
	must(check_dma(&self->edu, AT, self->memory, self->bar));
	buffer_fill(self->bar, self->size, 4);
	close_exporter(&self->exporter, &self->bar, self->size);
	must(write_in_vain(&self->edu));
	must_fail(ENODEV, ioas_map_file_fixed(self->fd, self->ioas, self->file,
					      0, self->size, 2 * AT));
	must(open_exporter(self->name, self->fd, &self->exporter, &self->bar,
			   &self->size));
	EXPECT_TRUE(buffer_holds(self->bar, self->size, 4));
	must(ioas_unmap(self->fd, self->ioas, AT, self->size));
}

/* The other domain of the address space loses it as well. */
TEST_F(dmabuf, revoked_in_all_domains)
{
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.dev_id = self->edu.id,
		.pt_id = self->ioas,
	};
	__u32 pt;

	must(xioctl(self->fd, IOMMU_HWPT_ALLOC, &hwpt));
	pt = hwpt.out_hwpt_id;
	must_map(0, self->size);
	must(vfio_memory(self->exporter, false));
	must(write_in_vain(&self->edu));
	must(vfio_attach(self->edu.fd, &pt));
	must(write_in_vain(&self->edu));
	must(vfio_memory(self->exporter, true));
	EXPECT_TRUE(buffer_holds(self->bar, self->size, 2));
	must(vfio_detach(self->edu.fd));
	must(iommufd_destroy(self->fd, hwpt.out_hwpt_id));
}

/* A domain that comes later holds nothing of it, and that is no error. */
TEST_F(dmabuf, revoked_before_attach)
{
	must(vfio_detach(self->edu.fd));
	must_map(0, self->size);
	must(vfio_memory(self->exporter, false));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(write_in_vain(&self->edu));
	must(vfio_memory(self->exporter, true));
	EXPECT_TRUE(buffer_holds(self->bar, self->size, 2));
}

/* The device's driver is taken away while its memory is mapped elsewhere. */
TEST_F(dmabuf, unbound_while_mapped)
{
	must_map(0, self->size);
	close_exporter(&self->exporter, &self->bar, self->size);
	must(pci_write(self->name, "driver/unbind", self->name));
	must(write_in_vain(&self->edu));
	must(ioas_unmap(self->fd, self->ioas, AT, self->size));
	must(close(self->file));
	self->file = -1;
	must(vfio_pci_claim(self->name));
}

TEST_F(dmabuf, no_access_by_the_cpu)
{
	int access = mock_access(self->fd, self->ioas, true);
	char bytes[16];
	__u32 id;

	ASSERT_LE(0, access) TH_LOG(NEED_MOCK);
	must_map(0, self->size);
	must_fail(EINVAL, mock_access_rw(self->fd, access, AT, bytes,
					 sizeof(bytes), 0));
	must_fail(EINVAL, mock_access_pin(self->fd, access, AT, self->bar,
					  PAGE, &id));
	close(access);
}

TEST_HARNESS_MAIN
