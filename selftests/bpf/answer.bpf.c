// SPDX-License-Identifier: GPL-2.0-only
/*
 * A policy that answers what the test tells it to, nonsense included, and
 * writes down what it was asked. There are two of it, for tests in which one
 * follows the other.
 */
#include <iox/policy.bpf.h>

#include "answer.h"

char LICENSE[] SEC("license") = "GPL";

/* A section each makes a map each, which the test has in its memory. */
struct answer_control control SEC(".data.control");
struct answer_seen seen SEC(".data.seen");

static __always_inline void write_down(struct iox_iova_req *req)
{
	seen.calls++;
	seen.ctx_id = req->ctx_id;
	seen.cgroup_id = req->cgroup_id;
	seen.current_cgroup_id = bpf_get_current_cgroup_id();
	seen.length = req->length;
	seen.addr = req->addr;
	seen.align = req->align;
	seen.hint = req->hint;
	seen.nr_areas = req->nr_areas;
	seen.ioas_id = req->ioas_id;
	seen.prot = req->prot;
	seen.backing = req->backing;
}

SEC("struct_ops/answer_select")
u64 BPF_PROG(answer_select, struct iox_iova_req *req)
{
	write_down(req);
	switch (control.mode) {
	case ANSWER_FIRST_GAP:
		seen.answer = iox_iova_first_gap(req, control.min, control.max,
						 control.align);
		break;
	case ANSWER_LAST_GAP:
		seen.answer = iox_iova_last_gap(req, control.min, control.max,
						control.align);
		break;
	default:
		seen.answer = control.value;
	}
	return seen.answer;
}

SEC("?.struct_ops.link")
struct iox_iova_ops answer = {
	.select = (void *)answer_select,
	.name = "answer",
};

SEC("?.struct_ops.link")
struct iox_iova_ops answer_again = {
	.select = (void *)answer_select,
	.name = "answer_again",
};
