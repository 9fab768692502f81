// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cgroup.h"
#include "msg.h"

#define CGROUPS "/sys/fs/cgroup"
/* A kind of handle that has not reached the C library's headers: 64 bits, the id. */
#define HANDLE_OF_CGROUP 0xfe

bool cgroup_id_of(const char *path, __u64 *id)
{
	struct statfs fs;
	struct stat st;

	if (stat(path, &st) || statfs(path, &fs)) {
		msg_errno(errno, path, "name a cgroup's folder below " CGROUPS);
		return false;
	}
	if (!S_ISDIR(st.st_mode) || fs.f_type != CGROUP2_SUPER_MAGIC) {
		msg_error(path, "is no cgroup (v2)", "name a cgroup's folder below " CGROUPS);
		return false;
	}
	*id = st.st_ino;
	return true;
}

static int open_by_id(__u64 id)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} u = {};
	int mount = open(CGROUPS, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	if (mount < 0)
		return -1;
	u.handle.handle_bytes = sizeof(id);
	u.handle.handle_type = HANDLE_OF_CGROUP;
	memcpy(u.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(mount, &u.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(mount);
	return fd;
}

bool cgroup_path_of(__u64 id, char path[PATH_MAX])
{
	int fd = open_by_id(id);
	char link[32];
	ssize_t len;

	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, PATH_MAX - 1);
	close(fd);
	if (len <= 0)
		return false;
	path[len] = 0;
	return true;
}
