// SPDX-License-Identifier: GPL-2.0-only
/*
 * op_stats: what operations of iommufd took since the first to count them came, for people who have
 * nothing but cat. They are counted as long as it is pinned.
 *
 *	bpftool iter pin build/bpf/op_stats.bpf.o /sys/fs/bpf/op
 *	cat /sys/fs/bpf/op
 */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <iox/probe.h>

char LICENSE[] SEC("license") = "GPL";

#define NAME(id, name, function) [IOX_PROBE_##id] = name,
static const char op_name[IOX_PROBE_NR_OPS][12] = { IOX_PROBE_OPS(NAME) };

static __u64 count_of(const struct iox_op_info *op)
{
	__u64 nr = 0;

	for (__u32 i = 0; i < IOX_PROBE_BUCKETS; i++)
		nr += op->bucket[i];
	return nr;
}

/* The end of the bucket that has the @rank-th operation, counted from 1 */
static __u64 time_of(const struct iox_op_info *op, __u64 rank)
{
	__u64 nr = 0;

	for (__u32 i = 0; i < IOX_PROBE_BUCKETS; i++) {
		nr += op->bucket[i];
		if (nr >= rank)
			return iox_hist_last(i);
	}
	return 0;
}

SEC("iter/iox_op")
int op_stats(struct bpf_iter__iox_op *ctx)
{
	struct iox_op_info *op = ctx->op;
	struct seq_file *seq = ctx->meta->seq;
	__u64 nr;

	if (!op)
		return 0;
	if (op->kind == 1)
		BPF_SEQ_PRINTF(seq, "%-11s %10s %8s %14s %10s %10s %10s %10s %10s %10s %10s %10s\n", "call",
			       "calls", "failed", "KiB", "mean/ns", "p50/ns", "p99/ns", "max/ns", "select/ns",
			       "pin/ns", "tables/ns", "flush/ns");
	nr = count_of(op);
	if (!nr || op->kind > IOX_PROBE_NR_OPS)
		return 0;
	BPF_SEQ_PRINTF(seq, "%-11s %10llu %8llu %14llu %10llu %10llu %10llu %10llu %10llu %10llu %10llu %10llu\n",
		       op_name[op->kind - 1], nr, op->sums.failed, op->sums.bytes / 1024, op->sums.sum_ns / nr,
		       time_of(op, (nr + 1) / 2), time_of(op, nr - nr / 100), op->sums.max_ns,
		       op->sums.stage_sum_ns[IOX_STAGE_select] / nr, op->sums.stage_sum_ns[IOX_STAGE_pin] / nr,
		       op->sums.stage_sum_ns[IOX_STAGE_tables] / nr, op->sums.stage_sum_ns[IOX_STAGE_flush] / nr);
	return 0;
}
