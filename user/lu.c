// SPDX-License-Identifier: GPL-2.0
/* iox lu: live update. Finds the subcommand; each has its own file. */
#include "lu.h"

static const struct iox_command commands[] = {
	{ "hold", "preserve files in a session and hold it; bring them back afterwards", lu_hold },
	{ "inspect", "all that is preserved, in detail", lu_inspect },
	{ "plan", "what would be refused if a process were preserved now, and why", lu_plan },
	{ "status", "what is preserved, and what it cost", lu_status },
};

static const struct iox_commands all = { "iox lu", commands,
					 sizeof(commands) / sizeof(commands[0]) };

static char *list_commands(int key, const char *text, void *input)
{
	(void)input;
	return key == ARGP_KEY_HELP_POST_DOC ? iox_list_commands(&all) : (char *)text;
}

static const struct argp argp = {
	.parser = iox_parse_command,
	.args_doc = "COMMAND [ARG...]",
	.doc = "What outlives this kernel: memory, iommufds and devices that go on with their DMA "
	       "while the kernel is replaced.\v ",
	.help_filter = list_commands,
};

int cmd_lu(int argc, char **argv)
{
	return iox_run_command(&all, &argp, argc, argv);
}
