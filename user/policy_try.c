// SPDX-License-Identifier: GPL-2.0
/* iox policy try: recorded requests through policies, compared with the built-in allocator. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/hist.h"
#include "lib/msg.h"
#include "lib/out.h"
#include "policy.h"
#include "policy_trial.h"

struct options {
	const char **files;	/* of policies */
	size_t nr_files;
	const char **traces;
	size_t nr_traces;
	const char *name;
	unsigned int bits;
	bool json;
};

static const struct argp_option options[] = {
	{ "address-bits", 'b', "N", 0, "IOVAs of N bits, 32 to 48, as of an IOMMU (48)", 0 },
	{ "json", 'j', NULL, 0, "Print one JSON object", 0 },
	{ "name", 'n', "MAP", 0, "Which policy of FILE: the name of its variable", 0 },
	{ "trace", 'T', "TRACE", 0, "Requests to replay, of 'iox record'; repeatable", 0 },
	{ 0 },
};

static void add(const char ***list, size_t *nr, const char *arg)
{
	const char **longer = reallocarray(*list, *nr + 1, sizeof(**list));

	if (!longer) {
		msg_errno(ENOMEM, arg, NULL);
		exit(IOX_FAILED);
	}
	*list = longer;
	longer[(*nr)++] = arg;
}

static unsigned int parse_bits(const char *arg, struct argp_state *state)
{
	char *end;
	unsigned long bits = strtoul(arg, &end, 10);

	if (*end || bits < TRIAL_MIN_BITS || bits > TRIAL_MAX_BITS)
		argp_error(state, "'%s': address bits are %d to %d", arg, TRIAL_MIN_BITS,
			   TRIAL_MAX_BITS);
	return (unsigned int)bits;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'b':
		o->bits = parse_bits(arg, state);
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'n':
		o->name = arg;
		return 0;
	case 'T':
		add(&o->traces, &o->nr_traces, arg);
		return 0;
	case ARGP_KEY_ARG:
		add(&o->files, &o->nr_files, arg);
		return 0;
	case ARGP_KEY_END:
		if (!o->nr_traces)
			argp_error(state, "say which requests with --trace");
		if (o->name && o->nr_files != 1)
			argp_error(state, "--name is for one FILE");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "[FILE...] --trace TRACE...",
	.doc = "Replays the requests of traces through the policies of BPF object files, inside "
	       "of the kernel, and prints what came of each beside what came of the built-in "
	       "allocator. A policy is in force for one process of iox only, in a cgroup of its "
	       "own; nothing is mapped, and nothing stays.\v"
	       "p50, p99: how long finding a place takes. tables: pages of I/O page tables, at "
	       "most and in the end; 4K, 2M, 1G: leaves, when there were most; both are counted "
	       "by a model. free gap: the largest, when it was smallest. Exit status: 0 all were "
	       "tried, 1 failed, 2 wrong usage.",
};

/* --- what comes out ------------------------------------------------------- */

/* One policy, or the built-in allocator. */
struct row {
	const char *file;		/* NULL: built-in */
	char name[64];
	struct policy_trial trial;
};

static void print_head(const struct row *r)
{
	const struct trial_result *res = &r->trial.result;

	printf("%s: %llu maps, %llu unmaps, %llu address spaces of %u bits", r->trial.trace->path,
	       res->maps, res->unmaps, res->spaces, r->trial.bits);
	if (res->skipped)
		printf(", %llu requests left out", res->skipped);
	printf("\n%-16s%8s%9s%9s%8s%7s%9s%9s%8s%8s%9s%8s%5s%10s%19s\n", "policy", "failed", "used",
	       "declined", "refused", "faults", "p50", "p99", "tables", "at end", "4K", "2M", "1G",
	       "free gap", "highest");
}

static void print_answers(const struct row *r)
{
	const __u64 *counter = r->trial.policy.counter;

	if (r->file)
		printf("%9llu%9llu%8llu%7llu", counter[POLICY_used], counter[POLICY_declined],
		       counter[POLICY_refused], counter[POLICY_faults]);
	else
		printf("%9s%9s%8s%7s", "-", "-", "-", "-");
}

static void print_row(const struct row *r)
{
	const struct trial_result *res = &r->trial.result;
	char p50[OUT_NS_LEN], p99[OUT_NS_LEN], gap[OUT_BYTES_LEN];

	printf("%-16s%8llu", r->name, res->failed);
	print_answers(r);
	printf("%9s%9s%8llu%8llu%9llu%8llu%5llu%10s", out_ns(p50, hist_percentile(&res->select, 50)),
	       out_ns(p99, hist_percentile(&res->select, 99)), res->tables, res->tables_end,
	       res->leaves[PT_LEAF_4K], res->leaves[PT_LEAF_2M], res->leaves[PT_LEAF_1G],
	       out_bytes(gap, res->gap));
	if (res->lowest > res->highest)
		printf("%19s\n", "-");
	else
		printf("%#19llx\n", res->highest);
	if (res->failed)
		printf("  the first map that failed: %s\n", strerror(-res->first_errno));
	if (r->trial.ejected)
		printf("  ejected: %s\n  the built-in allocator placed %llu since\n",
		       r->trial.policy.exit, res->answers[IOX_TRY_BUILT_IN]);
}

static json_object *json_address(__u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", value);
	return json_object_new_string(text);
}

static json_object *json_placed_by(const struct trial_result *res)
{
	static const char *const name[] = {
		[IOX_TRY_FIXED] = "fixed",
		[IOX_TRY_BUILT_IN] = "built-in",
		[IOX_TRY_POLICY] = "policy",
		[IOX_TRY_DECLINED] = "declined",
		[IOX_TRY_FAULT] = "fault",
		[IOX_TRY_HINT] = "hint",
	};
	json_object *o = json_object_new_object();

	for (size_t i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (name[i])
			out_json_u64(o, name[i], res->answers[i]);
	return o;
}

static void json_tables(json_object *o, const struct trial_result *res)
{
	static const char *const size[PT_NR_LEAVES] = { "4k", "2m", "1g" };
	json_object *leaves = json_object_new_object();
	bool any = res->lowest <= res->highest;

	out_json_u64(o, "tables_peak", res->tables);
	out_json_u64(o, "tables_end", res->tables_end);
	for (int i = 0; i < PT_NR_LEAVES; i++)
		out_json_u64(leaves, size[i], res->leaves[i]);
	json_object_object_add(o, "leaves", leaves);
	out_json_u64(o, "free_gap", res->gap);
	json_object_object_add(o, "lowest", any ? json_address(res->lowest) : NULL);
	json_object_object_add(o, "highest", any ? json_address(res->highest) : NULL);
	out_json_u64(o, "span", any ? res->highest - res->lowest + 1 : 0);
}

static json_object *json_row(const struct row *r)
{
	json_object *o = json_object_new_object(), *counters = NULL;
	const struct trial_result *res = &r->trial.result;

	out_json_str(o, "policy", r->name);
	json_object_object_add(o, "file", r->file ? json_object_new_string(r->file) : NULL);
	out_json_u64(o, "failed", res->failed);
	json_object_object_add(o, "first_errno",
			       res->failed ? json_object_new_int(res->first_errno) : NULL);
	if (r->file)
		counters = json_object_new_object();
	for (int c = 0; counters && c <= POLICY_faults; c++)
		out_json_u64(counters, policy_counter_name[c], r->trial.policy.counter[c]);
	json_object_object_add(o, "counters", counters);
	json_object_object_add(o, "ejected", r->trial.ejected ?
			       json_object_new_string(r->trial.policy.exit) : NULL);
	json_object_object_add(o, "placed_by", json_placed_by(res));
	out_json_u64(o, "p50_ns", hist_percentile(&res->select, 50));
	out_json_u64(o, "p99_ns", hist_percentile(&res->select, 99));
	json_tables(o, res);
	return o;
}

static json_object *json_trace(const struct row *first, json_object *rows)
{
	const struct trial_result *res = &first->trial.result;
	json_object *o = json_object_new_object();

	out_json_str(o, "trace", first->trial.trace->path);
	out_json_u64(o, "address_bits", first->trial.bits);
	out_json_u64(o, "maps", res->maps);
	out_json_u64(o, "unmaps", res->unmaps);
	out_json_u64(o, "spaces", res->spaces);
	out_json_u64(o, "skipped", res->skipped);
	json_object_object_add(o, "policies", rows);
	return o;
}

/* --- all of it ------------------------------------------------------------ */

static bool open_policy(struct policy_file *f, const char *file, const char *name)
{
	if (!file)
		return policy_trial_builtin(f);
	if (!policy_file_open(f, file) || !policy_file_choose(f, name))
		return false;
	if (policy_file_kind(f) == POLICY_IOVA)
		return true;
	msg_error(policy_file_name(f), "is an admission policy, and places nothing",
		  "'iox policy check' has the kernel look at it");
	return false;
}

/* With @file NULL the built-in allocator. Each time it is loaded anew, with nothing in its maps. */
static bool try_one(struct row *r, const struct options *o)
{
	struct policy_file f = {};
	bool ok = open_policy(&f, r->file, o->name);

	if (ok) {
		snprintf(r->name, sizeof(r->name), "%s", policy_file_name(&f));
		ok = policy_trial(&r->trial, &f);
	}
	policy_file_close(&f);
	return ok;
}

static json_object *try_all(const struct options *o, const struct trace *trace, int signals)
{
	json_object *rows = json_object_new_array(), *result = NULL;
	struct row r;

	for (size_t i = 0; i <= o->nr_files; i++) {
		r = (struct row){
			.file = i ? o->files[i - 1] : NULL,
			.trial = { .trace = trace, .bits = o->bits, .signals = signals },
		};
		if (!try_one(&r, o))
			goto fail;
		json_object_array_add(rows, json_row(&r));
		if (!i)
			result = json_trace(&r, json_object_get(rows));
		if (!o->json && !i)
			print_head(&r);
		if (!o->json)
			print_row(&r);
		if (fflush(stdout)) {
			msg_errno(errno, "standard output", NULL);
			goto fail;
		}
	}
	json_object_put(rows);
	return result;

fail:
	json_object_put(rows);
	json_object_put(result);
	return NULL;
}

static bool try_traces(const struct options *o, int signals)
{
	json_object *all = json_object_new_object(), *list = json_object_new_array(), *one;
	struct trace trace;
	bool ok;

	json_object_object_add(all, "traces", list);
	for (size_t i = 0; i < o->nr_traces; i++) {
		if (!trace_load(&trace, o->traces[i]))
			break;
		one = try_all(o, &trace, signals);
		trace_free(&trace);
		if (!one)
			break;
		json_object_array_add(list, one);
	}
	ok = json_object_array_length(list) == o->nr_traces;
	if (ok && o->json)
		return out_json(stdout, all);
	json_object_put(all);
	return ok;
}

/* Signals wait until nothing of ours is in the kernel any more. */
static bool try_guarded(const struct options *o)
{
	sigset_t ends, before;
	struct signalfd_siginfo info;
	int signals;
	bool ok;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, &before);
	signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0) {
		msg_errno(errno, "signalfd", NULL);
		return false;
	}
	ok = try_traces(o, signals);
	if (read(signals, &info, sizeof(info)) == sizeof(info))
		raise((int)info.ssi_signo);
	close(signals);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ok;
}

int policy_try(int argc, char **argv)
{
	struct options opt = { .bits = TRIAL_MAX_BITS };
	bool ok;

	iox_parse(&argp, argc, argv, &opt);
	ok = policies_supported() && trial_check() && try_guarded(&opt);
	free(opt.files);
	free(opt.traces);
	return ok ? IOX_OK : IOX_FAILED;
}
