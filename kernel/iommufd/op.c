// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations as others see them: only with a watcher is any of this called.
 */
#include <linux/math64.h>
#include <linux/preempt.h>
#include <linux/string.h>

#include "core.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

int iommufd_op_trace_start(void)
{
	iox_op_watch();
	return 0;
}

void iommufd_op_trace_stop(void)
{
	iox_op_unwatch();
}

void __iommufd_op_describe(struct iommufd_op *op,
			   const struct iommufd_ioas *ioas, u64 iova)
{
	op->space_id = ioas->iox.space_id;
	op->ioas_id = ioas->obj.id;
	op->iova = iova;
	op->addr = 0;
	op->hint = 0;
	op->prot = 0;
	op->backing = 0;
	op->described = 1;
}

void __iommufd_op_describe_map(struct iommufd_op *op,
			       const struct iommufd_ioas *ioas, u64 iova,
			       bool fixed, const struct iox_iova_req *req)
{
	op->space_id = ioas->iox.space_id;
	op->ioas_id = ioas->obj.id;
	op->iova = fixed ? iova : 0;
	op->addr = req->addr;
	op->hint = fixed ? 0 : req->hint;
	op->prot = req->prot;
	op->backing = req->backing;
	op->described = 1;
}

/* The largest leaf at one place: as the IOMMU drivers choose, by alignment and room. */
static enum iommufd_leaf leaf_at(unsigned long pgsizes, unsigned long iova,
				 phys_addr_t phys, size_t size)
{
	unsigned long offset = iova | phys;

	if (pgsizes & PUD_SIZE && size >= PUD_SIZE && !(offset & ~PUD_MASK))
		return IOMMUFD_LEAF_PUD;
	if (pgsizes & PMD_SIZE && size >= PMD_SIZE && !(offset & ~PMD_MASK))
		return IOMMUFD_LEAF_PMD;
	return IOMMUFD_LEAF_PAGE;
}

/* How many bytes from one place on go into leaves of size @leaf */
static size_t leaf_span(enum iommufd_leaf leaf, unsigned long iova,
			phys_addr_t phys, size_t size)
{
	size_t span = size, to_larger;

	if (leaf == IOMMUFD_LEAF_PUD)
		return size & PUD_MASK;
	if (leaf == IOMMUFD_LEAF_PMD)
		span = size & PMD_MASK;
	if (leaf == IOMMUFD_LEAF_PAGE && !((iova ^ phys) & ~PMD_MASK)) {
		to_larger = -iova & ~PMD_MASK;
		if (to_larger && to_larger < span)
			return to_larger;
	}
	if (leaf == IOMMUFD_LEAF_PMD && !((iova ^ phys) & ~PUD_MASK)) {
		to_larger = -iova & ~PUD_MASK;
		if (to_larger && to_larger < span)
			return to_larger;
	}
	return span;
}

void __iommufd_op_leaves(struct iommufd_op *op, unsigned long pgsizes,
			 unsigned long iova, phys_addr_t phys, size_t size)
{
	static const unsigned int shift[] = { PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT };

	while (size) {
		enum iommufd_leaf leaf = leaf_at(pgsizes, iova, phys, size);
		size_t span = leaf_span(leaf, iova, phys, size);

		op->leaves[leaf] += DIV_ROUND_UP(span, 1UL << shift[leaf]);
		iova += span;
		phys += span;
		size -= span;
	}
}

static __always_inline u64 to_ns(u64 clock)
{
	return mul_u64_u64_shr(clock, iox_op_ns_of_clock, 32);
}

#ifdef CONFIG_IOX_STATS
static __always_inline void count_stage(struct iox_op_counters *c,
					const struct iommufd_op *op,
					enum iommufd_stage stage)
{
	u64 ns = to_ns(op->stage_ns[stage]);

	c->sums.stage_sum_ns[stage] += ns;
	iox_op_add_to(c->stage_bucket[stage], ns);
}

/* What only maps have */
static __always_inline void count_map(struct iox_op_counters *c,
				      const struct iommufd_op *op)
{
	unsigned int i;

	count_stage(c, op, IOMMUFD_STAGE_SELECT);
#pragma GCC unroll 3
	for (i = 0; i < IOMMUFD_NR_LEAVES; i++)
		c->sums.leaves[i] += op->leaves[i];
	c->sums.chosen[op->chooser]++;
}

/* @op->stage_ns is in units of the clock still. */
static __always_inline void count(const struct iommufd_op *op, u64 ns,
				  int result)
{
	struct iox_op_counters *c;

	guard(preempt)();
	if (!static_branch_likely(&iox_op_counted))
		return;
	/* Where a key is but a variable: after it was seen on. */
	smp_rmb();
	c = __this_cpu_read(iox_op_counters[op->kind]);
	if (unlikely(result))
		c->sums.failed++;
	else
		c->sums.bytes += op->length;
	c->sums.sum_ns += ns;
	if (unlikely(ns > c->sums.max_ns))
		c->sums.max_ns = ns;
	iox_op_add_to(c->bucket, ns);
	if (!iox_op_has_stages(op->kind))
		return;
	count_stage(c, op, IOMMUFD_STAGE_PIN);
	count_stage(c, op, IOMMUFD_STAGE_TABLES);
	count_stage(c, op, IOMMUFD_STAGE_FLUSH);
	if (op->kind < IOMMUFD_OP_UNMAP)
		count_map(c, op);
}
#else
static inline void count(const struct iommufd_op *op, u64 ns, int result)
{
}
#endif

static noinline void trace(struct iommufd_op *op, u64 ns, int result)
{
	unsigned int i;

	op->ns = ns;
	op->before_ns = to_ns(op->before_ns);
	for (i = 0; i < IOMMUFD_NR_STAGES; i++)
		op->stage_ns[i] = to_ns(op->stage_ns[i]);
	op->result = result;
	trace_iommufd_op(op);
}

static __always_inline void end(struct iommufd_op *op, int result)
{
	u64 ns = to_ns(iommufd_op_clock() - op->begin);

	count(op, ns, result);
	if (iommufd_op_is_traced(op))
		trace(op, ns, result);
}

void __iommufd_op_end(struct iommufd_op *op, int result)
{
	end(op, result);
}

/**
 * iommufd_op_execute - an ioctl that is watched
 * @execute: what does it
 * @kind: what it is
 * @ucmd: the call
 *
 * Apart, so that what is told of it is not on everybody's stack.
 *
 * Return: what @execute does.
 */
int iommufd_op_execute(int (*execute)(struct iommufd_ucmd *ucmd),
		       enum iommufd_op_kind kind, struct iommufd_ucmd *ucmd)
{
	struct iommufd_op op __uninitialized;
	int rc;

	ucmd->op = __iommufd_op_begin(&op, ucmd->ictx->id, kind);
	rc = execute(ucmd);
	if (!rc && kind == IOMMUFD_OP_UNMAP)
		op.length = ((struct iommu_ioas_unmap *)ucmd->cmd)->length;
	end(&op, rc);
	return rc;
}
