// SPDX-License-Identifier: GPL-2.0-only
/*
 * first_fit: place every mapping at the lowest IOVA where it fits.
 *
 * Keeps the used range short and low: for devices with few address bits, and
 * to keep I/O page tables few when there are many small mappings, since
 * neighbours share one. It aligns no more than it must, so large mappings get
 * 2 MiB leaves only by luck; load top_down, or none, when those matter more.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/first_fit_select")
u64 BPF_PROG(first_fit_select, struct iox_iova_req *req)
{
	return iox_iova_first_gap(req, 0, IOX_IOVA_ANY, 0);
}

SEC(".struct_ops")
struct iox_iova_ops first_fit = {
	.select = (void *)first_fit_select,
	.name = "first_fit",
};
