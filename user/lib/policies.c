// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "btf_members.h"
#include "msg.h"
#include "policies.h"

#define SYSFS "/sys/kernel/iox/iova_policies/"

const char *const policy_counter_name[POLICY_NR_COUNTERS] = {
#define NAME(name) #name,
	POLICY_COUNTERS(NAME)
#undef NAME
};

/* What we need of the kernel's types: taken from its BTF, so that the layout may change. */
struct layout {
	__s32 value_type;	/* id of struct bpf_struct_ops_iox_iova_ops */
	__u32 state_off;	/* of common.state in it */
	__u32 name_off;		/* of data.name */
	__u32 name_len;
	__s32 ready, in_use, to_be_free;	/* enum bpf_struct_ops_state */
};

/* Offset of @outer.@inner in @t, and the type of @inner; NULL if there is no such thing. */
static const struct btf_type *find_nested(const struct btf *btf, const struct btf_type *t,
					  const char *outer, const char *inner, __u32 *off)
{
	const struct btf_member *o = btf_find_member(btf, t, outer), *i;
	const struct btf_type *s = o ? btf_member_type(btf, o) : NULL;

	i = s && btf_is_composite(s) ? btf_find_member(btf, s, inner) : NULL;
	if (!i)
		return NULL;
	*off = (o->offset + i->offset) / 8;
	return btf_member_type(btf, i);
}

static void find_states(const struct btf *btf, const struct btf_type *t, struct layout *l)
{
	const struct btf_enum *e = btf_enum(t);

	for (__u32 i = 0; i < btf_vlen(t); i++) {
		const char *name = btf__name_by_offset(btf, e[i].name_off);

		if (!strcmp(name, "BPF_STRUCT_OPS_STATE_READY"))
			l->ready = e[i].val;
		else if (!strcmp(name, "BPF_STRUCT_OPS_STATE_INUSE"))
			l->in_use = e[i].val;
		else if (!strcmp(name, "BPF_STRUCT_OPS_STATE_TOBEFREE"))
			l->to_be_free = e[i].val;
	}
}

static void say_unsupported(void)
{
	msg_error("this kernel", "has no IOVA policies",
		  "boot a kernel with CONFIG_IOX_POLICY=y ('make kernel')");
}

static bool read_layout(struct layout *l)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *value, *state = NULL, *name = NULL;

	if (!btf) {
		msg_error("this kernel", "has no BTF",
			  "it must be built with CONFIG_DEBUG_INFO_BTF=y");
		return false;
	}
	*l = (struct layout){ .ready = -1, .in_use = -1, .to_be_free = -1 };
	l->value_type = btf__find_by_name_kind(btf, "bpf_struct_ops_iox_iova_ops", BTF_KIND_STRUCT);
	if (l->value_type > 0) {
		value = btf__type_by_id(btf, (__u32)l->value_type);
		state = find_nested(btf, value, "common", "state", &l->state_off);
		name = find_nested(btf, value, "data", "name", &l->name_off);
	}
	if (state && btf_is_enum(state))
		find_states(btf, state, l);
	if (name && btf_is_array(name))
		l->name_len = btf_array(name)->nelems;
	btf__free(btf);
	if (l->value_type > 0)
		return true;
	say_unsupported();
	return false;
}

/* The line in a file of a registered policy, empty if it is not registered. */
static void read_sysfs(const struct policy *policy, const char *name, char *line, int size)
{
	char path[128];
	FILE *f;

	*line = 0;
	snprintf(path, sizeof(path), SYSFS "%u/%s", policy->map_id, name);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(line, size, f))
		line[strcspn(line, "\n")] = 0;
	fclose(f);
}

static __u64 read_sysfs_u64(const struct policy *policy, const char *name)
{
	char line[32];

	read_sysfs(policy, name, line, sizeof(line));
	return strtoull(line, NULL, 0);
}

static enum policy_state registered_as(const char *word, enum policy_state otherwise)
{
	static const struct {
		const char *word;
		enum policy_state state;
	} words[] = {
		{ "in force", POLICY_IN_FORCE },
		{ "canary", POLICY_CANARY },
		{ "shadow", POLICY_SHADOW },
		{ "ejected", POLICY_EJECTED },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i].word))
			return words[i].state;
	return otherwise;
}

/* A policy that is attached by a link stays READY for BPF when it is in force; sysfs knows. */
void policy_read_registered(struct policy *policy)
{
	char state[32];

	read_sysfs(policy, "state", state, sizeof(state));
	policy->state = registered_as(state, policy->state);
	policy->cgroup_id = read_sysfs_u64(policy, "cgroup_id");
	policy->share = read_sysfs_u64(policy, "share");
	policy->flags = (__u32)read_sysfs_u64(policy, "flags");
	policy->spaces = read_sysfs_u64(policy, "spaces");
	policy->p50_ns = read_sysfs_u64(policy, "time_p50_ns");
	policy->p99_ns = read_sysfs_u64(policy, "time_p99_ns");
	for (int i = 0; i < POLICY_NR_COUNTERS; i++)
		policy->counter[i] = read_sysfs_u64(policy, policy_counter_name[i]);
	read_sysfs(policy, "exit", policy->exit, sizeof(policy->exit));
}

static enum policy_state translate_state(const struct layout *l, __s32 state)
{
	if (state == l->in_use)
		return POLICY_IN_FORCE;
	if (state == l->ready)
		return POLICY_READY;
	return state == l->to_be_free ? POLICY_LEAVING : POLICY_LOADED;
}

static int read_value(int fd, const struct layout *l, const struct bpf_map_info *info,
		      struct policy *policy)
{
	__u32 key = 0, len = l->name_len;
	__s32 state;
	char *value;
	int err;

	if (info->value_size < l->state_off + sizeof(state) || info->value_size < l->name_off + len)
		return -EINVAL;
	value = calloc(1, info->value_size);
	if (!value)
		return -ENOMEM;
	err = bpf_map_lookup_elem(fd, &key, value);
	if (!err) {
		memcpy(&state, value + l->state_off, sizeof(state));
		policy->state = translate_state(l, state);
		if (len >= sizeof(policy->name))
			len = sizeof(policy->name) - 1;
		memcpy(policy->name, value + l->name_off, len);
		if (!policy->name[0])
			snprintf(policy->name, sizeof(policy->name), "%s", info->name);
	}
	free(value);
	return err;
}

static int add_map(struct policies *p, const struct layout *l, int fd)
{
	struct bpf_map_info info = {};
	struct policy policy = {}, *list;
	__u32 len = sizeof(info);
	int err = bpf_map_get_info_by_fd(fd, &info, &len);

	if (err || info.type != BPF_MAP_TYPE_STRUCT_OPS ||
	    info.btf_vmlinux_value_type_id != (__u32)l->value_type)
		return err;
	policy.map_id = info.id;
	memcpy(policy.map_name, info.name, sizeof(policy.map_name));
	err = read_value(fd, l, &info, &policy);
	if (err)
		return err;
	list = reallocarray(p->list, p->nr + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	p->list = list;
	p->list[p->nr++] = policy;
	return 0;
}

static int add_link(struct policies *p, int fd)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int err = bpf_link_get_info_by_fd(fd, &info, &len);

	if (err || info.type != BPF_LINK_TYPE_STRUCT_OPS)
		return err;
	for (size_t i = 0; i < p->nr; i++)
		if (p->list[i].map_id == info.struct_ops.map_id)
			p->list[i].link_id = info.id;
	return 0;
}

static int read_maps(struct policies *p, const struct layout *l)
{
	__u32 id = 0;
	int err = 0;

	while (!err && !bpf_map_get_next_id(id, &id)) {
		int fd = bpf_map_get_fd_by_id(id);

		/* Gone since. */
		if (fd == -ENOENT)
			continue;
		err = fd < 0 ? fd : add_map(p, l, fd);
		if (fd >= 0)
			close(fd);
	}
	return err ? err : errno == ENOENT ? 0 : -errno;
}

static int read_links(struct policies *p)
{
	__u32 id = 0;
	int err = 0;

	while (!err && !bpf_link_get_next_id(id, &id)) {
		int fd = bpf_link_get_fd_by_id(id);

		if (fd == -ENOENT)
			continue;
		err = fd < 0 ? fd : add_link(p, fd);
		if (fd >= 0)
			close(fd);
	}
	return err ? err : errno == ENOENT ? 0 : -errno;
}

bool policies_read(struct policies *p)
{
	struct layout layout;
	int err;

	*p = (struct policies){};
	if (!read_layout(&layout))
		return false;
	err = read_maps(p, &layout);
	if (!err)
		err = read_links(p);
	if (!err) {
		for (size_t i = 0; i < p->nr; i++)
			policy_read_registered(&p->list[i]);
		return true;
	}
	msg_errno(err, "listing BPF maps and links", err == -EPERM ? "run it as root" : NULL);
	policies_free(p);
	return false;
}

void policies_free(struct policies *p)
{
	free(p->list);
	*p = (struct policies){};
}

bool policies_supported(void)
{
	if (!access(SYSFS, F_OK))
		return true;
	say_unsupported();
	return false;
}

static bool is_map_id(const char *which, __u32 *id)
{
	char *end;

	errno = 0;
	*id = (__u32)strtoul(which, &end, 10);
	return !errno && *which >= '0' && *which <= '9' && !*end;
}

static void say_several(const struct policies *p, const char *name)
{
	char *mend = NULL;
	size_t size;
	FILE *f = open_memstream(&mend, &size);
	const char *before = "";

	if (!f)
		return;
	fputs("say which by the id of its map: ", f);
	for (size_t i = 0; i < p->nr; i++) {
		if (strcmp(p->list[i].name, name))
			continue;
		fprintf(f, "%s%u", before, p->list[i].map_id);
		before = ", ";
	}
	fclose(f);
	msg_error(name, "is the name of several policies", mend);
	free(mend);
}

const struct policy *policies_find(const struct policies *p, const char *which)
{
	const struct policy *found = NULL;
	size_t registered = 0;
	__u32 id;

	if (is_map_id(which, &id))
		for (size_t i = 0; i < p->nr; i++)
			if (p->list[i].map_id == id)
				return &p->list[i];
	/* Those that nobody registered do not make the name ambiguous. */
	for (size_t i = 0; i < p->nr; i++) {
		if (strcmp(p->list[i].name, which))
			continue;
		registered += policy_is_registered(&p->list[i]);
		if (!found || policy_is_registered(&p->list[i]))
			found = &p->list[i];
	}
	if (!found)
		msg_error(which, "no such policy", "'iox policy list' shows those that there are");
	if (registered < 2)
		return found;
	say_several(p, which);
	return NULL;
}

const struct policy *policies_in_place(const struct policies *p, __u64 cgroup_id, __u64 share,
				       __u32 flags)
{
	bool shadow = flags & POLICY_FLAG_SHADOW, canary = share && share < POLICY_SHARE_ALL;

	for (size_t i = 0; i < p->nr; i++) {
		const struct policy *q = &p->list[i];

		if (!policy_is_registered(q) || q->state == POLICY_EJECTED ||
		    q->cgroup_id != cgroup_id || shadow != !!(q->flags & POLICY_FLAG_SHADOW))
			continue;
		if (shadow || canary == (q->share < POLICY_SHARE_ALL))
			return q;
	}
	return NULL;
}
