/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one operation on an I/O address space did, and where its time went.
 *
 * As long as nobody watches, that is counts (iter/iox_op) or listens to the
 * tracepoint iommufd_op, nothing of this exists but nops. With a watcher, an
 * operation has a struct iommufd_op on the stack of who began it, which the
 * functions below fill as it passes through them, and which is counted, and goes
 * to the tracepoint as a whole, at the end: one event an operation.
 *
 * An operation that nobody watched when it began is not seen: every function
 * here takes a %NULL pointer for that. One that nobody listened to then is counted
 * only, and not described.
 */
#ifndef IOMMUFD_OP_H
#define IOMMUFD_OP_H

#include <linux/iox.h>
#include <linux/iox_op.h>
#include <linux/minmax.h>
#include <linux/pfn.h>
#include <linux/pgtable.h>
#include <linux/sched/clock.h>
#include <linux/tracepoint-defs.h>
#include <linux/types.h>
#ifdef CONFIG_X86_TSC
#include <asm/msr.h>
#endif

DECLARE_TRACEPOINT(iommufd_op);

/**
 * struct iommufd_op - one operation
 * @ns: how long it took
 * @stage_ns: of that, in each stage, all domains together; in units of the clock
 *	until the end
 * @before_ns: of that, before the first stage; likewise
 * @ctx_id: the open /dev/iommu, a number never used twice until reboot
 * @space_id: the address space, such a number too; 0 if it was not found
 * @iova: where; of a map that failed, where it should have been
 * @length: bytes; of an unmap, what was unmapped; 0 if the space was not found
 * @addr: user address, or offset in the file or dma-buf
 * @hint: where an automatic IOVA was wanted, or 0
 * @leaves: how many leaves of each size were written, all domains together
 * @kind: enum iommufd_op_kind
 * @result: 0 or an errno
 * @ioas_id: object id of the IOAS, 0 if there is none
 * @hwpts: how many domains it was done in
 * @hwpt_id: of an attach or detach, the object id of the HWPT
 * @prot: enum iox_prot bits
 * @backing: enum iox_backing
 * @chooser: enum iox_try_answer: who chose the IOVA
 * @described: @space_id to @hint, @ioas_id, @prot and @backing are known; what is
 *	in them, but for @length, is undefined otherwise
 * @traced: somebody listened when it began; otherwise @before_ns, @ctx_id, @iova,
 *	@hwpts, @hwpt_id and @described are undefined, too
 * @begin: clock when it began
 * @last: clock at the end of the stage before
 */
struct iommufd_op {
	u64 ns;
	u64 stage_ns[IOMMUFD_NR_STAGES];
	u64 before_ns;
	u64 ctx_id;
	u64 space_id;
	u64 iova;
	u64 length;
	u64 addr;
	u64 hint;
	u32 leaves[IOMMUFD_NR_LEAVES];
	u32 chooser;
	u32 kind;
	u32 traced;
	int result;
	u32 ioas_id;
	u32 hwpts;
	u32 hwpt_id;
	u32 prot;
	u32 backing;
	u32 described;
	u64 begin;
	u64 last;
};

struct iommufd_area;
struct iommufd_ioas;
struct iommufd_ucmd;

void __iommufd_op_describe(struct iommufd_op *op,
			   const struct iommufd_ioas *ioas, u64 iova);
void __iommufd_op_describe_map(struct iommufd_op *op,
			       const struct iommufd_ioas *ioas, u64 iova,
			       bool fixed, const struct iox_iova_req *req);
void __iommufd_op_leaves(struct iommufd_op *op, unsigned long pgsizes,
			 unsigned long iova, phys_addr_t phys, size_t size);
void __iommufd_op_end(struct iommufd_op *op, int result);
int iommufd_op_execute(int (*execute)(struct iommufd_ucmd *ucmd),
		       enum iommufd_op_kind kind, struct iommufd_ucmd *ucmd);

/* Does anybody count, or listen? */
static __always_inline bool iommufd_op_watched(void)
{
	return static_branch_unlikely(&iox_op_watched);
}

/*
 * Whether there is something to be told of @op. The key comes first: nobody looks
 * at the pointer while it is off.
 */
static __always_inline bool iommufd_op_is_seen(const struct iommufd_op *op)
{
	return iommufd_op_watched() && op;
}

/* Likewise, for what only listeners are told of it */
static __always_inline bool iommufd_op_is_traced(const struct iommufd_op *op)
{
	return tracepoint_enabled(iommufd_op) && op->traced;
}

/*
 * The TSC where all CPUs agree on it: an operation on one page has half a dozen
 * stages, and asking sched_clock() each time would take longer than some of them.
 */
static __always_inline u64 iommufd_op_clock(void)
{
#ifdef CONFIG_X86_TSC
	if (static_branch_likely(&iox_op_tsc))
		return rdtsc();
#endif
	return local_clock();
}

/* Only what need not be written later: all of it is more than all else here. */
static __always_inline struct iommufd_op *
__iommufd_op_begin(struct iommufd_op *op, u64 ctx_id, enum iommufd_op_kind kind)
{
	unsigned int i;

	for (i = 0; i < IOMMUFD_NR_STAGES; i++)
		op->stage_ns[i] = 0;
	for (i = 0; i < IOMMUFD_NR_LEAVES; i++)
		op->leaves[i] = 0;
	op->chooser = 0;
	op->length = 0;
	op->kind = kind;
	op->traced = 0;
	if (tracepoint_enabled(iommufd_op)) {
		op->traced = 1;
		op->before_ns = 0;
		op->ctx_id = ctx_id;
		op->hwpts = 0;
		op->hwpt_id = 0;
		op->described = 0;
	}
	op->begin = iommufd_op_clock();
	op->last = op->begin;
	return op;
}

/**
 * iommufd_op_begin - an operation begins
 * @op: room on the caller's stack, __uninitialized
 * @ctx_id: of the context
 * @kind: what it is
 *
 * Return: @op, or %NULL when nobody watches.
 */
static __always_inline struct iommufd_op *
iommufd_op_begin(struct iommufd_op *op, u64 ctx_id, enum iommufd_op_kind kind)
{
	return iommufd_op_watched() ? __iommufd_op_begin(op, ctx_id, kind) :
				      NULL;
}

static __always_inline void __iommufd_op_first_stage(struct iommufd_op *op)
{
	op->last = iommufd_op_clock();
	if (iommufd_op_is_traced(op))
		op->before_ns = op->last - op->begin;
}

/* All before the first stage is over. */
static __always_inline void iommufd_op_first_stage(struct iommufd_op *op)
{
	if (iommufd_op_is_seen(op))
		__iommufd_op_first_stage(op);
}

static __always_inline void __iommufd_op_stage(struct iommufd_op *op,
					       enum iommufd_stage stage)
{
	u64 now = iommufd_op_clock();
	u64 taken = now - op->last;

	/* So that it is added to what is in memory */
	OPTIMIZER_HIDE_VAR(taken);
	op->stage_ns[stage] += taken;
	op->last = now;
}

/* What has been done since the stage before was @stage. */
static __always_inline void iommufd_op_stage(struct iommufd_op *op,
					     enum iommufd_stage stage)
{
	if (iommufd_op_is_seen(op))
		__iommufd_op_stage(op, stage);
}

/* The last one in each domain */
static __always_inline void iommufd_op_stage_flush(struct iommufd_op *op)
{
	if (iommufd_op_is_seen(op)) {
		__iommufd_op_stage(op, IOMMUFD_STAGE_FLUSH);
		if (iommufd_op_is_traced(op))
			op->hwpts++;
	}
}

/* Where it is done; known as soon as the IOAS is. */
static __always_inline void
iommufd_op_describe(struct iommufd_op *op, const struct iommufd_ioas *ioas,
		    u64 iova, u64 length)
{
	if (iommufd_op_is_seen(op)) {
		op->length = length;
		if (iommufd_op_is_traced(op))
			__iommufd_op_describe(op, ioas, iova);
	}
}

/* What is asked of a map; all before the first stage is over. */
static __always_inline void
iommufd_op_begin_map(struct iommufd_op *op, const struct iommufd_ioas *ioas,
		     u64 iova, bool fixed, const struct iox_iova_req *req)
{
	if (iommufd_op_is_seen(op)) {
		op->length = req->length;
		if (iommufd_op_is_traced(op))
			__iommufd_op_describe_map(op, ioas, iova, fixed, req);
		__iommufd_op_first_stage(op);
	}
}

/* @iova: where it goes, or should have gone */
static __always_inline void iommufd_op_stage_select(struct iommufd_op *op,
						    u64 iova, u32 chooser)
{
	if (iommufd_op_is_seen(op)) {
		__iommufd_op_stage(op, IOMMUFD_STAGE_SELECT);
		op->chooser = chooser;
		if (iommufd_op_is_traced(op))
			op->iova = iova;
	}
}

/* A run of memory has been mapped; @pgsizes: the leaves that the domain can have. */
static __always_inline void
iommufd_op_leaves(struct iommufd_op *op, unsigned long pgsizes,
		  unsigned long iova, phys_addr_t phys, size_t size)
{
	if (iommufd_op_is_seen(op)) {
		/* Nearly all runs are one or the other. */
		if (size < PMD_SIZE)
			op->leaves[IOMMUFD_LEAF_PAGE] += PFN_UP(size);
		else if (size < PUD_SIZE && pgsizes & PMD_SIZE &&
			 !((iova | phys | size) & ~PMD_MASK))
			op->leaves[IOMMUFD_LEAF_PMD] += size >> PMD_SHIFT;
		else
			__iommufd_op_leaves(op, pgsizes, iova, phys, size);
	}
}

/* @bytes have been unmapped. */
static __always_inline void iommufd_op_unmapped(struct iommufd_op *op,
						u64 bytes)
{
	if (iommufd_op_is_seen(op))
		op->length = bytes;
}

/* It was attached to, or detached from, the HWPT with this id. */
static __always_inline void iommufd_op_hwpt(struct iommufd_op *op, u32 id)
{
	if (iommufd_op_is_seen(op) && iommufd_op_is_traced(op))
		op->hwpt_id = id;
}

/* It has ended: count it, and tell those who listen. */
static __always_inline void iommufd_op_end(struct iommufd_op *op, int result)
{
	if (iommufd_op_is_seen(op))
		__iommufd_op_end(op, result);
}

#endif
