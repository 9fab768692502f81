// SPDX-License-Identifier: GPL-2.0
/* iox policy show: all that is known of one. */
#include <errno.h>
#include <stdio.h>

#include "lib/cgroup.h"
#include "lib/out.h"
#include "lib/policy_pins.h"
#include "policy.h"

struct options {
	const char *which;
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
		if (o->which)
			argp_error(state, "'%s': one policy at a time", arg);
		o->which = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->which)
			argp_error(state, "say which policy");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME|ID",
	.doc = "All that is known of the policy with that name, or that map id: its scope, what "
	       "became of its answers, their times, why it was ejected; of an IOVA policy its "
	       "address spaces, of an admission policy when it is asked and what it refused last.",
};

static void print_counters(const struct policy *q)
{
	const struct policy_kind_info *kind = &policy_kinds[q->kind];
	__u64 asked = q->counter[POLICY_asked];

	for (size_t i = 0; i < kind->nr_counters; i++) {
		enum policy_counter c = kind->counters[i];

		printf("  %-9s %llu", policy_counter_name[c], q->counter[c]);
		if (asked && c != POLICY_asked)
			printf(" (%.1f %%)", (double)q->counter[c] * 100 / (double)asked);
		putchar('\n');
	}
}

static void print_iova(const struct policy *q)
{
	static const char *const flags[] = {
		[0] = "-",
		[POLICY_FLAG_SHADOW] = "shadow",
		[POLICY_FLAG_STRICT] = "strict",
		[POLICY_FLAG_SHADOW | POLICY_FLAG_STRICT] = "shadow, strict",
		[POLICY_FLAG_LENIENT] = "lenient",
		[POLICY_FLAG_LENIENT | POLICY_FLAG_SHADOW] = "shadow, lenient",
		[POLICY_FLAG_LENIENT | POLICY_FLAG_STRICT] = "strict, lenient",
		[POLICY_FLAG_LENIENT | POLICY_FLAG_SHADOW | POLICY_FLAG_STRICT] =
			"shadow, strict, lenient",
	};
	const __u32 known = POLICY_FLAG_LENIENT | POLICY_FLAG_SHADOW | POLICY_FLAG_STRICT;
	char p50[OUT_NS_LEN], p99[OUT_NS_LEN];

	printf("  %-9s %llu of %d\n", "share", q->share, POLICY_SHARE_ALL);
	printf("  %-9s %s\n", "flags", flags[q->flags & known]);
	printf("  %-9s %llu\n", "spaces", q->spaces);
	print_counters(q);
	printf("  %-9s %s\n", "p50", out_ns(p50, q->p50_ns));
	printf("  %-9s %s\n", "p99", out_ns(p99, q->p99_ns));
}

static void print_admission(const struct policy *q)
{
	char slowest[OUT_NS_LEN];

	printf("  %-9s %llu\n", "order", q->order);
	printf("  %-9s %s\n", "default", policy_default(q->flags));
	print_counters(q);
	printf("  %-9s %s\n", "slowest", out_ns(slowest, q->slowest_ns));
	if (q->last_refusal[0])
		printf("  %-9s %s\n", "last", q->last_refusal);
}

static void print_registered(const struct policy *q)
{
	char scope[POLICY_SCOPE_LEN];

	printf("  %-9s %s\n", "scope", policy_scope(scope, q->cgroup_id));
	if (q->kind == POLICY_IOVA)
		print_iova(q);
	else
		print_admission(q);
	if (q->exit[0])
		printf("  %-9s %s\n", "exit", q->exit);
}

static void print_text(const struct policy *q)
{
	char path[PATH_MAX];

	printf("%s\n", q->name);
	printf("  %-9s %s\n", "kind", policy_kinds[q->kind].words);
	printf("  %-9s %s\n", "state", policy_state_name[q->state]);
	printf("  %-9s %u (%s)\n", "map", q->map_id, q->map_name);
	if (!q->link_id)
		printf("  %-9s -\n", "link");
	else if (policy_pins_find(q->link_id, path))
		printf("  %-9s %u, pinned at %s\n", "link", q->link_id, path);
	else
		printf("  %-9s %u\n", "link", q->link_id);
	if (policy_is_registered(q))
		print_registered(q);
}

static bool print_json(const struct policy *q)
{
	json_object *o = policy_json(q);
	char path[PATH_MAX];
	bool found = q->link_id && policy_pins_find(q->link_id, path);

	json_object_object_add(o, "pin", found ? json_object_new_string(path) : NULL);
	found = q->cgroup_id && cgroup_path_of(q->cgroup_id, path);
	json_object_object_add(o, "cgroup", found ? json_object_new_string(path) : NULL);
	return out_json(stdout, o);
}

int policy_show(int argc, char **argv)
{
	struct options opt = {};
	const struct policy *q;
	struct policies p;
	bool ok;

	iox_parse(&argp, argc, argv, &opt);
	if (!policies_read(&p))
		return IOX_FAILED;
	q = policies_find(&p, opt.which);
	ok = q;
	if (q && opt.json)
		ok = print_json(q);
	else if (q)
		print_text(q);
	policies_free(&p);
	return ok ? IOX_OK : IOX_FAILED;
}
