/* SPDX-License-Identifier: GPL-2.0 */
/* What probe.c and probe_read.c share. */
#ifndef IOX_LIB_PROBE_INTERNAL_H
#define IOX_LIB_PROBE_INTERNAL_H

#include "probe.h"
#include "probe.skel.h"

/* The program of ours, and one for each operation of Linux's own */
#define PROBE_NR_PROGS (1 + IOX_PROBE_NR_OPS)

struct probe {
	struct probe_bpf *skel;
	struct bpf_program *prog[PROBE_NR_PROGS];	/* NULL: not loaded */
	bool has[IOX_PROBE_NR_OPS];
	bool staged;
	struct iox_probe_counts *percpu;	/* one entry as the kernel hands it out */
	int nr_cpus;
	__u64 start_ns;
	struct ring_buffer *ring;
	bool (*event)(void *arg, const struct iox_event *event);
	void *arg;
};

__u64 probe_now(void);

#endif
