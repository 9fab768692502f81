// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kmsg.h"

#define NAP_MS 5

int kmsg_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	if (lseek(fd, 0, SEEK_END) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

int kmsg_wait(int fd, const char *needle, int ms, char *text, size_t size)
{
	const struct timespec nap = { .tv_nsec = NAP_MS * 1000000 };
	char record[8192];

	for (int waited = 0; waited < ms;) {
		ssize_t n = read(fd, record, sizeof(record) - 1);
		char *body;

		if (n < 0 && errno == EAGAIN) {
			nanosleep(&nap, NULL);
			waited += NAP_MS;
			continue;
		}
		if (n < 0 && errno == EPIPE)	/* overwritten: go on */
			continue;
		if (n < 0)
			return -errno;
		record[n] = 0;
		/* "level,sequence,time,flags;TEXT\n KEY=VALUE..." */
		body = strchr(record, ';');
		if (!body || !strstr(body, needle))
			continue;
		snprintf(text, size, "%.*s", (int)strcspn(body + 1, "\n"),
			 body + 1);
		return 0;
	}
	return -ETIMEDOUT;
}
