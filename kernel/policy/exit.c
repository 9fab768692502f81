// SPDX-License-Identifier: GPL-2.0-only
/*
 * How policies end: taken out, replaced, or ejected because they misbehave.
 *
 * Who sets policy->end first decides how. One that is ejected is asked no more from
 * then on; its address spaces leave it a little later, in process context.
 */
#define pr_fmt(fmt) "iox: " fmt

#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/string.h>

#include "policy.h"

static const char *const exit_kind_names[IOX_NR_EXIT_KINDS] = {
	[IOX_EXIT_UNREGISTERED] = "unregistered",
	[IOX_EXIT_REPLACED] = "replaced",
	[IOX_EXIT_FAULTS] = "faults",
	[IOX_EXIT_SLOW] = "slow",
	[IOX_EXIT_ITSELF] = "itself",
};

/**
 * iox_exit_kind_name - a word for people
 * @kind: enum iox_exit_kind
 */
const char *iox_exit_kind_name(u32 kind)
{
	return exit_kind_names[kind];
}

/**
 * iox_policy_end - decide how a policy ends
 * @policy: the policy
 * @kind: why
 * @err: 0 or a negative errno that says more
 * @req: the request that caused it, or %NULL
 * @answer: to @req
 * @msg: in words
 *
 * Context: any.
 * Return: false if it has ended already.
 */
bool iox_policy_end(struct iox_policy *policy, enum iox_exit_kind kind, int err,
		    const struct iox_iova_req *req, u64 answer, const char *msg)
{
	enum iox_end end = kind == IOX_EXIT_UNREGISTERED ||
					   kind == IOX_EXIT_REPLACED ?
				   IOX_END_RETIRED :
				   IOX_END_EJECTED;

	if (atomic_cmpxchg(&policy->end, IOX_END_OPEN, end))
		return false;
	policy->exit = (struct iox_exit_info){
		.kind = kind,
		.err = err,
		.space_id = req ? req->space_id : 0,
		.length = req ? req->length : 0,
		.hint = req ? req->hint : 0,
		.answer = answer,
	};
	strscpy(policy->exit.msg, msg);
	return true;
}

/**
 * iox_policy_misbehaved - eject a policy
 * @policy: the policy
 * @kind: why
 * @err: 0 or a negative errno that says more
 * @req: the request that caused it
 * @answer: to @req
 * @msg: in words
 *
 * Context: under the RCU read lock, which iox_policy_unregister() waits for.
 */
void iox_policy_misbehaved(struct iox_policy *policy, enum iox_exit_kind kind,
			   int err, const struct iox_iova_req *req, u64 answer,
			   const char *msg)
{
	if (iox_policy_end(policy, kind, err, req, answer, msg))
		queue_work(system_dfl_wq, &policy->eject);
}

/**
 * iox_policy_say_goodbye - tell a policy, and people, how it has ended
 * @policy: has ended, and no address space is bound to it any more
 *
 * Context: iox_policy_lock is held.
 */
void iox_policy_say_goodbye(struct iox_policy *policy)
{
	const struct iox_exit_info *exit = &policy->exit;

	lockdep_assert_held(&iox_policy_lock);
	if (policy->exited)
		return;
	policy->exited = true;
	if (iox_policy_is_ejected(policy))
		pr_warn("IOVA policy %s ejected (%s): %s\n", policy->ops->name,
			iox_exit_kind_name(exit->kind), exit->msg);
	if (policy->ops->exit) {
		guard(rcu)();
		policy->ops->exit(&policy->exit);
	}
}

/**
 * iox_policy_eject - take the address spaces from a policy that has misbehaved
 * @work: policy->eject
 */
void iox_policy_eject(struct work_struct *work)
{
	struct iox_policy *policy = container_of(work, struct iox_policy, eject);

	guard(mutex)(&iox_policy_lock);
	iox_ioas_rebind();
	iox_policy_say_goodbye(policy);
}
