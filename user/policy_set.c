// SPDX-License-Identifier: GPL-2.0
/* iox policy set: an entry of a map that a policy reads. */
#include <stdlib.h>
#include <string.h>

#include "lib/msg.h"
#include "lib/policy_maps.h"
#include "policy.h"

struct options {
	bool delete;
	const char *which, *map;
	char **words;
	size_t nr;
};

static const struct argp_option options[] = {
	{ "delete", 'd', NULL, 0, "Take the entry with this key out", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'd':
		o->delete = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!o->which) {
			o->which = arg;
		} else if (!o->map) {
			o->map = arg;
		} else {
			/* All that follow are words, those that begin with a minus too. */
			o->words = state->argv + state->next - 1;
			o->nr = (size_t)(state->argc - state->next + 1);
			state->next = state->argc;
		}
		return 0;
	case ARGP_KEY_END:
		if (!o->map)
			argp_error(state, "say which policy, and which of its maps");
		if (!o->nr)
			argp_error(state, "say what to %s", o->delete ? "take out" : "put in");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME|ID MAP [KEY [VALUE]] [MEMBER=VALUE...]",
	.doc = "Puts an entry into a map of the policy with that name, or that map id; 'iox policy get "
	       "NAME' tells which maps there are, and what their keys and values consist of. What "
	       "has several members is written with their names, or, in their order, with ':' in "
	       "between.\v"
	       "Numbers may have 0x before, or K, M, G or T behind them; 'any' is the highest. "
	       "cgroup_id is the path of a cgroup, or 'host'; vendor and device are hexadecimal. "
	       "Members of the value that are not said keep what they have; a new entry needs all "
	       "of them, but a value that is one number is 1.",
};

bool policy_fill(__u32 map_id, const char *name, char *const *words, size_t nr, bool delete)
{
	struct policy_map *map;
	struct policy_maps maps;
	bool ok;

	if (!policy_maps_read(&maps, map_id))
		return false;
	map = policy_maps_find(&maps, name);
	ok = map && (delete ? policy_map_delete(map, words, nr) : policy_map_set(map, words, nr));
	policy_maps_free(&maps);
	return ok;
}

int policy_set(int argc, char **argv)
{
	struct options opt = {};
	const struct policy *q;
	struct policies p;
	bool ok;

	iox_parse(&argp, argc, argv, &opt);
	if (!policies_read(&p))
		return IOX_FAILED;
	q = policies_find(&p, opt.which);
	ok = q && policy_fill(q->map_id, opt.map, opt.words, opt.nr, opt.delete);
	policies_free(&p);
	return ok ? IOX_OK : IOX_FAILED;
}
