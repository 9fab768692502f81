// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which policy an address space is bound to.
 *
 * The choice is made when the address space comes and whenever policies change,
 * so that a map only follows a pointer. Readers of that run under RCU; a policy
 * that wants to know hears that an address space has left only when the last of
 * them is done.
 */
#include <linux/cgroup.h>
#include <linux/export.h>
#include <linux/hash.h>
#include <linux/limits.h>
#include <linux/rculist.h>
#include <linux/sched.h>

#include "policy.h"

/* struct iox_ioas, protected by iox_policy_lock */
static LIST_HEAD(iox_spaces);

static atomic64_t iox_next_space_id = ATOMIC64_INIT(0);

static struct iox_policy *bound_to(struct iox_ioas *ioas, enum iox_role role)
{
	return rcu_dereference_protected(ioas->policy[role],
					 lockdep_is_held(&iox_policy_lock));
}

/* The nearest cgroup wins, and a canary over what it is the canary of. */
static int rank_of(const struct iox_policy *policy)
{
	return 2 * (policy->cgroup ? policy->cgroup->level + 1 : 0) +
	       (policy->share < IOX_SHARE_ALL);
}

static bool is_for(const struct iox_policy *policy, const struct iox_ioas *ioas,
		   enum iox_role role)
{
	if (iox_policy_is_ejected(policy) ||
	    iox_policy_is_shadow(policy) != (role == IOX_SHADOW_OF))
		return false;
	if (policy->cgroup &&
	    !cgroup_is_descendant(ioas->cgroup, policy->cgroup))
		return false;
	return hash_64(ioas->space_id, 32) % IOX_SHARE_ALL < policy->share;
}

static struct iox_policy *best_below(const struct iox_ioas *ioas,
				     enum iox_role role, int below)
{
	struct iox_policy *policy, *best = NULL;

	list_for_each_entry(policy, &iox_policies, item)
		if (is_for(policy, ioas, role) && rank_of(policy) < below &&
		    (!best || rank_of(policy) > rank_of(best)))
			best = policy;
	return best;
}

static bool takes(const struct iox_policy *policy, struct iox_ioas *ioas)
{
	guard(rcu)();
	return !policy->ops->ioas_init || !policy->ops->ioas_init(ioas);
}

static struct iox_policy *choose(struct iox_ioas *ioas, enum iox_role role)
{
	struct iox_policy *policy;
	int below = INT_MAX;

	while ((policy = best_below(ioas, role, below))) {
		if (policy == bound_to(ioas, role) || takes(policy, ioas))
			break;
		below = rank_of(policy);
	}
	return policy;
}

static void told_to_leave(struct iox_policy *policy, struct iox_ioas *ioas)
{
	if (!policy || !policy->ops->ioas_exit)
		return;
	guard(rcu)();
	policy->ops->ioas_exit(ioas);
}

static void update_watched(struct iox_ioas *ioas)
{
	struct iox_policy *policy;
	bool watched = false;
	int role;

	for (role = 0; role < IOX_NR_ROLES; role++) {
		policy = bound_to(ioas, role);
		watched |= policy &&
			   (policy->ops->mapped || policy->ops->unmapped);
	}
	WRITE_ONCE(ioas->watched, watched);
}

/* True if the policy that it leaves is to be told, in ioas->left[role]. */
static bool bind(struct iox_ioas *ioas, enum iox_role role)
{
	struct iox_policy *old = bound_to(ioas, role);
	struct iox_policy *new = choose(ioas, role);

	ioas->left[role] = NULL;
	if (old == new)
		return false;
	if (new)
		new->nr_spaces++;
	rcu_assign_pointer(ioas->policy[role], new);
	update_watched(ioas);
	if (!old)
		return false;
	old->nr_spaces--;
	ioas->left[role] = old;
	return old->ops->ioas_exit;
}

/**
 * iox_ioas_rebind - bind all address spaces anew, as policies have changed
 *
 * Context: iox_policy_lock is held; sleeps.
 */
void iox_ioas_rebind(void)
{
	struct iox_ioas *ioas;
	bool tell = false;
	int role;

	lockdep_assert_held(&iox_policy_lock);
	list_for_each_entry(ioas, &iox_spaces, item)
		for (role = 0; role < IOX_NR_ROLES; role++)
			tell |= bind(ioas, role);
	if (!tell)
		return;
	synchronize_rcu();
	list_for_each_entry(ioas, &iox_spaces, item)
		for (role = 0; role < IOX_NR_ROLES; role++)
			told_to_leave(ioas->left[role], ioas);
}

/**
 * iox_ioas_add - an address space comes
 * @ioas: zero but for ctx_id and ioas_id
 *
 * Context: sleeps. The caller is the task whose cgroup counts.
 */
void iox_ioas_add(struct iox_ioas *ioas)
{
	int role;

	ioas->space_id = atomic64_inc_return(&iox_next_space_id);
	scoped_guard(rcu) {
		ioas->cgroup = task_dfl_cgroup(current);
		/* One that is going stays long enough to compare with. */
		cgroup_get(ioas->cgroup);
	}
	ioas->cgroup_id = cgroup_id(ioas->cgroup);

	guard(mutex)(&iox_policy_lock);
	list_add_tail(&ioas->item, &iox_spaces);
	for (role = 0; role < IOX_NR_ROLES; role++)
		bind(ioas, role);
}
EXPORT_SYMBOL_GPL(iox_ioas_add);

/**
 * iox_ioas_remove - an address space goes
 * @ioas: nothing is mapped in it, and nobody maps
 *
 * Context: sleeps.
 */
void iox_ioas_remove(struct iox_ioas *ioas)
{
	struct iox_policy *policy;
	int role;

	scoped_guard(mutex, &iox_policy_lock) {
		list_del(&ioas->item);
		for (role = 0; role < IOX_NR_ROLES; role++) {
			policy = bound_to(ioas, role);
			if (!policy)
				continue;
			RCU_INIT_POINTER(ioas->policy[role], NULL);
			policy->nr_spaces--;
			told_to_leave(policy, ioas);
		}
	}
	cgroup_put(ioas->cgroup);
}
EXPORT_SYMBOL_GPL(iox_ioas_remove);
