// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "msg.h"
#include "policy_pins.h"

#define BPFFS "/sys/fs/bpf"
#define PINS BPFFS "/iox/policy"

bool policy_pins_prepare(void)
{
	static const char *const folder[] = { BPFFS "/iox", PINS };
	struct statfs fs;

	if (statfs(BPFFS, &fs) || fs.f_type != BPF_FS_MAGIC) {
		msg_error(BPFFS, "is no BPF file system", "mount -t bpf bpf " BPFFS);
		return false;
	}
	for (size_t i = 0; i < sizeof(folder) / sizeof(folder[0]); i++) {
		if (mkdir(folder[i], 0700) && errno != EEXIST) {
			msg_errno(errno, folder[i],
				  errno == EPERM || errno == EACCES ? "run it as root" : NULL);
			return false;
		}
	}
	return true;
}

/* What a policy may be called and a file there may not: with dots and slashes. */
static void make_path(char path[PATH_MAX], const char *name, __u32 map_id)
{
	size_t len = (size_t)snprintf(path, PATH_MAX, PINS "/");

	for (; *name; name++)
		path[len++] = isalnum((unsigned char)*name) || *name == '-' ? *name : '_';
	path[len] = 0;
	if (map_id)
		snprintf(path + len, PATH_MAX - len, "-%u", map_id);
}

int policy_pins_add(int link, const char *name, __u32 map_id, char path[PATH_MAX])
{
	make_path(path, name, 0);
	if (!bpf_obj_pin(link, path))
		return 0;
	if (errno != EEXIST)
		return errno;
	make_path(path, name, map_id);
	return bpf_obj_pin(link, path) ? errno : 0;
}

static bool is_link(const char *path, __u32 link_id)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_obj_get(path);
	bool found;

	if (fd < 0)
		return false;
	found = !bpf_link_get_info_by_fd(fd, &info, &len) && info.id == link_id;
	close(fd);
	return found;
}

bool policy_pins_find(__u32 link_id, char path[PATH_MAX])
{
	DIR *dir = opendir(PINS);
	bool found = false;
	struct dirent *e;

	if (!dir)
		return false;
	while (!found && (e = readdir(dir))) {
		snprintf(path, PATH_MAX, PINS "/%s", e->d_name);
		found = e->d_type == DT_REG && is_link(path, link_id);
	}
	closedir(dir);
	return found;
}

void policy_pins_rename(char path[PATH_MAX], const char *name, __u32 map_id)
{
	char to[PATH_MAX];

	make_path(to, name, 0);
	if (!strcmp(path, to))
		return;
	if (renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE)) {
		make_path(to, name, map_id);
		if (renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE))
			return;
	}
	strcpy(path, to);
}
