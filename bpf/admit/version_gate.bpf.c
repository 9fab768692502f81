// SPDX-License-Identifier: GPL-2.0-only
/*
 * version_gate: state is carried only into kernels that are listed.
 *
 * The list is empty at first, and then there is no jump while anything is
 * preserved. It has what uname -r says in the next kernel:
 *
 *	iox policy set version_gate gate_releases 7.3.4-iox
 *
 * Where that is not said, they stay in this kernel.
 */
#include <iox/admit.bpf.h>

char LICENSE[] SEC("license") = "GPL";

struct release {
	char name[65];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct release);
	__type(value, u8);
} gate_releases SEC(".maps");

SEC("struct_ops/version_gate_freeze")
int BPF_PROG(version_gate_freeze, struct iox_admit_req *req)
{
	struct release next = {};

	bpf_probe_read_kernel_str(next.name, sizeof(next.name),
				  req->peer_release);
	if (!next.name[0])
		return IOX_REFUSE(req, -EPERM,
				  "the next kernel does not say what it is");
	if (!bpf_map_lookup_elem(&gate_releases, &next))
		return IOX_REFUSE(req, -EPERM, "%s is not in gate_releases",
				  (u64)next.name);
	return 0;
}

SEC(".struct_ops")
struct iox_admit_ops version_gate = {
	.freeze = (void *)version_gate_freeze,
	.flags = IOX_ADMIT_DENY,
	.name = "version_gate",
};
