// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations counted by iommufd, for programs: what iter/iox_op knows, as struct iox_op_record of
 * <iox/probe.h>. A record is all there, or, if the buffer has no room, not at all: then the kernel
 * shows the same one again.
 */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <iox/probe.h>

char LICENSE[] SEC("license") = "GPL";

/* The kernel has no untimed ones, but @kind and @has_stages there. */
#define SAME(ours, kernels)									\
	_Static_assert(offsetof(struct iox_probe_counts, ours) == offsetof(struct iox_op_info, kernels), \
		       #ours " is elsewhere")
SAME(failed, sums);
SAME(stage_sum_ns, sums.stage_sum_ns);
SAME(leaves, sums.leaves);
SAME(chosen, sums.chosen);
SAME(bucket, bucket);
SAME(stage_bucket, stage_bucket);
_Static_assert(sizeof(struct iox_probe_counts) == sizeof(struct iox_op_info), "so is the end");

SEC("iter/iox_op")
int op_counts(struct bpf_iter__iox_op *ctx)
{
	struct iox_op_info *op = ctx->op;
	struct seq_file *seq = ctx->meta->seq;
	__u64 untimed = 0, kind;

	if (!op)
		return 0;
	kind = op->kind - 1;
	bpf_seq_write(seq, &kind, sizeof(kind));
	bpf_seq_write(seq, &untimed, sizeof(untimed));
	bpf_seq_write(seq, &op->sums, sizeof(*op) - offsetof(struct iox_op_info, sums));
	return 0;
}
