// SPDX-License-Identifier: GPL-2.0
/* iox doctor: what this kernel and this machine offer, and what to do about the rest. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "doctor.h"
#include "iox.h"
#include "lib/msg.h"
#include "lib/out.h"

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ 0 },
};

static const char doc[] =
	"Look at all that iox and programs that use /dev/iommu want of the kernel and the machine, "
	"and say what to do about what is missing.\v"
	"Nothing is changed or loaded. Without privileges, what cannot be looked at is said. "
	"The exit status is 0 if nothing is missing, else 1; 2 for wrong usage.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	switch (key) {
	case 'j':
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "%s: no argument is wanted", arg);
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = { .options = options, .parser = parse, .doc = doc };

static const char *const verdict_name[] = {
	[VERDICT_OK] = "ok",
	[VERDICT_MISSING] = "missing",
	[VERDICT_UNKNOWN] = "unknown",
	[VERDICT_ABSENT] = "absent",
};

static bool is_colourful(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && *term;
}

static void print_text(const struct check *check, const struct finding *f, bool colour)
{
	static const char *const colours[] = { "\033[32m", "\033[1;31m", "\033[33m", "" };

	printf("%-22s%s%-9s%s%s%s%s\n", check->name, colour ? colours[f->verdict] : "",
	       verdict_name[f->verdict], colour ? "\033[0m" : "", f->what,
	       f->mend[0] ? "; " : "", f->mend);
}

static json_object *as_json(const struct check *check, const struct finding *f)
{
	json_object *o = json_object_new_object();

	out_json_str(o, "check", check->name);
	out_json_str(o, "verdict", verdict_name[f->verdict]);
	out_json_str(o, "what", f->what);
	if (f->mend[0])
		out_json_str(o, "mend", f->mend);
	return o;
}

static bool print_sum(bool json, json_object *checks, const unsigned int count[])
{
	json_object *o;

	if (json) {
		o = json_object_new_object();
		out_json_bool(o, "ok", !count[VERDICT_MISSING]);
		json_object_object_add(o, "checks", checks);
		return out_json(stdout, o);
	}
	printf("%u missing, %u unknown\n", count[VERDICT_MISSING], count[VERDICT_UNKNOWN]);
	if (!fflush(stdout) && !ferror(stdout))
		return true;
	msg_errno(errno, "standard output", NULL);
	return false;
}

int cmd_doctor(int argc, char **argv)
{
	unsigned int count[VERDICT_ABSENT + 1] = {};
	bool json = false, colour = is_colourful();
	json_object *checks = NULL;

	iox_parse(&argp, argc, argv, &json);
	if (json)
		checks = json_object_new_array();
	for (size_t i = 0; i < doctor_nr_checks; i++) {
		struct finding f = {};

		doctor_checks[i].look(&f);
		count[f.verdict]++;
		if (json)
			json_object_array_add(checks, as_json(&doctor_checks[i], &f));
		else
			print_text(&doctor_checks[i], &f, colour);
	}
	if (!print_sum(json, checks, count))
		return IOX_FAILED;
	return count[VERDICT_MISSING] ? IOX_FAILED : IOX_OK;
}
