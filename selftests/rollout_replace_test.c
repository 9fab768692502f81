// SPDX-License-Identifier: GPL-2.0-only
/* iox rollout: several rollouts and policies at once, one in the place of another, and as a service. */
#include "rollout.h"

/* --- one in the place of another ------------------------------------------------------------ */

TEST_F_TIMEOUT(rollout, one_replaces_another_and_gives_it_back, 120)
{
	DOCUMENT();
	APPLY(0, "r");
	expect_no_gaps(self);
	DOCUMENT(.name = "n.2", .variable = "better", .stage = 1, .more = "replaces: r");
	APPLY(0, "n.2");
	EXPECT_LT(0, NR_BETTER);
	EXPECT_EQ(SPACES, NR_BETTER + NR_GOOD);
	EXPECT_STATUS("n.2", "promoted", 1, 500);
	EXPECT_STATUS("r", "promoted", 2, 1000);

	DOCUMENT(.name = "n.2", .variable = "better", .more = "replaces: r");
	APPLY(0, "n.2");
	EXPECT_EQ(SPACES, NR_BETTER);
	EXPECT_STATUS("n.2", "promoted", 2, 1000);
	EXPECT_STREQ("n.2", json_string(EXPECT_STATUS("r", "promoted", 2, 0), "taken_by"));
	APPLY(0, "r");
	EXPECT_STATUS("n.2", "promoted", 2, 1000);

	DOCUMENT(.name = "n.2", .variable = "better", .stage = 1, .more = "replaces: r");
	APPLY(0, "n.2");
	EXPECT_EQ(SPACES, NR_BETTER + NR_GOOD);
	EXPECT_LT(0, NR_BETTER);
	EXPECT_LT(0, NR_GOOD);
	EXPECT_STATUS("r", "promoted", 2, 1000);

	DOCUMENT(.name = "n.2", .variable = "better", .more = "replaces: r");
	APPLY(0, "n.2");
	EXPECT_EQ(0, IOX("forget $OPTIONS n.2 2>&1"));
	EXPECT_EQ(SPACES, NR_GOOD);
	EXPECT_STATUS("r", "promoted", 2, 1000);
	EXPECT_NO_GAP;
	EXPECT_NO_MAP_FAILED;
}

/* Also when the kernel has ejected it from there. */
TEST_F_TIMEOUT(rollout, what_fails_for_all_gives_the_place_back, 120)
{
	DOCUMENT();
	APPLY(0, "r");
	DOCUMENT(.name = "n", .variable = "faulty", .stages = "[{hosts: 1000, spaces: 1000, bake: 1h}]",
		 .stage = 1, .more = "replaces: r");
	APPLY(1, "n");
	EXPECT_STATUS("n", "rolled back", 1, 0);
	EXPECT_STATUS("r", "promoted", 2, 1000);
	EXPECT_EQ(SPACES, NR_GOOD);
	EXPECT_NO_MAP_FAILED;
}

TEST_F_TIMEOUT(rollout, a_place_that_is_taken_is_an_obstacle, 120)
{
	EXPECT_EQ(0, shell_run(self->output, "$IOX policy load $BUILD/bpf/first_fit.bpf.o 2>&1"));
	DOCUMENT();
	APPLY(1, "r");
	SAYS("r: held: cannot be put in force: good: first_fit (map ");
	EXPECT_STATUS("r", "held", 2, 500);
	EXPECT_STREQ("first_fit", in_force());
	EXPECT_EQ(0, shell_run(self->output, "$IOX policy unload first_fit 2>&1"));
	APPLY(0, "r");
	EXPECT_STATUS("r", "promoted", 2, 1000);
	EXPECT_NO_MAP_FAILED;
}

/* Another one is for the host, and stays. */
TEST_F_TIMEOUT(rollout, a_scope_is_a_cgroup, 120)
{
	static const char cgroup[] = CGROUPS "rollout";
	__u64 there;

	EXPECT_EQ(0, system("mkdir -p " CGROUPS "rollout"));
	DOCUMENT();
	APPLY(0, "r");
	DOCUMENT(.name = "c", .variable = "better", .more = "scope: {cgroup: " CGROUPS "rollout}");
	APPLY(0, "c");
	EXPECT_EQ(SPACES, NR_GOOD);
	there = map_in(cgroup, self->env.buffer);
	EXPECT_LE(BETTER_AT, there);
	EXPECT_EQ(0, IOX("forget $OPTIONS c 2>&1"));
	there = map_in(cgroup, self->env.buffer);
	EXPECT_LE(GOOD_AT, there);
	EXPECT_GT(BETTER_AT, there);
	EXPECT_NO_MAP_FAILED;
	EXPECT_EQ(0, rmdir(cgroup));
}

/* --- as a service --------------------------------------------------------------------------- */

/* Within half a minute, status has a rollout in this state. */
static bool becomes(FIXTURE_DATA(rollout) *self, const char *name, const char *state, __u64 in_force)
{
	json_object *o;

	for (int i = 0; i < 100; i++, usleep(300000)) {
		o = status_of(self, name);
		if (o && !strcmp(json_string(o, "state"), state) &&
		    json_number(o, "in_force") == in_force)
			return true;
	}
	return false;
}

#define EXPECT_BECOMES(...) EXPECT_TRUE(becomes(self, __VA_ARGS__)) {	\
	TH_LOG("%s", self->output);					\
	system("sed 's/^/# /' " FOLDER "/log >&2");			\
}

TEST_F_TIMEOUT(rollout, as_a_service_it_follows_a_folder, 120)
{
	DOCUMENT(.stage = 1);
	EXPECT_EQ(0, system("$IOX rollout run $OPTIONS " FOLDER " 2>" FOLDER "/log & echo $! >" FOLDER "/pid"));
	EXPECT_BECOMES("r", "promoted", 500);
	DOCUMENT(.name = "s", .stages = "[{hosts: 1000, spaces: 0, bake: 0s}]", .stage = 1);
	DOCUMENT(.stage = 2);
	EXPECT_BECOMES("r", "promoted", 1000);
	/* The same mistake is not told again and again. */
	sleep(11);
	EXPECT_EQ(0, shell_run(self->output, "grep -c \"s.yaml:8: '0' has to be\" " FOLDER "/log"));
	EXPECT_STREQ("1\n", self->output);
	DOCUMENT(.name = "s", .variable = "better", .stage = 1, .more = "replaces: r");
	EXPECT_BECOMES("s", "promoted", 500);
	/* Somebody takes it out, and it comes back. */
	EXPECT_EQ(0, system("rm " PINS "r"));
	EXPECT_BECOMES("r", "promoted", 1000);
	EXPECT_EQ(0, system("rm " FOLDER "/r.yaml"));
	EXPECT_BECOMES("r", "held", 1000);
	EXPECT_EQ(0, system("kill $(cat " FOLDER "/pid); tail --pid=$(cat " FOLDER "/pid) -f /dev/null"));
	EXPECT_STATUS("r", "held", 2, 1000);
	EXPECT_STATUS("s", "promoted", 1, 500);
	EXPECT_EQ(SPACES, NR_GOOD + NR_BETTER);
	EXPECT_EQ(0, self->traffic.failed);
}

TEST_F_TIMEOUT(rollout, admission_policies_are_for_all_or_nothing, 120)
{
	EXPECT_EQ(0, shell_run(self->output, "cat >" FOLDER "/a.yaml <<END\n"
			       "rollout: a\nkind: admit\n"
			       "policy: {object: $BUILD/bpf/audit.bpf.o, sha256: $(sha256sum $BUILD/bpf/audit.bpf.o | cut -c1-64)}\n"
			       "stages: [{hosts: 1000, bake: 1s}]\nstage: 1\n"
			       "baseline: 1s\nguards: {every: 500ms, preserve_refusals: {over: 1%%}, faults: {over: 0%%}}\nEND"));
	APPLY(0, "a");
	EXPECT_STATUS("a", "promoted", 1, 1000);
	EXPECT_EQ(0, shell_run(self->output, "cat /sys/kernel/iox/admit_policies/*/name"));
	EXPECT_STREQ("audit\n", self->output);
	EXPECT_EQ(0, IOX("forget $OPTIONS a 2>&1"));
	EXPECT_NE(0, shell_run(self->output, "cat /sys/kernel/iox/admit_policies/[0-9]*/name 2>&1"));
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
