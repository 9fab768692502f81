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

#endif
