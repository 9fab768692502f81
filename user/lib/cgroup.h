/* SPDX-License-Identifier: GPL-2.0 */
/* Cgroups (v2) by path and by id. */
#ifndef IOX_LIB_CGROUP_H
#define IOX_LIB_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <linux/types.h>

/* The id of the cgroup at @path. False if there is none, with the message given. */
bool cgroup_id_of(const char *path, __u64 *id);

/* Where cgroup @id is; false if it is gone, or not to be seen from here. */
bool cgroup_path_of(__u64 id, char path[PATH_MAX]);

#endif
