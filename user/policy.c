// SPDX-License-Identifier: GPL-2.0
/* iox policy: finds the subcommand. And iox policy list: which there are, and how they fare. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cgroup.h"
#include "lib/msg.h"
#include "lib/out.h"
#include "policy.h"

struct options {
	bool json;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print one JSON object", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': not understood here", arg);
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Which IOVA policies are in this kernel, for which address spaces each decides, and "
	       "what became of its answers.\v"
	       "Counters: asked = used + declined (no opinion) + refused (failed the map) + "
	       "faults (not a legal answer). After a fault, as with no opinion, the built-in "
	       "allocator chose. agreed: a shadow answered what was used. p50, p99: how long its "
	       "answers take.",
};

const char *const policy_state_name[] = {
	[POLICY_LOADED] = "loaded",
	[POLICY_READY] = "ready",
	[POLICY_IN_FORCE] = "in-force",
	[POLICY_CANARY] = "canary",
	[POLICY_SHADOW] = "shadow",
	[POLICY_EJECTED] = "ejected",
	[POLICY_LEAVING] = "leaving",
};

static bool any_in_force(const struct policies *p)
{
	for (size_t i = 0; i < p->nr; i++)
		if (p->list[i].state == POLICY_IN_FORCE || p->list[i].state == POLICY_CANARY)
			return true;
	return false;
}

static void print_scope(const struct policy *q)
{
	char cgroup[32] = "host";

	if (!q->share) {
		printf(" %12s %5s %6s", "-", "-", "-");
		return;
	}
	if (q->cgroup_id)
		snprintf(cgroup, sizeof(cgroup), "cgroup %llu", q->cgroup_id);
	printf(" %12s %5llu %6llu", cgroup, q->share, q->spaces);
}

static void print_policy(const struct policy *q)
{
	char p50[OUT_NS_LEN], p99[OUT_NS_LEN];

	printf("%-16s%-9s%6u", q->name, policy_state_name[q->state], q->map_id);
	if (q->link_id)
		printf("%6u", q->link_id);
	else
		printf("%6s", "-");
	print_scope(q);
	for (int c = 0; c < POLICY_NR_COUNTERS; c++)
		printf(" %9llu", q->counter[c]);
	printf(" %9s %9s\n", out_ns(p50, q->p50_ns), out_ns(p99, q->p99_ns));
	if (q->exit[0])
		printf("  ejected: %s\n", q->exit);
}

static void print_text(const struct policies *p)
{
	if (!p->nr) {
		puts("no policy loaded: the built-in allocator decides");
		return;
	}
	printf("%-16s%-9s%6s%6s %12s %5s %6s", "policy", "state", "map", "link", "scope", "share",
	       "spaces");
	for (int c = 0; c < POLICY_NR_COUNTERS; c++)
		printf(" %9s", policy_counter_name[c]);
	printf(" %9s %9s\n", "p50", "p99");
	for (size_t i = 0; i < p->nr; i++)
		print_policy(&p->list[i]);
	if (!any_in_force(p))
		puts("none is in force: the built-in allocator decides");
}

json_object *policy_flags_json(__u32 flags)
{
	json_object *list = json_object_new_array();

	if (flags & POLICY_FLAG_SHADOW)
		json_object_array_add(list, json_object_new_string("shadow"));
	if (flags & POLICY_FLAG_STRICT)
		json_object_array_add(list, json_object_new_string("strict"));
	return list;
}

json_object *policy_json(const struct policy *q)
{
	json_object *policy = json_object_new_object();
	json_object *counters = json_object_new_object();

	out_json_str(policy, "name", q->name);
	out_json_str(policy, "state", policy_state_name[q->state]);
	out_json_str(policy, "map_name", q->map_name);
	out_json_u64(policy, "map_id", q->map_id);
	json_object_object_add(policy, "link_id",
			       q->link_id ? json_object_new_uint64(q->link_id) : NULL);
	out_json_u64(policy, "cgroup_id", q->cgroup_id);
	out_json_u64(policy, "share", q->share);
	json_object_object_add(policy, "flags", policy_flags_json(q->flags));
	out_json_u64(policy, "spaces", q->spaces);
	out_json_u64(policy, "p50_ns", q->p50_ns);
	out_json_u64(policy, "p99_ns", q->p99_ns);
	json_object_object_add(policy, "exit",
			       q->exit[0] ? json_object_new_string(q->exit) : NULL);
	for (int c = 0; c < POLICY_NR_COUNTERS; c++)
		out_json_u64(counters, policy_counter_name[c], q->counter[c]);
	json_object_object_add(policy, "counters", counters);
	return policy;
}

bool policy_print_json(__u32 map_id, const char *key, json_object *more)
{
	json_object *o = NULL;
	struct policies p;

	if (policies_read(&p)) {
		for (size_t i = 0; i < p.nr && !o; i++)
			if (p.list[i].map_id == map_id)
				o = policy_json(&p.list[i]);
		if (!o)
			msg_error("the policy", "is in force no more", "'iox policy list' shows what is");
		policies_free(&p);
	}
	if (!o) {
		json_object_put(more);
		return false;
	}
	if (more)
		json_object_object_add(o, key, more);
	return out_json(stdout, o);
}

static bool print_json(const struct policies *p)
{
	json_object *o = json_object_new_object(), *list = json_object_new_array();

	for (size_t i = 0; i < p->nr; i++)
		json_object_array_add(list, policy_json(&p->list[i]));
	json_object_object_add(o, "policies", list);
	return out_json(stdout, o);
}

int policy_list(int argc, char **argv)
{
	struct options opt = {};
	struct policies p;
	bool ok = true;

	iox_parse(&argp, argc, argv, &opt);
	if (!policies_read(&p))
		return IOX_FAILED;
	if (opt.json)
		ok = print_json(&p);
	else
		print_text(&p);
	policies_free(&p);
	return ok ? IOX_OK : IOX_FAILED;
}

/* --- for all of them ------------------------------------------------------ */

const char *policy_scope(char buf[POLICY_SCOPE_LEN], __u64 cgroup_id)
{
	char path[PATH_MAX];

	if (!cgroup_id)
		snprintf(buf, POLICY_SCOPE_LEN, "host");
	else if (cgroup_path_of(cgroup_id, path))
		snprintf(buf, POLICY_SCOPE_LEN, "cgroup %s", path);
	else
		snprintf(buf, POLICY_SCOPE_LEN, "cgroup %llu", cgroup_id);
	return buf;
}

const char *policy_place(char buf[POLICY_SCOPE_LEN], __u64 cgroup_id, __u64 share, __u32 flags)
{
	char scope[POLICY_SCOPE_LEN], part[32] = "";

	if (share && share < POLICY_SHARE_ALL)
		snprintf(part, sizeof(part), ", %llu of %d", share, POLICY_SHARE_ALL);
	snprintf(buf, POLICY_SCOPE_LEN, "%s%s%s%s", policy_scope(scope, cgroup_id), part,
		 flags & POLICY_FLAG_SHADOW ? ", shadow" : "",
		 flags & POLICY_FLAG_STRICT ? ", strict" : "");
	return buf;
}

__u32 policy_parse_share(const char *arg, struct argp_state *state)
{
	char *end;
	unsigned long share;

	errno = 0;
	share = strtoul(arg, &end, 10);
	if (errno || *end || *arg < '0' || *arg > '9' || !share || share > POLICY_SHARE_ALL)
		argp_error(state, "'%s': a share is 1 to %d thousandths", arg, POLICY_SHARE_ALL);
	return (__u32)share;
}

static const struct iox_command commands[] = {
	{ "check", "would the kernel accept the policies of a file?", policy_check },
	{ "list", "which policies are in the kernel, and how they fare", policy_list },
	{ "load", "put a policy in force, for the host or a cgroup", policy_load },
	{ "replace", "put another policy in the place of one, in one step", policy_replace },
	{ "show", "all that is known of one", policy_show },
	{ "sign", "sign the object file of a policy", policy_sign },
	{ "try", "replay recorded requests through policies, and compare", policy_try },
	{ "unload", "take a policy out", policy_unload },
	{ "verify", "who has signed an object file?", policy_verify },
};

static const struct iox_commands all = { "iox policy", commands,
					 sizeof(commands) / sizeof(commands[0]) };

static char *list_commands(int key, const char *text, void *input)
{
	(void)input;
	return key == ARGP_KEY_HELP_POST_DOC ? iox_list_commands(&all) : (char *)text;
}

static const struct argp policy_argp = {
	.parser = iox_parse_command,
	.args_doc = "COMMAND [ARG...]",
	.doc = "IOVA policies: BPF programs that choose where in a device's address space a "
	       "mapping goes.\v ",
	.help_filter = list_commands,
};

int cmd_policy(int argc, char **argv)
{
	return iox_run_command(&all, &policy_argp, argc, argv);
}
