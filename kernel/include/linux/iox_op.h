/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations on I/O address spaces, counted: what the iommufd core and
 * drivers/iommu/stats share.
 *
 * The core is a module and fills the counters; who watches, and the BPF iterator
 * that reads them, are built in, and so are keys and counters.
 */
#ifndef __LINUX_IOX_OP_H
#define __LINUX_IOX_OP_H

#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <linux/types.h>

/** enum iommufd_op_kind - what can be seen; 0 is for what is not */
enum iommufd_op_kind {
	IOMMUFD_OP_NONE,
	IOMMUFD_OP_MAP,
	IOMMUFD_OP_MAP_FILE,
	IOMMUFD_OP_COPY,
	IOMMUFD_OP_UNMAP,
	IOMMUFD_OP_ATTACH,
	IOMMUFD_OP_DETACH,
	IOMMUFD_OP_PIN,
	IOMMUFD_OP_INVALIDATE,
	IOMMUFD_OP_DESTROY,
	IOMMUFD_NR_OPS,
};

/**
 * enum iommufd_stage - where time goes
 * @IOMMUFD_STAGE_SELECT: finding and taking the IOVAs
 * @IOMMUFD_STAGE_PIN: pinning memory, or releasing it
 * @IOMMUFD_STAGE_TABLES: writing or clearing page-table entries
 * @IOMMUFD_STAGE_FLUSH: until the IOTLBs know
 */
enum iommufd_stage {
	IOMMUFD_STAGE_SELECT,
	IOMMUFD_STAGE_PIN,
	IOMMUFD_STAGE_TABLES,
	IOMMUFD_STAGE_FLUSH,
	IOMMUFD_NR_STAGES,
};

/** enum iommufd_leaf - sizes of page-table leaves */
enum iommufd_leaf {
	IOMMUFD_LEAF_PAGE,
	IOMMUFD_LEAF_PMD,
	IOMMUFD_LEAF_PUD,
	IOMMUFD_NR_LEAVES,
};

/* enum iox_try_answer, and what it may grow to */
#define IOX_OP_NR_CHOOSERS 8

/*
 * Log-linear histograms, as in include/iox/hist.h: an octave has 16 buckets, and
 * what is below 32 has one each. Counters have room for any u64, so that nobody
 * who counts has to look; for readers, what took 2^48 ns falls in the last one.
 */
#define IOX_OP_SUB_BITS 4
#define IOX_OP_SUB (1U << IOX_OP_SUB_BITS)
#define IOX_OP_ALL_BUCKETS ((64 - IOX_OP_SUB_BITS + 1) * IOX_OP_SUB)
#define IOX_OP_BUCKETS ((48 - IOX_OP_SUB_BITS + 1) * IOX_OP_SUB)

/**
 * struct iox_op_sums - all operations of one kind
 * @failed: that ended with an errno
 * @bytes: of those that did not
 * @sum_ns: how long all took together
 * @max_ns: how long the longest took
 * @stage_sum_ns: of @sum_ns, in each stage
 * @leaves: page-table leaves written, by enum iommufd_leaf
 * @chosen: by enum iox_try_answer
 */
struct iox_op_sums {
	u64 failed;
	u64 bytes;
	u64 sum_ns;
	u64 max_ns;
	u64 stage_sum_ns[IOMMUFD_NR_STAGES];
	u64 leaves[IOMMUFD_NR_LEAVES];
	u64 chosen[IOX_OP_NR_CHOOSERS];
};

/**
 * struct iox_op_counters - operations of one kind on one CPU
 * @sums: all of them together
 * @bucket: how many operations took so long
 * @stage_bucket: how many were in a stage for so long; nothing at all (bucket 0)
 *	for none that they had, and room for it only where iox_op_has_stages()
 *
 * Written by its CPU with preemption disabled, and never from an interrupt.
 */
struct iox_op_counters {
	struct iox_op_sums sums;
	u64 bucket[IOX_OP_ALL_BUCKETS];
	u64 stage_bucket[][IOX_OP_ALL_BUCKETS];
};

/**
 * struct iox_op_info - operations of one kind, as the BPF iterator sees them
 * @kind: enum iommufd_op_kind
 * @has_stages: it can have stages
 * @sums: all CPUs together
 * @bucket: as in struct iox_op_counters; the sum is how many operations there were
 * @stage_bucket: likewise, without those that had no such stage
 *
 * Nothing stops meanwhile: of an operation that ends while it is read, a part may
 * count and another may not yet. All count from when the first link of the
 * iterator was made, and as long as there is one.
 */
struct iox_op_info {
	u32 kind;
	u32 has_stages;
	struct iox_op_sums sums;
	u64 bucket[IOX_OP_BUCKETS];
	u64 stage_bucket[IOMMUFD_NR_STAGES][IOX_OP_BUCKETS];
};

static inline bool iox_op_has_stages(enum iommufd_op_kind kind)
{
	return kind <= IOMMUFD_OP_UNMAP;
}

/* One more that took @ns. The octave comes first: it takes an instruction less. */
static __always_inline void iox_op_add_to(u64 *bucket, u64 ns)
{
	unsigned long shift = __fls(ns | IOX_OP_SUB) - IOX_OP_SUB_BITS;
	u64 position = ns >> shift;

	OPTIMIZER_HIDE_VAR(position);
	bucket += shift * IOX_OP_SUB;
	OPTIMIZER_HIDE_VAR(bucket);
	bucket[position]++;
}

/* On while anybody counts operations, or listens to the tracepoint iommufd_op */
DECLARE_STATIC_KEY_FALSE(iox_op_watched);
/* On if the TSC is what operations are timed with */
DECLARE_STATIC_KEY_FALSE(iox_op_tsc);

/*
 * Nanoseconds a unit of the clock, as a fraction of 2^32. Does not change while
 * iox_op_watched is on.
 */
extern u64 iox_op_ns_of_clock;

#ifdef CONFIG_IOX_STATS
/* On while anybody counts */
DECLARE_STATIC_KEY_FALSE(iox_op_counted);
/* Where this CPU counts, by kind, while iox_op_counted is seen on with preemption disabled */
DECLARE_PER_CPU(struct iox_op_counters *[IOMMUFD_NR_OPS], iox_op_counters);
#endif

void iox_op_watch(void);
void iox_op_unwatch(void);

#endif
