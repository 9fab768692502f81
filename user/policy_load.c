// SPDX-License-Identifier: GPL-2.0
/* iox policy load and replace: from a file into the kernel, and into force. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "lib/cgroup.h"
#include "lib/msg.h"
#include "lib/out.h"
#include "lib/policy_file.h"
#include "lib/policy_pins.h"
#include "policy.h"

struct options {
	const char *which;	/* is to be replaced */
	const char *file;
	const char *name;
	const char *cgroup;
	struct policy_trust trust;
	__u32 share;		/* 0: as the file says */
	__u32 flags;		/* on top of those of the file */
	__u32 no_flags;		/* in spite of the file */
	const char *of_iova, *of_admission;	/* an option that only such policies have */
	char **sets;
	size_t nr_sets;
	bool json;
};

enum key { KEY_SET = 256, KEY_DENY, KEY_ALLOW };

void policy_say_refused(const struct policy_file *f, const struct policy_place *place, int err)
{
	const char *name = policy_file_name(f);
	const struct policy *other;
	char why[256], mend[128];
	struct policies p;

	if (err == -ENOENT && place->cgroup_id) {
		snprintf(why, sizeof(why), "there is no cgroup with the id %llu", place->cgroup_id);
		msg_error(name, why, "say which with --cgroup");
		return;
	}
	if (err != -EBUSY) {
		snprintf(why, sizeof(why), "%s: %s",
			 policy_file_has(f, "init") ? "its init says no" : "cannot be registered",
			 strerror(-err));
		msg_error(name, why, "dmesg may tell more");
		return;
	}
	if (!policies_read(&p))
		return;
	other = policies_in_place(&p, place->cgroup_id, place->share, place->flags);
	if (other) {
		snprintf(why, sizeof(why), "%s (map %u) is in its place", other->name,
			 other->map_id);
		snprintf(mend, sizeof(mend), "'iox policy unload %u' first%s", other->map_id,
			 other->link_id ? ", or replace it" : "");
		msg_error(name, why, mend);
	} else {
		msg_error(name, "another one was in its place just now", "try again");
	}
	policies_free(&p);
}

/* --- load ----------------------------------------------------------------- */

static const struct argp_option load_options[] = {
	{ "cgroup", 'c', "PATH", 0, "For what tasks of this cgroup (v2) and below do", 0 },
	{ "json", 'j', NULL, 0, "Print the policy as JSON", 0 },
	{ "lenient", 'l', NULL, 0, "IOVA: what it refuses the built-in allocator answers", 0 },
	{ "name", 'n', "MAP", 0, "Which policy of FILE: the name of its variable", 0 },
	{ "set", KEY_SET, "ENTRY", 0, "Put 'MAP KEY VALUE' into a map of it first, as 'iox policy set'", 0 },
	{ "shadow", 'S', NULL, 0, "IOVA: ask it beside the policy that decides, and only count", 0 },
	{ "share", 's', "N", 0, "IOVA: for so many in 1000 of these address spaces, a canary", 0 },
	{ "strict", 't', NULL, 0, "IOVA: when it has no opinion, the map fails with ENOSPC", 0 },
	{ "allow", KEY_ALLOW, NULL, 0, "Admission: what it does not answer is allowed", 0 },
	{ "deny", KEY_DENY, NULL, 0, "Admission: what it does not answer is refused", 0 },
	{ 0 },
};

static void add_set(struct options *o, char *arg, struct argp_state *state)
{
	o->sets = reallocarray(o->sets, o->nr_sets + 1, sizeof(*o->sets));
	if (!o->sets)
		argp_failure(state, IOX_FAILED, errno, "%s", arg);
	o->sets[o->nr_sets++] = arg;
}

/* The last word counts. */
static void set_default(struct options *o, bool deny)
{
	o->of_admission = deny ? "--deny" : "--allow";
	o->flags = deny ? POLICY_FLAG_DENY : 0;
	o->no_flags = deny ? 0 : POLICY_FLAG_DENY;
}

/* Options that load and replace have in common. */
static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'n':
		o->name = arg;
		return 0;
	case 's':
		o->of_iova = "--share";
		o->share = policy_parse_share(arg, state);
		return 0;
	case KEY_SET:
		add_set(o, arg, state);
		return 0;
	case KEY_DENY:
	case KEY_ALLOW:
		set_default(o, key == KEY_DENY);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static error_t parse_load(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->trust;
		return 0;
	case 'c':
		o->cgroup = arg;
		return 0;
	case 'l':
		o->of_iova = "--lenient";
		o->flags |= POLICY_FLAG_LENIENT;
		return 0;
	case 'S':
		o->of_iova = "--shadow";
		o->flags |= POLICY_FLAG_SHADOW;
		return 0;
	case 't':
		o->of_iova = "--strict";
		o->flags |= POLICY_FLAG_STRICT;
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
	return parse_common(key, arg, state);
}

static const struct argp load_argp = {
	.options = load_options,
	.parser = parse_load,
	.children = policy_trust_children,
	.args_doc = "FILE",
	.doc = "Puts the policy of a BPF object file in force. It stays until 'iox policy unload', "
	       "or until the machine reboots: its link is pinned below /sys/fs/bpf/iox/policy.\v"
	       "What is not said here is as FILE has it; if that says nothing either, the policy "
	       "is for the whole host. Where an IOVA policy has no opinion, the built-in allocator "
	       "chooses; what an admission policy does not answer is allowed. Admission policies "
	       "are asked one after the other: those of the host, then those of cgroups from the "
	       "root downwards, those of the same cgroup in the order in which they were loaded.",
};

/* Which options make sense, only the file tells. */
static bool options_fit(const struct policy_file *f, const struct options *o)
{
	bool iova = policy_file_kind(f) == POLICY_IOVA;
	const char *wrong = iova ? o->of_admission : o->of_iova;
	char why[128];

	if (!wrong)
		return true;
	snprintf(why, sizeof(why), "%s is an %s, which has no such thing", policy_file_name(f),
		 policy_kinds[policy_file_kind(f)].words);
	msg_error(wrong, why, "leave it out");
	return false;
}

/* "MAP WORD WORD": an entry of a map. */
static bool fill_one(__u32 map_id, const char *set)
{
	char *text = strdup(set), *next = text, *part, **words = NULL;
	size_t nr = 0;
	bool ok = false;

	words = text ? calloc(strlen(text) + 1, sizeof(*words)) : NULL;
	while (words && (part = strsep(&next, " \t")))
		if (*part)
			words[nr++] = part;
	if (words && nr < 2)
		msg_error("--set", "it needs a map and an entry", "--set 'MAP KEY', for example");
	else if (words)
		ok = policy_fill(map_id, words[0], words + 1, nr - 1, false);
	free(words);
	free(text);
	return ok;
}

/* Before anybody asks it. */
static bool fill(const struct policy_file *f, const struct options *o)
{
	for (size_t i = 0; i < o->nr_sets; i++)
		if (!fill_one(policy_file_map_id(f), o->sets[i]))
			return false;
	return true;
}

static bool choose_place(const struct policy_file *f, const struct options *o,
			 struct policy_place *place)
{
	*place = policy_file_place(f);
	place->flags = (place->flags | o->flags) & ~o->no_flags;
	if (o->share)
		place->share = o->share;
	return !o->cgroup || cgroup_id_of(o->cgroup, &place->cgroup_id);
}

/* From here on nothing holds it but the pin. */
static bool attach(const struct policy_file *f, const struct policy_place *place, bool json)
{
	char path[PATH_MAX], where[POLICY_SCOPE_LEN];
	const char *name = policy_file_name(f);
	__u32 id = policy_file_map_id(f);
	int link, err;

	if (!policy_pins_prepare())
		return false;
	link = bpf_link_create(bpf_map__fd(f->map), 0, BPF_STRUCT_OPS, NULL);
	if (link < 0) {
		policy_say_refused(f, place, link);
		return false;
	}
	err = policy_pins_add(link, name, id, path);
	close(link);
	if (err) {
		msg_errno(err, path, "nothing is loaded");
		return false;
	}
	if (json)
		return policy_print_json(id, NULL, NULL);
	printf("%s: map %u, %s\n", name, id,
	       policy_place(where, policy_file_kind(f), place));
	return true;
}

static int load(struct policy_file *f, const struct options *o)
{
	struct policy_place place;

	if (!policy_file_choose(f, o->name))
		return IOX_FAILED;
	if (!options_fit(f, o))
		return IOX_USAGE;
	return choose_place(f, o, &place) && policy_file_set_place(f, &place) &&
	       policy_file_load(f) && fill(f, o) && attach(f, &place, o->json) ?
		       IOX_OK : IOX_FAILED;
}

int policy_load(int argc, char **argv)
{
	struct options opt = {};
	int status = IOX_FAILED;
	struct policy_file f;

	iox_parse(&load_argp, argc, argv, &opt);
	if (policy_open_trusted(&f, opt.file, &opt.trust)) {
		status = load(&f, &opt);
		policy_file_close(&f);
	}
	free(opt.sets);
	return status;
}

/* --- replace -------------------------------------------------------------- */

static const struct argp_option replace_options[] = {
	{ "json", 'j', NULL, 0, "Print the new policy as JSON", 0 },
	{ "name", 'n', "MAP", 0, "Which policy of FILE: the name of its variable", 0 },
	{ "set", KEY_SET, "ENTRY", 0, "Put 'MAP KEY VALUE' into a map of it first, as 'iox policy set'", 0 },
	{ "share", 's', "N", 0, "IOVA: for so many in 1000 of the address spaces in its scope", 0 },
	{ "allow", KEY_ALLOW, NULL, 0, "Admission: what it does not answer is allowed", 0 },
	{ "deny", KEY_DENY, NULL, 0, "Admission: what it does not answer is refused", 0 },
	{ 0 },
};

static error_t parse_replace(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->trust;
		return 0;
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "'%s': one policy and one file at a time", arg);
		if (o->which)
			o->file = arg;
		else
			o->which = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->file)
			argp_error(state, "say which policy, and which file is to replace it");
		return 0;
	}
	return parse_common(key, arg, state);
}

static const struct argp replace_argp = {
	.options = replace_options,
	.parser = parse_replace,
	.children = policy_trust_children,
	.args_doc = "NAME|ID FILE",
	.doc = "Puts the policy of a BPF object file in the place of the one with that name, or "
	       "that map id, in one step: either the old or the new one is asked, and never none.\v"
	       "Its scope is that of the old one; so are share, shadow and strict, deny, and when "
	       "it is asked. --share makes a canary grow: in the end, 1000 makes it the policy of "
	       "its scope. Its maps are new ones: --set fills them.",
};

static bool can_be_replaced(const struct policy *old)
{
	char mend[128];

	if (!policy_is_registered(old)) {
		msg_error(old->name, "is not in force", "'iox policy load' the new one");
		return false;
	}
	if (old->link_id)
		return true;
	snprintf(mend, sizeof(mend), "'iox policy unload %u', then 'iox policy load' the new one",
		 old->map_id);
	msg_error(old->name, "has no link, so it cannot be replaced in one step", mend);
	return false;
}

/*
 * Who was strict stays so, or maps would be where they must not; who refused what he did not answer
 * goes on with that unless told otherwise.
 */
static struct policy_place place_of(const struct policy *old, const struct policy_file *f,
				    const struct options *o)
{
	__u32 flags = policy_file_place(f).flags;
	__u32 stay = old->flags;

	if (old->kind == POLICY_IOVA) {
		flags &= POLICY_FLAG_STRICT | POLICY_FLAG_LENIENT;
		stay &= ~POLICY_FLAG_LENIENT;
	}
	return (struct policy_place){
		.cgroup_id = old->cgroup_id,
		.share = o->share ? o->share : (__u32)old->share,
		.flags = (stay | flags | o->flags) & ~o->no_flags,
	};
}

static bool is_of_its_kind(const struct policy *old, const struct policy_file *f)
{
	char why[128];

	if (policy_file_kind(f) == old->kind)
		return true;
	snprintf(why, sizeof(why), "is an %s, and %s is an %s", policy_kinds[old->kind].words,
		 policy_file_name(f), policy_kinds[policy_file_kind(f)].words);
	msg_error(old->name, why, "one of its kind can replace it");
	return false;
}

static bool is_still_there(const struct policy *q)
{
	struct bpf_link_info info = {};
	int link = bpf_link_get_fd_by_id(q->link_id);
	__u32 len = sizeof(info);
	bool there;

	if (link < 0)
		return false;
	there = !bpf_link_get_info_by_fd(link, &info, &len) && info.struct_ops.map_id == q->map_id;
	close(link);
	return there;
}

/* Fails if somebody else has replaced it meanwhile. */
static int update_link(const struct policy *old, const struct policy_file *f)
{
	LIBBPF_OPTS(bpf_link_update_opts, opts, .flags = BPF_F_REPLACE);
	int link = bpf_link_get_fd_by_id(old->link_id), map, err;

	if (link < 0)
		return link;
	map = bpf_map_get_fd_by_id(old->map_id);
	opts.old_map_fd = (__u32)map;
	err = map < 0 ? map : bpf_link_update(link, bpf_map__fd(f->map), &opts);
	if (map >= 0)
		close(map);
	close(link);
	return err;
}

static json_object *which_json(const struct policy *q)
{
	json_object *o = json_object_new_object();

	out_json_str(o, "name", q->name);
	out_json_u64(o, "map_id", q->map_id);
	return o;
}

static bool update(const struct policy *old, const struct policy_file *f,
		   const struct policy_place *place, bool json)
{
	char path[PATH_MAX], where[POLICY_SCOPE_LEN];
	const char *name = policy_file_name(f);
	__u32 id = policy_file_map_id(f);
	int err = update_link(old, f);

	if (err && !is_still_there(old)) {
		msg_error(old->name, "was unloaded or replaced meanwhile",
			  "'iox policy list' shows what there is now");
		return false;
	}
	if (err) {
		policy_say_refused(f, place, err);
		return false;
	}
	if (policy_pins_find(old->link_id, path))
		policy_pins_rename(path, name, id);
	if (json)
		return policy_print_json(id, "replaced", which_json(old));
	printf("%s: map %u in the place of %s, map %u: %s\n", name, id, old->name, old->map_id,
	       policy_place(where, policy_file_kind(f), place));
	return true;
}

static int replace(const struct policy *old, struct policy_file *f, const struct options *o)
{
	struct policy_place place;

	if (!can_be_replaced(old) || !policy_file_choose(f, o->name) || !is_of_its_kind(old, f))
		return IOX_FAILED;
	if (!options_fit(f, o))
		return IOX_USAGE;
	place = place_of(old, f, o);
	return policy_file_set_place(f, &place) && policy_file_load(f) && fill(f, o) &&
	       update(old, f, &place, o->json) ? IOX_OK : IOX_FAILED;
}

int policy_replace(int argc, char **argv)
{
	struct options opt = {};
	const struct policy *old;
	struct policy_file f;
	struct policies p;
	int status = IOX_FAILED;

	iox_parse(&replace_argp, argc, argv, &opt);
	if (!policies_read(&p))
		return IOX_FAILED;
	old = policies_find(&p, opt.which);
	if (old && policy_open_trusted(&f, opt.file, &opt.trust)) {
		status = replace(old, &f, &opt);
		policy_file_close(&f);
	}
	policies_free(&p);
	free(opt.sets);
	return status;
}
