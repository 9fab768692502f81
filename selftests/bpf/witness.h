/* SPDX-License-Identifier: GPL-2.0 */
/* What policy_life_test and its policy in witness.bpf.c say to each other. */
#ifndef IOX_SELFTEST_WITNESS_H
#define IOX_SELFTEST_WITNESS_H

enum witness_mode {
	WITNESS_NO_OPINION,
	WITNESS_VALUE,		/* answer what value says */
	WITNESS_FIRST_GAP,	/* from value on */
	WITNESS_BEST_GAP,
	WITNESS_HIGHEST_HOLE,	/* the start of the last hole of a walk */
	WITNESS_SECOND_WINDOW,	/* where it starts */
	WITNESS_GIVE_UP,
	WITNESS_SPIN,		/* value times 100,000 turns, then no opinion */
};

/* Fixed widths, since the two sides are compiled for different machines. */
struct witness_control {
	unsigned long long mode;
	unsigned long long value;
	long long init_err;
	long long ioas_init_err;
};

struct witness_seen {
	unsigned long long inits, exits;
	unsigned long long ioas_inits, ioas_exits;
	unsigned long long maps, unmaps;
	unsigned long long mapped, unmapped;	/* bytes */
	unsigned long long holes;		/* of the last walk */
	unsigned long long space_id;		/* of the last question */
	unsigned long long backing, prot;	/* of what was told last */
	unsigned long long turns;		/* of WITNESS_SPIN */
	unsigned long long late;		/* calls after ioas_exit */
	long long exit_err;
	unsigned long long exit_kind;
	unsigned long long exit_length;
	char exit_msg[128];
};

#endif
