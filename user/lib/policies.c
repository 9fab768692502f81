// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
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

const char *const policy_counter_name[POLICY_NR_COUNTERS] = {
#define NAME(name) #name,
	POLICY_COUNTERS(NAME)
#undef NAME
};

const struct policy_kind_info policy_kinds[POLICY_NR_KINDS] = {
	[POLICY_IOVA] = {
		.word = "iova",
		.words = "IOVA policy",
		.type = "iox_iova_ops",
		.sysfs = "/sys/kernel/iox/iova_policies/",
		.config = "CONFIG_IOX_POLICY=y",
		.counters = { POLICY_asked, POLICY_used, POLICY_declined, POLICY_refused,
			      POLICY_faults, POLICY_agreed },
		.nr_counters = 6,
	},
	[POLICY_ADMIT] = {
		.word = "admission",
		.words = "admission policy",
		.type = "iox_admit_ops",
		.sysfs = "/sys/kernel/iox/admit_policies/",
		.config = "CONFIG_IOX_POLICY=y and CONFIG_IOMMU_LIVEUPDATE=y",
		.counters = { POLICY_asked, POLICY_allowed, POLICY_refused, POLICY_faults },
		.nr_counters = 4,
	},
};

/* What we need of the kernel's types: taken from its BTF, so that the layout may change. */
struct layout {
	__s32 value_type;	/* id of struct bpf_struct_ops_iox_..._ops; 0 or less: there is none */
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

static void say_unsupported(enum policy_kind kind)
{
	char why[64], mend[128];

	/* "policy" and "policies" */
	snprintf(why, sizeof(why), "has no %.*sies", (int)strlen(policy_kinds[kind].words) - 1,
		 policy_kinds[kind].words);
	snprintf(mend, sizeof(mend), "boot a kernel with %s ('make kernel')",
		 policy_kinds[kind].config);
	msg_error("this kernel", why, mend);
}

static void find_layout(const struct btf *btf, enum policy_kind kind, struct layout *l)
{
	const struct btf_type *value, *state = NULL, *name = NULL;
	char type[64];

	*l = (struct layout){ .ready = -1, .in_use = -1, .to_be_free = -1 };
	snprintf(type, sizeof(type), "bpf_struct_ops_%s", policy_kinds[kind].type);
	l->value_type = btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT);
	if (l->value_type <= 0)
		return;
	value = btf__type_by_id(btf, (__u32)l->value_type);
	state = find_nested(btf, value, "common", "state", &l->state_off);
	name = find_nested(btf, value, "data", "name", &l->name_off);
	if (state && btf_is_enum(state))
		find_states(btf, state, l);
	if (name && btf_is_array(name))
		l->name_len = btf_array(name)->nelems;
}

static bool read_layouts(struct layout l[POLICY_NR_KINDS])
{
	const struct btf *btf = btf_kernel();

	if (!btf) {
		msg_error("this kernel", "has no BTF",
			  "it must be built with CONFIG_DEBUG_INFO_BTF=y");
		return false;
	}
	for (enum policy_kind kind = 0; kind < POLICY_NR_KINDS; kind++)
		find_layout(btf, kind, &l[kind]);
	if (l[POLICY_IOVA].value_type > 0)
		return true;
	say_unsupported(POLICY_IOVA);
	return false;
}

/* The line in a file of a registered policy, empty if it is not registered. */
static void read_sysfs(const struct policy *policy, const char *name, char *line, int size)
{
	char path[128];
	FILE *f;

	*line = 0;
	snprintf(path, sizeof(path), "%s%u/%s", policy_kinds[policy->kind].sysfs, policy->map_id,
		 name);
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

static void read_iova(struct policy *policy)
{
	policy->share = read_sysfs_u64(policy, "share");
	policy->flags = (__u32)read_sysfs_u64(policy, "flags");
	policy->spaces = read_sysfs_u64(policy, "spaces");
	policy->p50_ns = read_sysfs_u64(policy, "time_p50_ns");
	policy->p99_ns = read_sysfs_u64(policy, "time_p99_ns");
}

static void read_admission(struct policy *policy)
{
	char word[16];

	read_sysfs(policy, "default", word, sizeof(word));
	policy->flags = strcmp(word, "deny") ? 0 : POLICY_FLAG_DENY;
	policy->order = read_sysfs_u64(policy, "order");
	policy->slowest_ns = read_sysfs_u64(policy, "slowest_ns");
	read_sysfs(policy, "last_refusal", policy->last_refusal, sizeof(policy->last_refusal));
}

/* A policy that is attached by a link stays READY for BPF when it is in force; sysfs knows. */
void policy_read_registered(struct policy *policy)
{
	const struct policy_kind_info *kind = &policy_kinds[policy->kind];
	char state[32];

	read_sysfs(policy, "state", state, sizeof(state));
	policy->registered = *state;
	policy->state = registered_as(state, policy->state);
	policy->cgroup_id = read_sysfs_u64(policy, "cgroup_id");
	for (size_t i = 0; i < kind->nr_counters; i++)
		policy->counter[kind->counters[i]] =
			read_sysfs_u64(policy, policy_counter_name[kind->counters[i]]);
	read_sysfs(policy, "exit", policy->exit, sizeof(policy->exit));
	if (policy->kind == POLICY_IOVA)
		read_iova(policy);
	else
		read_admission(policy);
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

static int add(struct policies *p, const struct policy *policy)
{
	struct policy *list = reallocarray(p->list, p->nr + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	p->list = list;
	p->list[p->nr++] = *policy;
	return 0;
}

static int add_map(struct policies *p, const struct layout *layouts, int fd)
{
	struct bpf_map_info info = {};
	struct policy policy = {};
	__u32 len = sizeof(info);
	int err = bpf_map_get_info_by_fd(fd, &info, &len);

	if (err || info.type != BPF_MAP_TYPE_STRUCT_OPS)
		return err;
	while (info.btf_vmlinux_value_type_id != (__u32)layouts[policy.kind].value_type)
		if (++policy.kind == POLICY_NR_KINDS)
			return 0;
	policy.map_id = info.id;
	memcpy(policy.map_name, info.name, sizeof(policy.map_name));
	return read_value(fd, &layouts[policy.kind], &info, &policy) ?: add(p, &policy);
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

static int read_maps(struct policies *p, const struct layout *layouts)
{
	__u32 id = 0;
	int err = 0;

	while (!err && !bpf_map_get_next_id(id, &id)) {
		int fd = bpf_map_get_fd_by_id(id);

		/* Gone since. */
		if (fd == -ENOENT)
			continue;
		err = fd < 0 ? fd : add_map(p, layouts, fd);
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

/* Admission policies that are not asked come last. */
static int compare(const void *left, const void *right)
{
	const struct policy *a = left, *b = right;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->order != b->order)
		return a->order - 1 < b->order - 1 ? -1 : 1;
	return a->map_id < b->map_id ? -1 : a->map_id > b->map_id;
}

/* Those that were found, with all that there is to know of them. */
static void complete(struct policies *p)
{
	for (size_t i = 0; i < p->nr; i++)
		policy_read_registered(&p->list[i]);
	if (p->nr)
		qsort(p->list, p->nr, sizeof(*p->list), compare);
}

bool policies_read(struct policies *p)
{
	struct layout layouts[POLICY_NR_KINDS];
	int err;

	*p = (struct policies){};
	if (!read_layouts(layouts))
		return false;
	err = read_maps(p, layouts);
	if (!err)
		err = read_links(p);
	if (!err) {
		complete(p);
		return true;
	}
	msg_errno(err, "listing BPF maps and links", err == -EPERM ? "run it as root" : NULL);
	policies_free(p);
	return false;
}

bool policies_read_admission(struct policies *p)
{
	DIR *dir = opendir(policy_kinds[POLICY_ADMIT].sysfs);
	struct dirent *e;
	int err = 0;

	*p = (struct policies){};
	while (dir && !err && (e = readdir(dir))) {
		struct policy policy = {
			.kind = POLICY_ADMIT,
			.map_id = (__u32)strtoul(e->d_name, NULL, 10),
		};

		if (*e->d_name == '.')
			continue;
		read_sysfs(&policy, "name", policy.name, sizeof(policy.name));
		err = *policy.name ? add(p, &policy) : 0;
	}
	if (dir)
		closedir(dir);
	complete(p);
	if (err) {
		msg_errno(err, policy_kinds[POLICY_ADMIT].sysfs, NULL);
		policies_free(p);
	}
	return !err;
}

void policies_free(struct policies *p)
{
	free(p->list);
	*p = (struct policies){};
}

bool policies_support(enum policy_kind kind)
{
	if (!access(policy_kinds[kind].sysfs, F_OK))
		return true;
	say_unsupported(kind);
	return false;
}

bool policies_supported(void)
{
	return policies_support(POLICY_IOVA);
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

		if (q->kind != POLICY_IOVA || !policy_is_registered(q) ||
		    q->state == POLICY_EJECTED || q->cgroup_id != cgroup_id ||
		    shadow != !!(q->flags & POLICY_FLAG_SHADOW))
			continue;
		if (shadow || canary == (q->share < POLICY_SHARE_ALL))
			return q;
	}
	return NULL;
}
