// SPDX-License-Identifier: GPL-2.0-only
/*
 * best_fit: place every mapping in the smallest hole in which it fits.
 *
 * For address spaces in which mappings of many sizes come and go: large holes
 * stay whole for large mappings. It aligns no more than it must. Each answer
 * looks at up to 1024 holes; load first_fit where maps must be as cheap as they
 * can be.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/best_fit_select")
u64 BPF_PROG(best_fit_select, struct iox_iova_req *req)
{
	return iox_iova_best_gap(req, 0, IOX_IOVA_ANY, 0);
}

SEC(".struct_ops")
struct iox_iova_ops best_fit = {
	.select = (void *)best_fit_select,
	.name = "best_fit",
};
