/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of admission policies have in common. */
#ifndef IOX_SELFTEST_ADMIT_H
#define IOX_SELFTEST_ADMIT_H

#include <sys/stat.h>

#include "policy.h"

/* As enum iox_admit_kind has them. */
#define KIND_HWPT 0
#define KIND_IOMMUFD 1
#define KIND_DEVICE 2

/* A value of a policy's folder in sysfs, which its map names. */
static inline const char *shown(struct bpf_map *map, const char *file)
{
	static char text[512];
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	char path[PATH_MAX];

	text[0] = '\0';
	if (bpf_map_get_info_by_fd(bpf_map__fd(map), &info, &size))
		return text;
	snprintf(path, sizeof(path), "../admit_policies/%u/%s", info.id, file);
	sysfs_read(path, text, sizeof(text));
	return text;
}

/* By what a cgroup is known */
static inline __u64 file_id(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

#endif
