/* SPDX-License-Identifier: GPL-2.0 */
/* Policies as the kernel has them: struct_ops maps, links, and folders below /sys/kernel/iox. */
#ifndef IOX_LIB_POLICIES_H
#define IOX_LIB_POLICIES_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/types.h>

enum policy_kind {
	POLICY_IOVA,		/* struct iox_iova_ops: where a mapping goes */
	POLICY_ADMIT,		/* struct iox_admit_ops: what may be preserved */
	POLICY_NR_KINDS
};

/* Names of the counters in sysfs. */
#define POLICY_COUNTERS(X) X(asked) X(used) X(declined) X(refused) X(faults) X(agreed) X(allowed)

enum policy_counter {
#define POLICY_ENUM(name) POLICY_##name,
	POLICY_COUNTERS(POLICY_ENUM)
#undef POLICY_ENUM
	POLICY_NR_COUNTERS
};

extern const char *const policy_counter_name[POLICY_NR_COUNTERS];

struct policy_kind_info {
	const char *word;	/* for programs */
	const char *words;	/* for people, and in the kernel's log */
	const char *type;	/* of a variable */
	const char *sysfs;	/* with a "/" at its end */
	const char *config;	/* what the kernel is built with */
	enum policy_counter counters[POLICY_NR_COUNTERS];	/* in the order for people */
	size_t nr_counters;
};

extern const struct policy_kind_info policy_kinds[POLICY_NR_KINDS];

enum policy_state {
	POLICY_LOADED,		/* in the kernel, its values not set yet */
	POLICY_READY,		/* a link can attach it, none does */
	POLICY_IN_FORCE,	/* decides */
	POLICY_CANARY,		/* decides for its share of address spaces */
	POLICY_SHADOW,		/* is asked, and not used */
	POLICY_EJECTED,		/* registered, but has misbehaved */
	POLICY_LEAVING,		/* unregistered, waits for its last user */
};

/* As the kernel has them: enum iox_policy_flags, enum iox_admit_flags, struct iox_iova_ops::share. */
enum policy_flags {
	/* of IOVA policies */
	POLICY_FLAG_SHADOW = 1U << 0,
	POLICY_FLAG_STRICT = 1U << 1,
	POLICY_FLAG_LENIENT = 1U << 2,
	/* of admission policies */
	POLICY_FLAG_DENY = 1U << 0,
};

#define POLICY_SHARE_ALL 1000

struct policy {
	enum policy_kind kind;
	char name[64];			/* its own, or its map's while it is only loaded */
	char map_name[BPF_OBJ_NAME_LEN];
	__u32 map_id;
	__u32 link_id;			/* 0: none */
	enum policy_state state;
	bool registered;
	/* What follows is zero unless it is registered. */
	__u64 cgroup_id;		/* 0: the whole host */
	__u32 flags;
	__u64 counter[POLICY_NR_COUNTERS];	/* those of its kind */
	char exit[512];			/* why it was ejected */
	/* of an IOVA policy */
	__u64 share;			/* of 1000 address spaces */
	__u64 spaces;			/* that are bound to it now */
	__u64 p50_ns, p99_ns;		/* how long it takes to answer */
	/* of an admission policy */
	__u64 order;			/* 1: it is asked first */
	__u64 slowest_ns;		/* the longest that an answer took */
	char last_refusal[512];		/* what it refused last, and why */
};

struct policies {
	struct policy *list;
	size_t nr;
};

/*
 * Finds every policy in the kernel: IOVA policies, then admission policies in the order in which
 * they are asked. False on failure, with the message given.
 */
bool policies_read(struct policies *p);

/* The same for admission policies that are registered, from files that anybody may read. */
bool policies_read_admission(struct policies *p);

void policies_free(struct policies *p);

/* What the kernel tells of the one of this kind and map_id: all that only registered ones have. */
void policy_read_registered(struct policy *policy);

/* Does the kernel have policies of this kind? False with the message given. */
bool policies_support(enum policy_kind kind);

/* The same for IOVA policies, which are there wherever there are any. */
bool policies_supported(void);

/* Only then has it a scope and numbers. */
static inline bool policy_is_registered(const struct policy *p)
{
	return p->registered;
}

/* The one that @which names, by its name or its map's id. NULL with the message given. */
const struct policy *policies_find(const struct policies *p, const char *which);

/* Who is where such an IOVA policy would go? NULL: there is room. */
const struct policy *policies_in_place(const struct policies *p, __u64 cgroup_id, __u64 share,
				       __u32 flags);

#endif
