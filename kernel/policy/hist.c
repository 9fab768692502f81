// SPDX-License-Identifier: GPL-2.0-only
/*
 * Log-linear histograms of times: 16 buckets an octave, exact below 16 ns.
 */
#include <linux/bitops.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#include "policy.h"

/**
 * iox_hist_bucket - where a time is counted
 * @ns: the time
 */
unsigned int iox_hist_bucket(u64 ns)
{
	unsigned int octave;

	ns = min(ns, BIT_ULL(36) - 1);
	if (ns < IOX_HIST_STEPS)
		return ns;
	octave = fls64(ns) - 5;
	return (octave + 1) * IOX_HIST_STEPS +
	       ((ns >> octave) & (IOX_HIST_STEPS - 1));
}

/* The longest time that is counted there */
static u64 bucket_last(unsigned int bucket)
{
	unsigned int octave;

	if (bucket < IOX_HIST_STEPS)
		return bucket;
	octave = bucket / IOX_HIST_STEPS - 1;
	return ((u64)(IOX_HIST_STEPS + bucket % IOX_HIST_STEPS + 1) << octave) - 1;
}

/**
 * iox_hist_quantile - how long did so many take, at most?
 * @time: a histogram
 * @total: how many are in it
 * @permille: so many in a thousand of them
 *
 * Return: ns; 0 when there are none.
 */
u64 iox_hist_quantile(const u64 *time, u64 total, unsigned int permille)
{
	u64 rank = div_u64(total * permille + 999, 1000), seen = 0;
	unsigned int i;

	for (i = 0; rank && i < IOX_HIST_BUCKETS; i++) {
		seen += time[i];
		if (seen >= rank)
			return bucket_last(i);
	}
	return 0;
}
