// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../iox.h"
#include "event_filter.h"
#include "probe.h"

enum {
	OPT_PID = 512,
	OPT_CGROUP,
	OPT_IOAS,
	OPT_SLOWER,
	OPT_FAILED,
	OPT_BUFFER,
};

static const struct argp_option filter_options[] = {
	{ "pid", OPT_PID, "PID", 0, "the process PID", 0 },
	{ "cgroup", OPT_CGROUP, "PATH", 0, "tasks in the cgroup (v2) PATH and below", 0 },
	{ "ioas", OPT_IOAS, "[CONTEXT/]ID", 0,
	  "the IOAS with this object id, of this context or of any", 0 },
	{ "slower", OPT_SLOWER, "TIME", 0, "calls that took TIME or more: 800ns, 10us, 1.5ms, 2s", 0 },
	{ "failed", OPT_FAILED, NULL, 0, "calls that failed", 0 },
	{ 0 },
};

static __u64 parse_number(const char *arg, const char *name, __u64 max, struct argp_state *state)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(arg, &end, 0);
	if (end == arg || *end || errno || *arg == '-' || !n || n > max)
		argp_error(state, "%s '%s': not a number from 1 up", name, arg);
	return n;
}

static void parse_ioas(const char *arg, struct iox_probe_filter *f, struct argp_state *state)
{
	const char *slash = strchr(arg, '/');
	char *context;

	f->ioas_id = (__u32)parse_number(slash ? slash + 1 : arg, "ioas", ~0U, state);
	if (!slash)
		return;
	context = strndup(arg, (size_t)(slash - arg));
	if (!context)
		argp_failure(state, IOX_FAILED, ENOMEM, "ioas");
	f->ctx_id = parse_number(context, "context", ~0ULL, state);
	free(context);
}

static __u64 parse_time(const char *arg, struct argp_state *state)
{
	static const struct {
		const char *name;
		double ns;
	} unit[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
	double value;
	char *end;

	value = strtod(arg, &end);
	for (int i = 0; i < 4; i++)
		if (end != arg && !strcmp(end, unit[i].name) && isfinite(value) &&
		    value * unit[i].ns >= 1 && value * unit[i].ns < 1e18)
			return (__u64)(value * unit[i].ns);
	argp_error(state, "time '%s': not a number with ns, us, ms or s behind it", arg);
	return 0;
}

static error_t parse_filter(int key, char *arg, struct argp_state *state)
{
	struct iox_probe_filter *f = state->input;

	switch (key) {
	case OPT_PID:
		f->tgid = (__u32)parse_number(arg, "pid", 1U << 30, state);
		return 0;
	case OPT_CGROUP:
		if (!probe_filter_cgroup(f, arg))
			exit(IOX_FAILED);
		return 0;
	case OPT_IOAS:
		parse_ioas(arg, f, state);
		return 0;
	case OPT_SLOWER:
		f->slower_ns = parse_time(arg, state);
		return 0;
	case OPT_FAILED:
		f->failed = 1;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

const struct argp event_filter_argp = {
	.options = filter_options,
	.parser = parse_filter,
};

static const struct argp_option ring_options[] = {
	{ "buffer", OPT_BUFFER, "KIB", 0,
	  "Room for events on their way from the kernel; 4096 KiB if not given", 0 },
	{ 0 },
};

/* The kernel wants a power of two of whole pages. */
static size_t ring_size(__u64 kib)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);

	while (bytes < kib << 10)
		bytes <<= 1;
	return bytes;
}

static error_t parse_ring(int key, char *arg, struct argp_state *state)
{
	size_t *bytes = state->input;

	if (key != OPT_BUFFER)
		return ARGP_ERR_UNKNOWN;
	*bytes = ring_size(parse_number(arg, "buffer", 1U << 20, state));
	return 0;
}

const struct argp event_ring_argp = {
	.options = ring_options,
	.parser = parse_ring,
};
