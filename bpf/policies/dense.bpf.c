// SPDX-License-Identifier: GPL-2.0-only
/*
 * dense: keep page tables few when there are many small mappings.
 *
 * A table page of 4 KiB leads to 2 MiB. Small mappings share the lowest GiB, one
 * right behind the other, and large ones go above it, where they need no such
 * table. When the GiB is full, small ones go where there is room.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/dense_select")
u64 BPF_PROG(dense_select, struct iox_iova_req *req)
{
	u64 iova;

	if (req->length < IOX_SZ_2M)
		iova = iox_iova_first_gap(req, 0, IOX_SZ_1G - 1, 0);
	else
		iova = iox_iova_first_gap(req, IOX_SZ_1G, IOX_IOVA_ANY,
					  IOX_SZ_2M);
	return iova ?: iox_iova_first_gap(req, 0, IOX_IOVA_ANY, 0);
}

SEC(".struct_ops")
struct iox_iova_ops dense = {
	.select = (void *)dense_select,
	.name = "dense",
};
