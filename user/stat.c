// SPDX-License-Identifier: GPL-2.0
/* iox stat: count and time map and unmap calls, of the whole system or of one command. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "iox.h"
#include "lib/child.h"
#include "lib/hist.h"
#include "lib/latency.h"
#include "lib/msg.h"
#include "lib/out.h"

#define BAR_WIDTH 40

struct options {
	double interval;	/* seconds, 0: none */
	long count;		/* intervals, 0: no limit */
	bool json;
	const char *output;
	char **command;		/* NULL: the whole system until a signal */
};

/* All that the loop waits for, and what it has seen so far. */
struct run {
	const struct options *opt;
	struct latency *latency;
	FILE *out;
	struct child child;
	sigset_t old_mask;
	int signals, timer;
	struct latency_view before;	/* the reading that the current interval starts from */
	long intervals;
	bool stop;
};

static const struct argp_option options[] = {
	{ "interval", 'i', "SECONDS", 0,
	  "Also print every SECONDS (may be a fraction) what happened in them", 0 },
	{ "count", 'c', "COUNT", 0, "Stop after COUNT intervals (of 1 s if there is no -i)", 0 },
	{ "json", 'j', NULL, 0, "Print JSON, an object a line; times are in ns", 0 },
	{ "output", 'o', "FILE", 0, "Print to FILE rather than to standard output", 0 },
	{ 0 },
};

static const char doc[] =
	"Count and time the calls that map and unmap memory for devices: of COMMAND and all that "
	"it starts, or, without COMMAND, of the whole system until Ctrl-C.\v"
	"Percentiles are at most 6.25 % above the exact value. Failed calls are timed too. "
	"The exit status is that of COMMAND, 127 if it cannot be run; else 0, 1 (failed) or 2 "
	"(usage).";

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;

	switch (key) {
	case 'i':
		o->interval = strtod(arg, &end);
		if (end == arg || *end || !isfinite(o->interval) || o->interval < 0.001 ||
		    o->interval > 1e9)
			argp_error(state, "interval '%s': not a number of seconds from 0.001 up",
				   arg);
		return 0;
	case 'c':
		errno = 0;
		o->count = strtol(arg, &end, 10);
		if (end == arg || *end || errno || o->count < 1)
			argp_error(state, "count '%s': not a number from 1 up", arg);
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

static void text_table(const struct run *r, const struct latency_view *v)
{
	char mean[OUT_NS_LEN], p50[OUT_NS_LEN], p99[OUT_NS_LEN], max[OUT_NS_LEN];

	fprintf(r->out, "%-10s%10s%10s%10s%10s%10s%10s\n", "call", "count", "failed", "mean", "p50",
		"p99", "max");
	for (int op = 0; op < IOX_LATENCY_NR; op++) {
		const struct latency_row *row = &v->row[op];

		if (!latency_has(r->latency, op))
			continue;
		fprintf(r->out, "%-10s%10llu%10llu", latency_op_name(op), row->count, row->failed);
		if (row->count == row->untimed)
			fprintf(r->out, "%10s%10s%10s%10s\n", "-", "-", "-", "-");
		else
			fprintf(r->out, "%10s%10s%10s%10s\n", out_ns(mean, latency_mean(row)),
				out_ns(p50, latency_percentile(row, 50)),
				out_ns(p99, latency_percentile(row, 99)), out_ns(max, row->max_ns));
	}
}

static void text_histogram(const struct run *r, int op, const struct latency_row *row)
{
	__u64 octave[HIST_OCTAVES], most = 0, timed = row->count - row->untimed;
	int first = HIST_OCTAVES, last = -1;
	char from[OUT_NS_LEN], to[OUT_NS_LEN];

	hist_octaves(&row->hist, octave);
	for (int i = 0; i < HIST_OCTAVES; i++) {
		if (!octave[i])
			continue;
		if (first > i)
			first = i;
		last = i;
		if (octave[i] > most)
			most = octave[i];
	}
	if (last < 0)
		return;
	fprintf(r->out, "\n%s: %llu calls timed\n", latency_op_name(op), timed);
	for (int i = first; i <= last; i++) {
		fprintf(r->out, "%9s - %-9s |", out_ns(from, i ? 1ULL << i : 0),
			out_ns(to, 2ULL << i));
		out_bar(r->out, octave[i], most, BAR_WIDTH);
		fprintf(r->out, "| %10llu %6.2f %%\n", octave[i],
			100 * (double)octave[i] / (double)timed);
	}
}

static void text_notes(const struct run *r, const struct latency_view *v)
{
	const char *sep = "not in this kernel's iommufd: ";
	__u64 untimed = 0;

	for (int op = 0; op < IOX_LATENCY_NR; op++) {
		untimed += v->row[op].untimed;
		if (latency_has(r->latency, op))
			continue;
		fprintf(r->out, "%s%s", sep, latency_op_name(op));
		sep = ", ";
	}
	if (*sep == ',')
		putc('\n', r->out);
	if (untimed)
		fprintf(r->out, "counted but not timed: %llu calls\n", untimed);
	if (v->skipped)
		fprintf(r->out,
			"not counted, since the kernel skipped the probe: up to %llu calls\n",
			v->skipped);
}

static bool print_text(const struct run *r, const struct latency_view *v, bool total)
{
	char span[OUT_NS_LEN];

	fprintf(r->out, "%s%s of %s%s\n", total && r->intervals ? "total: " : "",
		out_ns(span, v->span_ns), r->opt->command ? r->opt->command[0] : "all processes",
		r->opt->command ? " and what it started" : "");
	text_table(r, v);
	text_notes(r, v);
	for (int op = 0; total && op < IOX_LATENCY_NR; op++)
		text_histogram(r, op, &v->row[op]);
	putc('\n', r->out);
	if (!fflush(r->out) && !ferror(r->out))
		return true;
	msg_errno(errno, "writing the table", NULL);
	return false;
}

static json_object *json_histogram(const struct iox_hist *h)
{
	json_object *list = json_object_new_array();

	for (__u32 i = 0; i < IOX_HIST_BUCKETS; i++) {
		json_object *bucket;

		if (!h->bucket[i])
			continue;
		bucket = json_object_new_object();
		out_json_u64(bucket, "first_ns", iox_hist_first(i));
		out_json_u64(bucket, "last_ns", iox_hist_last(i));
		out_json_u64(bucket, "count", h->bucket[i]);
		json_object_array_add(list, bucket);
	}
	return list;
}

static json_object *json_row(const struct run *r, int op, const struct latency_row *row)
{
	bool has = latency_has(r->latency, op);
	json_object *o = json_object_new_object();

	out_json_str(o, "call", latency_op_name(op));
	out_json_str(o, "function", latency_op_handler(op));
	json_object_object_add(o, "attached", json_object_new_boolean(has));
	if (!has)
		return o;
	out_json_u64(o, "count", row->count);
	out_json_u64(o, "failed", row->failed);
	out_json_u64(o, "untimed", row->untimed);
	out_json_u64(o, "sum_ns", row->sum_ns);
	out_json_u64(o, "mean_ns", latency_mean(row));
	out_json_u64(o, "p50_ns", latency_percentile(row, 50));
	out_json_u64(o, "p90_ns", latency_percentile(row, 90));
	out_json_u64(o, "p99_ns", latency_percentile(row, 99));
	out_json_u64(o, "p99_9_ns", latency_percentile(row, 99.9));
	out_json_u64(o, "max_ns", row->max_ns);
	json_object_object_add(o, "histogram", json_histogram(&row->hist));
	return o;
}

static bool print_json(const struct run *r, const struct latency_view *v, bool total)
{
	json_object *o = json_object_new_object(), *calls = json_object_new_array();

	out_json_str(o, "span", total ? "total" : "interval");
	out_json_u64(o, "span_ns", v->span_ns);
	out_json_str(o, "of", r->opt->command ? r->opt->command[0] : "all");
	out_json_u64(o, "skipped", v->skipped);
	for (int op = 0; op < IOX_LATENCY_NR; op++)
		json_object_array_add(calls, json_row(r, op, &v->row[op]));
	json_object_object_add(o, "calls", calls);
	return out_json(r->out, o);
}

static bool print(const struct run *r, const struct latency_view *v, bool total)
{
	return r->opt->json ? print_json(r, v, total) : print_text(r, v, total);
}

static bool end_interval(struct run *r)
{
	struct latency_view now, delta;
	__u64 ticks;

	if (read(r->timer, &ticks, sizeof(ticks)) != sizeof(ticks))
		return true;
	if (!latency_read(r->latency, &now))
		return false;
	delta = now;
	latency_since(&delta, &r->before);
	r->before = now;
	r->intervals++;
	r->stop |= r->opt->count && r->intervals >= r->opt->count;
	return print(r, &delta, false);
}

static void take_signal(struct run *r)
{
	struct signalfd_siginfo info;

	if (read(r->signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (!r->opt->command)
		r->stop = true;
	else if (info.ssi_signo == SIGTERM)
		kill(r->child.pid, SIGTERM);
	/* Ctrl-C reaches the command by itself; we report once it has ended. */
}

static bool wait_for_end(struct run *r)
{
	struct pollfd fds[] = {
		{ .fd = r->signals, .events = POLLIN },
		{ .fd = r->timer, .events = POLLIN },
		{ .fd = r->opt->command ? r->child.pidfd : -1, .events = POLLIN },
	};

	while (!r->stop) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR) {
			msg_errno(errno, "poll", NULL);
			return false;
		}
		if (fds[0].revents)
			take_signal(r);
		if (fds[1].revents && !end_interval(r))
			return false;
		if (fds[2].revents)
			r->stop = true;
	}
	return true;
}

/* Signals and the timer as files, to wait for everything in one place. */
static bool open_events(struct run *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &r->old_mask);
	r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	r->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r->signals >= 0 && r->timer >= 0)
		return true;
	msg_errno(errno, "signalfd, timerfd", NULL);
	return false;
}

/* Without -i all is zero, which leaves the timer off. */
static bool start_timer(const struct run *r)
{
	double interval = r->opt->interval;
	struct itimerspec every = {};

	every.it_interval.tv_sec = (time_t)interval;
	every.it_interval.tv_nsec = (long)((interval - floor(interval)) * 1e9);
	every.it_value = every.it_interval;
	if (!timerfd_settime(r->timer, 0, &every, NULL))
		return true;
	msg_errno(errno, "timerfd_settime", NULL);
	return false;
}

static bool open_output(struct run *r)
{
	r->out = r->opt->output ? fopen(r->opt->output, "we") : stdout;
	if (!r->out)
		msg_errno(errno, r->opt->output, NULL);
	return r->out;
}

static bool measure(struct run *r)
{
	struct latency_view total;

	return start_timer(r) && wait_for_end(r) && latency_read(r->latency, &total) &&
	       print(r, &total, true);
}

static int measure_system(struct run *r)
{
	r->latency = latency_open(-1);
	return r->latency && measure(r) ? IOX_OK : IOX_FAILED;
}

static int measure_command(struct run *r)
{
	bool measured;
	int err, status;

	if (!child_fork(&r->child, r->opt->command, &r->old_mask))
		return IOX_FAILED;
	r->latency = latency_open(r->child.pidfd);
	if (!r->latency) {
		child_wait(&r->child);
		return IOX_FAILED;
	}
	err = child_go(&r->child);
	measured = !err && measure(r);
	status = child_wait(&r->child);
	if (err)
		msg_errno(err, r->opt->command[0], NULL);
	return err || measured || status ? status : IOX_FAILED;
}

int cmd_stat(int argc, char **argv)
{
	struct options opt = {};
	struct run r = { .opt = &opt, .signals = -1, .timer = -1 };
	int status = IOX_FAILED;

	iox_parse(&argp, argc, argv, &opt);
	if (open_output(&r) && open_events(&r))
		status = opt.command ? measure_command(&r) : measure_system(&r);
	latency_close(r.latency);
	if (r.signals >= 0)
		close(r.signals);
	if (r.timer >= 0)
		close(r.timer);
	if (!r.out || r.out == stdout || !fclose(r.out) || status)
		return status;
	msg_errno(errno, opt.output, NULL);
	return IOX_FAILED;
}
