// SPDX-License-Identifier: GPL-2.0-only
/* iox rollout: who is killed goes on, and what was in force is so again after a boot. */
#include <time.h>

#include "rollout.h"

/* --- restored ---------------------------------------------------------------------------------- */

TEST_F_TIMEOUT(rollout, what_was_in_force_is_restored, 120)
{
	DOCUMENT();
	APPLY(0, "r");
	DOCUMENT(.name = "n", .variable = "better", .stage = 1, .more = "replaces: r");
	APPLY(0, "n");
	take_all_out();
	EXPECT_STREQ("none", in_force());
	EXPECT_EQ(0, IOX("restore $OPTIONS 2>&1")) TH_LOG("%s", self->output);
	EXPECT_STATUS("r", "promoted", 2, 1000);
	EXPECT_STATUS("n", "promoted", 1, 500);

	DOCUMENT(.name = "n", .variable = "better", .more = "replaces: r");
	APPLY(0, "n");
	take_all_out();
	EXPECT_EQ(0, IOX("restore $OPTIONS 2>&1")) TH_LOG("%s", self->output);
	EXPECT_STATUS("n", "promoted", 2, 1000);
	EXPECT_STATUS("r", "promoted", 2, 0);
	EXPECT_EQ(SPACES, NR_BETTER);
	/* And it still gives the place back. */
	EXPECT_EQ(0, IOX("forget $OPTIONS n 2>&1"));
	EXPECT_EQ(SPACES, NR_GOOD);
}

TEST_F_TIMEOUT(rollout, an_object_that_was_changed_is_not_loaded, 120)
{
	DOCUMENT();
	APPLY(0, "r");
	take_all_out();
	EXPECT_EQ(0, shell_run(self->output, "truncate -s -1 " STATE "/r/policy.bpf.o"));
	EXPECT_EQ(1, IOX("restore $OPTIONS 2>&1"));
	EXPECT_TRUE(shell_one_line(self->output));
	SAYS("is not the object that was verified");
	EXPECT_STREQ("none", in_force());
	/* The document has another copy. */
	APPLY(0, "r");
	EXPECT_STATUS("r", "promoted", 2, 1000);
}

/* --- killed ----------------------------------------------------------------------------------- */

/* What is in force is what was written down. */
static void expect_consistent(struct __test_metadata *_metadata, FIXTURE_DATA(rollout) *self,
			      const char *name)
{
	char command[128];
	json_object *o = status_of(self, name);
	__u64 in_kernel;

	ASSERT_NE(NULL, o) TH_LOG("%s", self->output);
	in_kernel = json_number(o, "in_force");
	snprintf(command, sizeof(command), "sed -n 's/.*\"spaces\":\\([0-9]*\\).*/\\1/p' " STATE "/%s/state.json", name);
	ASSERT_EQ(0, shell_run(self->output, "%s", command));
	EXPECT_EQ(strtoull(self->output, NULL, 10), in_kernel) TH_LOG("%s", name);
}

TEST_F_TIMEOUT(rollout, killed_at_any_time_it_goes_on, 1200)
{
	int kills = getenv("KILLS") ? atoi(getenv("KILLS")) : 12;
	char more[64], command[512];

	DOCUMENT();
	APPLY(0, "r");
	srand((unsigned int)time(NULL));
	for (int i = 0; i < kills; i++) {
		/* Begun anew, one stage more, one less: each takes a place or gives it back. */
		snprintf(more, sizeof(more), "replaces: r\nattempt: %d", 1 + i / 3);
		DOCUMENT(.name = "n", .variable = "better", .stage = rand() % 2 + 1, .more = more,
			 .stages = "[{hosts: 1000, spaces: 500, bake: 100ms}, {hosts: 1000, spaces: 1000, bake: 100ms}]");
		snprintf(command, sizeof(command),
			 "$IOX rollout apply $OPTIONS " FOLDER "/n.yaml 2>/dev/null & sleep 0.%03d; kill -9 $!; "
			 "wait $! 2>/dev/null; true", rand() % 999);
		ASSERT_EQ(0, system(command));
		EXPECT_EQ(0, IOX("apply --once $OPTIONS " FOLDER "/n.yaml 2>&1")) TH_LOG("%s", self->output);
		expect_consistent(_metadata, self, "n");
		EXPECT_EQ(SPACES, NR_GOOD + NR_BETTER);
		EXPECT_NO_MAP_FAILED;
	}
	DOCUMENT(.name = "n", .variable = "better", .more = more);
	APPLY(0, "n");
	EXPECT_EQ(SPACES, NR_BETTER);
	EXPECT_EQ(0, IOX("forget $OPTIONS n 2>&1"));
	EXPECT_EQ(SPACES, NR_GOOD);
	EXPECT_NO_MAP_FAILED;
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
