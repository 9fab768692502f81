// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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

/* --- one of our own ------------------------------------------------------- */

/* How long the kernel may take to notice that the last one has left. */
#define REMOVE_TRIES 1000
#define REMOVE_NAP_NS 1000000

static void remove_stale(const char *name)
{
	size_t len = strlen(name);
	DIR *dir = opendir(CGROUPS);
	char path[PATH_MAX];
	struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		if (strncmp(e->d_name, name, len) || e->d_name[len] != '-' ||
		    !kill(atoi(e->d_name + len + 1), 0) || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), CGROUPS "/%s", e->d_name);
		rmdir(path);
	}
	closedir(dir);
}

bool cgroup_make(const char *name, char path[PATH_MAX], __u64 *id)
{
	struct statfs fs;

	if (statfs(CGROUPS, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC) {
		msg_error(CGROUPS, "is no cgroup (v2) file system",
			  "mount -t cgroup2 none " CGROUPS);
		return false;
	}
	remove_stale(name);
	snprintf(path, PATH_MAX, CGROUPS "/%s-%d", name, getpid());
	if (mkdir(path, 0755) && errno != EEXIST) {
		msg_errno(errno, path,
			  errno == EPERM || errno == EACCES ? "run it as root" : NULL);
		return false;
	}
	return cgroup_id_of(path, id);
}

void cgroup_remove(const char *path)
{
	const struct timespec nap = { .tv_nsec = REMOVE_NAP_NS };

	for (int i = 0; i < REMOVE_TRIES && rmdir(path) && errno == EBUSY; i++)
		nanosleep(&nap, NULL);
}

int cgroup_enter(const char *path)
{
	char procs[PATH_MAX + 16];
	int fd, err = 0;

	snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}
