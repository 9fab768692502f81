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

/* The commands of iox, or of one that has some of its own. */
struct iox_commands {
	const char *of;		/* "iox", "iox lu" */
	const struct iox_command *list;
	size_t nr;
};

int cmd_doctor(int argc, char **argv);
int cmd_exporter(int argc, char **argv);
int cmd_lu(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_pt(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_rollout(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_trace(int argc, char **argv);

/*
 * argp_parse() for a subcommand, always stopping at the first argument that is no option.
 * Wrong usage ends the program with IOX_USAGE.
 */
void iox_parse(const struct argp *argp, int argc, char **argv, void *input);

/*
 * Parses what comes before a command, finds the command and runs it; returns its status. @argp
 * has iox_parse_command() as its parser.
 */
int iox_run_command(const struct iox_commands *commands, const struct argp *argp, int argc,
		    char **argv);
error_t iox_parse_command(int key, char *arg, struct argp_state *state);

/* The list for --help, to be freed. */
char *iox_list_commands(const struct iox_commands *commands);

#endif
