// SPDX-License-Identifier: GPL-2.0
/* iox policy: finds the subcommand. And iox policy list: which there are, and how they fare. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	.doc = "Which policies are in this kernel, whom each decides about, and what became of its "
	       "answers: IOVA policies, then admission policies in the order in which they are "
	       "asked.\v"
	       "Counters of IOVA policies: asked = used + declined (no opinion) + refused (failed "
	       "the map) + faults (not a legal answer). After a fault, as with no opinion, the "
	       "built-in allocator chose. agreed: a shadow answered what was used. p50, p99: how "
	       "long its answers take. Of admission policies: asked = allowed + refused + faults; "
	       "default: what becomes of what it does not answer, as after a fault; slowest: the "
	       "longest that an answer took.",
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
		if (p->list[i].kind == POLICY_IOVA &&
		    (p->list[i].state == POLICY_IN_FORCE || p->list[i].state == POLICY_CANARY))
			return true;
	return false;
}

static bool has_kind(const struct policies *p, enum policy_kind kind)
{
	for (size_t i = 0; i < p->nr; i++)
		if (p->list[i].kind == kind)
			return true;
	return false;
}

static void print_common(const struct policy *q)
{
	printf("%-16s%-9s%6u", q->name, policy_state_name[q->state], q->map_id);
	if (q->link_id)
		printf("%6u", q->link_id);
	else
		printf("%6s", "-");
}

static void print_counters(const struct policy *q)
{
	const struct policy_kind_info *kind = &policy_kinds[q->kind];

	for (size_t i = 0; i < kind->nr_counters; i++)
		printf(" %9llu", q->counter[kind->counters[i]]);
}

static const char *short_scope(const struct policy *q, char buf[32])
{
	if (q->cgroup_id)
		snprintf(buf, 32, "cgroup %llu", q->cgroup_id);
	else
		snprintf(buf, 32, "host");
	return buf;
}

static void print_iova(const struct policy *q)
{
	char p50[OUT_NS_LEN], p99[OUT_NS_LEN], scope[32];

	print_common(q);
	if (policy_is_registered(q))
		printf(" %12s %5llu %6llu", short_scope(q, scope), q->share, q->spaces);
	else
		printf(" %12s %5s %6s", "-", "-", "-");
	print_counters(q);
	printf(" %9s %9s\n", out_ns(p50, q->p50_ns), out_ns(p99, q->p99_ns));
}

static void print_admission(const struct policy *q)
{
	char slowest[OUT_NS_LEN], scope[32];

	print_common(q);
	if (policy_is_registered(q))
		printf(" %12s %5llu %7s", short_scope(q, scope), q->order, policy_default(q->flags));
	else
		printf(" %12s %5s %7s", "-", "-", "-");
	print_counters(q);
	printf(" %9s\n", out_ns(slowest, q->slowest_ns));
	if (q->last_refusal[0])
		printf("  refused last: %s\n", q->last_refusal);
}

static void print_head(enum policy_kind kind)
{
	const struct policy_kind_info *k = &policy_kinds[kind];

	printf("%-16s%-9s%6s%6s %12s", kind == POLICY_IOVA ? "policy" : "admission", "state", "map",
	       "link", "scope");
	printf(kind == POLICY_IOVA ? " %5s %6s" : " %5s %7s",
	       kind == POLICY_IOVA ? "share" : "order", kind == POLICY_IOVA ? "spaces" : "default");
	for (size_t i = 0; i < k->nr_counters; i++)
		printf(" %9s", policy_counter_name[k->counters[i]]);
	if (kind == POLICY_IOVA)
		printf(" %9s %9s\n", "p50", "p99");
	else
		printf(" %9s\n", "slowest");
}

static void print_kind(const struct policies *p, enum policy_kind kind)
{
	if (!has_kind(p, kind))
		return;
	print_head(kind);
	for (size_t i = 0; i < p->nr; i++) {
		const struct policy *q = &p->list[i];

		if (q->kind != kind)
			continue;
		if (kind == POLICY_IOVA)
			print_iova(q);
		else
			print_admission(q);
		if (q->exit[0])
			printf("  ejected: %s\n", q->exit);
	}
}

static void print_text(const struct policies *p)
{
	print_kind(p, POLICY_IOVA);
	if (!p->nr)
		puts("no policy loaded: the built-in allocator decides");
	else if (!has_kind(p, POLICY_IOVA))
		puts("no IOVA policy loaded: the built-in allocator decides");
	else if (!any_in_force(p))
		puts("none is in force: the built-in allocator decides");
	print_kind(p, POLICY_ADMIT);
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

const char *policy_default(__u32 flags)
{
	return flags & POLICY_FLAG_DENY ? "deny" : "allow";
}

const char *policy_place(char buf[POLICY_SCOPE_LEN], enum policy_kind kind,
			 const struct policy_place *place)
{
	size_t len = strlen(policy_scope(buf, place->cgroup_id));
	char part[32] = "";

	if (place->share && place->share < POLICY_SHARE_ALL)
		snprintf(part, sizeof(part), ", %u of %d", place->share, POLICY_SHARE_ALL);
	if (kind == POLICY_IOVA)
		snprintf(buf + len, POLICY_SCOPE_LEN - len, "%s%s%s%s", part,
			 place->flags & POLICY_FLAG_SHADOW ? ", shadow" : "",
			 place->flags & POLICY_FLAG_STRICT ? ", strict" : "",
			 place->flags & POLICY_FLAG_LENIENT ? ", lenient" : "");
	else
		snprintf(buf + len, POLICY_SCOPE_LEN - len, ", default %s",
			 policy_default(place->flags));
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
	{ "get", "what the maps of a policy hold", policy_get },
	{ "list", "which policies are in the kernel, and how they fare", policy_list },
	{ "load", "put a policy in force, for the host or a cgroup", policy_load },
	{ "replace", "put another policy in the place of one, in one step", policy_replace },
	{ "set", "put an entry into a map of a policy, or take one out", policy_set },
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
	.doc = "Policies are BPF programs. An IOVA policy chooses where in a device's address space "
	       "a mapping goes; an admission policy decides what may be preserved over a live "
	       "update.\v ",
	.help_filter = list_commands,
};

int cmd_policy(int argc, char **argv)
{
	return iox_run_command(&all, &policy_argp, argc, argv);
}
