// SPDX-License-Identifier: GPL-2.0-only
/*
 * Event queues: what fault queues and virtual event queues have in common.
 *
 * Events come from interrupt threads and leave through a file of the queue's
 * own. The file holds the context and uses the object, so that neither goes
 * while it is open.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>

#include "core.h"

/**
 * iommufd_eventq_init - make an empty queue
 * @eventq: zeroed, but for its object
 * @ictx: where it lives
 */
void iommufd_eventq_init(struct iommufd_eventq *eventq,
			 struct iommufd_ctx *ictx)
{
	eventq->ictx = ictx;
	spin_lock_init(&eventq->lock);
	INIT_LIST_HEAD(&eventq->deliver);
	init_waitqueue_head(&eventq->wait);
}

__poll_t iommufd_eventq_poll(struct file *filep, struct poll_table_struct *wait)
{
	struct iommufd_eventq *eventq = filep->private_data;
	__poll_t ready = 0;

	poll_wait(filep, &eventq->wait, wait);
	spin_lock(&eventq->lock);
	if (!list_empty(&eventq->deliver))
		ready = EPOLLIN | EPOLLRDNORM;
	spin_unlock(&eventq->lock);
	if (filep->f_op->write)
		ready |= EPOLLOUT | EPOLLWRNORM;
	return ready;
}

int iommufd_eventq_release(struct inode *inode, struct file *filep)
{
	struct iommufd_eventq *eventq = filep->private_data;
	struct iommufd_ctx *ictx;

	/* Never published, so nothing was taken. */
	if (!eventq)
		return 0;
	ictx = eventq->ictx;
	iommufd_object_unuse(&eventq->obj);
	iommufd_ctx_put(ictx);
	return 0;
}

/**
 * iommufd_eventq_publish - hand a finished queue to user space
 * @ucmd: the call, in which all but *@out_fd is filled in
 * @cmd_len: of the kernel's structure
 * @eventq: the queue
 * @name: of the file
 * @fops: of the file, with the functions above
 * @out_fd: in ucmd->cmd
 *
 * Return: 0, or why it was not published.
 */
int iommufd_eventq_publish(struct iommufd_ucmd *ucmd, size_t cmd_len,
			   struct iommufd_eventq *eventq, const char *name,
			   const struct file_operations *fops, u32 *out_fd)
{
	struct file *filep;
	int rc;

	FD_PREPARE(fdf, O_CLOEXEC,
		   anon_inode_getfile(name, fops, NULL, O_RDWR));
	if (fdf.err)
		return fdf.err;
	*out_fd = fd_prepare_fd(fdf);
	rc = iommufd_ucmd_respond(ucmd, cmd_len);
	if (rc)
		return rc;

	filep = fd_prepare_file(fdf);
	stream_open(file_inode(filep), filep);
	filep->private_data = eventq;
	iommufd_ctx_get(eventq->ictx);
	refcount_inc(&eventq->obj.users);
	iommufd_object_publish(eventq->ictx, &eventq->obj);
	fd_publish(fdf);
	return 0;
}
