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

/* What is mapped is as it is. */
SEC("?struct_ops/write_area")
void BPF_PROG(write_area, struct iox_iova_area *area)
{
	area->iova = 0;
}

SEC("?.struct_ops.link")
struct iox_iova_ops writes_area = {
	.mapped = (void *)write_area,
	.name = "write_area",
};

SEC("?struct_ops/window_too_small")
u64 BPF_PROG(window_too_small, struct iox_iova_req *req)
{
	u64 half;

	return iox_iova_window(req, 0, (void *)&half) ? 0 : half;
}

SEC("?.struct_ops.link")
struct iox_iova_ops has_no_room_for_window = {
	.select = (void *)window_too_small,
	.name = "small_window",
};

SEC("?struct_ops/next_without_new")
u64 BPF_PROG(next_without_new, struct iox_iova_req *req)
{
	struct bpf_iter_iox_gap it = {};
	struct iox_gap *gap = bpf_iter_iox_gap_next(&it);

	return gap ? gap->start : 0;
}

SEC("?.struct_ops.link")
struct iox_iova_ops walks_from_nowhere = {
	.select = (void *)next_without_new,
	.name = "no_new",
};

SEC("?struct_ops/new_without_destroy")
u64 BPF_PROG(new_without_destroy, struct iox_iova_req *req)
{
	struct bpf_iter_iox_gap it;

	return bpf_iter_iox_gap_new(&it, req, 0, IOX_IOVA_ANY);
}

SEC("?.struct_ops.link")
struct iox_iova_ops walks_without_end = {
	.select = (void *)new_without_destroy,
	.name = "no_destroy",
};

SEC("?struct_ops/write_gap")
u64 BPF_PROG(write_gap, struct iox_iova_req *req)
{
	struct iox_gap *gap;

	bpf_for_each(iox_gap, gap, req, 0, IOX_IOVA_ANY)
		gap->start = 0;
	return 0;
}

SEC("?.struct_ops.link")
struct iox_iova_ops writes_gap = {
	.select = (void *)write_gap,
	.name = "write_gap",
};

SEC("?struct_ops/never_end")
u64 BPF_PROG(never_end, struct iox_iova_req *req)
{
	while (req->length)
		barrier();
	return 0;
}

SEC("?.struct_ops.link")
struct iox_iova_ops never_ends = {
	.select = (void *)never_end,
	.name = "never_end",
};

/* There is an IOVA space behind the question only in select. */
SEC("?struct_ops/ask_in_mapped")
void BPF_PROG(ask_in_mapped, struct iox_iova_area *area)
{
	iox_iova_best_gap((void *)area, 0, IOX_IOVA_ANY, 0);
}

SEC("?.struct_ops.link")
struct iox_iova_ops asks_in_mapped = {
	.mapped = (void *)ask_in_mapped,
	.name = "ask_in_mapped",
};

SEC("?struct_ops/give_up_in_exit")
void BPF_PROG(give_up_in_exit, struct iox_exit_info *info)
{
	IOX_GIVE_UP((void *)info, 0, "too late");
}

SEC("?.struct_ops.link")
struct iox_iova_ops gives_up_in_exit = {
	.exit = (void *)give_up_in_exit,
	.name = "too_late",
};

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
