// SPDX-License-Identifier: GPL-2.0
/* Random numbers that are the same for the same seed. */
#include <math.h>

#include "sim.h"

/* SplitMix64 */
__u64 rng_next(struct rng *rng)
{
	__u64 x = rng->state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* Above 0, at most 1 */
double rng_uniform(struct rng *rng)
{
	return (double)((rng_next(rng) >> 11) + 1) * 0x1p-53;
}

double rng_normal(struct rng *rng)
{
	double r = sqrt(-2 * log(rng_uniform(rng)));

	return r * cos(2 * M_PI * rng_uniform(rng));
}

__u64 rng_poisson(struct rng *rng, double mean)
{
	double left = exp(-mean);
	__u64 n = 0;

	if (mean > 30) {
		double x = mean + sqrt(mean) * rng_normal(rng);

		return x > 0 ? (__u64)(x + 0.5) : 0;
	}
	for (double p = rng_uniform(rng); p > left; p *= rng_uniform(rng))
		n++;
	return n;
}
