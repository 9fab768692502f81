// SPDX-License-Identifier: GPL-2.0-only
/* Admission policies that the verifier accepts and the kernel does not register. */
#include <iox/admit.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("?struct_ops/allow")
int BPF_PROG(allow, struct iox_admit_req *req)
{
	return 0;
}

SEC("?struct_ops/hear")
void BPF_PROG(hear, struct iox_admit_req *req)
{
}

SEC("?.struct_ops.link")
struct iox_admit_ops asks_nobody = {
	.unpreserve = (void *)hear,
	.name = "asks_nobody",
};

SEC("?.struct_ops.link")
struct iox_admit_ops wants_too_much = {
	.mark = (void *)allow,
	.flags = 1 << 7,
	.name = "wants_too_much",
};

SEC("?.struct_ops.link")
struct iox_admit_ops is_nowhere = {
	.mark = (void *)allow,
	.cgroup_id = 0x7fffffffffff,
	.name = "is_nowhere",
};
