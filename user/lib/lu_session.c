// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/liveupdate.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lu_session.h"

#define TRIES 20
#define TRY_US 100000

static int call(int fd, unsigned long number, void *arg)
{
	return ioctl(fd, number, arg) < 0 ? -errno : 0;
}

static int open_device(void)
{
	int fd;

	for (int i = 0; i < TRIES; i++) {
		fd = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != EBUSY)
			break;
		usleep(TRY_US);
	}
	return -errno;
}

bool lu_session_name_fits(const char *name)
{
	return *name && strlen(name) < LIVEUPDATE_SESSION_NAME_LENGTH && !strchr(name, '\n');
}

int lu_session_create(const char *name)
{
	struct liveupdate_ioctl_create_session cmd = { .size = sizeof(cmd) };
	int fd = open_device(), err;

	if (fd < 0)
		return fd;
	strncpy((char *)cmd.name, name, sizeof(cmd.name) - 1);
	err = call(fd, LIVEUPDATE_IOCTL_CREATE_SESSION, &cmd);
	close(fd);
	return err ?: cmd.fd;
}

int lu_session_retrieve(const char *name)
{
	struct liveupdate_ioctl_retrieve_session cmd = { .size = sizeof(cmd) };
	int fd = open_device(), err;

	if (fd < 0)
		return fd;
	strncpy((char *)cmd.name, name, sizeof(cmd.name) - 1);
	err = call(fd, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &cmd);
	close(fd);
	return err ?: cmd.fd;
}

int lu_session_read_incoming(void)
{
	int fd = open_device();

	return fd < 0 ? fd : close(fd);
}

bool lu_session_is(int fd, const char *name)
{
	struct liveupdate_session_get_name cmd = { .size = sizeof(cmd) };

	return !call(fd, LIVEUPDATE_SESSION_GET_NAME, &cmd) &&
	       !strncmp((char *)cmd.name, name, sizeof(cmd.name));
}

int lu_session_preserve(int session, int fd, __u64 token)
{
	struct liveupdate_session_preserve_fd cmd = {
		.size = sizeof(cmd),
		.fd = fd,
		.token = token,
	};

	return call(session, LIVEUPDATE_SESSION_PRESERVE_FD, &cmd);
}

int lu_session_get_file(int session, __u64 token)
{
	struct liveupdate_session_retrieve_fd cmd = { .size = sizeof(cmd), .token = token };

	return call(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &cmd) ?: cmd.fd;
}

int lu_session_finish(int session)
{
	struct liveupdate_session_finish cmd = { .size = sizeof(cmd) };

	return call(session, LIVEUPDATE_SESSION_FINISH, &cmd);
}
