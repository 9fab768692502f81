// SPDX-License-Identifier: GPL-2.0
/* iox rollout: finds the subcommand. And iox rollout check: is a document as it has to be? */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/msg.h"
#include "lib/policies.h"
#include "lib/policy_sign.h"
#include "rollout.h"
#include "rollout_place.h"

/* --- for several of them ------------------------------------------------------------ */

static const struct argp_option shared_options[] = {
	{ "machine-id", 'm', "FILE", 0,
	  "Where the id of this host is, which decides in which stages it is; /etc/machine-id if not given", 0 },
	{ "state", 's', "DIR", 0,
	  "What this host remembers of its rollouts; " ROLLOUT_STATE_DIR " if not given", 0 },
	{ 0 },
};

static error_t parse_shared(int key, char *arg, struct argp_state *state)
{
	struct rollout_options *o = state->input;

	switch (key) {
	case 'm':
		o->machine = arg;
		return 0;
	case 's':
		o->state = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp shared_argp = {
	.options = shared_options,
	.parser = parse_shared,
};

const struct argp_child rollout_children[] = {
	{ .argp = &shared_argp },
	{ 0 },
};

bool rollout_host(const struct rollout_options *o, const char *name, __u32 *number)
{
	char id[64] = "";
	FILE *f = fopen(o->machine, "re");

	if (!f) {
		msg_errno(errno, o->machine, "systemd-machine-id-setup makes one");
		return false;
	}
	if (fgets(id, sizeof(id), f))
		id[strcspn(id, "\n")] = 0;
	fclose(f);
	if (strlen(id) == 32 && strspn(id, "0123456789abcdef") == 32) {
		*number = rollout_host_number(name, id);
		return true;
	}
	msg_error(o->machine, "has no machine id, of 32 hexadecimal digits",
		  "systemd-machine-id-setup makes one");
	return false;
}

/* --- check ---------------------------------------------------------------------------- */

struct options {
	struct rollout_options shared;
	const char *file;
};

static error_t parse_check(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->shared;
		return 0;
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "'%s': one document at a time", arg);
		o->file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->file)
			argp_error(state, "say which document");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp check_argp = {
	.parser = parse_check,
	.children = rollout_children,
	.args_doc = "FILE",
	.doc = "Is this document of a rollout as it has to be? Its object, digest and signature are "
	       "looked at as well, and the kernel is asked whether it would take the policy. Nothing "
	       "is put in force.",
};

static bool would_load(const struct rollout_doc *doc, const void *bytes, size_t size)
{
	struct rollout_policy policy = { .kind = doc->kind };
	struct policy_file f;
	bool ok;

	strcpy(policy.variable, doc->variable);
	if (!rollout_place_open(&f, doc->object, bytes, size, &policy))
		return false;
	ok = policy_file_load(&f);
	policy_file_close(&f);
	return ok;
}

static void print_good(const struct rollout_doc *doc, __u32 host, const char *who)
{
	__u32 stage = 0;

	printf("%s: good; this host has number %u of %u", doc->name, host, ROLLOUT_OF);
	while (stage < doc->nr_stages && host >= doc->stages[stage].hosts)
		stage++;
	if (stage == doc->nr_stages)
		printf(" and is in no stage");
	else
		printf(", in stage %u of %u", stage + 1, doc->nr_stages);
	if (*who)
		printf("; signed by %s", who);
	putchar('\n');
}

int rollout_check(int argc, char **argv)
{
	struct options opt = { .shared = ROLLOUT_DEFAULTS };
	struct rollout_doc *doc = malloc(sizeof(*doc));
	void *bytes = NULL;
	char who[256];
	size_t size;
	__u32 host;
	bool ok;

	iox_parse(&check_argp, argc, argv, &opt);
	ok = doc && rollout_doc_read(doc, opt.file) && rollout_host(&opt.shared, doc->name, &host);
	if (ok)
		bytes = rollout_read_object(doc, &size, who, sizeof(who));
	ok = bytes && would_load(doc, bytes, size);
	if (ok)
		print_good(doc, host, who);
	free(bytes);
	free(doc);
	return ok ? IOX_OK : IOX_FAILED;
}

/* --- all -------------------------------------------------------------------------------- */

static const struct iox_command commands[] = {
	{ "apply", "do what a document says, until this host has come to rest", rollout_apply },
	{ "check", "is a document as it has to be, with its object?", rollout_check },
	{ "forget", "take the policy of a rollout out, and what is remembered of it", rollout_forget },
	{ "restore", "put in force what was before a boot", rollout_restore },
	{ "run", "do what all documents of a folder say, and go on", rollout_run },
	{ "status", "how far this host is, and why", rollout_status },
};

static const struct iox_commands all = { "iox rollout", commands,
					 sizeof(commands) / sizeof(commands[0]) };

static char *list_commands(int key, const char *text, void *input)
{
	(void)input;
	return key == ARGP_KEY_HELP_POST_DOC ? iox_list_commands(&all) : (char *)text;
}

static const struct argp rollout_argp = {
	.parser = iox_parse_command,
	.args_doc = "COMMAND [ARG...]",
	.doc = "Policies that go through a fleet in stages, watched by guards: each host decides for "
	       "itself, by a document that all have.\v ",
	.help_filter = list_commands,
};

int cmd_rollout(int argc, char **argv)
{
	return iox_run_command(&all, &rollout_argp, argc, argv);
}
