// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asking policies, and what their answers are worth.
 */
#include <linux/err.h>
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/sched/clock.h>
#include <uapi/linux/iox.h>

#include "policy.h"

static void count(struct iox_policy *policy, enum iox_policy_counter counter)
{
	this_cpu_inc(policy->stats->count[counter]);
}

static void count_time(struct iox_policy *policy, const struct iox_iova_req *req,
		       u64 answer, u64 ns)
{
	this_cpu_inc(policy->stats->time[iox_hist_bucket(ns)]);
	if (likely(ns < IOX_SLOW_NS)) {
		if (unlikely(atomic_read(&policy->slow)))
			atomic_set(&policy->slow, 0);
		return;
	}
	if (atomic_inc_return(&policy->slow) >= IOX_SLOW_MAX)
		iox_policy_misbehaved(policy, IOX_EXIT_SLOW, -ETIME, req, answer,
				      "its answers take too long");
}

static u64 ask(struct iox_policy *policy, struct iox_iova_req *req)
{
	u64 start = local_clock(), answer;

	count(policy, IOX_ASKED);
	req->policy = policy;
	answer = policy->ops->select(req);
	count_time(policy, req, answer, local_clock() - start);
	return answer;
}

static int faulty(struct iox_policy *policy, const struct iox_iova_req *req,
		  u64 answer, int err, const char *msg)
{
	count(policy, IOX_FAULTS);
	if (atomic_inc_return(&policy->faults) >= IOX_FAULTS_MAX)
		iox_policy_misbehaved(policy, IOX_EXIT_FAULTS, err, req, answer,
				      msg);
	return -EAGAIN;
}

static const char *what_is_wrong(int err)
{
	switch (err) {
	case -EINVAL:
		return "it answers with unaligned IOVAs";
	case -ERANGE:
		return "it answers with IOVAs outside of the windows";
	default:
		return "it answers with IOVAs that are taken";
	}
}

/*
 * 0, -EAGAIN for no opinion or a fault, or an errno to refuse the map with;
 * *what says which, as enum iox_try_answer.
 */
static int judge(struct iox_policy *policy, struct iox_iova_req *req, u64 answer,
		 u32 *what)
{
	int err;

	*what = IOX_TRY_FAULT;
	/* By its own hand, while it was being asked. */
	if (iox_policy_is_ejected(policy))
		return -EAGAIN;
	if (IS_ERR_VALUE(answer)) {
		err = (int)answer;
		if (err < -IOX_ERRNO_MAX)
			return faulty(policy, req, answer, -EINVAL,
				      "it answers with errnos that do not exist");
	} else {
		err = answer ? req->ops->check(req, answer) : -EAGAIN;
		if (err && err != -EAGAIN)
			return faulty(policy, req, answer, err,
				      what_is_wrong(err));
	}

	if (unlikely(atomic_read(&policy->faults)))
		atomic_set(&policy->faults, 0);
	*what = !err ? IOX_TRY_POLICY :
		       err == -EAGAIN ? IOX_TRY_DECLINED : IOX_TRY_REFUSED;
	if (!err) {
		count(policy, IOX_USED);
		return 0;
	}
	count(policy, err == -EAGAIN ? IOX_DECLINED : IOX_REFUSED);
	if (policy->ops->flags & IOX_LENIENT) {
		*what = IOX_TRY_DECLINED;
		return -EAGAIN;
	}
	if (err == -EAGAIN && policy->ops->flags & IOX_STRICT)
		return -ENOSPC;
	return err;
}

int __iox_iova_select(struct iox_ioas *ioas, struct iox_iova_req *req, u64 *iova)
{
	struct iox_policy *policy;
	u64 answer;
	int rc;

	guard(rcu)();
	policy = rcu_dereference(ioas->policy[IOX_DECIDES]);
	if (!policy || iox_policy_is_ejected(policy))
		return -EAGAIN;
	answer = ask(policy, req);
	rc = judge(policy, req, answer, &req->answer);
	if (!rc)
		*iova = answer;
	return rc;
}
EXPORT_SYMBOL_GPL(__iox_iova_select);

void __iox_iova_placed(struct iox_ioas *ioas, struct iox_iova_req *req, u64 iova)
{
	struct iox_policy *policy;
	u64 answer;
	u32 what;

	guard(rcu)();
	policy = rcu_dereference(ioas->policy[IOX_SHADOW_OF]);
	if (!policy || iox_policy_is_ejected(policy))
		return;
	answer = ask(policy, req);
	if (!judge(policy, req, answer, &what) && answer == iova)
		count(policy, IOX_AGREED);
}
EXPORT_SYMBOL_GPL(__iox_iova_placed);

void __iox_iova_mapped(struct iox_ioas *ioas, const struct iox_iova_area *area)
{
	struct iox_policy *policy;
	int role;

	guard(rcu)();
	for (role = 0; role < IOX_NR_ROLES; role++) {
		policy = rcu_dereference(ioas->policy[role]);
		if (policy && policy->ops->mapped &&
		    !iox_policy_is_ejected(policy))
			policy->ops->mapped((struct iox_iova_area *)area);
	}
}
EXPORT_SYMBOL_GPL(__iox_iova_mapped);

void __iox_iova_unmapped(struct iox_ioas *ioas, const struct iox_iova_area *area)
{
	struct iox_policy *policy;
	int role;

	guard(rcu)();
	for (role = 0; role < IOX_NR_ROLES; role++) {
		policy = rcu_dereference(ioas->policy[role]);
		if (policy && policy->ops->unmapped &&
		    !iox_policy_is_ejected(policy))
			policy->ops->unmapped((struct iox_iova_area *)area);
	}
}
EXPORT_SYMBOL_GPL(__iox_iova_unmapped);
