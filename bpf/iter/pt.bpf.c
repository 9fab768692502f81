// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-table statistics for programs: what iter/iox_hwpt and iter/iox_area know, in the records of
 * <iox/pt.h>. What is written for one HWPT or mapping is all there, or, if the buffer has no room, not
 * at all: then the kernel shows the same one again.
 */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <iox/pt.h>

char LICENSE[] SEC("license") = "GPL";

_Static_assert(IOX_PT_WHYS == IOX_PT_NR_WHY, "one for each reason");

static void write_size(struct seq_file *seq, const struct iox_pt_leaves *leaves, __u32 size_lg2)
{
	struct iox_pt_size_rec rec = { .size = 1ULL << size_lg2, .leaves = leaves->leaves };

	for (__u32 i = 0; i < IOX_PT_WHYS; i++)
		rec.why[i] = leaves->why[i];
	bpf_seq_write(seq, &rec, sizeof(rec));
}

static __u32 count_bits(__u64 bits)
{
	__u32 nr = 0;

	for (__u32 i = 0; i < IOX_PT_SIZES; i++)
		nr += bits >> i & 1;
	return nr;
}

SEC("iter/iox_hwpt")
int iox_pt_hwpts(struct bpf_iter__iox_hwpt *ctx)
{
	struct iox_hwpt_info *hwpt = ctx->hwpt;
	struct seq_file *seq = ctx->meta->seq;
	struct iox_pt_hwpt head = {};

	if (!hwpt)
		return 0;
	head.ctx_id = hwpt->ctx_id;
	head.space_id = hwpt->space_id;
	head.page_sizes = hwpt->page_sizes;
	head.areas = hwpt->areas;
	head.mapped = hwpt->mapped;
	head.hwpt_id = hwpt->hwpt_id;
	head.ioas_id = hwpt->ioas_id;
	head.pid = hwpt->pid;
	head.nr_levels = hwpt->nr_levels;
	head.nr_sizes = count_bits(hwpt->page_sizes);
	head.automatic = hwpt->automatic;
	head.nest_parent = hwpt->nest_parent;
	head.readable = hwpt->readable;
	bpf_probe_read_kernel_str(head.comm, sizeof(head.comm), hwpt->comm);
	bpf_probe_read_kernel_str(head.format, sizeof(head.format), hwpt->format);
	bpf_seq_write(seq, &head, sizeof(head));

	for (__u32 i = 0; i < IOX_PT_LEVELS && i < head.nr_levels; i++) {
		struct iox_pt_level_rec rec = { hwpt->level[i].tables, hwpt->level[i].bytes };

		bpf_seq_write(seq, &rec, sizeof(rec));
	}
	for (__u32 i = 0; i < IOX_PT_SIZES; i++)
		if (head.page_sizes >> i & 1)
			write_size(seq, &hwpt->leaves[i], i);
	return 0;
}

SEC("iter/iox_area")
int iox_pt_areas(struct bpf_iter__iox_area *ctx)
{
	struct iox_area_info *area = ctx->area;
	struct seq_file *seq = ctx->meta->seq;
	struct iox_pt_area head = {};

	if (!area)
		return 0;
	head.ctx_id = area->ctx_id;
	head.space_id = area->space_id;
	head.iova = area->iova;
	head.length = area->length;
	head.hwpt_id = area->hwpt_id;
	head.ioas_id = area->ioas_id;
	head.prot = area->prot;
	head.backing = area->backing;
	for (__u32 i = 0; i < IOX_PT_SIZES; i++)
		head.nr_sizes += !!area->leaves[i].leaves;
	bpf_seq_write(seq, &head, sizeof(head));
	for (__u32 i = 0; i < IOX_PT_SIZES; i++)
		if (area->leaves[i].leaves)
			write_size(seq, &area->leaves[i], i);
	return 0;
}
