// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two admission policies that write down what they are asked, and answer as the
 * test tells them to.
 */
#include <iox/admit.bpf.h>

#include "admit_witness.h"

char LICENSE[] SEC("license") = "GPL";

struct admit_control control[NR_WITNESSES] SEC(".data.control");
struct admit_seen seen[NR_WITNESSES] SEC(".data.seen");
u32 turns;

#define TAKE(field) seen[who].last.field = req->field
#define TAKE_TEXT(field)						\
	bpf_probe_read_kernel_str(seen[who].last.field,			\
				  sizeof(seen[who].last.field), req->field)

static void write_down(struct iox_admit_req *req, u32 who)
{
	TAKE(id);
	TAKE(cgroup_id);
	TAKE(token);
	TAKE(iommufd_token);
	TAKE(mapped_bytes);
	TAKE(pt_bytes);
	TAKE(step);
	TAKE(kind);
	TAKE(uid);
	TAKE(pid);
	TAKE(nr_hwpts);
	TAKE(backings);
	TAKE(segment);
	TAKE(bdf);
	TAKE(vendor);
	TAKE(device);
	TAKE(class);
	TAKE(irqs_on);
	TAKE_TEXT(session);
	TAKE_TEXT(abi);
	TAKE_TEXT(release);
	TAKE_TEXT(peer_release);
	TAKE_TEXT(peer_abi);
}

static long spin_more(u64 index, void *data)
{
	return 0;
}

static long spin(u64 index, void *data)
{
	bpf_loop(100000, spin_more, NULL, 0);
	return 0;
}

static int testify(struct iox_admit_req *req, u32 who, u32 step)
{
	write_down(req, who);
	seen[who].calls[step]++;
	seen[who].turn = ++turns;
	if (control[who].spin)
		bpf_loop(control[who].spin, spin, NULL, 0);
	if (control[who].answer[step])
		IOX_ADMIT_REASON(req, "witness %u of step %u", who, step);
	return control[who].answer[step];
}

#define WITNESS(it, who)						\
SEC("struct_ops/" #it "_mark")						\
int BPF_PROG(it##_mark, struct iox_admit_req *req)			\
{									\
	return testify(req, who, STEP_MARK);				\
}									\
SEC("struct_ops/" #it "_preserve")					\
int BPF_PROG(it##_preserve, struct iox_admit_req *req)			\
{									\
	return testify(req, who, STEP_PRESERVE);			\
}									\
SEC("struct_ops/" #it "_freeze")					\
int BPF_PROG(it##_freeze, struct iox_admit_req *req)			\
{									\
	return testify(req, who, STEP_FREEZE);				\
}									\
SEC("struct_ops/" #it "_retrieve")					\
int BPF_PROG(it##_retrieve, struct iox_admit_req *req)			\
{									\
	return testify(req, who, STEP_RETRIEVE);			\
}									\
SEC("struct_ops/" #it "_unpreserve")					\
void BPF_PROG(it##_unpreserve, struct iox_admit_req *req)		\
{									\
	write_down(req, who);						\
	seen[who].calls[STEP_UNPRESERVE]++;				\
	seen[who].turn = ++turns;					\
}									\
SEC(".struct_ops.link")							\
struct iox_admit_ops it = {						\
	.mark = (void *)it##_mark,					\
	.preserve = (void *)it##_preserve,				\
	.freeze = (void *)it##_freeze,					\
	.retrieve = (void *)it##_retrieve,				\
	.unpreserve = (void *)it##_unpreserve,				\
	.name = #it,							\
}

WITNESS(first, 0);
WITNESS(second, 1);
