// SPDX-License-Identifier: GPL-2.0
/* iox: see and steer how /dev/iommu maps memory. Finds the subcommand; each has its own file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "iox.h"
#include "lib/msg.h"

static const struct iox_command commands[] = {
	{ "doctor", "what this kernel offers, and what to do about the rest", cmd_doctor },
	{ "exporter", "what stat counts, over HTTP, for Prometheus", cmd_exporter },
	{ "lu", "what outlives this kernel: see it, plan it, hold it", cmd_lu },
	{ "policy", "policies: load and replace them, see how they fare", cmd_policy },
	{ "pt", "page tables: how large, of what leaves, what is mapped where", cmd_pt },
	{ "record", "requests of a command or of all, in a file for replay", cmd_record },
	{ "replay", "make the calls of a trace again, and time them", cmd_replay },
	{ "report", "a page for a browser: latency over time, stages, IOVA spaces", cmd_report },
	{ "rollout", "policies in stages through a fleet, watched by guards", cmd_rollout },
	{ "stat", "count and time map, unmap and other calls", cmd_stat },
	{ "top", "what stat counts, live on a screen", cmd_top },
	{ "trace", "each call as it ends, and where its time went", cmd_trace },
};

static const struct iox_commands all = { "iox", commands, sizeof(commands) / sizeof(commands[0]) };

static char *list_commands(int key, const char *text, void *input)
{
	(void)input;
	return key == ARGP_KEY_HELP_POST_DOC ? iox_list_commands(&all) : (char *)text;
}

static const struct argp main_argp = {
	.parser = iox_parse_command,
	.args_doc = "COMMAND [ARG...]",
	.doc = "See and steer how /dev/iommu maps memory for devices.\v ",
	.help_filter = list_commands,
};

void iox_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	if (argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, input))
		exit(IOX_USAGE);
}

static int ignore_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level, (void)fmt, (void)args;
	return 0;
}

int main(int argc, char **argv)
{
	int status;

	argp_err_exit_status = IOX_USAGE;
	/* What libbpf has to say is for programmers; every failure gets a message of ours. */
	if (!getenv("IOX_DEBUG"))
		libbpf_set_print(ignore_libbpf);

	/* argp and getopt start their messages with it. */
	argv[0] = (char *)"iox";
	status = iox_run_command(&all, &main_argp, argc, argv);
	/* A command that failed has said why. */
	if (status || (!fflush(stdout) && !ferror(stdout)))
		return status;
	msg_errno(errno, "standard output", NULL);
	return IOX_FAILED;
}
