// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/iox.h>
#include <linux/liveupdate.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "iommufd.h"
#include "luo.h"

static int open_device(void)
{
	int fd = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int luo_create(const char *name)
{
	struct liveupdate_ioctl_create_session cmd = { .size = sizeof(cmd) };
	int fd, err;

	if (strlen(name) >= sizeof(cmd.name))
		return -ENAMETOOLONG;
	strcpy((char *)cmd.name, name);
	fd = open_device();
	if (fd < 0)
		return fd;
	err = xioctl(fd, LIVEUPDATE_IOCTL_CREATE_SESSION, &cmd);
	close(fd);
	return err ?: cmd.fd;
}

int luo_retrieve(const char *name)
{
	struct liveupdate_ioctl_retrieve_session cmd = { .size = sizeof(cmd) };
	int fd, err;

	if (strlen(name) >= sizeof(cmd.name))
		return -ENAMETOOLONG;
	strcpy((char *)cmd.name, name);
	fd = open_device();
	if (fd < 0)
		return fd;
	err = xioctl(fd, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &cmd);
	close(fd);
	return err ?: cmd.fd;
}

int luo_preserve_fd(int session, int fd, __u64 token)
{
	struct liveupdate_session_preserve_fd cmd = {
		.size = sizeof(cmd),
		.fd = fd,
		.token = token,
	};

	return xioctl(session, LIVEUPDATE_SESSION_PRESERVE_FD, &cmd);
}

int luo_retrieve_fd(int session, __u64 token)
{
	struct liveupdate_session_retrieve_fd cmd = {
		.size = sizeof(cmd),
		.token = token,
	};

	return xioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &cmd) ?: cmd.fd;
}

int luo_finish(int session)
{
	struct liveupdate_session_finish cmd = { .size = sizeof(cmd) };

	return xioctl(session, LIVEUPDATE_SESSION_FINISH, &cmd);
}

int luo_memfd(size_t length)
{
	int fd = memfd_create("live update", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, length) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int mark(int iommufd, __u32 *hwpt, __u64 token, __u32 flags)
{
	struct iommu_hwpt_lu_mark_preserve cmd = {
		.size = sizeof(cmd),
		.hwpt_id = *hwpt,
		.hwpt_token = token,
		.flags = flags,
	};
	int err = xioctl(iommufd, IOMMU_HWPT_LU_MARK_PRESERVE, &cmd);

	*hwpt = cmd.hwpt_id;
	return err;
}

int hwpt_mark(int iommufd, __u32 hwpt, __u64 token)
{
	return mark(iommufd, &hwpt, token, 0);
}

int hwpt_unmark(int iommufd, __u32 hwpt)
{
	return mark(iommufd, &hwpt, 0, IOX_LU_UNMARK);
}

int hwpt_find(int iommufd, __u64 token, __u32 *hwpt)
{
	*hwpt = 0;
	return mark(iommufd, hwpt, token, IOX_LU_FIND);
}

int lu_check(int iommufd, struct iox_lu_finding *findings, __u32 *nr)
{
	struct iox_lu_check cmd = {
		.size = sizeof(cmd),
		.nr = *nr,
		.findings_uptr = (uintptr_t)findings,
	};
	int err = xioctl(iommufd, IOX_LU_CHECK, &cmd);

	*nr = cmd.nr;
	return err;
}
