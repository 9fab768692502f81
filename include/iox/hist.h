/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Log-linear histogram: which bucket a value belongs to, and which values a bucket holds.
 *
 * Probes (BPF) fill buckets, the iox command reads them; both take the arithmetic from here,
 * so that they cannot disagree. In the manner of HdrHistogram: every octave [2^n, 2^(n+1)) is
 * cut into 16 buckets of one width, and below 32 each value has a bucket of its own. A bucket
 * is thus never wider than 1/16 (6.25 %) of the smallest value in it, over all of 64 bits:
 * nothing is clipped and there is no overflow bucket.
 *
 *	value     0 ..   31	width  1	index  0 .. 31
 *	value    32 ..   63	width  2	index 32 .. 47
 *	value    64 ..  127	width  4	index 48 .. 63
 *	...
 */
#ifndef IOX_HIST_H
#define IOX_HIST_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define IOX_HIST_SUB_BITS	4
#define IOX_HIST_SUB		(1U << IOX_HIST_SUB_BITS)
#define IOX_HIST_BUCKETS	((64 - IOX_HIST_SUB_BITS + 1) * IOX_HIST_SUB)

struct iox_hist {
	__u64 bucket[IOX_HIST_BUCKETS];
};

/* Position of the highest bit set, 0 for 0. Written out because BPF has no instruction for it. */
static inline __u32 iox_hist_log2(__u64 value)
{
	__u32 bit = 0;

	if (value >> 32) {
		value >>= 32;
		bit += 32;
	}
	if (value >> 16) {
		value >>= 16;
		bit += 16;
	}
	if (value >> 8) {
		value >>= 8;
		bit += 8;
	}
	if (value >> 4) {
		value >>= 4;
		bit += 4;
	}
	if (value >> 2) {
		value >>= 2;
		bit += 2;
	}
	return bit + (__u32)(value >> 1);
}

/* How often the bucket width has doubled when values have @index. */
static inline __u32 iox_hist_shift(__u32 index)
{
	return index < IOX_HIST_SUB ? 0 : index / IOX_HIST_SUB - 1;
}

static inline __u32 iox_hist_index(__u64 value)
{
	__u32 bit = iox_hist_log2(value);
	__u32 shift = bit > IOX_HIST_SUB_BITS ? bit - IOX_HIST_SUB_BITS : 0;

	/*
	 * The top bit of the shifted value is worth one more octave, which is what makes
	 * buckets follow on.
	 */
	return shift * IOX_HIST_SUB + (__u32)(value >> shift);
}

/* Smallest value that falls in bucket @index. */
static inline __u64 iox_hist_first(__u32 index)
{
	__u32 shift = iox_hist_shift(index);

	return (__u64)(index - shift * IOX_HIST_SUB) << shift;
}

/* Largest value that falls in bucket @index. */
static inline __u64 iox_hist_last(__u32 index)
{
	return iox_hist_first(index) + ((1ULL << iox_hist_shift(index)) - 1);
}

#endif
