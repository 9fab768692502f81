// SPDX-License-Identifier: GPL-2.0
/* iox report: collect what happens on I/O address spaces, and write a page of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "iox.h"
#include "lib/msg.h"
#include "lib/privilege.h"
#include "lib/watch.h"
#include "report.h"

/* Short enough for a command that takes a second; reading costs a millisecond or so. */
#define TICK 0.05

struct options {
	const char *output;
	double duration;	/* seconds, 0: until a signal or the command's end */
	char **command;
};

/* Where the page goes */
struct target {
	const char *path;
	char *temporary;	/* renamed to @path when it is complete; NULL: written in place */
	FILE *f;
};

struct run {
	const struct options *opt;
	struct probe *probe;
	struct watch watch;
	struct target target;
	struct probe_snapshot *last, *delta;
	struct report report;
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0, "Write the page to FILE, - for standard output", 0 },
	{ "duration", 'd', "TIME", 0,
	  "Stop after TIME: seconds, or a number with s, m or h behind it", 0 },
	{ 0 },
};

static const char doc[] =
	"Write a page for a browser about what is done to I/O address spaces for devices: by "
	"COMMAND and all that it starts, or, without COMMAND, by the whole system for TIME or until "
	"Ctrl-C.\v"
	"The page is one file that needs nothing else: latency over time, percentiles, where the "
	"time goes, page sizes, IOVA spaces, the slowest calls, and all of it as JSON. "
	"The exit status is that of COMMAND, 127 if it cannot be run; else 0, 1 (failed) or 2 "
	"(usage).";

static double parse_duration(char *arg, struct argp_state *state)
{
	size_t length = strlen(arg);
	char unit = length ? arg[length - 1] : 0;
	double factor = unit == 'm' ? 60 : unit == 'h' ? 3600 : 1;
	char number[32];

	if (unit == 's' || unit == 'm' || unit == 'h')
		length--;
	snprintf(number, sizeof(number), "%.*s", (int)length, arg);
	return factor * watch_seconds(number, "duration", state);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'o':
		o->output = arg;
		return 0;
	case 'd':
		o->duration = parse_duration(arg, state);
		return 0;
	case ARGP_KEY_ARG:
		o->command = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		if (!o->output)
			argp_error(state, "where to? -o FILE, or -o - for standard output");
		if (o->duration && o->command)
			argp_error(state, "-d and a command exclude each other: its end is the end");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "-o FILE [-- COMMAND [ARG...]]",
	.doc = doc,
};

/* --- the file ------------------------------------------------------------------- */

/* What is a file or nothing yet is replaced in one step; a device or a pipe is written to. */
static bool target_open(struct target *t, const char *path)
{
	struct stat st;
	mode_t mask;
	int fd;

	*t = (struct target){ .path = path };
	if (!strcmp(path, "-")) {
		t->path = "standard output";
		t->f = stdout;
		return true;
	}
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		t->f = fopen(path, "we");
	} else if (asprintf(&t->temporary, "%s.XXXXXX", path) > 0) {
		mask = umask(0);
		umask(mask);
		fd = mkostemp(t->temporary, O_CLOEXEC);
		t->f = fd < 0 || fchmod(fd, 0666 & ~mask) ? NULL : fdopen(fd, "w");
	}
	if (!t->f)
		msg_errno(errno, path, NULL);
	return t->f;
}

/* What renaming may need in a folder of somebody else */
static __u64 target_privileges(const struct target *t)
{
	return t->temporary ? PRIVILEGE(DAC_OVERRIDE) | PRIVILEGE(FOWNER) : 0;
}

/* Puts the page where it belongs, or, unless @ok, nothing at all. */
static bool target_close(struct target *t, bool ok)
{
	bool written;

	if (!t->f)
		return false;
	written = !ferror(t->f) && !fflush(t->f);
	if (t->f != stdout)
		written = !fclose(t->f) && written;
	if (t->temporary && ok && written)
		written = !rename(t->temporary, t->path);
	if (ok && !written)
		msg_errno(errno, t->path, NULL);
	if (t->temporary && !(ok && written))
		unlink(t->temporary);
	free(t->temporary);
	return ok && written;
}

/* --- collecting ----------------------------------------------------------------- */

static void keep_slowest(struct report *r, const struct iox_event *e)
{
	size_t at = r->nr_slowest;

	if (e->flags & IOX_EVENT_UNTIMED)
		return;
	while (at && r->slowest[at - 1].ns < e->ns)
		at--;
	if (at == REPORT_SLOWEST)
		return;
	if (r->nr_slowest < REPORT_SLOWEST)
		r->nr_slowest++;
	memmove(&r->slowest[at + 1], &r->slowest[at],
		(r->nr_slowest - at - 1) * sizeof(r->slowest[0]));
	r->slowest[at] = *e;
}

static bool on_event(void *arg, const struct iox_event *e)
{
	struct run *r = arg;

	keep_slowest(&r->report, e);
	return spaces_add(&r->report.spaces, e);
}

/* What came since the last reading goes into the map of latencies. */
static bool take_reading(struct run *r)
{
	struct probe_snapshot *now = r->report.total;
	__u64 start = probe_start(r->probe);

	*r->last = *now;
	if (!probe_read(r->probe, now))
		return false;
	*r->delta = *now;
	probe_since(r->delta, r->last);
	heat_add(r->report.heat, r->delta, r->last->time_ns - start, now->time_ns - start);
	return true;
}

/* At a tick; reading is only worth it once a column. */
static bool is_due(const struct run *r)
{
	struct timespec ts;
	__u64 now;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	now = (__u64)ts.tv_sec * 1000000000 + (__u64)ts.tv_nsec;
	return now - r->report.total->time_ns >= r->report.heat->column_ns * 9 / 10;
}

static bool is_over(const struct run *r)
{
	return r->opt->duration && (double)r->report.total->span_ns >= r->opt->duration * 1e9;
}

static bool collect(struct run *r)
{
	for (;;) {
		switch (watch_wait(&r->watch, probe_events_fd(r->probe))) {
		case WATCH_TICK:
			if (is_due(r) && !take_reading(r))
				return false;
			if (is_over(r))
				return true;
			break;
		case WATCH_READY:
			if (probe_events(r->probe) < 0)
				return false;
			break;
		case WATCH_END:
			return probe_events(r->probe) >= 0 && take_reading(r);
		default:
			return false;
		}
	}
}

static bool make_room(struct run *r)
{
	struct report *report = &r->report;

	r->last = probe_snapshot_new();
	r->delta = probe_snapshot_new();
	report->total = probe_snapshot_new();
	report->heat = calloc(1, sizeof(*report->heat));
	if (!report->heat)
		msg_errno(ENOMEM, "making room for the report", NULL);
	if (!r->last || !r->delta || !report->total || !report->heat)
		return false;
	report->heat->column_ns = (__u64)(TICK * 1e9);
	report->total->time_ns = probe_start(r->probe);
	return true;
}

/* --- the report ----------------------------------------------------------------- */

__attribute__((format(printf, 2, 3)))
static void add_unseen(struct report *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->unseen[r->nr_unseen++], sizeof(r->unseen[0]), format, args);
	va_end(args);
}

static void find_unseen(struct report *r)
{
	__u64 untimed = 0;

	if (probe_unseen(r->probe))
		add_unseen(r, "%s", probe_unseen(r->probe));
	if (r->total->skipped)
		add_unseen(r, "up to %llu calls, for which the kernel skipped the probe", r->total->skipped);
	if (probe_only_counts(r->probe))
		return;
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++)
		untimed += r->total->row[op].untimed;
	if (!probe_staged(r->probe))
		add_unseen(r, "which IOAS it is that ends, where a process has several with the same id: the newest is taken");
	if (untimed)
		add_unseen(r, "how long %llu calls took, for which the kernel skipped the probe at their beginning", untimed);
	if (r->total->dropped)
		add_unseen(r, "%llu calls one by one, for lack of room: they are counted, but may be missing from IOVA spaces and the slowest calls", r->total->dropped);
	if (r->spaces.incomplete)
		add_unseen(r, "IOVA spaces after the first %u changes", SPACES_MAX_CHANGES);
	add_unseen(r, "%s", r->spaces.seeded ?
		   "what was mapped before and stayed, in IOASes without a device" :
		   "what was mapped before and stayed: IOVA spaces are made of the calls in this time");
}

static bool write_report(struct run *r)
{
	json_object *json;

	clock_gettime(CLOCK_REALTIME, &r->report.ended);
	if (!spaces_finish(&r->report.spaces, r->report.command))
		return false;
	find_unseen(&r->report);
	json = report_json(&r->report);
	if (!json)
		return false;
	report_page(r->target.f, &r->report, json);
	json_object_put(json);
	return true;
}

static bool measure(struct run *r)
{
	struct probe_config config = {
		.stages = true,
		.event = on_event,
		.may_only_count = true,
		.arg = r,
		.follow_pidfd = watch_pidfd(&r->watch),
	};
	__u64 keep = target_privileges(&r->target) | watch_privileges(&r->watch);

	r->probe = probe_open(&config);
	r->report.probe = r->probe;
	if (!r->probe || !make_room(r) ||
	    (!probe_only_counts(r->probe) && !spaces_read(&r->report.spaces)) || !privilege_keep(keep))
		return false;
	clock_gettime(CLOCK_REALTIME, &r->report.began);
	return watch_start(&r->watch, TICK, r->target.f) && collect(r) && write_report(r);
}

static int run(struct run *r)
{
	bool ok = watch_open(&r->watch, r->opt->command) && watch_hang_up(&r->watch) && measure(r);

	ok = target_close(&r->target, ok);
	return watch_close(&r->watch, ok);
}

int cmd_report(int argc, char **argv)
{
	struct options opt = {};
	struct run r = { .opt = &opt };
	int status;

	iox_parse(&argp, argc, argv, &opt);
	if (!target_open(&r.target, opt.output))
		return IOX_FAILED;
	r.report.command = opt.command ? opt.command[0] : NULL;
	status = run(&r);
	probe_close(r.probe);
	spaces_free(&r.report.spaces);
	free(r.report.heat);
	free(r.report.total);
	free(r.last);
	free(r.delta);
	return status;
}
