// SPDX-License-Identifier: GPL-2.0-only
/*
 * huge_align: large leaves wherever there is room for them.
 *
 * Mappings of 1 GiB and of 2 MiB go to the lowest IOVA where their leaves can be
 * as large; where there is none, they still get a place, which the built-in
 * allocator would not give them. Small ones come from the top, so that they never
 * break up the room of large ones. For VMMs and for user-space drivers with pools
 * of huge pages.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/huge_align_select")
u64 BPF_PROG(huge_align_select, struct iox_iova_req *req)
{
	u64 iova = 0;

	if (req->length < IOX_SZ_2M)
		return iox_iova_last_gap(req, 0, IOX_IOVA_ANY, 0);
	if (req->length >= IOX_SZ_1G)
		iova = iox_iova_first_gap(req, 0, IOX_IOVA_ANY, IOX_SZ_1G);
	if (!iova)
		iova = iox_iova_first_gap(req, 0, IOX_IOVA_ANY, IOX_SZ_2M);
	if (!iova)
		iova = iox_iova_first_gap(req, 0, IOX_IOVA_ANY, 0);
	return iova;
}

SEC(".struct_ops")
struct iox_iova_ops huge_align = {
	.select = (void *)huge_align_select,
	.name = "huge_align",
};
