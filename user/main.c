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
	{ "policy", "which IOVA policies are loaded, and how they fare", cmd_policy },
	{ "stat", "count and time map and unmap calls", cmd_stat },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static char *list_commands(int key, const char *text, void *input)
{
	char *out = NULL;
	size_t len;
	FILE *f;

	(void)input;
	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	f = open_memstream(&out, &len);
	if (!f)
		return NULL;
	fputs("Commands:\n", f);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fputs("\n'iox COMMAND --help' explains one of them.", f);
	fclose(f);
	return out;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	int *first = state->input;

	(void)arg;
	switch (key) {
	case ARGP_KEY_ARG:
		*first = state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "no command given");
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp main_argp = {
	.parser = parse,
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

static int run(const struct iox_command *c, int argc, char **argv)
{
	char full[64];
	int status;

	snprintf(full, sizeof(full), "iox %s", c->name);
	msg_set_program(full);
	argv[0] = full;
	status = c->run(argc, argv);
	/* A command that failed has said why. */
	if (status || (!fflush(stdout) && !ferror(stdout)))
		return status;
	msg_errno(errno, "standard output", NULL);
	return IOX_FAILED;
}

int main(int argc, char **argv)
{
	int first = 0;

	argp_err_exit_status = IOX_USAGE;
	/* What libbpf has to say is for programmers; every failure gets a message of ours. */
	if (!getenv("IOX_DEBUG"))
		libbpf_set_print(ignore_libbpf);

	/* argp and getopt start their messages with it. */
	argv[0] = (char *)"iox";
	iox_parse(&main_argp, argc, argv, &first);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(commands[i].name, argv[first]))
			return run(&commands[i], argc - first, argv + first);

	msg_error(argv[first], "no such command", "see 'iox --help'");
	return IOX_USAGE;
}
