// SPDX-License-Identifier: GPL-2.0-only
/* iox rollout: what is bad is stopped at the first look, by guards or by the kernel. */
#include "rollout.h"

/* --- bad ones --------------------------------------------------------------------------- */

/* At the first look at a guard: no time was found good, and the guard has tripped once. */
static void expect_stopped(struct __test_metadata *_metadata, FIXTURE_DATA(rollout) *self,
			   const char *guard)
{
	json_object *o = EXPECT_STATUS("r", "rolled back", 1, 0);

	EXPECT_TRUE(shell_has(json_string(o, "reason"), guard)) {
		TH_LOG("%s", self->output);
	}
	EXPECT_EQ(1, json_number(json_member(json_member(o, "guards"), guard), "trips"));
	EXPECT_STREQ("none", in_force());
	/* For good */
	APPLY(1, "r");
	EXPECT_STATUS("r", "rolled back", 1, 0);
	EXPECT_EQ(0, NR_GOOD);
}

TEST_F_TIMEOUT(rollout, a_slow_policy_is_rolled_back, 120)
{
	DOCUMENT(.variable = "slow", .stages = LONG_BAKE, .stage = 1, .guard = GUARDS);
	APPLY(1, "r");
	expect_stopped(_metadata, self, "map_p99");
	EXPECT_NO_MAP_FAILED;
}

TEST_F_TIMEOUT(rollout, a_policy_with_wrong_answers_is_rolled_back, 120)
{
	DOCUMENT(.variable = "wrong", .stages = LONG_BAKE, .stage = 1,
		 .guard = "{faults: {over: 5%}");
	APPLY(1, "r");
	expect_stopped(_metadata, self, "faults");
	EXPECT_NO_MAP_FAILED;
}

TEST_F_TIMEOUT(rollout, a_policy_that_finds_no_room_is_rolled_back, 120)
{
	DOCUMENT(.variable = "empty", .stages = LONG_BAKE, .stage = 1,
		 .guard = "{fallback_rate: {over: 50%}");
	APPLY(1, "r");
	expect_stopped(_metadata, self, "fallback_rate");
	EXPECT_NO_MAP_FAILED;
}

/* What would make maps fail makes none fail unless the document says that it may. */
TEST_F_TIMEOUT(rollout, a_policy_that_would_make_maps_fail_is_rolled_back, 120)
{
	static const char *const variables[] = { "full", "strict" };

	for (int i = 0; i < 2; i++) {
		DOCUMENT(.variable = variables[i], .stages = LONG_BAKE, .stage = 1,
			 .guard = "{failed_maps: {over: 0.1%}",
			 .more = i ? "attempt: 2" : "attempt: 1");
		APPLY(1, "r");
		expect_stopped(_metadata, self, "failed_maps");
		EXPECT_NO_MAP_FAILED;
	}
}

/* For no others than those of the canary, and not for long. */
TEST_F_TIMEOUT(rollout, a_policy_that_may_refuse_is_rolled_back, 120)
{
	static const char *const variables[] = { "full", "strict" };
	long failed;

	for (int i = 0; i < 2; i++) {
		self->traffic.failed = 0;
		DOCUMENT(.variable = variables[i], .stages = LONG_BAKE, .stage = 1,
			 .guard = "{failed_maps: {over: 0.1%}",
			 .more = i ? "attempt: 2\nmay_refuse: true" :
				     "attempt: 1\nmay_refuse: true");
		APPLY(1, "r");
		expect_stopped(_metadata, self, "failed_maps");
		failed = self->traffic.failed;
		EXPECT_LT(0, failed);
		EXPECT_EQ(-ENOSPC, self->traffic.last_err);
		let_map(self);
		EXPECT_EQ(failed, self->traffic.failed);
	}
}

/* Only maps that it had a say in count, whatever policy the others have. */
TEST_F_TIMEOUT(rollout, a_canary_is_not_hidden_by_the_others, 120)
{
	EXPECT_EQ(0, shell_run(self->output, "$IOX policy load $BUILD/bpf/first_fit.bpf.o 2>&1"));
	DOCUMENT(.variable = "full", .stages = LONG_BAKE, .stage = 1,
		 .guard = "{failed_maps: {over: 80%}");
	APPLY(1, "r");
	EXPECT_STATUS("r", "rolled back", 1, 0);
	EXPECT_STREQ("first_fit", in_force());
	EXPECT_EQ(0, shell_run(self->output, "$IOX policy unload first_fit 2>&1"));
}

TEST_F_TIMEOUT(rollout, what_the_kernel_ejects_is_rolled_back, 120)
{
	DOCUMENT(.variable = "faulty", .stages = LONG_BAKE, .stage = 1);
	APPLY(1, "r");
	SAYS("the kernel has ejected it: faults");
	EXPECT_STATUS("r", "rolled back", 1, 0);
	EXPECT_NO_MAP_FAILED;
}

TEST_F_TIMEOUT(rollout, a_guard_may_hold, 120)
{
	DOCUMENT(.variable = "empty", .stages = LONG_BAKE, .stage = 1,
		 .guard = "{fallback_rate: {over: 50%}", .more = "on_trip: hold");
	APPLY(1, "r");
	EXPECT_STATUS("r", "held", 1, 500);
	EXPECT_NO_MAP_FAILED;
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
