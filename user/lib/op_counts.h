/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Operations that our iommufd counts by itself, read through its BPF iterator (iter/iox_op). It counts
 * as long as anybody has them open, for all of these together, from when the first one opened them.
 */
#ifndef IOX_LIB_OP_COUNTS_H
#define IOX_LIB_OP_COUNTS_H

#include <stdbool.h>
#include <iox/probe.h>

struct op_counts;

/* Whether the running kernel has such an iterator, and of our layout */
bool op_counts_there(void);

/* NULL with errno */
struct op_counts *op_counts_open(void);
void op_counts_close(struct op_counts *c);

/* Tells @each record; a negative errno if there is one. */
int op_counts_read(struct op_counts *c,
		   void (*each)(void *arg, const struct iox_op_record *record), void *arg);

#endif
