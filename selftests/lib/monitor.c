// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "monitor.h"

#define PORTS "/sys/class/virtio-ports"
#define NAME "iox-monitor\n"
#define ANSWER_MS 10000

static bool port_is_monitor(const char *port)
{
	char path[PATH_MAX], name[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), PORTS "/%s/name", port);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(name, sizeof(name), f))
		name[0] = 0;
	fclose(f);
	return !strcmp(name, NAME);
}

int monitor_open(void)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int fd = -ENODEV;
	DIR *dir = opendir(PORTS);

	if (!dir)
		return -ENODEV;
	while (fd == -ENODEV && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !port_is_monitor(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	closedir(dir);
	return fd;
}

/* Reads one line of what QEMU says. */
static int read_line(int fd, char *line, size_t size)
{
	struct pollfd poller = { .fd = fd, .events = POLLIN };
	size_t length = 0;

	while (length + 1 < size) {
		if (poll(&poller, 1, ANSWER_MS) != 1)
			return -ETIMEDOUT;
		if (read(fd, line + length, 1) != 1)
			return -EIO;
		if (line[length] == '\n') {
			line[length] = 0;
			return 0;
		}
		length++;
	}
	return -EMSGSIZE;
}

/* Makes a call and gives the line that answers it, not one before. */
static int call(int fd, const char *execute, const char *arguments,
		char *answer, size_t size)
{
	static unsigned int serial;
	char line[1024], id[64];
	int length, err;

	snprintf(id, sizeof(id), "\"id\": \"%d-%u\"", getpid(), serial++);
	length = snprintf(line, sizeof(line),
			  "{\"execute\": \"%s\", \"arguments\": {%s}, %s}\n",
			  execute, arguments, id);
	if (write(fd, line, length) != length)
		return -EIO;
	do
		err = read_line(fd, answer, size);
	while (!err && !strstr(answer, id));
	return err;
}

int monitor_do(int fd, const char *command)
{
	char arguments[512], answer[4096];
	int err;

	/* Whoever came before may have done this; then it is an error to ignore. */
	err = call(fd, "qmp_capabilities", "", answer, sizeof(answer));
	if (err)
		return err;
	snprintf(arguments, sizeof(arguments), "\"command-line\": \"%s\"",
		 command);
	err = call(fd, "human-monitor-command", arguments, answer,
		   sizeof(answer));
	if (err || strstr(answer, "\"return\": \"\""))
		return err;
	fprintf(stderr, "QEMU says to \"%s\": %s\n", command, answer);
	return -EIO;
}
