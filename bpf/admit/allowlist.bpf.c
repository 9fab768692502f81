// SPDX-License-Identifier: GPL-2.0-only
/*
 * allowlist: these users may preserve, and these kinds of devices be preserved.
 *
 * Both lists are empty at first, and then nobody may. They can be changed at any
 * time:
 *
 *	iox policy set allowlist allow_uids 1000
 *	iox policy set allowlist allow_devices 1234:11e8
 *	iox policy set allowlist allow_devices 8086:any
 *
 * lets user 1000 preserve devices 1234:11e8, and all of vendor 8086.
 */
#include <iox/admit.bpf.h>

char LICENSE[] SEC("license") = "GPL";

#define ANY_UID 0xffffffff
#define ANY_ID 0xffff

struct device_id {
	u16 vendor;
	u16 device;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, u8);
} allow_uids SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct device_id);
	__type(value, u8);
} allow_devices SEC(".maps");

static bool has_uid(u32 uid)
{
	u32 any = ANY_UID;

	return bpf_map_lookup_elem(&allow_uids, &uid) ||
	       bpf_map_lookup_elem(&allow_uids, &any);
}

static bool has_device(u16 vendor, u16 device)
{
	struct device_id ids[] = {
		{ vendor, device }, { vendor, ANY_ID }, { ANY_ID, ANY_ID },
	};

	return bpf_map_lookup_elem(&allow_devices, &ids[0]) ||
	       bpf_map_lookup_elem(&allow_devices, &ids[1]) ||
	       bpf_map_lookup_elem(&allow_devices, &ids[2]);
}

static int check(struct iox_admit_req *req)
{
	if (!has_uid(req->uid))
		return IOX_REFUSE(req, -EPERM, "user %u is not in allow_uids",
				  req->uid);
	if (req->kind == IOX_ADMIT_DEVICE &&
	    !has_device(req->vendor, req->device))
		return IOX_REFUSE(req, -EPERM,
				  "device %04x:%04x is not in allow_devices",
				  req->vendor, req->device);
	return 0;
}

SEC("struct_ops/allowlist_mark")
int BPF_PROG(allowlist_mark, struct iox_admit_req *req)
{
	return check(req);
}

SEC("struct_ops/allowlist_preserve")
int BPF_PROG(allowlist_preserve, struct iox_admit_req *req)
{
	return check(req);
}

SEC("struct_ops/allowlist_retrieve")
int BPF_PROG(allowlist_retrieve, struct iox_admit_req *req)
{
	return check(req);
}

SEC(".struct_ops")
struct iox_admit_ops allowlist = {
	.mark = (void *)allowlist_mark,
	.preserve = (void *)allowlist_preserve,
	.retrieve = (void *)allowlist_retrieve,
	.flags = IOX_ADMIT_DENY,
	.name = "allowlist",
};
