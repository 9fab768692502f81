/* SPDX-License-Identifier: GPL-2.0 */
/* Those files of a process that have to do with devices' memory: memfds, iommufds, vfio. */
#ifndef IOX_PROC_FILES_H
#define IOX_PROC_FILES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum proc_file_kind {
	PROC_MEMFD,
	PROC_IOMMUFD,
	PROC_DEVICE,	/* a vfio device, by its own character device or by its group */
	PROC_GROUP,	/* a vfio group, or vfio's container */
};

#define PROC_MAX_FDS 8
#define PROC_NAME_LEN 256

/* An open file, which several descriptors may be for. */
struct proc_file {
	enum proc_file_kind kind;
	int fds[PROC_MAX_FDS];		/* the first of them, in the process */
	int nr_fds;
	int fd;				/* ours */
	char link[PROC_NAME_LEN];	/* what /proc says that it is */
	char device[PROC_NAME_LEN];	/* where a device is in sysfs */
	__u64 dev, ino, size;
};

struct proc_files {
	struct proc_file *list;
	size_t nr;
};

/* False: a message has been given. */
bool proc_files_read(pid_t pid, struct proc_files *files);
void proc_files_free(struct proc_files *files);

#endif
