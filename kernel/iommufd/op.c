// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations as others see them: only with a listener is any of this called.
 */
#include <linux/math64.h>
#include <linux/string.h>
#ifdef CONFIG_X86_TSC
#include <asm/tsc.h>
#endif

#include "core.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

u64 iommufd_op_ns_of_cycle __read_mostly;

static inline u64 to_ns(u64 clock, u64 ns_of_cycle)
{
	return likely(ns_of_cycle) ? mul_u64_u64_shr(clock, ns_of_cycle, 32) :
				     clock;
}

/* Before the first listener, so that the clock is the same for all of an operation */
int iommufd_op_trace_start(void)
{
#ifdef CONFIG_X86_TSC
	if (!iommufd_op_ns_of_cycle && tsc_khz && !check_tsc_unstable())
		iommufd_op_ns_of_cycle =
			div_u64((u64)NSEC_PER_MSEC << 32, tsc_khz);
#endif
	return 0;
}

struct iommufd_op *__iommufd_op_begin(struct iommufd_op *op, u64 ctx_id,
				      enum iommufd_op_kind kind)
{
	unsigned int i;

	/* Only what need not be written later: all of it is more than all else here. */
	for (i = 0; i < IOMMUFD_NR_STAGES; i++)
		op->stage_ns[i] = 0;
	for (i = 0; i < IOMMUFD_NR_LEAVES; i++)
		op->leaves[i] = 0;
	op->before_ns = 0;
	op->hwpts = 0;
	op->hwpt_id = 0;
	op->chooser = 0;
	op->described = 0;
	op->ctx_id = ctx_id;
	op->kind = kind;
	op->begin = iommufd_op_clock();
	op->last = op->begin;
	return op;
}

void __iommufd_op_describe(struct iommufd_op *op,
			   const struct iommufd_ioas *ioas, u64 iova,
			   u64 length)
{
	op->space_id = ioas->iox.space_id;
	op->ioas_id = ioas->obj.id;
	op->iova = iova;
	op->length = length;
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
	op->length = req->length;
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

void __iommufd_op_end(struct iommufd_op *op, int result)
{
	const u64 ns_of_cycle = READ_ONCE(iommufd_op_ns_of_cycle);
	unsigned int i;

	op->ns = to_ns(iommufd_op_clock() - op->begin, ns_of_cycle);
	op->before_ns = to_ns(op->before_ns, ns_of_cycle);
	for (i = 0; i < IOMMUFD_NR_STAGES; i++)
		if (op->stage_ns[i])
			op->stage_ns[i] = to_ns(op->stage_ns[i], ns_of_cycle);
	op->result = result;
	trace_iommufd_op(op);
}
