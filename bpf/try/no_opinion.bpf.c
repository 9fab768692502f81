// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaves everything to the built-in allocator: what iox policy try measures that with, so that
 * another policy in force does not decide in its place. It is part of the iox command.
 */
#include <iox/policy.bpf.h>

char LICENSE[] SEC("license") = "GPL";

SEC("struct_ops/no_opinion_select")
u64 BPF_PROG(no_opinion_select, struct iox_iova_req *req)
{
	return IOX_NO_OPINION;
}

SEC(".struct_ops.link")
struct iox_iova_ops no_opinion = {
	.select = (void *)no_opinion_select,
	.name = "built-in",
};
