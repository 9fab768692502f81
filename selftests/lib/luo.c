// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/liveupdate.h>
#include <string.h>
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
