/* SPDX-License-Identifier: GPL-2.0 */
/* What probe.c and probe_read.c share. */
#ifndef IOX_LIB_PROBE_INTERNAL_H
#define IOX_LIB_PROBE_INTERNAL_H

#include "op_counts.h"
#include "probe.h"
#include "fallback.skel.h"
#include "probe.skel.h"

/* The program of ours, and one for each operation of Linux's own */
#define PROBE_NR_PROGS (1 + IOX_PROBE_NR_OPS)

/* Why iommufd cannot be probed, as msg_error() has it */
struct probe_lack {
	char what[32], why[96];
	const char *mend;
	bool hopeless;		/* and neither can the IOMMU layer, or it would not help */
};

struct probe {
	struct probe_bpf *skel;
	struct fallback_bpf *fallback;	/* in its place, where that cannot be */
	/* Those of the one or the other */
	struct bpf_map *counts, *keyed, *dropped, *followed;
	struct probe_lack lack;
	char unseen[320];
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

/* What is to be in the maps once they are there. 0 or a negative errno. */
int probe_fill_maps(const struct probe *p, const struct probe_config *config);
unsigned int probe_max_keys(const struct probe_config *config);

/* Has the IOMMU layer counted instead; p->lack says why. False: message given. */
bool probe_fallback_open(struct probe *p, const struct probe_config *config);

#endif
