// SPDX-License-Identifier: GPL-2.0-only
/* Rules that no host in a rollout breaks, whatever the document, the kernel and the guards do. */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "rollout_host.h"

FIXTURE(rollout_random)
{
	struct rollout_host h;
};

FIXTURE_SETUP(rollout_random)
{
	host_init(&self->h);
}

FIXTURE_TEARDOWN(rollout_random)
{
}

static __u32 rnd(__u64 *seed, __u32 n)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*seed >> 33) % n;
}

static void random_document(__u64 *seed, struct rollout_doc *doc)
{
	switch (rnd(seed, 12)) {
	case 0 ... 2:
		doc->stage = 1 + rnd(seed, doc->nr_stages);
		break;
	case 3:
		doc->hold = !doc->hold;
		break;
	case 4:
		doc->attempt = 1 + rnd(seed, 4);
		break;
	case 5:
		doc->on_trip = rnd(seed, 2);
		break;
	case 6:
		doc->baseline_ms = rnd(seed, 3) * 15 * MINUTE;
		break;
	case 7:
		doc->stages[0].hosts = 1 + rnd(seed, 100);
		break;
	case 8:
		doc->stages[1].spaces = 50 + rnd(seed, 900);
		break;
	case 9:
		doc->nr_stages = 2 + rnd(seed, 2);
		doc->stages[2].hosts = doc->nr_stages == 3 ? 1000 : 0;
		if (doc->stage > doc->nr_stages)
			doc->stage = doc->nr_stages;
		break;
	}
}

static void random_world(__u64 *seed, struct rollout_seen *seen, struct rollout_state *st)
{
	struct rollout_reading *r = &seen->window;

	r->failed_maps += rnd(seed, 60) ? 0 : r->maps / 10;
	r->faults += rnd(seed, 200) ? 0 : 1;
	seen->exit = "why";
	if (!rnd(seed, 60) && seen->place == ROLLOUT_IN_FORCE)
		seen->place = ROLLOUT_EJECTED;
	if (!rnd(seed, 30) && seen->place == ROLLOUT_IN_FORCE)
		seen->spaces = 1 + rnd(seed, 1000);
	if (!rnd(seed, 20)) {
		seen->place = ROLLOUT_NOT_THERE;
		seen->spaces = 0;
		seen->window = (struct rollout_reading){ 0 };
		rollout_resume(st);
	}
}

static bool same_state(const struct rollout_state *a, const struct rollout_state *b)
{
	return a->phase == b->phase && a->stage == b->stage && a->attempt == b->attempt &&
	       a->baked_ms == b->baked_ms && a->has_baseline == b->has_baseline &&
	       a->guard_holds == b->guard_holds && a->since == b->since;
}

/* What is in force after orders were carried out is what the state says. */
static bool place_is_as_stated(struct rollout_host *self)
{
	const struct rollout_state *st = &self->st;

	if (!st->stage || st->phase == ROLLOUT_ROLLED_BACK)
		return self->seen.place == ROLLOUT_NOT_THERE;
	return self->seen.place == ROLLOUT_IN_FORCE &&
	       self->seen.spaces == self->doc.stages[st->stage - 1].spaces;
}

/* Until no step changes anything any more, with nothing happening */
static void come_to_rest(struct rollout_host *self)
{
	for (int i = 0; i < 6; i++) {
		carry_out(self);
		self->seen.window = (struct rollout_reading){ 0 };
		self->order = rollout_step(&self->doc, self->host, &self->seen, &self->st);
	}
}

/* Cut off between state and order: the next process finds the old place, and ends at the same. */
static bool crash_changes_nothing(const struct rollout_host *self)
{
	struct rollout_host carried_out = *self, crashed = *self;

	crashed.order = (struct rollout_order){ .judged = true };
	rollout_resume(&crashed.st);
	come_to_rest(&carried_out);
	come_to_rest(&crashed);
	return same_state(&carried_out.st, &crashed.st) && place_is_as_stated(&carried_out) &&
	       place_is_as_stated(&crashed);
}

/* The first rule that the last step broke; NULL if none. */
static const char *broken(struct rollout_host *self, const struct rollout_state *before)
{
	const struct rollout_doc *doc = &self->doc;
	const struct rollout_state *st = &self->st;

	if (self->order.action == ROLLOUT_PUT) {
		if (self->host >= doc->stages[doc->stage - 1].hosts)
			return "put on a host that is in no stage";
		if (!st->stage || self->host >= doc->stages[st->stage - 1].hosts)
			return "put in a stage that the host is not in";
		if (self->order.spaces > doc->stages[st->stage - 1].spaces)
			return "larger share than the stage's";
		if (st->stage > doc->stage)
			return "beyond the document's stage";
		if (st->phase == ROLLOUT_ROLLED_BACK)
			return "put although rolled back";
		if (doc->baseline_ms && !st->has_baseline && st->stage > before->stage)
			return "guards, and no baseline";
	}
	if (before->phase == ROLLOUT_ROLLED_BACK && st->phase != ROLLOUT_ROLLED_BACK &&
	    doc->attempt <= before->attempt)
		return "comes back without a higher attempt";
	if (st->attempt < before->attempt)
		return "attempt falls";
	if (st->attempt == before->attempt && before->stage && st->stage > before->stage + 1)
		return "leaves a stage out";
	if (st->attempt == before->attempt && before->stage && st->stage > before->stage &&
	    (doc->hold || before->guard_holds))
		return "goes on although held";
	if (st->phase == ROLLOUT_PROMOTED && !st->stage)
		return "promoted in no stage";
	if (doc->hold && (st->phase == ROLLOUT_BAKING ||
			  (st->phase == ROLLOUT_PROMOTED && st->stage >= before->stage)))
		if (self->seen.place == ROLLOUT_IN_FORCE)
			return "not held";
	if (!st->reason[0] || !st->since)
		return "no reason, or no time";
	return NULL;
}

TEST_F(rollout_random, random_histories_keep_the_rules)
{
	const struct rollout_host fresh = self->h;
	unsigned int phases[ROLLOUT_NR_PHASES] = { 0 };

	for (__u64 history = 0; history < 1000; history++) {
		__u64 seed = history * 7919 + 1;

		self->h = fresh;
		self->h.host = rnd(&seed, rnd(&seed, 2) ? 20 : 1000);
		for (int i = 0; i < 200; i++) {
			struct rollout_state before;
			const char *rule;

			random_document(&seed, &self->h.doc);
			random_world(&seed, &self->h.seen, &self->h.st);
			before = self->h.st;
			decide(&self->h, rnd(&seed, 4) * 30 * MINUTE, rnd(&seed, 3) * 100);
			phases[self->h.st.phase]++;
			rule = broken(&self->h, &before);
			ASSERT_EQ(NULL, rule)
				TH_LOG("history %llu step %d: %s", history, i, rule);
			ASSERT_TRUE(crash_changes_nothing(&self->h))
				TH_LOG("history %llu step %d: a crash changes something", history, i);
			if (self->h.order.action == ROLLOUT_PUT && !rnd(&seed, 10)) {
				self->h.seen.obstacle = "in the way";
				continue;
			}
			carry_out(&self->h);
			ASSERT_TRUE(place_is_as_stated(&self->h))
				TH_LOG("history %llu step %d: not as stated", history, i);
		}
	}
	for (int i = 0; i < ROLLOUT_NR_PHASES; i++)
		EXPECT_LT(500, phases[i]);
}

TEST_HARNESS_MAIN
