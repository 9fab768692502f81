// SPDX-License-Identifier: GPL-2.0-only
/*
 * Admission policies for people who have nothing but cat, one value a file:
 *
 *	/sys/kernel/iox/admit_policies/MAP_ID/	each one, as long as it is registered
 */
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "admit.h"

static struct kset *policies_kset;

static struct iox_admit_policy *policy_of(struct kobject *kobj)
{
	return container_of(kobj, struct iox_admit_policy, kobj);
}

/**
 * struct admit_attr - a file in the folder of a policy
 * @attr: its name
 * @show: what is in it; called with iox_admit_lock held
 * @arg: for @show
 */
struct admit_attr {
	struct attribute attr;
	ssize_t (*show)(struct iox_admit_policy *policy, int arg, char *buf);
	int arg;
};

static ssize_t show_name(struct iox_admit_policy *policy, int arg, char *buf)
{
	return sysfs_emit(buf, "%s\n", policy->ops->name);
}

static ssize_t show_state(struct iox_admit_policy *policy, int arg, char *buf)
{
	return sysfs_emit(buf, "%s\n", policy->ejected ? "ejected" : "in force");
}

static ssize_t show_order(struct iox_admit_policy *policy, int arg, char *buf)
{
	return sysfs_emit(buf, "%u\n", iox_admit_order(policy));
}

static ssize_t show_cgroup_id(struct iox_admit_policy *policy, int arg,
			      char *buf)
{
	return sysfs_emit(buf, "%llu\n", policy->ops->cgroup_id);
}

static ssize_t show_default(struct iox_admit_policy *policy, int arg, char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  policy->ops->flags & IOX_ADMIT_DENY ? "deny" : "allow");
}

static ssize_t show_counter(struct iox_admit_policy *policy, int counter,
			    char *buf)
{
	return sysfs_emit(buf, "%llu\n", policy->count[counter]);
}

static ssize_t show_slowest(struct iox_admit_policy *policy, int arg, char *buf)
{
	return sysfs_emit(buf, "%llu\n", policy->slowest_ns);
}

/* Empty unless there is something to say, as all that follow. */
static ssize_t show_last(struct iox_admit_policy *policy, int arg, char *buf)
{
	return policy->last[0] ? sysfs_emit(buf, "%s\n", policy->last) : 0;
}

static ssize_t show_exit(struct iox_admit_policy *policy, int arg, char *buf)
{
	return policy->ejected ? sysfs_emit(buf, "%s\n", policy->ejected) : 0;
}

#define ADMIT_ATTR(_name, _show, _arg)					\
	static struct admit_attr admit_attr_##_name = {			\
		.attr = { .name = #_name, .mode = 0444 },		\
		.show = _show,						\
		.arg = _arg,						\
	}

ADMIT_ATTR(name, show_name, 0);
ADMIT_ATTR(state, show_state, 0);
ADMIT_ATTR(order, show_order, 0);
ADMIT_ATTR(cgroup_id, show_cgroup_id, 0);
ADMIT_ATTR(default, show_default, 0);
ADMIT_ATTR(asked, show_counter, IOX_ADMIT_ASKED);
ADMIT_ATTR(allowed, show_counter, IOX_ADMIT_ALLOWED);
ADMIT_ATTR(refused, show_counter, IOX_ADMIT_REFUSED);
ADMIT_ATTR(faults, show_counter, IOX_ADMIT_FAULTS);
ADMIT_ATTR(slowest_ns, show_slowest, 0);
ADMIT_ATTR(last_refusal, show_last, 0);
ADMIT_ATTR(exit, show_exit, 0);

static struct attribute *admit_attrs[] = {
	&admit_attr_name.attr,
	&admit_attr_state.attr,
	&admit_attr_order.attr,
	&admit_attr_cgroup_id.attr,
	&admit_attr_default.attr,
	&admit_attr_asked.attr,
	&admit_attr_allowed.attr,
	&admit_attr_refused.attr,
	&admit_attr_faults.attr,
	&admit_attr_slowest_ns.attr,
	&admit_attr_last_refusal.attr,
	&admit_attr_exit.attr,
	NULL,
};
ATTRIBUTE_GROUPS(admit);

static ssize_t admit_attr_show(struct kobject *kobj, struct attribute *attr,
			       char *buf)
{
	struct admit_attr *file = container_of(attr, struct admit_attr, attr);

	guard(mutex)(&iox_admit_lock);
	return file->show(policy_of(kobj), file->arg, buf);
}

static const struct sysfs_ops admit_sysfs_ops = {
	.show = admit_attr_show,
};

static void admit_release(struct kobject *kobj)
{
	iox_admit_policy_free(policy_of(kobj));
}

static const struct kobj_type admit_ktype = {
	.sysfs_ops = &admit_sysfs_ops,
	.default_groups = admit_groups,
	.release = admit_release,
};

/**
 * iox_admit_show - make the folder of a policy
 * @policy: with all else in it; from here on its life is that of policy->kobj
 *
 * Return: 0, or an errno, and then @policy is no more.
 */
int iox_admit_show(struct iox_admit_policy *policy)
{
	int rc;

	policy->kobj.kset = policies_kset;
	rc = kobject_init_and_add(&policy->kobj, &admit_ktype, NULL, "%u",
				  policy->map_id);
	if (rc)
		kobject_put(&policy->kobj);
	return rc;
}

/**
 * iox_admit_sysfs_init - make the folder of all
 *
 * Return: 0 or -ENOMEM.
 */
int __init iox_admit_sysfs_init(void)
{
	policies_kset = kset_create_and_add("admit_policies", NULL, iox_kobj);
	return policies_kset ? 0 : -ENOMEM;
}
