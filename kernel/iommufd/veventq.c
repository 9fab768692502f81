// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual event queues: what a virtual IOMMU has to tell its virtual machine.
 *
 * Drivers put events in by iommufd_viommu_report_event(), which is built in
 * (driver.c). Here is how they get out.
 */
#include <linux/fs.h>
#include <linux/slab.h>

#include "core.h"

#define DEPTH_MAX BIT(19)

/*
 * Take the oldest event out. The mark of lost events stays in its queue's
 * memory and may be put in again at any moment, so a copy is made of it.
 */
static struct iommufd_vevent *take_event(struct iommufd_veventq *veventq,
					 size_t room,
					 struct iommufd_vevent *lost)
{
	struct iommufd_eventq *eventq = &veventq->common;
	struct iommufd_vevent *event;

	guard(spinlock)(&eventq->lock);
	event = list_first_entry_or_null(&eventq->deliver,
					 struct iommufd_vevent, node);
	if (!event)
		return NULL;
	if (sizeof(event->header) + event->data_len > room)
		return ERR_PTR(-EINVAL);
	list_del_init(&event->node);
	if (event == &veventq->lost) {
		lost->header = event->header;
		return lost;
	}
	veventq->nr_events--;
	return event;
}

static void put_back_event(struct iommufd_veventq *veventq,
			   struct iommufd_vevent *event,
			   const struct iommufd_vevent *lost)
{
	struct iommufd_eventq *eventq = &veventq->common;

	guard(spinlock)(&eventq->lock);
	if (event != lost) {
		list_add(&event->node, &eventq->deliver);
		veventq->nr_events++;
	} else if (list_empty(&eventq->deliver)) {
		list_add(&veventq->lost.node, &eventq->deliver);
	}
}

/* Returns the bytes copied, 0 when there was nothing to read, or an errno. */
static ssize_t read_event(struct iommufd_veventq *veventq, char __user *buf,
			  size_t room)
{
	struct iommufd_vevent lost = {};
	struct iommufd_vevent *event = take_event(veventq, room, &lost);
	size_t done;

	if (IS_ERR_OR_NULL(event))
		return PTR_ERR(event);
	done = sizeof(event->header) + event->data_len;
	if (copy_to_user(buf, &event->header, sizeof(event->header)) ||
	    copy_to_user(buf + sizeof(event->header), event->data,
			 event->data_len)) {
		put_back_event(veventq, event, &lost);
		return -EFAULT;
	}
	if (event != &lost)
		kfree(event);
	return done;
}

static ssize_t veventq_read(struct file *filep, char __user *buf, size_t count,
			    loff_t *ppos)
{
	struct iommufd_veventq *veventq =
		container_of(filep->private_data, struct iommufd_veventq,
			     common);
	size_t done = 0;
	ssize_t rc;

	if (count < sizeof(struct iommufd_vevent_header))
		return -EINVAL;
	do {
		rc = read_event(veventq, buf + done, count - done);
		if (rc > 0)
			done += rc;
	} while (rc > 0);
	return done ?: rc;
}

static const struct file_operations veventq_fops = {
	.owner = THIS_MODULE,
	.read = veventq_read,
	.poll = iommufd_eventq_poll,
	.release = iommufd_eventq_release,
};

static bool has_type(struct iommufd_viommu *viommu, enum iommu_veventq_type type)
{
	struct iommufd_veventq *veventq;

	list_for_each_entry(veventq, &viommu->veventqs, node)
		if (veventq->type == type)
			return true;
	return false;
}

static struct iommufd_veventq *
veventq_new(struct iommufd_ctx *ictx, struct iommufd_viommu *viommu,
	    const struct iommu_veventq_alloc *cmd)
{
	struct iommufd_veventq *veventq;

	veventq = iommufd_new(ictx, veventq, common.obj, IOMMUFD_OBJ_VEVENTQ);
	if (IS_ERR(veventq))
		return veventq;
	iommufd_eventq_init(&veventq->common, ictx);
	veventq->viommu = viommu;
	veventq->type = cmd->type;
	veventq->depth = cmd->veventq_depth;
	veventq->lost.header.flags = IOMMU_VEVENTQ_FLAG_LOST_EVENTS;
	INIT_LIST_HEAD(&veventq->lost.node);
	return veventq;
}

static int new_veventq(struct iommufd_ucmd *ucmd, struct iommufd_viommu *viommu)
{
	struct iommu_veventq_alloc *cmd = ucmd->cmd;
	struct iommufd_veventq *veventq;
	int rc;

	guard(rwsem_write)(&viommu->veventqs_rwsem);
	if (has_type(viommu, cmd->type))
		return -EEXIST;
	veventq = veventq_new(ucmd->ictx, viommu, cmd);
	if (IS_ERR(veventq))
		return PTR_ERR(veventq);
	/* The caller holds the vIOMMU, so it is alive. */
	WARN_ON(!iommufd_object_use(&viommu->obj));
	list_add_tail(&veventq->node, &viommu->veventqs);

	cmd->out_veventq_id = veventq->common.obj.id;
	rc = iommufd_eventq_publish(ucmd, sizeof(*cmd), &veventq->common,
				    "[iommufd-viommu-event]", &veventq_fops,
				    &cmd->out_veventq_fd);
	if (rc) {
		list_del(&veventq->node);
		iommufd_object_unuse(&viommu->obj);
		iommufd_object_abort(ucmd->ictx, &veventq->common.obj);
	}
	return rc;
}

int iommufd_veventq_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_veventq_alloc *cmd = ucmd->cmd;
	struct iommufd_viommu *viommu;
	int rc;

	if (cmd->flags || cmd->__reserved ||
	    cmd->type == IOMMU_VEVENTQ_TYPE_DEFAULT)
		return -EOPNOTSUPP;
	if (!cmd->veventq_depth || cmd->veventq_depth > DEPTH_MAX)
		return -EINVAL;
	viommu = iommufd_viommu_lookup(ucmd->ictx, cmd->viommu_id);
	if (IS_ERR(viommu))
		return PTR_ERR(viommu);
	rc = new_veventq(ucmd, viommu);
	iommufd_object_put(ucmd->ictx, &viommu->obj);
	return rc;
}

void iommufd_veventq_destroy(struct iommufd_object *obj)
{
	struct iommufd_veventq *veventq =
		container_of(obj, struct iommufd_veventq, common.obj);
	struct iommufd_vevent *event, *next;

	scoped_guard(rwsem_write, &veventq->viommu->veventqs_rwsem)
		list_del(&veventq->node);
	list_for_each_entry_safe(event, next, &veventq->common.deliver, node)
		if (event != &veventq->lost)
			kfree(event);
	iommufd_object_unuse(&veventq->viommu->obj);
}
