// SPDX-License-Identifier: GPL-2.0-only
/* iox rollout: from document to kernel, stage by stage, and what is in the way. */
#include "rollout.h"

/* --- good ones ------------------------------------------------------------------------ */

TEST_F_TIMEOUT(rollout, a_good_policy_is_promoted_stage_by_stage, 120)
{
	DOCUMENT(.guard = GUARDS);
	APPLY(0, "r");
	SAYS("r: pending: measuring the baseline");
	SAYS("r: baking: stage 1 of 2");
	SAYS("r: baking: stage 2 of 2");
	SAYS("r: promoted: stage 2 of 2 has proved good");
	EXPECT_STATUS("r", "promoted", 2, 1000);
	EXPECT_EQ(SPACES, NR_GOOD);
	EXPECT_NO_MAP_FAILED;
}

TEST_F_TIMEOUT(rollout, its_state_is_in_the_metrics, 120)
{
	DOCUMENT(.guard = GUARDS, .stage = 1);
	APPLY(0, "r");
	EXPECT_EQ(0, shell_run(self->output,
		"$IOX exporter --listen 127.0.0.1:9799 --rollouts " STATE " >" FOLDER "/out & "
		"until grep -q listening " FOLDER "/out; do sleep 0.1; done; "
		"python3 -c 'import urllib.request\n"
		"print(urllib.request.urlopen(\"http://127.0.0.1:9799/metrics\").read().decode())' | "
		"grep ^iox_rollout; kill $!"));
	SAYS("iox_rollout_state{rollout=\"r\",state=\"promoted\"} 1\n");
	SAYS("iox_rollout_state{rollout=\"r\",state=\"rolled back\"} 0\n");
	SAYS("iox_rollout_stage{rollout=\"r\"} 1\n");
	SAYS("iox_rollout_stages{rollout=\"r\"} 2\n");
	SAYS("iox_rollout_since_seconds{rollout=\"r\"} ");
	SAYS("iox_rollout_guard_limit{rollout=\"r\",guard=\"faults\"} 0.05\n");
	SAYS("iox_rollout_guard_baseline{rollout=\"r\",guard=\"map_p99\"} ");
	SAYS("iox_rollout_guard_value{rollout=\"r\",guard=\"failed_maps\"} 0\n");
	SAYS("iox_rollout_guard_trips_total{rollout=\"r\",guard=\"map_p99\"} 0\n");
	SAYS("iox_rollout_document_info{rollout=\"r\",digest=\"");
}

TEST_F_TIMEOUT(rollout, a_stage_is_for_its_share, 120)
{
	DOCUMENT(.stage = 1);
	APPLY(0, "r");
	EXPECT_STATUS("r", "promoted", 1, 500);
	EXPECT_LT(0, NR_GOOD);
	EXPECT_GT(SPACES, NR_GOOD);
	expect_no_gaps(self);
	DOCUMENT(.stage = 2);
	APPLY(0, "r");
	EXPECT_STATUS("r", "promoted", 2, 1000);
	EXPECT_EQ(SPACES, NR_GOOD);
	DOCUMENT(.stage = 1);
	APPLY(0, "r");
	EXPECT_STATUS("r", "promoted", 1, 500);
	EXPECT_GT(SPACES, NR_GOOD);
	EXPECT_NO_GAP;
	EXPECT_NO_MAP_FAILED;
}

TEST_F_TIMEOUT(rollout, applied_again_nothing_changes, 120)
{
	__u64 map;

	DOCUMENT();
	APPLY(0, "r");
	EXPECT_EQ(0, shell_run(self->output, "ls /sys/kernel/iox/iova_policies"));
	map = strtoull(self->output, NULL, 10);
	APPLY(0, "r");
	EXPECT_STREQ("", self->output);
	EXPECT_EQ(0, shell_run(self->output, "ls /sys/kernel/iox/iova_policies"));
	EXPECT_EQ(map, strtoull(self->output, NULL, 10));
	EXPECT_STATUS("r", "promoted", 2, 1000);
}

TEST_F_TIMEOUT(rollout, a_host_that_is_not_in_its_stage_waits, 120)
{
	DOCUMENT(.stages = "[{hosts: 1, spaces: 1000, bake: 0s}, {hosts: 1000, spaces: 1000, bake: 0s}]",
		 .stage = 1, .guard = GUARDS);
	APPLY(0, "r");
	EXPECT_STATUS("r", "pending", 0, 0);
	SAYS("host number ");
	EXPECT_STREQ("none", in_force());
}

TEST_F_TIMEOUT(rollout, on_hold_it_stays_as_it_is, 120)
{
	DOCUMENT(.more = "hold: true");
	APPLY(0, "r");
	EXPECT_STATUS("r", "held", 0, 0);
	DOCUMENT(.stage = 1);
	APPLY(0, "r");
	DOCUMENT(.stage = 2, .more = "hold: true");
	APPLY(0, "r");
	EXPECT_STATUS("r", "held", 1, 500);
	DOCUMENT(.stage = 2);
	APPLY(0, "r");
	EXPECT_STATUS("r", "promoted", 2, 1000);
}

TEST_F_TIMEOUT(rollout, a_higher_attempt_begins_anew, 120)
{
	DOCUMENT(.variable = "faulty", .stages = LONG_BAKE, .stage = 1);
	APPLY(1, "r");
	DOCUMENT(.variable = "good");
	APPLY(1, "r");
	SAYS("give the document a higher 'attempt'");
	EXPECT_STATUS("r", "rolled back", 1, 0);
	DOCUMENT(.variable = "good", .more = "attempt: 2");
	APPLY(0, "r");
	EXPECT_STATUS("r", "promoted", 2, 1000);
	EXPECT_EQ(SPACES, NR_GOOD);
}

/* --- what goes wrong besides ------------------------------------------------------------------ */

#define REFUSED(text) do {						\
	EXPECT_EQ(1, IOX("apply $OPTIONS " FOLDER "/r.yaml 2>&1"));	\
	EXPECT_TRUE(shell_one_line(self->output)) {			\
		TH_LOG("%s", self->output);				\
	}								\
	SAYS(text);							\
	EXPECT_STREQ("none", in_force());				\
} while (0)

TEST_F_TIMEOUT(rollout, what_is_wrong_changes_nothing, 120)
{
	DOCUMENT(.variable = "none");
	EXPECT_EQ(1, IOX("check $OPTIONS " FOLDER "/r.yaml 2>&1"));
	EXPECT_TRUE(shell_one_line(self->output));
	SAYS("has no policy 'none'");
	DOCUMENT(.stages = "[{hosts: 1001, spaces: 1, bake: 1s}]", .stage = 1);
	REFUSED("r.yaml:8: '1001' has to be a whole number, 1 to 1000");
	EXPECT_EQ(0, shell_run(self->output, "echo >>" FOLDER "/sha; sed -i s/[0-9]/a/g " FOLDER "/sha"));
	DOCUMENT();
	REFUSED("it is not the one that the document is about");
}

TEST_F_TIMEOUT(rollout, where_signatures_are_demanded_one_is_needed, 120)
{
	EXPECT_EQ(0, shell_run(self->output, "mkdir -p /etc/iox/trusted.d && "
			       "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 "
			       "-subj /CN=Us -keyout " FOLDER "/key -out /etc/iox/trusted.d/us.pem 2>&1"));
	DOCUMENT();
	REFUSED("rollout.bpf.o");
	EXPECT_EQ(0, shell_run(self->output, "$IOX policy sign -k " FOLDER "/key -c /etc/iox/trusted.d/us.pem "
			       "-o " FOLDER "/signature $BUILD/bpf/rollout.bpf.o 2>&1"));
	DOCUMENT(.signature = FOLDER "/signature");
	EXPECT_EQ(0, IOX("check $OPTIONS " FOLDER "/r.yaml 2>&1"));
	SAYS("signed by CN=Us");
	APPLY(0, "r");
	EXPECT_STATUS("r", "promoted", 2, 1000);
}

TEST_F_TIMEOUT(rollout, a_damaged_state_is_held_until_it_is_forgotten, 120)
{
	DOCUMENT();
	APPLY(0, "r");
	EXPECT_EQ(0, shell_run(self->output, "truncate -s 200 " STATE "/r/state.json"));
	EXPECT_EQ(1, IOX("apply $OPTIONS " FOLDER "/r.yaml 2>&1"));
	EXPECT_TRUE(shell_one_line(self->output));
	SAYS("is damaged; 'iox rollout forget r'");
	EXPECT_STATUS("r", "held", 0, 1000);
	EXPECT_EQ(SPACES, NR_GOOD);
	EXPECT_EQ(0, IOX("forget $OPTIONS r 2>&1"));
	EXPECT_STREQ("none", in_force());
	APPLY(0, "r");
	EXPECT_STATUS("r", "promoted", 2, 1000);
}

TEST_F_TIMEOUT(rollout, one_process_drives_it, 120)
{
	DOCUMENT(.stages = LONG_BAKE, .stage = 1);
	EXPECT_EQ(0, system("$IOX rollout apply $OPTIONS " FOLDER "/r.yaml 2>/dev/null & echo $! >" FOLDER "/pid; "
			    "until grep -q baking " STATE "/r/state.json 2>/dev/null; do sleep 0.1; done"));
	EXPECT_EQ(1, IOX("apply $OPTIONS " FOLDER "/r.yaml 2>&1"));
	EXPECT_TRUE(shell_one_line(self->output));
	SAYS("another process drives this rollout");
	/* Told to end, it leaves all as it is. */
	EXPECT_EQ(0, system("kill $(cat " FOLDER "/pid); tail --pid=$(cat " FOLDER "/pid) -f /dev/null"));
	EXPECT_STATUS("r", "baking", 1, 500);
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
