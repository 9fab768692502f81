// SPDX-License-Identifier: GPL-2.0-only
/*
 * top_down: place every mapping as high as it will go.
 *
 * For address spaces whose low end somebody lays out by hand: a VMM that maps
 * guest memory at fixed, low IOVAs and lets the kernel place the rest (doorbell
 * pages, buffers of its own) never has the two meet. It is also the policy to
 * load when you want to see that a policy is at work: the addresses differ
 * from the built-in allocator's at a glance.
 *
 * A mapping of 2 MiB or more goes where its I/O page table can use 2 MiB
 * leaves, if there is room; that costs a hole of less than 2 MiB above it.
 *
 * Not for devices that reach only the low 4 GiB.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/top_down_select")
u64 BPF_PROG(top_down_select, struct iox_iova_req *req)
{
	u64 iova = 0;

	if (req->length >= IOX_SZ_2M)
		iova = iox_iova_last_gap(req, 0, IOX_IOVA_ANY, IOX_SZ_2M);
	if (!iova)
		iova = iox_iova_last_gap(req, 0, IOX_IOVA_ANY, 0);
	return iova;
}

SEC(".struct_ops")
struct iox_iova_ops top_down = {
	.select = (void *)top_down_select,
	.name = "top_down",
};
