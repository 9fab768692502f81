// SPDX-License-Identifier: GPL-2.0-only
/*
 * guard: nothing is mapped right before or behind a mapping.
 *
 * A device that runs over the end of its buffer, or starts before it, faults
 * instead of reading or writing what happens to be next to it: for finding such
 * bugs, and where devices are not trusted to stay within their descriptors.
 *
 * Each mapping costs at least a page of IOVAs more, and small mappings share
 * fewer page tables. The lowest hole that is long enough is looked for one by
 * one. When there is no such hole, the built-in allocator chooses.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

#define GUARD IOX_SZ_4K

SEC("struct_ops/guard_select")
u64 BPF_PROG(guard_select, struct iox_iova_req *req)
{
	struct iox_gap *gap;

	bpf_for_each(iox_gap, gap, req, 0, IOX_IOVA_ANY) {
		u64 first = gap->start + GUARD, last = gap->last - GUARD, iova;

		if (gap->last - gap->start < 2 * GUARD)
			continue;
		iova = iox_iova_first_gap(req, first, last, 0);
		if (iova)
			return iova;
	}
	return IOX_NO_OPINION;
}

SEC(".struct_ops")
struct iox_iova_ops guard = {
	.select = (void *)guard_select,
	.name = "guard",
};
