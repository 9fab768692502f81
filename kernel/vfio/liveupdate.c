// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of vfio devices in a live update: telling which they are, and making one
 * for a device that was never closed.
 */
#include <linux/anon_inodes.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <linux/vfio_liveupdate.h>

#include "vfio.h"

/**
 * vfio_cdev_file_device - the device whose character device a file is
 * @file: any file
 *
 * Return: the device, which lives as long as the file; or %NULL, also for files
 * of groups and of devices in them.
 */
struct vfio_device *vfio_cdev_file_device(struct file *file)
{
	struct vfio_device_file *df = file->private_data;

	if (file->f_op != &vfio_device_fops || df->group)
		return NULL;
	return df->device;
}
EXPORT_SYMBOL_GPL(vfio_cdev_file_device);

/**
 * vfio_cdev_file_is_bound - has a file bound its device to an iommufd?
 * @file: vfio_cdev_file_device() knows its device
 */
bool vfio_cdev_file_is_bound(struct file *file)
{
	struct vfio_device_file *df = file->private_data;

	/* Paired with smp_store_release() where it becomes so */
	return smp_load_acquire(&df->access_granted);
}
EXPORT_SYMBOL_GPL(vfio_cdev_file_is_bound);

/* What opening, binding and attaching do when user space asks for them */
static int open_attached(struct vfio_device_file *df, u32 pt_id)
{
	struct vfio_device *device = df->device;
	int rc;

	lockdep_assert_held(&device->dev_set->lock);

	rc = vfio_df_open(df);
	if (rc)
		return rc;
	rc = device->ops->attach_ioas(device, &pt_id);
	if (rc) {
		vfio_df_close(df);
		return rc;
	}
	device->cdev_opened = true;
	WRITE_ONCE(device->in_session, true);
	/* Paired with smp_load_acquire() in vfio_device_fops' functions */
	smp_store_release(&df->access_granted, true);
	return 0;
}

static int grant_access(struct vfio_device_file *df, struct iommufd_ctx *ictx,
			u32 pt_id)
{
	struct vfio_device *device = df->device;
	int rc;

	rc = vfio_device_block_group(device);
	if (rc)
		return rc;
	scoped_guard(mutex, &device->dev_set->lock) {
		iommufd_ctx_get(ictx);
		df->iommufd = ictx;
		rc = open_attached(df, pt_id);
		if (rc) {
			df->iommufd = NULL;
			iommufd_ctx_put(ictx);
		}
	}
	if (rc)
		vfio_device_unblock_group(device);
	return rc;
}

static struct file *new_file(struct vfio_device *device)
{
	struct vfio_device_file *df = vfio_allocate_device_file(device);
	struct file *file;

	if (IS_ERR(df))
		return ERR_CAST(df);
	file = anon_inode_getfile_fmode("[vfio-device]", &vfio_device_fops, df,
					O_RDWR, FMODE_PREAD | FMODE_PWRITE);
	if (IS_ERR(file)) {
		kfree(df);
		return file;
	}
	/* So that all mappings of the device are found together */
	file->f_mapping = device->inode->i_mapping;
	return file;
}

/**
 * vfio_cdev_file_restore - a file of a device that is running already
 * @device: not open
 * @ictx: what it is bound to
 * @pt_id: the HWPT there that it is attached to
 *
 * Nobody else can open the device until vfio_cdev_file_finish().
 *
 * Context: sleeps.
 * Return: the file, as if user space had opened the character device, bound and
 * attached it; -ENODEV the driver is leaving; -EBUSY the group is open; or an
 * errno of binding, opening or attaching.
 */
struct file *vfio_cdev_file_restore(struct vfio_device *device,
				    struct iommufd_ctx *ictx, u32 pt_id)
{
	struct file *file;
	int rc;

	if (!vfio_device_try_get_registration(device))
		return ERR_PTR(-ENODEV);
	file = new_file(device);
	if (IS_ERR(file)) {
		vfio_device_put_registration(device);
		return file;
	}
	/* From here on, the file has the registration. */
	rc = grant_access(file->private_data, ictx, pt_id);
	if (rc) {
		fput(file);
		return ERR_PTR(rc);
	}
	return file;
}
EXPORT_SYMBOL_GPL(vfio_cdev_file_restore);

/**
 * vfio_cdev_file_finish - the session that brought a file back is finished
 * @file: from vfio_cdev_file_restore()
 */
void vfio_cdev_file_finish(struct file *file)
{
	WRITE_ONCE(vfio_cdev_file_device(file)->in_session, false);
}
EXPORT_SYMBOL_GPL(vfio_cdev_file_finish);

/**
 * vfio_device_in_session - does a device belong to a live update session?
 * @device: whether it has been retrieved from it or not
 */
bool vfio_device_in_session(struct vfio_device *device)
{
	return READ_ONCE(device->in_session) ||
	       iommu_device_is_restored(device->dev);
}
