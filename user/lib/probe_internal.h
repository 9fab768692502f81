/* SPDX-License-Identifier: GPL-2.0 */
/* What probe.c and probe_read.c share. */
#ifndef IOX_LIB_PROBE_INTERNAL_H
#define IOX_LIB_PROBE_INTERNAL_H

#include "op_counts.h"
#include "probe.h"
#include "probe.skel.h"

/* The program of ours, and one for each operation of Linux's own */
#define PROBE_NR_PROGS (1 + IOX_PROBE_NR_OPS)

struct probe {
	struct probe_bpf *skel;
	struct bpf_program *prog[PROBE_NR_PROGS];	/* NULL: not loaded */
	bool has[IOX_PROBE_NR_OPS];
	bool staged;
	struct op_counts *own;		/* counted by iommufd itself; then no program is loaded */
	struct probe_snapshot *base;	/* what @own had when it was opened */
	struct iox_probe_counts *percpu;	/* one entry as the kernel hands it out */
	int nr_cpus;
	__u64 start_ns;
	struct ring_buffer *ring;
	bool (*event)(void *arg, const struct iox_event *event);
	void *arg;
};

__u64 probe_now(void);
/* Reads what @p->own has now as what there was before. 0 or a negative errno. */
int probe_read_base(struct probe *p);

#endif
