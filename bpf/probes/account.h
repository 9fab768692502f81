/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the probes of both iommufds do with an operation that has ended: count it, and report it
 * as an event.
 *
 * Counters are per CPU and written by plain adds. That is enough because the kernel never lets a
 * program interrupt itself on one CPU, and no two programs share an entry. The price is that it
 * may have to skip a run; the kernel counts those (bpf_prog_info.recursion_misses). What is kept
 * by key is for all CPUs, and added to atomically.
 */
#ifndef IOX_PROBES_ACCOUNT_H
#define IOX_PROBES_ACCOUNT_H

/* Set before load; what is not wanted is not in the program that runs. */
const volatile bool follow;		/* only tasks in @followed and all that they fork */
const volatile bool want_stages;
const volatile __u32 by;		/* enum iox_probe_by */
const volatile bool want_events;
const volatile struct iox_probe_filter filter;

/*
 * How far values from 256 to 65535 are shifted for their bucket, by their upper byte: BPF has no
 * instruction for it, and a look-up is shortest.
 */
const volatile __u8 shift_of[256];
const volatile __u8 small_bucket_of[256];	/* of values up to 255 */

/* Of IOX_BY_CHOOSER: the spaces that are looked at, so many of IOX_SHARE_OF and in this cgroup */
const volatile __u32 share;
const volatile __u64 share_cgroup_id;
const volatile __u32 share_cgroup_level;

#define IOX_SHARE_OF		1000
/* hash_64() of the kernel, by which it chooses whose a space is */
#define GOLDEN_RATIO_64		0x61C8864680B583EBULL

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, IOX_PROBE_NR_OPS);
	__type(key, __u32);
	__type(value, struct iox_probe_counts);
} counts SEC(".maps");

/* Has an entry for others from the beginning, one for each operation. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct iox_probe_key);
	__type(value, struct iox_probe_keyed);
} keyed SEC(".maps");

/* A new entry of @keyed, too large for the stack */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct iox_probe_keyed);
} fresh SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dropped SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u8);
} followed SEC(".maps");

static __always_inline bool is_followed(struct task_struct *task)
{
	return bpf_task_storage_get(&followed, task, NULL, 0);
}

/* A child of a followed task is followed too, threads included; this runs before the child does. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(follow_fork, struct task_struct *parent, struct task_struct *child)
{
	if (is_followed(parent))
		bpf_task_storage_get(&followed, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}

static __always_inline bool is_wanted(void)
{
	return !follow || is_followed(bpf_get_current_task_btf());
}

/* iox_hist_index() for what there are buckets for */
static __always_inline __u32 bucket_of(__u64 ns)
{
	__u64 shift, i;

	/* Nearly all of them */
	if (ns < 256)
		return small_bucket_of[ns];
	if (ns < 65536) {
		shift = shift_of[ns >> 8];
		return shift * IOX_HIST_SUB + (ns >> (shift & 15));
	}
	i = iox_hist_index(ns);
	return i < IOX_PROBE_BUCKETS ? i : IOX_PROBE_BUCKETS - 1;
}

static __always_inline void add_to_bucket(__u64 *bucket, __u64 ns)
{
	__u32 i = bucket_of(ns);

	/* For the verifier */
	if (i < IOX_PROBE_BUCKETS)
		bucket[i]++;
}

static __always_inline void count_key(struct iox_probe_keyed *k, const struct iox_event *e)
{
	__u32 i = bucket_of(e->ns);
	__u64 old;

	if (e->result)
		__sync_fetch_and_add(&k->failed, 1);
	else
		__sync_fetch_and_add(&k->bytes, e->length);
	if (e->flags & IOX_EVENT_UNTIMED) {
		__sync_fetch_and_add(&k->untimed, 1);
		return;
	}
	__sync_fetch_and_add(&k->sum_ns, e->ns);
	if (i < IOX_PROBE_BUCKETS)
		__sync_fetch_and_add(&k->bucket[i], 1);
	/* Another CPU that wins every time has a higher one. */
	for (int i = 0; i < 16; i++) {
		old = k->max_ns;
		if (e->ns <= old || __sync_val_compare_and_swap(&k->max_ns, old, e->ns) == old)
			break;
	}
}

static __always_inline bool is_in_share(const struct iox_event *e)
{
	if (share_cgroup_id &&
	    bpf_get_current_ancestor_cgroup_id(share_cgroup_level) != share_cgroup_id)
		return false;
	return (e->space_id * GOLDEN_RATIO_64 >> 32) % IOX_SHARE_OF < share;
}

static __always_inline void set_key(struct iox_probe_key *key, const struct iox_event *e)
{
	key->op = e->op;
	switch (by) {
	case IOX_BY_PROCESS:
		key->id = bpf_get_current_pid_tgid() >> 32;
		break;
	case IOX_BY_IOAS:
		key->id = e->ctx_id;
		key->sub_id = e->ioas_id;
		break;
	case IOX_BY_CGROUP:
		key->id = bpf_get_current_cgroup_id();
		break;
	case IOX_BY_BACKING:
		key->id = e->backing;
		break;
	case IOX_BY_CHOOSER:
		key->id = e->chooser;
		key->sub_id = is_in_share(e);
		break;
	}
}

static __always_inline struct iox_probe_keyed *new_key(const struct iox_probe_key *key)
{
	struct iox_probe_keyed *k;
	__u32 zero = 0;

	k = bpf_map_lookup_elem(&fresh, &zero);
	if (!k)
		return NULL;
	bpf_get_current_comm(k->comm, sizeof(k->comm));
	bpf_map_update_elem(&keyed, key, k, BPF_NOEXIST);
	return bpf_map_lookup_elem(&keyed, key);
}

static __noinline int account_key(const struct iox_event *e)
{
	struct iox_probe_key key = {};
	struct iox_probe_keyed *k;

	/* What is behind an unmap is not known, nor who has chosen where it was. */
	if (!e || ((by == IOX_BY_BACKING || by == IOX_BY_CHOOSER) && e->op > IOX_PROBE_copy))
		return 0;
	set_key(&key, e);
	k = bpf_map_lookup_elem(&keyed, &key);
	if (!k)
		k = new_key(&key);
	if (!k) {
		key.id = IOX_PROBE_OTHERS;
		key.sub_id = 0;
		k = bpf_map_lookup_elem(&keyed, &key);
	}
	if (k)
		count_key(k, e);
	return 0;
}

static __always_inline bool is_selected(const struct iox_event *e)
{
	if (filter.ops && !(filter.ops & (1ULL << (e->op & 63))))
		return false;
	if (filter.failed && !e->result)
		return false;
	if (filter.slower_ns && (e->flags & IOX_EVENT_UNTIMED || e->ns < filter.slower_ns))
		return false;
	if (filter.ioas_id && e->ioas_id != filter.ioas_id)
		return false;
	if (filter.ctx_id && e->ctx_id != filter.ctx_id)
		return false;
	if (filter.tgid && bpf_get_current_pid_tgid() >> 32 != filter.tgid)
		return false;
	if (filter.cgroup_id &&
	    bpf_get_current_ancestor_cgroup_id(filter.cgroup_level) != filter.cgroup_id)
		return false;
	return true;
}

/* The fallback has no events. */
__attribute__((unused)) static __noinline int report(struct iox_event *e)
{
	__u64 ids, *lost;
	__u32 zero = 0;

	if (!e || !is_selected(e))
		return 0;
	ids = bpf_get_current_pid_tgid();
	e->tgid = ids >> 32;
	e->pid = (__u32)ids;
	e->cgroup_id = bpf_get_current_cgroup_id();
	e->end_ns = bpf_ktime_get_ns();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	if (!bpf_ringbuf_output(&events, e, sizeof(*e), 0))
		return 0;
	lost = bpf_map_lookup_elem(&dropped, &zero);
	if (lost)
		(*lost)++;
	return 0;
}

static __always_inline void count_result(struct iox_probe_counts *c, int result, __u64 length)
{
	if (result)
		c->failed++;
	else
		c->bytes += length;
}

static __always_inline void count_time(struct iox_probe_counts *c, __u64 ns)
{
	c->sum_ns += ns;
	if (ns > c->max_ns)
		c->max_ns = ns;
	add_to_bucket(c->bucket, ns);
}

#endif
