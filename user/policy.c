// SPDX-License-Identifier: GPL-2.0
/* iox policy: which IOVA policies are loaded, and how they fare. */
#include <stdio.h>
#include <string.h>

#include "iox.h"
#include "lib/out.h"
#include "lib/policies.h"

struct options {
	bool json;
	const char *verb;
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
		if (o->verb || strcmp(arg, "list"))
			argp_error(state, "'%s': not understood here", arg);
		o->verb = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->verb)
			argp_error(state, "say what to do: list");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "list",
	.doc = "Which IOVA policies are in this kernel, for which address spaces each decides, and "
	       "what became of its answers.\v"
	       "Counters: asked = used + declined (no opinion) + refused (failed the map) + "
	       "faults (not a legal answer). After a fault, as with no opinion, the built-in "
	       "allocator chose. agreed: a shadow answered what was used. p50, p99: how long its "
	       "answers take.",
};

static const char *const state_name[] = {
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

	printf("%-16s%-9s%6u", q->name, state_name[q->state], q->map_id);
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

static bool print_json(const struct policies *p)
{
	json_object *o = json_object_new_object(), *list = json_object_new_array();

	for (size_t i = 0; i < p->nr; i++) {
		const struct policy *q = &p->list[i];
		json_object *policy = json_object_new_object();
		json_object *counters = json_object_new_object();

		out_json_str(policy, "name", q->name);
		out_json_str(policy, "state", state_name[q->state]);
		out_json_str(policy, "map_name", q->map_name);
		out_json_u64(policy, "map_id", q->map_id);
		json_object_object_add(policy, "link_id",
				       q->link_id ? json_object_new_uint64(q->link_id) : NULL);
		out_json_u64(policy, "cgroup_id", q->cgroup_id);
		out_json_u64(policy, "share", q->share);
		out_json_u64(policy, "spaces", q->spaces);
		out_json_u64(policy, "p50_ns", q->p50_ns);
		out_json_u64(policy, "p99_ns", q->p99_ns);
		json_object_object_add(policy, "exit",
				       q->exit[0] ? json_object_new_string(q->exit) : NULL);
		for (int c = 0; c < POLICY_NR_COUNTERS; c++)
			out_json_u64(counters, policy_counter_name[c], q->counter[c]);
		json_object_object_add(policy, "counters", counters);
		json_object_array_add(list, policy);
	}
	json_object_object_add(o, "policies", list);
	return out_json(stdout, o);
}

int cmd_policy(int argc, char **argv)
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
