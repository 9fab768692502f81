// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fds.h"
#include "msg.h"
#include "proc_files.h"

#define SYSPATH "vfio-device-syspath:"

static void say(pid_t pid, int err)
{
	char what[32];

	snprintf(what, sizeof(what), "process %d", pid);
	if (err == ENOENT || err == ESRCH)
		msg_error(what, "there is none", NULL);
	else if (err == EACCES || err == EPERM)
		msg_errno(err, what, "run it as root");
	else
		msg_errno(err, what, NULL);
}

/* The place in sysfs of the vfio device that a descriptor is for, or an empty string. */
static void read_device(pid_t pid, int fd, char device[PROC_NAME_LEN])
{
	char path[64], line[PROC_NAME_LEN + 32];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, SYSPATH " %255s", device) == 1)
			break;
	if (f)
		fclose(f);
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* What a descriptor is: 1 known, 0 none of ours or closed meanwhile, or a negative errno. */
static int recognize(pid_t pid, int fd, struct proc_file *f)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	length = readlink(path, f->link, sizeof(f->link) - 1);
	if (length < 0)
		return errno == ENOENT ? 0 : -errno;
	f->link[length] = 0;
	/* The second is one that came over a live update. */
	if (begins(f->link, "/memfd:") || !strcmp(f->link, "/ (deleted)"))
		f->kind = PROC_MEMFD;
	else if (!strcmp(f->link, "/dev/iommu") || !strcmp(f->link, "anon_inode:[iommufd]"))
		f->kind = PROC_IOMMUFD;
	else if (begins(f->link, "/dev/vfio/devices/") ||
		 !strcmp(f->link, "anon_inode:[vfio-device]"))
		f->kind = PROC_DEVICE;
	else if (begins(f->link, "/dev/vfio/"))
		f->kind = PROC_GROUP;
	else
		return 0;
	if (f->kind == PROC_DEVICE)
		read_device(pid, fd, f->device);
	return 1;
}

/* Each memfd has an inode of its own, while all of /dev/iommu share one. */
static bool is_same(const struct proc_file *a, const struct proc_file *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == PROC_MEMFD)
		return a->dev == b->dev && a->ino == b->ino;
	return fds_same_file(a->fd, b->fd);
}

static struct proc_file *find_same(struct proc_files *files, const struct proc_file *f)
{
	for (size_t i = 0; i < files->nr; i++)
		if (is_same(&files->list[i], f))
			return &files->list[i];
	return NULL;
}

static int add(struct proc_files *files, struct proc_file *f)
{
	struct proc_file *same = find_same(files, f);
	struct proc_file *list;

	if (same) {
		close(f->fd);
		if (same->nr_fds < PROC_MAX_FDS)
			same->fds[same->nr_fds++] = f->fds[0];
		return 0;
	}
	list = reallocarray(files->list, files->nr + 1, sizeof(*list));
	if (!list) {
		close(f->fd);
		return -ENOMEM;
	}
	files->list = list;
	list[files->nr++] = *f;
	return 0;
}

/* A descriptor that is closed meanwhile is none. */
static int take(pid_t pid, int fd, struct proc_files *files)
{
	struct proc_file f = { .fds = { fd }, .nr_fds = 1 };
	int known = recognize(pid, fd, &f);
	struct stat st;

	if (known <= 0)
		return known;
	f.fd = fds_of_process(pid, fd);
	if (f.fd == -EBADF)
		return 0;
	if (f.fd < 0)
		return f.fd;
	if (f.kind == PROC_MEMFD && fcntl(f.fd, F_GET_SEALS) < 0) {
		close(f.fd);
		return 0;
	}
	if (!fstat(f.fd, &st)) {
		f.dev = st.st_dev;
		f.ino = st.st_ino;
		f.size = st.st_size;
	}
	return add(files, &f);
}

static int by_number(const struct dirent **a, const struct dirent **b)
{
	return atoi((*a)->d_name) - atoi((*b)->d_name);
}

static int is_number(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

bool proc_files_read(pid_t pid, struct proc_files *files)
{
	struct dirent **entries;
	int err = 0, nr;
	char path[32];

	*files = (struct proc_files){};
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	nr = scandir(path, &entries, is_number, by_number);
	if (nr < 0) {
		say(pid, errno);
		return false;
	}
	for (int i = 0; i < nr; i++) {
		if (!err)
			err = take(pid, atoi(entries[i]->d_name), files);
		free(entries[i]);
	}
	free(entries);
	if (!err)
		return true;
	say(pid, -err);
	proc_files_free(files);
	return false;
}

void proc_files_free(struct proc_files *files)
{
	for (size_t i = 0; i < files->nr; i++)
		close(files->list[i].fd);
	free(files->list);
	*files = (struct proc_files){};
}
