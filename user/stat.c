// SPDX-License-Identifier: GPL-2.0
/* iox stat: count and time what is done to I/O address spaces, by all or by one command. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iox.h"
#include "lib/msg.h"
#include "lib/privilege.h"
#include "lib/watch.h"
#include "stat.h"

struct options {
	double interval;	/* seconds, 0: none */
	long count;		/* intervals, 0: no limit */
	long keys;		/* 0: as many as usual */
	bool json;
	bool stages;
	enum iox_probe_by by;
	const char *output;
	char **command;		/* NULL: the whole system until a signal */
};

/* A reading of all that is counted */
struct reading {
	struct probe_snapshot *counts;
	struct probe_keys keys;
};

struct run {
	const struct options *opt;
	struct probe *probe;
	struct watch watch;
	struct stat_form form;
	struct reading before;	/* what the current interval starts from */
	struct reading now;
	struct reading shown;	/* the difference */
	long intervals;
};

enum { OPT_KEYS = 256 };

static const struct argp_option options[] = {
	{ "interval", 'i', "SECONDS", 0,
	  "Also print every SECONDS (may be a fraction) what happened in them", 0 },
	{ "count", 'c', "COUNT", 0, "Stop after COUNT intervals (of 1 s if there is no -i)", 0 },
	{ "by", 'b', "WHAT", 0,
	  "Also count for each process, ioas, cgroup or backing apart; op is what there is anyway",
	  0 },
	{ "keys", OPT_KEYS, "N", 0,
	  "With --by: as many of them and calls of theirs, 1024 if not given; all else is 'others'",
	  0 },
	{ "stages", 's', NULL, 0, "Also where the time goes inside of a call", 0 },
	{ "json", 'j', NULL, 0, "Print JSON, an object a line; times are in ns", 0 },
	{ "output", 'o', "FILE", 0, "Print to FILE rather than to standard output", 0 },
	{ 0 },
};

static const char doc[] =
	"Count and time what is done to I/O address spaces for devices: by COMMAND and all that "
	"it starts, or, without COMMAND, by the whole system until Ctrl-C.\v"
	"Percentiles are at most 6.25 % above the exact value. Failed calls are timed too. "
	"The exit status is that of COMMAND, 127 if it cannot be run; else 0, 1 (failed) or 2 "
	"(usage).";

static enum iox_probe_by parse_by(const char *arg, struct argp_state *state)
{
	for (enum iox_probe_by by = IOX_BY_NOTHING; by <= IOX_BY_BACKING; by++)
		if (!strcmp(arg, stat_by_name(by)))
			return by;
	argp_error(state, "by '%s': not process, ioas, cgroup, op or backing", arg);
	return IOX_BY_NOTHING;
}

static long parse_number(const char *arg, const char *name, struct argp_state *state)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(arg, &end, 10);
	if (end == arg || *end || errno || n < 1 || n > 1000000000)
		argp_error(state, "%s '%s': not a number from 1 up", name, arg);
	return n;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'i':
		o->interval = watch_seconds(arg, "interval", state);
		return 0;
	case 'c':
		o->count = parse_number(arg, "count", state);
		return 0;
	case 'b':
		o->by = parse_by(arg, state);
		return 0;
	case OPT_KEYS:
		o->keys = parse_number(arg, "keys", state);
		return 0;
	case 's':
		o->stages = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		o->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (o->count && o->command)
			argp_error(state,
				   "-c and a command exclude each other: its end is the end");
		if (o->count && !o->interval)
			o->interval = 1;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[-- COMMAND [ARG...]]",
	.doc = doc,
};

static bool take_reading(struct run *r, struct reading *to)
{
	probe_keys_free(&to->keys);
	if (!probe_read(r->probe, to->counts))
		return false;
	return !r->opt->by || probe_read_keys(r->probe, &to->keys);
}

static bool print(const struct run *r, const struct reading *what, bool total)
{
	return r->opt->json ? stat_print_json(&r->form, what->counts, &what->keys, total) :
			      stat_print_text(&r->form, what->counts, &what->keys, total);
}

/* Prints what came after @before, which becomes what is now. */
static bool end_interval(struct run *r)
{
	struct reading last = r->before;

	if (!take_reading(r, &r->now))
		return false;
	*r->shown.counts = *r->now.counts;
	probe_since(r->shown.counts, last.counts);
	if (!probe_keys_copy(&r->shown.keys, &r->now.keys))
		return false;
	probe_keys_since(&r->shown.keys, &last.keys);
	r->before = r->now;
	r->now = last;
	r->intervals++;
	r->form.several = true;
	return print(r, &r->shown, false);
}

static bool wait_for_end(struct run *r)
{
	for (;;) {
		switch (watch_wait(&r->watch, -1)) {
		case WATCH_TICK:
			if (!end_interval(r))
				return false;
			if (r->opt->count && r->intervals >= r->opt->count)
				return true;
			break;
		case WATCH_END:
			return true;
		default:
			return false;
		}
	}
}

static bool measure(struct run *r)
{
	return watch_start(&r->watch, r->opt->interval, r->form.out) && wait_for_end(r) &&
	       take_reading(r, &r->now) && print(r, &r->now, true);
}

static bool make_room(struct run *r)
{
	r->before.counts = probe_snapshot_new();
	r->now.counts = probe_snapshot_new();
	r->shown.counts = probe_snapshot_new();
	if (!r->before.counts || !r->now.counts || !r->shown.counts)
		return false;
	r->before.counts->time_ns = probe_start(r->probe);
	return true;
}

static void free_reading(struct reading *what)
{
	free(what->counts);
	probe_keys_free(&what->keys);
}

/* Reading needs none, but what is printed or passed on may. */
static bool give_up(const struct run *r)
{
	return privilege_keep((r->opt->by == IOX_BY_CGROUP ? PRIVILEGE_CGROUP_PATHS : 0) |
			      watch_privileges(&r->watch));
}

static int run(struct run *r)
{
	struct probe_config config = {
		.stages = r->opt->stages,
		.by = r->opt->by,
		.max_keys = (unsigned int)r->opt->keys,
		.may_only_count = true,
	};
	bool ok = watch_open(&r->watch, r->opt->command) && watch_hang_up(&r->watch);

	if (ok) {
		config.follow_pidfd = watch_pidfd(&r->watch);
		r->probe = probe_open(&config);
		r->form.probe = r->probe;
		ok = r->probe && give_up(r) && make_room(r) && measure(r);
	}
	return watch_close(&r->watch, ok);
}

int cmd_stat(int argc, char **argv)
{
	struct options opt = {};
	struct run r = { .opt = &opt };
	int status;

	iox_parse(&argp, argc, argv, &opt);
	r.form = (struct stat_form){ .command = opt.command ? opt.command[0] : NULL,
				     .by = opt.by, .stages = opt.stages };
	r.form.out = opt.output ? fopen(opt.output, "we") : stdout;
	if (!r.form.out) {
		msg_errno(errno, opt.output, NULL);
		return IOX_FAILED;
	}
	status = run(&r);
	probe_close(r.probe);
	free_reading(&r.before);
	free_reading(&r.now);
	free_reading(&r.shown);
	if (r.form.out == stdout || !fclose(r.form.out) || status)
		return status;
	msg_errno(errno, opt.output, NULL);
	return IOX_FAILED;
}
