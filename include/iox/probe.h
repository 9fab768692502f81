/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bpf/probes/probe.bpf.c leaves for user/lib/probe.c: operations on I/O address spaces,
 * counted, and as events.
 *
 * IOX_PROBE_OPS(X) names each operation once: X(identifier, name for people, function of Linux's
 * own iommufd that does it). Its order is that of enum iommufd_op_kind in kernel/iommufd/op.h,
 * which begins with 1.
 */
#ifndef IOX_PROBE_H
#define IOX_PROBE_H

#include "hist.h"

#define IOX_PROBE_OPS(X)					\
	X(map, "map", iommufd_ioas_map)				\
	X(map_file, "map-file", iommufd_ioas_map_file)		\
	X(copy, "copy", iommufd_ioas_copy)			\
	X(unmap, "unmap", iommufd_ioas_unmap)			\
	X(attach, "attach", iommufd_device_attach)		\
	X(detach, "detach", iommufd_device_detach)		\
	X(pin, "pin", iommufd_access_pin_pages)			\
	X(invalidate, "invalidate", iommufd_hwpt_invalidate)	\
	X(destroy, "destroy", iommufd_ioas_destroy)

enum iox_probe_op {
#define IOX_PROBE_ENUM(id, name, function) IOX_PROBE_##id,
	IOX_PROBE_OPS(IOX_PROBE_ENUM)
#undef IOX_PROBE_ENUM
	IOX_PROBE_NR_OPS
};

/* In the order of enum iommufd_stage; of an unmap, "pin" is the release. */
enum iox_probe_stage {
	IOX_STAGE_select,
	IOX_STAGE_pin,
	IOX_STAGE_tables,
	IOX_STAGE_flush,
	IOX_PROBE_NR_STAGES
};

/* Leaves of 4 KiB, 2 MiB and 1 GiB */
#define IOX_PROBE_NR_LEAVES	3

/* enum iox_try_answer of <linux/iox.h>, and what it may grow to */
#define IOX_PROBE_NR_CHOOSERS	8

/*
 * Histograms of the probes end at 2^48 ns, which is three days; what takes longer falls in the
 * last bucket. The bucket of a value is that of hist.h.
 */
#define IOX_PROBE_BUCKETS	((48 - IOX_HIST_SUB_BITS + 1) * IOX_HIST_SUB)

/* One CPU's share of one operation. Calls are the sum of the buckets plus @untimed. */
struct iox_probe_counts {
	__u64 untimed;		/* the kernel skipped the probe at their beginning */
	__u64 failed;		/* ended with an errno */
	__u64 bytes;		/* of those that did not fail */
	__u64 sum_ns;
	__u64 max_ns;
	__u64 stage_sum_ns[IOX_PROBE_NR_STAGES];
	__u64 leaves[IOX_PROBE_NR_LEAVES];
	__u64 chosen[IOX_PROBE_NR_CHOOSERS];
	__u64 bucket[IOX_PROBE_BUCKETS];
	__u64 stage_bucket[IOX_PROBE_NR_STAGES][IOX_PROBE_BUCKETS];
};

/* What bpf/iter/op_counts.bpf.c writes for each operation: our iommufd counts by itself. */
struct iox_op_record {
	__u64 op;			/* enum iox_probe_op */
	struct iox_probe_counts counts;	/* all CPUs together */
};

/* What the kernel bears as an entry of a per-CPU map */
_Static_assert(sizeof(struct iox_probe_counts) <= 32768, "too large for a per-CPU map");

/* Counted separately for each... */
enum iox_probe_by {
	IOX_BY_NOTHING,
	IOX_BY_PROCESS,		/* id: process id */
	IOX_BY_IOAS,		/* id: context, sub_id: object id of the IOAS */
	IOX_BY_CGROUP,		/* id: cgroup v2 id */
	IOX_BY_BACKING,		/* id: enum iox_backing */
	IOX_BY_CHOOSER,		/* id: who chose, sub_id: 1 if the space is one of those that are looked at */
};

struct iox_probe_key {
	__u64 id;
	__u32 sub_id;
	__u32 op;
};

/* The @id of all for whom there was no room */
#define IOX_PROBE_OTHERS	(~0ULL)

/* All CPUs together: calls are the sum of the buckets plus @untimed. */
struct iox_probe_keyed {
	__u64 failed;
	__u64 untimed;
	__u64 bytes;
	__u64 sum_ns;
	__u64 max_ns;
	char comm[16];		/* of the first task */
	__u64 bucket[IOX_PROBE_BUCKETS];
};

/* Which events are wanted: all that is not 0 has to be so. */
struct iox_probe_filter {
	__u32 tgid;
	__u32 ioas_id;
	__u64 ctx_id;
	__u64 cgroup_id;	/* this one and those below */
	__u32 cgroup_level;	/* 0 is the root */
	__u32 failed;		/* only those that failed */
	__u64 slower_ns;	/* only those that took at least as long */
	__u64 ops;		/* a bit for each iox_probe_op; 0 for all */
};

enum iox_event_flags {
	IOX_EVENT_DESCRIBED = 1,	/* the IOAS was found: the fields from @ctx_id on are known */
	IOX_EVENT_STAGED = 2,		/* stages, chooser, backing, leaves and hwpts are known */
	IOX_EVENT_UNTIMED = 4,		/* @ns is not known */
};

struct iox_event {
	__u64 end_ns;		/* CLOCK_MONOTONIC */
	__u64 ns;		/* how long it took */
	__u64 stage_ns[IOX_PROBE_NR_STAGES];
	__u64 before_ns;	/* before the first stage */
	__u64 cgroup_id;
	__u64 ctx_id;
	__u64 space_id;
	__u64 iova;
	__u64 length;
	__u64 addr;
	__u64 hint;
	__u32 leaves[IOX_PROBE_NR_LEAVES];
	__u32 op;
	__s32 result;
	__u32 ioas_id;
	__u32 hwpts;
	__u32 hwpt_id;
	__u32 prot;		/* 1 read, 2 write */
	__u32 backing;		/* 0 user, 1 file, 2 dma-buf */
	__u32 chooser;		/* enum iox_try_answer; on stock 0 fixed, 1 built-in */
	__u32 flags;
	__u32 tgid;
	__u32 pid;
	char comm[16];
};

#endif
