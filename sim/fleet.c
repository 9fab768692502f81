// SPDX-License-Identifier: GPL-2.0
/*
 * A rollout on a fleet. Nobody commands hosts: documents are published and reach each host some
 * minutes later, Prometheus counts states. Who publishes follows a few rules, as people or a
 * pipeline would.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define REVISIONS	(ROLLOUT_MAX_STAGES + 1)
#define DELIVERY_TICKS	10	/* until a document has reached all hosts */
/* So many rolled back hosts, and so large a share of those that have begun, are an alert. */
#define ALERT_HOSTS	2
#define ALERT_OF	200
/* A stage is over when it has baked, so much later, with no alert and so many hosts promoted. */
#define SLACK_TICKS	90
#define PROMOTED_OF	5
/* Of all hosts, the rest being off or idle */
#define COMPLETE_SHARE	0.9
#define LONGEST		(15 * TICKS_PER_DAY)
/* How long a held rollout is looked at: exposure goes on where no guard has tripped. */
#define AFTERMATH	(6 * TICKS_PER_HOUR)

struct fleet {
	struct host *hosts;
	__u32 nr_hosts;
	const struct policy *policy;
	struct rollout_doc docs[REVISIONS];
	__u32 published[REVISIONS];
	__u32 nr_docs;
};

/* What Prometheus knows */
struct scrape {
	__u32 in_stage, promoted, begun, rolled_back;
};

static void first_document(struct rollout_doc *doc, const struct setting *setting,
			   const struct plan *plan)
{
	*doc = (struct rollout_doc){
		.name = "sim",
		.kind = ROLLOUT_IOVA,
		.nr_stages = plan->nr_stages,
		.stage = 1,
		.attempt = 1,
		.every_ms = TICK_MS,
	};
	memcpy(doc->stages, plan->stages, sizeof(doc->stages));
	if (!setting->guards)
		return;
	doc->baseline_ms = 30 * TICK_MS;
	doc->samples = 500;
	doc->limits[ROLLOUT_GUARD_map_p99] = (struct rollout_limit){ true, setting->p99_times, 0 };
	doc->limits[ROLLOUT_GUARD_failed_maps] = (struct rollout_limit){ true, 0, 0.01 };
	doc->limits[ROLLOUT_GUARD_fallback_rate] = (struct rollout_limit){ true, 0, 0.02 };
	doc->limits[ROLLOUT_GUARD_faults] = (struct rollout_limit){ true, 0, 0 };
}

/* The newest document, to be changed */
static struct rollout_doc *publish(struct fleet *fleet, __u32 tick)
{
	if (fleet->nr_docs == REVISIONS)
		abort();
	fleet->docs[fleet->nr_docs] = fleet->docs[fleet->nr_docs - 1];
	fleet->published[fleet->nr_docs] = tick;
	return &fleet->docs[fleet->nr_docs++];
}

/* Its own minutes for each host and each document */
static void deliver(const struct fleet *fleet, struct host *host, __u32 tick)
{
	while (host->revision + 1 < fleet->nr_docs) {
		__u32 next = host->revision + 1;
		struct rng rng = { host->spaces_seed + next };

		if (tick < fleet->published[next] + 1 + rng_next(&rng) % DELIVERY_TICKS)
			return;
		host->revision = next;
		host->quiet = false;
	}
}

static struct scrape scrape(const struct fleet *fleet, __u32 tick)
{
	const struct rollout_doc *doc = &fleet->docs[fleet->nr_docs - 1];
	struct scrape s = { 0 };

	for (__u32 i = 0; i < fleet->nr_hosts; i++) {
		const struct host *host = &fleet->hosts[i];

		if (tick < host->off_until)
			continue;
		s.in_stage += host->number < doc->stages[doc->stage - 1].hosts;
		s.begun += host->st.stage > 0;
		s.promoted += host->st.phase == ROLLOUT_PROMOTED && host->st.stage == doc->stage;
		s.rolled_back += host->st.phase == ROLLOUT_ROLLED_BACK;
	}
	return s;
}

/* True when there is no more to see. */
static bool control(struct fleet *fleet, const struct scrape *s, struct result *result, __u32 tick)
{
	const struct rollout_doc *doc = &fleet->docs[fleet->nr_docs - 1];
	__u32 since = tick - fleet->published[fleet->nr_docs - 1];
	__u64 baked = doc->stages[doc->stage - 1].bake_ms / TICK_MS + SLACK_TICKS;

	if (doc->hold)
		return since >= AFTERMATH;
	result->hours = (double)tick / TICKS_PER_HOUR;
	result->stage = doc->stage;
	if (s->rolled_back >= ALERT_HOSTS && s->rolled_back * ALERT_OF >= s->begun) {
		publish(fleet, tick)->hold = true;
		result->stopped = true;
	} else if (doc->stage == doc->nr_stages) {
		result->complete = s->promoted >= COMPLETE_SHARE * fleet->nr_hosts;
		return result->complete;
	} else if (since >= baked && s->promoted * PROMOTED_OF >= s->in_stage) {
		publish(fleet, tick)->stage++;
	}
	return false;
}

/* What has got through does harm until somebody notices by other means: a day of it is counted. */
static void suffer(const struct fleet *fleet, __u32 tick)
{
	for (__u32 end = tick + TICKS_PER_DAY; tick < end; tick++)
		for (__u32 i = 0; i < fleet->nr_hosts; i++)
			host_suffer(&fleet->hosts[i], fleet->policy, tick);
}

static void sum_up(const struct fleet *fleet, struct result *result)
{
	for (__u32 i = 0; i < fleet->nr_hosts; i++) {
		const struct host *host = &fleet->hosts[i];

		result->hosts++;
		result->spaces += host->spaces;
		result->reached += host->reached;
		result->harmed += host->harmed;
		result->rolled_back += host->st.phase == ROLLOUT_ROLLED_BACK;
		result->reached_spaces += host->reached_spaces;
		result->harm_hours += (double)host->harm_ticks / TICKS_PER_HOUR;
	}
}

struct result simulate(const struct setting *setting, const struct plan *plan,
		       const struct policy *policy)
{
	struct fleet fleet = { .nr_hosts = setting->hosts, .policy = policy, .nr_docs = 1 };
	struct result result = { 0 };
	struct scrape s;
	__u32 tick;

	fleet.hosts = calloc(fleet.nr_hosts, sizeof(*fleet.hosts));
	if (!fleet.hosts)
		abort();
	first_document(&fleet.docs[0], setting, plan);
	for (__u32 i = 0; i < fleet.nr_hosts; i++)
		host_init(&fleet.hosts[i], setting->seed, i, fleet.docs[0].name);
	for (tick = 0; tick < LONGEST; tick++) {
		for (__u32 i = 0; i < fleet.nr_hosts; i++) {
			struct host *host = &fleet.hosts[i];

			deliver(&fleet, host, tick);
			host_tick(host, &fleet.docs[host->revision], policy, tick);
		}
		s = scrape(&fleet, tick);
		if (control(&fleet, &s, &result, tick))
			break;
	}
	if (result.complete && !policy->good)
		suffer(&fleet, tick);
	sum_up(&fleet, &result);
	free(fleet.hosts);
	return result;
}
