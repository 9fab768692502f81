/* SPDX-License-Identifier: GPL-2.0 */
/* Cgroups (v2) by path and by id, and one of our own. */
#ifndef IOX_LIB_CGROUP_H
#define IOX_LIB_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <linux/types.h>

/* The id of the cgroup at @path. False if there is none, with the message given. */
bool cgroup_id_of(const char *path, __u64 *id);

/* Where cgroup @id is; false if it is gone, or not to be seen from here. */
bool cgroup_path_of(__u64 id, char path[PATH_MAX]);

/*
 * Makes a cgroup at the root, NAME-PID, and removes what others of that name have left that are no
 * more. False with the message given.
 */
bool cgroup_make(const char *name, char path[PATH_MAX], __u64 *id);

/* When nobody is in it any more, or somebody is just leaving. */
void cgroup_remove(const char *path);

/* The caller goes there. 0 or a negative errno. */
int cgroup_enter(const char *path);

#endif
