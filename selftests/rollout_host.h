/* SPDX-License-Identifier: GPL-2.0-only */
/* A host in a rollout, with a kernel that is made up. */
#ifndef SELFTESTS_ROLLOUT_HOST_H
#define SELFTESTS_ROLLOUT_HOST_H

#include <string.h>

#include "../user/lib/rollout_decide.h"

#define MINUTE 60000ULL
#define HOUR (60 * MINUTE)

/* A host that does what it is told, unless it is told not to. */
struct rollout_host {
	struct rollout_doc doc;
	struct rollout_state st;
	struct rollout_seen seen;
	struct rollout_order order;
	__u32 host;
};

static inline void host_init(struct rollout_host *self)
{
	self->doc = (struct rollout_doc){
		.name = "top-down-2026-11",
		.stages = { { 10, 50, 2 * HOUR }, { 100, 500, 4 * HOUR }, { 1000, 1000, 24 * HOUR } },
		.nr_stages = 3,
		.stage = 1,
		.attempt = 1,
		.baseline_ms = 30 * MINUTE,
		.every_ms = MINUTE,
		.samples = 100,
		.limits = {
			[ROLLOUT_GUARD_map_p99] = { true, 1.5, 2000 },
			[ROLLOUT_GUARD_failed_maps] = { true, 0, 0.01 },
			[ROLLOUT_GUARD_fallback_rate] = { true, 0, 0.02 },
			[ROLLOUT_GUARD_faults] = { true, 0, 0 },
		},
	};
	self->seen = (struct rollout_seen){ .now = 1000000 };
	self->host = 5;
}

static inline void carry_out(struct rollout_host *self)
{
	if (self->order.judged)
		self->seen.window = (struct rollout_reading){ 0 };
	self->seen.elapsed_ms = 0;
	self->seen.obstacle = NULL;
	if (self->order.action == ROLLOUT_PUT) {
		self->seen.place = ROLLOUT_IN_FORCE;
		self->seen.spaces = self->order.spaces;
	} else if (self->order.action == ROLLOUT_REMOVE) {
		self->seen.place = ROLLOUT_NOT_THERE;
		self->seen.spaces = 0;
	}
}

/* Time passes, maps are made, one step, which is not carried out. */
static inline void decide(struct rollout_host *self, __u64 ms, __u64 maps)
{
	struct rollout_reading *r = &self->seen.window;

	self->seen.now += ms / 1000;
	self->seen.elapsed_ms = ms;
	r->maps += maps;
	r->p99_ns = r->maps ? 2000 : 0;
	if (self->seen.place == ROLLOUT_IN_FORCE)
		r->asked += maps;
	self->order = rollout_step(&self->doc, self->host, &self->seen, &self->st);
}

static inline void step(struct rollout_host *self, __u64 ms, __u64 maps)
{
	decide(self, ms, maps);
	carry_out(self);
}

#endif
