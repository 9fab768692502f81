/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOVA policies: the struct_ops type, and what the parts of the registry share.
 *
 * bpf.c speaks to the BPF subsystem (verifier, kfuncs, registration),
 * registry.c holds the policy in force and judges its answers, sysfs.c shows
 * it to people who have nothing but cat.
 */
#ifndef __IOX_POLICY_H
#define __IOX_POLICY_H

#include <linux/errno.h>
#include <linux/iox.h>
#include <linux/sizes.h>
#include <linux/types.h>

#define IOX_NAME_LEN 16

/*
 * An answer from the top of the 64-bit range is an errno, so the page that
 * holds those values is never offered as an IOVA.
 */
#define IOX_IOVA_MAX (U64_MAX - SZ_4K)

/* Beyond this there are only codes that user space must never see. */
#define IOX_ERRNO_MAX EHWPOISON

/**
 * struct iox_iova_ops - an IOVA policy, written in BPF
 * @select: Where shall this mapping go? Required.
 *
 *	Called for each mapping that does not ask for a fixed IOVA, also when
 *	the address space has no device yet. @req is read-only and may be handed
 *	to the iox_iova_*() kfuncs.
 *
 *	Context: the lock of the IOVA space and the RCU read lock are held, so
 *	the program cannot sleep, and what a kfunc found stays free until the
 *	answer is used. Calls for different address spaces run in parallel.
 *
 *	Return, a u64:
 *	  * 0 or -EAGAIN: no opinion, the built-in allocator chooses;
 *	  * another negative errno down to -EHWPOISON: the map fails with it;
 *	  * an errno below that: a fault;
 *	  * all else, in bytes: the IOVA. One that is unaligned, taken, reserved
 *	    or outside the windows is a fault.
 *	A fault is counted, and the built-in allocator chooses.
 * @name: How the policy is called. NUL-terminated, not empty, printable ASCII
 *	without spaces. "none" is what sysfs says when there is no policy, and
 *	cannot be taken.
 *
 * Both are checked before the policy can be registered: -EINVAL. Only one
 * policy is in force at a time: registering a second one gives -EBUSY, a
 * BPF_LINK_UPDATE replaces it without a moment that has none.
 */
struct iox_iova_ops {
	u64 (*select)(struct iox_iova_req *req);
	char name[IOX_NAME_LEN];
};

/**
 * enum iox_policy_counter - what became of a policy's answers
 * @IOX_ASKED: select ran; each time just one of the others is counted too
 * @IOX_USED: its IOVA was taken
 * @IOX_DECLINED: it had no opinion, the built-in allocator chose
 * @IOX_REFUSED: it failed the map with an errno
 * @IOX_FAULTS: it answered nonsense, the built-in allocator chose
 * @IOX_NR_COUNTERS: how many there are
 *
 * Each registration starts at zero.
 */
enum iox_policy_counter {
	IOX_ASKED,
	IOX_USED,
	IOX_DECLINED,
	IOX_REFUSED,
	IOX_FAULTS,
	IOX_NR_COUNTERS,
};

struct iox_policy_stats {
	u64 count[IOX_NR_COUNTERS];
};

/**
 * struct iox_policy_info - the policy in force, for people
 * @name: its name, "none" without one
 * @map_id: id of its struct_ops map, 0 without one
 * @stats: its counters, all zero without one
 */
struct iox_policy_info {
	char name[IOX_NAME_LEN];
	u32 map_id;
	struct iox_policy_stats stats;
};

int iox_policy_validate(const struct iox_iova_ops *ops);
int iox_policy_register(const struct iox_iova_ops *ops);
int iox_policy_replace(const struct iox_iova_ops *ops,
		       const struct iox_iova_ops *old);
void iox_policy_unregister(const struct iox_iova_ops *ops);
void iox_policy_get_info(struct iox_policy_info *info);

int iox_policy_sysfs_init(void);
void iox_policy_sysfs_exit(void);

#endif
