// SPDX-License-Identifier: GPL-2.0-only
/* Policies that rollouts bring to a host, for rollout_test: good ones, and those that guards have to stop. */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

#define NONSENSE 1		/* no IOVA is as little aligned */
#define ENOSPC 28
/* Far more than a map takes, far less than what the kernel ejects for */
#define SLOW_NS 5000000

static __always_inline u64 high(struct iox_iova_req *req)
{
	return iox_iova_first_gap(req, 1ULL << 40, IOX_IOVA_ANY, 0);
}

SEC("?struct_ops/good_select")
u64 BPF_PROG(good_select, struct iox_iova_req *req)
{
	return high(req);
}

SEC("?struct_ops/better_select")
u64 BPF_PROG(better_select, struct iox_iova_req *req)
{
	return iox_iova_first_gap(req, 1ULL << 41, IOX_IOVA_ANY, 0);
}

SEC("?struct_ops/slow_select")
u64 BPF_PROG(slow_select, struct iox_iova_req *req)
{
	u64 end = bpf_ktime_get_ns() + SLOW_NS;
	int i;

	bpf_for(i, 0, 8000000)
		if (bpf_ktime_get_ns() > end)
			break;
	return high(req);
}

u32 answers;

/* So that the kernel does not eject it, one answer in four is good. */
SEC("?struct_ops/wrong_select")
u64 BPF_PROG(wrong_select, struct iox_iova_req *req)
{
	return answers++ & 3 ? NONSENSE : high(req);
}

/* This one it does. */
SEC("?struct_ops/faulty_select")
u64 BPF_PROG(faulty_select, struct iox_iova_req *req)
{
	return NONSENSE;
}

SEC("?struct_ops/empty_select")
u64 BPF_PROG(empty_select, struct iox_iova_req *req)
{
	return IOX_NO_OPINION;
}

SEC("?struct_ops/full_select")
u64 BPF_PROG(full_select, struct iox_iova_req *req)
{
	return -ENOSPC;
}

#define POLICY(_name)				\
SEC("?.struct_ops.link")			\
struct iox_iova_ops _name = {			\
	.select = (void *)_name##_select,	\
	.name = #_name,				\
}

POLICY(good);
POLICY(better);
POLICY(slow);
POLICY(wrong);
POLICY(faulty);
POLICY(empty);
POLICY(full);

SEC("?.struct_ops.link")
struct iox_iova_ops strict = {
	.select = (void *)empty_select,
	.name = "strict",
	.flags = IOX_STRICT,
};
