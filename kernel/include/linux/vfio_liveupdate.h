/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of vfio devices in a live update: what drivers' file handlers call.
 */
#ifndef _LINUX_VFIO_LIVEUPDATE_H
#define _LINUX_VFIO_LIVEUPDATE_H

#include <linux/types.h>

struct file;
struct iommufd_ctx;
struct vfio_device;

struct vfio_device *vfio_cdev_file_device(struct file *file);
bool vfio_cdev_file_is_bound(struct file *file);
struct file *vfio_cdev_file_restore(struct vfio_device *device, struct iommufd_ctx *ictx, u32 pt_id);
void vfio_cdev_file_finish(struct file *file);

#if IS_ENABLED(CONFIG_VFIO_LIVEUPDATE)
bool vfio_device_in_session(struct vfio_device *device);
#else
static inline bool vfio_device_in_session(struct vfio_device *device)
{
	return false;
}
#endif

#endif /* _LINUX_VFIO_LIVEUPDATE_H */
