// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an IOVA policy may ask while it is being asked: where there is room. All
 * kfuncs are for iox_iova_ops.select alone, and do not sleep.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "policy.h"

/* So many holes does a search for the smallest look at. */
#define IOX_BEST_TRIES 1024

/**
 * struct iox_gap - a range of IOVAs
 * @start: the first byte
 * @last: the last byte
 */
struct iox_gap {
	u64 start;
	u64 last;
};

/* A policy's stack has this much of struct iox_gap_iter. */
struct bpf_iter_iox_gap {
	u64 __opaque[5];
} __aligned(8);

struct iox_gap_iter {
	struct iox_iova_req *req;
	u64 min;
	u64 max;
	struct iox_gap gap;
} __aligned(8);

/* Bring what a policy asks for into the form that the core wants. */
static bool gap_args(const struct iox_iova_req *req, u64 min, u64 *max,
		     u64 *align)
{
	if (!*align)
		*align = req->align;
	if (!is_power_of_2(*align))
		return false;
	*align = max(*align, req->align);
	*max = min(*max, IOX_IOVA_MAX);
	return min <= *max;
}

static u64 gap_or_0(struct iox_iova_req *req,
		    int (*search)(struct iox_iova_req *req, u64 min, u64 max,
				  u64 align, u64 *iova),
		    u64 min, u64 max, u64 align)
{
	u64 iova;

	if (!gap_args(req, min, &max, &align) ||
	    search(req, min, max, align, &iova))
		return 0;
	return iova;
}

/**
 * iox_bstr_printf - print what a policy has to say
 * @buf: where to; unchanged on error
 * @size: bytes of @buf
 * @fmt: a constant string, as for bpf_printk()
 * @data: its arguments
 * @data_size: bytes of @data
 *
 * Return: 0; -E2BIG no array of arguments; or an errno of bpf_bprintf_prepare(),
 * when they do not fit to @fmt.
 */
int iox_bstr_printf(char *buf, size_t size, char *fmt, unsigned long long *data,
		    u32 data_size)
{
	struct bpf_bprintf_data bprintf = { .get_bin_args = true };
	int rc;

	if (data_size % 8 || data_size > MAX_BPRINTF_VARARGS * 8 ||
	    (data_size && !data))
		return -E2BIG;
	rc = bpf_bprintf_prepare(fmt, UINT_MAX, data, data_size / 8, &bprintf);
	if (rc)
		return rc;
	bstr_printf(buf, size, fmt, bprintf.bin_args);
	bpf_bprintf_cleanup(&bprintf);
	return 0;
}

__bpf_kfunc_start_defs();

/**
 * iox_iova_first_gap - lowest IOVA at which the mapping fits
 * @req: the request that select was called with
 * @min: lowest IOVA that will do
 * @max: last byte that the mapping may cover
 * @align: the IOVA shall equal req->addr modulo this power of two, in bytes.
 *	0 and all below req->align mean req->align.
 *
 * Space that is free, allowed and not reserved is found in O(log areas). The
 * highest 4 KiB of the 64-bit range are never offered, since an answer there
 * would read as an errno.
 *
 * Return: the IOVA. 0 when there is no such gap, when @min > @max, and when
 * @align is not a power of two. IOVA 0 itself is never offered.
 */
__bpf_kfunc u64 iox_iova_first_gap(struct iox_iova_req *req, u64 min, u64 max,
				   u64 align)
{
	return gap_or_0(req, req->ops->first_gap, min, max, align);
}

/**
 * iox_iova_last_gap - highest IOVA at which the mapping fits
 * @req: the request that select was called with
 * @min: lowest IOVA that will do
 * @max: last byte that the mapping may cover
 * @align: as for iox_iova_first_gap()
 *
 * Return: as for iox_iova_first_gap().
 */
__bpf_kfunc u64 iox_iova_last_gap(struct iox_iova_req *req, u64 min, u64 max,
				  u64 align)
{
	return gap_or_0(req, req->ops->last_gap, min, max, align);
}

/**
 * iox_iova_best_gap - an IOVA in the smallest hole in which the mapping fits
 * @req: the request that select was called with
 * @min: lowest IOVA that will do
 * @max: last byte that the mapping may cover
 * @align: as for iox_iova_first_gap()
 *
 * Looks at the lowest 1024 holes that are long enough, each in O(log areas), or
 * until one fits exactly.
 *
 * Return: the lowest fitting IOVA in that hole, or 0 as iox_iova_first_gap().
 */
__bpf_kfunc u64 iox_iova_best_gap(struct iox_iova_req *req, u64 min, u64 max,
				  u64 align)
{
	u64 best = 0, size = U64_MAX, iova, start, last;
	int tries;

	if (!gap_args(req, min, &max, &align))
		return 0;
	for (tries = 0; tries < IOX_BEST_TRIES && min <= max; tries++) {
		if (req->ops->next_gap(req, min, max, &start, &last))
			break;
		if (last - start < size &&
		    !req->ops->first_gap(req, start, last, align, &iova)) {
			best = iova;
			size = last - start;
		}
		if (best && size == req->length - 1)
			break;
		if (last == U64_MAX)
			break;
		min = last + 1;
	}
	return best;
}

/**
 * iox_iova_window - one of the ranges that the mapping may be in
 * @req: the request that select was called with
 * @index: which, from 0, ascending
 * @window: filled in
 *
 * Return: 0, or -ENOENT when there are no more.
 */
__bpf_kfunc int iox_iova_window(struct iox_iova_req *req, u32 index,
				struct iox_gap *window)
{
	return req->ops->window(req, index, &window->start, &window->last);
}

/**
 * bpf_iter_iox_gap_new - walk the holes that are long enough, upwards
 * @it: on the stack
 * @req: the request that select was called with
 * @min: where to begin
 * @max: where to end
 *
 * bpf_for_each(iox_gap, gap, req, min, max) does it all. Alignment is not looked
 * at: that a hole is long enough does not say that the mapping fits.
 *
 * Return: 0.
 */
__bpf_kfunc int bpf_iter_iox_gap_new(struct bpf_iter_iox_gap *it,
				     struct iox_iova_req *req, u64 min, u64 max)
{
	struct iox_gap_iter *iter = (void *)it;

	BUILD_BUG_ON(sizeof(*it) != sizeof(*iter));
	BUILD_BUG_ON(__alignof__(*it) != __alignof__(*iter));
	iter->req = req;
	iter->min = min;
	iter->max = min(max, IOX_IOVA_MAX);
	return 0;
}

/**
 * bpf_iter_iox_gap_next - the next hole
 * @it: the walk
 *
 * Return: a hole of at least req->length bytes, clipped to the walk's bounds and
 * the windows; %NULL after the last.
 */
__bpf_kfunc struct iox_gap *bpf_iter_iox_gap_next(struct bpf_iter_iox_gap *it)
{
	struct iox_gap_iter *iter = (void *)it;

	if (iter->min > iter->max ||
	    iter->req->ops->next_gap(iter->req, iter->min, iter->max,
				     &iter->gap.start, &iter->gap.last))
		return NULL;
	iter->min = iter->gap.last + 1;
	return &iter->gap;
}

/**
 * bpf_iter_iox_gap_destroy - end a walk
 * @it: the walk
 */
__bpf_kfunc void bpf_iter_iox_gap_destroy(struct bpf_iter_iox_gap *it)
{
}

/**
 * iox_policy_give_up_bstr - a policy finds that it must not go on
 * @req: the request that select was called with
 * @err: 0, or a negative errno that says more
 * @fmt: a constant string, as for bpf_printk()
 * @data: its arguments
 * @data__sz: bytes of @data
 *
 * IOX_GIVE_UP() in <iox/policy.bpf.h> calls it. The policy is ejected, with the
 * reason for people to read; the built-in allocator, or the policy that is next,
 * goes on with this very request.
 */
__bpf_kfunc void iox_policy_give_up_bstr(struct iox_iova_req *req, int err,
					 char *fmt, unsigned long long *data,
					 u32 data__sz)
{
	char msg[IOX_EXIT_MSG_LEN] = "it gave up";

	if (iox_bstr_printf(msg, sizeof(msg), fmt, data, data__sz) == -E2BIG)
		return;
	iox_policy_misbehaved(req->policy, IOX_EXIT_ITSELF, err, req, 0, msg);
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(iox_select_kfunc_ids)
BTF_ID_FLAGS(func, iox_iova_first_gap)
BTF_ID_FLAGS(func, iox_iova_last_gap)
BTF_ID_FLAGS(func, iox_iova_best_gap)
BTF_ID_FLAGS(func, iox_iova_window)
BTF_ID_FLAGS(func, bpf_iter_iox_gap_new, KF_ITER_NEW)
BTF_ID_FLAGS(func, bpf_iter_iox_gap_next, KF_ITER_NEXT | KF_RET_NULL)
BTF_ID_FLAGS(func, bpf_iter_iox_gap_destroy, KF_ITER_DESTROY)
BTF_ID_FLAGS(func, iox_policy_give_up_bstr)
BTF_KFUNCS_END(iox_select_kfunc_ids)

/**
 * iox_is_select_kfunc - is it for iox_iova_ops.select alone?
 * @kfunc_id: BTF id of a kfunc
 */
bool iox_is_select_kfunc(u32 kfunc_id)
{
	return btf_id_set8_contains(&iox_select_kfunc_ids, kfunc_id);
}

/**
 * iox_policy_kfuncs_init - let struct_ops programs call them
 * @filter: says which
 */
int __init iox_policy_kfuncs_init(int (*filter)(const struct bpf_prog *prog,
						u32 kfunc_id))
{
	static struct btf_kfunc_id_set set = {
		.owner = THIS_MODULE,
		.set = &iox_select_kfunc_ids,
	};

	set.filter = filter;
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_STRUCT_OPS, &set);
}
