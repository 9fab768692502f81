// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that the verifier must reject, each for one reason. policy_test
 * loads them one by one and looks for the reason in the verifier's log.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("?struct_ops/write_request")
u64 BPF_PROG(write_request, struct iox_iova_req *req)
{
	req->length = 0;
	return 0;
}

SEC("?.struct_ops.link")
struct iox_iova_ops writes_request = {
	.select = (void *)write_request,
	.name = "write_request",
};

/* Where the request ends, the kernel's own memory begins. */
SEC("?struct_ops/read_beyond")
u64 BPF_PROG(read_beyond, struct iox_iova_req *req)
{
	return *(u64 *)(void *)(req + 1);
}

SEC("?.struct_ops.link")
struct iox_iova_ops reads_beyond = {
	.select = (void *)read_beyond,
	.name = "read_beyond",
};

SEC("?struct_ops.s/sleep")
u64 BPF_PROG(sleep, struct iox_iova_req *req)
{
	return 0;
}

SEC("?.struct_ops.link")
struct iox_iova_ops sleeps = {
	.select = (void *)sleep,
	.name = "sleep",
};

SEC("?struct_ops/pass_null")
u64 BPF_PROG(pass_null, struct iox_iova_req *req)
{
	return iox_iova_first_gap(NULL, 0, IOX_IOVA_ANY, 0);
}

SEC("?.struct_ops.link")
struct iox_iova_ops passes_null = {
	.select = (void *)pass_null,
	.name = "pass_null",
};

SEC("?struct_ops/pass_forged")
u64 BPF_PROG(pass_forged, struct iox_iova_req *req)
{
	struct iox_iova_req forged = { .length = req->length };

	return iox_iova_first_gap(&forged, 0, IOX_IOVA_ANY, 0);
}

SEC("?.struct_ops.link")
struct iox_iova_ops passes_forged = {
	.select = (void *)pass_forged,
	.name = "pass_forged",
};

SEC("?struct_ops/pass_shifted")
u64 BPF_PROG(pass_shifted, struct iox_iova_req *req)
{
	return iox_iova_first_gap((void *)req + 8, 0, IOX_IOVA_ANY, 0);
}

SEC("?.struct_ops.link")
struct iox_iova_ops passes_shifted = {
	.select = (void *)pass_shifted,
	.name = "pass_shifted",
};

SEC("?struct_ops/pass_ops")
u64 BPF_PROG(pass_ops, struct iox_iova_req *req)
{
	return iox_iova_last_gap((void *)req->ops, 0, IOX_IOVA_ANY, 0);
}

SEC("?.struct_ops.link")
struct iox_iova_ops passes_ops = {
	.select = (void *)pass_ops,
	.name = "pass_ops",
};

/* There is an IOVA space behind the question only in select. */
SEC("?syscall")
int call_from_syscall(void *ctx)
{
	return !!iox_iova_first_gap(ctx, 0, IOX_IOVA_ANY, 0);
}

SEC("?fentry/__iox_iova_select")
int BPF_PROG(call_from_fentry, struct iox_ioas *ioas, struct iox_iova_req *req)
{
	return !!iox_iova_last_gap(req, 0, IOX_IOVA_ANY, 0);
}

SEC("?struct_ops/call_from_tcp")
u32 BPF_PROG(call_from_tcp, struct sock *sk)
{
	return iox_iova_first_gap((void *)sk, 0, IOX_IOVA_ANY, 0);
}

SEC("?.struct_ops.link")
struct tcp_congestion_ops calls_from_tcp = {
	.ssthresh = (void *)call_from_tcp,
	.name = "call_from_tcp",
};
