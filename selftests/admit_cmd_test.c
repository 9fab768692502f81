// SPDX-License-Identifier: GPL-2.0-only
/*
 * iox policy with admission policies, and get and set with both kinds: what they
 * say they do is in force, and what goes wrong is told in one line and leaves
 * nothing behind. And that iox lu has the words of who refuses.
 */
#include "admit.h"
#include "liveupdate.h"
#include "shell.h"

#define PINS "/sys/fs/bpf/iox/policy/"
#define FOLDER "/sys/kernel/iox/admit_policies"
#define CGROUP "/sys/fs/cgroup/iox-admit"

static char buffer[SHELL_OUTPUT_SIZE];
static char *const output = buffer;

#define IOX(...) shell_run(output, "$IOX policy " __VA_ARGS__)

/* Succeeds; ends with @status, with @text in the one line that it says. */
#define OK(command) do {						\
	EXPECT_EQ(0, IOX(command " 2>&1")) {				\
		TH_LOG("%s: %s", command, output);			\
	}								\
} while (0)

#define ENDS(status, text, command) do {				\
	EXPECT_EQ(status, IOX(command " 2>&1 >/dev/null"));		\
	EXPECT_TRUE(shell_one_line(output));				\
	EXPECT_TRUE(shell_has(output, text)) {				\
		TH_LOG("%s: %s", command, output);			\
	}								\
} while (0)

#define FAILS(text, command) ENDS(1, text, command)

#define SAYS(text) EXPECT_TRUE(shell_has(output, text)) {		\
	TH_LOG("%s", output);						\
}

#define SAYS_NOT(text) EXPECT_FALSE(shell_has(output, text)) {		\
	TH_LOG("%s", output);						\
}

/* All that was put in force by a test, which may end anywhere: the pins stay. */
static void clean_up(void)
{
	shell_run(output, "rm -f " PINS "*; for i in $(ls " FOLDER " /sys/kernel/iox/iova_policies); do "
		  "$BUILD/tools/bin/bpftool struct_ops unregister id $i; done >/dev/null 2>&1; "
		  "rmdir " CGROUP " 2>/dev/null; ls " FOLDER);
}

static int registered(void)
{
	static char text[SHELL_OUTPUT_SIZE];

	shell_run(text, "ls " FOLDER " | wc -l");
	return atoi(text);
}

/* Maps that BPF has for policies, those that are in no force too. */
static int loaded(void)
{
	static char text[SHELL_OUTPUT_SIZE];

	shell_run(text, "$IOX policy list --json");
	return json_object_array_length(json_member(json_tokener_parse(text), "policies"));
}

/* What $IOX policy COMMAND prints as JSON, NULL if it fails. */
#define JSON(...) ({							\
	json_object *_json = NULL;					\
									\
	if (!IOX(__VA_ARGS__) && shell_one_line(output))		\
		_json = json_tokener_parse(output);			\
	EXPECT_NE(NULL, _json) {					\
		TH_LOG("%s", output);					\
	}								\
	_json;								\
})

FIXTURE(admit_cmd)
{
	struct leak_mark mark;
};

FIXTURE_SETUP(admit_cmd)
{
	if (access(FOLDER, F_OK))
		SKIP(return, "this kernel has no admission policies");
	leak_mark(&self->mark);
	ASSERT_TRUE(!mkdir(CGROUP, 0755) || errno == EEXIST);
	ASSERT_EQ(0, registered());
}

FIXTURE_TEARDOWN(admit_cmd)
{
	if (access(FOLDER, F_OK))
		return;
	clean_up();
	EXPECT_STREQ("", output);
	EXPECT_NO_LEAK(&self->mark);
}

/* --- load, unload ------------------------------------------------------------- */

TEST_F(admit_cmd, load_puts_it_in_force_and_it_stays)
{
	OK("load $BUILD/bpf/audit.bpf.o");
	EXPECT_EQ(output, strstr(output, "audit: map "));
	SAYS(", host, default allow\n");
	EXPECT_EQ(0, access(PINS "audit", F_OK));
	EXPECT_EQ(0, shell_run(output, "cat " FOLDER "/*/name " FOLDER "/*/state " FOLDER "/*/default"));
	EXPECT_STREQ("audit\nin force\nallow\n", output);

	OK("unload audit");
	EXPECT_STREQ("", output);
	EXPECT_NE(0, access(PINS "audit", F_OK));
	EXPECT_EQ(0, registered());
	EXPECT_EQ(0, loaded());
}

TEST_F(admit_cmd, load_for_a_cgroup)
{
	OK("load $BUILD/bpf/audit.bpf.o --cgroup " CGROUP);
	SAYS(", cgroup " CGROUP ", default allow\n");
	EXPECT_EQ(file_id(CGROUP), json_number(JSON("show -j audit"), "cgroup_id"));
	OK("show audit");
	SAYS("\n  scope     cgroup " CGROUP "\n");
	rmdir(CGROUP);
	FAILS("load: " CGROUP ": No such file or directory; ",
	      "load $BUILD/bpf/audit.bpf.o --cgroup " CGROUP);
}

TEST_F_TIMEOUT(admit_cmd, load_with_a_default, 120)
{
	OK("load --deny $BUILD/bpf/audit.bpf.o");
	SAYS(", host, default deny\n");
	EXPECT_STREQ("[ \"deny\" ]", json_object_to_json_string(json_member(JSON("show -j audit"), "flags")));
	EXPECT_EQ(0, shell_run(output, "cat " FOLDER "/*/default"));
	EXPECT_STREQ("deny\n", output);
	OK("unload audit");
	OK("load --allow $BUILD/bpf/allowlist.bpf.o");
	SAYS(", host, default allow\n");
	EXPECT_STREQ("allow", json_string(JSON("show -j allowlist"), "default"));
	EXPECT_STREQ("[ ]", json_object_to_json_string(json_member(JSON("show -j allowlist"), "flags")));
	OK("load $BUILD/bpf/allowlist.bpf.o");
	SAYS(", host, default deny\n");
}

TEST_F_TIMEOUT(admit_cmd, options_have_to_be_of_its_kind, 120)
{
	ENDS(2, "load: --share: budget is an admission policy, which has no such thing; leave it out\n",
	     "load --share 5 $BUILD/bpf/budget.bpf.o");
	ENDS(2, "load: --shadow: budget is ", "load --shadow $BUILD/bpf/budget.bpf.o");
	ENDS(2, "load: --strict: budget is ", "load --strict $BUILD/bpf/budget.bpf.o");
	ENDS(2, "load: --deny: top_down is an IOVA policy, which has no such thing; leave it out\n",
	     "load --deny $BUILD/bpf/top_down.bpf.o");
	ENDS(2, "load: --allow: top_down is ", "load --allow $BUILD/bpf/top_down.bpf.o");
	EXPECT_EQ(0, loaded());
	OK("load $BUILD/bpf/audit.bpf.o");
	OK("load $BUILD/bpf/top_down.bpf.o");
	ENDS(2, "replace: --share: ", "replace --share 5 audit $BUILD/bpf/audit.bpf.o");
	ENDS(2, "replace: --deny: ", "replace --deny top_down $BUILD/bpf/top_down.bpf.o");
	EXPECT_EQ(2, loaded());
}

TEST_F_TIMEOUT(admit_cmd, load_of_what_cannot_be, 120)
{
	FAILS(": the verifier rejects write_request: an admission policy may not write to struct iox_admit_req",
	      "load --name writes_request $BUILD/bpf/admit_misuse.bpf.o");
	FAILS("load: /", "load --name asks_nobody $BUILD/bpf/admit_unfit.bpf.o");
	SAYS(": asks_nobody rejected: it has none of .mark, .preserve, .freeze and .retrieve; mend it");
	FAILS(": wants_too_much rejected: .flags has bits ",
	      "load --name wants_too_much $BUILD/bpf/admit_unfit.bpf.o");
	FAILS("load: is_nowhere: there is no cgroup with the id 140737488355327; ",
	      "load --name is_nowhere $BUILD/bpf/admit_unfit.bpf.o");
	FAILS(": has more than one policy; say which with --name: first, second\n",
	      "load $BUILD/bpf/admit_witness.bpf.o");
	EXPECT_EQ(0, loaded());
	EXPECT_NE(0, access(PINS "is_nowhere", F_OK));
}

TEST_F_TIMEOUT(admit_cmd, load_fills_maps_before, 120)
{
	OK("load $BUILD/bpf/allowlist.bpf.o --set 'allow_uids 1000' --set ' allow_uids  any ' "
	   "--set 'allow_devices 1234:11e8'");
	OK("get allowlist allow_uids 1000");
	EXPECT_STREQ("key=1000 value=1\n", output);
	OK("get allowlist allow_devices");
	EXPECT_STREQ("vendor=1234 device=11e8 value=1\n", output);
	OK("unload allowlist");

	FAILS("load: allow_uids: key: 'x' is no number of 32 bits\n",
	      "load $BUILD/bpf/allowlist.bpf.o --set 'allow_uids x'");
	FAILS("load: nothing: the policy has no such map; it has allow_uids, allow_devices",
	      "load $BUILD/bpf/allowlist.bpf.o --set 'nothing 5'");
	FAILS("load: --set: it needs a map and an entry; ",
	      "load $BUILD/bpf/allowlist.bpf.o --set allow_uids");
	EXPECT_EQ(0, loaded());
}

TEST_F(admit_cmd, unload_of_what_bpftool_has_registered)
{
	ASSERT_EQ(0, shell_run(output, "$BUILD/tools/bin/bpftool struct_ops register "
			       "$BUILD/bpf/audit.bpf.o"));
	FAILS("audit: has no link, so it cannot be replaced in one step; ",
	      "replace audit $BUILD/bpf/audit.bpf.o");
	OK("set audit .bss requests=7");
	OK("unload audit");
	EXPECT_EQ(0, loaded());
}

/* --- check -------------------------------------------------------------------- */

TEST_F_TIMEOUT(admit_cmd, check_says_what_is_in_a_file, 120)
{
	json_object *one;

	OK("check $BUILD/bpf/budget.bpf.o");
	SAYS("budget: accepted\n  kind          admission policy\n  variable      budget\n"
	     "  members       preserve (");
	SAYS(") unpreserve (");
	SAYS("\n  attached to   host, default deny\n");
	one = json_object_array_get_idx(json_member(JSON("check -j $BUILD/bpf/budget.bpf.o"),
						    "policies"), 0);
	EXPECT_STREQ("admission", json_string(one, "kind"));
	EXPECT_STREQ("[ \"deny\" ]", json_object_to_json_string(json_member(one, "flags")));
	EXPECT_EQ(1, IOX("check $BUILD/bpf/admit_misuse.bpf.o 2>&1"));
	SAYS(": the verifier rejects write_request: ");
	SAYS(": the verifier rejects unpreserve: calling kernel function iox_admit_reason_bstr ");
	EXPECT_EQ(1, IOX("check $BUILD/bpf/admit_unfit.bpf.o 2>&1"));
	SAYS("asks_nobody rejected: ");
	EXPECT_EQ(0, loaded());
}

/* --- replace ------------------------------------------------------------------ */

TEST_F_TIMEOUT(admit_cmd, replace_keeps_the_place, 120)
{
	json_object *was, *is;

	OK("load --cgroup " CGROUP " --deny $BUILD/bpf/audit.bpf.o");
	OK("load --cgroup " CGROUP " $BUILD/bpf/version_gate.bpf.o");
	was = JSON("show -j audit");
	OK("replace audit $BUILD/bpf/quiesce.bpf.o");
	SAYS(" in the place of audit, map ");
	SAYS(": cgroup " CGROUP ", default deny\n");
	is = JSON("show -j quiesce");
	EXPECT_EQ(json_number(was, "link_id"), json_number(is, "link_id"));
	EXPECT_EQ(file_id(CGROUP), json_number(is, "cgroup_id"));
	EXPECT_EQ(1, json_number(is, "order"));
	EXPECT_EQ(2, json_number(JSON("show -j version_gate"), "order"));
	EXPECT_STREQ(PINS "quiesce", json_string(is, "pin"));
	OK("replace --allow quiesce $BUILD/bpf/quiesce.bpf.o");
	SAYS(", default allow\n");
	/* Who wrote it wants it to refuse. */
	OK("replace quiesce $BUILD/bpf/allowlist.bpf.o --set 'allow_uids 5'");
	SAYS(", default deny\n");
	OK("get allowlist allow_uids");
	EXPECT_STREQ("key=5 value=1\n", output);
	EXPECT_EQ(2, loaded());
}

TEST_F_TIMEOUT(admit_cmd, replace_by_what_cannot_be, 120)
{
	OK("load $BUILD/bpf/audit.bpf.o");
	OK("load $BUILD/bpf/top_down.bpf.o");
	FAILS("replace: audit: is an admission policy, and first_fit is an IOVA policy; one of its kind ",
	      "replace audit $BUILD/bpf/first_fit.bpf.o");
	FAILS("replace: top_down: is an IOVA policy, and budget is an admission policy; ",
	      "replace top_down $BUILD/bpf/budget.bpf.o");
	FAILS("asks_nobody rejected: ", "replace audit --name asks_nobody $BUILD/bpf/admit_unfit.bpf.o");
	FAILS("replace: allow_uids: key: 'x' is ",
	      "replace audit $BUILD/bpf/allowlist.bpf.o --set 'allow_uids x'");
	EXPECT_EQ(2, loaded());
	EXPECT_EQ(0, shell_run(output, "cat " FOLDER "/*/name"));
	EXPECT_STREQ("audit\n", output);
}

/* --- list, show --------------------------------------------------------------- */

TEST_F_TIMEOUT(admit_cmd, list_has_the_order_in_which_they_are_asked, 120)
{
	static const char *const name[] = { "quiesce", "version_gate", "budget" };
	json_object *list;

	OK("load --cgroup " CGROUP " $BUILD/bpf/budget.bpf.o");
	OK("load $BUILD/bpf/audit.bpf.o");
	OK("load $BUILD/bpf/version_gate.bpf.o");
	OK("load $BUILD/bpf/top_down.bpf.o");
	OK("replace audit $BUILD/bpf/quiesce.bpf.o");
	list = json_member(JSON("list -j"), "policies");
	ASSERT_EQ(4, json_object_array_length(list));
	EXPECT_STREQ("iova", json_string(json_object_array_get_idx(list, 0), "kind"));
	for (int i = 0; i < 3; i++) {
		json_object *q = json_object_array_get_idx(list, i + 1);

		EXPECT_STREQ("admission", json_string(q, "kind"));
		EXPECT_STREQ(name[i], json_string(q, "name"));
		EXPECT_EQ(i + 1, json_number(q, "order"));
	}
	OK("list");
	SAYS("\nadmission       state       map  link        scope order default     asked   allowed"
	     "   refused    faults   slowest\nquiesce         in-force ");
	SAYS(" host     1   allow         0         0         0         0      0 ns\nversion_gate ");
	OK("unload top_down");
	OK("list");
	EXPECT_EQ(output, strstr(output, "no IOVA policy loaded: the built-in allocator decides\nadmission "));
}

TEST_F_TIMEOUT(admit_cmd, one_name_for_policies_of_both_kinds, 120)
{
	__u64 id;

	OK("load $BUILD/bpf/audit.bpf.o");
	id = json_number(JSON("load -j --cgroup " CGROUP " $BUILD/bpf/audit.bpf.o"), "map_id");
	FAILS("unload: audit: is the name of several policies; say which by the id of its map: ",
	      "unload audit");
	ASSERT_EQ(0, IOX("get %llu audit_log", id));
	ASSERT_EQ(0, IOX("unload %llu", id));
	OK("show audit");
	EXPECT_EQ(output, strstr(output, "audit\n  kind      admission policy\n  state     in-force\n"));
	SAYS("\n  scope     host\n  order     1\n  default   allow\n  asked     0\n");
	SAYS(", pinned at " PINS "audit\n");
}

/* --- set, get ----------------------------------------------------------------- */

TEST_F_TIMEOUT(admit_cmd, set_speaks_of_cgroups_and_sizes, 120)
{
	OK("load $BUILD/bpf/budget.bpf.o");
	OK("set budget budget_limits host bytes=64G devices=8");
	OK("get budget budget_limits");
	EXPECT_STREQ("cgroup_id=host bytes=64G devices=8\n", output);
	/* What is not said stays, in whichever way it is written. */
	OK("set budget budget_limits cgroup_id=0 bytes=0x1000");
	OK("get budget budget_limits host");
	EXPECT_STREQ("cgroup_id=host bytes=4K devices=8\n", output);
	OK("set budget budget_limits cgroup=" CGROUP " devices=any bytes=1025");
	OK("get budget budget_limits " CGROUP);
	EXPECT_STREQ("cgroup_id=" CGROUP " bytes=1025 devices=any\n", output);
	OK("set budget budget_limits 4096 1M:2");
	OK("set -d budget budget_limits " CGROUP);
	OK("set -d budget budget_limits host");
	OK("get budget budget_limits");
	EXPECT_STREQ("cgroup_id=4096 bytes=1M devices=2\n", output);
}

TEST_F_TIMEOUT(admit_cmd, set_says_what_is_wrong, 180)
{
	static const struct {
		const char *arguments, *says;
	} wrong[] = {
		{ "host bytes=1", "budget_limits: devices is missing; the key is cgroup_id, the value bytes, devices" },
		{ "bytes=1 devices=1", "budget_limits: cgroup_id is missing; " },
		{ "host bytes=1 devises=1", "budget_limits: has nothing called 'devises'; the key is " },
		{ "host bytes=1 devices=1x", "budget_limits: devices: '1x' is no number of 64 bits" },
		{ "host bytes=-1 devices=1", "bytes: '-1' is no number" },
		{ "host bytes= devices=1", "bytes: '' is no number" },
		{ "host bytes=16777216T devices=1", "bytes: '16777216T' is no number" },
		{ "host bytes=99999999999999999999 devices=1", "is no number of 64 bits" },
		{ "host 1:2:3", "budget_limits: '1:2:3' is not as many values as there are" },
		{ "host 1", "budget_limits: '1' is not as many values as there are" },
		{ "host 1:2 3", "budget_limits: '3' is one value too many" },
		{ "nobody 1:2", "cgroup_id: 'nobody' is no number of 64 bits; give the path of a cgroup" },
		{ "/nonexistent 1:2", "/nonexistent: No such file or directory; " },
		{ "/tmp 1:2", "/tmp: is no cgroup (v2); " },
	};

	OK("load $BUILD/bpf/budget.bpf.o");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(1, IOX("set budget budget_limits %s 2>&1", wrong[i].arguments));
		EXPECT_TRUE(shell_one_line(output));
		SAYS(wrong[i].says);
	}
	OK("get budget budget_limits");
	EXPECT_STREQ("", output);
	FAILS("get: budget_limits: it has no such entry; ", "get budget budget_limits host");
	FAILS("set: budget_limits: it has no such entry; ", "set -d budget budget_limits host");
	FAILS("set: budget_limits: a value was given, and none is wanted; ",
	      "set -d budget budget_limits host bytes=1");
	FAILS("set: other: no such policy; ", "set other budget_limits host 1:1");
	FAILS("get: limits: the policy has no such map; it has budget_limits, budget_used, budget_held",
	      "get budget limits");
}

TEST_F_TIMEOUT(admit_cmd, set_speaks_of_devices_and_releases, 180)
{
	OK("load $BUILD/bpf/allowlist.bpf.o");
	OK("set allowlist allow_devices vendor=0x1234 device=11E8");
	OK("set allowlist allow_devices 8086:any");
	OK("set -d allowlist allow_devices 1234:11e8");
	OK("get allowlist allow_devices");
	EXPECT_STREQ("vendor=8086 device=any value=1\n", output);
	OK("set allowlist allow_devices 8086:any 7");
	OK("set allowlist allow_devices 8086:any");
	OK("get allowlist allow_devices 8086:any");
	EXPECT_STREQ("vendor=8086 device=any value=7\n", output);
	FAILS("device: '11e80' is no hexadecimal number of 16 bits\n",
	      "set allowlist allow_devices 1234:11e80");
	FAILS("device is missing; ", "set allowlist allow_devices vendor=1234");
	FAILS("allow_uids: key: '4294967296' is no number of 32 bits\n",
	      "set allowlist allow_uids 4294967296");

	OK("load $BUILD/bpf/version_gate.bpf.o --set 'gate_releases 7.3.4-iox'");
	OK("get version_gate gate_releases");
	EXPECT_STREQ("name=7.3.4-iox value=1\n", output);
	FAILS("gate_releases: name has room for 64 characters\n",
	      "set version_gate gate_releases $(printf %%065d 0)");
	OK("set version_gate gate_releases name=$(printf %%064d 0)");
}

TEST_F_TIMEOUT(admit_cmd, set_of_arrays_and_variables, 180)
{
	OK("load $BUILD/bpf/audit.bpf.o");
	OK("set audit .bss requests=7");
	OK("get audit .bss");
	EXPECT_STREQ("requests=7\n", output);
	FAILS("audit_log: it has no entry of this number\n", "set audit audit_log 1024 n=1");
	FAILS("audit_log: n is missing; ", "set audit audit_log 5");
	OK("set audit audit_log 5 n=3 session='a b'");
	OK("get audit audit_log");
	EXPECT_EQ(output, strstr(output, "key=5 n=3 boot_ns=0 "));
	SAYS(" session=a b peer_release=\n");
	EXPECT_TRUE(shell_one_line(output));
	FAILS("audit_log: nothing can be taken out of an array; set it to 0\n",
	      "set -d audit audit_log 5");

}

TEST_F(admit_cmd, set_tells_iova_policies_too)
{
	int fd = iommufd_open();
	char *page = buffer_small(PAGE);
	__u64 iova;
	__u32 ioas;

	OK("load --name answer $BUILD/bpf/answer.bpf.o --set '.data.control control.value=1T'");
	must(ioas_alloc(fd, &ioas));
	must(ioas_map_auto(fd, ioas, page, PAGE, &iova));
	EXPECT_EQ(1ULL << 40, iova);
	OK("set answer .data.control value=0x20000000000");
	must(ioas_map_auto(fd, ioas, page, PAGE, &iova));
	EXPECT_EQ(2ULL << 40, iova);
	EXPECT_EQ(0, close(fd));
	munmap(page, PAGE);
}

TEST_F_TIMEOUT(admit_cmd, get_lists_maps, 120)
{
	json_object *maps, *entry;

	OK("load $BUILD/bpf/budget.bpf.o --set 'budget_limits host 1G:8'");
	OK("get budget");
	SAYS("map                 id type    entries  key: value\nbudget_limits ");
	SAYS(" hash      16384  cgroup_id: bytes,devices\n");
	SAYS(" hash      65536  key: cgroup_id,amount.bytes,amount.devices\n");
	maps = json_member(JSON("get -j budget"), "maps");
	EXPECT_EQ(65536, json_number(json_find(maps, "map", "budget_held"), "max_entries"));
	EXPECT_STREQ("[ \"cgroup_id\" ]", json_object_to_json_string(
			     json_member(json_find(maps, "map", "budget_used"), "key")));
	entry = json_object_array_get_idx(json_member(JSON("get -j budget budget_limits"), "entries"), 0);
	EXPECT_EQ(1 << 30, json_number(json_member(entry, "value"), "bytes"));
	EXPECT_EQ(0, json_number(json_member(entry, "key"), "cgroup_id"));
	OK("load $BUILD/bpf/quiesce.bpf.o");
	OK("load $BUILD/bpf/allowlist.bpf.o --set 'allow_uids 3'");
	entry = json_object_array_get_idx(json_member(JSON("get -j allowlist allow_uids"), "entries"), 0);
	EXPECT_EQ(3, json_number(entry, "key"));
	EXPECT_EQ(1, json_number(entry, "value"));
}

/* --- all of them -------------------------------------------------------------- */

TEST_F_TIMEOUT(admit_cmd, wrong_usage_gives_2, 120)
{
	static const char *const wrong[] = {
		"set", "set a", "set a b", "set -d a b", "set --bogus a b c", "get", "get --bogus a",
		"load --set", "load --deny=5 a", "load --set 'a b'",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(2, IOX("%s 2>&1 >/dev/null", wrong[i])) {
			TH_LOG("iox policy %s: %s", wrong[i], output);
		}
		EXPECT_EQ(output, strstr(output, "iox policy"));
	}
}

TEST_F_TIMEOUT(admit_cmd, without_privilege_they_say_so, 120)
{
	static const char *const command[] = {
		"load $BUILD/bpf/budget.bpf.o", "set audit .bss requests=1", "get audit",
	};

	OK("load $BUILD/bpf/audit.bpf.o");
	for (size_t i = 0; i < ARRAY_SIZE(command); i++) {
		EXPECT_EQ(1, shell_run(output, "setpriv --bounding-set=-all -- "
				       "$IOX policy %s 2>&1", command[i]));
		EXPECT_TRUE(shell_one_line(output));
		SAYS("; run it as root\n");
	}
}

TEST_F(admit_cmd, doctor_counts_them)
{
	OK("load $BUILD/bpf/audit.bpf.o");
	OK("load --cgroup " CGROUP " $BUILD/bpf/audit.bpf.o");
	shell_run(output, "$IOX doctor");
	SAYS("struct iox_admit_ops, 2 in force\n");
}

/* --- what it refuses ---------------------------------------------------------- */

TEST_F_TIMEOUT(session, counters_are_shown, 120)
{
	json_object *q, *counters;

	OK("load $BUILD/bpf/budget.bpf.o --set 'budget_limits host bytes=16384 devices=0'");
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must_fail(EDQUOT, preserve_device(self));
	must_fail(EDQUOT, preserve_device(self));
	q = JSON("show -j budget");
	counters = json_member(q, "counters");
	EXPECT_EQ(3, json_number(counters, "asked"));
	EXPECT_EQ(1, json_number(counters, "allowed"));
	EXPECT_EQ(2, json_number(counters, "refused"));
	EXPECT_EQ(0, json_number(counters, "faults"));
	EXPECT_LT(0, json_number(q, "slowest_ns"));
	EXPECT_NE(NULL, strstr(json_string(q, "last_refusal"), "a device more than 0 of 0 for cgroup 0"));
	OK("show budget");
	SAYS("\n  asked     3\n  allowed   1 (33.3 %)\n  refused   2 (66.7 %)\n  faults    0 (0.0 %)\n");
	SAYS("\n  last      preserve of a device uid=0 ");
	OK("list");
	SAYS("\n  refused last: preserve of a device uid=0 ");
	OK("get budget budget_used host");
	EXPECT_STREQ("cgroup_id=host bytes=16K devices=0\n", output);
	/* New ones count anew. */
	OK("replace budget $BUILD/bpf/budget.bpf.o");
	EXPECT_EQ(0, json_number(json_member(JSON("show -j budget"), "counters"), "asked"));
	clean_up();
}

/* What the exporter says of one policy, sorted. */
static void scrape(const char *policy)
{
	shell_run(output, "$IOX exporter --listen 127.0.0.1:9799 >/dev/null & exporter=$!; "
		  "python3 -c 'if True:\n"
		  "  import time, urllib.request\n"
		  "  for i in range(100):\n"
		  "    try:\n"
		  "      page = urllib.request.urlopen(\"http://127.0.0.1:9799/metrics\").read().decode()\n"
		  "      break\n"
		  "    except OSError:\n"
		  "      time.sleep(0.2)\n"
		  "  print(page)' | grep 'policy=\"%s\"' | sed 's/map=\"[0-9]*\"/map/' | sort; "
		  "kill $exporter; wait $exporter", policy);
}

TEST_F_TIMEOUT(session, metrics_are_exported, 120)
{
	OK("load $BUILD/bpf/audit.bpf.o");
	OK("load $BUILD/bpf/budget.bpf.o --set 'budget_limits host bytes=16384 devices=0'");
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must_fail(EDQUOT, preserve_device(self));
	scrape("budget");
	SAYS("iox_admission_allowed_total{policy=\"budget\",map} 1\n");
	SAYS("iox_admission_asked_total{policy=\"budget\",map} 2\n");
	SAYS("iox_admission_faults_total{policy=\"budget\",map} 0\n");
	SAYS("iox_admission_order{policy=\"budget\",map} 2\n");
	SAYS("iox_admission_refused_total{policy=\"budget\",map} 1\n");
	SAYS("iox_admission_slowest_seconds{policy=\"budget\",map} ");
	SAYS_NOT("iox_admission_slowest_seconds{policy=\"budget\",map} 0\n");
	SAYS("iox_admission_state{policy=\"budget\",map,state=\"ejected\"} 0\n"
	     "iox_admission_state{policy=\"budget\",map,state=\"in force\"} 1\n");
	clean_up();
}

TEST_F_TIMEOUT(session, ejected_ones_are_shown, 120)
{
	OK("load --deny --name first $BUILD/bpf/admit_witness.bpf.o "
	   "--set '.data.control control[0].answer[1]=-122'");
	must(preserve_memory(self));
	must_fail(EDQUOT, preserve_iommufd(self));
	OK("get first .data.control");
	SAYS(" control[0].answer[1]=-122 ");
	OK("set first .data.control control[0].answer[1]=1");
	for (int i = 0; i < 3; i++)
		must_fail(EPERM, preserve_iommufd(self));
	must_fail(EPERM, preserve_iommufd(self));
	OK("show first");
	SAYS("\n  state     ejected\n");
	SAYS("\n  asked     4\n");
	SAYS("\n  faults    3 (75.0 %)\n");
	SAYS("\n  last      preserve of an iommufd ");
	SAYS("\n  exit      its answers are neither 0 nor errnos\n");
	ASSERT_EQ(0, shell_run(output, "$IOX lu status"));
	SAYS("\nadmission policy first: host, default deny, asked 4, refused 1, ejected: its answers ");
	clean_up();
}

TEST_F_TIMEOUT(session, lu_hold_has_the_policys_words, 120)
{
	OK("load $BUILD/bpf/audit.bpf.o");
	OK("load $BUILD/bpf/budget.bpf.o --set 'budget_limits host bytes=1 devices=9'");
	EXPECT_EQ(1, shell_run(output, "$IOX lu hold 'a \303\237' 1=pid:%1$d:%2$d 0x2=pid:%1$d:%3$d 2>&1",
			       getpid(), self->memfd, self->fd));
	EXPECT_TRUE(shell_one_line(output));
	SAYS("iox lu hold: 0x2=pid:");
	SAYS(": Disk quota exceeded, says admission policy budget: 16384 bytes more than 0 of 1 for cgroup 0; "
	     "'iox policy list' ");
	/* The words of others, and of another time, are not mistaken for it. */
	must(hwpt_unmark(self->fd, self->hwpt));
	OK("set budget budget_limits host bytes=1G");
	EXPECT_EQ(1, shell_run(output, "$IOX lu hold vm1 1=pid:%1$d:%2$d 0x2=pid:%1$d:%3$d 2>&1",
			       getpid(), self->memfd, self->fd));
	SAYS(": Invalid argument; 'iox lu plan PID'");
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	clean_up();
}

/* Whatever a session is called, a refusal is one line. */
TEST_F_TIMEOUT(session, refusals_in_odd_sessions, 120)
{
	int other = luo_create("a b=c\n\033[1m errno=0: ");

	ASSERT_LE(0, other);
	OK("load $BUILD/bpf/budget.bpf.o --set 'budget_limits host 1:1'");
	must(luo_preserve_fd(other, self->memfd, MEMFD_TOKEN));
	must_fail(EDQUOT, luo_preserve_fd(other, self->fd, IOMMUFD_TOKEN));
	EXPECT_EQ(0, shell_run(output, "cat " FOLDER "/*/last_refusal"));
	EXPECT_TRUE(shell_one_line(output));
	SAYS(" session=a b=c\\n\\e[1m errno=0:  errno=-122: 16384 bytes more ");
	EXPECT_EQ(0, close(other));
	clean_up();
}

TEST_F_TIMEOUT(session, lu_status_and_plan_name_policies, 120)
{
	json_object *state, *one;

	ASSERT_EQ(0, shell_run(output, "$IOX lu status"));
	SAYS_NOT("admission");
	OK("load --cgroup " CGROUPS " $BUILD/bpf/budget.bpf.o --set 'budget_limits host bytes=1 devices=9'");
	OK("load $BUILD/bpf/quiesce.bpf.o");
	must(preserve_memory(self));
	must_fail(EDQUOT, preserve_iommufd(self));
	ASSERT_EQ(0, shell_run(output, "$IOX lu status"));
	SAYS("\nadmission policy quiesce: host, default allow, asked 1, refused 0\n"
	     "admission policy budget: cgroup /sys/fs/cgroup, default deny, asked 1, refused 1\n"
	     "  refused last: preserve of an iommufd uid=0 ");
	SAYS(" session=liveupdate_test errno=-122: 16384 bytes more than 0 of 1 for cgroup 0\n");
	ASSERT_EQ(0, shell_run(output, "$IOX lu status --json"));
	state = json_tokener_parse(output);
	one = json_object_array_get_idx(json_member(state, "admission"), 1);
	EXPECT_STREQ("budget", json_string(one, "name"));
	EXPECT_EQ(1, json_number(one, "refused"));
	EXPECT_NE(NULL, strstr(json_string(one, "last_refusal"), "errno=-122: 16384 bytes more"));

	must(give_up(self));
	shell_run(output, "$IOX lu plan %d 2>&1", getpid());
	SAYS("admission policy quiesce: host, default allow, ");
	shell_run(output, "$IOX lu plan --json %d", getpid());
	one = json_object_array_get_idx(json_member(json_tokener_parse(output), "admission"), 0);
	EXPECT_STREQ("quiesce", json_string(one, "name"));
	clean_up();
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
