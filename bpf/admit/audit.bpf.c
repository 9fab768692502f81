// SPDX-License-Identifier: GPL-2.0-only
/*
 * audit: allow everything, and remember the last 1024 requests.
 *
 *	iox policy get audit audit_log
 *
 * prints them; n counts from 1, and request n is at (n - 1) % 1024. Loaded behind
 * others, it sees what these have allowed; what they refuse is in the kernel's
 * log.
 */
#include <iox/admit.bpf.h>

char LICENSE[] SEC("license") = "GPL";

#define ENTRIES 1024

struct audit_entry {
	u64 n;
	u64 boot_ns;
	u64 id;
	u64 cgroup_id;
	u64 token;
	u64 mapped_bytes;
	u32 step;
	u32 kind;
	u32 uid;
	u32 pid;
	u32 vendor;
	u32 device;
	char session[64];
	char peer_release[65];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ENTRIES);
	__type(key, u32);
	__type(value, struct audit_entry);
} audit_log SEC(".maps");

/* One at a time: policies are asked under a mutex. */
u64 requests;

static int record(struct iox_admit_req *req)
{
	u32 slot = requests % ENTRIES;
	struct audit_entry *entry = bpf_map_lookup_elem(&audit_log, &slot);

	if (!entry)
		return 0;
	entry->n = ++requests;
	entry->boot_ns = bpf_ktime_get_boot_ns();
	entry->id = req->id;
	entry->cgroup_id = req->cgroup_id;
	entry->token = req->token;
	entry->mapped_bytes = req->mapped_bytes;
	entry->step = req->step;
	entry->kind = req->kind;
	entry->uid = req->uid;
	entry->pid = req->pid;
	entry->vendor = req->vendor;
	entry->device = req->device;
	bpf_probe_read_kernel_str(entry->session, sizeof(entry->session),
				  req->session);
	bpf_probe_read_kernel_str(entry->peer_release,
				  sizeof(entry->peer_release),
				  req->peer_release);
	return 0;
}

SEC("struct_ops/audit_mark")
int BPF_PROG(audit_mark, struct iox_admit_req *req)
{
	return record(req);
}

SEC("struct_ops/audit_preserve")
int BPF_PROG(audit_preserve, struct iox_admit_req *req)
{
	return record(req);
}

SEC("struct_ops/audit_freeze")
int BPF_PROG(audit_freeze, struct iox_admit_req *req)
{
	return record(req);
}

SEC("struct_ops/audit_retrieve")
int BPF_PROG(audit_retrieve, struct iox_admit_req *req)
{
	return record(req);
}

SEC(".struct_ops")
struct iox_admit_ops audit = {
	.mark = (void *)audit_mark,
	.preserve = (void *)audit_preserve,
	.freeze = (void *)audit_freeze,
	.retrieve = (void *)audit_retrieve,
	.name = "audit",
};
