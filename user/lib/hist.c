// SPDX-License-Identifier: GPL-2.0
#include <math.h>
#include <string.h>

#include "hist.h"

void hist_add(struct iox_hist *to, const struct iox_hist *from)
{
	for (__u32 i = 0; i < IOX_HIST_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

void hist_sub(struct iox_hist *now, const struct iox_hist *before)
{
	for (__u32 i = 0; i < IOX_HIST_BUCKETS; i++)
		now->bucket[i] -= before->bucket[i];
}

__u64 hist_count(const struct iox_hist *h)
{
	__u64 count = 0;

	for (__u32 i = 0; i < IOX_HIST_BUCKETS; i++)
		count += h->bucket[i];
	return count;
}

__u64 hist_percentile(const struct iox_hist *h, double percent)
{
	__u64 rank = (__u64)ceil((double)hist_count(h) * percent / 100);
	__u64 seen = 0;

	/* 0 % is the smallest value, not the one before it. */
	if (!rank)
		rank = 1;
	for (__u32 i = 0; i < IOX_HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= rank)
			return iox_hist_last(i);
	}
	return 0;
}

__u64 hist_highest(const struct iox_hist *h)
{
	for (__u32 i = IOX_HIST_BUCKETS; i--;)
		if (h->bucket[i])
			return iox_hist_last(i);
	return 0;
}

void hist_octaves(const struct iox_hist *h, __u64 octave[HIST_OCTAVES])
{
	memset(octave, 0, HIST_OCTAVES * sizeof(*octave));
	for (__u32 i = 0; i < IOX_HIST_BUCKETS; i++)
		octave[iox_hist_log2(iox_hist_first(i))] += h->bucket[i];
}
