// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/iox/iova_policy/: the policy in force and its counters, one
 * value a file. The files are always there: without a policy, name says "none"
 * and the numbers are 0.
 */
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/sysfs.h>

#include "policy.h"

static struct kobject *iox_kobj;
static struct kobject *iox_iova_policy_kobj;

static ssize_t name_show(struct kobject *kobj, struct kobj_attribute *attr,
			 char *buf)
{
	struct iox_policy_info info;

	iox_policy_get_info(&info);
	return sysfs_emit(buf, "%s\n", info.name);
}

static struct kobj_attribute name_attr = __ATTR_RO(name);

static ssize_t map_id_show(struct kobject *kobj, struct kobj_attribute *attr,
			   char *buf)
{
	struct iox_policy_info info;

	iox_policy_get_info(&info);
	return sysfs_emit(buf, "%u\n", info.map_id);
}

static struct kobj_attribute map_id_attr = __ATTR_RO(map_id);

struct iox_counter_attr {
	struct kobj_attribute attr;
	enum iox_policy_counter counter;
};

static ssize_t counter_show(struct kobject *kobj, struct kobj_attribute *attr,
			    char *buf)
{
	struct iox_counter_attr *which;
	struct iox_policy_info info;

	which = container_of(attr, struct iox_counter_attr, attr);
	iox_policy_get_info(&info);
	return sysfs_emit(buf, "%llu\n", info.stats.count[which->counter]);
}

#define IOX_COUNTER_ATTR(_name, _counter)				\
	struct iox_counter_attr _name##_attr = {			\
		.attr = __ATTR(_name, 0444, counter_show, NULL),	\
		.counter = _counter,					\
	}

static IOX_COUNTER_ATTR(asked, IOX_ASKED);
static IOX_COUNTER_ATTR(used, IOX_USED);
static IOX_COUNTER_ATTR(declined, IOX_DECLINED);
static IOX_COUNTER_ATTR(refused, IOX_REFUSED);
static IOX_COUNTER_ATTR(faults, IOX_FAULTS);

static struct attribute *iox_iova_policy_attrs[] = {
	&name_attr.attr,
	&map_id_attr.attr,
	&asked_attr.attr.attr,
	&used_attr.attr.attr,
	&declined_attr.attr.attr,
	&refused_attr.attr.attr,
	&faults_attr.attr.attr,
	NULL,
};

static const struct attribute_group iox_iova_policy_group = {
	.attrs = iox_iova_policy_attrs,
};

/**
 * iox_policy_sysfs_init - make the files
 *
 * Return: 0 or -ENOMEM and the like, with nothing left behind.
 */
int __init iox_policy_sysfs_init(void)
{
	int rc;

	iox_kobj = kobject_create_and_add("iox", kernel_kobj);
	if (!iox_kobj)
		return -ENOMEM;

	iox_iova_policy_kobj = kobject_create_and_add("iova_policy", iox_kobj);
	if (!iox_iova_policy_kobj) {
		rc = -ENOMEM;
		goto err_root;
	}

	rc = sysfs_create_group(iox_iova_policy_kobj, &iox_iova_policy_group);
	if (rc)
		goto err_policy;
	return 0;

err_policy:
	kobject_put(iox_iova_policy_kobj);
err_root:
	kobject_put(iox_kobj);
	return rc;
}

/**
 * iox_policy_sysfs_exit - take the files away again
 */
void __init iox_policy_sysfs_exit(void)
{
	sysfs_remove_group(iox_iova_policy_kobj, &iox_iova_policy_group);
	kobject_put(iox_iova_policy_kobj);
	kobject_put(iox_kobj);
}
