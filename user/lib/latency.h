/* SPDX-License-Identifier: GPL-2.0 */
/* The latency probes (bpf/probes/latency.bpf.c): attach, read, compare readings. */
#ifndef IOX_LIB_LATENCY_H
#define IOX_LIB_LATENCY_H

#include <stdbool.h>
#include <iox/latency.h>

struct latency;

/* One operation, all CPUs together. */
struct latency_row {
	__u64 count;
	__u64 failed;
	__u64 untimed;
	__u64 sum_ns;
	__u64 max_ns;
	struct iox_hist hist;
};

struct latency_view {
	__u64 span_ns;		/* from attach, or from the earlier reading, to now */
	__u64 skipped;		/* calls the kernel did not show us, at most */
	struct latency_row row[IOX_LATENCY_NR];
};

const char *latency_op_name(enum iox_latency_op op);
const char *latency_op_handler(enum iox_latency_op op);

/*
 * Attaches a probe to each handler that the running iommufd has. @follow_pidfd: count only
 * that process and what it forks from now on; -1: every process. NULL on failure, with the
 * message given.
 */
struct latency *latency_open(int follow_pidfd);
void latency_close(struct latency *l);

/* Whether the running iommufd has a handler for @op. */
bool latency_has(const struct latency *l, enum iox_latency_op op);

/* What happened since latency_open(). False on failure, with the message given. */
bool latency_read(const struct latency *l, struct latency_view *view);

/* Turns @now into what happened after @before. Its maxima may be rounded up by a bucket's width. */
void latency_since(struct latency_view *now, const struct latency_view *before);

__u64 latency_mean(const struct latency_row *row);

/* hist_percentile() that never exceeds the maximum. */
__u64 latency_percentile(const struct latency_row *row, double percent);

#endif
