// SPDX-License-Identifier: GPL-2.0-only
/* Admission policies that the verifier must reject, each for one reason. */
#include <iox/admit.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("?struct_ops/write_request")
int BPF_PROG(write_request, struct iox_admit_req *req)
{
	req->uid = 0;
	return 0;
}

SEC("?.struct_ops.link")
struct iox_admit_ops writes_request = {
	.mark = (void *)write_request,
	.name = "write_request",
};

SEC("?struct_ops.s/sleep")
int BPF_PROG(sleep, struct iox_admit_req *req)
{
	return 0;
}

SEC("?.struct_ops.link")
struct iox_admit_ops sleeps = {
	.preserve = (void *)sleep,
	.name = "sleep",
};

/* What is behind the request is the kernel's. */
SEC("?struct_ops/read_beyond")
int BPF_PROG(read_beyond, struct iox_admit_req *req)
{
	return *(int *)(void *)(req + 1);
}

SEC("?.struct_ops.link")
struct iox_admit_ops reads_beyond = {
	.freeze = (void *)read_beyond,
	.name = "read_beyond",
};

SEC("?struct_ops/explain_forged")
int BPF_PROG(explain_forged, struct iox_admit_req *req)
{
	struct iox_admit_req forged = {};

	IOX_ADMIT_REASON(&forged, "none");
	return 0;
}

SEC("?.struct_ops.link")
struct iox_admit_ops explains_forged = {
	.retrieve = (void *)explain_forged,
	.name = "forged",
};

SEC("?struct_ops/explain_unpreserve")
void BPF_PROG(explain_unpreserve, struct iox_admit_req *req)
{
	IOX_ADMIT_REASON(req, "nobody asks");
}

SEC("?.struct_ops.link")
struct iox_admit_ops explains_unpreserve = {
	.unpreserve = (void *)explain_unpreserve,
	.name = "unpreserve",
};

SEC("?struct_ops/explain_iova")
u64 BPF_PROG(explain_iova, struct iox_iova_req *req)
{
	IOX_ADMIT_REASON((void *)req, "no admission");
	return 0;
}

SEC("?.struct_ops.link")
struct iox_iova_ops explains_iova = {
	.select = (void *)explain_iova,
	.name = "explain_iova",
};
