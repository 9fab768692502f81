// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program can rely on before a device comes: IOX_IOAS_REQUIRE, and
 * IOX_IOAS_TEST_ATTACH, which has to say what then happens.
 */
#include <errno.h>
#include <linux/iox.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

/* Where interrupts go on a PC: a device cannot reach memory there. */
#define MSI_START 0xfee00000ULL
#define MSI_LAST 0xfeefffffULL
#define MAX 16

FIXTURE(promise)
{
	struct leak_mark mark;
	struct edu edu;
	int fd;
	__u32 ioas;
	char *page;
};

FIXTURE_SETUP(promise)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd promises nothing");
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	self->page = buffer_small(PAGE);
}

FIXTURE_TEARDOWN(promise)
{
	if (!iommufd_is_iox())
		return;
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	buffer_free(BUFFER_SMALL, self->page, PAGE);
	EXPECT_NO_LEAK(&self->mark);
}

struct answer {
	struct iox_ioas_test_attach cmd;
	struct iommu_iova_range ranges[MAX];
};

static int test_attach(const FIXTURE_DATA(promise) *self, struct answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->cmd = (struct iox_ioas_test_attach){
		.size = sizeof(answer->cmd),
		.ioas_id = self->ioas,
		.dev_id = self->edu.id,
		.num_iovas = MAX,
		.allowed_iovas = (uintptr_t)answer->ranges,
	};
	return xioctl(self->fd, IOX_IOAS_TEST_ATTACH, &answer->cmd);
}

/* The same from IOMMU_IOAS_IOVA_RANGES, for what is so now. */
static int ranges_now(const FIXTURE_DATA(promise) *self, struct answer *answer)
{
	__u32 nr = MAX;
	__u64 align;
	int err;

	memset(answer, 0, sizeof(*answer));
	err = ioas_ranges(self->fd, self->ioas, answer->ranges, &nr, &align);
	answer->cmd.num_iovas = nr;
	answer->cmd.out_iova_alignment = align;
	return err;
}

static bool same_ranges(const struct answer *a, const struct answer *b)
{
	return a->cmd.num_iovas == b->cmd.num_iovas &&
	       a->cmd.out_iova_alignment == b->cmd.out_iova_alignment &&
	       !memcmp(a->ranges, b->ranges, sizeof(a->ranges));
}

static int attach(const FIXTURE_DATA(promise) *self)
{
	__u32 pt = self->ioas;

	return vfio_attach(self->edu.fd, &pt);
}

static int require(const FIXTURE_DATA(promise) *self,
		   struct iox_ioas_require cmd)
{
	cmd.size = sizeof(cmd);
	cmd.ioas_id = self->ioas;
	return xioctl(self->fd, IOX_IOAS_REQUIRE, &cmd);
}

static int require_at(const FIXTURE_DATA(promise) *self, __u64 base,
		      __u64 length)
{
	return require(self, (struct iox_ioas_require){
				     .flags = IOX_IOAS_REQUIRE_AT,
				     .base = base,
				     .length = length,
			     });
}

/* --- IOX_IOAS_TEST_ATTACH ------------------------------------------------------- */

TEST_F(promise, tells_what_then_is)
{
	struct answer said, before, now;

	must(ranges_now(self, &before));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_OK, said.cmd.out_reason);
	EXPECT_EQ(0, said.cmd.out_start + said.cmd.out_last);
	EXPECT_LT(1, said.cmd.num_iovas);

	/* It was only a question. */
	must(ranges_now(self, &now));
	EXPECT_TRUE(same_ranges(&before, &now));

	must(attach(self));
	must(ranges_now(self, &now));
	EXPECT_TRUE(same_ranges(&said, &now));
	/* And once more changes nothing. */
	must(test_attach(self, &said));
	EXPECT_TRUE(same_ranges(&said, &now));
}

TEST_F(promise, sees_what_is_mapped)
{
	struct answer said;

	must(ioas_map_fixed(self->fd, self->ioas, self->page, PAGE,
			    MSI_START + PAGE));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_MAPPED, said.cmd.out_reason);
	EXPECT_EQ(MSI_START, said.cmd.out_start);
	EXPECT_EQ(MSI_LAST, said.cmd.out_last);
	must_fail(EADDRINUSE, attach(self));
	must(ioas_unmap(self->fd, self->ioas, MSI_START + PAGE, PAGE));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_OK, said.cmd.out_reason);
	must(attach(self));
}

TEST_F(promise, sees_what_is_mapped_out_of_reach)
{
	__u64 at = 1ULL << 62;
	struct answer said;

	must(ioas_map_fixed(self->fd, self->ioas, self->page, PAGE, at));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_MAPPED, said.cmd.out_reason);
	EXPECT_GE(at, said.cmd.out_start);
	EXPECT_EQ(~0ULL, said.cmd.out_last);
	must_fail(EADDRINUSE, attach(self));
}

TEST_F(promise, sees_what_is_reserved)
{
	__u64 at = MSI_START + PAGE;
	struct answer said;

	must(ioas_reserve_fixed(self->fd, self->ioas, PAGE, at));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_RESERVED, said.cmd.out_reason);
	EXPECT_EQ(MSI_START, said.cmd.out_start);
	EXPECT_EQ(MSI_LAST, said.cmd.out_last);
	must_fail(EADDRINUSE, attach(self));
	must(ioas_map_fixed(self->fd, self->ioas, self->page, PAGE, at));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_MAPPED, said.cmd.out_reason);
	must(ioas_unmap(self->fd, self->ioas, at, PAGE));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_RESERVED, said.cmd.out_reason);
	must_fail(EADDRINUSE, attach(self));
	must(ioas_unmap(self->fd, self->ioas, at, PAGE));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_OK, said.cmd.out_reason);
	must(attach(self));
	/* Now it is no place for a reservation either. */
	must_fail(EINVAL,
		  ioas_reserve_fixed(self->fd, self->ioas, PAGE, at));
}

/* Nothing translates what is reserved, so it may be as odd as it likes. */
TEST_F(promise, reservations_need_not_be_aligned)
{
	struct answer said;

	must(ioas_reserve_fixed(self->fd, self->ioas, 100, 0x10000123));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_OK, said.cmd.out_reason);
	must(attach(self));
}

TEST_F(promise, sees_what_is_allowed)
{
	struct iommu_iova_range range = { MSI_LAST, MSI_LAST + PAGE };
	struct answer said;

	must(ioas_allow(self->fd, self->ioas, &range, 1));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_ALLOWED, said.cmd.out_reason);
	EXPECT_EQ(MSI_START, said.cmd.out_start);
	must_fail(EADDRINUSE, attach(self));
}

TEST_F(promise, sees_what_is_not_aligned)
{
	__u64 at = 0x10000123;
	struct answer said;

	must(ioas_map_fixed(self->fd, self->ioas, self->page + 0x123, 0x100,
			    at));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_MISALIGNED, said.cmd.out_reason);
	EXPECT_EQ(at, said.cmd.out_start);
	EXPECT_EQ(at + 0xff, said.cmd.out_last);
	EXPECT_EQ(PAGE, said.cmd.out_iova_alignment);
	must_fail(EADDRINUSE, attach(self));
}

TEST_F(promise, has_too_little_room)
{
	struct answer all, said;

	must(test_attach(self, &all));
	said.cmd = all.cmd;
	said.cmd.num_iovas = 1;
	memset(said.ranges, 0, sizeof(said.ranges));
	said.cmd.allowed_iovas = (uintptr_t)said.ranges;
	must_fail(EMSGSIZE, xioctl(self->fd, IOX_IOAS_TEST_ATTACH, &said.cmd));
	EXPECT_EQ(all.cmd.num_iovas, said.cmd.num_iovas);
	EXPECT_EQ(all.ranges[0].last, said.ranges[0].last);
	EXPECT_EQ(0, said.ranges[1].last);
}

TEST_F(promise, test_attach_wants_sound_arguments)
{
	struct answer said;

	must(test_attach(self, &said));
	said.cmd.flags = 1;
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOX_IOAS_TEST_ATTACH, &said.cmd));
	said.cmd.flags = 0;
	said.cmd.dev_id = self->ioas;
	must_fail(ENOENT, xioctl(self->fd, IOX_IOAS_TEST_ATTACH, &said.cmd));
	said.cmd.dev_id = self->edu.id;
	said.cmd.ioas_id = self->edu.id;
	must_fail(ENOENT, xioctl(self->fd, IOX_IOAS_TEST_ATTACH, &said.cmd));
	said.cmd.ioas_id = self->ioas;
	said.cmd.num_iovas = MAX;
	said.cmd.allowed_iovas = 1;
	must_fail(EFAULT, xioctl(self->fd, IOX_IOAS_TEST_ATTACH, &said.cmd));
}

/* --- IOX_IOAS_REQUIRE ------------------------------------------------------------- */

TEST_F(promise, requirement_keeps_devices_away)
{
	struct answer said;

	must(require_at(self, MSI_START - 16 * PAGE, 32 * PAGE));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_REQUIRED, said.cmd.out_reason);
	must_fail(EADDRINUSE, attach(self));
	/* Just up to there is fine. */
	must(require_at(self, MSI_START - 16 * PAGE, 16 * PAGE));
	must(test_attach(self, &said));
	EXPECT_EQ(IOX_ATTACH_OK, said.cmd.out_reason);
	must(attach(self));
}

TEST_F(promise, requirement_can_be_ended)
{
	must(require_at(self, MSI_START, PAGE));
	must_fail(EADDRINUSE, attach(self));
	must(require(self, (struct iox_ioas_require){}));
	must(attach(self));
}

/* It is about what devices can reach, not about what is free. */
TEST_F(promise, requirement_is_not_about_mappings)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->page, PAGE, PAGE));
	must(require_at(self, 0, 16 * PAGE));
	must(require(self, (struct iox_ioas_require){ .length = 1ULL << 63 }));
}

TEST_F(promise, requirement_for_so_much_anywhere)
{
	struct answer now;
	__u64 largest = 0;

	must(attach(self));
	must(ranges_now(self, &now));
	for (__u32 i = 0; i < now.cmd.num_iovas; i++) {
		__u64 length = now.ranges[i].last - now.ranges[i].start + 1;

		largest = length > largest ? length : largest;
	}
	must(require(self, (struct iox_ioas_require){ .length = largest }));
	must_fail(ENOSPC,
		  require(self, (struct iox_ioas_require){ .length = largest + 1 }));
	/* It begins behind the interrupts, at no multiple of so much. */
	must_fail(ENOSPC, require(self, (struct iox_ioas_require){
						.length = largest,
						.align = 1ULL << 30,
					}));
	must(require(self, (struct iox_ioas_require){
				   .length = largest - (1ULL << 30),
				   .align = 1ULL << 30,
			   }));
	must_fail(ENOSPC, require_at(self, MSI_LAST, 2));
	must(require_at(self, MSI_LAST + 1, 2));
}

TEST_F(promise, require_wants_sound_arguments)
{
	must_fail(EOPNOTSUPP,
		  require(self, (struct iox_ioas_require){ .flags = 1 }));
	must_fail(EOPNOTSUPP,
		  require(self, (struct iox_ioas_require){ .__reserved = 1 }));
	must_fail(EINVAL, require(self, (struct iox_ioas_require){
						.length = PAGE, .align = 3 }));
	must_fail(EINVAL, require(self, (struct iox_ioas_require){
						.length = PAGE, .base = PAGE }));
	must_fail(EINVAL, require(self, (struct iox_ioas_require){
						.flags = IOX_IOAS_REQUIRE_AT,
						.length = PAGE,
						.base = PAGE / 2,
						.align = PAGE }));
	must_fail(EINVAL, require_at(self, ~0ULL, 2));
	must(require_at(self, ~0ULL, 1));
}

TEST_HARNESS_MAIN
