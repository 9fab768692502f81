// SPDX-License-Identifier: GPL-2.0-only
/*
 * hwpt_stats: page-table statistics of all HWPTs for people who have nothing but cat.
 *
 *	bpftool iter pin build/bpf/hwpt_stats.bpf.o /sys/fs/bpf/hwpt
 *	cat /sys/fs/bpf/hwpt
 */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define IOX_SIZES 64
#define IOX_LEVELS 6

static void print_tables(struct seq_file *seq, struct iox_hwpt_info *hwpt)
{
	for (__u32 i = 0; i < IOX_LEVELS && i < hwpt->nr_levels; i++)
		BPF_SEQ_PRINTF(seq, "  %5u %12llu %12llu\n", i, hwpt->level[i].tables,
			       hwpt->level[i].bytes / 1024);
}

static void print_leaves(struct seq_file *seq, struct iox_hwpt_info *hwpt)
{
	for (__u32 i = 0; i < IOX_SIZES; i++) {
		struct iox_pt_leaves *l = &hwpt->leaves[i];

		if (!(hwpt->page_sizes >> i & 1))
			continue;
		BPF_SEQ_PRINTF(seq, "  %10llu %10llu %12llu %12llu %12llu %12llu\n", (1ULL << i) / 1024,
			       l->leaves, l->why[IOX_PT_SHORT] / 1024,
			       l->why[IOX_PT_SCATTERED] / 1024, l->why[IOX_PT_UNALIGNED] / 1024,
			       l->why[IOX_PT_UNUSED] / 1024);
	}
}

SEC("iter/iox_hwpt")
int hwpt_stats(struct bpf_iter__iox_hwpt *ctx)
{
	struct iox_hwpt_info *hwpt = ctx->hwpt;
	struct seq_file *seq = ctx->meta->seq;

	if (!hwpt)
		return 0;
	BPF_SEQ_PRINTF(seq, "context %llu hwpt %u ioas %u: process %u (%s), %s, %llu mappings, %llu KiB\n",
		       hwpt->ctx_id, hwpt->hwpt_id, hwpt->ioas_id, hwpt->pid, hwpt->comm,
		       hwpt->readable ? hwpt->format : "unknown tables", hwpt->areas,
		       hwpt->mapped / 1024);
	if (!hwpt->readable)
		return 0;
	BPF_SEQ_PRINTF(seq, "  level       tables          KiB\n");
	print_tables(seq, hwpt);
	BPF_SEQ_PRINTF(seq, "  leaves/KiB      count    short/KiB  scattr./KiB  unalign/KiB   unused/KiB\n");
	print_leaves(seq, hwpt);
	return 0;
}
