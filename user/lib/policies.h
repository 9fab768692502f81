/* SPDX-License-Identifier: GPL-2.0 */
/* IOVA policies as the kernel has them: struct_ops maps, links, and /sys/kernel/iox/iova_policy. */
#ifndef IOX_LIB_POLICIES_H
#define IOX_LIB_POLICIES_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/types.h>

/* Names of the counters in sysfs, in the order in which they are shown. */
#define POLICY_COUNTERS(X) X(asked) X(used) X(declined) X(refused) X(faults)

enum policy_counter {
#define POLICY_ENUM(name) POLICY_##name,
	POLICY_COUNTERS(POLICY_ENUM)
#undef POLICY_ENUM
	POLICY_NR_COUNTERS
};

extern const char *const policy_counter_name[POLICY_NR_COUNTERS];

enum policy_state {
	POLICY_LOADED,		/* in the kernel, its values not set yet */
	POLICY_READY,		/* a link can attach it, none does */
	POLICY_IN_FORCE,	/* decides */
	POLICY_LEAVING,		/* unregistered, waits for its last user */
};

struct policy {
	char name[64];			/* its own, or its map's while it is only loaded */
	char map_name[BPF_OBJ_NAME_LEN];
	__u32 map_id;
	__u32 link_id;			/* 0: none */
	enum policy_state state;
	__u64 counter[POLICY_NR_COUNTERS];	/* all zero unless in force */
};

struct policies {
	struct policy *list;
	size_t nr;
};

/* Finds every policy in the kernel. False on failure, with the message given. */
bool policies_read(struct policies *p);
void policies_free(struct policies *p);

#endif
