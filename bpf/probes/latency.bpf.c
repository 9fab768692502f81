// SPDX-License-Identifier: GPL-2.0-only
/*
 * Latency of the calls that change an I/O address space, by operation, on any iommufd: ours
 * and Linux's own.
 *
 * One fsession program an ioctl handler: it runs on entry, leaves the time in the session's
 * cookie (a word in the trampoline's stack frame, so there is no map to fill up and nothing to
 * leak when a task dies), and runs again on return. A handler that the running iommufd lacks
 * must not be loaded (bpf_program__set_autoload()).
 *
 * What is measured is the handler: the ioctl without the system call's entry and without the
 * copy of its arguments.
 *
 * Exactness: counters are per CPU and written by plain adds. That is enough because the kernel
 * never lets a program interrupt itself on one CPU, and no two programs share an entry. The
 * price is that it may have to skip a run; the kernel counts those
 * (bpf_prog_info.recursion_misses), and a call that lost only its entry is counted as untimed.
 */
/* Whether vmlinux.h has them depends on the pahole that wrote its BTF. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <iox/latency.h>

char LICENSE[] SEC("license") = "GPL";

extern __u64 *bpf_session_cookie(void *ctx) __ksym;
extern bool bpf_session_is_return(void *ctx) __ksym;

/* Count only tasks in @followed and all that they fork; set before load. */
const volatile bool follow;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, IOX_LATENCY_NR);
	__type(key, __u32);
	__type(value, struct iox_latency);
} latency SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u8);
} followed SEC(".maps");

static bool is_followed(struct task_struct *task)
{
	return bpf_task_storage_get(&followed, task, NULL, 0);
}

static bool is_wanted(void)
{
	return !follow || is_followed(bpf_get_current_task_btf());
}

static void account(__u32 op, __u64 start, int result)
{
	struct iox_latency *l = bpf_map_lookup_elem(&latency, &op);
	__u64 ns;
	__u32 i;

	if (!l)
		return;
	if (result)
		l->failed++;
	if (!start) {
		l->untimed++;
		return;
	}
	ns = bpf_ktime_get_ns() - start;
	l->sum_ns += ns;
	if (ns > l->max_ns)
		l->max_ns = ns;
	i = iox_hist_index(ns);
	if (i < IOX_HIST_BUCKETS)
		l->hist.bucket[i]++;
}

static void session(void *ctx, __u32 op, int result)
{
	__u64 *start = bpf_session_cookie(ctx);

	if (!bpf_session_is_return(ctx)) {
		if (is_wanted())
			*start = bpf_ktime_get_ns();
		return;
	}
	if (*start || is_wanted())
		account(op, *start, result);
}

#define IOX_LATENCY_PROG(id, name, handler)			\
SEC("fsession/" #handler)					\
int BPF_PROG(latency_##id, void *ucmd, int result)		\
{								\
	session(ctx, IOX_LATENCY_##id, result);			\
	return 0;						\
}
IOX_LATENCY_OPS(IOX_LATENCY_PROG)

/* A child of a followed task is followed too, threads included; this runs before the child does. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(follow_fork, struct task_struct *parent, struct task_struct *child)
{
	if (is_followed(parent))
		bpf_task_storage_get(&followed, child, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return 0;
}
