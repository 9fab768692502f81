// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies that the verifier accepts, and with which something else is wrong or
 * unusual; policy_cmd_test loads them one by one.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("?struct_ops/unfit_select")
u64 BPF_PROG(unfit_select, struct iox_iova_req *req)
{
	return IOX_NO_OPINION;
}

SEC("?struct_ops/unfit_init")
int BPF_PROG(unfit_init)
{
	return -EXFULL;
}

SEC("?.struct_ops.link")
struct iox_iova_ops asks_nobody = {
	.name = "asks_nobody",
};

SEC("?.struct_ops.link")
struct iox_iova_ops wants_too_much = {
	.select = (void *)unfit_select,
	.name = "wants_too_much",
	.share = 1001,
};

SEC("?.struct_ops.link")
struct iox_iova_ops is_nowhere = {
	.select = (void *)unfit_select,
	.name = "is_nowhere",
	.cgroup_id = 0x7fffffffffff,
};

SEC("?.struct_ops.link")
struct iox_iova_ops says_no = {
	.select = (void *)unfit_select,
	.init = (void *)unfit_init,
	.name = "says_no",
};

/* No file may be called so. */
SEC("?.struct_ops.link")
struct iox_iova_ops odd_name = {
	.select = (void *)unfit_select,
	.name = "../a.b/c",
	.share = 7,
	.flags = IOX_STRICT,
};
