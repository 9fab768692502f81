// SPDX-License-Identifier: GPL-2.0
/* iox rollout status: how far this host is in its rollouts, and why. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/msg.h"
#include "lib/out.h"
#include "rollout.h"
#include "rollout_place.h"

struct options {
	struct rollout_options shared;
	const char *name;
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
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->shared;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->name)
			argp_error(state, "'%s': one rollout at a time", arg);
		o->name = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = rollout_children,
	.args_doc = "[NAME]",
	.doc = "How far this host is in its rollouts, or in one, and why; and what the guards have seen "
	       "last, with their limits and what was measured before.\v"
	       "In force: for how many of 1000 address spaces the kernel asks the policy now.",
};

/* What is to be seen of one */
struct view {
	struct rollout_record rec;
	struct rollout_truth truth;
	char taken_by[ROLLOUT_NAME_LEN];
};

static void see(struct view *v, const char *dir, const char *name)
{
	char said[256];

	*v = (struct view){};
	msg_catch(said, sizeof(said));
	if (rollout_state_read(dir, name, &v->rec) == ROLLOUT_DAMAGED) {
		/* Nobody knows what is to be: it stays as it is. */
		v->rec.st.phase = ROLLOUT_HELD;
		snprintf(v->rec.st.reason, sizeof(v->rec.st.reason),
			 "its state is damaged: 'iox rollout forget %s', then apply its document again",
			 name);
	}
	msg_catch(NULL, 0);
	snprintf(v->rec.name, sizeof(v->rec.name), "%s", name);
	rollout_place_look(name, v->rec.policy.kind, &v->truth);
	rollout_place_taken_by(dir, name, v->taken_by);
}

static __u32 in_force(const struct view *v)
{
	return v->truth.place == ROLLOUT_IN_FORCE ? v->truth.spaces : 0;
}

static const char *quantity(char buf[32], enum rollout_guard g, double value)
{
	if (g == ROLLOUT_GUARD_map_p99)
		out_ns(buf, (__u64)value);
	else
		snprintf(buf, 32, "%.4g %%", value * 100);
	return buf;
}

static void print_guards(const struct rollout_record *r)
{
	char value[32], limit[32], baseline[32];

	for (int g = 0; g < ROLLOUT_NR_GUARDS; g++) {
		if (!r->has_limit[g] || !r->st.has_baseline)
			continue;
		printf("  %-18s%s, limit %s, baseline %s", rollout_guard_name[g],
		       quantity(value, g, r->st.value[g]), quantity(limit, g, r->limit[g]),
		       quantity(baseline, g, r->st.baseline[g]));
		if (r->st.trips[g])
			printf(", tripped %llu times", r->st.trips[g]);
		putchar('\n');
	}
}

static void print_view(const struct view *v)
{
	const struct rollout_record *r = &v->rec;
	char since[32] = "-", stage[32];
	time_t at = (time_t)r->st.since;
	struct tm tm;

	if (at && localtime_r(&at, &tm))
		strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(stage, sizeof(stage), "%u of %u", r->st.stage, r->nr_stages);
	printf("%-24s%-6s%-12s%-9s%8u  %s\n", r->name,
	       r->policy.kind == ROLLOUT_ADMIT ? "admit" : "iova", rollout_phase_name[r->st.phase],
	       stage, in_force(v), since);
	if (*r->st.reason)
		printf("  %s\n", r->st.reason);
	if (*v->taken_by)
		printf("  %s is in its place\n", v->taken_by);
	print_guards(r);
}

static json_object *guard_json(const struct rollout_record *r, enum rollout_guard g)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "value", json_object_new_double(r->st.value[g]));
	json_object_object_add(o, "limit", json_object_new_double(r->limit[g]));
	json_object_object_add(o, "baseline", json_object_new_double(r->st.baseline[g]));
	out_json_u64(o, "trips", r->st.trips[g]);
	return o;
}

static json_object *view_json(const struct view *v)
{
	json_object *o = json_object_new_object(), *guards = json_object_new_object();
	const struct rollout_record *r = &v->rec;

	out_json_str(o, "rollout", r->name);
	out_json_str(o, "kind", r->policy.kind == ROLLOUT_ADMIT ? "admit" : "iova");
	out_json_str(o, "state", rollout_phase_name[r->st.phase]);
	out_json_str(o, "reason", r->st.reason);
	out_json_u64(o, "stage", r->st.stage);
	out_json_u64(o, "stages", r->nr_stages);
	out_json_u64(o, "goal", r->goal);
	out_json_u64(o, "attempt", r->st.attempt);
	out_json_u64(o, "since", r->st.since);
	out_json_u64(o, "baked_ms", r->st.baked_ms);
	out_json_u64(o, "in_force", in_force(v));
	out_json_str(o, "document", r->document);
	out_json_str(o, "taken_by", v->taken_by);
	for (int g = 0; g < ROLLOUT_NR_GUARDS; g++)
		if (r->has_limit[g])
			json_object_object_add(guards, rollout_guard_name[g], guard_json(r, g));
	json_object_object_add(o, "guards", guards);
	return o;
}

static int show(const struct options *o, char **names, int nr)
{
	json_object *all = json_object_new_object(), *list = json_object_new_array();
	struct view *v = malloc(sizeof(*v));
	int shown = 0;

	if (!o->json && nr)
		printf("%-24s%-6s%-12s%-9s%8s  %s\n", "rollout", "kind", "state", "stage", "in force",
		       "since");
	for (int i = 0; v && i < nr; i++) {
		if (o->name && strcmp(o->name, names[i]))
			continue;
		see(v, o->shared.state, names[i]);
		shown++;
		if (o->json)
			json_object_array_add(list, view_json(v));
		else
			print_view(v);
	}
	free(v);
	json_object_object_add(all, "rollouts", list);
	if (o->json)
		out_json(stdout, all);
	else
		json_object_put(all);
	return shown;
}

int rollout_status(int argc, char **argv)
{
	struct options opt = { .shared = ROLLOUT_DEFAULTS };
	char **names;
	int nr, shown;

	iox_parse(&argp, argc, argv, &opt);
	nr = rollout_state_list(opt.shared.state, &names);
	if (nr < 0)
		return IOX_FAILED;
	shown = show(&opt, names, nr);
	rollout_state_list_free(names, nr);
	if (opt.name && !shown) {
		msg_error(opt.name, "no such rollout", "'iox rollout status' shows those that there are");
		return IOX_FAILED;
	}
	if (!shown && !opt.json)
		puts("no rollout");
	return IOX_OK;
}
