// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reservations and IOVA policies: what a policy is asked, what it hears; and
 * IOX_IOAS_TRY_MAP, which has to be for a policy what a mapping is.
 */
#include <linux/iox.h>
#include <sys/mman.h>
#include <time.h>

#include "bpf/witness.h"
#include "policy.h"

#define AT 0x7000000000ULL
#define BACKING_NONE 3
#define NS_PER_S 1000000000ULL

FIXTURE(trial)
{
	struct policy_env env;
};

POLICY_FIXTURE(trial);

static int try_map(const FIXTURE_DATA(trial) *self, struct iox_ioas_try_map *cmd)
{
	cmd->size = sizeof(*cmd);
	cmd->ioas_id = self->env.ioas;
	return xioctl(self->env.fd, IOX_IOAS_TRY_MAP, cmd);
}

/* 8 KiB of user memory, readable and writeable, anywhere */
static struct iox_ioas_try_map some(const FIXTURE_DATA(trial) *self)
{
	return (struct iox_ioas_try_map){
		.flags = MAP_RW,
		.backing = IOX_TRY_USER,
		.addr = (uintptr_t)self->env.buffer,
		.length = 2 * PAGE,
	};
}

static int reserve_at(const FIXTURE_DATA(trial) *self, __u64 iova, __u64 length)
{
	return ioas_reserve_fixed(self->env.fd, self->env.ioas, length, iova);
}

static int unmap(const FIXTURE_DATA(trial) *self, __u64 iova, __u64 length)
{
	return ioas_unmap(self->env.fd, self->env.ioas, iova, length);
}

/* --- reservations ------------------------------------------------------------------ */

TEST_F(trial, reservations_ask)
{
	volatile struct answer_seen *seen;
	__u64 iova = 0x5000;

	START("answer", "answer");
	seen = self->env.policy.seen;
	self->env.policy.control->value = AT + 0x3000;
	must(ioas_reserve(self->env.fd, self->env.ioas, 0x83000, 5 * PAGE,
			  &iova));
	EXPECT_EQ(AT + 0x3000, iova);
	EXPECT_EQ(1, seen->calls);
	EXPECT_EQ(BACKING_NONE, seen->backing);
	EXPECT_EQ(5 * PAGE, seen->length);
	EXPECT_EQ(0x83000, seen->addr);
	EXPECT_EQ(0x5000, seen->hint);
	EXPECT_EQ(0, seen->prot);
	EXPECT_EQ(0, seen->nr_areas);
	/* What is reserved counts, and is taken. */
	iova = 0;
	must(ioas_map_auto(self->env.fd, self->env.ioas, self->env.buffer, PAGE,
			   &iova));
	EXPECT_EQ(2, seen->calls);
	EXPECT_EQ(1, seen->nr_areas);
	EXPECT_NE(AT + 0x3000, iova);
	EXPECT_COUNTED(2, 1, 0, 0, 1);
	/* Fixed ones do not ask. */
	must(reserve_at(self, 2 * AT, PAGE));
	EXPECT_EQ(2, seen->calls);
}

TEST_F(trial, policy_can_refuse_reservations)
{
	__u64 iova = 0;

	START("answer", "answer");
	self->env.policy.control->value = -(__u64)EDQUOT;
	must_fail(EDQUOT, ioas_reserve(self->env.fd, self->env.ioas, 0, PAGE,
				       &iova));
}

TEST_F(trial, kfuncs_pass_over_reservations)
{
	START("answer", "answer");
	must(reserve_at(self, AT, 4 * PAGE));
	self->env.policy.control->mode = ANSWER_FIRST_GAP;
	self->env.policy.control->min = AT;
	self->env.policy.control->max = ~0ULL;
	EXPECT_EQ(AT + 4 * PAGE, MAP(PAGE));
	must(unmap(self, AT, 4 * PAGE));
	EXPECT_EQ(AT, MAP(PAGE));
}

TEST_F(trial, reservations_are_told)
{
	volatile struct witness_seen *seen;

	START("witness", "witness");
	seen = (void *)self->env.policy.seen;
	must(reserve_at(self, AT, 8 * PAGE));
	EXPECT_EQ(1, seen->maps);
	EXPECT_EQ(8 * PAGE, seen->mapped);
	/* A mapping comes and goes on top. */
	MAP_FIXED_AT(AT + PAGE, PAGE);
	EXPECT_EQ(9 * PAGE, seen->mapped);
	must(unmap(self, AT + PAGE, PAGE));
	EXPECT_EQ(PAGE, seen->unmapped);
	/* Its parts go one by one. */
	must(unmap(self, AT + 2 * PAGE, 2 * PAGE));
	EXPECT_EQ(2, seen->unmaps);
	EXPECT_EQ(3 * PAGE, seen->unmapped);
	must(ioas_unmap_all(self->env.fd, self->env.ioas));
	EXPECT_EQ(4, seen->unmaps);
	EXPECT_EQ(9 * PAGE, seen->unmapped);
	must_fail(EEXIST, reserve_at(self, AT, PAGE) ?: reserve_at(self, AT, 1));
	must(iommufd_destroy(self->env.fd, self->env.ioas));
	EXPECT_EQ(seen->mapped, seen->unmapped);
	EXPECT_EQ(0, seen->late);
}

/* --- asked as a mapping ------------------------------------------------------------- */

/* What the policy saw, but for how often */
static struct answer_seen last_seen(const FIXTURE_DATA(trial) *self)
{
	struct answer_seen seen = *(struct answer_seen *)self->env.policy.seen;

	seen.calls = 0;
	return seen;
}

#define EXPECT_SAME_QUESTION(_a, _b) do {				\
	struct answer_seen _x = (_a), _y = (_b);			\
									\
	EXPECT_EQ(0, memcmp(&_x, &_y, sizeof(_x)));			\
} while (0)

TEST_F(trial, asks_as_user_memory_does)
{
	struct iox_ioas_try_map cmd = some(self);
	struct answer_seen before;
	__u64 iova = 0x123000;

	START("answer", "answer");
	self->env.policy.control->value = AT;
	must(ioas_map(self->env.fd, self->env.ioas, IOMMU_IOAS_MAP_READABLE,
		      self->env.buffer + PAGE, 3 * PAGE, &iova));
	before = last_seen(self);
	must(unmap(self, iova, 3 * PAGE));

	cmd.flags = IOMMU_IOAS_MAP_READABLE;
	cmd.addr += PAGE;
	cmd.length = 3 * PAGE;
	cmd.iova = 0x123000;
	must(try_map(self, &cmd));
	EXPECT_EQ(iova, cmd.iova);
	EXPECT_SAME_QUESTION(before, last_seen(self));
	EXPECT_EQ(2, self->env.policy.seen->calls);
}

TEST_F(trial, asks_as_files_do)
{
	struct iommu_ioas_map_file map = {
		.size = sizeof(map),
		.flags = MAP_RW,
		.ioas_id = self->env.ioas,
		.start = PAGE,
		.length = PAGE,
	};
	struct iox_ioas_try_map cmd = {
		.flags = MAP_RW,
		.backing = IOX_TRY_FILE,
		.addr = PAGE,
		.length = PAGE,
	};
	struct answer_seen before;

	map.fd = memfd_create("try_map", 0);
	ASSERT_LE(0, map.fd);
	ASSERT_EQ(0, ftruncate(map.fd, 2 * PAGE));
	START("answer", "answer");
	must(xioctl(self->env.fd, IOMMU_IOAS_MAP_FILE, &map));
	before = last_seen(self);
	must(unmap(self, map.iova, PAGE));
	must(try_map(self, &cmd));
	EXPECT_EQ(map.iova, cmd.iova);
	EXPECT_SAME_QUESTION(before, last_seen(self));

	cmd.backing = IOX_TRY_DMABUF;
	cmd.iova = 0;
	must(try_map(self, &cmd));
	EXPECT_EQ(2, self->env.policy.seen->backing);
	close(map.fd);
}

/* Nobody has so much. */
TEST_F(trial, needs_no_memory)
{
	struct iox_ioas_try_map cmd = some(self);

	cmd.addr = 0x1000;
	cmd.length = 1ULL << 40;
	must(try_map(self, &cmd));
	must_fail(EEXIST, reserve_at(self, cmd.iova, 1));
	must(unmap(self, cmd.iova, cmd.length));
	must(reserve_at(self, cmd.iova, 1));
}

TEST_F(trial, is_told_as_a_mapping)
{
	struct iox_ioas_try_map cmd = some(self);
	volatile struct witness_seen *seen;

	START("witness", "witness");
	seen = (void *)self->env.policy.seen;
	must(try_map(self, &cmd));
	EXPECT_EQ(1, seen->maps);
	EXPECT_EQ(2 * PAGE, seen->mapped);
	EXPECT_EQ(IOX_TRY_USER, seen->backing);
	EXPECT_EQ(3, seen->prot);
	cmd.backing = IOX_TRY_FILE;
	cmd.flags = IOMMU_IOAS_MAP_READABLE;
	cmd.iova = 0;
	must(try_map(self, &cmd));
	EXPECT_EQ(IOX_TRY_FILE, seen->backing);
	EXPECT_EQ(1, seen->prot);
	must(reserve_at(self, AT, PAGE));
	EXPECT_EQ(BACKING_NONE, seen->backing);
	must(unmap(self, cmd.iova, cmd.length));
	EXPECT_EQ(IOX_TRY_FILE, seen->backing);
	EXPECT_EQ(1, seen->prot);
	EXPECT_EQ(1, seen->unmaps);
}

/* --- what it answers ------------------------------------------------------------------ */

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

TEST_F(trial, tells_who_chose_without_a_policy)
{
	struct iox_ioas_try_map cmd = some(self);
	__u64 start = now_ns();

	must(try_map(self, &cmd));
	EXPECT_EQ(IOX_TRY_BUILT_IN, cmd.out_answer);
	EXPECT_LT(0, cmd.out_ns);
	EXPECT_GT(now_ns() - start, cmd.out_ns);
	must(unmap(self, cmd.iova, cmd.length));
	EXPECT_EQ(cmd.iova, BUILTIN(2 * PAGE));

	cmd.iova = AT;
	must(try_map(self, &cmd));
	EXPECT_EQ(IOX_TRY_HINT, cmd.out_answer);
	EXPECT_EQ(AT, cmd.iova);
	/* Taken by now */
	must(try_map(self, &cmd));
	EXPECT_EQ(IOX_TRY_BUILT_IN, cmd.out_answer);

	cmd.flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	cmd.iova = 2 * AT;
	must(try_map(self, &cmd));
	EXPECT_EQ(IOX_TRY_FIXED, cmd.out_answer);
	EXPECT_EQ(2 * AT, cmd.iova);
	must_fail(EEXIST, try_map(self, &cmd));
}

TEST_F(trial, tells_who_chose_with_a_policy)
{
	struct iox_ioas_try_map cmd = some(self);
	struct answer_control *control;

	START("answer", "answer");
	control = self->env.policy.control;
	control->value = AT;
	must(try_map(self, &cmd));
	EXPECT_EQ(IOX_TRY_POLICY, cmd.out_answer);
	EXPECT_EQ(AT, cmd.iova);

	/* Taken, so that it is a fault now */
	cmd.iova = 0;
	must(try_map(self, &cmd));
	EXPECT_EQ(IOX_TRY_FAULT, cmd.out_answer);
	cmd.iova = 2 * AT;
	must(try_map(self, &cmd));
	EXPECT_EQ(IOX_TRY_FAULT, cmd.out_answer);
	EXPECT_EQ(2 * AT, cmd.iova);

	control->value = 0;
	cmd.iova = 0;
	must(try_map(self, &cmd));
	EXPECT_EQ(IOX_TRY_DECLINED, cmd.out_answer);
	cmd.iova = 3 * AT;
	must(try_map(self, &cmd));
	EXPECT_EQ(IOX_TRY_HINT, cmd.out_answer);

	control->value = -(__u64)EPERM;
	must_fail(EPERM, try_map(self, &cmd));
	EXPECT_COUNTED(6, 1, 2, 1, 2);
}

/* A shadow's opinion is not what is told. */
TEST_F(trial, tells_nothing_of_a_shadow)
{
	struct iox_ioas_try_map cmd = some(self);
	struct iova_ops *ops;

	must(policy_open(&self->env.policy, "bpf/answer.bpf.o", "answer"));
	ops = bpf_map__initial_value(self->env.policy.map, NULL);
	ops->flags = 1;
	must(policy_load(&self->env.policy));
	must(policy_attach(&self->env.policy));
	self->env.policy.control->value = AT + 1;
	must(try_map(self, &cmd));
	EXPECT_EQ(1, self->env.policy.seen->calls);
	EXPECT_EQ(IOX_TRY_BUILT_IN, cmd.out_answer);
}

TEST_F(trial, wants_sound_arguments)
{
	struct iox_ioas_try_map cmd = some(self);

	cmd.length = 0;
	must_fail(EINVAL, try_map(self, &cmd));
	cmd.length = PAGE;
	cmd.flags = 0;
	must_fail(EINVAL, try_map(self, &cmd));
	cmd.flags = MAP_RW | IOX_IOAS_MAP_RESERVE;
	must_fail(EOPNOTSUPP, try_map(self, &cmd));
	cmd.flags = MAP_RW;
	cmd.backing = IOX_TRY_DMABUF + 1;
	must_fail(EOPNOTSUPP, try_map(self, &cmd));
	cmd.backing = IOX_TRY_USER;
	cmd.__reserved = 1;
	must_fail(EOPNOTSUPP, try_map(self, &cmd));
	cmd.__reserved = 0;
	cmd.addr = ~0ULL;
	must_fail(EOVERFLOW, try_map(self, &cmd));
	cmd.addr = 0;
	cmd.length = 1ULL << 63;
	must(try_map(self, &cmd));
	cmd.iova = 0;
	must_fail(ENOSPC, try_map(self, &cmd));
	must(ioas_unmap_all(self->env.fd, self->env.ioas));
	cmd.flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	cmd.iova = 3ULL << 62;
	must_fail(EOVERFLOW, try_map(self, &cmd));
	self->env.ioas += 1;
	must_fail(ENOENT, try_map(self, &cmd));
	self->env.ioas -= 1;
}

TEST_HARNESS_MAIN
