// SPDX-License-Identifier: GPL-2.0
/* iox trace: each operation on an I/O address space as it ends. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "events.h"
#include "iox.h"
#include "lib/event_filter.h"
#include "lib/msg.h"
#include "lib/privilege.h"
#include "lib/watch.h"

/* What is in the buffer is looked at this often, even when the kernel does not wake us. */
#define FLUSH_SECONDS 0.25

struct options {
	struct iox_probe_filter filter;
	size_t ring_bytes;
	bool json;
	const char *perfetto;
	char **command;
};

struct run {
	const struct options *opt;
	struct probe *probe;
	struct watch watch;
	FILE *out;
	struct event_slices slices;
	bool colour;
	bool failed;		/* writing; the message is given */
};

enum { OPT_PERFETTO = 256 };

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print JSON, an object a line; times are in ns", 0 },
	{ "perfetto", OPT_PERFETTO, "FILE", 0,
	  "Write a trace to FILE that ui.perfetto.dev and chrome://tracing open", 0 },
	{ 0 },
};

static const char doc[] =
	"Show each operation on an I/O address space when it has ended: of COMMAND and all that "
	"it starts, or, without COMMAND, of the whole system until Ctrl-C.\v"
	"An event that finds no room in the buffer is dropped; how many were is told at the end. "
	"The exit status is that of COMMAND, 127 if it cannot be run; else 0, 1 (failed) or 2 "
	"(usage).";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case OPT_PERFETTO:
		o->perfetto = arg;
		return 0;
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->filter;
		state->child_inputs[1] = &o->ring_bytes;
		return 0;
	case ARGP_KEY_ARG:
		o->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (o->json && o->perfetto)
			argp_error(state, "--json and --perfetto exclude each other");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {
	{ &event_filter_argp, 0, "Only events of:", 1 },
	{ &event_ring_argp, 0, NULL, 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[-- COMMAND [ARG...]]",
	.doc = doc,
	.children = children,
};

static bool on_event(void *arg, const struct iox_event *e)
{
	struct run *r = arg;
	__u64 start = probe_start(r->probe);
	bool ok;

	if (r->opt->perfetto)
		ok = slices_add(&r->slices, e);
	else if (r->opt->json)
		ok = event_json(r->out, e, start);
	else
		ok = event_text(r->out, e, start, r->colour);
	if (!ok) {
		msg_errno(errno, "writing events", NULL);
		r->failed = true;
	}
	return ok;
}

static bool show(struct run *r)
{
	if (probe_events(r->probe) < 0 || r->failed)
		return false;
	if (!fflush(r->out))
		return true;
	msg_errno(errno, "writing events", NULL);
	return false;
}

static bool wait_for_end(struct run *r)
{
	enum watch_event what;

	do {
		what = watch_wait(&r->watch, probe_events_fd(r->probe));
		if (what == WATCH_FAILED || !show(r))
			return false;
	} while (what != WATCH_END);
	return true;
}

/* On standard error: what is printed is events. */
static bool tell_lost(const struct run *r)
{
	struct probe_snapshot *s = probe_snapshot_new();
	bool ok = s && probe_read(r->probe, s);

	if (ok && s->dropped)
		fprintf(stderr, "%llu events dropped: the buffer was full; --buffer makes it larger\n",
			s->dropped);
	if (ok && s->skipped)
		fprintf(stderr, "up to %llu events not seen, since the kernel skipped the probe\n",
			s->skipped);
	free(s);
	return ok;
}

static bool begin(struct run *r)
{
	const char *unseen = probe_unseen(r->probe);
	bool ok = true;

	if (unseen)
		fprintf(stderr, "not seen: %s\n", unseen);
	if (r->opt->perfetto)
		ok = slices_begin(&r->slices, r->out, probe_start(r->probe));
	else if (!r->opt->json)
		ok = event_text_head(r->out);
	if (ok && !fflush(r->out))
		return true;
	msg_errno(errno, "writing events", NULL);
	return false;
}

static bool finish(struct run *r)
{
	if (!r->opt->perfetto || slices_end(&r->slices))
		return tell_lost(r);
	msg_errno(errno, r->opt->perfetto, NULL);
	return false;
}

static int run(struct run *r)
{
	struct probe_config config = {
		.event = on_event,
		.arg = r,
		.filter = r->opt->filter,
		.ring_bytes = r->opt->ring_bytes,
	};
	bool ok = watch_open(&r->watch, r->opt->command) && watch_hang_up(&r->watch);

	if (ok) {
		config.follow_pidfd = watch_pidfd(&r->watch);
		r->probe = probe_open(&config);
		ok = r->probe && privilege_keep(watch_privileges(&r->watch)) &&
		     begin(r) && watch_start(&r->watch, FLUSH_SECONDS, r->out) &&
		     wait_for_end(r) && finish(r);
	}
	return watch_close(&r->watch, ok);
}

int cmd_trace(int argc, char **argv)
{
	struct options opt = {};
	struct run r = { .opt = &opt };
	int status;

	iox_parse(&argp, argc, argv, &opt);
	r.out = opt.perfetto ? fopen(opt.perfetto, "we") : stdout;
	if (!r.out) {
		msg_errno(errno, opt.perfetto, NULL);
		return IOX_FAILED;
	}
	r.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	status = run(&r);
	probe_close(r.probe);
	if (r.out == stdout || !fclose(r.out) || status)
		return status;
	msg_errno(errno, opt.perfetto, NULL);
	return IOX_FAILED;
}
