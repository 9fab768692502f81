// SPDX-License-Identifier: GPL-2.0-only
/*
 * A policy that has all that a policy can have, counts how it is called, and
 * answers as the test tells it to.
 */
#include <iox/policy.bpf.h>

#include "witness.h"

char LICENSE[] SEC("license") = "GPL";

/* A section each makes a map each, which the test has in its memory. */
struct witness_control control SEC(".data.control");
struct witness_seen seen SEC(".data.seen");

/* A policy can keep what it likes for each address space: here, maps in force. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u64);
} spaces SEC(".maps");

static u64 highest_hole(struct iox_iova_req *req)
{
	struct iox_gap *gap;
	u64 start = 0;

	seen.holes = 0;
	bpf_for_each(iox_gap, gap, req, 0, IOX_IOVA_ANY) {
		start = gap->start;
		seen.holes++;
	}
	return iox_iova_first_gap(req, start, IOX_IOVA_ANY, 0);
}

static u64 second_window(struct iox_iova_req *req)
{
	struct iox_gap window;

	if (iox_iova_window(req, 1, &window))
		return -ENXIO;
	return iox_iova_first_gap(req, window.start, window.last, 0);
}

static long spin_more(u64 index, void *data)
{
	seen.turns++;
	return 0;
}

static long spin(u64 index, void *data)
{
	bpf_loop(100000, spin_more, NULL, 0);
	return 0;
}

SEC("struct_ops/witness_select")
u64 BPF_PROG(witness_select, struct iox_iova_req *req)
{
	u64 key = req->space_id;

	seen.space_id = key;
	if (!bpf_map_lookup_elem(&spaces, &key))
		__sync_fetch_and_add(&seen.late, 1);
	switch (control.mode) {
	case WITNESS_VALUE:
		return control.value;
	case WITNESS_FIRST_GAP:
		return iox_iova_first_gap(req, control.value, IOX_IOVA_ANY, 0);
	case WITNESS_BEST_GAP:
		return iox_iova_best_gap(req, control.value, IOX_IOVA_ANY, 0);
	case WITNESS_HIGHEST_HOLE:
		return highest_hole(req);
	case WITNESS_SECOND_WINDOW:
		return second_window(req);
	case WITNESS_GIVE_UP:
		IOX_GIVE_UP(req, -EPROTO, "length %llu, hint %llx, word %s",
			    req->length, req->hint, "last");
		return IOX_NO_OPINION;
	case WITNESS_SPIN:
		bpf_loop(control.value, spin, NULL, 0);
		return IOX_NO_OPINION;
	default:
		return IOX_NO_OPINION;
	}
}

SEC("struct_ops/witness_ioas_init")
int BPF_PROG(witness_ioas_init, struct iox_ioas *ioas)
{
	u64 key = ioas->space_id, none = 0;

	if (control.ioas_init_err)
		return control.ioas_init_err;
	__sync_fetch_and_add(&seen.ioas_inits, 1);
	return bpf_map_update_elem(&spaces, &key, &none, BPF_NOEXIST);
}

SEC("struct_ops/witness_ioas_exit")
void BPF_PROG(witness_ioas_exit, struct iox_ioas *ioas)
{
	u64 key = ioas->space_id;

	__sync_fetch_and_add(&seen.ioas_exits, 1);
	bpf_map_delete_elem(&spaces, &key);
}

SEC("struct_ops/witness_mapped")
void BPF_PROG(witness_mapped, struct iox_iova_area *area)
{
	u64 key = area->space_id;

	if (!bpf_map_lookup_elem(&spaces, &key))
		__sync_fetch_and_add(&seen.late, 1);
	seen.backing = area->backing;
	seen.prot = area->prot;
	__sync_fetch_and_add(&seen.maps, 1);
	__sync_fetch_and_add(&seen.mapped, area->length);
}

SEC("struct_ops/witness_unmapped")
void BPF_PROG(witness_unmapped, struct iox_iova_area *area)
{
	u64 key = area->space_id;

	if (!bpf_map_lookup_elem(&spaces, &key))
		__sync_fetch_and_add(&seen.late, 1);
	seen.backing = area->backing;
	seen.prot = area->prot;
	__sync_fetch_and_add(&seen.unmaps, 1);
	__sync_fetch_and_add(&seen.unmapped, area->length);
}

SEC("struct_ops/witness_init")
int BPF_PROG(witness_init)
{
	if (control.init_err)
		return control.init_err;
	seen.inits++;
	return 0;
}

SEC("struct_ops/witness_exit")
void BPF_PROG(witness_exit, struct iox_exit_info *info)
{
	seen.exits++;
	seen.exit_kind = info->kind;
	seen.exit_err = info->err;
	seen.exit_length = info->length;
	bpf_probe_read_kernel_str(seen.exit_msg, sizeof(seen.exit_msg),
				  info->msg);
}

SEC("?.struct_ops.link")
struct iox_iova_ops witness = {
	.select = (void *)witness_select,
	.ioas_init = (void *)witness_ioas_init,
	.ioas_exit = (void *)witness_ioas_exit,
	.mapped = (void *)witness_mapped,
	.unmapped = (void *)witness_unmapped,
	.init = (void *)witness_init,
	.exit = (void *)witness_exit,
	.name = "witness",
};
