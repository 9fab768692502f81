// SPDX-License-Identifier: GPL-2.0-only
/*
 * The iox command: what it counts is what happened, its percentiles agree with
 * its histogram, its JSON parses, and what goes wrong is said in one line.
 *
 * It runs the binary that $IOX names, ../bin/iox beside this program if unset.
 * As "iox_test load MAPS FAILS" this program is the command to be measured: so
 * many maps, as many unmaps, and so many unmaps that fail.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/iommufd.h"
#include "policy.h"
#include "shell.h"
#include "../include/iox/hist.h"

#define AT 0x10000000ULL

/* --- a load to measure ---------------------------------------------------- */

static int load(int fd, __u32 ioas, void *page, long maps, long fails)
{
	for (long i = 0; i < maps; i++)
		if (ioas_map_fixed(fd, ioas, page, PAGE, AT + i * PAGE))
			return 1;
	for (long i = 0; i < maps; i++)
		if (ioas_unmap(fd, ioas, AT + i * PAGE, PAGE))
			return 1;
	for (long i = 0; i < fails; i++)
		if (ioas_unmap(fd, ioas, AT, PAGE) != -ENOENT)
			return 1;
	return 0;
}

static int load_program(long maps, long fails)
{
	void *page = buffer_small(PAGE);
	int fd = iommufd_open(), failed = 1;
	__u32 ioas;

	if (fd >= 0 && !ioas_alloc(fd, &ioas))
		failed = load(fd, ioas, page, maps, fails);
	close(fd);
	buffer_free(BUFFER_SMALL, page, PAGE);
	return failed;
}

/* --- running the command -------------------------------------------------- */

FIXTURE(iox)
{
	char *output;		/* standard output and error of the last run */
	json_object *json;
};

FIXTURE_SETUP(iox)
{
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
	self->json = NULL;
	ASSERT_LE(0, close(iommufd_open()));
}

FIXTURE_TEARDOWN(iox)
{
	json_object_put(self->json);
	free(self->output);
}

/* The entry of @call ("map", ...) in what `iox stat --json` printed. */
static json_object *find_call(json_object *stat, const char *call)
{
	return json_find(json_member(stat, "calls"), "call", call);
}

/* The last of the lines in @output, parsed; NULL if one of them is not JSON. */
static json_object *last_json(const char *output, int *lines)
{
	json_object *json = NULL;
	char *copy = strdup(output), *line, *next = copy;

	*lines = 0;
	while ((line = strsep(&next, "\n")) && *line) {
		json_object_put(json);
		json = json_tokener_parse(line);
		if (!json)
			break;
		++*lines;
	}
	free(copy);
	return json;
}

/* --- buckets -------------------------------------------------------------- */

TEST(buckets_follow_on_and_cover_64_bits)
{
	ASSERT_EQ(0, iox_hist_first(0));
	for (__u32 i = 0; i < IOX_HIST_BUCKETS; i++) {
		ASSERT_EQ(i, iox_hist_index(iox_hist_first(i)));
		ASSERT_EQ(i, iox_hist_index(iox_hist_last(i)));
		if (i)
			ASSERT_EQ(iox_hist_last(i - 1) + 1, iox_hist_first(i));
	}
	ASSERT_EQ(~0ULL, iox_hist_last(IOX_HIST_BUCKETS - 1));
}

TEST(buckets_are_at_most_6_25_percent_wide)
{
	for (__u32 i = 0; i < IOX_HIST_BUCKETS; i++) {
		__u64 first = iox_hist_first(i), error = iox_hist_last(i) - first;

		/* error / first <= 1 / 16, in a form that cannot overflow */
		ASSERT_LE(error, first / 16);
	}
}

static bool bucket_holds(__u64 value)
{
	__u32 i = iox_hist_index(value);

	return i < IOX_HIST_BUCKETS && iox_hist_first(i) <= value && value <= iox_hist_last(i);
}

TEST(buckets_hold_their_values)
{
	for (__u64 value = 0; value < 1 << 20; value++)
		ASSERT_TRUE(bucket_holds(value));
	for (int bit = 20; bit < 64; bit++)
		for (__u64 part = 0; part < 1000; part++)
			ASSERT_TRUE(bucket_holds((1ULL << bit) + ((1ULL << bit) / 1000 * part)));
	ASSERT_TRUE(bucket_holds(~0ULL));
}

/* --- stat: counts --------------------------------------------------------- */

TEST_F(iox, stat_counts_a_command_exactly)
{
	json_object *map, *unmap;
	int lines;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json -- $SELF load 3000 500"));
	self->json = last_json(self->output, &lines);
	ASSERT_NE(NULL, self->json);
	ASSERT_EQ(1, lines);
	ASSERT_STREQ("total", json_string(self->json, "span"));
	map = find_call(self->json, "map");
	unmap = find_call(self->json, "unmap");
	ASSERT_EQ(0, json_number(self->json, "skipped"));
	ASSERT_EQ(3000, json_number(map, "count"));
	ASSERT_EQ(0, json_number(map, "failed"));
	ASSERT_EQ(3500, json_number(unmap, "count"));
	ASSERT_EQ(500, json_number(unmap, "failed"));
}

TEST_F(iox, stat_table_has_the_same_counts)
{
	char call[16];
	__u64 count, failed;
	char *row;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat $SELF load 300 50"));
	row = strstr(self->output, "\nunmap ");
	ASSERT_NE(NULL, row);
	ASSERT_EQ(3, sscanf(row, "%15s %llu %llu", call, &count, &failed));
	ASSERT_EQ(350, count);
	ASSERT_EQ(50, failed);
	ASSERT_TRUE(shell_has(self->output, "\nmap: 300 calls timed\n"));
	ASSERT_TRUE(shell_has(self->output, "\nunmap: 350 calls timed\n"));
	ASSERT_TRUE(shell_has(self->output, "#| ") || shell_has(self->output, "# "));
}

TEST_F(iox, stat_follows_what_the_command_starts)
{
	int lines;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json -- sh -c "
			 "'$SELF load 10 0 & sh -c \"$SELF load 20 0; true\"; wait'"));
	self->json = last_json(self->output, &lines);
	ASSERT_NE(NULL, self->json);
	ASSERT_EQ(30, json_number(find_call(self->json, "map"), "count"));
}

TEST_F(iox, stat_of_a_command_leaves_others_out)
{
	pid_t other = fork();
	int lines;

	ASSERT_LE(0, other);
	if (!other) {
		while (!load_program(100, 0))
			;
		_exit(1);
	}
	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json -- sh -c '$SELF load 10 0; sleep 0.3'"));
	ASSERT_EQ(0, kill(other, SIGKILL));
	ASSERT_EQ(other, waitpid(other, NULL, 0));
	self->json = last_json(self->output, &lines);
	ASSERT_NE(NULL, self->json);
	ASSERT_EQ(10, json_number(find_call(self->json, "map"), "count"));
	ASSERT_EQ(10, json_number(find_call(self->json, "unmap"), "count"));
}

TEST_F(iox, stat_counts_the_whole_system_until_interrupted)
{
	int lines;

	ASSERT_EQ(0, shell_run(self->output, "f=$(mktemp); $IOX stat -i 0.1 -j -o $f & "
			 "until grep -q interval $f; do sleep 0.1; done; "
			 "$SELF load 700 30; kill -INT $!; wait $!; s=$?; cat $f; rm $f; exit $s"));
	self->json = last_json(self->output, &lines);
	ASSERT_NE(NULL, self->json);
	ASSERT_LE(2, lines);
	ASSERT_EQ(700, json_number(find_call(self->json, "map"), "count"));
	ASSERT_EQ(730, json_number(find_call(self->json, "unmap"), "count"));
	ASSERT_EQ(30, json_number(find_call(self->json, "unmap"), "failed"));
}

TEST_F(iox, stat_intervals_add_up)
{
	__u64 intervals = 0, total = 0;
	char *line, *next;
	int lines = 0;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json -i 0.05 -- "
			 "sh -c '$SELF load 2000 0; sleep 0.2; $SELF load 1000 0; sleep 0.2'"));
	next = self->output;
	while ((line = strsep(&next, "\n")) && *line) {
		json_object *json = json_tokener_parse(line);
		__u64 count;

		ASSERT_NE(NULL, json);
		count = json_number(find_call(json, "map"), "count");
		if (!strcmp(json_object_get_string(json_member(json, "span")), "total"))
			total = count;
		else
			intervals += count;
		lines++;
		json_object_put(json);
	}
	ASSERT_LE(4, lines);
	ASSERT_EQ(3000, total);
	ASSERT_EQ(3000, intervals);
}

TEST_F(iox, stat_stops_after_so_many_intervals)
{
	int lines;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json -i 0.1 -c 3"));
	self->json = last_json(self->output, &lines);
	ASSERT_NE(NULL, self->json);
	ASSERT_EQ(4, lines);
}

/* --- stat: percentiles ---------------------------------------------------- */

/* The value below which @percent of the histogram lies, computed anew. */
static __u64 expected_percentile(json_object *call, double percent)
{
	json_object *list = json_member(call, "histogram");
	__u64 count = json_number(call, "count"), max = json_number(call, "max_ns");
	__u64 seen = 0;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *bucket = json_object_array_get_idx(list, i);
		__u64 last = json_number(bucket, "last_ns");

		seen += json_number(bucket, "count");
		if ((double)seen * 100 >= (double)count * percent)
			return last < max ? last : max;
	}
	return 0;
}

TEST_F(iox, stat_percentiles_agree_with_the_histogram)
{
	__u64 count = 0, at_least = 0, at_most = 0, sum;
	json_object *map, *list, *bucket = NULL;
	int lines;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json -- $SELF load 2000 0"));
	self->json = last_json(self->output, &lines);
	ASSERT_NE(NULL, self->json);
	map = find_call(self->json, "map");
	list = json_member(map, "histogram");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		bucket = json_object_array_get_idx(list, i);
		count += json_number(bucket, "count");
		at_least += json_number(bucket, "count") * json_number(bucket, "first_ns");
		at_most += json_number(bucket, "count") * json_number(bucket, "last_ns");
	}
	ASSERT_EQ(2000, count);
	sum = json_number(map, "sum_ns");
	ASSERT_LE(at_least, sum);
	ASSERT_GE(at_most, sum);
	ASSERT_LE(json_number(bucket, "first_ns"), json_number(map, "max_ns"));
	ASSERT_GE(json_number(bucket, "last_ns"), json_number(map, "max_ns"));
	ASSERT_EQ(expected_percentile(map, 50), json_number(map, "p50_ns"));
	ASSERT_EQ(expected_percentile(map, 90), json_number(map, "p90_ns"));
	ASSERT_EQ(expected_percentile(map, 99), json_number(map, "p99_ns"));
	ASSERT_EQ(expected_percentile(map, 99.9), json_number(map, "p99_9_ns"));
	ASSERT_LT(0, json_number(map, "p50_ns"));
	ASSERT_LE(json_number(map, "p50_ns"), json_number(map, "p99_ns"));
	ASSERT_LE(json_number(map, "p99_ns"), json_number(map, "max_ns"));
	ASSERT_LE(json_number(map, "mean_ns"), json_number(map, "max_ns"));
}

TEST_F(iox, stat_says_which_calls_this_iommufd_lacks)
{
	static const char *const call[] = { "map", "map-file", "copy", "unmap" };
	char command[256];
	int lines;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json -- true"));
	self->json = last_json(self->output, &lines);
	ASSERT_NE(NULL, self->json);
	for (int i = 0; i < 4; i++) {
		json_object *entry = find_call(self->json, call[i]);
		bool there;

		snprintf(command, sizeof(command), "grep -q ' %s\t' /proc/kallsyms",
			 json_object_get_string(json_member(entry, "function")));
		there = !shell_run(self->output, "%s", command);
		ASSERT_EQ(there, json_object_get_boolean(json_member(entry, "attached")));
		ASSERT_EQ(there, json_object_object_get_ex(entry, "count", NULL));
	}
}

/* --- exit status and messages --------------------------------------------- */

TEST_F(iox, stat_passes_on_the_exit_status)
{
	ASSERT_EQ(5, shell_run(self->output, "$IOX stat -- sh -c 'exit 5'"));
	ASSERT_EQ(143, shell_run(self->output, "$IOX stat -- sh -c 'kill $$'"));
	ASSERT_EQ(127, shell_run(self->output, "$IOX stat -- /nonexistent 2>&1"));
	ASSERT_STREQ("iox stat: /nonexistent: No such file or directory\n", self->output);
}

TEST_F(iox, wrong_usage_gives_2)
{
	static const char *const wrong[] = {
		"", "bogus", "--bogus", "stat --bogus", "stat -i", "stat -i 0", "stat -i 1x",
		"stat -i nan", "stat -c 0", "stat -c 1 -- true", "policy", "policy bogus",
		"policy list more", "policy list --bogus",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char command[128];

		snprintf(command, sizeof(command), "$IOX %s 2>&1 >/dev/null", wrong[i]);
		ASSERT_EQ(2, shell_run(self->output, "%s", command)) {
			TH_LOG("iox %s: %s", wrong[i], self->output);
		}
		ASSERT_EQ(self->output, strstr(self->output, "iox"));
	}
	shell_run(self->output, "$IOX bogus 2>&1");
	ASSERT_STREQ("iox: bogus: no such command; see 'iox --help'\n", self->output);
}

TEST_F(iox, help_gives_0)
{
	ASSERT_EQ(0, shell_run(self->output, "$IOX --help"));
	ASSERT_TRUE(shell_has(self->output, "  policy "));
	ASSERT_TRUE(shell_has(self->output, "  stat "));
	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --help"));
	ASSERT_TRUE(shell_has(self->output, "--interval"));
	ASSERT_EQ(0, shell_run(self->output, "$IOX policy list --help"));
	ASSERT_TRUE(shell_has(self->output, "--json"));
}

TEST_F(iox, output_that_cannot_be_written_fails)
{
	static const char *const how[] = { "-i 0.1 >/dev/full", "-i 0.1 -j >/dev/full",
					   "-o /dev/full -- true" };

	for (size_t i = 0; i < ARRAY_SIZE(how); i++) {
		char command[128];

		snprintf(command, sizeof(command), "timeout 20 $IOX stat 2>&1 %s", how[i]);
		ASSERT_EQ(1, shell_run(self->output, "%s", command));
		ASSERT_TRUE(shell_one_line(self->output));
		ASSERT_TRUE(shell_has(self->output, ": No space left on device\n"));
	}
	ASSERT_EQ(1, shell_run(self->output, "$IOX stat -o /nonexistent/file -- true 2>&1"));
	ASSERT_STREQ("iox stat: /nonexistent/file: No such file or directory\n", self->output);
}

TEST_F(iox, without_privilege_it_says_so)
{
	ASSERT_EQ(1, shell_run(self->output, "setpriv --bounding-set=-all -- $IOX stat -- true 2>&1"));
	ASSERT_TRUE(shell_one_line(self->output));
	ASSERT_TRUE(shell_has(self->output, "; run it as root"));
}

TEST_F(iox, without_iommufd_it_says_what_to_do)
{
	if (shell_run(self->output, "modprobe -qr vfio_pci; modprobe -qr vfio; modprobe -r iommufd 2>&1"))
		SKIP(return, "iommufd cannot be unloaded: %s", self->output);
	ASSERT_EQ(1, shell_run(self->output, "$IOX stat -- touch /tmp/iox_test.ran 2>&1"));
	ASSERT_EQ(0, system("modprobe -a iommufd vfio-pci"));
	ASSERT_STREQ("iox stat: iommufd: is not loaded; run 'modprobe iommufd'\n", self->output);
	ASSERT_NE(0, access("/tmp/iox_test.ran", F_OK));
}

/* --- policy --------------------------------------------------------------- */

FIXTURE(iox_policy)
{
	char *output;
	json_object *json;
	json_object *first;	/* the first policy in json */
	struct policy_env env;
};

FIXTURE_SETUP(iox_policy)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd knows no policies");
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
	policy_env_init(_metadata, &self->env);
}

FIXTURE_TEARDOWN(iox_policy)
{
	if (!iommufd_is_iox())
		return;
	json_object_put(self->json);
	free(self->output);
	policy_env_fini(_metadata, &self->env);
}

/* Reads the list anew; how many policies are in it, -1 if that failed. */
static int list_policies(FIXTURE_DATA(iox_policy) *self)
{
	json_object *list;

	json_object_put(self->json);
	self->json = NULL;
	if (shell_run(self->output, "$IOX policy list --json") || !shell_one_line(self->output))
		return -1;
	self->json = json_tokener_parse(self->output);
	if (!self->json)
		return -1;
	list = json_member(self->json, "policies");
	self->first = json_object_array_get_idx(list, 0);
	return json_object_array_length(list);
}

static const char *state_of(json_object *policy)
{
	return json_object_get_string(json_member(policy, "state"));
}

TEST_F(iox_policy, list_without_a_policy)
{
	ASSERT_EQ(0, list_policies(self));
	ASSERT_EQ(0, shell_run(self->output, "$IOX policy list 2>&1"));
	ASSERT_STREQ("no policy loaded: the built-in allocator decides\n", self->output);
}

TEST_F(iox_policy, list_follows_a_policy_from_load_to_unload)
{
	struct policy *policy = &self->env.policy;

	must(policy_open(policy, "bpf/answer.bpf.o", "answer"));
	must(policy_load(policy));
	ASSERT_EQ(1, list_policies(self));
	ASSERT_STREQ("loaded", state_of(self->first));
	ASSERT_STREQ("answer", json_object_get_string(json_member(self->first, "name")));
	ASSERT_EQ(0, shell_run(self->output, "$IOX policy list 2>&1"));
	ASSERT_TRUE(shell_has(self->output, "\nnone is in force: the built-in allocator decides\n"));

	must(policy_attach(policy));
	ASSERT_EQ(1, list_policies(self));
	ASSERT_STREQ("in-force", state_of(self->first));
	ASSERT_EQ(0, shell_run(self->output, "$IOX policy list 2>&1"));
	ASSERT_FALSE(shell_has(self->output, "none is in force"));

	policy_detach(policy);
	ASSERT_EQ(1, list_policies(self));
	ASSERT_STREQ("ready", state_of(self->first));

	policy_close(policy);
	ASSERT_EQ(0, list_policies(self));
}

TEST_F(iox_policy, list_has_ids_and_counters)
{
	struct bpf_link_info link = {};
	struct policy *policy = &self->env.policy;
	json_object *counters;
	__u32 size = sizeof(link);

	START("answer", "answer");
	policy->control->value = 0;		/* no opinion */
	for (int i = 0; i < 3; i++)
		MAP(PAGE);
	policy->control->value = 1;		/* not aligned: a fault */
	for (int i = 0; i < 2; i++)
		MAP(PAGE);
	policy->control->value = 1ULL << 40;
	ASSERT_EQ(1ULL << 40, MAP(PAGE));
	must(bpf_link_get_info_by_fd(bpf_link__fd(policy->link), &link, &size));

	ASSERT_EQ(1, list_policies(self));
	ASSERT_STREQ("answer", json_object_get_string(json_member(self->first, "name")));
	ASSERT_EQ(counted("map_id"), json_number(self->first, "map_id"));
	ASSERT_EQ(link.id, json_number(self->first, "link_id"));
	counters = json_member(self->first, "counters");
	ASSERT_EQ(6, json_number(counters, "asked"));
	ASSERT_EQ(1, json_number(counters, "used"));
	ASSERT_EQ(3, json_number(counters, "declined"));
	ASSERT_EQ(0, json_number(counters, "refused"));
	ASSERT_EQ(2, json_number(counters, "faults"));
	ASSERT_EQ(0, json_number(self->first, "cgroup_id"));
	ASSERT_EQ(1000, json_number(self->first, "share"));
	ASSERT_EQ(1, json_number(self->first, "spaces"));
	ASSERT_LT(0, json_number(self->first, "p50_ns"));
	ASSERT_LE(json_number(self->first, "p50_ns"), json_number(self->first, "p99_ns"));
	ASSERT_EQ(NULL, json_member(self->first, "exit"));
}

TEST_F(iox_policy, list_says_why_one_was_ejected)
{
	struct policy *policy = &self->env.policy;

	START("answer", "answer");
	policy->control->value = 1;
	for (int i = 0; i < 16; i++)
		MAP(PAGE);
	/* A worker does it. */
	for (int i = 0; i < 500 && strcmp("none", in_force()); i++)
		usleep(10000);
	usleep(100000);
	ASSERT_EQ(1, list_policies(self));
	ASSERT_STREQ("ejected", state_of(self->first));
	ASSERT_EQ(0, json_number(self->first, "spaces"));
	ASSERT_TRUE(shell_has(json_object_get_string(json_member(self->first, "exit")),
			"answers with unaligned IOVAs"));
	ASSERT_EQ(0, shell_run(self->output, "$IOX policy list 2>&1"));
	ASSERT_TRUE(shell_has(self->output, "\n  ejected: faults errno=-22 "));
	ASSERT_TRUE(shell_has(self->output, "\nnone is in force: "));
}

TEST_F(iox_policy, list_shows_what_bpftool_registered)
{
	char name[64], state[16], link[16];
	unsigned int map;
	char *row;

	ASSERT_EQ(0, shell_run(self->output, "$BUILD/tools/bin/bpftool struct_ops register "
			 "$BUILD/bpf/first_fit.bpf.o 2>&1"));
	EXPECT_EQ(0, shell_run(self->output, "$IOX policy list 2>&1"));
	EXPECT_EQ(
		0,
		system("$BUILD/tools/bin/bpftool struct_ops unregister name first_fit >/dev/null"));

	row = strchr(self->output, '\n');
	ASSERT_NE(NULL, row);
	ASSERT_EQ(4, sscanf(row, "%63s %15s %u %15s", name, state, &map, link));
	ASSERT_STREQ("first_fit", name);
	ASSERT_STREQ("in-force", state);
	ASSERT_STREQ("-", link);
}

TEST_F(iox, policy_list_on_a_kernel_without_policies)
{
	if (iommufd_is_iox())
		SKIP(return, "this kernel has policies");
	ASSERT_EQ(1, shell_run(self->output, "$IOX policy list 2>&1"));
	ASSERT_STREQ("iox policy list: this kernel: has no IOVA policies; "
		     "boot a kernel with CONFIG_IOX_POLICY=y ('make kernel')\n", self->output);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "load"))
		return load_program(atol(argv[2]), atol(argv[3]));

	shell_environment();
	return test_harness_run(argc, argv);
}
