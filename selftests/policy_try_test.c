// SPDX-License-Identifier: GPL-2.0-only
/*
 * iox policy try: what it counts is what the requests and the policy make of
 * it, nobody else hears of it, and nothing stays, however it ends.
 */
#include <dirent.h>
#include <sys/stat.h>

#include "policy.h"
#include "shell.h"

#define TRACE "/tmp/iox-try.trace"
#define HEAD "{\"iox_trace\":1,\"kernel\":\"7.3\",\"recorded\":\"2026-01-01T00:00:00Z\"}\n"
#define OWN_CGROUPS "/sys/fs/cgroup/iox-try-*"

FIXTURE(policy_try)
{
	struct policy_env env;
	char *output;		/* standard output and error of the last run */
	json_object *json;
	FILE *trace;
};

FIXTURE_SETUP(policy_try)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd knows no policies");
	self->json = NULL;
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
	policy_env_init(_metadata, &self->env);
	self->trace = fopen(TRACE, "we");
	ASSERT_NE(NULL, self->trace);
	fputs(HEAD, self->trace);
}

FIXTURE_TEARDOWN(policy_try)
{
	if (!iommufd_is_iox())
		return;
	policy_close(&self->env.policy);
	fclose(self->trace);
	unlink(TRACE);
	json_object_put(self->json);
	/* Nobody of ours is left, whatever a test has done. */
	shell_run(self->output, "ls -d " OWN_CGROUPS " 2>/dev/null");
	EXPECT_STREQ("", self->output);
	shell_run(self->output, "ls /sys/kernel/iox/iova_policies");
	EXPECT_STREQ("", self->output);
	free(self->output);
	policy_env_fini(_metadata, &self->env);
}

/* --- traces ---------------------------------------------------------------------- */

/* Mappings of the trace are where @iova says, in address space 1. */
static void add_map(FILE *trace, __u64 iova, __u64 length, __u64 addr, const char *rest)
{
	fprintf(trace, "{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x%llx\",\"length\":%llu,"
		"\"addr\":\"0x%llx\",\"fixed\":false,\"prot\":\"rw\",\"backing\":\"user\"%s}\n",
		iova, length, addr, rest);
}

static void add_unmap(FILE *trace, __u64 iova, __u64 length)
{
	fprintf(trace, "{\"t\":1,\"op\":\"unmap\",\"space\":1,\"iova\":\"0x%llx\",\"length\":%llu}\n",
		iova, length);
}

#define ADD_MAP(iova, length) add_map(self->trace, iova, length, iova, ",\"run\":12")
#define ADD_UNMAP(iova, length) add_unmap(self->trace, iova, length)

/* --- what it says ---------------------------------------------------------------- */

#define TRY(...) (fflush(self->trace), shell_run(self->output, "$IOX policy try " __VA_ARGS__))

#define SAYS(text) EXPECT_TRUE(shell_has(self->output, text)) {		\
	TH_LOG("%s", self->output);					\
}

/* What --json says of the trace; with @args that name a policy. */
#define TRIED(args) ({							\
	json_object_put(self->json);					\
	self->json = NULL;						\
	EXPECT_EQ(0, TRY("--json --trace " TRACE " " args " 2>&1"));	\
	EXPECT_TRUE(shell_one_line(self->output)) {			\
		TH_LOG("%s", self->output);				\
	}								\
	self->json = json_tokener_parse(self->output);			\
	json_object_array_get_idx(json_member(self->json, "traces"), 0);	\
})

#define OF(tried, name) ({						\
	json_object *_row = json_find(json_member(tried, "policies"), "policy", name);	\
									\
	ASSERT_NE(NULL, _row);						\
	_row;								\
})

#define EXPECT_COUNTERS(row, _asked, _used, _declined, _refused, _faults) do {	\
	json_object *_c = json_member(row, "counters");			\
									\
	EXPECT_EQ(_asked, json_number(_c, "asked"));			\
	EXPECT_EQ(_used, json_number(_c, "used"));			\
	EXPECT_EQ(_declined, json_number(_c, "declined"));		\
	EXPECT_EQ(_refused, json_number(_c, "refused"));		\
	EXPECT_EQ(_faults, json_number(_c, "faults"));			\
} while (0)

static __u64 leaves(json_object *row, const char *size)
{
	return json_number(json_member(row, "leaves"), size);
}

static __u64 placed_by(json_object *row, const char *who)
{
	return json_number(json_member(row, "placed_by"), who);
}

static __u64 address(json_object *row, const char *key)
{
	return strtoull(json_string(row, key), NULL, 16);
}

/* --- what it counts -------------------------------------------------------------- */

TEST_F(policy_try, counts_requests)
{
	json_object *tried;

	ADD_MAP(0x10000, PAGE);
	ADD_MAP(0x20000, 2 * PAGE);
	add_map(self->trace, 0x30000, PAGE, 0, ",\"err\":-14");
	ADD_UNMAP(0x10000, PAGE);
	ADD_UNMAP(0x90000, PAGE);
	fputs("{\"t\":2,\"op\":\"map-file\",\"space\":7,\"iova\":\"0x0\",\"length\":4096,"
	      "\"addr\":\"0x0\",\"fixed\":true,\"prot\":\"r\",\"backing\":\"file\"}\n"
	      "{\"t\":3,\"op\":\"destroy\",\"space\":1}\n", self->trace);
	tried = TRIED("$BUILD/bpf/first_fit.bpf.o");
	EXPECT_STREQ(TRACE, json_string(tried, "trace"));
	EXPECT_EQ(48, json_number(tried, "address_bits"));
	EXPECT_EQ(3, json_number(tried, "maps"));
	EXPECT_EQ(1, json_number(tried, "unmaps"));
	EXPECT_EQ(2, json_number(tried, "spaces"));
	EXPECT_EQ(2, json_number(tried, "skipped"));
	EXPECT_EQ(0, json_number(OF(tried, "built-in"), "failed"));
	EXPECT_COUNTERS(OF(tried, "first_fit"), 2, 2, 0, 0, 0);
	/* Space 7 is left, with a page at 0: a table of each level. */
	EXPECT_EQ(4, json_number(OF(tried, "first_fit"), "tables_end"));
	EXPECT_EQ(8, json_number(OF(tried, "first_fit"), "tables_peak"));
	EXPECT_EQ(0, address(OF(tried, "first_fit"), "lowest"));
	EXPECT_EQ(0x3fff, address(OF(tried, "first_fit"), "highest"));
}

TEST_F(policy_try, counts_leaves_and_tables)
{
	json_object *tried;

	/* Memory like this would do for a leaf of 2 MiB, if it is put there. */
	add_map(self->trace, 0x10000, PAGE, 0, ",\"run\":12");
	add_map(self->trace, 4 * MIB, 2 * MIB, 4 * MIB, ",\"run\":21");
	tried = TRIED("$BUILD/bpf/first_fit.bpf.o");
	EXPECT_EQ(1, leaves(OF(tried, "built-in"), "2m"));
	EXPECT_EQ(1, leaves(OF(tried, "built-in"), "4k"));
	EXPECT_EQ(4, json_number(OF(tried, "built-in"), "tables_peak"));
	EXPECT_EQ(0, leaves(OF(tried, "first_fit"), "2m"));
	EXPECT_EQ(513, leaves(OF(tried, "first_fit"), "4k"));
	EXPECT_EQ(5, json_number(OF(tried, "first_fit"), "tables_peak"));
	/* A level less. */
	tried = TRIED("--address-bits 39 $BUILD/bpf/first_fit.bpf.o");
	EXPECT_EQ(3, json_number(OF(tried, "built-in"), "tables_peak"));
	/* Above the MSI window. */
	EXPECT_EQ((1ULL << 39) - MSI_LAST - 1, json_number(OF(tried, "built-in"), "free_gap"));
}

TEST_F(policy_try, what_is_unknown_of_memory_counts_as_contiguous)
{
	json_object *tried;

	add_map(self->trace, 1024 * MIB, 1024 * MIB, 0, "");
	tried = TRIED("");
	EXPECT_EQ(1, leaves(OF(tried, "built-in"), "1g"));
}

TEST_F(policy_try, first_fit_and_best_fit_differ)
{
	json_object *tried;

	ADD_MAP(0x100000, 16 * PAGE);
	ADD_MAP(0x200000, PAGE);
	ADD_MAP(0x300000, 4 * PAGE);
	ADD_MAP(0x400000, PAGE);
	ADD_UNMAP(0x100000, 16 * PAGE);
	ADD_UNMAP(0x300000, 4 * PAGE);
	/* Into the hole of 16 pages, or into the one of 4? The next one will show. */
	ADD_MAP(0x500000, 4 * PAGE);
	ADD_MAP(0x600000, 16 * PAGE);
	tried = TRIED("$BUILD/bpf/first_fit.bpf.o $BUILD/bpf/best_fit.bpf.o");
	EXPECT_EQ((1 + 16 + 1 + 4 + 1 + 16) * PAGE - 1, address(OF(tried, "first_fit"), "highest"));
	EXPECT_EQ((1 + 16 + 1 + 4 + 1) * PAGE - 1, address(OF(tried, "best_fit"), "highest"));
	EXPECT_LT(0, json_number(OF(tried, "best_fit"), "p99_ns"));
}

TEST_F(policy_try, finds_the_largest_gap)
{
	const __u64 step = 64 * MIB;
	json_object *tried;

	/* A page every 64 MiB, in no order, but for the ten from 20 on. */
	for (__u64 i = 0; i < 64; i++) {
		__u64 at = i * 37 % 64;

		if (at < 20 || at >= 30)
			fprintf(self->trace, "{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x%llx\","
				"\"length\":4096,\"addr\":\"0x0\",\"fixed\":true,\"prot\":\"rw\","
				"\"backing\":\"user\"}\n", at * step);
	}
	tried = TRIED("-b 32");
	EXPECT_EQ(11 * step - PAGE, json_number(OF(tried, "built-in"), "free_gap"));
}

TEST_F(policy_try, counts_what_fails_for_want_of_room)
{
	json_object *tried, *row;

	/* The MSI window leaves 18 MiB above it, and less than 4 GiB below. */
	ADD_MAP(1ULL << 40, 3ULL << 30);
	ADD_MAP(2ULL << 40, 1ULL << 30);
	ADD_UNMAP(2ULL << 40, 1ULL << 30);
	tried = TRIED("-b 32 $BUILD/bpf/top_down.bpf.o");
	row = OF(tried, "top_down");
	EXPECT_EQ(1, json_number(row, "failed"));
	EXPECT_EQ(-ENOSPC, json_object_get_int(json_member(row, "first_errno")));
	EXPECT_EQ(1, json_number(OF(tried, "built-in"), "failed"));
	/* Nothing is to be unmapped then. */
	EXPECT_EQ(1, json_number(tried, "skipped"));
}

TEST_F(policy_try, fixed_places_and_hints_are_kept)
{
	json_object *tried;

	fputs("{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x10000000\",\"length\":4096,"
	      "\"addr\":\"0x0\",\"fixed\":true,\"prot\":\"r\",\"backing\":\"user\"}\n"
	      "{\"t\":1,\"op\":\"copy\",\"space\":1,\"iova\":\"0x1000\",\"length\":4096,"
	      "\"addr\":\"0x0\",\"fixed\":false,\"hint\":\"0x20000000\",\"prot\":\"w\","
	      "\"backing\":\"dmabuf\"}\n", self->trace);
	tried = TRIED("$BUILD/bpf/first_fit.bpf.o");
	EXPECT_EQ(0x10000000, address(OF(tried, "built-in"), "lowest"));
	EXPECT_EQ(0x20000fff, address(OF(tried, "built-in"), "highest"));
	EXPECT_EQ(0x10001000, json_number(OF(tried, "built-in"), "span"));
	EXPECT_EQ(1, placed_by(OF(tried, "built-in"), "fixed"));
	EXPECT_EQ(1, placed_by(OF(tried, "built-in"), "hint"));
	/* A policy may have another opinion. */
	EXPECT_EQ(PAGE, address(OF(tried, "first_fit"), "lowest"));
}

/* --- policies -------------------------------------------------------------------- */

TEST_F(policy_try, one_that_declines_or_refuses)
{
	json_object *tried;

	ADD_MAP(0x10000, PAGE);
	ADD_MAP(0x20000, 2 * PAGE);
	ADD_MAP(0x40000, PAGE);
	tried = TRIED("--name declines $BUILD/bpf/odd.bpf.o");
	EXPECT_COUNTERS(OF(tried, "declines"), 3, 2, 1, 0, 0);
	EXPECT_EQ(2, placed_by(OF(tried, "declines"), "policy"));
	EXPECT_EQ(1, placed_by(OF(tried, "declines"), "declined"));
	EXPECT_EQ(3, placed_by(OF(tried, "built-in"), "declined"));
	EXPECT_EQ(0, json_number(OF(tried, "declines"), "failed"));
	tried = TRIED("--name refuses $BUILD/bpf/odd.bpf.o");
	EXPECT_COUNTERS(OF(tried, "refuses"), 3, 2, 0, 1, 0);
	EXPECT_EQ(1, json_number(OF(tried, "refuses"), "failed"));
	EXPECT_EQ(-EPERM, json_object_get_int(json_member(OF(tried, "refuses"), "first_errno")));
}

TEST_F(policy_try, one_that_is_ejected)
{
	json_object *tried;

	for (__u64 i = 1; i <= 20; i++)
		ADD_MAP(i * PAGE, PAGE);
	tried = TRIED("--name wrong $BUILD/bpf/odd.bpf.o");
	EXPECT_EQ(0, json_number(OF(tried, "wrong"), "failed"));
	EXPECT_COUNTERS(OF(tried, "wrong"), 16, 0, 0, 0, 16);
	EXPECT_EQ(4, placed_by(OF(tried, "wrong"), "built-in"));
	EXPECT_EQ(0, strncmp("faults errno=-22 ", json_string(OF(tried, "wrong"), "ejected"), 17));
	EXPECT_EQ(0, TRY("-T " TRACE " --name wrong $BUILD/bpf/odd.bpf.o"));
	SAYS("\n  ejected: faults errno=-22 ");
	SAYS("\n  the built-in allocator placed 4 since\n");
}

TEST_F(policy_try, scope_share_and_shadow_are_those_of_the_trial)
{
	json_object *tried;

	ADD_MAP(0x10000, PAGE);
	tried = TRIED("--name elsewhere $BUILD/bpf/odd.bpf.o");
	EXPECT_COUNTERS(OF(tried, "elsewhere"), 1, 1, 0, 0, 0);
	EXPECT_EQ((1ULL << 40) + PAGE - 1, address(OF(tried, "elsewhere"), "highest"));
}

TEST_F(policy_try, nobody_else_is_concerned)
{
	json_object *tried;

	START("top_down", "top_down");
	ADD_MAP(0x10000, PAGE);
	tried = TRIED("$BUILD/bpf/first_fit.bpf.o");
	EXPECT_EQ(2 * PAGE - 1, address(OF(tried, "built-in"), "highest"));
	EXPECT_EQ(2 * PAGE - 1, address(OF(tried, "first_fit"), "highest"));
	EXPECT_EQ(0, counted("asked"));
	EXPECT_STREQ("top_down", in_force());
	policy_close(&self->env.policy);
}

TEST_F_TIMEOUT(policy_try, shadows_of_the_host_are_not_asked, 120)
{
	ADD_MAP(0x10000, PAGE);
	ASSERT_EQ(0, shell_run(self->output, "$IOX policy load --shadow $BUILD/bpf/top_down.bpf.o"));
	EXPECT_EQ(0, TRY("-T " TRACE " $BUILD/bpf/first_fit.bpf.o"));
	EXPECT_EQ(0, shell_run(self->output, "$IOX policy show top_down"));
	SAYS("\n  asked     0\n");
	EXPECT_EQ(0, shell_run(self->output, "$IOX policy unload top_down"));
}

/* --- what goes wrong ------------------------------------------------------------- */

/* Fails, with @text in the one line that it says. */
#define FAILS(text, args) do {						\
	EXPECT_EQ(1, TRY(args " 2>&1 >/dev/null"));			\
	EXPECT_TRUE(shell_one_line(self->output));			\
	SAYS(text);							\
} while (0)

TEST_F_TIMEOUT(policy_try, policies_that_cannot_be, 120)
{
	ADD_MAP(0x10000, PAGE);
	FAILS("/nonexistent: No such file or directory\n", "/nonexistent -T " TRACE);
	FAILS(": has more than one policy; say which with --name: wrong, ",
	      "$BUILD/bpf/odd.bpf.o -T " TRACE);
	FAILS(": the verifier rejects write_request: ",
	      "-n writes_request $BUILD/bpf/misuse.bpf.o -T " TRACE);
	FAILS("says_no: its init says no: Exchange full; ",
	      "-n says_no $BUILD/bpf/unfit.bpf.o -T " TRACE);
}

TEST_F(policy_try, traces_that_cannot_be)
{
	FAILS("policy try: /nonexistent: No such file or directory\n", "-T /nonexistent");
	ADD_MAP(0x10000, PAGE);
	fputs("{\"t\":2,\"op\":\"map\"\n", self->trace);
	FAILS("policy try: " TRACE ":3: is no JSON object; ", "-T " TRACE);
}

TEST_F(policy_try, without_cgroups)
{
	ADD_MAP(0x10000, PAGE);
	fflush(self->trace);
	EXPECT_EQ(1, shell_run(self->output, "unshare -m sh -c 'umount /sys/fs/cgroup && "
			       "$IOX policy try -T " TRACE "' 2>&1"));
	EXPECT_STREQ("iox policy try: /sys/fs/cgroup: is no cgroup (v2) file system; "
		     "mount -t cgroup2 none /sys/fs/cgroup\n", self->output);
}

TEST_F(policy_try, without_privilege)
{
	ADD_MAP(0x10000, PAGE);
	fflush(self->trace);
	EXPECT_EQ(1, shell_run(self->output, "setpriv --bounding-set=-all -- "
			       "$IOX policy try -T " TRACE " 2>&1"));
	EXPECT_TRUE(shell_one_line(self->output));
	SAYS("; run it as root\n");
	EXPECT_EQ(1, shell_run(self->output, "setpriv --reuid 65534 --regid 65534 --clear-groups "
			       "--bounding-set=-all -- $IOX policy try -T " TRACE " 2>&1"));
	EXPECT_TRUE(shell_one_line(self->output));
	SAYS("; run it as root\n");
}

/* Starts a long trial as $p, and waits for its child $c. */
#define START_LONG							\
	"$IOX policy try $BUILD/bpf/best_fit.bpf.o -T " TRACE " 2>&1 >/dev/null & p=$!; "	\
	"while ! c=$(cat " OWN_CGROUPS "/cgroup.procs 2>/dev/null) || [ -z \"$c\" ]; do sleep 0.02; done; "

static void add_many(FILE *trace)
{
	for (__u64 i = 1; i <= 20000; i++) {
		add_map(trace, i << 20, PAGE, 0, "");
		if (i % 2)
			add_unmap(trace, i << 20, PAGE);
	}
	fflush(trace);
}

TEST_F_TIMEOUT(policy_try, a_signal_leaves_nothing, 120)
{
	add_many(self->trace);
	EXPECT_EQ(143, shell_run(self->output, START_LONG "kill $p; wait $p"));
	EXPECT_STREQ("", self->output);
	/* A shell has what it puts into the background ignore SIGINT: then just the status differs. */
	EXPECT_EQ(1, shell_run(self->output, START_LONG "kill -INT $p; wait $p"));
	EXPECT_STREQ("", self->output);
}

TEST_F_TIMEOUT(policy_try, a_killed_child_is_told, 120)
{
	add_many(self->trace);
	EXPECT_EQ(1, shell_run(self->output, START_LONG "kill -9 $c; wait $p"));
	EXPECT_TRUE(shell_one_line(self->output));
	SAYS(": its trial was ended by signal 9; ");
}

TEST_F_TIMEOUT(policy_try, what_a_killed_one_leaves_goes_with_the_next, 120)
{
	add_many(self->trace);
	/* By itself, the child does not end. */
	EXPECT_EQ(137, shell_run(self->output, START_LONG
				 "kill -STOP $c; kill -9 $p; wait $p 2>/dev/null"));
	/* The kernel takes the policy and the child; the cgroup stays. */
	shell_run(self->output, "while [ -n \"$(ls /sys/kernel/iox/iova_policies)\" ] || "
		  "[ -n \"$(cat " OWN_CGROUPS "/cgroup.procs)\" ]; do "
		  "sleep 0.02; done; ls -d " OWN_CGROUPS);
	SAYS("/iox-try-");
	rewind(self->trace);
	ASSERT_EQ(0, ftruncate(fileno(self->trace), 0));
	fputs(HEAD, self->trace);
	EXPECT_EQ(0, TRY("-T " TRACE));
}

/* --- usage ----------------------------------------------------------------------- */

TEST_F(policy_try, wrong_usage_gives_2)
{
	static const char *const wrong[] = {
		"", "a", "--trace", "-b 31 -T a", "-b 49 -T a", "-b x -T a", "-n a -T a",
		"-n a b c -T a", "--bogus",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(2, TRY("%s 2>&1 >/dev/null", wrong[i])) {
			TH_LOG("iox policy try %s: %s", wrong[i], self->output);
		}
		EXPECT_EQ(self->output, strstr(self->output, "iox policy try"));
	}
	EXPECT_EQ(0, TRY("--help"));
	SAYS("Usage: iox policy try ");
}

TEST_F_TIMEOUT(policy_try, traces_that_are_generated_can_be_tried, 120)
{
	static const char *const name[] = { "aging", "dpdk", "gpu", "nvme", "vmm" };

	for (size_t i = 0; i < ARRAY_SIZE(name); i++) {
		EXPECT_EQ(0, TRY("-T $BUILD/traces/%s.trace 2>&1", name[i]));
		SAYS("\nbuilt-in               0 ");
	}
}

TEST(on_a_kernel_without_policies)
{
	char *output = malloc(SHELL_OUTPUT_SIZE);

	if (iommufd_is_iox())
		SKIP(return, "this kernel has policies");
	EXPECT_EQ(1, shell_run(output, "$IOX policy try -T /nonexistent 2>&1"));
	EXPECT_TRUE(shell_has(output, "this kernel: has no IOVA policies; "));
	free(output);
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
