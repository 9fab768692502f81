// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOVA policy in force: who it is, what it is asked, what its answers are
 * worth.
 *
 * Readers run under RCU: a policy that is unregistered or replaced while a map
 * asks it stays callable until that map has its answer. The BPF side frees the
 * program only a grace period after the unregistration has returned, so
 * nothing here waits.
 */
#define pr_fmt(fmt) "iox: " fmt

#include <linux/bpf.h>
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "policy.h"

#define IOX_NO_POLICY "none"

/**
 * struct iox_policy - one registration of a policy
 * @ops: owned by the struct_ops map
 * @stats: counters, from zero with each registration
 * @rcu: readers may still count when the policy is no longer in force
 */
struct iox_policy {
	const struct iox_iova_ops *ops;
	struct iox_policy_stats __percpu *stats;
	struct rcu_head rcu;
};

/* Serialises those who change iox_policy_active. */
static DEFINE_MUTEX(iox_policy_lock);
static struct iox_policy __rcu *iox_policy_active;

static struct iox_policy *iox_policy_alloc(const struct iox_iova_ops *ops)
{
	struct iox_policy *policy;

	policy = kzalloc_obj(*policy);
	if (!policy)
		return NULL;
	policy->stats = alloc_percpu(struct iox_policy_stats);
	if (!policy->stats) {
		kfree(policy);
		return NULL;
	}
	policy->ops = ops;
	return policy;
}

static void iox_policy_free(struct iox_policy *policy)
{
	free_percpu(policy->stats);
	kfree(policy);
}

static void iox_policy_free_rcu(struct rcu_head *rcu)
{
	iox_policy_free(container_of(rcu, struct iox_policy, rcu));
}

static struct iox_policy *iox_policy_current(void)
{
	return rcu_dereference_protected(iox_policy_active,
					 lockdep_is_held(&iox_policy_lock));
}

static void iox_policy_count(struct iox_policy *policy,
			     enum iox_policy_counter counter)
{
	this_cpu_inc(policy->stats->count[counter]);
}

static int iox_policy_refuse(struct iox_policy *policy, u64 answer)
{
	int errno = (int)answer;

	if (errno == -EAGAIN) {
		iox_policy_count(policy, IOX_DECLINED);
	} else if (errno < -IOX_ERRNO_MAX) {
		iox_policy_count(policy, IOX_FAULTS);
		errno = -EAGAIN;
	} else {
		iox_policy_count(policy, IOX_REFUSED);
	}
	return errno;
}

static int iox_policy_ask(struct iox_policy *policy, struct iox_iova_req *req,
			  u64 *iova)
{
	u64 answer;

	iox_policy_count(policy, IOX_ASKED);
	answer = policy->ops->select(req);
	if (IS_ERR_VALUE(answer))
		return iox_policy_refuse(policy, answer);
	if (!answer) {
		iox_policy_count(policy, IOX_DECLINED);
		return -EAGAIN;
	}
	if (req->ops->check(req, answer)) {
		iox_policy_count(policy, IOX_FAULTS);
		return -EAGAIN;
	}
	iox_policy_count(policy, IOX_USED);
	*iova = answer;
	return 0;
}

int iox_iova_select(struct iox_iova_req *req, u64 *iova)
{
	struct iox_policy *policy;
	int rc = -EAGAIN;

	rcu_read_lock();
	policy = rcu_dereference(iox_policy_active);
	if (policy)
		rc = iox_policy_ask(policy, req, iova);
	rcu_read_unlock();
	return rc;
}
EXPORT_SYMBOL_GPL(iox_iova_select);

static bool iox_name_valid(const char *name)
{
	size_t len = strnlen(name, IOX_NAME_LEN);
	size_t i;

	if (!len || len == IOX_NAME_LEN || !strcmp(name, IOX_NO_POLICY))
		return false;
	for (i = 0; i < len; i++)
		if (!isascii(name[i]) || !isgraph(name[i]))
			return false;
	return true;
}

/**
 * iox_policy_validate - could this policy be registered?
 * @ops: the policy
 *
 * Context: process context; takes no lock.
 * Return: 0, or -EINVAL with the reason in the kernel log.
 */
int iox_policy_validate(const struct iox_iova_ops *ops)
{
	if (!iox_name_valid(ops->name)) {
		pr_info_ratelimited("IOVA policy rejected: .name must be 1 to %d printable characters without spaces, and not \"%s\"\n",
				    IOX_NAME_LEN - 1, IOX_NO_POLICY);
		return -EINVAL;
	}
	if (!ops->select) {
		pr_info_ratelimited("IOVA policy %s rejected: it has no .select\n",
				    ops->name);
		return -EINVAL;
	}
	return 0;
}

/**
 * iox_policy_register - put a policy in force
 * @ops: must stay until a grace period after iox_policy_unregister()
 *
 * Context: process context; may sleep.
 * Return: 0; -EBUSY when there is a policy already; -ENOMEM.
 */
int iox_policy_register(const struct iox_iova_ops *ops)
{
	struct iox_policy *policy, *active;

	policy = iox_policy_alloc(ops);
	if (!policy)
		return -ENOMEM;

	mutex_lock(&iox_policy_lock);
	active = iox_policy_current();
	if (active) {
		pr_info_ratelimited("IOVA policy %s not registered: %s is in force, unregister it first\n",
				    ops->name, active->ops->name);
		mutex_unlock(&iox_policy_lock);
		iox_policy_free(policy);
		return -EBUSY;
	}
	rcu_assign_pointer(iox_policy_active, policy);
	mutex_unlock(&iox_policy_lock);
	return 0;
}

/**
 * iox_policy_replace - put another policy in the place of the one in force
 * @ops: the new one, whose counters start at zero
 * @old: the one that must be in force now
 *
 * Every map asks either the old or the new one.
 *
 * Context: process context; may sleep.
 * Return: 0; -ENOENT when @old is not in force; -ENOMEM.
 */
int iox_policy_replace(const struct iox_iova_ops *ops,
		       const struct iox_iova_ops *old)
{
	struct iox_policy *policy, *old_policy;

	policy = iox_policy_alloc(ops);
	if (!policy)
		return -ENOMEM;

	mutex_lock(&iox_policy_lock);
	old_policy = iox_policy_current();
	if (!old_policy || old_policy->ops != old) {
		mutex_unlock(&iox_policy_lock);
		iox_policy_free(policy);
		return -ENOENT;
	}
	rcu_assign_pointer(iox_policy_active, policy);
	mutex_unlock(&iox_policy_lock);
	call_rcu(&old_policy->rcu, iox_policy_free_rcu);
	return 0;
}

/**
 * iox_policy_unregister - the built-in allocator chooses again
 * @ops: the policy in force
 *
 * A map that is asking the policy now still gets its answer.
 *
 * Context: process context; may sleep.
 */
void iox_policy_unregister(const struct iox_iova_ops *ops)
{
	struct iox_policy *policy;

	mutex_lock(&iox_policy_lock);
	policy = iox_policy_current();
	if (!policy || policy->ops != ops) {
		mutex_unlock(&iox_policy_lock);
		return;
	}
	RCU_INIT_POINTER(iox_policy_active, NULL);
	mutex_unlock(&iox_policy_lock);
	call_rcu(&policy->rcu, iox_policy_free_rcu);
}

static void iox_policy_sum(const struct iox_policy *policy,
			   struct iox_policy_stats *sum)
{
	int cpu, i;

	for_each_possible_cpu(cpu)
		for (i = 0; i < IOX_NR_COUNTERS; i++)
			sum->count[i] +=
				per_cpu_ptr(policy->stats, cpu)->count[i];
}

/**
 * iox_policy_get_info - who is in force, and how it does
 * @info: filled; see struct iox_policy_info
 *
 * Context: any that may take the RCU read lock.
 */
void iox_policy_get_info(struct iox_policy_info *info)
{
	struct iox_policy *policy;

	*info = (struct iox_policy_info) { .name = IOX_NO_POLICY };

	rcu_read_lock();
	policy = rcu_dereference(iox_policy_active);
	if (policy) {
		strscpy(info->name, policy->ops->name);
		info->map_id = bpf_struct_ops_id(policy->ops);
		iox_policy_sum(policy, &info->stats);
	}
	rcu_read_unlock();
}
