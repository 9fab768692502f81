// SPDX-License-Identifier: GPL-2.0-only
/*
 * budget: so many bytes and devices are preserved at once, for each cgroup and for
 * the host.
 *
 * What is preserved delays the jump, and holds memory that the next kernel cannot
 * move. Without an entry in budget_limits there is no limit:
 *
 *	iox policy set budget budget_limits host bytes=64G devices=8
 *	iox policy set budget budget_limits /sys/fs/cgroup/vm1 bytes=4G devices=1
 *
 * The first is for all of the host together, the second for tasks in that cgroup
 * and not below; bytes are those that devices can reach. Entries can be changed at
 * any time; budget_used has what is preserved now, under the same keys.
 */
#include <iox/admit.bpf.h>

char LICENSE[] SEC("license") = "GPL";

#define HOST 0

/* So that its name says what the number is. */
struct who {
	u64 cgroup_id;
};

struct amount {
	u64 bytes;
	u64 devices;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct who);
	__type(value, struct amount);
} budget_limits SEC(".maps"), budget_used SEC(".maps");

struct holding {
	u64 cgroup_id;
	struct amount amount;
};

/* By the id of the admission, for unpreserve. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct holding);
} budget_held SEC(".maps");

static struct amount used_by(u64 who)
{
	struct amount *used = bpf_map_lookup_elem(&budget_used, &who);

	return used ? *used : (struct amount){};
}

/* 0, or why not. */
static int check(struct iox_admit_req *req, u64 who, const struct amount *more)
{
	struct amount *limit = bpf_map_lookup_elem(&budget_limits, &who);
	struct amount used = used_by(who);

	if (!limit)
		return 0;
	if (more->bytes && used.bytes + more->bytes > limit->bytes)
		return IOX_REFUSE(req, -EDQUOT,
				  "%llu bytes more than %llu of %llu for cgroup %llu",
				  more->bytes, used.bytes, limit->bytes, who);
	if (more->devices && used.devices + more->devices > limit->devices)
		return IOX_REFUSE(req, -EDQUOT,
				  "a device more than %llu of %llu for cgroup %llu",
				  used.devices, limit->devices, who);
	return 0;
}

/* One at a time: policies are asked under a mutex. */
static int add(u64 who, const struct amount *more)
{
	struct amount used = used_by(who);

	used.bytes += more->bytes;
	used.devices += more->devices;
	return bpf_map_update_elem(&budget_used, &who, &used, BPF_ANY);
}

static void take_back(u64 who, const struct amount *less)
{
	struct amount *used = bpf_map_lookup_elem(&budget_used, &who);

	if (!used)
		return;
	used->bytes -= less->bytes;
	used->devices -= less->devices;
	if (!used->bytes && !used->devices)
		bpf_map_delete_elem(&budget_used, &who);
}

static int hold(struct iox_admit_req *req, const struct holding *holding)
{
	u64 id = req->id;

	if (bpf_map_update_elem(&budget_held, &id, holding, BPF_ANY))
		return -ENOMEM;
	if (add(HOST, &holding->amount))
		goto forget;
	if (add(holding->cgroup_id, &holding->amount))
		goto take_back;
	return 0;

take_back:
	take_back(HOST, &holding->amount);
forget:
	bpf_map_delete_elem(&budget_held, &id);
	return -ENOMEM;
}

SEC("struct_ops/budget_preserve")
int BPF_PROG(budget_preserve, struct iox_admit_req *req)
{
	struct holding holding = {
		.cgroup_id = req->cgroup_id,
		.amount.bytes = req->mapped_bytes,
		.amount.devices = req->kind == IOX_ADMIT_DEVICE,
	};
	int err;

	err = check(req, HOST, &holding.amount);
	if (!err)
		err = check(req, holding.cgroup_id, &holding.amount);
	if (err)
		return err;
	err = hold(req, &holding);
	if (err)
		return IOX_REFUSE(req, err, "no room left to count it");
	return 0;
}

SEC("struct_ops/budget_unpreserve")
void BPF_PROG(budget_unpreserve, struct iox_admit_req *req)
{
	struct holding *holding, was;
	u64 id = req->id;

	holding = bpf_map_lookup_elem(&budget_held, &id);
	if (!holding)
		return;
	was = *holding;
	bpf_map_delete_elem(&budget_held, &id);
	take_back(HOST, &was.amount);
	take_back(was.cgroup_id, &was.amount);
}

SEC(".struct_ops")
struct iox_admit_ops budget = {
	.preserve = (void *)budget_preserve,
	.unpreserve = (void *)budget_unpreserve,
	.flags = IOX_ADMIT_DENY,
	.name = "budget",
};
