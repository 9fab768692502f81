/* SPDX-License-Identifier: GPL-2.0-only */
/* What admit_witness.bpf.c and admit_test.c have in common. */
#ifndef IOX_SELFTEST_ADMIT_WITNESS_H
#define IOX_SELFTEST_ADMIT_WITNESS_H

/* As enum iox_admit_step has them; the last is unpreserve. */
enum { STEP_MARK, STEP_PRESERVE, STEP_FREEZE, STEP_RETRIEVE, STEP_UNPRESERVE, NR_STEPS };

/* The witnesses of one object: the second is registered after the first. */
#define NR_WITNESSES 2

struct admit_control {
	int answer[NR_STEPS];
	/* It takes its time. */
	int spin;
};

struct admit_seen {
	unsigned int calls[NR_STEPS];
	/* When it was called last, among all calls of both. */
	unsigned int turn;
	struct {
		unsigned long long id, cgroup_id, token, iommufd_token;
		unsigned long long mapped_bytes, pt_bytes;
		unsigned int step, kind, uid, pid, nr_hwpts, backings;
		unsigned int segment, bdf, vendor, device, class, irqs_on;
		char session[64], abi[64], release[65], peer_release[65];
		char peer_abi[64];
	} last;
};

#endif
