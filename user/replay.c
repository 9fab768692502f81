// SPDX-License-Identifier: GPL-2.0
/* iox replay: makes the calls of a trace again, on this kernel and with memory of our own. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <linux/iommufd.h>

#include "iox.h"
#include "lib/alias.h"
#include "lib/hist.h"
#include "lib/msg.h"
#include "lib/out.h"
#include "lib/replay.h"
#include "lib/trial.h"

struct options {
	const char *file;
	bool json;
	bool no_memory;
};

/* Calls of one kind. */
struct calls {
	__u64 count, failed, max_ns;
	struct iox_hist hist;
};

/* Calls that did not end as they did when they were recorded. */
struct otherwise {
	enum trace_op op;
	int recorded, here;
	__u64 count;
};

/* More kinds are counted as one more of the last. */
#define MAX_OTHERWISE 64

struct rerun {
	struct replay replay;
	bool no_memory;
	struct alias memory;
	struct calls calls[TRACE_DESTROY];	/* those that are timed */
	struct otherwise otherwise[MAX_OTHERWISE];
	size_t nr_otherwise;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "Print one JSON object", 0 },
	{ "no-memory", 'M', NULL, 0, "Only have IOVAs chosen (IOX_IOAS_TRY_MAP)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case 'M':
		o->no_memory = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "'%s': one trace at a time", arg);
		o->file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->file)
			argp_error(state, "say which trace");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "TRACE",
	.doc = "Makes the map and unmap calls of a trace again, one after the other, on /dev/iommu of "
	       "this kernel, whichever it is, and times them. Memory is that of a small file, "
	       "mapped again and again; no device is attached, so there are no page tables.\v"
	       "Exit status: 0 all calls ended as they did when they were recorded, 1 failed, or "
	       "some did not, 2 wrong usage.",
};

/* --- the calls ------------------------------------------------------------ */

static __u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (__u64)t.tv_sec * 1000000000 + (__u64)t.tv_nsec;
}

static struct rerun *rerun_of(struct replay *r)
{
	return (struct rerun *)r;
}

/* A call that began at @start has ended. */
static void count(struct replay *r, enum trace_op op, __u64 start, int err)
{
	struct calls *c = &rerun_of(r)->calls[op];
	__u64 ns = now_ns() - start;

	c->count++;
	c->failed += !!err;
	c->hist.bucket[iox_hist_index(ns)]++;
	if (c->max_ns < ns)
		c->max_ns = ns;
}

static int timed_ioctl(struct replay *r, enum trace_op op, unsigned long request, void *cmd)
{
	__u64 start = now_ns();
	int err = ioctl(r->fd, request, cmd) ? -errno : 0;

	count(r, op, start, err);
	return err;
}

static __u32 flags_of(const struct trace_request *req)
{
	return (req->fixed ? IOMMU_IOAS_MAP_FIXED_IOVA : 0) |
	       (req->prot & TRACE_READ ? IOMMU_IOAS_MAP_READABLE : 0) |
	       (req->prot & TRACE_WRITE ? IOMMU_IOAS_MAP_WRITEABLE : 0);
}

static int map_memory(struct replay *r, const struct trace_request *req, struct replay_area *area)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = flags_of(req),
		.ioas_id = r->spaces[req->space].ioas,
		.user_va = (__u64)alias_at(&rerun_of(r)->memory, req->addr),
		.length = req->length,
		.iova = req->fixed ? req->iova : req->hint,
	};
	int err = timed_ioctl(r, req->op, IOMMU_IOAS_MAP, &cmd);

	area->now.start = cmd.iova;
	return err;
}

static int map_file(struct replay *r, const struct trace_request *req, struct replay_area *area)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = flags_of(req),
		.ioas_id = r->spaces[req->space].ioas,
		.fd = rerun_of(r)->memory.fd,
		.start = alias_offset(req->addr),
		.length = req->length,
		.iova = req->fixed ? req->iova : req->hint,
	};
	int err = timed_ioctl(r, req->op, IOMMU_IOAS_MAP_FILE, &cmd);

	area->now.start = cmd.iova;
	return err;
}

static int map_nothing(struct replay *r, const struct trace_request *req, struct replay_area *area)
{
	struct iox_ioas_try_map cmd;
	__u64 start = now_ns();
	int err = trial_map(r, req, area, &cmd);

	count(r, req->op, start, err);
	return err;
}

static int map(struct replay *r, const struct trace_request *req, struct replay_area *area)
{
	if (rerun_of(r)->no_memory)
		return map_nothing(r, req, area);
	if (req->op == TRACE_MAP_FILE && alias_in_file(&rerun_of(r)->memory, req->addr, req->length))
		return map_file(r, req, area);
	return map_memory(r, req, area);
}

static int unmap(struct replay *r, __u32 space, struct replay_area *area, bool destroyed)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = r->spaces[space].ioas,
		.iova = area->now.start,
		.length = area->now.last - area->now.start + 1,
	};

	return destroyed ? 0 : timed_ioctl(r, TRACE_UNMAP, IOMMU_IOAS_UNMAP, &cmd);
}

static int space_new(struct replay *r, __u32 space)
{
	(void)r, (void)space;
	return 0;
}

static void space_gone(struct replay *r, __u32 space)
{
	(void)r, (void)space;
}

static void done(struct replay *r, const struct trace_request *req, int err)
{
	struct rerun *run = rerun_of(r);
	struct otherwise *o = run->otherwise, *end = o + run->nr_otherwise;

	if (err == req->err)
		return;
	while (o < end && (o->op != req->op || o->recorded != req->err || o->here != err))
		o++;
	if (o == end && run->nr_otherwise < MAX_OTHERWISE)
		run->otherwise[run->nr_otherwise++] =
			(struct otherwise){ .op = req->op, .recorded = req->err, .here = err };
	else if (o == end)
		o--;
	o->count++;
}

static const struct replay_ops ops = {
	.space_new = space_new,
	.map = map,
	.unmap = unmap,
	.space_gone = space_gone,
	.done = done,
	.make_failed = true,
};

/* --- what comes out ------------------------------------------------------- */

static const char *errno_name(int err)
{
	const char *name = err ? strerrorname_np(-err) : "success";

	return name ? name : "an unknown errno";
}

static void print_text(const struct rerun *run)
{
	char p50[OUT_NS_LEN], p99[OUT_NS_LEN], max[OUT_NS_LEN];

	printf("%-10s%10s%10s%10s%10s%10s\n", "call", "count", "failed", "p50", "p99", "max");
	for (int op = 0; op < TRACE_DESTROY; op++) {
		const struct calls *c = &run->calls[op];

		if (c->count)
			printf("%-10s%10llu%10llu%10s%10s%10s\n", trace_op_name[op], c->count,
			       c->failed, out_ns(p50, hist_percentile(&c->hist, 50)),
			       out_ns(p99, hist_percentile(&c->hist, 99)), out_ns(max, c->max_ns));
	}
	if (run->replay.skipped)
		printf("not made: %llu calls that had nothing to unmap\n", run->replay.skipped);
	for (size_t i = 0; i < run->nr_otherwise; i++) {
		const struct otherwise *o = &run->otherwise[i];

		printf("%s: recorded %s, here %s: %llu calls\n", trace_op_name[o->op],
		       errno_name(o->recorded), errno_name(o->here), o->count);
	}
}

static json_object *json_calls(const struct rerun *run)
{
	json_object *list = json_object_new_array();

	for (int op = 0; op < TRACE_DESTROY; op++) {
		const struct calls *c = &run->calls[op];
		json_object *o = json_object_new_object();

		out_json_str(o, "call", trace_op_name[op]);
		out_json_u64(o, "count", c->count);
		out_json_u64(o, "failed", c->failed);
		out_json_u64(o, "p50_ns", hist_percentile(&c->hist, 50));
		out_json_u64(o, "p90_ns", hist_percentile(&c->hist, 90));
		out_json_u64(o, "p99_ns", hist_percentile(&c->hist, 99));
		out_json_u64(o, "max_ns", c->max_ns);
		json_object_array_add(list, o);
	}
	return list;
}

static json_object *json_otherwise(const struct rerun *run)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < run->nr_otherwise; i++) {
		json_object *o = json_object_new_object();

		out_json_str(o, "call", trace_op_name[run->otherwise[i].op]);
		json_object_object_add(o, "recorded",
				       json_object_new_int(run->otherwise[i].recorded));
		json_object_object_add(o, "here", json_object_new_int(run->otherwise[i].here));
		out_json_u64(o, "count", run->otherwise[i].count);
		json_object_array_add(list, o);
	}
	return list;
}

static bool print_json(const struct rerun *run, const struct trace *trace)
{
	json_object *o = json_object_new_object();
	struct utsname kernel;

	uname(&kernel);
	out_json_str(o, "trace", trace->path);
	out_json_str(o, "kernel", kernel.release);
	out_json_bool(o, "memory", !run->no_memory);
	out_json_u64(o, "skipped", run->replay.skipped);
	json_object_object_add(o, "calls", json_calls(run));
	json_object_object_add(o, "otherwise", json_otherwise(run));
	return out_json(stdout, o);
}

/* --- all of it ------------------------------------------------------------ */

static __u64 longest(const struct trace *trace)
{
	__u64 length = 0;

	for (size_t i = 0; i < trace->nr; i++)
		if (trace_is_map(trace->list[i].op) && length < trace->list[i].length)
			length = trace->list[i].length;
	return length;
}

static bool rerun(struct rerun *run, const struct trace *trace)
{
	int err;

	run->replay.ops = &ops;
	run->replay.fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (run->replay.fd < 0) {
		msg_errno(errno, "/dev/iommu",
			  errno == EACCES ? "run it as root" : "modprobe iommufd");
		return false;
	}
	err = replay_run(&run->replay, trace);
	if (err)
		msg_errno(err, trace->path, "it could not be replayed to its end");
	replay_free(&run->replay);
	close(run->replay.fd);
	return !err;
}

static bool rerun_with_memory(struct rerun *run, const struct trace *trace)
{
	bool ok;

	if (!alias_make(&run->memory, longest(trace)))
		return false;
	ok = rerun(run, trace);
	alias_free(&run->memory);
	return ok;
}

static bool replay(struct rerun *run, const struct trace *trace, const struct options *o)
{
	bool ok;

	run->no_memory = o->no_memory;
	if (o->no_memory)
		ok = trial_check() && rerun(run, trace);
	else
		ok = rerun_with_memory(run, trace);
	if (ok && o->json)
		ok = print_json(run, trace);
	else if (ok)
		print_text(run);
	return ok && !run->nr_otherwise;
}

int cmd_replay(int argc, char **argv)
{
	struct options opt = {};
	struct trace trace;
	struct rerun *run;
	bool ok = false;

	iox_parse(&argp, argc, argv, &opt);
	if (!trace_load(&trace, opt.file))
		return IOX_FAILED;
	run = calloc(1, sizeof(*run));
	if (run)
		ok = replay(run, &trace, &opt);
	else
		msg_errno(ENOMEM, opt.file, NULL);
	free(run);
	trace_free(&trace);
	return ok ? IOX_OK : IOX_FAILED;
}
