// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "fds.h"
#include "msg.h"

/* The C library's fcntl.h may be older than it. */
#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY (1024 + 3)
#endif

/* --- passed by a service manager ------------------------------------------ */

bool fds_take_passed(struct fds_passed *passed)
{
	*passed = (struct fds_passed){};
	passed->nr = sd_listen_fds_with_names(true, &passed->names);
	if (passed->nr >= 0)
		return true;
	msg_errno(passed->nr, "LISTEN_FDS", "start it as the service manager does");
	return false;
}

void fds_free_passed(struct fds_passed *passed)
{
	for (int i = 0; i < passed->nr; i++)
		free(passed->names[i]);
	free(passed->names);
}

/* --- finding one ---------------------------------------------------------- */

int fds_of_process(pid_t pid, int fd)
{
	int process = pidfd_open(pid, 0), err, got;

	if (process < 0)
		return -errno;
	got = pidfd_getfd(process, fd, 0);
	err = errno;
	close(process);
	return got < 0 ? -err : got;
}

bool fds_same_file(int a, int b)
{
	return fcntl(a, F_DUPFD_QUERY, b) == 1;
}

static bool parse_int(const char **text, char end, int *value)
{
	char *stop;
	long n;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	n = strtol(*text, &stop, 10);
	if (errno || n > INT_MAX || *stop != end)
		return false;
	*value = n;
	*text = stop + 1;
	return true;
}

static bool parse_prefix(const char **text, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(*text, prefix, length))
		return false;
	*text += length;
	return true;
}

/* One that is ours and one that is of no use to others are told apart by @pid: 0 is ours. */
static bool parse_numbers(const char *spec, int *pid, int *fd)
{
	*pid = 0;
	if (parse_prefix(&spec, "fd:"))
		return parse_int(&spec, 0, fd);
	return parse_prefix(&spec, "pid:") && parse_int(&spec, ':', pid) && *pid &&
	       parse_int(&spec, 0, fd);
}

bool fds_spec_is_valid(const char *spec)
{
	int pid, fd;

	if (parse_numbers(spec, &pid, &fd))
		return true;
	return parse_prefix(&spec, "fdname:") && fds_name_is_valid(spec);
}

static int find_name(const char *name, const struct fds_passed *passed, const char *what)
{
	int found = -1;

	for (int i = 0; i < passed->nr; i++) {
		if (strcmp(passed->names[i], name))
			continue;
		if (found >= 0) {
			msg_error(what, "several descriptors have this name",
				  "say which one by its number, fd:N");
			return -1;
		}
		found = SD_LISTEN_FDS_START + i;
	}
	if (found < 0)
		msg_error(what, "no descriptor of this name was passed",
			  "see LISTEN_FDNAMES in sd_listen_fds(3)");
	return found;
}

static int find_number(int pid, int fd, const char *what)
{
	int got;

	if (!pid) {
		if (fcntl(fd, F_GETFD) >= 0)
			return fd;
		msg_errno(errno, what, "have it inherited, without FD_CLOEXEC");
		return -1;
	}
	got = fds_of_process(pid, fd);
	if (got < 0)
		msg_errno(got, what, got == -EPERM ? "run it as root" : NULL);
	return got;
}

int fds_find(const char *spec, const struct fds_passed *passed, const char *what)
{
	int pid, fd;

	if (parse_numbers(spec, &pid, &fd))
		return find_number(pid, fd, what);
	return find_name(spec + strlen("fdname:"), passed, what);
}

bool fds_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == ':')
			return false;
	return length && length <= 255;
}

/* --- for a command -------------------------------------------------------- */

static bool is_executable(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

static bool is_in_path(const char *command)
{
	char *dirs = strdup(getenv("PATH") ?: "/usr/bin:/bin"), *rest = dirs, *dir;
	char path[PATH_MAX];
	bool found = false;

	while (!found && (dir = strsep(&rest, ":"))) {
		snprintf(path, sizeof(path), "%s/%s", *dir ? dir : ".", command);
		found = is_executable(path);
	}
	free(dirs);
	return found;
}

bool fds_command_exists(const char *command)
{
	if (strchr(command, '/') ? is_executable(command) : is_in_path(command))
		return true;
	msg_error(command, "cannot be executed", NULL);
	return false;
}

/* First away from where they will be, so that none overwrites another. */
static int move_up(const struct fds_named *files, int nr, int *moved)
{
	for (int i = 0; i < nr; i++) {
		moved[i] = fcntl(files[i].fd, F_DUPFD_CLOEXEC, SD_LISTEN_FDS_START + nr);
		if (moved[i] < 0)
			return errno;
	}
	return 0;
}

static int set_environment(const struct fds_named *files, int nr)
{
	char pid[16], count[16], *names = NULL;
	size_t size;
	FILE *f = open_memstream(&names, &size);
	int err;

	if (!f)
		return errno;
	for (int i = 0; i < nr; i++)
		fprintf(f, "%s%s", i ? ":" : "", files[i].name);
	if (fclose(f))
		return errno;
	snprintf(pid, sizeof(pid), "%d", getpid());
	snprintf(count, sizeof(count), "%d", nr);
	err = setenv("LISTEN_PID", pid, 1) || setenv("LISTEN_FDS", count, 1) ||
			      setenv("LISTEN_FDNAMES", names, 1) ?
		      errno :
		      0;
	free(names);
	return err;
}

int fds_exec(char **argv, const struct fds_named *files, int nr)
{
	int *moved = calloc(nr + 1, sizeof(*moved));
	int err = moved ? move_up(files, nr, moved) : ENOMEM;

	for (int i = 0; !err && i < nr; i++)
		if (dup2(moved[i], SD_LISTEN_FDS_START + i) < 0)
			err = errno;
	free(moved);
	err = err ?: set_environment(files, nr);
	if (err)
		return err;
	execvp(argv[0], argv);
	return errno;
}
