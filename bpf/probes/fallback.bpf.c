// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where iommufd cannot be probed: what the IOMMU layer maps and unmaps, whoever asks for it. Its
 * two tracepoints are in every kernel with an IOMMU. They tell how much, and no more, so that calls
 * and bytes are counted, and nothing is timed.
 *
 * These are raw tracepoints, and no field of the kernel's is read: nothing here needs the kernel's
 * BTF, but to follow a command.
 */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <iox/probe.h>
#include "account.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline int count(__u32 op, __u64 bytes)
{
	struct iox_event e = { .op = op, .length = bytes, .flags = IOX_EVENT_UNTIMED };
	struct iox_probe_counts *c;

	if (!is_wanted())
		return 0;
	c = bpf_map_lookup_elem(&counts, &op);
	if (!c)
		return 0;
	count_result(c, 0, bytes);
	c->untimed++;
	/* Who has an IOAS, and what is behind it, is not told. */
	if (by == IOX_BY_PROCESS || by == IOX_BY_CGROUP)
		account_key(&e);
	return 0;
}

SEC("raw_tp/map")
int BPF_PROG(layer_map, unsigned long iova, u64 paddr, u64 size)
{
	return count(IOX_PROBE_map, size);
}

SEC("raw_tp/unmap")
int BPF_PROG(layer_unmap, unsigned long iova, u64 size, u64 unmapped)
{
	return count(IOX_PROBE_unmap, unmapped);
}
