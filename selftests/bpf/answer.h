/* SPDX-License-Identifier: GPL-2.0 */
/* What policy_test and its policy in answer.bpf.c say to each other. */
#ifndef IOX_SELFTEST_ANSWER_H
#define IOX_SELFTEST_ANSWER_H

enum answer_mode {
	ANSWER_VALUE,		/* answer what value says */
	ANSWER_FIRST_GAP,	/* what iox_iova_first_gap(min, max, align) says */
	ANSWER_LAST_GAP,	/* what iox_iova_last_gap(min, max, align) says */
};

/* Fixed widths, since the two sides are compiled for different machines. */
struct answer_control {
	unsigned long long mode;
	unsigned long long value;
	unsigned long long min;
	unsigned long long max;
	unsigned long long align;
};

/* The request that the policy saw last. */
struct answer_seen {
	unsigned long long calls;
	unsigned long long ctx_id;
	unsigned long long cgroup_id;
	unsigned long long current_cgroup_id;
	unsigned long long length;
	unsigned long long addr;
	unsigned long long align;
	unsigned long long hint;
	unsigned long long nr_areas;
	unsigned long long ioas_id;
	unsigned long long prot;
	unsigned long long backing;
	unsigned long long answer;
};

#endif
