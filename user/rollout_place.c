// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "lib/cgroup.h"
#include "lib/msg.h"
#include "lib/policy_pins.h"
#include "policy.h"
#include "rollout_place.h"

#define PINS "/sys/fs/bpf/iox/rollout"
#define PIN_LEN (sizeof(PINS) + ROLLOUT_NAME_LEN + 8)
/* What replaces what replaces, ... : who has more of them has a circle. */
#define MAX_DEPTH 16

/* --- pins ------------------------------------------------------------------------- */

/* The BPF file system has no names with dots; ours have no '_'. */
static const char *pin_of(char path[PIN_LEN], const char *name, const char *end)
{
	size_t len = (size_t)snprintf(path, PIN_LEN, PINS "/");

	for (; *name; name++)
		path[len++] = *name == '.' ? '_' : *name;
	snprintf(path + len, PIN_LEN - len, "%s", end);
	return path;
}

static const char *slot_of(char path[PIN_LEN], const char *name)
{
	return pin_of(path, name, "+slot");
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

static bool prepare_pins(void)
{
	if (!policy_pins_prepare())
		return false;
	if (!mkdir(PINS, 0700) || errno == EEXIST)
		return true;
	msg_errno(errno, PINS, NULL);
	return false;
}

static bool move_pin(const char *from, const char *to)
{
	if (!rename(from, to))
		return true;
	msg_errno(errno, from, NULL);
	return false;
}

static __u32 map_of_link(int link)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);

	return bpf_link_get_info_by_fd(link, &info, &len) ? 0 : info.struct_ops.map_id;
}

static void look_at(const char *path, enum rollout_kind kind, struct rollout_truth *t)
{
	int link = bpf_obj_get(path);

	*t = (struct rollout_truth){ .place = ROLLOUT_NOT_THERE };
	if (link < 0)
		return;
	t->policy.kind = kind == ROLLOUT_ADMIT ? POLICY_ADMIT : POLICY_IOVA;
	t->policy.map_id = map_of_link(link);
	close(link);
	policy_read_registered(&t->policy);
	if (!policy_is_registered(&t->policy))
		return;
	t->place = t->policy.state == POLICY_EJECTED ? ROLLOUT_EJECTED : ROLLOUT_IN_FORCE;
	t->spaces = kind == ROLLOUT_ADMIT ? ROLLOUT_OF : (__u32)t->policy.share;
}

void rollout_place_look(const char *name, enum rollout_kind kind, struct rollout_truth *t)
{
	char pin[PIN_LEN];

	look_at(pin_of(pin, name, ""), kind, t);
}

/* --- objects ------------------------------------------------------------------------ */

static bool choose(struct policy_file *f, const struct rollout_policy *policy)
{
	struct bpf_map *first = policy_file_next(f, NULL);

	if (!*policy->variable && first && policy_file_next(f, first)) {
		msg_error(f->path, "has more than one policy",
			  "say in the document which: 'variable: NAME', as 'iox policy check' shows them");
		return false;
	}
	return policy_file_choose(f, *policy->variable ? policy->variable : NULL);
}

bool rollout_place_open(struct policy_file *f, const char *path, const void *bytes, size_t size,
			const struct rollout_policy *policy)
{
	bool admit = policy->kind == ROLLOUT_ADMIT;

	if (!policy_file_open_bytes(f, path, bytes, size))
		return false;
	if (choose(f, policy) && admit == (policy_file_kind(f) == POLICY_ADMIT))
		return true;
	if (f->map)
		msg_error(path, admit ? "is an IOVA policy" : "is an admission policy",
			  admit ? "say so: 'kind: iova'" : "say so: 'kind: admit'");
	policy_file_close(f);
	return false;
}

static bool load_in_place(struct policy_file *f, const struct rollout_policy *policy,
			  struct policy_place *place)
{
	*place = policy_file_place(f);
	if (*policy->cgroup && !cgroup_id_of(policy->cgroup, &place->cgroup_id))
		return false;
	if (policy->kind == ROLLOUT_IOVA) {
		place->share = policy->spaces;
		place->flags |= policy->may_refuse ? 0 : POLICY_FLAG_LENIENT;
	}
	return policy_file_set_place(f, place) && policy_file_load(f);
}

/* A policy in the kernel that a link can attach */
struct loaded {
	void *bytes;
	struct policy_file file;
	struct policy_place place;
};

static void unload(struct loaded *l)
{
	policy_file_close(&l->file);
	free(l->bytes);
}

static bool load(const char *dir, const struct rollout_record *r, struct loaded *l)
{
	size_t size;

	*l = (struct loaded){};
	l->bytes = rollout_state_object(dir, r->name, r->policy.sha256, &size);
	if (!l->bytes)
		return false;
	if (rollout_place_open(&l->file, r->name, l->bytes, size, &r->policy) &&
	    load_in_place(&l->file, &r->policy, &l->place))
		return true;
	unload(l);
	return false;
}

/* --- links -------------------------------------------------------------------------- */

static bool attach(const struct loaded *l, const char *pin)
{
	int link = bpf_link_create(bpf_map__fd(l->file.map), 0, BPF_STRUCT_OPS, NULL), err = 0;

	if (link < 0) {
		policy_say_refused(&l->file, &l->place, link);
		return false;
	}
	if (bpf_obj_pin(link, pin))
		err = errno;
	close(link);
	if (err)
		msg_errno(err, pin, NULL);
	return !err;
}

/* Every map asks what the link had before, or what it has then. */
static bool update(const struct loaded *l, const char *pin)
{
	int link = bpf_obj_get(pin), err;

	err = link < 0 ? link : bpf_link_update(link, bpf_map__fd(l->file.map), NULL);
	if (link >= 0)
		close(link);
	if (err)
		policy_say_refused(&l->file, &l->place, err);
	return !err;
}

static bool detach(const char *pin)
{
	int link = bpf_obj_get(pin);

	/* Detached, it ends even if somebody has the link open. */
	if (link >= 0) {
		bpf_link_detach(link);
		close(link);
	}
	if (!unlink(pin) || errno == ENOENT)
		return true;
	msg_errno(errno, pin, NULL);
	return false;
}

/* --- one in the place of another ------------------------------------------------------ */

static bool wants_all(const struct rollout_record *r)
{
	return r->policy.spaces == ROLLOUT_OF;
}

/* The one that @r replaces, if it is to be in force; not if it is for others. */
static bool read_replaced(const char *dir, const struct rollout_record *r,
			  struct rollout_record *old)
{
	if (!*r->policy.replaces ||
	    rollout_state_read(dir, r->policy.replaces, old) != ROLLOUT_READ)
		return false;
	return old->policy.spaces && old->policy.kind == r->policy.kind &&
	       !strcmp(old->policy.cgroup, r->policy.cgroup);
}

/* The link at @pin goes back to the one that was replaced. */
static bool give_back(const char *dir, const struct rollout_record *old, const char *pin)
{
	char to[PIN_LEN];
	struct loaded l;
	bool ok;

	if (!load(dir, old, &l))
		return false;
	ok = update(&l, pin) && move_pin(pin, pin_of(to, old->name, ""));
	unload(&l);
	return ok;
}

/* Does the link of the old one have to be taken, or has that begun? */
static bool must_take_over(const struct rollout_record *r, const struct rollout_record *old)
{
	char pin[PIN_LEN], slot[PIN_LEN];
	struct rollout_truth t;

	if (exists(slot_of(slot, r->name)))
		return true;
	rollout_place_look(old->name, old->policy.kind, &t);
	if (t.place != ROLLOUT_NOT_THERE)
		return true;
	/* What is pinned there is attached to nothing. */
	unlink(pin_of(pin, old->name, ""));
	return false;
}

static bool take_over(const struct rollout_record *r, const struct rollout_record *old,
		      const struct loaded *l)
{
	char pin[PIN_LEN], slot[PIN_LEN], from[PIN_LEN];

	pin_of(from, old->name, "");
	slot_of(slot, r->name);
	if (!exists(slot) && !move_pin(from, slot))
		return false;
	if (!update(l, slot)) {
		rename(slot, from);
		return false;
	}
	/* A canary that is pinned there ends with that. */
	return move_pin(slot, pin_of(pin, r->name, ""));
}

/* --- orders ----------------------------------------------------------------------------- */

/* It has the link of the one that it replaces, and is to be a canary again. */
static bool has_to_step_aside(const char *dir, const struct rollout_record *r,
			      const struct rollout_truth *t, struct rollout_record *old)
{
	char from[PIN_LEN];

	return t->place != ROLLOUT_NOT_THERE && t->spaces == ROLLOUT_OF && !wants_all(r) &&
	       read_replaced(dir, r, old) && !exists(pin_of(from, old->name, ""));
}

bool rollout_place_put(const char *dir, const struct rollout_record *r)
{
	struct rollout_record old;
	struct rollout_truth t;
	char pin[PIN_LEN];
	struct loaded l;
	bool ok;

	if (!prepare_pins())
		return false;
	pin_of(pin, r->name, "");
	rollout_place_look(r->name, r->policy.kind, &t);
	if (has_to_step_aside(dir, r, &t, &old)) {
		if (!give_back(dir, &old, pin))
			return false;
		t.place = ROLLOUT_NOT_THERE;
	}
	if (!load(dir, r, &l))
		return false;
	if (wants_all(r) && read_replaced(dir, r, &old) && must_take_over(r, &old)) {
		ok = take_over(r, &old, &l);
	} else if (t.place == ROLLOUT_NOT_THERE) {
		unlink(pin);
		ok = attach(&l, pin);
	} else {
		ok = update(&l, pin);
	}
	unload(&l);
	return ok;
}

bool rollout_place_remove(const char *dir, const struct rollout_record *r)
{
	char pin[PIN_LEN], slot[PIN_LEN], from[PIN_LEN];
	struct rollout_record old;
	struct rollout_truth t;

	pin_of(pin, r->name, "");
	if (read_replaced(dir, r, &old)) {
		rollout_place_look(r->name, r->policy.kind, &t);
		if (exists(slot_of(slot, r->name)))
			give_back(dir, &old, slot);
		else if (t.spaces == ROLLOUT_OF && !exists(pin_of(from, old.name, "")) &&
			 give_back(dir, &old, pin))
			return true;
	}
	/* Whatever else there was: it goes. */
	return detach(pin) && detach(slot_of(slot, r->name));
}

/* --- all of them -------------------------------------------------------------------------- */

static bool is_in_force_for_all(const struct rollout_record *r)
{
	struct rollout_truth t;

	rollout_place_look(r->name, r->policy.kind, &t);
	return t.place == ROLLOUT_IN_FORCE && t.spaces == ROLLOUT_OF;
}

/* Calls @visit for each rollout that replaces @name, until one returns true. */
struct successors {
	const char *dir;
	int depth;
	bool (*visit)(const struct successors *s, const struct rollout_record *r);
};

/* Whose state is damaged says so when it is its turn. */
static bool read_quietly(const char *dir, const char *name, struct rollout_record *r)
{
	char said[256];
	bool ok;

	msg_catch(said, sizeof(said));
	ok = rollout_state_read(dir, name, r) == ROLLOUT_READ;
	msg_catch(NULL, 0);
	return ok;
}

static bool any_successor(const struct successors *s, const char *name, char by[ROLLOUT_NAME_LEN])
{
	struct rollout_record r;
	bool found = false;
	char **names;
	int nr = rollout_state_list(s->dir, &names);

	for (int i = 0; i < nr && !found; i++) {
		if (!strcmp(names[i], name) || !read_quietly(s->dir, names[i], &r))
			continue;
		found = !strcmp(r.policy.replaces, name) && wants_all(&r) && s->visit(s, &r);
		if (found && by)
			strcpy(by, r.name);
	}
	rollout_state_list_free(names, nr);
	return found;
}

static bool is_in_its_place(const struct successors *s, const struct rollout_record *r)
{
	struct successors next = { s->dir, s->depth + 1, is_in_its_place };

	return is_in_force_for_all(r) ||
	       (s->depth < MAX_DEPTH && any_successor(&next, r->name, NULL));
}

const char *rollout_place_taken_by(const char *dir, const char *name, char by[ROLLOUT_NAME_LEN])
{
	struct successors s = { dir, 0, is_in_its_place };

	return any_successor(&s, name, by) ? by : NULL;
}

static bool restore_first(const struct successors *s, const struct rollout_record *r);

/* Who is in its place comes first: if it cannot, the one that it has replaced can. */
static bool restore(const char *dir, int depth, const struct rollout_record *r)
{
	struct successors s = { dir, depth, restore_first };
	char by[ROLLOUT_NAME_LEN];
	struct rollout_truth t;

	if (depth < MAX_DEPTH)
		any_successor(&s, r->name, NULL);
	if (!r->policy.spaces || rollout_place_taken_by(dir, r->name, by))
		return true;
	rollout_place_look(r->name, r->policy.kind, &t);
	if (t.place == ROLLOUT_EJECTED || (t.place == ROLLOUT_IN_FORCE && t.spaces == r->policy.spaces))
		return true;
	return rollout_place_put(dir, r);
}

static bool restore_first(const struct successors *s, const struct rollout_record *r)
{
	restore(s->dir, s->depth + 1, r);
	return false;
}

bool rollout_place_restore(const char *dir)
{
	struct rollout_record r;
	bool ok;
	char **names;
	int nr = rollout_state_list(dir, &names);

	ok = nr >= 0;
	for (int i = 0; i < nr; i++) {
		enum rollout_read how = rollout_state_read(dir, names[i], &r);

		ok &= how != ROLLOUT_DAMAGED;
		if (how == ROLLOUT_READ && !restore(dir, 0, &r))
			ok = false;
	}
	rollout_state_list_free(names, nr);
	return ok;
}
