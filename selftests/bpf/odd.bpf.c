// SPDX-License-Identifier: GPL-2.0-only
/* Policies with odd answers, for policy_try_test. */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

/* Not aligned, ever. */
SEC("?struct_ops/wrong_select")
u64 BPF_PROG(wrong_select, struct iox_iova_req *req)
{
	return 1;
}

/* What is longer than a page must not be. */
SEC("?struct_ops/refuses_select")
u64 BPF_PROG(refuses_select, struct iox_iova_req *req)
{
	if (req->length > IOX_SZ_4K)
		return -EPERM;
	return iox_iova_first_gap(req, 0, IOX_IOVA_ANY, 0);
}

/* Two pages are more than it has an opinion of. */
SEC("?struct_ops/declines_select")
u64 BPF_PROG(declines_select, struct iox_iova_req *req)
{
	if (req->length > IOX_SZ_4K)
		return IOX_NO_OPINION;
	return iox_iova_first_gap(req, 1ULL << 40, IOX_IOVA_ANY, 0);
}

SEC("?.struct_ops.link")
struct iox_iova_ops wrong = {
	.select = (void *)wrong_select,
	.name = "wrong",
};

SEC("?.struct_ops.link")
struct iox_iova_ops refuses = {
	.select = (void *)refuses_select,
	.name = "refuses",
};

SEC("?.struct_ops.link")
struct iox_iova_ops declines = {
	.select = (void *)declines_select,
	.name = "declines",
};

/* A shadow with a scope and a share, which a trial does not go by. */
SEC("?.struct_ops.link")
struct iox_iova_ops elsewhere = {
	.select = (void *)declines_select,
	.name = "elsewhere",
	.cgroup_id = 0x7fffffffffff,
	.share = 1,
	.flags = IOX_SHADOW,
};
