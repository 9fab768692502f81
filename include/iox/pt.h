/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bpf/iter/pt.bpf.c writes, for its readers: for each HWPT a struct iox_pt_hwpt with its levels
 * and sizes behind it, and for each mapping a struct iox_pt_area with its sizes.
 */
#ifndef IOX_PT_H
#define IOX_PT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define IOX_PT_LEVELS	6
#define IOX_PT_SIZES	64
#define IOX_PT_WHYS	4

struct iox_pt_hwpt {
	__u64 ctx_id;
	__u64 space_id;		/* 0: the HWPT came through a live update */
	__u64 page_sizes;	/* bit n: leaves can have 2^n bytes */
	__u64 areas;
	__u64 mapped;		/* bytes */
	__u32 hwpt_id;
	__u32 ioas_id;
	__u32 pid;
	__u32 nr_levels;	/* struct iox_pt_level_rec that follow, the lowest level first */
	__u32 nr_sizes;		/* struct iox_pt_size_rec that follow those, ascending */
	__u8 automatic;
	__u8 nest_parent;
	__u8 readable;
	__u8 pad;
	char comm[16];
	char format[16];
};

struct iox_pt_level_rec {
	__u64 tables;
	__u64 bytes;
};

/* Leaves of one size; @why: by enum iox_pt_why, bytes */
struct iox_pt_size_rec {
	__u64 size;
	__u64 leaves;
	__u64 why[IOX_PT_WHYS];
};

struct iox_pt_area {
	__u64 ctx_id;
	__u64 space_id;
	__u64 iova;
	__u64 length;
	__u32 hwpt_id;
	__u32 ioas_id;
	__u32 prot;		/* enum iox_prot */
	__u32 backing;		/* enum iox_backing */
	__u32 nr_sizes;		/* struct iox_pt_size_rec that follow: those it has leaves of */
	__u32 pad;
};

#endif
