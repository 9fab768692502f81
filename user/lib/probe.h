/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What happens on I/O address spaces: the one way to read the probes (bpf/probes/probe.bpf.c).
 *
 *	struct probe_config config = { .follow_pidfd = -1, .stages = true };
 *	struct probe *p = probe_open(&config);
 *	struct probe_snapshot *now = probe_snapshot_new();
 *
 *	probe_read(p, now);		all since probe_open(); may be repeated
 *	probe_since(now, before);	only what came after an earlier one
 *	probe_percentile(&now->row[IOX_PROBE_map].all, 99);
 *
 * With config.by, probe_read_keys() has the same apart for each process, IOAS, ... With
 * config.event, each operation that passes config.filter is an event: wait for probe_events_fd() to
 * become readable, and call probe_events().
 *
 * What iommufd is there decides what can be seen: probe_has(), probe_unseen(). Where it cannot be
 * probed at all, and config.may_only_count, the IOMMU layer's maps and unmaps are counted in place
 * of it (probe_fallback.c): probe_only_counts(). Functions that
 * return false, NULL or a negative number have said why on standard error.
 */
#ifndef IOX_LIB_PROBE_H
#define IOX_LIB_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <iox/probe.h>

struct probe;

struct probe_config {
	int follow_pidfd;	/* only that process and what it forks from now on; -1: all */
	bool stages;		/* histograms of stages too */
	enum iox_probe_by by;
	/* With IOX_BY_CHOOSER: so many of 1000 spaces, as policies have them, and a cgroup, 0 for all */
	unsigned int share;
	__u64 share_cgroup_id;
	unsigned int share_cgroup_level;
	unsigned int max_keys;	/* what is more becomes IOX_PROBE_OTHERS; 0: 1024 */
	bool may_only_count;	/* if there is no better way; then there are no events */
	/* For each event; false ends probe_events(). NULL: no events. */
	bool (*event)(void *arg, const struct iox_event *event);
	void *arg;
	struct iox_probe_filter filter;	/* which events */
	size_t ring_bytes;	/* room for events, a power of two from a page up; 0: 4 MiB */
};

/* Times of one kind */
struct probe_times {
	__u64 sum_ns;
	__u64 max_ns;		/* of a stage, the end of its highest bucket */
	struct iox_hist hist;
};

/* One operation, all CPUs together */
struct probe_row {
	__u64 count;
	__u64 failed;
	__u64 untimed;		/* counted, but not in any histogram */
	__u64 bytes;		/* of those that did not fail */
	struct probe_times all;
};

/* What only ours tells of an operation: probe_staged() */
struct probe_detail {
	__u64 leaves[IOX_PROBE_NR_LEAVES];	/* page-table leaves written: 4 KiB, 2 MiB, 1 GiB */
	__u64 chosen[IOX_PROBE_NR_CHOOSERS];	/* by probe_chooser_name() */
	struct probe_times stage[IOX_PROBE_NR_STAGES];	/* with config.stages */
};

/* 350 KB: not for the stack */
struct probe_snapshot {
	__u64 time_ns;		/* CLOCK_MONOTONIC */
	__u64 span_ns;		/* from probe_open(), or from the earlier snapshot, to now */
	__u64 skipped;		/* calls the kernel did not show us, at most */
	__u64 dropped;		/* events that found no room */
	struct probe_row row[IOX_PROBE_NR_OPS];
	struct probe_detail detail[IOX_PROBE_NR_OPS];
};

/* One operation of one process, IOAS, ... */
struct probe_keyed_row {
	struct iox_probe_key key;
	char comm[16];		/* of the first task */
	struct probe_row row;
};

struct probe_keys {
	struct probe_keyed_row *list;	/* by id, sub_id and op */
	size_t nr;
};

const char *probe_op_name(enum iox_probe_op op);
/* What @stage is called: for an unmap, "pin" is "unpin". */
const char *probe_stage_name(enum iox_probe_op op, enum iox_probe_stage stage);
const char *probe_chooser_name(__u32 chooser);
const char *probe_backing_name(__u32 backing);

struct probe *probe_open(const struct probe_config *config);
void probe_close(struct probe *p);

/*
 * Whether all there is are counts and bytes of map and unmap, as the IOMMU layer has them: calls have
 * no times and no results, and are those of everybody, drivers of this machine included.
 */
bool probe_only_counts(const struct probe *p);
/* Whose iommufd it is: "iox", "linux", or, as long as only maps and unmaps are counted, "unknown" */
const char *probe_iommufd(const struct probe *p);
/* Whether the running iommufd lets us see @op */
bool probe_has(const struct probe *p, enum iox_probe_op op);
/* What is probed for @op: a function of iommufd, or a tracepoint of the IOMMU layer */
const char *probe_op_function(const struct probe *p, enum iox_probe_op op);
/* Whether stages, backing, leaves and who chose are seen */
bool probe_staged(const struct probe *p);
/* What cannot be seen and why, in a line; NULL if there is nothing */
const char *probe_unseen(const struct probe *p);

struct probe_snapshot *probe_snapshot_new(void);
/* What happened since probe_open() */
bool probe_read(const struct probe *p, struct probe_snapshot *s);
/* Turns @now into what happened after @before. Maxima may be rounded up by a bucket's width. */
void probe_since(struct probe_snapshot *now, const struct probe_snapshot *before);

/* When probe_open() was done, CLOCK_MONOTONIC */
__u64 probe_start(const struct probe *p);

bool probe_read_keys(const struct probe *p, struct probe_keys *keys);
void probe_keys_since(struct probe_keys *now, const struct probe_keys *before);
bool probe_keys_copy(struct probe_keys *to, const struct probe_keys *from);
void probe_keys_free(struct probe_keys *keys);
/*
 * Makes room for another key: @key is counted anew if it comes again, and leaves @read, from which
 * the next reading is to be subtracted. What it does at this moment may not be counted.
 */
void probe_forget_key(const struct probe *p, struct probe_keys *read,
		      const struct iox_probe_key *key);
/* "build/vmm (4711)", "context 3 ioas 1", "/sys/fs/cgroup/...", "user", "others" */
void probe_key_name(enum iox_probe_by by, const struct probe_keyed_row *row, char *name,
		    size_t size);

__u64 probe_timed(const struct probe_times *t);
__u64 probe_mean(const struct probe_times *t);
/* hist_percentile() that never exceeds the maximum */
__u64 probe_percentile(const struct probe_times *t, double percent);

/* To wait for events with poll(); -1 if there are none. */
int probe_events_fd(const struct probe *p);
/* Passes on the events that are there; how many, -1 if reading failed. */
int probe_events(struct probe *p);

/* The id of the cgroup at @path, and how far below the root it is. False with the message given. */
bool probe_find_cgroup(const char *path, __u64 *id, __u32 *level);
/* Only in this cgroup (a path) and below */
bool probe_filter_cgroup(struct iox_probe_filter *filter, const char *path);

#endif
