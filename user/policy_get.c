// SPDX-License-Identifier: GPL-2.0
/* iox policy get: what is in the maps of a policy. */
#include <stdio.h>

#include "lib/msg.h"
#include "lib/out.h"
#include "lib/policy_maps.h"
#include "policy.h"

struct options {
	bool json;
	const char *which, *map;
	char **words;
	size_t nr;
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
		if (!o->which) {
			o->which = arg;
		} else if (!o->map) {
			o->map = arg;
		} else {
			o->words = state->argv + state->next - 1;
			o->nr = (size_t)(state->argc - state->next + 1);
			state->next = state->argc;
		}
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
	.args_doc = "NAME|ID [MAP [KEY...]]",
	.doc = "Which maps the policy with that name, or that map id, has, and what their keys and "
	       "values consist of; with MAP, its entries, or the one with this KEY, as 'iox policy "
	       "set' takes them.\v"
	       "Of an array, elements that are 0 are left out. What is neither a number nor a text "
	       "is shown as '?'.",
};

/* --- which maps ----------------------------------------------------------- */

static void print_names(const struct map_fields *fields)
{
	if (!fields->nr)
		putchar('-');
	for (size_t i = 0; i < fields->nr; i++)
		printf("%s%s", i ? "," : "", fields->list[i].name);
}

static void print_maps(const struct policy_maps *maps)
{
	printf("%-16s%6s %-7s%8s  %s\n", "map", "id", "type", "entries", "key: value");
	for (size_t i = 0; i < maps->nr; i++) {
		const struct policy_map *m = &maps->list[i];

		printf("%-16s%6u %-7s%8u  ", m->info.name, m->info.id, policy_map_type(m),
		       m->info.max_entries);
		print_names(&m->key);
		fputs(": ", stdout);
		print_names(&m->value);
		putchar('\n');
	}
}

static json_object *names_json(const struct map_fields *fields)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < fields->nr; i++)
		json_object_array_add(list, json_object_new_string(fields->list[i].name));
	return list;
}

static json_object *map_json(const struct policy_map *m)
{
	json_object *o = json_object_new_object();

	out_json_str(o, "map", m->info.name);
	out_json_u64(o, "id", m->info.id);
	out_json_str(o, "type", policy_map_type(m));
	out_json_u64(o, "max_entries", m->info.max_entries);
	return o;
}

static bool show_maps(const struct policy_maps *maps, bool json)
{
	json_object *all, *list;

	if (!json) {
		print_maps(maps);
		return true;
	}
	all = json_object_new_object();
	list = json_object_new_array();
	for (size_t i = 0; i < maps->nr; i++) {
		json_object *o = map_json(&maps->list[i]);

		json_object_object_add(o, "key", names_json(&maps->list[i].key));
		json_object_object_add(o, "value", names_json(&maps->list[i].value));
		json_object_array_add(list, o);
	}
	json_object_object_add(all, "maps", list);
	return out_json(stdout, all);
}

/* --- entries -------------------------------------------------------------- */

static void print_fields(const struct map_fields *fields, const char *bytes, const char **before)
{
	for (size_t i = 0; i < fields->nr; i++) {
		fputs(*before, stdout);
		map_field_print(&fields->list[i], bytes, stdout);
		*before = " ";
	}
}

static void print_entry(const struct policy_map *map, void *arg)
{
	const char *before = "";

	(void)arg;
	print_fields(&map->key, map->key_bytes, &before);
	print_fields(&map->value, map->value_bytes, &before);
	putchar('\n');
}

static void add_entry(const struct policy_map *map, void *list)
{
	json_object *o = json_object_new_object();

	if (map->key.nr)
		json_object_object_add(o, "key", map_fields_json(&map->key, map->key_bytes));
	json_object_object_add(o, "value", map_fields_json(&map->value, map->value_bytes));
	json_object_array_add(list, o);
}

static bool show_entries(struct policy_map *map, const struct options *o)
{
	json_object *list = json_object_new_array(), *all;
	void (*show)(const struct policy_map *map, void *arg) = o->json ? add_entry : print_entry;
	bool ok;

	if (o->nr) {
		ok = policy_map_get(map, o->words, o->nr);
		if (ok)
			show(map, list);
	} else {
		ok = policy_map_each(map, show, list);
	}
	if (!ok || !o->json) {
		json_object_put(list);
		return ok;
	}
	all = map_json(map);
	json_object_object_add(all, "entries", list);
	return out_json(stdout, all);
}

static bool show(const struct policy *q, const struct options *o)
{
	struct policy_maps maps;
	struct policy_map *map;
	bool ok;

	if (!policy_maps_read(&maps, q->map_id))
		return false;
	if (o->map) {
		map = policy_maps_find(&maps, o->map);
		ok = map && show_entries(map, o);
	} else {
		ok = show_maps(&maps, o->json);
	}
	policy_maps_free(&maps);
	return ok;
}

int policy_get(int argc, char **argv)
{
	struct options opt = {};
	const struct policy *q;
	struct policies p;
	bool ok;

	iox_parse(&argp, argc, argv, &opt);
	if (!policies_read(&p))
		return IOX_FAILED;
	q = policies_find(&p, opt.which);
	ok = q && show(q, &opt);
	policies_free(&p);
	return ok ? IOX_OK : IOX_FAILED;
}
