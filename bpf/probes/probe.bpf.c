// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations that change an I/O address space, by operation and by stage, on any iommufd.
 *
 * Ours (kernel/iommufd/op.h) tells all of an operation at its end through one tracepoint, so one
 * program runs once, and reads no clock. Linux's own has no such thing: there, one fsession
 * program a function runs at its entry, leaves the time in the session's cookie (a word in the
 * trampoline's stack frame, so there is no map to fill up and nothing to leak when a task dies),
 * and runs again on return. Programs whose place the running iommufd lacks must not be loaded
 * (bpf_program__set_autoload()).
 */
/* Whether vmlinux.h has them depends on the pahole that wrote its BTF. */
#define BPF_NO_KFUNC_PROTOTYPES
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <iox/probe.h>
#include "account.h"

char LICENSE[] SEC("license") = "GPL";

extern __u64 *bpf_session_cookie(void *ctx) __ksym;
extern bool bpf_session_is_return(void *ctx) __ksym;

#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)

/* kernel/iommufd/op.h; vmlinux.h has no types of modules. */
struct iommufd_op {
	u64 ns;
	u64 stage_ns[IOX_PROBE_NR_STAGES];
	u64 before_ns;
	u64 ctx_id;
	u64 space_id;
	u64 iova;
	u64 length;
	u64 addr;
	u64 hint;
	u32 leaves[IOX_PROBE_NR_LEAVES];
	u32 kind;
	int result;
	u32 ioas_id;
	u32 hwpts;
	u32 hwpt_id;
	u32 prot;
	u32 backing;
	u32 chooser;
	u32 described;
};

/* What Linux's own has in it, and all that is looked at */
struct iommufd_ucmd {
	void *ictx;
	void *cmd;
};

#pragma clang attribute pop

/* --- ours ------------------------------------------------------------------ */

static __always_inline void count_stages(struct iox_probe_counts *c, const struct iommufd_op *op)
{
	__u64 ns;

#pragma unroll
	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++) {
		ns = op->stage_ns[i];
		/* A stage that there was not takes no time; none that there was takes less than 1 ns. */
		if (!ns)
			continue;
		c->stage_sum_ns[i] += ns;
		add_to_bucket(c->stage_bucket[i], ns);
	}
}

static __always_inline void count_leaves(struct iox_probe_counts *c, const struct iommufd_op *op)
{
#pragma unroll
	for (int i = 0; i < IOX_PROBE_NR_LEAVES; i++)
		c->leaves[i] += op->leaves[i];
	c->chosen[op->chooser & (IOX_PROBE_NR_CHOOSERS - 1)]++;
}

static __noinline int as_event(struct iox_event *e, struct iommufd_op *op)
{
	if (!e || !op)
		return 0;
	e->ns = op->ns;
#pragma unroll
	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++)
		e->stage_ns[i] = op->stage_ns[i];
	e->before_ns = op->before_ns;
	e->ctx_id = op->ctx_id;
#pragma unroll
	for (int i = 0; i < IOX_PROBE_NR_LEAVES; i++)
		e->leaves[i] = op->leaves[i];
	e->op = op->kind - 1;
	e->result = op->result;
	e->hwpts = op->hwpts;
	e->hwpt_id = op->hwpt_id;
	e->chooser = op->chooser;
	e->flags = IOX_EVENT_STAGED;
	if (!op->described)
		return 0;
	e->flags |= IOX_EVENT_DESCRIBED;
	e->ioas_id = op->ioas_id;
	e->space_id = op->space_id;
	e->iova = op->iova;
	e->length = op->length;
	e->addr = op->addr;
	e->hint = op->hint;
	e->prot = op->prot;
	e->backing = op->backing;
	return 0;
}

SEC("tp_btf/iommufd_op")
int BPF_PROG(operation, struct iommufd_op *op)
{
	struct iox_probe_counts *c;
	__u32 kind;

	if (!op || !is_wanted())
		return 0;
	kind = op->kind - 1;
	c = bpf_map_lookup_elem(&counts, &kind);
	if (!c)
		return 0;
	count_result(c, op->result, op->described ? op->length : 0);
	count_time(c, op->ns);
	if (want_stages)
		count_stages(c, op);
	if (kind < IOX_PROBE_unmap)
		count_leaves(c, op);
	if (by || want_events) {
		struct iox_event e = {};

		as_event(&e, op);
		if (by)
			account_key(&e);
		if (want_events)
			report(&e);
	}
	return 0;
}

/* --- Linux's own ------------------------------------------------------------ */

/* The calls' structures, as in <linux/iommufd.h>, which cannot be included beside vmlinux.h */
struct map_cmd {
	__u32 size, flags, ioas_id, fd;
	__u64 addr, length, iova;
};

struct copy_cmd {
	__u32 size, flags, dst_ioas_id, src_ioas_id;
	__u64 length, dst_iova, src_iova;
};

struct unmap_cmd {
	__u32 size, ioas_id;
	__u64 iova, length;
};

#define MAP_FIXED_IOVA	1
#define MAP_WRITEABLE	2
#define MAP_READABLE	4

static __always_inline __u32 prot_of(__u32 flags)
{
	return (flags & MAP_READABLE ? 1 : 0) | (flags & MAP_WRITEABLE ? 2 : 0);
}

static __always_inline void describe_map(struct iox_event *e, const void *cmd)
{
	struct map_cmd m;

	if (bpf_probe_read_kernel(&m, sizeof(m), cmd))
		return;
	e->ioas_id = m.ioas_id;
	e->iova = m.iova;
	e->length = m.length;
	e->addr = m.addr;
	e->prot = prot_of(m.flags);
	e->chooser = !(m.flags & MAP_FIXED_IOVA);
	e->flags |= IOX_EVENT_DESCRIBED;
}

static __always_inline void describe_copy(struct iox_event *e, const void *cmd)
{
	struct copy_cmd c;

	if (bpf_probe_read_kernel(&c, sizeof(c), cmd))
		return;
	e->ioas_id = c.dst_ioas_id;
	e->iova = c.dst_iova;
	e->length = c.length;
	e->prot = prot_of(c.flags);
	e->chooser = !(c.flags & MAP_FIXED_IOVA);
	e->flags |= IOX_EVENT_DESCRIBED;
}

static __always_inline void describe_unmap(struct iox_event *e, const void *cmd)
{
	struct unmap_cmd u;

	if (bpf_probe_read_kernel(&u, sizeof(u), cmd))
		return;
	e->ioas_id = u.ioas_id;
	e->iova = u.iova;
	e->length = u.length;
	e->flags |= IOX_EVENT_DESCRIBED;
}

static __always_inline void describe_call(struct iox_event *e, struct iommufd_ucmd *ucmd)
{
	const void *cmd = ucmd->cmd;

	e->ctx_id = (__u64)ucmd->ictx;
	if (e->op == IOX_PROBE_map || e->op == IOX_PROBE_map_file)
		describe_map(e, cmd);
	else if (e->op == IOX_PROBE_copy)
		describe_copy(e, cmd);
	else if (e->op == IOX_PROBE_unmap)
		describe_unmap(e, cmd);
	if (e->op == IOX_PROBE_map_file)
		e->backing = 1;
}

/* At the entry: whether it is to be left at that */
static __always_inline bool begins(void *ctx)
{
	if (bpf_session_is_return(ctx))
		return false;
	if (is_wanted())
		*bpf_session_cookie(ctx) = bpf_ktime_get_ns();
	return true;
}

static __always_inline bool ended(void *ctx, struct iox_event *e)
{
	struct iox_probe_counts *c;
	__u64 start = *bpf_session_cookie(ctx);

	if (!start && !is_wanted())
		return false;
	c = bpf_map_lookup_elem(&counts, &e->op);
	if (!c)
		return false;
	count_result(c, e->result, e->length);
	if (start) {
		e->ns = bpf_ktime_get_ns() - start;
		count_time(c, e->ns);
	} else {
		e->flags |= IOX_EVENT_UNTIMED;
		c->untimed++;
	}
	return true;
}

static __always_inline void account(void *ctx, struct iox_event *e)
{
	if (!ended(ctx, e))
		return;
	if (by)
		account_key(e);
	if (want_events)
		report(e);
}

#define IOCTL(id, function)					\
SEC("fsession/" #function)					\
int BPF_PROG(stock_##id, struct iommufd_ucmd *ucmd, int result)	\
{								\
	struct iox_event e = { .op = IOX_PROBE_##id };		\
								\
	if (begins(ctx))					\
		return 0;					\
	e.result = result;					\
	describe_call(&e, ucmd);				\
	account(ctx, &e);					\
	return 0;						\
}

IOCTL(map, iommufd_ioas_map)
IOCTL(map_file, iommufd_ioas_map_file)
IOCTL(copy, iommufd_ioas_copy)
IOCTL(unmap, iommufd_ioas_unmap)
IOCTL(invalidate, iommufd_hwpt_invalidate)

#define ATTACH(id, function)					\
SEC("fsession/" #function)					\
int BPF_PROG(stock_##id, void *idev, u32 pasid, u32 *pt_id, int result)	\
{								\
	struct iox_event e = { .op = IOX_PROBE_attach };	\
								\
	if (begins(ctx))					\
		return 0;					\
	e.result = result;					\
	account(ctx, &e);					\
	return 0;						\
}

ATTACH(attach, iommufd_device_attach)
ATTACH(replace, iommufd_device_replace)

SEC("fsession/iommufd_device_detach")
int BPF_PROG(stock_detach)
{
	struct iox_event e = { .op = IOX_PROBE_detach };

	if (!begins(ctx))
		account(ctx, &e);
	return 0;
}

SEC("fsession/iommufd_access_pin_pages")
int BPF_PROG(stock_pin, void *access, u64 iova, u64 length, void *pages, u32 flags, int result)
{
	struct iox_event e = { .op = IOX_PROBE_pin };

	if (begins(ctx))
		return 0;
	e.result = result;
	e.iova = iova;
	e.length = length;
	account(ctx, &e);
	return 0;
}

SEC("fsession/iommufd_ioas_destroy")
int BPF_PROG(stock_destroy, struct iommufd_object *obj)
{
	struct iox_event e = { .op = IOX_PROBE_destroy };

	if (begins(ctx))
		return 0;
	/* Not freed before its caller does that */
	e.ioas_id = obj->id;
	e.flags = IOX_EVENT_DESCRIBED;
	account(ctx, &e);
	return 0;
}
