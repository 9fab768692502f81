// SPDX-License-Identifier: GPL-2.0-only
/*
 * split32: what is small, and may be for a device with 32 address bits, stays
 * below 4 GiB; what is large stays out of there.
 *
 * Descriptor rings and the like are small, guest memory and buffer pools are
 * large. Mappings of less than 2 MiB go below 4 GiB; when there is no room, the
 * map fails with ENOSPC rather than giving out an IOVA that such a device would
 * cut off. Others go above.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

#define LIMIT (1ULL << 32)

SEC("struct_ops/split32_select")
u64 BPF_PROG(split32_select, struct iox_iova_req *req)
{
	u64 iova;

	if (req->length < IOX_SZ_2M)
		return iox_iova_first_gap(req, 0, LIMIT - 1, 0);
	iova = iox_iova_first_gap(req, LIMIT, IOX_IOVA_ANY, IOX_SZ_2M);
	return iova ?: iox_iova_first_gap(req, LIMIT, IOX_IOVA_ANY, 0);
}

SEC(".struct_ops")
struct iox_iova_ops split32 = {
	.select = (void *)split32_select,
	.name = "split32",
	.flags = IOX_STRICT,
};
