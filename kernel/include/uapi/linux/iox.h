/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What iox adds to the ioctls of /dev/iommu in <linux/iommufd.h>. The same rules hold: every structure begins with its
 * size, what is reserved is zero, an unknown flag is -EOPNOTSUPP. Numbers begin at 0xC0, flags at bit 31 downwards.
 */
#ifndef _UAPI_LINUX_IOX_H
#define _UAPI_LINUX_IOX_H

#include <linux/iommufd.h>
#include <linux/ioctl.h>
#include <linux/types.h>

enum {
	IOX_CMD_BASE = 0xc0,
	IOX_CMD_HWPT_LU_MARK_PRESERVE = IOX_CMD_BASE,
};

/**
 * enum iox_lu_flags - Flags of struct iommu_hwpt_lu_mark_preserve
 * @IOX_LU_UNMARK: Take the mark off; hwpt_token has to be 0
 * @IOX_LU_FIND: Change nothing; answer in hwpt_id which HWPT has hwpt_token. So a program learns the ids of the HWPTs
 *               that an iommufd came back with. hwpt_id has to be 0
 */
enum iox_lu_flags {
	IOX_LU_UNMARK = 1U << 31,
	IOX_LU_FIND = 1U << 30,
};

/**
 * struct iommu_hwpt_lu_mark_preserve - ioctl(IOMMU_HWPT_LU_MARK_PRESERVE)
 * @size: sizeof(struct iommu_hwpt_lu_mark_preserve)
 * @hwpt_id: A paging HWPT
 * @hwpt_token: What it will be known by after the live update; one HWPT of this file can have it
 * @flags: At most one of enum iox_lu_flags
 * @__reserved: Must be 0
 *
 * Have a live update that preserves this file preserve the HWPT: its page tables, and DMA that goes through them. A mark
 * moves when the HWPT is marked again with another token, and goes with the HWPT.
 *
 * When the file is preserved, all that the HWPT's IOAS maps must be of memfds that are sealed against shrinking and
 * preserved in the same session before. As long as it is, neither the marks nor the mappings nor the attachments of
 * preserved devices can be changed: -EBUSY.
 *
 * After the live update, the HWPT comes back with its mark and without an IOAS.
 *
 * Return: 0; -ENOENT no such HWPT, no such token (IOX_LU_FIND), or no mark (IOX_LU_UNMARK); -EADDRINUSE another HWPT has
 * this token; -EBUSY the file is preserved; -EINVAL more than one flag; -EOPNOTSUPP a nested HWPT, one that is made for
 * nesting or that reports page faults, or a kernel without live update.
 */
struct iommu_hwpt_lu_mark_preserve {
	__u32 size;
	__u32 hwpt_id;
	__aligned_u64 hwpt_token;
	__u32 flags;
	__u32 __reserved;
};
#define IOMMU_HWPT_LU_MARK_PRESERVE _IO(IOMMUFD_TYPE, IOX_CMD_HWPT_LU_MARK_PRESERVE)

#endif /* _UAPI_LINUX_IOX_H */
