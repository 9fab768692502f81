/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a host makes of a rollout: the decisions, and nothing else. No file, no kernel, no clock:
 * whoever calls rollout_step() tells it what there is and does what it says. iox rollout does that
 * with a real kernel, the simulation with thousands that are made up.
 */
#ifndef IOX_LIB_ROLLOUT_DECIDE_H
#define IOX_LIB_ROLLOUT_DECIDE_H

#include "rollout_doc.h"

enum rollout_phase {
	ROLLOUT_PENDING,	/* not begun here */
	ROLLOUT_BAKING,		/* in force in its stage, which has to prove good */
	ROLLOUT_PROMOTED,	/* has proved good in the last stage that the document asks for */
	ROLLOUT_ROLLED_BACK,	/* not in force, for good: only a higher attempt begins anew */
	ROLLOUT_HELD,		/* stays as it is */
	ROLLOUT_NR_PHASES
};

extern const char *const rollout_phase_name[ROLLOUT_NR_PHASES];

/* What happened in a span of time */
struct rollout_reading {
	__u64 maps;		/* that asked for an IOVA to be chosen */
	__u64 failed_maps;
	__u64 p99_ns;		/* of these maps; 0 if there are none */
	__u64 asked;		/* requests to the policy */
	__u64 fallbacks;	/* of these, that the built-in allocator had to answer, faults too */
	__u64 faults;		/* of these, with an answer that could not be used */
	__u64 admissions;	/* requests to admission policies */
	__u64 refused;		/* of these */
};

/* What has to outlast the process, and a power cut */
struct rollout_state {
	enum rollout_phase phase;
	__u32 stage;			/* from 1; 0: not begun */
	__u32 attempt;
	__u64 since;			/* when phase or stage changed last: as @now of rollout_seen */
	__u64 baked_ms;			/* of this stage */
	__u64 bake_samples;		/* maps, or admissions, that were judged in this stage */
	__u64 measured_ms;		/* of the baseline */
	bool has_baseline;
	double baseline[ROLLOUT_NR_GUARDS];
	double value[ROLLOUT_NR_GUARDS];	/* when they were judged last */
	__u64 trips[ROLLOUT_NR_GUARDS];
	bool guard_holds;		/* held by a guard, not by the document */
	char reason[256];
};

enum rollout_place {
	ROLLOUT_NOT_THERE,
	ROLLOUT_IN_FORCE,
	ROLLOUT_EJECTED,
};

/* What there is */
struct rollout_seen {
	__u64 now;			/* seconds since 1970, for people */
	__u64 elapsed_ms;		/* since the step before by the same process; 0 at its first */
	/* All since a step said @judged last, or since the process began */
	struct rollout_reading window;
	enum rollout_place place;	/* of this rollout's policy in the kernel */
	__u32 spaces;			/* the share that it has there */
	const char *exit;		/* why it was ejected */
	const char *obstacle;		/* why the last ROLLOUT_PUT could not be done; NULL if it was */
};

enum rollout_action {
	ROLLOUT_STAY,
	ROLLOUT_PUT,		/* in force, for so many @spaces of ROLLOUT_OF; or change that share */
	ROLLOUT_REMOVE,		/* out of force; what it has replaced comes back */
};

struct rollout_order {
	enum rollout_action action;
	__u32 spaces;
	bool judged;		/* the next window begins now */
};

/*
 * The number of a host in a rollout, from 0 to ROLLOUT_OF - 1: it is in a stage with more @hosts.
 * The first 64 bits, big-endian, of the SHA-256 of name, a zero byte and machine id, modulo
 * ROLLOUT_OF. ROLLOUT_OF itself, which is in no stage, if that cannot be computed.
 */
__u32 rollout_host_number(const char *name, const char *machine_id);

/* Before the first step of a process: what was half measured is measured anew. */
void rollout_resume(struct rollout_state *st);

/* How high a guard may be */
double rollout_limit_of(const struct rollout_doc *doc, const struct rollout_state *st,
			enum rollout_guard guard);

/*
 * One step. @st becomes what is to be, before it is: it has to be written down before the order is
 * carried out, so that whoever is cut off between them finds in it what was meant. After an order
 * has been carried out, the next step may follow at once.
 */
struct rollout_order rollout_step(const struct rollout_doc *doc, __u32 host,
				  const struct rollout_seen *seen, struct rollout_state *st);

#endif
