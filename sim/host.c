// SPDX-License-Identifier: GPL-2.0
/* A host: what it maps, when it is off, and that it does what it has decided. */
#include <math.h>
#include <stdio.h>

#include "../include/iox/hist.h"
#include "sim.h"

#define RATE_MEDIAN	1200.0	/* maps a tick, when busy */
#define RATE_SPREAD	1.5	/* of logarithms, as all spreads */
#define IDLE_HOSTS	0.05	/* share of hosts that map next to nothing */
#define SPACES_MEDIAN	12.0
#define SPACES_SPREAD	0.8
#define LATENCY_MEDIAN	1000.0	/* ns */
#define LATENCY_SPREAD	0.4	/* between hosts */
#define MAPS_SPREAD	0.5	/* between the maps of a host */
#define LOAD_LEAST	0.2	/* of the day's highest */
#define LOAD_SLOWER	0.3	/* what full load adds to the latency */
#define PEAK_HOUR	14.0
#define FIRST_HOUR	18.0	/* of the day, when the rollout begins */
#define DRIFT_KEEPS	0.95	/* from one tick to the next */
#define DRIFT_SPREAD	0.02	/* what each tick adds: 6 % in the long run */
#define BURSTS		0.0002	/* share of ticks in which something else disturbs a host */
#define BURST_MOST	1.0	/* it is up to so much slower then */
#define FAILS_ANYWAY	0.0001	/* maps that fail, be the policy good or bad */
#define DECLINES	0.002	/* requests that a good policy leaves to the built-in allocator */
#define OFF_AT_FIRST	0.01
#define OFF_LONGEST	(2 * TICKS_PER_DAY)
#define BOOTS_A_TICK	(1.0 / (30 * TICKS_PER_DAY))
#define BOOT_TICKS	10
#define FAULTS_TO_EJECT	16

/* The 99th percentile of a normal distribution, and how much that of n values is off, times sqrt(n). */
#define P99_AT		2.326
#define P99_ERROR	3.73

struct effect {
	double slower;
	double wrong;
	double fails;
};

void host_init(struct host *host, __u64 seed, __u32 index, const char *rollout)
{
	char machine[33];
	struct rng *rng = &host->rng;

	*host = (struct host){ .rng.state = seed * 0xd1342543de82ef95 + index };
	snprintf(machine, sizeof(machine), "%016llx%016llx", rng_next(rng), rng_next(rng));
	host->number = rollout_host_number(rollout, machine);
	host->spaces_seed = rng_next(rng);
	host->spaces = 1 + (__u32)(SPACES_MEDIAN * exp(SPACES_SPREAD * rng_normal(rng)));
	host->maps_per_tick = RATE_MEDIAN * exp(RATE_SPREAD * rng_normal(rng));
	if (rng_uniform(rng) < IDLE_HOSTS)
		host->maps_per_tick = 0.01;
	host->latency_ln = log(LATENCY_MEDIAN) + LATENCY_SPREAD * rng_normal(rng);
	host->peak_tick = (PEAK_HOUR + rng_normal(rng)) * TICKS_PER_HOUR;
	host->special = rng_uniform(rng) < FEW_HOSTS;
	if (rng_uniform(rng) < OFF_AT_FIRST)
		host->off_until = (__u32)(rng_uniform(rng) * OFF_LONGEST);
}

static double load_of(const struct host *host, __u32 tick)
{
	double day = FIRST_HOUR * TICKS_PER_HOUR + tick - host->peak_tick;

	return (1 + LOAD_LEAST) / 2 + (1 - LOAD_LEAST) / 2 * cos(2 * M_PI * day / TICKS_PER_DAY);
}

/* What the policy does to the maps that it is asked about now */
static struct effect effect_of(const struct policy *policy, const struct host *host, double load,
			       __u32 tick)
{
	double hours = (double)(tick - host->in_force_since) / TICKS_PER_HOUR;

	if ((policy->few_hosts && !host->special) || (policy->under_load && load <= LOAD_MUCH))
		return (struct effect){ .slower = 1 };
	return (struct effect){
		.slower = policy->slower + policy->slower_hour * hours,
		.wrong = policy->wrong,
		.fails = policy->fails,
	};
}

static void count_harm(struct host *host, const struct policy *policy, const struct effect *e)
{
	if (policy->good || (e->slower <= 1.5 && e->wrong <= 0 && e->fails <= 0))
		return;
	host->harmed |= host->used_spaces > 0;
	host->harm_ticks += host->used_spaces;
}

void host_suffer(struct host *host, const struct policy *policy, __u32 tick)
{
	struct effect e;

	if (host->seen.place != ROLLOUT_IN_FORCE || tick < host->off_until)
		return;
	e = effect_of(policy, host, load_of(host, tick), tick);
	count_harm(host, policy, &e);
}

/* --- one tick ----------------------------------------------------------------------- */

/* Whoever is off has lost its policy, and the process that decides. */
static bool is_off(struct host *host, __u32 tick)
{
	if (tick < host->off_until) {
		host->booted = false;
		return true;
	}
	if (rng_uniform(&host->rng) < BOOTS_A_TICK) {
		host->off_until = tick + BOOT_TICKS;
		host->booted = false;
		return true;
	}
	return false;
}

static void begin_window(struct host *host)
{
	host->seen.window = (struct rollout_reading){ 0 };
	host->window_ln = 0;
}

static void boot(struct host *host)
{
	host->booted = true;
	host->quiet = false;
	host->seen.place = ROLLOUT_NOT_THERE;
	host->seen.spaces = 0;
	host->seen.elapsed_ms = 0;
	host->used_spaces = 0;
	begin_window(host);
	rollout_resume(&host->st);
}

/* How slow this host's maps are now, whatever allocates */
static double latency_now(struct host *host, double load)
{
	double burst = 0;

	host->drift = DRIFT_KEEPS * host->drift + DRIFT_SPREAD * rng_normal(&host->rng);
	if (rng_uniform(&host->rng) < BURSTS)
		burst = log(1 + BURST_MOST * rng_uniform(&host->rng));
	return host->latency_ln + log(1 + LOAD_SLOWER * load) + host->drift + burst;
}

/*
 * The maps of one tick, into the window: while the policy is in force, those of its address
 * spaces; before, all.
 */
static void map(struct host *host, const struct policy *policy, double load, __u32 tick)
{
	struct rollout_reading *r = &host->seen.window;
	struct effect e = { .slower = 1 };
	double mean = host->maps_per_tick * load;
	double ln = latency_now(host, load);
	__u64 maps, faults;

	if (host->seen.place == ROLLOUT_IN_FORCE) {
		e = effect_of(policy, host, load, tick);
		mean *= (double)host->used_spaces / host->spaces;
	}
	maps = mean > 0 ? rng_poisson(&host->rng, mean) : 0;
	r->maps += maps;
	r->failed_maps += rng_poisson(&host->rng, (double)maps * (FAILS_ANYWAY + e.fails));
	host->window_ln += (double)maps * (ln + log(e.slower));
	if (host->seen.place != ROLLOUT_IN_FORCE)
		return;
	faults = e.wrong < 1 ? rng_poisson(&host->rng, (double)maps * e.wrong) : maps;
	r->asked += maps;
	r->faults += faults;
	r->fallbacks += faults + rng_poisson(&host->rng, (double)maps * DECLINES);
	count_harm(host, policy, &e);
	if (e.wrong >= 1 && faults >= FAULTS_TO_EJECT) {
		host->seen.place = ROLLOUT_EJECTED;
		host->seen.exit = "16 faults with no good answer in between";
	}
}

/* As the probes have it: the last value of a histogram's bucket. */
static __u64 p99_of(struct host *host)
{
	double n = (double)host->seen.window.maps, ln;

	if (!host->seen.window.maps)
		return 0;
	ln = host->window_ln / n +
	     MAPS_SPREAD * (P99_AT + P99_ERROR / sqrt(n) * rng_normal(&host->rng));
	return iox_hist_last(iox_hist_index((__u64)exp(ln)));
}

static void put(struct host *host, __u32 spaces, __u32 tick)
{
	struct rng each = { host->spaces_seed };

	if (host->seen.place != ROLLOUT_IN_FORCE)
		host->in_force_since = tick;
	host->seen.place = ROLLOUT_IN_FORCE;
	host->seen.spaces = spaces;
	host->used_spaces = 0;
	for (__u32 i = 0; i < host->spaces; i++)
		host->used_spaces += rng_next(&each) % ROLLOUT_OF < spaces;
	host->reached |= host->used_spaces > 0;
	if (host->used_spaces > host->reached_spaces)
		host->reached_spaces = host->used_spaces;
}

static void carry_out(struct host *host, const struct rollout_order *order, __u32 tick)
{
	if (order->judged)
		begin_window(host);
	if (order->action == ROLLOUT_PUT) {
		put(host, order->spaces, tick);
	} else if (order->action == ROLLOUT_REMOVE) {
		host->seen.place = ROLLOUT_NOT_THERE;
		host->seen.spaces = 0;
		host->used_spaces = 0;
	}
}

/* Only such hosts for which each step is like the one before */
static bool is_quiet(const struct host *host, const struct rollout_doc *doc,
		     const struct policy *policy)
{
	const struct rollout_state *st = &host->st;

	if (!st->stage || st->phase == ROLLOUT_ROLLED_BACK)
		return host->seen.place == ROLLOUT_NOT_THERE &&
		       (st->phase != ROLLOUT_PENDING ||
			host->number >= doc->stages[doc->stage - 1].hosts);
	return policy->good && st->phase == ROLLOUT_PROMOTED && st->stage == doc->nr_stages;
}

void host_tick(struct host *host, const struct rollout_doc *doc, const struct policy *policy,
	       __u32 tick)
{
	struct rollout_order order;
	double load;

	if (is_off(host, tick))
		return;
	if (!host->booted)
		boot(host);
	if (host->quiet)
		return;
	load = load_of(host, tick);
	map(host, policy, load, tick);
	host->seen.now = tick * (TICK_MS / 1000);
	host->seen.window.p99_ns = p99_of(host);
	order = rollout_step(doc, host->number, &host->seen, &host->st);
	host->seen.elapsed_ms = TICK_MS;
	carry_out(host, &order, tick);
	host->quiet = is_quiet(host, doc, policy);
}
