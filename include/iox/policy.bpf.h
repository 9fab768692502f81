/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an IOVA policy written in BPF includes: the kernel's types, the kfuncs
 * it may call, and names for what it may answer. docs/policies.md tells how to
 * write, load and watch one.
 */
#ifndef __IOX_POLICY_BPF_H
#define __IOX_POLICY_BPF_H

#include "vmlinux.h"

#include <asm-generic/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define IOX_SZ_4K	(1ULL << 12)
#define IOX_SZ_2M	(1ULL << 21)
#define IOX_SZ_1G	(1ULL << 30)

/* As @max of a kfunc: no upper bound. */
#define IOX_IOVA_ANY	(~0ULL)

/* As an answer of select: the built-in allocator shall choose. */
#define IOX_NO_OPINION	0

/*
 * Lowest and highest IOVA at which @req fits within @min..@max (the last byte
 * included), equal to req->addr modulo @align. @align 0, and any power of two
 * below req->align, means req->align.
 *
 * 0 when there is none, when @min > @max, when @align is no power of two.
 */
extern u64 iox_iova_first_gap(struct iox_iova_req *req, u64 min, u64 max,
			      u64 align) __weak __ksym;
extern u64 iox_iova_last_gap(struct iox_iova_req *req, u64 min, u64 max,
			     u64 align) __weak __ksym;

/* The same in the smallest of the holes in which it fits; looks at 1024 of them. */
extern u64 iox_iova_best_gap(struct iox_iova_req *req, u64 min, u64 max,
			     u64 align) __weak __ksym;

/* The ranges that mappings may be in: 0, or -ENOENT when there are no more. */
extern int iox_iova_window(struct iox_iova_req *req, u32 index,
			   struct iox_gap *window) __weak __ksym;

/*
 * All holes that are long enough for @req, upwards, whatever their alignment:
 *
 *	struct iox_gap *gap;
 *
 *	bpf_for_each(iox_gap, gap, req, min, max)
 *		if (gap->last - gap->start ...)
 */
extern int bpf_iter_iox_gap_new(struct bpf_iter_iox_gap *it,
				struct iox_iova_req *req, u64 min,
				u64 max) __weak __ksym;
extern struct iox_gap *
bpf_iter_iox_gap_next(struct bpf_iter_iox_gap *it) __weak __ksym;
extern void
bpf_iter_iox_gap_destroy(struct bpf_iter_iox_gap *it) __weak __ksym;

extern void iox_policy_give_up_bstr(struct iox_iova_req *req, int err,
				    char *fmt, unsigned long long *data,
				    u32 data__sz) __weak __ksym;

/*
 * The policy finds that it must not go on: it is ejected, and people can read
 * why. @err is 0 or a negative errno, the rest is as for bpf_printk().
 */
#define IOX_GIVE_UP(req, err, fmt, args...) ({				\
	static char ____fmt[] = fmt;					\
	unsigned long long ____args[___bpf_narg(args) ?: 1] = {};	\
									\
	_Pragma("GCC diagnostic push")					\
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"")		\
	___bpf_fill(____args, args);					\
	_Pragma("GCC diagnostic pop")					\
	iox_policy_give_up_bstr(req, err, ____fmt, ____args,		\
				___bpf_narg(args) * 8);			\
})

#endif
