// SPDX-License-Identifier: GPL-2.0-only
/*
 * How IOVA policies come to be in force: who may be registered when, what the
 * verifier lets them do, and that plain bpftool is enough.
 */
#include <signal.h>
#include <sys/wait.h>

#include "lib/kmsg.h"
#include "policy.h"
#include "shell.h"

FIXTURE(policy)
{
	struct policy_env env;
};

POLICY_FIXTURE(policy)

/* --- who may be registered when --------------------------------------------- */

TEST_F(policy, second_is_busy)
{
	struct policy second;
	char text[256];
	int log = kmsg_open();

	START("top_down", "top_down");
	must(policy_open(&second, "bpf/answer.bpf.o", "answer"));
	must(policy_load(&second));
	must_fail(EBUSY, policy_attach(&second));
	must(kmsg_wait(log, "answer not registered: top_down is in force", 2000,
		       text, sizeof(text)));
	EXPECT_STREQ("top_down", in_force());
	EXPECT_EQ(TOP - PAGE, MAP(PAGE));

	/* Its turn comes when the first has gone. */
	policy_detach(&self->env.policy);
	must(policy_attach(&second));
	EXPECT_STREQ("answer", in_force());
	policy_close(&second);
	close(log);
}

TEST_F(policy, link_update_replaces)
{
	struct policy other;

	START("answer", "answer");
	MAP(PAGE);
	EXPECT_EQ(1, counted("asked"));
	must(policy_open(&other, "bpf/answer.bpf.o", "answer_again"));
	must(policy_load(&other));
	other.control->value = 32 * MIB;

	must(bpf_link__update_map(self->env.policy.link, other.map));
	EXPECT_STREQ("answer_again", in_force());
	EXPECT_COUNTED(0, 0, 0, 0, 0);
	EXPECT_EQ(32 * MIB, MAP(PAGE));
	EXPECT_COUNTED(1, 1, 0, 0, 0);
	EXPECT_EQ(1, self->env.policy.seen->calls);

	policy_detach(&self->env.policy);
	EXPECT_STREQ("none", in_force());
	policy_close(&other);
}

TEST_F(policy, dies_with_its_process)
{
	int ready[2], status;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	if (!pid) {
		if (!policy_start(&self->env.policy, "bpf/top_down.bpf.o",
				  "top_down"))
			byte = write(ready[1], "", 1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	EXPECT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_STREQ("top_down", in_force());
	kill(pid, SIGKILL);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_STREQ("none", in_force());
	close(ready[0]);
}

/* What the kernel spends on per-CPU memory, counters of policies included. */
static long percpu_kb(void)
{
	char line[128];
	long kb = -1;
	FILE *stream = fopen("/proc/meminfo", "r");

	while (stream && fgets(line, sizeof(line), stream))
		if (sscanf(line, "Percpu: %ld kB", &kb) == 1)
			break;
	if (stream)
		fclose(stream);
	return kb;
}

static int come_and_go(struct policy *policy, int rounds)
{
	int err = 0;

	while (rounds-- && !err) {
		err = policy_attach(policy);
		policy_detach(policy);
	}
	return err;
}

TEST_F(policy, registrations_leave_nothing_behind)
{
	/*
	 * A policy counts in 4 KiB a CPU: if one in 16 leaked, 2 MiB would. How
	 * many wait for their end at once, and so what the allocator keeps for
	 * the next, differs by hundreds of KiB.
	 */
	const int rounds = 4000, allowed_kb = 2048;
	long before, left;
	int i;

	must(policy_open(&self->env.policy, "bpf/first_fit.bpf.o", "first_fit"));
	must(policy_load(&self->env.policy));
	/* The allocator keeps some of the pages that it needed once. */
	must(come_and_go(&self->env.policy, rounds));
	before = percpu_kb();
	must(come_and_go(&self->env.policy, rounds));

	/* They are freed after a grace period, and in the background. */
	for (i = 0; i < 100; i++) {
		left = percpu_kb() - before;
		if (left < allowed_kb)
			break;
		usleep(50000);
	}
	EXPECT_LT(left, allowed_kb);
}

FIXTURE(rejected)
{
	struct policy_env env;
};

FIXTURE_VARIANT(rejected)
{
	char name[NAME_LEN];
	bool without_select;
};

POLICY_FIXTURE(rejected)

FIXTURE_VARIANT_ADD(rejected, no_select) {
	.name = "fine",
	.without_select = true,
};
FIXTURE_VARIANT_ADD(rejected, no_name) { .name = "", };
FIXTURE_VARIANT_ADD(rejected, endless_name) {
	.name = { 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a',
		  'a', 'a', 'a', 'a', },
};
FIXTURE_VARIANT_ADD(rejected, space_in_name) { .name = "a b", };
FIXTURE_VARIANT_ADD(rejected, control_in_name) { .name = "a\n", };
FIXTURE_VARIANT_ADD(rejected, not_ascii_in_name) { .name = "\xc3\xa9", };
FIXTURE_VARIANT_ADD(rejected, none_as_name) { .name = "none", };

TEST_F(rejected, with_reason)
{
	struct policy *policy = &self->env.policy;
	int log = kmsg_open();
	struct iova_ops *ops;
	char text[256];

	must(policy_open(policy, "bpf/answer.bpf.o", "answer"));
	ops = bpf_map__initial_value(policy->map, NULL);
	memcpy(ops->name, variant->name, NAME_LEN);
	if (variant->without_select)
		ops->select = NULL;
	must(policy_load(policy));
	must_fail(EINVAL, policy_attach(policy));
	must(kmsg_wait(log, variant->without_select ?
		       "IOVA policy fine rejected: it has no .select" :
		       "IOVA policy rejected: .name must be", 2000,
		       text, sizeof(text)));
	close(log);
}

TEST_F(policy, longest_name)
{
	struct iova_ops *ops;

	must(policy_open(&self->env.policy, "bpf/answer.bpf.o", "answer"));
	ops = bpf_map__initial_value(self->env.policy.map, NULL);
	memcpy(ops->name, "~bcdefghijklmn!", NAME_LEN);
	must(policy_load(&self->env.policy));
	must(policy_attach(&self->env.policy));
	EXPECT_STREQ("~bcdefghijklmn!", in_force());
}

/* --- what the verifier rejects ---------------------------------------------- */

FIXTURE(misuse)
{
	struct policy_env env;
};

FIXTURE_VARIANT(misuse)
{
	const char *map;
	const char *program;	/* when it is in no struct_ops map */
	const char *reason;
};

POLICY_FIXTURE(misuse)

FIXTURE_VARIANT_ADD(misuse, writes_request) {
	.map = "writes_request",
	.reason = "an IOVA policy may not write to struct iox_iova_req",
};
FIXTURE_VARIANT_ADD(misuse, reads_beyond) {
	.map = "reads_beyond",
	.reason = "access beyond struct iox_iova_req",
};
FIXTURE_VARIANT_ADD(misuse, sleeps) {
	.map = "sleeps",
	.reason = "attach to unsupported member select of struct iox_iova_ops",
};
FIXTURE_VARIANT_ADD(misuse, passes_null) {
	.map = "passes_null",
	.reason = "Possibly NULL pointer passed to trusted R1",
};
FIXTURE_VARIANT_ADD(misuse, passes_forged) {
	.map = "passes_forged",
	.reason = "R1 is fp expected STRUCT iox_iova_req",
};
FIXTURE_VARIANT_ADD(misuse, passes_shifted) {
	.map = "passes_shifted",
	.reason = "R1 expected pointer to STRUCT iox_iova_req",
};
FIXTURE_VARIANT_ADD(misuse, passes_ops) {
	.map = "passes_ops",
	.reason = "R1 must be referenced or trusted",
};
FIXTURE_VARIANT_ADD(misuse, writes_area) {
	.map = "writes_area",
	.reason = "an IOVA policy may not write to struct iox_iova_area",
};
FIXTURE_VARIANT_ADD(misuse, has_no_room_for_window) {
	.map = "has_no_room_for_window",
	.reason = "invalid read from stack R3 off=-8 size=16",
};
FIXTURE_VARIANT_ADD(misuse, walks_from_nowhere) {
	.map = "walks_from_nowhere",
	.reason = "expected an initialized iter_iox_gap",
};
FIXTURE_VARIANT_ADD(misuse, walks_without_end) {
	.map = "walks_without_end",
	.reason = "Unreleased reference",
};
FIXTURE_VARIANT_ADD(misuse, writes_gap) {
	.map = "writes_gap",
	.reason = "an IOVA policy may not write to struct iox_gap",
};
FIXTURE_VARIANT_ADD(misuse, never_ends) {
	.map = "never_ends",
	.reason = "infinite loop detected",
};
FIXTURE_VARIANT_ADD(misuse, asks_in_mapped) {
	.map = "asks_in_mapped",
	.reason = "calling kernel function iox_iova_best_gap is not allowed",
};
FIXTURE_VARIANT_ADD(misuse, gives_up_in_exit) {
	.map = "gives_up_in_exit",
	.reason = "calling kernel function iox_policy_give_up_bstr is not allowed",
};
FIXTURE_VARIANT_ADD(misuse, calls_from_tcp) {
	.map = "calls_from_tcp",
	.reason = "calling kernel function iox_iova_first_gap is not allowed",
};
FIXTURE_VARIANT_ADD(misuse, calls_from_syscall) {
	.program = "call_from_syscall",
	.reason = "calling kernel function iox_iova_first_gap is not allowed",
};
FIXTURE_VARIANT_ADD(misuse, calls_from_fentry) {
	.program = "call_from_fentry",
	.reason = "calling kernel function iox_iova_last_gap is not allowed",
};

TEST_F(misuse, is_rejected)
{
	struct policy *policy = &self->env.policy;
	struct bpf_program *program;
	int err;

	err = policy_open(policy, "bpf/misuse.bpf.o",
			  variant->map ?: "writes_request");
	ASSERT_EQ(0, err);
	if (variant->program) {
		bpf_map__set_autocreate(policy->map, false);
		program = bpf_object__find_program_by_name(policy->object,
							   variant->program);
		ASSERT_NE(NULL, program);
		must(bpf_program__set_autoload(program, true));
	}
	EXPECT_GT(0, policy_load(policy));
	EXPECT_NE(NULL, strstr(verifier_log, variant->reason))
		TH_LOG("verifier: %s", verifier_log);
}

/* --- plain bpftool ---------------------------------------------------------- */

static char output[SHELL_OUTPUT_SIZE];

/* The bpftool of the same tree */
#define bpftool(format, ...) \
	shell_run(output, "$BUILD/tools/bin/bpftool " format " 2>&1", ##__VA_ARGS__)
#define iox(format, ...) shell_run(output, "$IOX " format " 2>&1", ##__VA_ARGS__)

FIXTURE(bpftool)
{
	struct policy_env env;
};

FIXTURE_VARIANT(bpftool)
{
	const char *name;
};

FIXTURE_VARIANT_ADD(bpftool, top_down) { .name = "top_down", };
FIXTURE_VARIANT_ADD(bpftool, first_fit) { .name = "first_fit", };
FIXTURE_VARIANT_ADD(bpftool, best_fit) { .name = "best_fit", };
FIXTURE_VARIANT_ADD(bpftool, huge_align) { .name = "huge_align", };
FIXTURE_VARIANT_ADD(bpftool, dense) { .name = "dense", };
FIXTURE_VARIANT_ADD(bpftool, guard) { .name = "guard", };
FIXTURE_VARIANT_ADD(bpftool, random) { .name = "random", };
FIXTURE_VARIANT_ADD(bpftool, split32) { .name = "split32", };

FIXTURE_SETUP(bpftool)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd knows no policies");
	shell_environment();
	policy_env_init(_metadata, &self->env);
}

FIXTURE_TEARDOWN(bpftool)
{
	if (!iommufd_is_iox())
		return;
	bpftool("struct_ops unregister name %s", variant->name);
	policy_env_fini(_metadata, &self->env);
}

#define EXPECT_SAID(text) \
	EXPECT_NE(NULL, strstr(output, text)) TH_LOG("bpftool: %s", output)

TEST_F(bpftool, round_trip)
{
	const char *directory = "/sys/fs/bpf/iox_policy_test";

	ASSERT_EQ(0, bpftool("struct_ops register %s/%s.bpf.o %s",
			     built("bpf"), variant->name, directory));
	EXPECT_SAID("Registered iox_iova_ops");
	EXPECT_STREQ(variant->name, in_force());

	EXPECT_EQ(0, bpftool("struct_ops list"));
	EXPECT_SAID(variant->name);
	EXPECT_SAID("iox_iova_ops");
	EXPECT_EQ(0, bpftool("struct_ops dump id %ld", counted("map_id")));
	EXPECT_SAID("BPF_STRUCT_OPS_STATE_INUSE");
	EXPECT_SAID(variant->name);
	EXPECT_EQ(0, bpftool("map show name %s", variant->name));
	EXPECT_SAID("struct_ops");
	EXPECT_EQ(0, bpftool("prog show name %s_select", variant->name));
	EXPECT_SAID("struct_ops");

	/* It lasts though bpftool has ended, and is the only one. */
	EXPECT_NE(0, bpftool("struct_ops register %s/%s.bpf.o", built("bpf"),
			     variant->name));
	EXPECT_SAID("Device or resource busy");

	EXPECT_EQ(0, bpftool("struct_ops unregister name %s", variant->name));
	EXPECT_SAID("Unregistered iox_iova_ops");
	EXPECT_STREQ("none", in_force());
	rmdir(directory);
}

/* bpftool lists links of policies that something else has put in force. */
TEST_F(bpftool, link)
{
	ASSERT_EQ(0, iox("policy load %s/%s.bpf.o", built("bpf"), variant->name));
	EXPECT_EQ(0, bpftool("-f link list"));
	EXPECT_SAID("struct_ops");
	EXPECT_SAID("/sys/fs/bpf/iox/policy/");
	EXPECT_SAID(variant->name);
	EXPECT_EQ(0, iox("policy unload %s", variant->name));
	EXPECT_EQ(0, bpftool("link list"));
	EXPECT_EQ(NULL, strstr(output, "struct_ops"));
}

TEST_HARNESS_MAIN
