// SPDX-License-Identifier: GPL-2.0-only
/* iox rollout: from document to kernel, stage by stage, and one in the place of another. */
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
