/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * IOVA policies: the struct_ops type, and what the parts of the registry share.
 *
 * bpf.c speaks to the BPF subsystem (verifier, registration), kfuncs.c answers
 * policies' questions; registry.c has the list of policies, ioas.c binds address
 * spaces to them, answer.c asks them and judges their answers, exit.c ends
 * them; sysfs.c shows all of it to people who have nothing but cat.
 */
#ifndef __IOX_POLICY_H
#define __IOX_POLICY_H

#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/iox.h>
#include <linux/kobject.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#define IOX_NAME_LEN 16
#define IOX_EXIT_MSG_LEN 128

/*
 * An answer from the top of the 64-bit range is an errno, so the page that
 * holds those values is never offered as an IOVA.
 */
#define IOX_IOVA_MAX (U64_MAX - SZ_4K)

/* Beyond this there are only codes that user space must never see. */
#define IOX_ERRNO_MAX EHWPOISON

/* A policy is ejected after so many faults with no good answer in between, */
#define IOX_FAULTS_MAX 16
/* or after so many answers in a row that took longer than this. */
#define IOX_SLOW_MAX 3
#define IOX_SLOW_NS (100 * NSEC_PER_MSEC)

/* Of an address space in a thousand */
#define IOX_SHARE_ALL 1000

/**
 * enum iox_policy_flags - struct iox_iova_ops::flags
 * @IOX_SHADOW: Ask it, write down how it would have answered, use nothing of
 *	it. It lives beside the policy that decides.
 * @IOX_STRICT: When it has no opinion, the map fails with -ENOSPC; the built-in
 *	allocator does not choose. For policies that keep mappings out of a range
 *	at any price. A faulty answer does not count as one: then the built-in
 *	allocator does choose.
 * @IOX_LENIENT: It cannot make a map fail: where it refuses, or is strict and has
 *	no opinion, the built-in allocator chooses. What it answered is counted all
 *	the same. For policies that have yet to prove good.
 */
enum iox_policy_flags {
	IOX_SHADOW = 1U << 0,
	IOX_STRICT = 1U << 1,
	IOX_LENIENT = 1U << 2,
};

#define IOX_POLICY_FLAGS (IOX_SHADOW | IOX_STRICT | IOX_LENIENT)

/**
 * enum iox_exit_kind - why a policy came to its end
 * @IOX_EXIT_UNREGISTERED: It was taken out
 * @IOX_EXIT_REPLACED: By another one
 * @IOX_EXIT_FAULTS: Ejected for IOX_FAULTS_MAX faults in a row
 * @IOX_EXIT_SLOW: Ejected for IOX_SLOW_MAX slow answers in a row
 * @IOX_EXIT_ITSELF: It gave up, see iox_policy_give_up()
 */
enum iox_exit_kind {
	IOX_EXIT_UNREGISTERED,
	IOX_EXIT_REPLACED,
	IOX_EXIT_FAULTS,
	IOX_EXIT_SLOW,
	IOX_EXIT_ITSELF,
	IOX_NR_EXIT_KINDS,
};

/**
 * struct iox_exit_info - how a policy came to its end
 * @kind: enum iox_exit_kind
 * @err: 0, or a negative errno that says more
 * @space_id: The request that caused it: which address space, 0 for none
 * @length: its length, in bytes
 * @hint: its hint
 * @answer: what the policy answered
 * @msg: In words
 */
struct iox_exit_info {
	u32 kind;
	s32 err;
	u64 space_id;
	u64 length;
	u64 hint;
	u64 answer;
	char msg[IOX_EXIT_MSG_LEN];
};

/**
 * struct iox_iova_ops - an IOVA policy, written in BPF
 * @select: Where shall this mapping go? Required.
 *
 *	Called for each mapping that does not ask for a fixed IOVA, also when
 *	the address space has no device yet. @req is read-only and may be handed
 *	to the iox_iova_*() kfuncs.
 *
 *	The lock of the IOVA space is held, so what a kfunc found stays free
 *	until the answer is used. Calls for different address spaces run in
 *	parallel.
 *
 *	Return, a u64:
 *	  * 0 or -EAGAIN: no opinion, the built-in allocator chooses (unless
 *	    IOX_STRICT);
 *	  * another negative errno down to -EHWPOISON: the map fails with it
 *	    (unless IOX_LENIENT);
 *	  * an errno below that: a fault;
 *	  * all else, in bytes: the IOVA. One that is unaligned, taken, reserved
 *	    or outside the windows is a fault.
 *	A fault is counted, and the built-in allocator chooses. IOX_FAULTS_MAX in
 *	a row, or IOX_SLOW_MAX answers in a row that took longer than IOX_SLOW_NS,
 *	and the policy is ejected: it is asked no more.
 *
 *	Reservations ask as mappings do, with IOX_BACKING_NONE.
 * @ioas_init: An address space comes to this policy: it is new, or has been
 *	with another policy or none. Optional. An errno leaves it with the policy
 *	that would have it if this one were not there, until policies change.
 * @ioas_exit: It leaves again, or is no more. Optional. Comes after the last
 *	call about this address space, once for each ioas_init that returned 0.
 * @mapped: Something has been mapped, fixed or not, in an address space of this
 *	policy. Optional. Comes before anybody can use or unmap it. What was
 *	mapped before the address space came is not told. A reservation is told
 *	too; a mapping at a fixed place can then come, and go, on top of it.
 * @unmapped: Something is mapped no more. Optional. Comes before its IOVAs can be
 *	taken again. It can be a part of what was mapped in one piece.
 * @init: The policy is being registered. Optional. An errno ends that.
 * @exit: The policy is at its end, after all else. Optional. Once for each init.
 * @name: How the policy is called. NUL-terminated, not empty, printable ASCII
 *	without spaces. "none" is what sysfs says when there is no policy, and
 *	cannot be taken.
 * @flags: enum iox_policy_flags
 * @cgroup_id: Which address spaces: those made by tasks in this cgroup (v2) and
 *	below. The nearest policy wins. 0: all on this host.
 * @share: How many in a thousand of these, chosen by a hash of space_id; 0 means
 *	all. With less than 1000 it is a canary, and beats the policy of the same
 *	cgroup that is none.
 *
 * None may sleep: all run in an RCU read-side critical section.
 *
 * For each cgroup, and for the host, there is room for one policy, one canary and
 * one shadow: -EBUSY. A BPF_LINK_UPDATE replaces a policy without a moment that
 * has none; cgroup and IOX_SHADOW cannot change on the way (-EINVAL).
 */
struct iox_iova_ops {
	u64 (*select)(struct iox_iova_req *req);
	int (*ioas_init)(struct iox_ioas *ioas);
	void (*ioas_exit)(struct iox_ioas *ioas);
	void (*mapped)(struct iox_iova_area *area);
	void (*unmapped)(struct iox_iova_area *area);
	int (*init)(void);
	void (*exit)(struct iox_exit_info *info);
	char name[IOX_NAME_LEN];
	u32 flags;
	u32 share;
	u64 cgroup_id;
};

/**
 * enum iox_policy_counter - what became of a policy's answers
 * @IOX_ASKED: select ran; each time just one of the next four is counted too
 * @IOX_USED: its IOVA was taken; of a shadow: could have been
 * @IOX_DECLINED: it had no opinion, the built-in allocator chose
 * @IOX_REFUSED: it failed the map with an errno
 * @IOX_FAULTS: it answered nonsense, the built-in allocator chose
 * @IOX_AGREED: a shadow answered just what was used
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
	IOX_AGREED,
	IOX_NR_COUNTERS,
};

/*
 * How long select took: 16 steps an octave, so at most 6.25 % too much. Times
 * from 2^36 ns on, a minute, are one.
 */
#define IOX_HIST_STEPS 16
#define IOX_HIST_BUCKETS (33 * IOX_HIST_STEPS)

struct iox_policy_stats {
	u64 count[IOX_NR_COUNTERS];
	u64 time[IOX_HIST_BUCKETS];
};

/**
 * enum iox_end - has it been decided how a policy ends?
 * @IOX_END_OPEN: no
 * @IOX_END_RETIRED: it is taken out; those who are asking it get their answer
 * @IOX_END_EJECTED: it has misbehaved; its answers are worth nothing
 */
enum iox_end {
	IOX_END_OPEN,
	IOX_END_RETIRED,
	IOX_END_EJECTED,
};

/**
 * struct iox_policy - one registration of a policy
 * @kobj: its folder in sysfs, and its life
 * @ops: owned by the struct_ops map
 * @map_id: of that map
 * @cgroup: held; %NULL for the whole host
 * @share: as in @ops, never 0
 * @stats: counters, from zero with each registration
 * @item: in the registry's list
 * @nr_spaces: address spaces that are bound to it, under iox_policy_lock
 * @faults: in a row
 * @slow: slow answers in a row
 * @end: enum iox_end; set once, by who decides how it ends, who then writes @exit
 * @exit: valid once @exited
 * @exited: @exit has been told
 * @eject: ends it when it has misbehaved
 * @rcu: readers may still count when the policy is no longer in force
 */
struct iox_policy {
	struct kobject kobj;
	const struct iox_iova_ops *ops;
	u32 map_id;
	struct cgroup *cgroup;
	u32 share;
	struct iox_policy_stats __percpu *stats;
	struct list_head item;
	unsigned int nr_spaces;
	atomic_t faults;
	atomic_t slow;
	atomic_t end;
	struct iox_exit_info exit;
	bool exited;
	struct work_struct eject;
	struct rcu_head rcu;
};

static inline bool iox_policy_is_shadow(const struct iox_policy *policy)
{
	return policy->ops->flags & IOX_SHADOW;
}

static inline bool iox_policy_is_ejected(const struct iox_policy *policy)
{
	return atomic_read(&policy->end) == IOX_END_EJECTED;
}

/* registry.c */
extern struct mutex iox_policy_lock;
extern struct list_head iox_policies;
bool iox_name_valid(const char *name);
int iox_get_cgroup(u64 id, struct cgroup **cgroup);
int iox_policy_validate(const struct iox_iova_ops *ops);
int iox_policy_register(const struct iox_iova_ops *ops);
int iox_policy_replace(const struct iox_iova_ops *ops,
		       const struct iox_iova_ops *old);
void iox_policy_unregister(const struct iox_iova_ops *ops);
void iox_policy_free(struct iox_policy *policy);
struct iox_policy *iox_policy_host(void);
void iox_policy_sum(const struct iox_policy *policy,
		    struct iox_policy_stats *sum);

/* ioas.c */
void iox_ioas_rebind(void);

/* exit.c */
bool iox_policy_end(struct iox_policy *policy, enum iox_exit_kind kind, int err,
		    const struct iox_iova_req *req, u64 answer,
		    const char *msg);
void iox_policy_misbehaved(struct iox_policy *policy, enum iox_exit_kind kind,
			   int err, const struct iox_iova_req *req, u64 answer,
			   const char *msg);
void iox_policy_say_goodbye(struct iox_policy *policy);
void iox_policy_eject(struct work_struct *work);
const char *iox_exit_kind_name(u32 kind);

/* hist.c */
unsigned int iox_hist_bucket(u64 ns);
u64 iox_hist_quantile(const u64 *time, u64 total, unsigned int permille);

/* kfuncs.c */
struct bpf_prog;
int iox_policy_kfuncs_init(int (*filter)(const struct bpf_prog *prog,
					 u32 kfunc_id));
bool iox_is_select_kfunc(u32 kfunc_id);
int iox_bstr_printf(char *buf, size_t size, char *fmt, unsigned long long *data,
		    u32 data_size);

/* bpf.c */
struct btf_member;
struct btf_type;
int iox_check_member(const struct btf_type *t, const struct btf_member *member,
		     const struct bpf_prog *prog);

/* sysfs.c */
extern struct kobject *iox_kobj;
int iox_policy_sysfs_init(void);
void iox_policy_sysfs_exit(void);
int iox_policy_show(struct iox_policy *policy);

/* admit_bpf.c */
#ifdef CONFIG_IOX_ADMIT
int iox_admit_init(void);
#else
static inline int iox_admit_init(void)
{
	return 0;
}
#endif

#endif
