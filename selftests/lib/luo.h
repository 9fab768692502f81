/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sessions of /dev/liveupdate: what is preserved in one survives a kexec. All
 * calls return 0 (or a file descriptor) or a negative errno.
 *
 * A session lives as long as somebody has its file open. Closed before the
 * kexec, it lets go of everything as if nothing had been preserved.
 */
#ifndef IOX_SELFTEST_LUO_H
#define IOX_SELFTEST_LUO_H

#include <linux/types.h>
#include <stddef.h>

#define NEED_LUO "no live update: boot with kho=on liveupdate=on"

/* A new session, whose name no other one has; returns a file descriptor. */
int luo_create(const char *name);

/* The session of this name that the last kernel has handed over. */
int luo_retrieve(const char *name);

/* Preserves the file; @token names it within its session. */
int luo_preserve_fd(int session, int fd, __u64 token);

/* The file that was preserved as @token; who asks again gets the same one. */
int luo_retrieve_fd(int session, __u64 token);

/* All has been retrieved that ever will be: what is left is released. */
int luo_finish(int session);

/* A memfd of @length bytes that cannot shrink any more. */
int luo_memfd(size_t length);

/* What a preserved iommufd comes back with: HWPTs that are marked. */
int hwpt_mark(int iommufd, __u32 hwpt, __u64 token);
int hwpt_unmark(int iommufd, __u32 hwpt);

/* *@hwpt becomes the HWPT that is marked with @token. */
int hwpt_find(int iommufd, __u64 token, __u32 *hwpt);

/*
 * What a session would say to the iommufd; *@nr is the room in @findings before,
 * and how many there are after.
 */
struct iox_lu_finding;
int lu_check(int iommufd, struct iox_lu_finding *findings, __u32 *nr);

#endif
