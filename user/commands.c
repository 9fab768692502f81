// SPDX-License-Identifier: GPL-2.0
/* Finding a command in a table: those of iox, and those of a command that has some of its own. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "iox.h"
#include "lib/msg.h"

char *iox_list_commands(const struct iox_commands *commands)
{
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	if (!f)
		return NULL;
	fputs("Commands:\n", f);
	for (size_t i = 0; i < commands->nr; i++)
		fprintf(f, "  %-8s %s\n", commands->list[i].name, commands->list[i].summary);
	fprintf(f, "\n'%s COMMAND --help' explains one of them.", commands->of);
	fclose(f);
	return out;
}

error_t iox_parse_command(int key, char *arg, struct argp_state *state)
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

static int run(const char *of, const struct iox_command *c, int argc, char **argv)
{
	/* Messages begin with it, also those that come after this. */
	static char full[64];

	snprintf(full, sizeof(full), "%s %s", of, c->name);
	msg_set_program(full);
	argv[0] = full;
	return c->run(argc, argv);
}

int iox_run_command(const struct iox_commands *commands, const struct argp *argp, int argc,
		    char **argv)
{
	char mend[64];
	int first = 0;

	iox_parse(argp, argc, argv, &first);
	for (size_t i = 0; i < commands->nr; i++)
		if (!strcmp(commands->list[i].name, argv[first]))
			return run(commands->of, &commands->list[i], argc - first, argv + first);

	snprintf(mend, sizeof(mend), "see '%s --help'", commands->of);
	msg_error(argv[first], "no such command", mend);
	return IOX_USAGE;
}
