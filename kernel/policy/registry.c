// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which IOVA policies there are, and how they come and go.
 *
 * For the host and for each cgroup there is room for a policy, a canary and a
 * shadow. The BPF side frees a policy's programs a grace period after the
 * unregistration has returned; what is here lives as long for those who still
 * count then.
 */
#define pr_fmt(fmt) "iox: " fmt

#include <linux/bpf.h>
#include <linux/cgroup.h>
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "policy.h"

#define IOX_NO_POLICY "none"

/* Protects the list, what address spaces are bound to, and how policies end. */
DEFINE_MUTEX(iox_policy_lock);

/* struct iox_policy, ejected ones included */
LIST_HEAD(iox_policies);

/**
 * iox_policy_free - free a policy
 * @policy: nobody counts in it, and it is in no folder any more
 */
void iox_policy_free(struct iox_policy *policy)
{
	if (policy->cgroup)
		cgroup_put(policy->cgroup);
	free_percpu(policy->stats);
	kfree(policy);
}

static void put_rcu(struct rcu_head *rcu)
{
	kobject_put(&container_of(rcu, struct iox_policy, rcu)->kobj);
}

/* Nobody asks it any more, but some may still count. */
static void retire(struct iox_policy *policy)
{
	kobject_del(&policy->kobj);
	call_rcu(&policy->rcu, put_rcu);
}

/**
 * iox_get_cgroup - find whose policy it is to be
 * @id: cgroup v2 id, 0 for the whole host
 * @cgroup: held, unless it is %NULL for the host
 *
 * Return: 0; -ENOENT no such cgroup.
 */
int iox_get_cgroup(u64 id, struct cgroup **cgroup)
{
	struct cgroup *found = id ? cgroup_get_from_id(id) : NULL;

	if (IS_ERR(found))
		return PTR_ERR(found);
	*cgroup = found;
	return 0;
}

static struct iox_policy *policy_alloc(const struct iox_iova_ops *ops)
{
	struct iox_policy *policy = kzalloc_obj(*policy);
	int rc = -ENOMEM;

	if (!policy)
		return ERR_PTR(-ENOMEM);
	policy->ops = ops;
	policy->map_id = bpf_struct_ops_id(ops);
	policy->share = ops->share ?: IOX_SHARE_ALL;
	INIT_WORK(&policy->eject, iox_policy_eject);
	policy->stats = alloc_percpu(struct iox_policy_stats);
	if (policy->stats)
		rc = iox_get_cgroup(ops->cgroup_id, &policy->cgroup);
	if (!rc)
		rc = iox_policy_show(policy);
	else
		iox_policy_free(policy);
	return rc ? ERR_PTR(rc) : policy;
}

/**
 * iox_name_valid - can a policy have this name?
 * @name: IOX_NAME_LEN bytes
 */
bool iox_name_valid(const char *name)
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
	const char *why = NULL;

	if (!iox_name_valid(ops->name)) {
		pr_info_ratelimited("IOVA policy rejected: .name must be 1 to %d printable characters without spaces, and not \"%s\"\n",
				    IOX_NAME_LEN - 1, IOX_NO_POLICY);
		return -EINVAL;
	}
	if (!ops->select)
		why = "it has no .select";
	else if (ops->flags & ~IOX_POLICY_FLAGS)
		why = ".flags has bits that this kernel does not know";
	else if (ops->share > IOX_SHARE_ALL)
		why = ".share is in thousandths, 1000 at most";
	if (!why)
		return 0;
	pr_info_ratelimited("IOVA policy %s rejected: %s\n", ops->name, why);
	return -EINVAL;
}

static bool same_place(const struct iox_policy *a, const struct iox_policy *b)
{
	bool shadow = iox_policy_is_shadow(a);

	if (a->cgroup != b->cgroup || shadow != iox_policy_is_shadow(b))
		return false;
	return shadow ||
	       (a->share < IOX_SHARE_ALL) == (b->share < IOX_SHARE_ALL);
}

/* Who is where @policy is to go, other than who leaves for it? */
static struct iox_policy *in_place_of(const struct iox_policy *policy,
				      const struct iox_policy *leaves)
{
	struct iox_policy *other;

	list_for_each_entry(other, &iox_policies, item)
		if (other != leaves && !iox_policy_is_ejected(other) &&
		    same_place(other, policy))
			return other;
	return NULL;
}

static int begin(struct iox_policy *policy, const struct iox_policy *leaves)
{
	struct iox_policy *other = in_place_of(policy, leaves);

	if (other) {
		pr_info_ratelimited("IOVA policy %s not registered: %s is in force, unregister it first\n",
				    policy->ops->name, other->ops->name);
		return -EBUSY;
	}
	if (!policy->ops->init)
		return 0;
	guard(rcu)();
	return policy->ops->init();
}

/**
 * iox_policy_register - put a policy in force
 * @ops: must stay until a grace period after iox_policy_unregister()
 *
 * Context: process context; may sleep.
 * Return: 0; -EBUSY when there is one in its place; -ENOENT no such cgroup;
 * -ENOMEM; or what its init says.
 */
int iox_policy_register(const struct iox_iova_ops *ops)
{
	struct iox_policy *policy = policy_alloc(ops);
	int rc;

	if (IS_ERR(policy))
		return PTR_ERR(policy);

	scoped_guard(mutex, &iox_policy_lock) {
		rc = begin(policy, NULL);
		if (!rc) {
			list_add_tail(&policy->item, &iox_policies);
			iox_ioas_rebind();
		}
	}
	if (rc)
		retire(policy);
	return rc;
}

static struct iox_policy *find(const struct iox_iova_ops *ops)
{
	struct iox_policy *policy;

	guard(mutex)(&iox_policy_lock);
	list_for_each_entry(policy, &iox_policies, item)
		if (policy->ops == ops)
			return policy;
	return NULL;
}

/* From here on its own misbehaviour does not end it any more. */
static void end(struct iox_policy *policy, enum iox_exit_kind kind)
{
	if (iox_policy_end(policy, kind, 0, NULL, 0, iox_exit_kind_name(kind)))
		return;
	/* Who ejects it queues the work in an RCU read-side critical section. */
	synchronize_rcu();
	flush_work(&policy->eject);
}

/* It is not in the list any more, so that no address space comes to it. */
static void depart(struct iox_policy *policy)
{
	iox_ioas_rebind();
	WARN_ON(policy->nr_spaces);
	iox_policy_say_goodbye(policy);
}

/**
 * iox_policy_replace - put another policy in the place of one
 * @ops: the new one, whose counters start at zero
 * @old_ops: the one that is registered now
 *
 * Every map asks either the old or the new one.
 *
 * Context: process context; may sleep.
 * Return: 0; -ENOENT when @old_ops is not registered; -EINVAL when the new one
 * is for another cgroup, or only one is a shadow; or an errno of
 * iox_policy_register().
 */
int iox_policy_replace(const struct iox_iova_ops *ops,
		       const struct iox_iova_ops *old_ops)
{
	struct iox_policy *old = find(old_ops), *policy;
	int rc;

	if (!old)
		return -ENOENT;
	if (ops->cgroup_id != old_ops->cgroup_id ||
	    (ops->flags ^ old_ops->flags) & IOX_SHADOW)
		return -EINVAL;
	policy = policy_alloc(ops);
	if (IS_ERR(policy))
		return PTR_ERR(policy);

	scoped_guard(mutex, &iox_policy_lock) {
		rc = begin(policy, old);
		if (!rc) {
			list_replace(&old->item, &policy->item);
			iox_ioas_rebind();
		}
	}
	if (rc) {
		retire(policy);
		return rc;
	}

	end(old, IOX_EXIT_REPLACED);
	scoped_guard(mutex, &iox_policy_lock)
		depart(old);
	retire(old);
	return 0;
}

/**
 * iox_policy_unregister - the policy that is next chooses, or the built-in
 *	allocator
 * @ops: a registered policy
 *
 * A map that is asking the policy now still gets its answer.
 *
 * Context: process context; may sleep.
 */
void iox_policy_unregister(const struct iox_iova_ops *ops)
{
	struct iox_policy *policy = find(ops);

	if (!policy)
		return;
	end(policy, IOX_EXIT_UNREGISTERED);
	scoped_guard(mutex, &iox_policy_lock) {
		list_del(&policy->item);
		depart(policy);
	}
	retire(policy);
}

/**
 * iox_policy_host - the policy of the whole host, canaries and shadows aside
 *
 * Context: iox_policy_lock is held.
 * Return: the policy, or %NULL.
 */
struct iox_policy *iox_policy_host(void)
{
	struct iox_policy *policy;

	lockdep_assert_held(&iox_policy_lock);
	list_for_each_entry(policy, &iox_policies, item)
		if (!policy->cgroup && !iox_policy_is_shadow(policy) &&
		    policy->share == IOX_SHARE_ALL &&
		    !iox_policy_is_ejected(policy))
			return policy;
	return NULL;
}

/**
 * iox_policy_sum - add up the counters of all CPUs
 * @policy: the policy
 * @sum: zero before
 *
 * Context: any.
 */
void iox_policy_sum(const struct iox_policy *policy,
		    struct iox_policy_stats *sum)
{
	int cpu, i;

	for_each_possible_cpu(cpu) {
		const struct iox_policy_stats *stats =
			per_cpu_ptr(policy->stats, cpu);

		for (i = 0; i < IOX_NR_COUNTERS; i++)
			sum->count[i] += stats->count[i];
		for (i = 0; i < IOX_HIST_BUCKETS; i++)
			sum->time[i] += stats->time[i];
	}
}
