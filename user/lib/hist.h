/* SPDX-License-Identifier: GPL-2.0 */
/* Reading the histograms of include/iox/hist.h. */
#ifndef IOX_LIB_HIST_H
#define IOX_LIB_HIST_H

#include <iox/hist.h>

/* As many as a 64-bit value has bits. */
#define HIST_OCTAVES 64

void hist_add(struct iox_hist *to, const struct iox_hist *from);

/* @now - @before, where @before is an earlier reading of the same histogram. */
void hist_sub(struct iox_hist *now, const struct iox_hist *before);

__u64 hist_count(const struct iox_hist *h);

/*
 * The value that @percent of all recorded ones do not exceed: the last one of its bucket, so
 * at most 6.25 % more than the exact answer and never less. 0 if @h is empty.
 */
__u64 hist_percentile(const struct iox_hist *h, double percent);

/* Last value of the highest bucket in use, 0 if @h is empty. */
__u64 hist_highest(const struct iox_hist *h);

/* Folds buckets to powers of two: octave n counts [2^n, 2^(n+1)), octave 0 the value 0 too. */
void hist_octaves(const struct iox_hist *h, __u64 octave[HIST_OCTAVES]);

#endif
