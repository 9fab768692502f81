/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Admission policies: what may be preserved over a live update. The struct_ops
 * type, and what the parts share.
 *
 * admit.c has the list of policies and asks them, admit_bpf.c speaks to the BPF
 * subsystem, admit_sysfs.c shows them to people.
 */
#ifndef __IOX_ADMIT_INTERNAL_H
#define __IOX_ADMIT_INTERNAL_H

#include <linux/iox_admit.h>
#include <linux/kobject.h>
#include <linux/list.h>

#include "policy.h"

/* So many nonsense or slow answers in a row, and a policy is ejected. */
#define IOX_ADMIT_FAULTS_MAX 3

/**
 * enum iox_admit_flags - struct iox_admit_ops::flags
 * @IOX_ADMIT_DENY: What the policy does not answer, since its answer is nonsense
 *	or it has been ejected, is refused (-EPERM). Without the flag it is
 *	allowed.
 */
enum iox_admit_flags {
	IOX_ADMIT_DENY = 1U << 0,
};

/**
 * struct iox_admit_ops - an admission policy, written in BPF
 * @mark: An HWPT is being marked (IOMMU_HWPT_LU_MARK_PRESERVE). Optional.
 * @preserve: A file is being preserved in a session, and could be as far as the
 *	kernel is concerned. Optional.
 * @freeze: The kernel is about to be replaced, the file is preserved. An errno
 *	stops that: reboot() returns it, and the system goes on. Optional.
 * @retrieve: A file is being retrieved in the next kernel. An errno is final: as
 *	if the file could not be restored, what is of it is stopped when the session
 *	is finished. Optional.
 * @unpreserve: What preserve of this policy has allowed is given up: its session
 *	ends before the jump, or another policy refuses. Optional. A policy that
 *	was registered in between hears of admissions that it does not know.
 * @cgroup_id: Who is asked about: tasks in this cgroup (v2) and below; 0: all
 * @flags: enum iox_admit_flags
 * @name: NUL-terminated, not empty, printable ASCII without spaces
 *
 * The first four return 0 to allow, or a negative errno down to -EHWPOISON, with
 * which the caller's call then fails. Any other answer is a fault.
 * IOX_ADMIT_FAULTS_MAX faults in a row, or as many answers that took longer than
 * IOX_SLOW_NS, and the policy is ejected: it is asked no more.
 *
 * All policies in whose cgroup the task is have to agree. They are asked in this
 * order, until one refuses: those of the host, then those of cgroups from the
 * root downwards; those of the same cgroup in the order of their registration.
 *
 * None may sleep. The requests are read-only; iox_admit_reason_bstr() takes the
 * words that explain an answer.
 */
struct iox_admit_ops {
	int (*mark)(struct iox_admit_req *req);
	int (*preserve)(struct iox_admit_req *req);
	int (*freeze)(struct iox_admit_req *req);
	int (*retrieve)(struct iox_admit_req *req);
	void (*unpreserve)(struct iox_admit_req *req);
	u64 cgroup_id;
	u32 flags;
	char name[IOX_NAME_LEN];
};

/**
 * enum iox_admit_counter - what became of a policy's answers
 * @IOX_ADMIT_ASKED: each time just one of the next three is counted too
 * @IOX_ADMIT_ALLOWED: it had nothing against it
 * @IOX_ADMIT_REFUSED: it refused with an errno
 * @IOX_ADMIT_FAULTS: it answered nonsense
 * @IOX_NR_ADMIT_COUNTERS: how many there are
 */
enum iox_admit_counter {
	IOX_ADMIT_ASKED,
	IOX_ADMIT_ALLOWED,
	IOX_ADMIT_REFUSED,
	IOX_ADMIT_FAULTS,
	IOX_NR_ADMIT_COUNTERS,
};

/**
 * struct iox_admit_policy - one registration of a policy
 * @kobj: its folder in sysfs, and its life
 * @ops: owned by the struct_ops map
 * @map_id: of that map
 * @cgroup: held; %NULL for the whole host
 * @item: in the list, in the order in which policies are asked
 * @count: enum iox_admit_counter
 * @slowest_ns: the longest that an answer has taken
 * @faults: in a row
 * @slow: slow answers in a row
 * @ejected: why it is asked no more, or %NULL
 * @last: its last refusal in words, or empty
 *
 * All but the first three are protected by iox_admit_lock.
 */
struct iox_admit_policy {
	struct kobject kobj;
	const struct iox_admit_ops *ops;
	u32 map_id;
	struct cgroup *cgroup;
	struct list_head item;
	u64 count[IOX_NR_ADMIT_COUNTERS];
	u64 slowest_ns;
	unsigned int faults;
	unsigned int slow;
	const char *ejected;
	char last[256];
};

/* admit.c */
extern struct mutex iox_admit_lock;
int iox_admit_validate(const struct iox_admit_ops *ops);
int iox_admit_register(const struct iox_admit_ops *ops);
int iox_admit_replace(const struct iox_admit_ops *ops,
		      const struct iox_admit_ops *old);
void iox_admit_unregister(const struct iox_admit_ops *ops);
unsigned int iox_admit_order(const struct iox_admit_policy *policy);
void iox_admit_policy_free(struct iox_admit_policy *policy);

/* admit_sysfs.c */
int iox_admit_sysfs_init(void);
int iox_admit_show(struct iox_admit_policy *policy);

#endif
