// SPDX-License-Identifier: GPL-2.0-only
/*
 * What IOVA policies do to mappings: where these go, what a policy sees and
 * finds, what becomes of wrong answers. Mapping into an IOAS without a device
 * asks the policy as any other does, so only reserved ranges need one.
 */
#include "lib/edu.h"
#include "policy.h"

FIXTURE(policy)
{
	struct policy_env env;
};

POLICY_FIXTURE(policy)

/* --- where mappings go ------------------------------------------------------ */

TEST_F(policy, sysfs_without_a_policy)
{
	EXPECT_STREQ("none", in_force());
	EXPECT_EQ(0, counted("map_id"));
	MAP(PAGE);
	EXPECT_COUNTED(0, 0, 0, 0, 0);
}

TEST_F(policy, top_down_places_at_the_top)
{
	int i;

	EXPECT_GT(TOP / 2, MAP(PAGE));
	START("top_down", "top_down");
	EXPECT_STREQ("top_down", in_force());
	for (i = 1; i <= 3; i++)
		EXPECT_EQ(TOP - i * PAGE, MAP(PAGE));
	EXPECT_COUNTED(3, 3, 0, 0, 0);
}

TEST_F(policy, top_down_aligns_large_mappings)
{
	START("top_down", "top_down");
	EXPECT_EQ(TOP - PAGE, MAP(PAGE));
	EXPECT_EQ(-2 * HUGE_PAGE, MAP(HUGE_PAGE));
	/* The hole that the alignment left is still of use. */
	EXPECT_EQ(TOP - 2 * PAGE, MAP(PAGE));
}

TEST_F(policy, top_down_takes_what_is_left_for_large_mappings)
{
	__u64 last = -2 * HUGE_PAGE, gap = last - HUGE_PAGE + PAGE;

	/* One gap of 2 MiB, and it starts a page too late to be aligned. */
	MAP_FIXED_AT(PAGE, PAGE);
	MAP_FIXED_AT(gap + HUGE_PAGE, PAGE);
	START("top_down", "top_down");
	EXPECT_EQ(gap - PAGE, MAP(HUGE_PAGE));
}

TEST_F(policy, first_fit_places_at_the_bottom)
{
	int i;

	START("first_fit", "first_fit");
	for (i = 1; i <= 3; i++)
		EXPECT_EQ(i * PAGE, MAP(PAGE));
	EXPECT_COUNTED(3, 3, 0, 0, 0);
}

TEST_F(policy, first_fit_fills_the_lowest_hole)
{
	MAP_FIXED_AT(PAGE, 2 * PAGE);
	MAP_FIXED_AT(5 * PAGE, PAGE);
	MAP_FIXED_AT(10 * PAGE, PAGE);
	START("first_fit", "first_fit");
	EXPECT_EQ(6 * PAGE, MAP(4 * PAGE));
	EXPECT_EQ(3 * PAGE, MAP(2 * PAGE));
	EXPECT_EQ(11 * PAGE, MAP(PAGE));
}

TEST_F(policy, first_fit_wastes_nothing_on_alignment)
{
	EXPECT_EQ(0, BUILTIN(HUGE_PAGE) % HUGE_PAGE);
	START("first_fit", "first_fit");
	EXPECT_EQ(PAGE, MAP(HUGE_PAGE));
}

TEST_F(policy, best_fit_keeps_large_holes_whole)
{
	MAP_FIXED_AT(PAGE, PAGE);
	MAP_FIXED_AT(10 * PAGE, PAGE);
	MAP_FIXED_AT(13 * PAGE, PAGE);
	START("best_fit", "best_fit");
	/* first_fit would take 2 and 4, and then have to go to 14. */
	EXPECT_EQ(11 * PAGE, MAP(2 * PAGE));
	EXPECT_EQ(2 * PAGE, MAP(8 * PAGE));
	EXPECT_EQ(14 * PAGE, MAP(PAGE));
}

TEST_F(policy, huge_align_keeps_small_ones_out_of_the_way)
{
	START("huge_align", "huge_align");
	EXPECT_EQ(TOP - PAGE, MAP(PAGE));
	EXPECT_EQ(HUGE_PAGE, MAP(HUGE_PAGE));
	EXPECT_EQ(TOP - 2 * PAGE, MAP(PAGE));
	EXPECT_EQ(2 * HUGE_PAGE, MAP(2 * HUGE_PAGE));
}

/* There is room, but none that is aligned: the built-in allocator would fail. */
TEST_F(policy, huge_align_takes_what_is_left)
{
	struct iommu_iova_range range = { .start = HUGE_PAGE + PAGE,
					  .last = 3 * HUGE_PAGE - 1 };
	__u64 iova = 0;

	must(ioas_allow(self->env.fd, self->env.ioas, &range, 1));
	MAP_FIXED_AT(2 * HUGE_PAGE + 8 * PAGE, PAGE);
	must_fail(ENOSPC, ioas_map_auto(self->env.fd, self->env.ioas,
					self->env.buffer, HUGE_PAGE, &iova));
	START("huge_align", "huge_align");
	EXPECT_EQ(HUGE_PAGE + PAGE, MAP(HUGE_PAGE));
}

TEST_F(policy, dense_packs_small_ones)
{
	START("dense", "dense");
	EXPECT_EQ(PAGE, MAP(PAGE));
	EXPECT_EQ(1ULL << 30, MAP(HUGE_PAGE));
	EXPECT_EQ(2 * PAGE, MAP(HUGE_PAGE / 2));
	EXPECT_EQ((1ULL << 30) + HUGE_PAGE, MAP(HUGE_PAGE));
	/* The lowest GiB is taken up to its last two pages. */
	must(ioas_unmap(self->env.fd, self->env.ioas, 2 * PAGE, HUGE_PAGE / 2));
	for (__u64 at = 2 * PAGE; at < (1ULL << 30) - 2 * PAGE;
	     at += BUFFER_LENGTH)
		MAP_FIXED_AT(at, at + BUFFER_LENGTH > (1ULL << 30) - 2 * PAGE ?
					 (1ULL << 30) - 2 * PAGE - at :
					 BUFFER_LENGTH);
	EXPECT_EQ((1ULL << 30) - 2 * PAGE, MAP(2 * PAGE));
	EXPECT_EQ((1ULL << 30) + 2 * HUGE_PAGE, MAP(PAGE));
}

TEST_F(policy, guard_leaves_holes_around)
{
	START("guard", "guard");
	EXPECT_EQ(2 * PAGE, MAP(PAGE));
	EXPECT_EQ(4 * PAGE, MAP(2 * PAGE));
	EXPECT_EQ(7 * PAGE, MAP(PAGE));
	must(ioas_unmap(self->env.fd, self->env.ioas, 4 * PAGE, 2 * PAGE));
	/* Three pages would leave no hole. */
	EXPECT_EQ(9 * PAGE, MAP(3 * PAGE));
	EXPECT_EQ(4 * PAGE, MAP(2 * PAGE));
}

TEST_F(policy, random_cannot_be_guessed)
{
	__u64 seen[64], high = 0;

	START("random", "random");
	for (int i = 0; i < 64; i++) {
		seen[i] = MAP(i % 2 ? PAGE : HUGE_PAGE);
		EXPECT_EQ(0, seen[i] % (i % 2 ? PAGE : HUGE_PAGE));
		EXPECT_GT(1ULL << 48, seen[i]);
		high |= seen[i];
		for (int j = 0; j < i; j++)
			EXPECT_NE(seen[j] >> 30, seen[i] >> 30);
	}
	/* All bits are used. */
	EXPECT_EQ((1ULL << 47) - (1ULL << 21), high & ((1ULL << 47) - (1ULL << 21)));
	EXPECT_COUNTED(64, 64, 0, 0, 0);
}

TEST_F(policy, random_uses_all_windows)
{
	struct iommu_iova_range windows[] = {
		{ .start = 0, .last = MSI_FIRST - 1 },
		{ .start = MSI_LAST + 1, .last = (1ULL << 39) - 1 },
	};
	__u64 high = 0;

	must(ioas_allow(self->env.fd, self->env.ioas, windows, ARRAY_SIZE(windows)));
	START("random", "random");
	for (int i = 0; i < 64; i++)
		high |= MAP(PAGE);
	EXPECT_EQ((1ULL << 39) - PAGE, high);
	EXPECT_COUNTED(64, 64, 0, 0, 0);
}

TEST_F(policy, split32_keeps_small_ones_low)
{
	struct iommu_iova_range range = { .start = 1ULL << 32,
					  .last = (1ULL << 33) - 1 };
	__u64 iova = 0;

	START("split32", "split32");
	EXPECT_EQ(1ULL << 32, MAP(HUGE_PAGE));
	EXPECT_EQ(PAGE, MAP(PAGE));
	must(ioas_allow(self->env.fd, self->env.ioas, &range, 1));
	must_fail(ENOSPC, ioas_map_auto(self->env.fd, self->env.ioas,
					self->env.buffer, PAGE, &iova));
	EXPECT_EQ((1ULL << 32) + HUGE_PAGE, MAP(HUGE_PAGE));
}

TEST_F(policy, offset_in_page_is_kept)
{
	__u64 iova;

	START("top_down", "top_down");
	must(ioas_map_auto(self->env.fd, self->env.ioas, self->env.buffer + 0x123, 0x100,
			   &iova));
	EXPECT_EQ(TOP - PAGE + 0x123, iova);
	EXPECT_COUNTED(1, 1, 0, 0, 0);
}

TEST_F(policy, fixed_is_not_asked)
{
	START("top_down", "top_down");
	MAP_FIXED_AT(MIB, PAGE);
	EXPECT_COUNTED(0, 0, 0, 0, 0);
}

TEST_F(policy, unregistered_is_not_asked)
{
	START("top_down", "top_down");
	EXPECT_EQ(TOP - PAGE, MAP(PAGE));
	policy_detach(&self->env.policy);
	EXPECT_GT(TOP / 2, MAP(PAGE));
}

/* --- what a policy sees ----------------------------------------------------- */

TEST_F(policy, request)
{
	volatile struct answer_seen *seen;
	__u64 iova = 5 * MIB;
	__u64 ctx_id;
	__u32 ioas;
	int fd;

	START("answer", "answer");
	seen = self->env.policy.seen;
	MAP_FIXED_AT(MIB, PAGE);
	must(ioas_map(self->env.fd, self->env.ioas, IOMMU_IOAS_MAP_READABLE,
		      self->env.buffer + PAGE, 3 * PAGE, &iova));

	EXPECT_EQ(1, seen->calls);
	EXPECT_EQ(3 * PAGE, seen->length);
	EXPECT_EQ((uintptr_t)self->env.buffer + PAGE, seen->addr);
	EXPECT_EQ(PAGE, seen->align);
	EXPECT_EQ(5 * MIB, seen->hint);
	EXPECT_EQ(1, seen->nr_areas);
	EXPECT_EQ(self->env.ioas, seen->ioas_id);
	EXPECT_EQ(1, seen->prot);
	EXPECT_EQ(0, seen->backing);
	EXPECT_EQ(seen->current_cgroup_id, seen->cgroup_id);

	/* Another open file is another context. */
	ctx_id = seen->ctx_id;
	fd = iommufd_open();
	ASSERT_GE(fd, 0);
	must(ioas_alloc(fd, &ioas));
	must(ioas_map_auto(fd, ioas, self->env.buffer, PAGE, &iova));
	EXPECT_NE(ctx_id, seen->ctx_id);
	EXPECT_EQ(3, seen->prot);
	EXPECT_EQ(0, seen->hint);
	close(fd);
}

/* --- what the kfuncs find --------------------------------------------------- */

FIXTURE(kfunc)
{
	struct policy_env env;
};

FIXTURE_VARIANT(kfunc)
{
	struct answer_control ask;
	__u64 answer;
};

POLICY_FIXTURE(kfunc)

#define KFUNC(_name, _mode, _min, _max, _align, _answer)		\
FIXTURE_VARIANT_ADD(kfunc, _name) {					\
	.ask = {							\
		.mode = _mode,						\
		.min = _min,						\
		.max = _max,						\
		.align = _align,					\
	},								\
	.answer = _answer,						\
}

#define ANY ULLONG_MAX

/* Taken: 1 MiB..2 MiB. Wanted: 64 KiB, from memory at 2 MiB * n + 4 KiB. */
KFUNC(first, ANSWER_FIRST_GAP, 0, ANY, 0, 0x1000);
KFUNC(first_in_taken, ANSWER_FIRST_GAP, 0x180000, ANY, 0, 0x200000);
KFUNC(first_would_overlap, ANSWER_FIRST_GAP, 0xf1000, ANY, 0, 0x200000);
KFUNC(first_just_fits, ANSWER_FIRST_GAP, 0xf0000, ANY, 0, 0xf0000);
KFUNC(first_max_is_last_byte, ANSWER_FIRST_GAP, 0xf0000, 0xfffff, 0, 0xf0000);
KFUNC(first_max_a_byte_short, ANSWER_FIRST_GAP, 0xf0000, 0xffffe, 0, 0);
KFUNC(first_rounds_min_up, ANSWER_FIRST_GAP, 0x3001, ANY, 0, 0x4000);
KFUNC(first_aligned, ANSWER_FIRST_GAP, 0x2000, ANY, 0x10000, 0x11000);
KFUNC(first_huge_aligned, ANSWER_FIRST_GAP, 0x2000, ANY, 0x200000, 0x201000);
KFUNC(first_small_align, ANSWER_FIRST_GAP, 0x2001, ANY, 1, 0x3000);
KFUNC(first_odd_align, ANSWER_FIRST_GAP, 0, ANY, 0x3000, 0);
KFUNC(first_min_above_max, ANSWER_FIRST_GAP, 0x5000, 0x4000, 0, 0);
KFUNC(first_never_zero, ANSWER_FIRST_GAP, 0, 0x10000, 0, 0);
KFUNC(first_min_at_the_end, ANSWER_FIRST_GAP, ANY, ANY, 0, 0);
KFUNC(first_top_align, ANSWER_FIRST_GAP, 0, 1ULL << 40, 1ULL << 63, 0);
KFUNC(last, ANSWER_LAST_GAP, 0, ANY, 0, TOP - 0x10000);
KFUNC(last_in_taken, ANSWER_LAST_GAP, 0, 0x180000, 0, 0xf0000);
KFUNC(last_max_is_last_byte, ANSWER_LAST_GAP, 0, 0x2fffff, 0, 0x2f0000);
KFUNC(last_rounds_max_down, ANSWER_LAST_GAP, 0, 0x300000, 0, 0x2f0000);
KFUNC(last_at_min, ANSWER_LAST_GAP, 0xf0000, 0xfffff, 0, 0xf0000);
KFUNC(last_below_min, ANSWER_LAST_GAP, 0xf1000, 0x1fffff, 0, 0);
KFUNC(last_aligned, ANSWER_LAST_GAP, 0, 0xfffff, 0x10000, 0xe1000);
KFUNC(last_huge_aligned, ANSWER_LAST_GAP, 0, ANY, 0x200000,
      -0x200000ULL + 0x1000);
KFUNC(last_small_align, ANSWER_LAST_GAP, 0, 0xfffff, 0x800, 0xf0000);
KFUNC(last_odd_align, ANSWER_LAST_GAP, 0, ANY, 0x1800, 0);
KFUNC(last_min_above_max, ANSWER_LAST_GAP, 0x5000, 0x4000, 0, 0);
KFUNC(last_never_zero, ANSWER_LAST_GAP, 0, 0xffff, 0, 0);

TEST_F(kfunc, finds)
{
	struct policy_env *env = &self->env;
	__u64 iova;

	must(ioas_map_fixed(env->fd, env->ioas, env->buffer, MIB, MIB));
	must(policy_start(&env->policy, "bpf/answer.bpf.o", "answer"));
	*env->policy.control = variant->ask;
	must(ioas_map_auto(env->fd, env->ioas, env->buffer + PAGE, 0x10000,
			   &iova));
	EXPECT_EQ(variant->answer, env->policy.seen->answer);
	if (variant->answer) {
		EXPECT_EQ(variant->answer, iova);
		EXPECT_COUNTED(1, 1, 0, 0, 0);
	} else {
		EXPECT_COUNTED(1, 0, 1, 0, 0);
	}
}

/* --- answers that are no IOVA, or not one for this request ------------------ */

FIXTURE(nonsense)
{
	struct policy_env env;
};

FIXTURE_VARIANT(nonsense)
{
	__u64 answer;
	bool fault;
};

POLICY_FIXTURE(nonsense)

#define NONSENSE(_name, _answer, _fault)				\
FIXTURE_VARIANT_ADD(nonsense, _name) {					\
	.answer = _answer,						\
	.fault = _fault,						\
}

/* Taken: 1 MiB..2 MiB. Wanted: 8 KiB. */
NONSENSE(zero, 0, false);
NONSENSE(eagain, -EAGAIN, false);
NONSENSE(overlap, MIB, true);
NONSENSE(overlap_inside, MIB + 8 * PAGE, true);
NONSENSE(overlap_first_page, 2 * MIB - PAGE, true);
NONSENSE(overlap_last_page, MIB - PAGE, true);
NONSENSE(unaligned, 4 * MIB + 1, true);
NONSENSE(half_a_page, 4 * MIB + PAGE / 2, true);
NONSENSE(tiny, 1, true);
NONSENSE(wraps, TOP, true);
NONSENSE(errno_of_the_kernel, -512, true);
NONSENSE(errno_just_too_low, -134, true);
NONSENSE(errno_lowest, -4095, true);

TEST_F(nonsense, falls_back)
{
	struct policy_env *env = &self->env;
	__u64 builtin, iova;

	must(ioas_map_fixed(env->fd, env->ioas, env->buffer, MIB, MIB));
	must(ioas_map_auto(env->fd, env->ioas, env->buffer, 2 * PAGE,
			   &builtin));
	must(ioas_unmap(env->fd, env->ioas, builtin, 2 * PAGE));

	must(policy_start(&env->policy, "bpf/answer.bpf.o", "answer"));
	env->policy.control->value = variant->answer;
	must(ioas_map_auto(env->fd, env->ioas, env->buffer, 2 * PAGE,
			   &iova));
	EXPECT_EQ(builtin, iova);
	EXPECT_EQ(1, env->policy.seen->calls);
	if (variant->fault)
		EXPECT_COUNTED(1, 0, 0, 0, 1);
	else
		EXPECT_COUNTED(1, 0, 1, 0, 0);
}

TEST_F(policy, right_answer_is_taken)
{
	START("answer", "answer");
	self->env.policy.control->value = 64 * MIB;
	EXPECT_EQ(64 * MIB, MAP(PAGE));
	/* The same again is an overlap now. */
	EXPECT_NE(64 * MIB, MAP(PAGE));
	EXPECT_COUNTED(2, 1, 0, 0, 1);
}

TEST_F(policy, highest_page_is_an_iova)
{
	START("answer", "answer");
	self->env.policy.control->value = TOP;
	EXPECT_EQ(TOP, MAP(PAGE));
}

TEST_F(policy, errno_reaches_the_caller)
{
	static const int errnos[] = { EPERM, ENOMEM, ENOSPC, EDQUOT, EHWPOISON };
	__u64 iova;
	unsigned int i;

	START("answer", "answer");
	for (i = 0; i < ARRAY_SIZE(errnos); i++) {
		self->env.policy.control->value = -errnos[i];
		must_fail(errnos[i], ioas_map_auto(self->env.fd, self->env.ioas,
						   self->env.buffer, PAGE, &iova));
	}
	EXPECT_COUNTED(i, 0, 0, i, 0);
	/* Nothing was left in the space: all of it can be had. */
	self->env.policy.control->value = PAGE;
	EXPECT_EQ(PAGE, MAP(PAGE));
}

TEST_F(policy, reserved_range_is_refused)
{
	struct edu edu;

	if (edu_setup(&edu, self->env.fd, self->env.ioas))
		SKIP(return, "needs QEMU's edu device, bound to nobody");
	START("answer", "answer");
	self->env.policy.control->value = MSI_FIRST;
	EXPECT_NE(MSI_FIRST, MAP(PAGE));
	self->env.policy.control->value = MSI_FIRST - PAGE;
	EXPECT_NE(MSI_FIRST - PAGE, MAP(2 * PAGE));
	EXPECT_COUNTED(2, 0, 0, 0, 2);
	edu_close(&edu);
}

/* --- policies come and go while others map ---------------------------------- */

static int map_and_unmap(struct mapper *m)
{
	const struct policy_env *env = m->env;
	__u64 iova[8];
	int err = 0, i;

	for (i = 0; i < 8 && !err; i++)
		err = ioas_map_auto(env->fd, env->ioas, env->buffer, PAGE << i,
				    &iova[i]);
	m->maps += i;
	while (i-- && !err)
		err = ioas_unmap(env->fd, env->ioas, iova[i], PAGE << i);
	return err;
}

TEST_F(policy, comes_and_goes_during_maps)
{
	struct policy other;
	struct mapper mappers[2];
	long asked = 0;
	int i;

	must(policy_open(&other, "bpf/answer.bpf.o", "answer"));
	must(policy_load(&other));
	other.control->mode = ANSWER_LAST_GAP;
	other.control->max = 1ULL << 40;
	must(policy_open(&self->env.policy, "bpf/first_fit.bpf.o", "first_fit"));
	must(policy_load(&self->env.policy));

	for (i = 0; i < 2; i++)
		must(mapper_start(&mappers[i], &self->env, map_and_unmap));
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(0, policy_attach(&self->env.policy));
		usleep(2000);
		EXPECT_EQ(0, bpf_link__update_map(self->env.policy.link,
						  other.map));
		usleep(2000);
		asked += counted("asked");
		EXPECT_EQ(0, counted("faults"));
		policy_detach(&self->env.policy);
	}
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, mapper_stop(&mappers[i]));
		EXPECT_GT(mappers[i].maps, 0);
	}
	EXPECT_GT(asked, 0);
	policy_close(&other);
}

TEST_HARNESS_MAIN
