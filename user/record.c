// SPDX-License-Identifier: GPL-2.0
/* iox record: the requests that change I/O address spaces, in a file for iox replay and iox policy try. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iox.h"
#include "lib/event_filter.h"
#include "lib/msg.h"
#include "lib/privilege.h"
#include "lib/space_key.h"
#include "lib/trace_file.h"
#include "lib/watch.h"
#include "lib/probe.h"

#define FLUSH_SECONDS 0.25

struct options {
	struct iox_probe_filter filter;
	size_t ring_bytes;
	const char *output;
	char **command;
};

struct run {
	const struct options *opt;
	struct probe *probe;
	struct watch watch;
	struct trace_file *file;
	struct space_key *spaces;	/* the number in the file is the index + 1 */
	__u32 nr_spaces;
	__u64 written;
	bool failed;		/* the message is given */
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Where to; required", 0 },
	{ 0 },
};

static const char doc[] =
	"Record the requests that change I/O address spaces: of COMMAND and all that it starts, or, "
	"without COMMAND, of the whole system until Ctrl-C.\v"
	"'iox replay' makes them again, 'iox policy try' asks policies about them. A request that finds "
	"no room in the buffer is dropped; how many were is told, and the exit status is 1.";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'o':
		o->output = arg;
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
		if (!o->output)
			argp_error(state, "no file to write to: -o FILE");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {
	{ &event_filter_argp, 0, "Only requests of:", 1 },
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

/* 0: it has none yet. */
static __u32 find_space(struct run *r, const struct iox_event *e)
{
	for (__u32 i = r->nr_spaces; i--;) {
		if (!space_key_is(&r->spaces[i], e))
			continue;
		space_key_follow(&r->spaces[i], e);
		return i + 1;
	}
	return 0;
}

/* 0: no memory */
static __u32 add_space(struct run *r, const struct iox_event *e)
{
	struct space_key *spaces;

	spaces = reallocarray(r->spaces, r->nr_spaces + 1, sizeof(*spaces));
	if (!spaces)
		return 0;
	r->spaces = spaces;
	spaces[r->nr_spaces++] = space_key_of(e);
	return r->nr_spaces;
}

static bool is_request(const struct iox_event *e, enum trace_op *op)
{
	switch (e->op) {
	case IOX_PROBE_map:
		*op = TRACE_MAP;
		return true;
	case IOX_PROBE_map_file:
		*op = TRACE_MAP_FILE;
		return true;
	case IOX_PROBE_copy:
		*op = TRACE_COPY;
		return true;
	case IOX_PROBE_unmap:
		*op = TRACE_UNMAP;
		return true;
	case IOX_PROBE_destroy:
		*op = TRACE_DESTROY;
		return true;
	}
	return false;
}

/* How contiguous the memory is at most, as far as the leaves tell; 0 if there were none */
static __u32 run_of(const struct iox_event *e)
{
	if (e->leaves[2])
		return 30;
	if (e->leaves[1])
		return 21;
	return e->leaves[0] ? 12 : 0;
}

static bool on_event(void *arg, const struct iox_event *e)
{
	struct run *r = arg;
	struct trace_request req = {};
	__u64 start = probe_start(r->probe);

	/* What was refused before its IOAS was looked up changed nothing. */
	if (!(e->flags & IOX_EVENT_DESCRIBED) || !is_request(e, &req.op))
		return true;
	req.space = find_space(r, e);
	if (!req.space && req.op == TRACE_DESTROY)
		return true;
	if (!req.space)
		req.space = add_space(r, e);
	req.t_ns = e->end_ns > start ? e->end_ns - start : 0;
	req.iova = e->iova;
	req.length = e->length;
	req.addr = e->addr;
	req.hint = e->hint;
	req.fixed = !e->chooser;
	req.prot = e->prot;
	req.backing = e->backing;
	req.run = run_of(e);
	req.err = e->result;
	req.pid = (int)e->tgid;
	memcpy(req.comm, e->comm, sizeof(req.comm));
	if (!req.space)
		msg_errno(ENOMEM, "counting address spaces", NULL);
	r->failed |= !req.space || !trace_file_write(r->file, &req);
	r->written++;
	return !r->failed;
}

static bool wait_for_end(struct run *r)
{
	enum watch_event what;

	do {
		what = watch_wait(&r->watch, probe_events_fd(r->probe));
		if (what == WATCH_FAILED || probe_events(r->probe) < 0 || r->failed)
			return false;
	} while (what != WATCH_END);
	return true;
}

static bool tell(const struct run *r)
{
	struct probe_snapshot *s = probe_snapshot_new();
	bool ok = s && probe_read(r->probe, s);

	if (ok && (s->dropped || s->skipped)) {
		fprintf(stderr, "%llu requests are missing: the buffer was full; --buffer makes it larger\n",
			s->dropped + s->skipped);
		ok = false;
	} else if (ok) {
		fprintf(stderr, "%llu requests on %u address spaces recorded\n", r->written,
			r->nr_spaces);
	}
	free(s);
	return ok;
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
		     watch_start(&r->watch, FLUSH_SECONDS, stdout) &&
		     wait_for_end(r) && tell(r);
	}
	return watch_close(&r->watch, ok);
}

int cmd_record(int argc, char **argv)
{
	struct options opt = {};
	struct run r = { .opt = &opt };
	int status;

	iox_parse(&argp, argc, argv, &opt);
	r.file = trace_file_create(opt.output);
	if (!r.file)
		return IOX_FAILED;
	status = run(&r);
	probe_close(r.probe);
	free(r.spaces);
	return trace_file_close(r.file) || status ? status : IOX_FAILED;
}
