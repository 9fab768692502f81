// SPDX-License-Identifier: GPL-2.0-only
/*
 * Admission policies: who may preserve what over a live update.
 *
 * Requests are rare and may sleep, so all of it goes by one mutex: a policy comes,
 * goes or is asked, one thing at a time.
 */
#define pr_fmt(fmt) "iox: " fmt

#include <linux/bpf.h>
#include <linux/cgroup.h>
#include <linux/cleanup.h>
#include <linux/cred.h>
#include <linux/export.h>
#include <linux/kexec_handover.h>
#include <linux/liveupdate_note.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include <linux/utsname.h>

#include "admit.h"

#define CREATE_TRACE_POINTS
#include <trace/events/iox_admit.h>

/* Protects the list and all that is in it; held while a policy is asked. */
DEFINE_MUTEX(iox_admit_lock);

/* struct iox_admit_policy, in the order in which they are asked */
static LIST_HEAD(policies);

static const char *const step_names[IOX_NR_ADMIT_STEPS] = {
	[IOX_ADMIT_MARK] = "mark",
	[IOX_ADMIT_PRESERVE] = "preserve",
	[IOX_ADMIT_FREEZE] = "freeze",
	[IOX_ADMIT_RETRIEVE] = "retrieve",
};

static const char *const kind_names[] = {
	[IOX_ADMIT_HWPT] = "an HWPT",
	[IOX_ADMIT_IOMMUFD] = "an iommufd",
	[IOX_ADMIT_DEVICE] = "a device",
};

/* --- policies come and go ---------------------------------------------------- */

/**
 * iox_admit_policy_free - free a policy
 * @policy: in no list and no folder any more
 */
void iox_admit_policy_free(struct iox_admit_policy *policy)
{
	if (policy->cgroup)
		cgroup_put(policy->cgroup);
	kfree(policy);
}

static struct iox_admit_policy *policy_alloc(const struct iox_admit_ops *ops)
{
	struct iox_admit_policy *policy = kzalloc_obj(*policy);
	int rc;

	if (!policy)
		return ERR_PTR(-ENOMEM);
	policy->ops = ops;
	policy->map_id = bpf_struct_ops_id(ops);
	rc = iox_get_cgroup(ops->cgroup_id, &policy->cgroup);
	if (rc) {
		kfree(policy);
		return ERR_PTR(rc);
	}
	rc = iox_admit_show(policy);
	return rc ? ERR_PTR(rc) : policy;
}

static void retire(struct iox_admit_policy *policy)
{
	kobject_del(&policy->kobj);
	kobject_put(&policy->kobj);
}

/**
 * iox_admit_validate - could this policy be registered?
 * @ops: the policy
 *
 * Return: 0, or -EINVAL with the reason in the kernel log.
 */
int iox_admit_validate(const struct iox_admit_ops *ops)
{
	if (!iox_name_valid(ops->name)) {
		pr_info_ratelimited("admission policy rejected: .name must be 1 to %d printable characters without spaces, and not \"none\"\n",
				    IOX_NAME_LEN - 1);
		return -EINVAL;
	}
	if (ops->flags & ~IOX_ADMIT_DENY) {
		pr_info_ratelimited("admission policy %s rejected: .flags has bits that this kernel does not know\n",
				    ops->name);
		return -EINVAL;
	}
	if (!ops->mark && !ops->preserve && !ops->freeze && !ops->retrieve) {
		pr_info_ratelimited("admission policy %s rejected: it has none of .mark, .preserve, .freeze and .retrieve\n",
				    ops->name);
		return -EINVAL;
	}
	return 0;
}

static int depth(const struct iox_admit_policy *policy)
{
	return policy->cgroup ? policy->cgroup->level + 1 : 0;
}

/**
 * iox_admit_register - put a policy in force, behind those that are
 * @ops: must stay until iox_admit_unregister()
 *
 * Context: process context; may sleep.
 * Return: 0; -ENOENT no such cgroup; -ENOMEM.
 */
int iox_admit_register(const struct iox_admit_ops *ops)
{
	struct iox_admit_policy *policy = policy_alloc(ops), *next;

	if (IS_ERR(policy))
		return PTR_ERR(policy);
	guard(mutex)(&iox_admit_lock);
	list_for_each_entry(next, &policies, item)
		if (depth(next) > depth(policy))
			break;
	list_add_tail(&policy->item, &next->item);
	return 0;
}

static struct iox_admit_policy *find(const struct iox_admit_ops *ops)
{
	struct iox_admit_policy *policy;

	lockdep_assert_held(&iox_admit_lock);
	list_for_each_entry(policy, &policies, item)
		if (policy->ops == ops)
			return policy;
	return NULL;
}

/**
 * iox_admit_replace - put another policy in the place of one
 * @ops: the new one, whose counters start at zero
 * @old_ops: the one that is registered now
 *
 * Context: process context; may sleep.
 * Return: 0; -ENOENT when @old_ops is not registered; -EINVAL when the new one is
 * for another cgroup; -ENOMEM.
 */
int iox_admit_replace(const struct iox_admit_ops *ops,
		      const struct iox_admit_ops *old_ops)
{
	struct iox_admit_policy *policy, *old;

	if (ops->cgroup_id != old_ops->cgroup_id)
		return -EINVAL;
	policy = policy_alloc(ops);
	if (IS_ERR(policy))
		return PTR_ERR(policy);
	scoped_guard(mutex, &iox_admit_lock) {
		old = find(old_ops);
		if (old)
			list_replace(&old->item, &policy->item);
	}
	retire(old ?: policy);
	return old ? 0 : -ENOENT;
}

/**
 * iox_admit_unregister - a policy is asked no more
 * @ops: a registered policy
 *
 * Context: process context; may sleep.
 */
void iox_admit_unregister(const struct iox_admit_ops *ops)
{
	struct iox_admit_policy *policy;

	scoped_guard(mutex, &iox_admit_lock) {
		policy = find(ops);
		if (policy)
			list_del(&policy->item);
	}
	if (policy)
		retire(policy);
}

/**
 * iox_admit_order - which one is asked when
 * @policy: a policy that has a folder
 *
 * Context: iox_admit_lock is held.
 * Return: 1 for the one that is asked first, and so on; 0 if it is not asked.
 */
unsigned int iox_admit_order(const struct iox_admit_policy *policy)
{
	const struct iox_admit_policy *other;
	unsigned int order = 0;

	lockdep_assert_held(&iox_admit_lock);
	list_for_each_entry(other, &policies, item) {
		order++;
		if (other == policy)
			return order;
	}
	return 0;
}

/* --- asking ------------------------------------------------------------------ */

static bool is_about(const struct iox_admit_policy *policy,
		     const struct iox_admission *admission)
{
	return !policy->cgroup ||
	       cgroup_is_descendant(admission->cgroup, policy->cgroup);
}

static int (*step_of(const struct iox_admit_ops *ops,
		     enum iox_admit_step step))(struct iox_admit_req *req)
{
	switch (step) {
	case IOX_ADMIT_MARK:
		return ops->mark;
	case IOX_ADMIT_PRESERVE:
		return ops->preserve;
	case IOX_ADMIT_FREEZE:
		return ops->freeze;
	default:
		return ops->retrieve;
	}
}

static void eject(struct iox_admit_policy *policy, const char *why)
{
	policy->ejected = why;
	pr_warn("admission policy %s ejected: %s; what it would be asked is %s\n",
		policy->ops->name, why,
		policy->ops->flags & IOX_ADMIT_DENY ? "refused" : "allowed");
}

static int default_answer(const struct iox_admit_policy *policy,
			  struct iox_admission *admission, const char *why)
{
	if (!(policy->ops->flags & IOX_ADMIT_DENY))
		return 0;
	strscpy(admission->reason, why);
	return -EPERM;
}

static int judge(struct iox_admit_policy *policy,
		 struct iox_admission *admission, int answer)
{
	if (answer <= 0 && answer >= -IOX_ERRNO_MAX) {
		policy->faults = 0;
		policy->count[answer ? IOX_ADMIT_REFUSED : IOX_ADMIT_ALLOWED]++;
		return answer;
	}
	policy->count[IOX_ADMIT_FAULTS]++;
	if (++policy->faults == IOX_ADMIT_FAULTS_MAX)
		eject(policy, "its answers are neither 0 nor errnos");
	return default_answer(policy, admission, "the policy answers nonsense");
}

static void judge_time(struct iox_admit_policy *policy, u64 ns)
{
	policy->slowest_ns = max(policy->slowest_ns, ns);
	if (ns < IOX_SLOW_NS)
		policy->slow = 0;
	else if (++policy->slow == IOX_ADMIT_FAULTS_MAX && !policy->ejected)
		eject(policy, "its answers take too long");
}

static int ask(struct iox_admit_policy *policy, struct iox_admission *admission,
	       enum iox_admit_step step)
{
	int (*fn)(struct iox_admit_req *req) = step_of(policy->ops, step);
	int answer;
	u64 start;

	admission->reason[0] = '\0';
	if (!fn)
		return 0;
	if (policy->ejected)
		return default_answer(policy, admission, "the policy was ejected");
	policy->count[IOX_ADMIT_ASKED]++;
	start = local_clock();
	scoped_guard(rcu)
		answer = fn(&admission->req);
	answer = judge(policy, admission, answer);
	judge_time(policy, local_clock() - start);
	trace_iox_admit(&admission->req, policy->ops->name, answer,
			admission->reason);
	return answer;
}

static void tell_refused(struct iox_admit_policy *policy,
			 const struct iox_admission *admission,
			 enum iox_admit_step step, int rc)
{
	const struct iox_admit_req *req = &admission->req;

	/* A session can be called anything. */
	snprintf(policy->last, sizeof(policy->last),
		 "%s of %s uid=%u pid=%u token=%#llx session=%*pE errno=%d: %s",
		 step_names[step], kind_names[req->kind], req->uid, req->pid,
		 req->token, (int)strlen(req->session), req->session, rc,
		 admission->reason);
	pr_info_ratelimited("admission policy %s refuses %s\n",
			    policy->ops->name, policy->last);
}

/* Those that have allowed it before @end refused. */
static void withdraw_before(struct iox_admission *admission,
			    const struct iox_admit_policy *end)
{
	struct iox_admit_policy *policy;

	list_for_each_entry(policy, &policies, item) {
		if (policy == end)
			return;
		if (!is_about(policy, admission) || policy->ejected ||
		    !policy->ops->unpreserve)
			continue;
		guard(rcu)();
		policy->ops->unpreserve(&admission->req);
	}
}

static void describe_peer(struct iox_admit_req *req, enum iox_admit_step step)
{
	const struct liveupdate_note *note;

	if (step == IOX_ADMIT_RETRIEVE) {
		strscpy(req->peer_release, kho_previous_release());
		strscpy(req->peer_abi, req->abi);
	}
	if (step != IOX_ADMIT_FREEZE)
		return;
	note = iommu_lu_note_next();
	strscpy(req->peer_release, iommu_lu_note_release(note) ?: "");
	strscpy(req->peer_abi,
		iommu_lu_note_takes(note, req->abi) ? req->abi : "");
}

/**
 * iox_admit - may it go on?
 * @admission: filled in; %NULL for what nobody could be asked about
 * @step: which step it is
 *
 * Context: process context; sleeps.
 * Return: 0, or the errno of the policy that refuses. Who asked to preserve, got
 * 0 and gives up later calls iox_admission_withdraw().
 */
int iox_admit(struct iox_admission *admission, enum iox_admit_step step)
{
	struct iox_admit_policy *policy;
	int rc;

	if (!admission)
		return 0;
	guard(mutex)(&iox_admit_lock);
	admission->req.step = step;
	describe_peer(&admission->req, step);
	list_for_each_entry(policy, &policies, item) {
		if (!is_about(policy, admission))
			continue;
		rc = ask(policy, admission, step);
		if (!rc)
			continue;
		tell_refused(policy, admission, step, rc);
		if (step == IOX_ADMIT_PRESERVE)
			withdraw_before(admission, policy);
		return rc;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(iox_admit);

/**
 * iox_admission_withdraw - what has been preserved is preserved no more
 * @admission: allowed, or %NULL
 *
 * Context: process context; sleeps.
 */
void iox_admission_withdraw(struct iox_admission *admission)
{
	if (!admission)
		return;
	guard(mutex)(&iox_admit_lock);
	withdraw_before(admission, NULL);
}
EXPORT_SYMBOL_GPL(iox_admission_withdraw);

/* --- who asks ---------------------------------------------------------------- */

static void describe_task(struct iox_admission *admission)
{
	scoped_guard(rcu) {
		admission->cgroup = task_dfl_cgroup(current);
		/* One that is going stays long enough to compare with. */
		cgroup_get(admission->cgroup);
	}
	admission->req.cgroup_id = cgroup_id(admission->cgroup);
	admission->req.uid = from_kuid_munged(&init_user_ns, current_euid());
	admission->req.pid = task_tgid_nr(current);
}

static void describe_file(struct iox_admit_req *req,
			  const struct liveupdate_file_op_args *args)
{
	req->token = args->token;
	strscpy(req->session, liveupdate_session_name(args->session));
	strscpy(req->abi, args->handler->compatible);
}

/**
 * iox_admission_new - begin to ask
 * @kind: what about
 * @args: what the file handler was called with; %NULL for an HWPT
 *
 * Context: of the task that wants something; sleeps.
 * Return: with all that is the same for all kinds filled in, to be given to
 * iox_admission_free(); %NULL if this kernel has no admission policies; or
 * -ENOMEM.
 */
struct iox_admission *iox_admission_new(enum iox_admit_kind kind,
					const struct liveupdate_file_op_args *args)
{
	static atomic64_t next_id = ATOMIC64_INIT(0);
	struct iox_admission *admission;

	admission = kzalloc_obj(*admission, GFP_KERNEL_ACCOUNT);
	if (!admission)
		return ERR_PTR(-ENOMEM);
	admission->req.id = atomic64_inc_return(&next_id);
	admission->req.kind = kind;
	admission->req.admission = admission;
	strscpy(admission->req.release, init_utsname()->release);
	describe_task(admission);
	if (args)
		describe_file(&admission->req, args);
	return admission;
}
EXPORT_SYMBOL_GPL(iox_admission_new);

/**
 * iox_admission_free - forget about it
 * @admission: or %NULL, or an error pointer
 */
void iox_admission_free(struct iox_admission *admission)
{
	if (IS_ERR_OR_NULL(admission))
		return;
	cgroup_put(admission->cgroup);
	kfree(admission);
}
EXPORT_SYMBOL_GPL(iox_admission_free);
