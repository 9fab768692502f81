/* SPDX-License-Identifier: GPL-2.0-only */
/* Making one allocation of a system call fail, whichever is the n-th. */
#ifndef IOX_SELFTEST_NTH_H
#define IOX_SELFTEST_NTH_H

#include <stdbool.h>

/*
 * Lets allocations of every kind fail that are asked to, silently. Returns 0,
 * or -EOPNOTSUPP if the kernel has no fault injection.
 */
int nth_setup(void);

/* From now on, the @n-th allocation or copy of this thread fails, once. */
int nth_begin(unsigned int n);

/* Ends that. Has anything failed, or are there fewer than n? */
bool nth_end(void);

#endif
