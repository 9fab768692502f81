// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies for people who have nothing but cat, one value a file:
 *
 *	/sys/kernel/iox/iova_policy/		that of the whole host. The files are
 *						always there: without a policy, name
 *						says "none" and the numbers are 0
 *	/sys/kernel/iox/iova_policies/MAP_ID/	each one, as long as it is registered
 */
#include <linux/cgroup.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "policy.h"

/* /sys/kernel/iox */
struct kobject *iox_kobj;
static struct kobject *host_kobj;
static struct kset *policies_kset;

/* --- a folder for each ------------------------------------------------------- */

/**
 * struct policy_attr - a file in the folder of a policy
 * @attr: its name
 * @show: what is in it
 * @arg: for @show
 */
struct policy_attr {
	struct attribute attr;
	ssize_t (*show)(struct iox_policy *policy, int arg, char *buf);
	int arg;
};

static ssize_t show_name(struct iox_policy *policy, int arg, char *buf)
{
	return sysfs_emit(buf, "%s\n", policy->ops->name);
}

static ssize_t show_state(struct iox_policy *policy, int arg, char *buf)
{
	const char *state = "in force";

	if (iox_policy_is_ejected(policy))
		state = "ejected";
	else if (iox_policy_is_shadow(policy))
		state = "shadow";
	else if (policy->share < IOX_SHARE_ALL)
		state = "canary";
	return sysfs_emit(buf, "%s\n", state);
}

static ssize_t show_cgroup_id(struct iox_policy *policy, int arg, char *buf)
{
	return sysfs_emit(buf, "%llu\n", policy->ops->cgroup_id);
}

static ssize_t show_share(struct iox_policy *policy, int arg, char *buf)
{
	return sysfs_emit(buf, "%u\n", policy->share);
}

static ssize_t show_flags(struct iox_policy *policy, int arg, char *buf)
{
	return sysfs_emit(buf, "%#x\n", policy->ops->flags);
}

static ssize_t show_spaces(struct iox_policy *policy, int arg, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(policy->nr_spaces));
}

/* Empty unless it has been ejected: kind, errno, what it answered to what, why. */
static ssize_t show_exit(struct iox_policy *policy, int arg, char *buf)
{
	const struct iox_exit_info *exit = &policy->exit;

	if (!READ_ONCE(policy->exited))
		return 0;
	return sysfs_emit(buf,
			  "%s errno=%d space_id=%llu length=%llu hint=%#llx answer=%#llx: %s\n",
			  iox_exit_kind_name(exit->kind), exit->err,
			  exit->space_id, exit->length, exit->hint,
			  exit->answer, exit->msg);
}

static struct iox_policy_stats *sum(const struct iox_policy *policy)
{
	struct iox_policy_stats *stats = kvzalloc_obj(*stats);

	if (stats)
		iox_policy_sum(policy, stats);
	return stats;
}

static ssize_t show_counter(struct iox_policy *policy, int counter, char *buf)
{
	struct iox_policy_stats *stats __free(kvfree) = sum(policy);

	if (!stats)
		return -ENOMEM;
	return sysfs_emit(buf, "%llu\n", stats->count[counter]);
}

static ssize_t show_quantile(struct iox_policy *policy, int permille, char *buf)
{
	struct iox_policy_stats *stats __free(kvfree) = sum(policy);

	if (!stats)
		return -ENOMEM;
	return sysfs_emit(buf, "%llu\n",
			  iox_hist_quantile(stats->time,
					    stats->count[IOX_ASKED], permille));
}

#define POLICY_ATTR(_name, _show, _arg)					\
	static struct policy_attr policy_attr_##_name = {		\
		.attr = { .name = #_name, .mode = 0444 },		\
		.show = _show,						\
		.arg = _arg,						\
	}

POLICY_ATTR(name, show_name, 0);
POLICY_ATTR(state, show_state, 0);
POLICY_ATTR(cgroup_id, show_cgroup_id, 0);
POLICY_ATTR(share, show_share, 0);
POLICY_ATTR(flags, show_flags, 0);
POLICY_ATTR(spaces, show_spaces, 0);
POLICY_ATTR(exit, show_exit, 0);
POLICY_ATTR(asked, show_counter, IOX_ASKED);
POLICY_ATTR(used, show_counter, IOX_USED);
POLICY_ATTR(declined, show_counter, IOX_DECLINED);
POLICY_ATTR(refused, show_counter, IOX_REFUSED);
POLICY_ATTR(faults, show_counter, IOX_FAULTS);
POLICY_ATTR(agreed, show_counter, IOX_AGREED);
POLICY_ATTR(time_p50_ns, show_quantile, 500);
POLICY_ATTR(time_p99_ns, show_quantile, 990);

static struct attribute *policy_attrs[] = {
	&policy_attr_name.attr,
	&policy_attr_state.attr,
	&policy_attr_cgroup_id.attr,
	&policy_attr_share.attr,
	&policy_attr_flags.attr,
	&policy_attr_spaces.attr,
	&policy_attr_exit.attr,
	&policy_attr_asked.attr,
	&policy_attr_used.attr,
	&policy_attr_declined.attr,
	&policy_attr_refused.attr,
	&policy_attr_faults.attr,
	&policy_attr_agreed.attr,
	&policy_attr_time_p50_ns.attr,
	&policy_attr_time_p99_ns.attr,
	NULL,
};
ATTRIBUTE_GROUPS(policy);

/* kobject_del() waits for it, so that the policy is there. */
static ssize_t policy_attr_show(struct kobject *kobj, struct attribute *attr,
				char *buf)
{
	struct policy_attr *file = container_of(attr, struct policy_attr, attr);

	return file->show(container_of(kobj, struct iox_policy, kobj), file->arg,
			  buf);
}

static const struct sysfs_ops policy_sysfs_ops = {
	.show = policy_attr_show,
};

static void policy_release(struct kobject *kobj)
{
	iox_policy_free(container_of(kobj, struct iox_policy, kobj));
}

static const struct kobj_type policy_ktype = {
	.sysfs_ops = &policy_sysfs_ops,
	.default_groups = policy_groups,
	.release = policy_release,
};

/**
 * iox_policy_show - make the folder of a policy
 * @policy: with all else in it; from here on its life is that of policy->kobj
 *
 * Return: 0, or an errno, and then @policy is no more.
 */
int iox_policy_show(struct iox_policy *policy)
{
	int rc;

	policy->kobj.kset = policies_kset;
	rc = kobject_init_and_add(&policy->kobj, &policy_ktype, NULL, "%u",
				  policy->map_id);
	if (rc)
		kobject_put(&policy->kobj);
	return rc;
}

/* --- the whole host ---------------------------------------------------------- */

static ssize_t name_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	struct iox_policy *policy;

	guard(mutex)(&iox_policy_lock);
	policy = iox_policy_host();
	return sysfs_emit(buf, "%s\n", policy ? policy->ops->name : "none");
}

static struct kobj_attribute name_attr = __ATTR_RO(name);

static ssize_t map_id_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct iox_policy *policy;

	guard(mutex)(&iox_policy_lock);
	policy = iox_policy_host();
	return sysfs_emit(buf, "%u\n", policy ? policy->map_id : 0);
}

static struct kobj_attribute map_id_attr = __ATTR_RO(map_id);

struct counter_attr {
	struct kobj_attribute attr;
	enum iox_policy_counter counter;
};

static ssize_t counter_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	struct counter_attr *which = container_of(attr, struct counter_attr, attr);
	struct iox_policy *policy;

	guard(mutex)(&iox_policy_lock);
	policy = iox_policy_host();
	return policy ? show_counter(policy, which->counter, buf) :
			sysfs_emit(buf, "0\n");
}

#define COUNTER_ATTR(_name, _counter)					\
	static struct counter_attr _name##_attr = {			\
		.attr = __ATTR(_name, 0444, counter_show, NULL),	\
		.counter = _counter,					\
	}

COUNTER_ATTR(asked, IOX_ASKED);
COUNTER_ATTR(used, IOX_USED);
COUNTER_ATTR(declined, IOX_DECLINED);
COUNTER_ATTR(refused, IOX_REFUSED);
COUNTER_ATTR(faults, IOX_FAULTS);

static struct attribute *host_attrs[] = {
	&name_attr.attr,
	&map_id_attr.attr,
	&asked_attr.attr.attr,
	&used_attr.attr.attr,
	&declined_attr.attr.attr,
	&refused_attr.attr.attr,
	&faults_attr.attr.attr,
	NULL,
};

static const struct attribute_group host_group = {
	.attrs = host_attrs,
};

/**
 * iox_policy_sysfs_init - make the folders
 *
 * Return: 0 or -ENOMEM and the like, with nothing left behind.
 */
int __init iox_policy_sysfs_init(void)
{
	int rc = -ENOMEM;

	iox_kobj = kobject_create_and_add("iox", kernel_kobj);
	if (!iox_kobj)
		return -ENOMEM;
	policies_kset = kset_create_and_add("iova_policies", NULL, iox_kobj);
	if (!policies_kset)
		goto err_root;
	host_kobj = kobject_create_and_add("iova_policy", iox_kobj);
	if (!host_kobj)
		goto err_policies;
	rc = sysfs_create_group(host_kobj, &host_group);
	if (rc)
		goto err_host;
	return 0;

err_host:
	kobject_put(host_kobj);
err_policies:
	kset_unregister(policies_kset);
err_root:
	kobject_put(iox_kobj);
	return rc;
}

/**
 * iox_policy_sysfs_exit - take the folders away again
 */
void __init iox_policy_sysfs_exit(void)
{
	sysfs_remove_group(host_kobj, &host_group);
	kobject_put(host_kobj);
	kset_unregister(policies_kset);
	kobject_put(iox_kobj);
}
