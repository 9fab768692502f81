/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one operation on an I/O address space did, and where its time went.
 *
 * As long as nobody listens to the tracepoint iommufd_op, nothing of this exists
 * but a branch that is not taken. With a listener, an operation has a struct
 * iommufd_op on the stack of who began it, which the functions below fill as it
 * passes through them, and which the tracepoint gets as a whole at the end: one
 * event an operation.
 *
 * An operation that nobody listened to when it began is not seen: every function
 * here takes a %NULL pointer for that.
 */
#ifndef IOMMUFD_OP_H
#define IOMMUFD_OP_H

#include <linux/minmax.h>
#include <linux/sched/clock.h>
#include <linux/tracepoint-defs.h>
#include <linux/types.h>
#ifdef CONFIG_X86_TSC
#include <asm/msr.h>
#endif

DECLARE_TRACEPOINT(iommufd_op);

/** enum iommufd_op_kind - what can be seen; 0 is for what is not */
enum iommufd_op_kind {
	IOMMUFD_OP_NONE,
	IOMMUFD_OP_MAP,
	IOMMUFD_OP_MAP_FILE,
	IOMMUFD_OP_COPY,
	IOMMUFD_OP_UNMAP,
	IOMMUFD_OP_ATTACH,
	IOMMUFD_OP_DETACH,
	IOMMUFD_OP_PIN,
	IOMMUFD_OP_INVALIDATE,
	IOMMUFD_OP_DESTROY,
};

/**
 * enum iommufd_stage - where time goes
 * @IOMMUFD_STAGE_SELECT: finding and taking the IOVAs
 * @IOMMUFD_STAGE_PIN: pinning memory, or releasing it
 * @IOMMUFD_STAGE_TABLES: writing or clearing page-table entries
 * @IOMMUFD_STAGE_FLUSH: until the IOTLBs know
 */
enum iommufd_stage {
	IOMMUFD_STAGE_SELECT,
	IOMMUFD_STAGE_PIN,
	IOMMUFD_STAGE_TABLES,
	IOMMUFD_STAGE_FLUSH,
	IOMMUFD_NR_STAGES,
};

/** enum iommufd_leaf - sizes of page-table leaves */
enum iommufd_leaf {
	IOMMUFD_LEAF_PAGE,
	IOMMUFD_LEAF_PMD,
	IOMMUFD_LEAF_PUD,
	IOMMUFD_NR_LEAVES,
};

/**
 * struct iommufd_op - one operation
 * @ns: how long it took
 * @stage_ns: of that, in each stage, all domains together; in units of the clock
 *	until the end
 * @before_ns: of that, before the first stage; likewise
 * @ctx_id: the open /dev/iommu, a number never used twice until reboot
 * @space_id: the address space, such a number too; 0 if it was not found
 * @iova: where; of a map that failed, where it should have been
 * @length: bytes; of an unmap, what was unmapped
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
 *	in them is undefined otherwise
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
	u32 kind;
	int result;
	u32 ioas_id;
	u32 hwpts;
	u32 hwpt_id;
	u32 prot;
	u32 backing;
	u32 chooser;
	u32 described;
	u64 begin;
	u64 last;
};

struct iommufd_area;
struct iommufd_ioas;
struct iox_iova_req;

/* Nanoseconds a cycle of the TSC, as a fraction of 2^32; 0 while it is not to be used. */
extern u64 iommufd_op_ns_of_cycle;

struct iommufd_op *__iommufd_op_begin(struct iommufd_op *op, u64 ctx_id,
				      enum iommufd_op_kind kind);
void __iommufd_op_describe(struct iommufd_op *op,
			   const struct iommufd_ioas *ioas, u64 iova,
			   u64 length);
void __iommufd_op_describe_map(struct iommufd_op *op,
			       const struct iommufd_ioas *ioas, u64 iova,
			       bool fixed, const struct iox_iova_req *req);
void __iommufd_op_leaves(struct iommufd_op *op, unsigned long pgsizes,
			 unsigned long iova, phys_addr_t phys, size_t size);
void __iommufd_op_end(struct iommufd_op *op, int result);

/* Does anybody listen? */
static inline bool iommufd_op_watched(void)
{
	return tracepoint_enabled(iommufd_op);
}

/*
 * The TSC where all CPUs agree on it: an operation on one page has half a dozen
 * stages, and asking sched_clock() each time would take longer than some of them.
 */
static inline u64 iommufd_op_clock(void)
{
#ifdef CONFIG_X86_TSC
	if (likely(iommufd_op_ns_of_cycle))
		return rdtsc();
#endif
	return local_clock();
}

/**
 * iommufd_op_begin - an operation begins
 * @op: room on the caller's stack, __uninitialized
 * @ctx_id: of the context
 * @kind: what it is
 *
 * Return: @op, or %NULL when nobody listens.
 */
static inline struct iommufd_op *iommufd_op_begin(struct iommufd_op *op,
						  u64 ctx_id,
						  enum iommufd_op_kind kind)
{
	return iommufd_op_watched() ? __iommufd_op_begin(op, ctx_id, kind) :
				      NULL;
}

/* All before the first stage is over. */
static inline void iommufd_op_first_stage(struct iommufd_op *op)
{
	if (unlikely(op)) {
		op->last = iommufd_op_clock();
		op->before_ns = op->last - op->begin;
	}
}

/* What has been done since the stage before was @stage. */
static inline void iommufd_op_stage(struct iommufd_op *op,
				    enum iommufd_stage stage)
{
	u64 now;

	if (unlikely(op)) {
		now = iommufd_op_clock();
		op->stage_ns[stage] += now - op->last;
		op->last = now;
	}
}

/* The last one in each domain */
static inline void iommufd_op_stage_flush(struct iommufd_op *op)
{
	if (unlikely(op)) {
		iommufd_op_stage(op, IOMMUFD_STAGE_FLUSH);
		op->hwpts++;
	}
}

/* Where it is done; known as soon as the IOAS is. */
static inline void iommufd_op_describe(struct iommufd_op *op,
				       const struct iommufd_ioas *ioas,
				       u64 iova, u64 length)
{
	if (unlikely(op))
		__iommufd_op_describe(op, ioas, iova, length);
}

/* What is asked of a map; all before the first stage is over. */
static inline void iommufd_op_begin_map(struct iommufd_op *op,
					const struct iommufd_ioas *ioas,
					u64 iova, bool fixed,
					const struct iox_iova_req *req)
{
	if (unlikely(op)) {
		__iommufd_op_describe_map(op, ioas, iova, fixed, req);
		iommufd_op_first_stage(op);
	}
}

/* @iova: where it goes, or should have gone */
static inline void iommufd_op_stage_select(struct iommufd_op *op, u64 iova,
					   u32 chooser)
{
	if (unlikely(op)) {
		iommufd_op_stage(op, IOMMUFD_STAGE_SELECT);
		op->iova = iova;
		op->chooser = chooser;
	}
}

/* A run of memory has been mapped; @pgsizes: the leaves that the domain can have. */
static inline void iommufd_op_leaves(struct iommufd_op *op,
				     unsigned long pgsizes, unsigned long iova,
				     phys_addr_t phys, size_t size)
{
	if (unlikely(op))
		__iommufd_op_leaves(op, pgsizes, iova, phys, size);
}

/* It has ended: tell those who listen. */
static inline void iommufd_op_end(struct iommufd_op *op, int result)
{
	if (unlikely(op))
		__iommufd_op_end(op, result);
}

#endif
