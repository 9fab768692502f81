// SPDX-License-Identifier: GPL-2.0-only
/*
 * iox policy load, unload, replace, show and check: what they say they do is in
 * force, and what goes wrong is told in one line and leaves nothing behind.
 */
#include <sys/stat.h>

#include "policy.h"
#include "shell.h"

#define PINS "/sys/fs/bpf/iox/policy/"
#define CGROUP "/sys/fs/cgroup/iox-cmd"
/* top_down places behind it, the built-in allocator and first_fit before. */
#define MIDDLE (1ULL << 40)

FIXTURE(policy_cmd)
{
	struct policy_env env;
	char *output;		/* standard output and error of the last run */
	json_object *json;
};

FIXTURE_SETUP(policy_cmd)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd knows no policies");
	self->json = NULL;
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
	policy_env_init(_metadata, &self->env);
	ASSERT_TRUE(!mkdir(CGROUP, 0755) || errno == EEXIST);
}

FIXTURE_TEARDOWN(policy_cmd)
{
	if (!iommufd_is_iox())
		return;
	/* A test may end anywhere, and the pins stay. */
	policy_close(&self->env.policy);
	shell_run(self->output, "rm -f " PINS "*; "
		  "for i in $(ls /sys/kernel/iox/iova_policies); do "
		  "$BUILD/tools/bin/bpftool struct_ops unregister id $i; done 2>&1");
	rmdir(CGROUP);
	json_object_put(self->json);
	free(self->output);
	policy_env_fini(_metadata, &self->env);
}

/* --- what it does ---------------------------------------------------------------- */

#define IOX(...) shell_run(self->output, "$IOX policy " __VA_ARGS__)

/* Succeeds; fails, with @text in the one line that it says. */
#define OK(command) do {						\
	EXPECT_EQ(0, IOX(command " 2>&1")) {				\
		TH_LOG("%s: %s", command, self->output);		\
	}								\
} while (0)

#define FAILS(text, command) do {					\
	EXPECT_EQ(1, IOX(command " 2>&1 >/dev/null"));			\
	EXPECT_TRUE(shell_one_line(self->output));			\
	EXPECT_TRUE(shell_has(self->output, text)) {			\
		TH_LOG("%s: %s", command, self->output);		\
	}								\
} while (0)

#define SAYS(text) EXPECT_TRUE(shell_has(self->output, text)) {		\
	TH_LOG("%s", self->output);					\
}

/* What "show --json" says, NULL if it fails. */
#define SHOW(which) ({							\
	json_object_put(self->json);					\
	self->json = NULL;						\
	if (!IOX("show --json %s", which) && shell_one_line(self->output))	\
		self->json = json_tokener_parse(self->output);		\
	EXPECT_NE(NULL, self->json);					\
	self->json;							\
})

static int registered(void)
{
	static char output[SHELL_OUTPUT_SIZE];

	shell_run(output, "ls /sys/kernel/iox/iova_policies | wc -l");
	return atoi(output);
}

/* Maps that BPF has for policies, those that are in no force too. */
static int loaded(void)
{
	static char output[SHELL_OUTPUT_SIZE];

	shell_run(output, "$IOX policy list --json");
	return json_object_array_length(json_member(json_tokener_parse(output), "policies"));
}

/* --- load ------------------------------------------------------------------------ */

TEST_F(policy_cmd, load_puts_it_in_force_and_it_stays)
{
	char line[64];

	OK("load $BUILD/bpf/top_down.bpf.o");
	snprintf(line, sizeof(line), "top_down: map %ld, host\n", counted("map_id"));
	EXPECT_STREQ(line, self->output);
	EXPECT_STREQ("top_down", in_force());
	EXPECT_EQ(0, access(PINS "top_down", F_OK));
	EXPECT_EQ(TOP - PAGE, MAP(PAGE));
}

TEST_F(policy_cmd, load_for_a_cgroup)
{
	OK("load $BUILD/bpf/top_down.bpf.o --cgroup " CGROUP);
	SAYS(", cgroup " CGROUP "\n");
	EXPECT_STREQ("none", in_force());
	EXPECT_LT(MIDDLE, map_in(CGROUP, self->env.buffer));
	EXPECT_GT(MIDDLE, map_in(CGROUPS, self->env.buffer));
}

TEST_F(policy_cmd, load_for_a_share)
{
	const int nr = 1000;
	__u64 canaries;
	__u32 ioas[nr];

	OK("load --share 200 $BUILD/bpf/top_down.bpf.o");
	SAYS(", host, 200 of 1000\n");
	for (int i = 0; i < nr; i++)
		must(ioas_alloc(self->env.fd, &ioas[i]));
	canaries = json_number(SHOW("top_down"), "spaces");
	EXPECT_LT(140, canaries);
	EXPECT_GT(260, canaries);
	EXPECT_STREQ("canary", json_string(self->json, "state"));
	EXPECT_EQ(200, json_number(self->json, "share"));
}

TEST_F(policy_cmd, load_as_a_shadow)
{
	OK("load --shadow $BUILD/bpf/top_down.bpf.o");
	SAYS(", host, shadow\n");
	EXPECT_GT(MIDDLE, MAP(PAGE));
	EXPECT_STREQ("shadow", json_string(SHOW("top_down"), "state"));
	EXPECT_EQ(1, json_number(json_member(self->json, "counters"), "asked"));
}

TEST_F(policy_cmd, load_as_strict)
{
	__u64 iova;

	/* Untold, it has no opinion. */
	OK("load --name answer $BUILD/bpf/answer.bpf.o");
	MAP(PAGE);
	OK("unload answer");
	OK("load --name answer --strict $BUILD/bpf/answer.bpf.o");
	SAYS(", host, strict\n");
	must_fail(ENOSPC, ioas_map_auto(self->env.fd, self->env.ioas, self->env.buffer, PAGE,
					&iova));
}

TEST_F(policy_cmd, load_as_lenient)
{
	OK("load --name answer --strict --lenient $BUILD/bpf/answer.bpf.o");
	SAYS(", host, strict, lenient\n");
	MAP(PAGE);
	OK("show answer");
	SAYS("\n  flags     strict, lenient\n");
	/* It is for who has yet to prove good; the next one does not inherit it. */
	OK("replace --name answer answer $BUILD/bpf/answer.bpf.o");
	SAYS(": host, strict\n");
}

TEST_F(policy_cmd, load_takes_what_the_file_says)
{
	OK("load --name odd_name $BUILD/bpf/unfit.bpf.o");
	SAYS(", host, 7 of 1000, strict\n");
	/* Dots and slashes have no place in the name of a pin. */
	EXPECT_EQ(0, access(PINS "___a_b_c", F_OK));
	EXPECT_EQ(7, json_number(SHOW("../a.b/c"), "share"));
}

TEST_F(policy_cmd, load_wants_to_know_which)
{
	FAILS(": has more than one policy; say which with --name: answer, answer_again\n",
	      "load $BUILD/bpf/answer.bpf.o");
	FAILS(": has no policy 'other'; say which with --name: answer, answer_again\n",
	      "load --name other $BUILD/bpf/answer.bpf.o");
	OK("load --name answer_again $BUILD/bpf/answer.bpf.o");
	EXPECT_STREQ("answer_again", in_force());
	EXPECT_EQ(1, loaded());
}

TEST_F_TIMEOUT(policy_cmd, load_of_what_is_no_policy, 120)
{
	FAILS("iox policy load: /nonexistent: No such file or directory\n", "load /nonexistent");
	FAILS("/passwd: is no BPF object with BTF; compile it ", "load /etc/passwd");
	FAILS(": has no policy; it needs a struct iox_iova_ops or iox_admit_ops ",
	      "load $BUILD/bpf/probe.bpf.o");
	FAILS("iox policy load: /tmp: is no cgroup (v2); name ",
	      "load --cgroup /tmp $BUILD/bpf/top_down.bpf.o");
	FAILS("iox policy load: /nonexistent: No such file or directory; name ",
	      "load --cgroup /nonexistent $BUILD/bpf/top_down.bpf.o");
	EXPECT_EQ(0, loaded());
}

TEST_F(policy_cmd, load_tells_why_the_verifier_rejects_it)
{
	FAILS(": the verifier rejects write_request: "
	      "an IOVA policy may not write to struct iox_iova_req: ",
	      "load --name writes_request $BUILD/bpf/misuse.bpf.o");
	SAYS(" (misuse.bpf.c:");
	FAILS(": the verifier rejects pass_null: Possibly NULL pointer passed to trusted R1 (",
	      "load --name passes_null $BUILD/bpf/misuse.bpf.o");
	EXPECT_EQ(1, shell_run(self->output, "IOX_DEBUG=1 $IOX policy load --name writes_request "
			       "$BUILD/bpf/misuse.bpf.o 2>&1"));
	SAYS("\nprocessed 3 insns ");
	EXPECT_EQ(0, loaded());
}

TEST_F_TIMEOUT(policy_cmd, load_tells_why_the_kernel_rejects_it, 120)
{
	FAILS("asks_nobody rejected: it has no .select; ",
	      "load --name asks_nobody $BUILD/bpf/unfit.bpf.o");
	FAILS("wants_too_much rejected: .share is in thousandths, 1000 at most; ",
	      "load --name wants_too_much $BUILD/bpf/unfit.bpf.o");
	FAILS("load: is_nowhere: there is no cgroup with the id 140737488355327; ",
	      "load --name is_nowhere $BUILD/bpf/unfit.bpf.o");
	FAILS("load: says_no: its init says no: Exchange full; ",
	      "load --name says_no $BUILD/bpf/unfit.bpf.o");
	EXPECT_EQ(0, loaded());
}

TEST_F_TIMEOUT(policy_cmd, load_tells_who_is_in_its_place, 120)
{
	char line[128];

	OK("load $BUILD/bpf/top_down.bpf.o");
	snprintf(line, sizeof(line), "load: first_fit: top_down (map %ld) is in its place; "
		 "'iox policy unload %ld' first, or replace it\n", counted("map_id"),
		 counted("map_id"));
	FAILS(line, "load $BUILD/bpf/first_fit.bpf.o");
	OK("load --shadow $BUILD/bpf/first_fit.bpf.o");
	OK("load --share 10 $BUILD/bpf/first_fit.bpf.o");
	OK("load --cgroup " CGROUP " $BUILD/bpf/first_fit.bpf.o");
	FAILS("load: top_down: first_fit (map ",
	      "load --cgroup " CGROUP " $BUILD/bpf/top_down.bpf.o");
	EXPECT_EQ(4, registered());
	EXPECT_EQ(4, loaded());
}

TEST_F(policy_cmd, load_without_a_file_system_to_pin_in)
{
	EXPECT_EQ(1, shell_run(self->output, "unshare -m sh -c 'umount /sys/fs/bpf && "
			       "$IOX policy load $BUILD/bpf/top_down.bpf.o' 2>&1"));
	EXPECT_STREQ("iox policy load: /sys/fs/bpf: is no BPF file system; "
		     "mount -t bpf bpf /sys/fs/bpf\n", self->output);
	EXPECT_EQ(0, loaded());
}

/* --- unload ---------------------------------------------------------------------- */

TEST_F(policy_cmd, unload_leaves_nothing)
{
	OK("load $BUILD/bpf/top_down.bpf.o");
	OK("unload top_down");
	EXPECT_STREQ("", self->output);
	EXPECT_EQ(0, loaded());
	EXPECT_NE(0, access(PINS "top_down", F_OK));
	EXPECT_STREQ("none", in_force());
	EXPECT_GT(MIDDLE, MAP(PAGE));
}

TEST_F(policy_cmd, unload_though_somebody_has_the_link_open)
{
	int link;

	OK("load $BUILD/bpf/top_down.bpf.o");
	link = bpf_obj_get(PINS "top_down");
	ASSERT_LE(0, link);
	OK("unload top_down");
	EXPECT_STREQ("none", in_force());
	EXPECT_EQ(0, loaded());
	close(link);
}

TEST_F(policy_cmd, unload_of_what_bpftool_has_registered)
{
	ASSERT_EQ(0, shell_run(self->output, "$BUILD/tools/bin/bpftool struct_ops register "
			       "$BUILD/bpf/top_down.bpf.o"));
	OK("unload top_down");
	EXPECT_EQ(0, registered());
	EXPECT_EQ(0, loaded());
}

TEST_F_TIMEOUT(policy_cmd, unload_of_one_of_the_same_name, 120)
{
	char command[64], text[128];
	long host, cgroup;

	OK("load $BUILD/bpf/top_down.bpf.o");
	host = counted("map_id");
	OK("load --cgroup " CGROUP " $BUILD/bpf/top_down.bpf.o");
	sscanf(self->output, "top_down: map %ld", &cgroup);
	snprintf(text, sizeof(text), "unload: top_down: is the name of several policies; "
		 "say which by the id of its map: %ld, %ld\n", host, cgroup);
	FAILS(text, "unload top_down");
	EXPECT_EQ(2, registered());

	snprintf(command, sizeof(command), "unload %ld", host);
	ASSERT_EQ(0, IOX("%s", command));
	EXPECT_STREQ("none", in_force());
	EXPECT_LT(MIDDLE, map_in(CGROUP, self->env.buffer));
	OK("unload top_down");
	EXPECT_EQ(0, registered());
	EXPECT_EQ(0, shell_run(self->output, "ls " PINS));
	EXPECT_STREQ("", self->output);
}

TEST_F(policy_cmd, unload_leaves_others_what_is_theirs)
{
	FAILS("unload: other: no such policy; 'iox policy list' ", "unload other");
	START("answer", "answer");
	FAILS("unload: answer: is held by link ", "unload answer");
	EXPECT_STREQ("answer", in_force());
	policy_detach(&self->env.policy);
	FAILS("unload: answer: is not in force; ", "unload answer");
}

/* --- replace --------------------------------------------------------------------- */

TEST_F(policy_cmd, replace_puts_another_in_its_place)
{
	__u64 map, link;

	OK("load $BUILD/bpf/first_fit.bpf.o");
	map = json_number(SHOW("first_fit"), "map_id");
	link = json_number(self->json, "link_id");
	OK("replace first_fit $BUILD/bpf/top_down.bpf.o");
	EXPECT_STREQ("top_down", in_force());
	EXPECT_NE(map, json_number(SHOW("top_down"), "map_id"));
	EXPECT_EQ(link, json_number(self->json, "link_id"));
	EXPECT_STREQ(PINS "top_down", json_string(self->json, "pin"));
	EXPECT_EQ(TOP - PAGE, MAP(PAGE));
	OK("unload top_down");
	EXPECT_EQ(0, loaded());
}

TEST_F_TIMEOUT(policy_cmd, replace_keeps_the_place, 120)
{
	struct stat cgroup;

	ASSERT_EQ(0, stat(CGROUP, &cgroup));
	OK("load --cgroup " CGROUP " --share 30 --strict $BUILD/bpf/top_down.bpf.o");
	OK("replace top_down $BUILD/bpf/first_fit.bpf.o");
	EXPECT_EQ(cgroup.st_ino, json_number(SHOW("first_fit"), "cgroup_id"));
	EXPECT_EQ(30, json_number(self->json, "share"));
	EXPECT_STREQ("[ \"strict\" ]",
		     json_object_to_json_string(json_member(self->json, "flags")));

	OK("load --shadow $BUILD/bpf/top_down.bpf.o");
	OK("replace top_down --name answer $BUILD/bpf/answer.bpf.o");
	EXPECT_STREQ("shadow", json_string(SHOW("answer"), "state"));
}

TEST_F_TIMEOUT(policy_cmd, replace_lets_a_canary_grow, 120)
{
	OK("load --share 30 $BUILD/bpf/top_down.bpf.o");
	OK("replace --share 500 top_down $BUILD/bpf/top_down.bpf.o");
	EXPECT_EQ(500, json_number(SHOW("top_down"), "share"));
	EXPECT_STREQ("canary", json_string(self->json, "state"));
	OK("replace --share 1000 top_down $BUILD/bpf/top_down.bpf.o");
	EXPECT_STREQ("in-force", json_string(SHOW("top_down"), "state"));

	OK("load --share 30 $BUILD/bpf/first_fit.bpf.o");
	FAILS("replace: first_fit: top_down (map ",
	      "replace --share 1000 first_fit $BUILD/bpf/first_fit.bpf.o");
	EXPECT_EQ(30, json_number(SHOW("first_fit"), "share"));
}

TEST_F_TIMEOUT(policy_cmd, replace_by_what_cannot_be, 120)
{
	OK("load $BUILD/bpf/top_down.bpf.o");
	FAILS(": the verifier rejects write_request: ",
	      "replace top_down --name writes_request $BUILD/bpf/misuse.bpf.o");
	FAILS("asks_nobody rejected: ",
	      "replace top_down --name asks_nobody $BUILD/bpf/unfit.bpf.o");
	FAILS("says_no: its init says no: ",
	      "replace top_down --name says_no $BUILD/bpf/unfit.bpf.o");
	FAILS("other: no such policy; ", "replace other $BUILD/bpf/first_fit.bpf.o");
	EXPECT_STREQ("top_down", in_force());
	EXPECT_EQ(1, loaded());
}

TEST_F(policy_cmd, replace_of_one_without_a_link)
{
	ASSERT_EQ(0, shell_run(self->output, "$BUILD/tools/bin/bpftool struct_ops register "
			       "$BUILD/bpf/top_down.bpf.o"));
	FAILS("top_down: has no link, so it cannot be replaced in one step; 'iox policy unload ",
	      "replace top_down $BUILD/bpf/first_fit.bpf.o");
	EXPECT_STREQ("top_down", in_force());
}

/* With a moment without policy, one of them would be low. */
static int map_high(struct mapper *m)
{
	return mapper_map_between(m, PAGE, MIDDLE, UINT64_MAX);
}

TEST_F_TIMEOUT(policy_cmd, replace_while_somebody_maps, 120)
{
	struct mapper m;
	long before = 0;

	OK("load $BUILD/bpf/top_down.bpf.o");
	must(mapper_start(&m, &self->env, map_high));
	for (int i = 0; i < 10; i++) {
		OK("replace top_down $BUILD/bpf/top_down.bpf.o");
		EXPECT_LT(before, m.maps);
		before = m.maps;
	}
	EXPECT_EQ(0, mapper_stop(&m));
}

/* --- show ------------------------------------------------------------------------ */

TEST_F(policy_cmd, show_has_all_that_sysfs_has)
{
	char line[64];

	START("answer", "answer");
	MAP(PAGE);
	self->env.policy.control->value = MIDDLE;
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(MIDDLE, MAP(PAGE));
		must(ioas_unmap(self->env.fd, self->env.ioas, MIDDLE, PAGE));
	}
	ASSERT_EQ(0, IOX("show %ld", counted("map_id")));
	SAYS("answer\n  kind      IOVA policy\n  state     in-force\n");
	SAYS("\n  scope     host\n  share     1000 of 1000\n  flags     -\n  spaces    1\n");
	SAYS("\n  asked     4\n  used      3 (75.0 %)\n  declined  1 (25.0 %)\n"
	     "  refused   0 (0.0 %)\n");
	SAYS("\n  p50       ");
	snprintf(line, sizeof(line), "\n  map       %ld (answer)\n", counted("map_id"));
	SAYS(line);

	EXPECT_STREQ("answer", json_string(SHOW("answer"), "name"));
	EXPECT_EQ(4, json_number(json_member(self->json, "counters"), "asked"));
	EXPECT_EQ(3, json_number(json_member(self->json, "counters"), "used"));
	EXPECT_LT(0, json_number(self->json, "p50_ns"));
	EXPECT_EQ(NULL, json_member(self->json, "pin"));
	EXPECT_EQ(NULL, json_member(self->json, "cgroup"));
	EXPECT_EQ(NULL, json_member(self->json, "exit"));
}

TEST_F(policy_cmd, show_finds_the_cgroup)
{
	OK("load --cgroup " CGROUP " --strict $BUILD/bpf/top_down.bpf.o");
	OK("show top_down");
	SAYS("\n  scope     cgroup " CGROUP "\n");
	SAYS("\n  flags     strict\n");
	SAYS(", pinned at " PINS "top_down\n");
	EXPECT_STREQ(CGROUP, json_string(SHOW("top_down"), "cgroup"));
	EXPECT_STREQ(PINS "top_down", json_string(self->json, "pin"));
}

TEST_F(policy_cmd, show_tells_why_it_was_ejected)
{
	START("answer", "answer");
	self->env.policy.control->value = 1;
	for (int i = 0; i < 16; i++)
		MAP(PAGE);
	for (int i = 0; i < 500 && strcmp("none", in_force()); i++)
		usleep(10000);
	usleep(100000);
	OK("show answer");
	SAYS("\n  state     ejected\n");
	SAYS("\n  faults    16 (100.0 %)\n");
	SAYS("\n  exit      faults errno=-22 ");
	FAILS("show: other: no such policy; ", "show other");
}

/* --- check ----------------------------------------------------------------------- */

TEST_F_TIMEOUT(policy_cmd, check_says_what_is_in_a_file, 120)
{
	OK("check $BUILD/bpf/answer.bpf.o");
	SAYS("answer: accepted\n  kind          IOVA policy\n  variable      answer\n"
	     "  members       select (");
	SAYS("\n  attached to   host\nanswer_again: accepted\n");
	OK("load $BUILD/bpf/top_down.bpf.o");
	OK("check $BUILD/bpf/witness.bpf.o");
	SAYS(" ioas_init (");
	SAYS("\n  instructions  ");
	SAYS("\n  now there     top_down (map ");
	EXPECT_EQ(1, loaded());
	EXPECT_EQ(1, registered());
}

/* What $IOX policy COMMAND prints as JSON, NULL if it fails. */
#define JSON(command) ({						\
	json_object_put(self->json);					\
	self->json = NULL;						\
	if (!IOX(command) && shell_one_line(self->output))		\
		self->json = json_tokener_parse(self->output);		\
	EXPECT_NE(NULL, self->json);					\
	self->json;							\
})

TEST_F_TIMEOUT(policy_cmd, all_speak_json, 120)
{
	json_object *one;
	__u64 id;

	one = json_object_array_get_idx(json_member(JSON("check -j $BUILD/bpf/top_down.bpf.o"),
						    "policies"), 0);
	EXPECT_STREQ("top_down", json_string(one, "name"));
	EXPECT_TRUE(json_object_get_boolean(json_member(one, "accepted")));
	EXPECT_LT(0, json_number(json_member(one, "members"), "select"));
	EXPECT_EQ(1000, json_number(one, "share"));

	id = json_number(JSON("load --json $BUILD/bpf/top_down.bpf.o"), "map_id");
	EXPECT_LT(0, id);
	EXPECT_STREQ("top_down", json_string(self->json, "name"));
	one = json_object_array_get_idx(json_member(JSON("check -j $BUILD/bpf/first_fit.bpf.o"),
						    "policies"), 0);
	EXPECT_EQ(id, json_number(json_member(one, "now_there"), "map_id"));

	one = JSON("replace -j top_down $BUILD/bpf/first_fit.bpf.o");
	EXPECT_STREQ("first_fit", json_string(one, "name"));
	EXPECT_EQ(id, json_number(json_member(one, "replaced"), "map_id"));
	MAP(PAGE);
	one = JSON("unload -j first_fit");
	EXPECT_STREQ("first_fit", json_string(one, "name"));
	EXPECT_EQ(1, json_number(json_member(one, "counters"), "asked"));

	/* The reason is not for programs, that there is one is. */
	EXPECT_EQ(1, IOX("check -j $BUILD/bpf/unfit.bpf.o 2>/dev/null"));
	EXPECT_TRUE(shell_one_line(self->output));
	EXPECT_TRUE(shell_has(self->output, "\"accepted\":false")) {
		TH_LOG("%s", self->output);
	}
}

TEST_F_TIMEOUT(policy_cmd, check_rejects_what_the_kernel_would, 120)
{
	EXPECT_EQ(1, IOX("check $BUILD/bpf/unfit.bpf.o 2>/dev/null"));
	EXPECT_FALSE(shell_has(self->output, "asks_nobody"));
	EXPECT_FALSE(shell_has(self->output, "wants_too_much"));
	SAYS("../a.b/c: accepted\n");
	SAYS("\n  attached to   host, 7 of 1000, strict\n");
	EXPECT_EQ(1, IOX("check $BUILD/bpf/unfit.bpf.o 2>&1 >/dev/null"));
	SAYS("asks_nobody rejected: it has no .select; ");
	EXPECT_EQ(1, IOX("check $BUILD/bpf/misuse.bpf.o 2>&1"));
	SAYS(": the verifier rejects read_beyond: access beyond struct iox_iova_req ");
	FAILS(": has no policy; ", "check $BUILD/bpf/probe.bpf.o");
	FAILS("/nonexistent: No such file or directory", "check /nonexistent");
	EXPECT_EQ(0, loaded());
}

/* --- all of them ----------------------------------------------------------------- */

TEST_F_TIMEOUT(policy_cmd, wrong_usage_gives_2, 120)
{
	static const char *const wrong[] = {
		"bogus", "load", "load a b", "load --share 0 a", "load --share 1001 a",
		"load --share 5x a", "load --share -1 a", "load --bogus a", "load --cgroup",
		"unload", "unload a b", "replace", "replace a", "replace a b c",
		"replace --share 0 a b", "replace --shadow a b", "show", "show a b", "check",
		"check a b",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(2, IOX("%s 2>&1 >/dev/null", wrong[i])) {
			TH_LOG("iox policy %s: %s", wrong[i], self->output);
		}
		EXPECT_EQ(self->output, strstr(self->output, "iox policy"));
	}
}

TEST_F_TIMEOUT(policy_cmd, help_gives_0, 120)
{
	static const char *const verb[] = { "check", "list", "load", "replace", "show", "unload" };

	for (size_t i = 0; i < ARRAY_SIZE(verb); i++) {
		char line[32];

		snprintf(line, sizeof(line), "\n  %s ", verb[i]);
		OK("--help");
		SAYS(line);
		EXPECT_EQ(0, IOX("%s --help", verb[i]));
		SAYS("Usage: iox policy ");
	}
}

TEST_F_TIMEOUT(policy_cmd, without_privilege_they_say_so, 120)
{
	static const char *const command[] = {
		"load $BUILD/bpf/first_fit.bpf.o", "check $BUILD/bpf/first_fit.bpf.o",
		"unload top_down", "replace top_down $BUILD/bpf/first_fit.bpf.o", "show top_down",
	};

	OK("load $BUILD/bpf/top_down.bpf.o");
	for (size_t i = 0; i < ARRAY_SIZE(command); i++) {
		EXPECT_EQ(1, shell_run(self->output, "setpriv --bounding-set=-all -- "
				       "$IOX policy %s 2>&1", command[i]));
		EXPECT_TRUE(shell_one_line(self->output));
		SAYS("; run it as root\n");
	}
	EXPECT_STREQ("top_down", in_force());
}

TEST(load_on_a_kernel_without_policies)
{
	char *output = malloc(SHELL_OUTPUT_SIZE);

	if (iommufd_is_iox())
		SKIP(return, "this kernel has policies");
	EXPECT_EQ(1, shell_run(output, "$IOX policy load $BUILD/bpf/top_down.bpf.o 2>&1"));
	EXPECT_STREQ("iox policy load: this kernel: has no IOVA policies; "
		     "boot a kernel with CONFIG_IOX_POLICY=y ('make kernel')\n", output);
	free(output);
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
