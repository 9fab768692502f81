// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kmsg.h"

int kmsg_mark(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

bool kmsg_last(int mark, const char *prefix, char *line, size_t size)
{
	char record[8192];
	bool found = false;
	ssize_t len;

	/* EPIPE: records were overwritten before we came to them. */
	while (mark >= 0) {
		char *text;

		len = read(mark, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			break;
		record[len] = 0;
		/* "level,number,time,flags;text\n", then lines of what is known about it */
		text = strchr(record, ';');
		if (!text || strncmp(text + 1, prefix, strlen(prefix)))
			continue;
		text += 1 + strlen(prefix);
		snprintf(line, size, "%.*s", (int)strcspn(text, "\n"), text);
		found = true;
	}
	if (mark >= 0)
		close(mark);
	return found;
}
