// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault queues: page faults of devices, for user space to mend and answer.
 *
 * A group of faults waits in @deliver until it is read, then in @response until
 * its cookie is written back. When its device leaves the domain, it is answered
 * in user space's place.
 */
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "core.h"

static_assert((int)IOMMUFD_PAGE_RESP_SUCCESS == (int)IOMMU_PAGE_RESP_SUCCESS);
static_assert((int)IOMMUFD_PAGE_RESP_INVALID == (int)IOMMU_PAGE_RESP_INVALID);
static_assert((int)IOMMU_PGFAULT_PERM_READ == IOMMU_FAULT_PERM_READ);
static_assert((int)IOMMU_PGFAULT_PERM_WRITE == IOMMU_FAULT_PERM_WRITE);
static_assert((int)IOMMU_PGFAULT_PERM_EXEC == IOMMU_FAULT_PERM_EXEC);
static_assert((int)IOMMU_PGFAULT_PERM_PRIV == IOMMU_FAULT_PERM_PRIV);

static struct iommufd_attach_handle *handle_of(struct iopf_group *group)
{
	return container_of(group->attach_handle, struct iommufd_attach_handle,
			    handle);
}

/**
 * iommufd_fault_handle - iommu_domain.iopf_handler of HWPTs with a queue
 * @group: ours from here on
 *
 * Context: an interrupt thread.
 */
int iommufd_fault_handle(struct iopf_group *group)
{
	struct iommufd_eventq *eventq = &handle_of(group)->fault->common;

	/* The device's driver must not free what a queue still has. */
	iopf_group_dequeue(group);
	spin_lock(&eventq->lock);
	list_add_tail(&group->node, &eventq->deliver);
	spin_unlock(&eventq->lock);
	wake_up_interruptible(&eventq->wait);
	return 0;
}

static void answer(struct iopf_group *group, enum iommu_page_response_code code)
{
	iopf_group_response(group, code);
	iopf_free_group(group);
}

/**
 * iommufd_fault_drop - answer all that is left of an attachment
 * @fault: the queue
 * @handle: the attachment, which has ended: nothing can fault by it any more
 */
void iommufd_fault_drop(struct iommufd_fault *fault,
			const struct iommufd_attach_handle *handle)
{
	struct iopf_group *group, *next;
	unsigned long cookie;
	LIST_HEAD(left);

	guard(mutex)(&fault->lock);
	spin_lock(&fault->common.lock);
	list_for_each_entry_safe(group, next, &fault->common.deliver, node)
		if (handle_of(group) == handle)
			list_move_tail(&group->node, &left);
	spin_unlock(&fault->common.lock);
	list_for_each_entry_safe(group, next, &left, node)
		answer(group, IOMMU_PAGE_RESP_INVALID);

	xa_for_each(&fault->response, cookie, group)
		if (handle_of(group) == handle) {
			xa_erase(&fault->response, cookie);
			answer(group, IOMMU_PAGE_RESP_INVALID);
		}
}

void iommufd_fault_destroy(struct iommufd_object *obj)
{
	struct iommufd_fault *fault =
		container_of(obj, struct iommufd_fault, common.obj);

	/* No HWPT uses it, and each attachment has taken its faults along. */
	WARN_ON(!list_empty(&fault->common.deliver) ||
		!xa_empty(&fault->response));
	mutex_destroy(&fault->lock);
}

static struct iopf_group *take_group(struct iommufd_fault *fault, size_t room)
{
	struct iopf_group *group;

	guard(spinlock)(&fault->common.lock);
	group = list_first_entry_or_null(&fault->common.deliver,
					 struct iopf_group, node);
	if (!group)
		return NULL;
	if (group->fault_count > room / sizeof(struct iommu_hwpt_pgfault))
		return ERR_PTR(-EINVAL);
	list_del(&group->node);
	return group;
}

static void put_back_group(struct iommufd_fault *fault,
			   struct iopf_group *group)
{
	guard(spinlock)(&fault->common.lock);
	list_add(&group->node, &fault->common.deliver);
}

static void describe(struct iommu_hwpt_pgfault *out, struct iopf_group *group,
		     const struct iommu_fault_page_request *prm)
{
	*out = (struct iommu_hwpt_pgfault){
		.dev_id = handle_of(group)->idev->obj.id,
		.pasid = prm->pasid,
		.grpid = prm->grpid,
		.perm = prm->perm,
		.addr = prm->addr,
		.cookie = group->cookie,
	};
	if (prm->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID)
		out->flags |= IOMMU_PGFAULT_FLAGS_PASID_VALID;
	if (prm->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE)
		out->flags |= IOMMU_PGFAULT_FLAGS_LAST_PAGE;
}

/* Returns the bytes copied, or an errno. */
static ssize_t copy_group(char __user *buf, struct iopf_group *group)
{
	struct iommu_hwpt_pgfault out;
	struct iopf_fault *iopf;
	ssize_t done = 0;

	list_for_each_entry(iopf, &group->faults, list) {
		describe(&out, group, &iopf->fault.prm);
		if (copy_to_user(buf + done, &out, sizeof(out)))
			return -EFAULT;
		done += sizeof(out);
	}
	return done;
}

/* Returns the bytes copied, 0 when there was nothing to read, or an errno. */
static ssize_t read_group(struct iommufd_fault *fault, char __user *buf,
			  size_t room)
{
	struct iopf_group *group = take_group(fault, room);
	ssize_t done;

	if (IS_ERR_OR_NULL(group))
		return PTR_ERR(group);
	done = xa_alloc(&fault->response, &group->cookie, group, xa_limit_32b,
			GFP_KERNEL_ACCOUNT);
	if (done) {
		put_back_group(fault, group);
		return done;
	}
	done = copy_group(buf, group);
	if (done < 0) {
		xa_erase(&fault->response, group->cookie);
		put_back_group(fault, group);
	}
	return done;
}

static ssize_t fault_read(struct file *filep, char __user *buf, size_t count,
			  loff_t *ppos)
{
	struct iommufd_fault *fault =
		container_of(filep->private_data, struct iommufd_fault, common);
	size_t done = 0;
	ssize_t rc;

	if (count % sizeof(struct iommu_hwpt_pgfault))
		return -ESPIPE;
	guard(mutex)(&fault->lock);
	do {
		rc = read_group(fault, buf + done, count - done);
		if (rc > 0)
			done += rc;
	} while (rc > 0);
	return done ?: rc;
}

static int respond(struct iommufd_fault *fault, const char __user *buf)
{
	struct iommu_hwpt_page_response response;
	struct iopf_group *group;

	if (copy_from_user(&response, buf, sizeof(response)))
		return -EFAULT;
	if (response.code != IOMMUFD_PAGE_RESP_SUCCESS &&
	    response.code != IOMMUFD_PAGE_RESP_INVALID)
		return -EINVAL;
	group = xa_erase(&fault->response, response.cookie);
	if (!group)
		return -EINVAL;
	answer(group, response.code);
	return 0;
}

static ssize_t fault_write(struct file *filep, const char __user *buf,
			   size_t count, loff_t *ppos)
{
	const size_t step = sizeof(struct iommu_hwpt_page_response);
	struct iommufd_fault *fault =
		container_of(filep->private_data, struct iommufd_fault, common);
	size_t done;
	int rc = 0;

	if (count % step)
		return -ESPIPE;
	guard(mutex)(&fault->lock);
	for (done = 0; done < count; done += step) {
		rc = respond(fault, buf + done);
		if (rc)
			break;
	}
	return done ?: rc;
}

static const struct file_operations fault_fops = {
	.owner = THIS_MODULE,
	.read = fault_read,
	.write = fault_write,
	.poll = iommufd_eventq_poll,
	.release = iommufd_eventq_release,
};

int iommufd_fault_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_fault_alloc *cmd = ucmd->cmd;
	struct iommufd_fault *fault;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	fault = iommufd_new(ucmd->ictx, fault, common.obj, IOMMUFD_OBJ_FAULT);
	if (IS_ERR(fault))
		return PTR_ERR(fault);
	iommufd_eventq_init(&fault->common, ucmd->ictx);
	mutex_init(&fault->lock);
	xa_init_flags(&fault->response, XA_FLAGS_ALLOC1);

	cmd->out_fault_id = fault->common.obj.id;
	rc = iommufd_eventq_publish(ucmd, sizeof(*cmd), &fault->common,
				    "[iommufd-fault]", &fault_fops,
				    &cmd->out_fault_fd);
	if (rc) {
		mutex_destroy(&fault->lock);
		iommufd_object_abort(ucmd->ictx, &fault->common.obj);
	}
	return rc;
}
