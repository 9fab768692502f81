// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nth.h"
#include "vfio.h"

#define DEBUGFS "/sys/kernel/debug"

static int nth_fd = -1;

static void set(const char *kind, const char *key, const char *value)
{
	char path[PATH_MAX];

	/* Not every kind has every key. */
	snprintf(path, sizeof(path), DEBUGFS "/%s/%s", kind, key);
	sysfs_write(path, value);
}

int nth_setup(void)
{
	DIR *dir = opendir(DEBUGFS);
	struct dirent *entry;

	if (!dir)
		return -EOPNOTSUPP;
	while ((entry = readdir(dir))) {
		if (strncmp(entry->d_name, "fail", 4))
			continue;
		set(entry->d_name, "verbose", "0");
		set(entry->d_name, "ignore-gfp-wait", "N");
		set(entry->d_name, "ignore-gfp-highmem", "N");
		set(entry->d_name, "min-order", "0");
	}
	closedir(dir);
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return nth_fd < 0 ? -EOPNOTSUPP : 0;
}

static int nth_write(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	return pwrite(nth_fd, text, length, 0) == length ? 0 : -errno;
}

int nth_begin(unsigned int n)
{
	return nth_write(n);
}

bool nth_end(void)
{
	char text[16] = "";
	bool failed;

	/* What has not struck yet may strike here: it copies, too. */
	failed = pread(nth_fd, text, sizeof(text) - 1, 0) > 0 &&
		 !strtoul(text, NULL, 10);
	while (nth_write(0))
		failed = false;
	return failed;
}
