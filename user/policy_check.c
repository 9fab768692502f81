// SPDX-License-Identifier: GPL-2.0
/* iox policy check: would the kernel accept the policies of a file? */
#include <stdio.h>
#include <bpf/btf.h>

#include "lib/msg.h"
#include "lib/out.h"
#include "lib/policy_file.h"
#include "policy.h"

struct options {
	const char *file;
	bool json;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print an object with all that is in FILE as JSON", 0 },
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
		if (o->file)
			argp_error(state, "'%s': one file at a time", arg);
		o->file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->file)
			argp_error(state, "say which file");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "FILE",
	.doc = "Has the kernel look at each policy of a BPF object file, and says what is in it "
	       "and where it would go. Nothing is attached, and nothing stays.\v"
	       "Exit status: 0 all are accepted, 1 one is not, or there is none, 2 wrong usage. A "
	       "place that is taken does not count.",
};

static void print_members(const struct policy_file *f)
{
	const struct btf *btf = bpf_object__btf(f->object);

	printf("  %-13s", "members");
	for (__u32 i = 0; i < btf_vlen(f->type); i++) {
		const struct btf_member *m = &btf_members(f->type)[i];
		const struct bpf_program *prog = policy_file_program(f, m);

		if (prog)
			printf(" %s (%zu)", btf__name_by_offset(btf, m->name_off),
			       bpf_program__insn_cnt(prog));
	}
	putchar('\n');
}

static size_t instructions(const struct policy_file *f)
{
	size_t sum = 0;

	for (__u32 i = 0; i < btf_vlen(f->type); i++) {
		const struct bpf_program *prog = policy_file_program(f, &btf_members(f->type)[i]);

		if (prog)
			sum += bpf_program__insn_cnt(prog);
	}
	return sum;
}

static void print_place(const struct policy_file *f)
{
	struct policy_place place = policy_file_place(f);
	char where[POLICY_SCOPE_LEN];
	const struct policy *other;
	struct policies p;

	printf("  %-13s %s\n", "attached to", policy_place(where, policy_file_kind(f), &place));
	/* Of admission policies there can be any number. */
	if (policy_file_kind(f) != POLICY_IOVA || !policies_read(&p))
		return;
	other = policies_in_place(&p, place.cgroup_id, place.share, place.flags);
	if (other)
		printf("  %-13s %s (map %u)\n", "now there", other->name, other->map_id);
	policies_free(&p);
}

static void print_policy(const struct policy_file *f)
{
	printf("%s: accepted\n", policy_file_name(f));
	printf("  %-13s %s\n", "kind", policy_kinds[policy_file_kind(f)].words);
	printf("  %-13s %s\n", "variable", bpf_map__name(f->map));
	print_members(f);
	printf("  %-13s %zu\n", "instructions", instructions(f));
	print_place(f);
}

static json_object *members_json(const struct policy_file *f)
{
	const struct btf *btf = bpf_object__btf(f->object);
	json_object *o = json_object_new_object();

	for (__u32 i = 0; i < btf_vlen(f->type); i++) {
		const struct btf_member *m = &btf_members(f->type)[i];
		const struct bpf_program *prog = policy_file_program(f, m);

		if (prog)
			out_json_u64(o, btf__name_by_offset(btf, m->name_off),
				     bpf_program__insn_cnt(prog));
	}
	return o;
}

static json_object *now_there_json(const struct policy_place *place)
{
	const struct policy *other;
	json_object *o = NULL;
	struct policies p;

	if (!policies_read(&p))
		return NULL;
	other = policies_in_place(&p, place->cgroup_id, place->share, place->flags);
	if (other) {
		o = json_object_new_object();
		out_json_str(o, "name", other->name);
		out_json_u64(o, "map_id", other->map_id);
	}
	policies_free(&p);
	return o;
}

static void describe(const struct policy_file *f, json_object *o)
{
	struct policy_place place = policy_file_place(f);

	out_json_str(o, "kind", policy_kinds[policy_file_kind(f)].word);
	out_json_str(o, "name", policy_file_name(f));
	json_object_object_add(o, "members", members_json(f));
	out_json_u64(o, "instructions", instructions(f));
	out_json_u64(o, "cgroup_id", place.cgroup_id);
	json_object_object_add(o, "flags", policy_flags_json(policy_file_kind(f), place.flags));
	if (policy_file_kind(f) != POLICY_IOVA)
		return;
	out_json_u64(o, "share", place.share ?: POLICY_SHARE_ALL);
	json_object_object_add(o, "now_there", now_there_json(&place));
}

/* Each is opened anew, since what is loaded with one cannot be loaded again. */
static bool check_one(const char *path, const char *variable, json_object *list)
{
	json_object *o = list ? json_object_new_object() : NULL;
	struct policy_file f;
	bool ok;

	if (!policy_file_open(&f, path)) {
		json_object_put(o);
		return false;
	}
	ok = policy_file_choose(&f, variable) && policy_file_load(&f);
	if (o) {
		out_json_str(o, "variable", variable);
		out_json_bool(o, "accepted", ok);
		json_object_array_add(list, o);
	}
	if (ok && o)
		describe(&f, o);
	else if (ok)
		print_policy(&f);
	policy_file_close(&f);
	return ok;
}

static bool check_all(const struct policy_file *f, json_object *list)
{
	struct bpf_map *map = policy_file_next(f, NULL);
	bool ok = true;

	if (!map) {
		policy_file_say_none(f);
		return false;
	}
	for (; map; map = policy_file_next(f, map))
		if (!check_one(f->path, bpf_map__name(map), list))
			ok = false;
	return ok;
}

static bool print_json(const struct policy_file *f)
{
	json_object *o = json_object_new_object(), *list = json_object_new_array();
	bool ok = check_all(f, list);

	out_json_str(o, "file", f->path);
	json_object_object_add(o, "policies", list);
	return out_json(stdout, o) && ok;
}

int policy_check(int argc, char **argv)
{
	struct options opt = {};
	struct policy_file f;
	bool ok;

	iox_parse(&argp, argc, argv, &opt);
	if (!policies_supported() || !policy_file_open(&f, opt.file))
		return IOX_FAILED;
	ok = opt.json ? print_json(&f) : check_all(&f, NULL);
	policy_file_close(&f);
	return ok ? IOX_OK : IOX_FAILED;
}
