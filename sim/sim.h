/* SPDX-License-Identifier: GPL-2.0 */
/* A fleet that is made up, and what becomes of a policy that is rolled out on it. */
#ifndef IOX_SIM_H
#define IOX_SIM_H

#include "../user/lib/rollout_decide.h"

/* One tick is how often a host looks at its guards, and Prometheus at the hosts. */
#define TICK_MS		60000ULL
#define TICKS_PER_HOUR	60
#define TICKS_PER_DAY	(24 * TICKS_PER_HOUR)

/* --- what is rolled out --------------------------------------------------------- */

struct policy {
	const char *name;
	double slower;		/* times; of some maps and hosts only, as the rest says */
	double slower_hour;	/* more of it with each hour in force */
	double wrong;		/* share of answers that are faults */
	double fails;		/* share of maps that fail */
	bool few_hosts;		/* on a kind of hardware that FEW_HOSTS of the hosts have */
	bool under_load;	/* only above LOAD_MUCH */
	bool good;
};

#define FEW_HOSTS	0.03
#define LOAD_MUCH	0.9

extern const struct policy policies[];
extern const unsigned int nr_policies;

struct plan {
	const char *name;
	bool few_spaces;	/* few address spaces in the first stages, not all in each */
	unsigned int bake_hours;
	struct rollout_stage stages[ROLLOUT_MAX_STAGES];
	__u32 nr_stages;
};

extern const struct plan plans[];
extern const unsigned int nr_plans;

/* --- randomness that is the same each time ----------------------------------------- */

struct rng {
	__u64 state;
};

__u64 rng_next(struct rng *rng);
double rng_uniform(struct rng *rng);
double rng_normal(struct rng *rng);
__u64 rng_poisson(struct rng *rng, double mean);

/* --- a host -------------------------------------------------------------------------- */

struct host {
	struct rng rng;
	__u32 number;
	/* What it is like */
	__u32 spaces;
	__u64 spaces_seed;	/* of which of them are in a share */
	double maps_per_tick;	/* at the busiest time of the day */
	double latency_ln;	/* median of its maps, logarithm of ns */
	double peak_tick;	/* when it is busiest, in the day */
	bool special;		/* has the hardware that few have */
	/* Now */
	__u32 off_until;	/* tick; off before */
	bool booted;
	double drift;		/* of its latency, logarithm: what else goes on there */
	struct rollout_state st;
	struct rollout_seen seen;
	double window_ln;	/* sum over the maps of the window */
	__u32 used_spaces;	/* that the policy has */
	__u32 in_force_since;
	__u32 revision;		/* of the document, that it has */
	bool quiet;		/* nothing happens before the document changes */
	/* For the sums */
	bool reached, harmed;
	__u32 reached_spaces;
	__u64 harm_ticks;	/* of all address spaces */
};

void host_init(struct host *host, __u64 seed, __u32 index, const char *rollout);

/* One tick of a host that has @doc. */
void host_tick(struct host *host, const struct rollout_doc *doc, const struct policy *policy,
	       __u32 tick);

/* A tick in which nobody watches any more: the policy does what it does. */
void host_suffer(struct host *host, const struct policy *policy, __u32 tick);

/* --- a rollout ------------------------------------------------------------------------- */

struct result {
	__u32 hosts, reached, harmed, rolled_back;
	__u64 spaces, reached_spaces;
	double harm_hours;	/* of address spaces */
	double hours;		/* until it was held, or complete */
	__u32 stage;		/* at that time, of the document */
	bool stopped;		/* held by the fleet's alert */
	bool complete;
};

struct setting {
	__u32 hosts;
	__u64 seed;
	bool guards;
	double p99_times;	/* limit of map_p99 */
};

struct result simulate(const struct setting *setting, const struct plan *plan,
		       const struct policy *policy);

#endif
