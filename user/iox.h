/* SPDX-License-Identifier: GPL-2.0 */
/* What every subcommand of iox shares: exit statuses, messages, the shape of a subcommand. */
#ifndef IOX_H
#define IOX_H

#include <argp.h>
#include <stddef.h>

enum iox_exit {
	IOX_OK = 0,
	IOX_FAILED = 1,
	IOX_USAGE = 2,
};

struct iox_command {
	const char *name;
	const char *summary;
	/* @argv[0] is the full name for messages, such as "iox stat"; returns the exit status. */
	int (*run)(int argc, char **argv);
};

int cmd_policy(int argc, char **argv);
int cmd_stat(int argc, char **argv);

/*
 * argp_parse() for a subcommand, always stopping at the first argument that is no option.
 * Wrong usage ends the program with IOX_USAGE.
 */
void iox_parse(const struct argp *argp, int argc, char **argv, void *input);

#endif
