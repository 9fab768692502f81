/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Descriptors that come from elsewhere: inherited, another process's, or handed over by a
 * service manager that stores them; and handing them to a command in the same way.
 */
#ifndef IOX_FDS_H
#define IOX_FDS_H

#include <stdbool.h>
#include <sys/types.h>

/* What a service manager has passed to this process: descriptors 3 to 3 + nr - 1. */
struct fds_passed {
	int nr;
	char **names;
};

/* Takes the variables out of the environment. False: a message has been given. */
bool fds_take_passed(struct fds_passed *passed);
void fds_free_passed(struct fds_passed *passed);

/* The file that descriptor @fd of a process is; negative errno if that cannot be had. */
int fds_of_process(pid_t pid, int fd);

/* Are both descriptors, of this process, for one open file? */
bool fds_same_file(int a, int b);

/* Would fds_find() understand it? */
bool fds_spec_is_valid(const char *spec);

/*
 * The file that @spec names: "fd:N" inherited, "pid:PID:N" of another process, "fdname:NAME"
 * passed by a service manager. Negative: a message has been given, which begins with @what.
 */
int fds_find(const char *spec, const struct fds_passed *passed, const char *what);

/* Can this name be given to a descriptor? */
bool fds_name_is_valid(const char *name);

/* A file for a command, and its name. */
struct fds_named {
	int fd;
	const char *name;
};

/* Can this command be executed? False: a message has been given. */
bool fds_command_exists(const char *command);

/*
 * Replaces this process by a command that gets the files as sd_listen_fds(3) expects them.
 * Returns the errno if that fails.
 */
int fds_exec(char **argv, const struct fds_named *files, int nr);

#endif
