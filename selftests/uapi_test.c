// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules that every ioctl of /dev/iommu keeps: structure sizes, unknown
 * numbers, flags and reserved fields, ids. No device is needed.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

#define MAPPED_AT 0x200000ULL
#define FREE_AT 0x400000ULL

static __u32 *size_field(void *cmd)
{
	return cmd;
}

/* --- each ioctl, with a structure that would succeed --------------------- */

FIXTURE(call)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	void *page;
	struct iommu_iova_range ranges[16];
	unsigned char *cmd;	/* the structure, zeros behind it */
};

FIXTURE_VARIANT(call)
{
	unsigned long request;
	size_t size;
};

FIXTURE_VARIANT_ADD(call, destroy)
{
	.request = IOMMU_DESTROY,
	.size = sizeof(struct iommu_destroy),
};

FIXTURE_VARIANT_ADD(call, ioas_alloc)
{
	.request = IOMMU_IOAS_ALLOC,
	.size = sizeof(struct iommu_ioas_alloc),
};

FIXTURE_VARIANT_ADD(call, ioas_map)
{
	.request = IOMMU_IOAS_MAP,
	.size = sizeof(struct iommu_ioas_map),
};

FIXTURE_VARIANT_ADD(call, ioas_unmap)
{
	.request = IOMMU_IOAS_UNMAP,
	.size = sizeof(struct iommu_ioas_unmap),
};

FIXTURE_VARIANT_ADD(call, iova_ranges)
{
	.request = IOMMU_IOAS_IOVA_RANGES,
	.size = sizeof(struct iommu_ioas_iova_ranges),
};

FIXTURE_SETUP(call)
{
	__u32 other;

	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	self->page = buffer_small(PAGE);
	/* The structure ends where readable memory does. */
	self->cmd = buffer_small(3 * PAGE);
	ASSERT_EQ(0, mprotect(self->cmd + 2 * PAGE, PAGE, PROT_NONE));

	must(ioas_alloc(self->fd, &self->ioas));
	must(ioas_alloc(self->fd, &other));
	must(ioas_map_fixed(self->fd, self->ioas, self->page, PAGE, MAPPED_AT));

	switch (variant->request) {
	case IOMMU_DESTROY:
		*(struct iommu_destroy *)self->cmd =
			(struct iommu_destroy){ .id = other };
		break;
	case IOMMU_IOAS_MAP:
		*(struct iommu_ioas_map *)self->cmd = (struct iommu_ioas_map){
			.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
			.ioas_id = self->ioas,
			.user_va = (uintptr_t)self->page,
			.length = PAGE,
			.iova = FREE_AT,
		};
		break;
	case IOMMU_IOAS_UNMAP:
		*(struct iommu_ioas_unmap *)self->cmd = (struct iommu_ioas_unmap){
			.ioas_id = self->ioas,
			.iova = MAPPED_AT,
			.length = PAGE,
		};
		break;
	case IOMMU_IOAS_IOVA_RANGES:
		*(struct iommu_ioas_iova_ranges *)self->cmd =
			(struct iommu_ioas_iova_ranges){
				.ioas_id = self->ioas,
				.num_iovas = ARRAY_SIZE(self->ranges),
				.allowed_iovas = (uintptr_t)self->ranges,
			};
		break;
	}
}

FIXTURE_TEARDOWN(call)
{
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

TEST_F(call, exact_size_is_accepted)
{
	*size_field(self->cmd) = variant->size;
	must(xioctl(self->fd, variant->request, self->cmd));
}

TEST_F(call, longer_with_zeros_is_accepted)
{
	*size_field(self->cmd) = variant->size + 8;
	must(xioctl(self->fd, variant->request, self->cmd));
}

TEST_F(call, longer_than_a_page_with_zeros_is_accepted)
{
	*size_field(self->cmd) = 2 * PAGE;
	must(xioctl(self->fd, variant->request, self->cmd));
}

TEST_F(call, longer_with_other_bytes_is_e2big)
{
	*size_field(self->cmd) = variant->size + 8;
	for (int i = 0; i < 8; i++) {
		self->cmd[variant->size + i] = 1;
		must_fail(E2BIG, xioctl(self->fd, variant->request, self->cmd));
		self->cmd[variant->size + i] = 0;
	}
	/* None of the refused calls took effect. */
	must(xioctl(self->fd, variant->request, self->cmd));
}

TEST_F(call, longer_than_readable_memory_is_efault)
{
	*size_field(self->cmd) = 2 * PAGE + 8;
	must_fail(EFAULT, xioctl(self->fd, variant->request, self->cmd));
	*size_field(self->cmd) = variant->size;
	must(xioctl(self->fd, variant->request, self->cmd));
}

TEST_F(call, shorter_is_einval)
{
	for (__u32 size = 0; size < variant->size; size++) {
		*size_field(self->cmd) = size;
		must_fail(EINVAL, xioctl(self->fd, variant->request, self->cmd));
	}
	*size_field(self->cmd) = variant->size;
	must(xioctl(self->fd, variant->request, self->cmd));
}

TEST_F(call, null_is_efault)
{
	must_fail(EFAULT, xioctl(self->fd, variant->request, NULL));
}

TEST_F(call, structure_over_the_end_of_memory_is_efault)
{
	void *late = self->cmd + 2 * PAGE - 4;

	*size_field(late) = variant->size;
	must_fail(EFAULT, xioctl(self->fd, variant->request, late));
}

TEST_F(call, only_its_own_number_is_known)
{
	int nr = _IOC_NR(variant->request);

	*size_field(self->cmd) = variant->size;
	must_fail(ENOTTY, xioctl(self->fd, _IOW(IOMMUFD_TYPE, nr, __u64),
				 self->cmd));
	must_fail(ENOTTY, xioctl(self->fd, _IO('<', nr), self->cmd));
	must(xioctl(self->fd, variant->request, self->cmd));
}

/* --- the file and its ids ------------------------------------------------- */

FIXTURE(file)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	void *page;
};

FIXTURE_SETUP(file)
{
	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	self->page = buffer_small(PAGE);
	must(ioas_alloc(self->fd, &self->ioas));
}

FIXTURE_TEARDOWN(file)
{
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

TEST_F(file, unknown_ioctls_are_enotty)
{
	/* Not 0xa0, which the driver of Linux's own tests answers. */
	static const int numbers[] = { 0x00, 0x3a, 0x7f, 0xa1, 0xbf };
	__u64 cmd[16] = { sizeof(cmd) };

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		must_fail(ENOTTY, xioctl(self->fd, _IO(IOMMUFD_TYPE, numbers[i]),
					 cmd));
}

TEST_F(file, reading_writing_and_mapping_the_file_fail)
{
	char byte = 0;

	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->fd, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, self->fd,
				   0));
}

TEST_F(file, alloc_with_flags_is_eopnotsupp)
{
	for (int bit = 0; bit < 32; bit++) {
		struct iommu_ioas_alloc cmd = {
			.size = sizeof(cmd),
			.flags = 1U << bit,
		};

		must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_IOAS_ALLOC, &cmd));
		ASSERT_EQ(0, cmd.out_ioas_id);
	}
}

/* The bits from 24 up are left for extensions. */
TEST_F(file, map_with_unknown_flags_is_eopnotsupp)
{
	for (int bit = 3; bit < 24; bit++) {
		__u64 iova = FREE_AT;

		must_fail(EOPNOTSUPP,
			  ioas_map(self->fd, self->ioas,
				   MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA | 1U << bit,
				   self->page, PAGE, &iova));
	}
	must_fail(ENOENT, ioas_unmap(self->fd, self->ioas, FREE_AT, PAGE));
}

TEST_F(file, map_with_reserved_field_is_eopnotsupp)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = MAP_RW,
		.ioas_id = self->ioas,
		.user_va = (uintptr_t)self->page,
		.length = PAGE,
		.__reserved = 1,
	};

	must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_IOAS_MAP, &cmd));
}

TEST_F(file, iova_ranges_with_reserved_field_is_eopnotsupp)
{
	struct iommu_ioas_iova_ranges cmd = {
		.size = sizeof(cmd),
		.ioas_id = self->ioas,
		.__reserved = 1,
	};

	must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_IOAS_IOVA_RANGES, &cmd));
}

TEST_F(file, ids_differ)
{
	__u32 ids[64];

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		must(ioas_alloc(self->fd, &ids[i]));
		ASSERT_NE(0, ids[i]);
		ASSERT_NE(self->ioas, ids[i]);
		for (size_t j = 0; j < i; j++)
			ASSERT_NE(ids[i], ids[j]);
	}
}

TEST_F(file, destroy_twice_is_enoent)
{
	must(iommufd_destroy(self->fd, self->ioas));
	must_fail(ENOENT, iommufd_destroy(self->fd, self->ioas));
}

TEST_F(file, destroy_of_no_id_is_enoent)
{
	must_fail(ENOENT, iommufd_destroy(self->fd, 0));
	must_fail(ENOENT, iommufd_destroy(self->fd, self->ioas + 1000));
	must_fail(ENOENT, iommufd_destroy(self->fd, UINT_MAX));
}

TEST_F(file, calls_with_no_ioas_are_enoent)
{
	const __u32 ids[] = { 0, self->ioas + 1000, UINT_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		__u32 count = 0;
		__u64 iova;

		must_fail(ENOENT, ioas_map_auto(self->fd, ids[i], self->page,
						PAGE, &iova));
		must_fail(ENOENT, ioas_map_fixed(self->fd, ids[i], self->page,
						 PAGE, FREE_AT));
		must_fail(ENOENT, ioas_unmap_all(self->fd, ids[i]));
		must_fail(ENOENT, ioas_ranges(self->fd, ids[i], NULL, &count,
					      NULL));
	}
}

TEST_F(file, destroyed_ioas_is_enoent)
{
	__u64 iova;

	must(ioas_map_fixed(self->fd, self->ioas, self->page, PAGE, FREE_AT));
	must(iommufd_destroy(self->fd, self->ioas));
	must_fail(ENOENT, ioas_map_auto(self->fd, self->ioas, self->page, PAGE,
					&iova));
	must_fail(ENOENT, ioas_unmap_all(self->fd, self->ioas));
}

TEST_F(file, ids_of_another_file_are_enoent)
{
	int other = iommufd_open();

	ASSERT_LE(0, other);
	must_fail(ENOENT, ioas_unmap_all(other, self->ioas));
	must_fail(ENOENT, iommufd_destroy(other, self->ioas));
	ASSERT_EQ(0, close(other));
	must(ioas_map_fixed(self->fd, self->ioas, self->page, PAGE, FREE_AT));
}

TEST_HARNESS_MAIN
