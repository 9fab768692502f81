// SPDX-License-Identifier: GPL-2.0-only
/* What a host makes of a rollout (user/lib/rollout_decide.c): the decisions alone, no kernel. */
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "rollout_host.h"

FIXTURE(rollout_decide)
{
	struct rollout_host h;
};

FIXTURE_SETUP(rollout_decide)
{
	host_init(&self->h);
}

FIXTURE_TEARDOWN(rollout_decide)
{
}

/* To the first step of the first stage */
static void begin(struct rollout_host *self)
{
	step(self, 0, 0);
	step(self, 30 * MINUTE, 1000);
}

/* Promoted in stage 1 */
static void promote(struct rollout_host *self)
{
	begin(self);
	step(self, 2 * HOUR, 1000);
}

/* Promoted in the last one */
static void promote_all(struct rollout_host *self)
{
	self->doc.stage = 3;
	promote(self);
	step(self, 4 * HOUR, 1000);
	step(self, 24 * HOUR, 1000);
}

#define EXPECT_PHASE(name) \
	EXPECT_STREQ(rollout_phase_name[ROLLOUT_##name], rollout_phase_name[self->h.st.phase])
#define EXPECT_REASON(text) \
	EXPECT_NE(NULL, strstr(self->h.st.reason, text)) TH_LOG("reason: %s", self->h.st.reason)
#define EXPECT_PUT(share) do {				\
	EXPECT_EQ(ROLLOUT_PUT, self->h.order.action);	\
	EXPECT_EQ(share, self->h.order.spaces);		\
} while (0)
#define EXPECT_STAY() EXPECT_EQ(ROLLOUT_STAY, self->h.order.action)
#define EXPECT_REMOVE() EXPECT_EQ(ROLLOUT_REMOVE, self->h.order.action)

/* --- the number of a host ------------------------------------------------------------ */

/* printf 'NAME\0MACHINE' | sha256sum | cut -c1-16, modulo 1000 */
TEST(numbers_are_those_of_sha256sum)
{
	static const struct {
		const char *name, *machine;
		__u32 number;
	} known[] = {
		{ "top-down-2026-11",
		  "0123456789abcdef0123456789abcdef", 90 },
		{ "a",
		  "00000000000000000000000000000000", 905 },
		{ "first-fit.2",
		  "ffffffffffffffffffffffffffffffff", 34 },
		{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		  "b08dfa6083e7567a1921a715000001fb", 50 },
		{ "b",
		  "", 619 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		EXPECT_EQ(known[i].number, rollout_host_number(known[i].name, known[i].machine));
}

TEST(numbers_differ_between_rollouts_and_are_even)
{
	unsigned int first = 0, both = 0;
	char machine[33];

	for (int i = 0; i < 20000; i++) {
		__u32 a, b;

		snprintf(machine, sizeof(machine), "%032x", i);
		a = rollout_host_number("a", machine);
		b = rollout_host_number("b", machine);
		ASSERT_LT(a, ROLLOUT_OF);
		first += a < 100;
		both += a < 100 && b < 100;
	}
	EXPECT_GT(2200, first);
	EXPECT_LT(1800, first);
	EXPECT_GT(280, both);
}

/* --- the way that goes well ------------------------------------------------------------ */

TEST_F(rollout_decide, good_policy_goes_through_all_stages)
{
	self->h.doc.stage = 3;
	step(&self->h, 0, 0);
	EXPECT_PHASE(PENDING);
	EXPECT_REASON("measuring the baseline: 0s of 30m00s, 0 of 100 maps");
	EXPECT_EQ(1000000, self->h.st.since);
	step(&self->h, 30 * MINUTE - 1, 1000);
	EXPECT_PHASE(PENDING);
	EXPECT_STAY();
	step(&self->h, 1, 0);
	EXPECT_PHASE(BAKING);
	EXPECT_PUT(50);
	EXPECT_TRUE(self->h.order.judged);
	EXPECT_EQ(2000, self->h.st.baseline[ROLLOUT_GUARD_map_p99]);
	EXPECT_REASON("stage 1 of 3: 0s of 2h00m, 0 of 100 maps");
	step(&self->h, 2 * HOUR - 1, 100);
	EXPECT_PHASE(BAKING);
	EXPECT_STAY();
	EXPECT_TRUE(self->h.order.judged);
	EXPECT_REASON("stage 1 of 3: 1h59m of 2h00m");
	step(&self->h, 1, 0);
	EXPECT_PHASE(BAKING);
	EXPECT_PUT(500);
	EXPECT_EQ(2, self->h.st.stage);
	EXPECT_EQ(self->h.seen.now, self->h.st.since);
	step(&self->h, 4 * HOUR, 100);
	EXPECT_PUT(1000);
	step(&self->h, 24 * HOUR, 100);
	EXPECT_PHASE(PROMOTED);
	EXPECT_STAY();
	EXPECT_REASON("stage 3 of 3 has proved good");
	EXPECT_EQ(self->h.seen.now, self->h.st.since);
}

TEST_F(rollout_decide, waits_for_its_stage_and_begins_in_it)
{
	self->h.host = 10;
	step(&self->h, MINUTE, 1000);
	EXPECT_PHASE(PENDING);
	EXPECT_STAY();
	EXPECT_REASON("host number 10 of 1000, stage 1 has those below 10");
	EXPECT_EQ(0, self->h.st.stage);
	self->h.doc.stage = 2;
	step(&self->h, 30 * MINUTE, 1000);
	EXPECT_PHASE(BAKING);
	EXPECT_PUT(500);
	EXPECT_EQ(2, self->h.st.stage);
}

TEST_F(rollout_decide, goes_on_when_the_document_does)
{
	promote(&self->h);
	EXPECT_PHASE(PROMOTED);
	EXPECT_REASON("stage 1 of 3 has proved good");
	step(&self->h, HOUR, 1000);
	EXPECT_PHASE(PROMOTED);
	EXPECT_STAY();
	self->h.doc.stage = 2;
	step(&self->h, MINUTE, 1000);
	EXPECT_PHASE(BAKING);
	EXPECT_PUT(500);
	EXPECT_EQ(0, self->h.st.baked_ms);
	EXPECT_EQ(0, self->h.st.bake_samples);
}

TEST_F(rollout_decide, wall_clock_decides_nothing)
{
	promote(&self->h);
	self->h.seen.now = 0;
	self->h.doc.stage = 2;
	step(&self->h, 0, 0);
	self->h.seen.now = ~0ULL >> 1;
	step(&self->h, 4 * HOUR - 1, 1000);
	EXPECT_PHASE(BAKING);
	self->h.seen.now = 1;
	step(&self->h, 1, 0);
	EXPECT_PHASE(PROMOTED);
}

TEST_F(rollout_decide, without_guards_nothing_is_measured)
{
	self->h.doc.baseline_ms = 0;
	memset(self->h.doc.limits, 0, sizeof(self->h.doc.limits));
	step(&self->h, 0, 0);
	EXPECT_PHASE(BAKING);
	EXPECT_PUT(50);
	EXPECT_STREQ("stage 1 of 3: 0s of 2h00m", self->h.st.reason);
	step(&self->h, 2 * HOUR, 0);
	EXPECT_PHASE(PROMOTED);
	EXPECT_FALSE(self->h.st.has_baseline);
}

/* --- the baseline ---------------------------------------------------------------------- */

TEST_F(rollout_decide, baseline_needs_maps)
{
	step(&self->h, 31 * MINUTE, 99);
	EXPECT_PHASE(PENDING);
	EXPECT_REASON("measuring the baseline: 31m00s of 30m00s, 99 of 100 maps");
	step(&self->h, MINUTE, 1);
	EXPECT_PHASE(BAKING);
}

TEST_F(rollout_decide, baseline_of_a_process_that_ended_is_measured_anew)
{
	step(&self->h, 29 * MINUTE, 1000);
	rollout_resume(&self->h.st);
	self->h.seen.window = (struct rollout_reading){ 0 };
	step(&self->h, 0, 0);
	step(&self->h, 29 * MINUTE, 1000);
	EXPECT_PHASE(PENDING);
	step(&self->h, MINUTE, 0);
	EXPECT_PHASE(BAKING);
	rollout_resume(&self->h.st);
	EXPECT_TRUE(self->h.st.has_baseline);
	EXPECT_EQ(30 * MINUTE, self->h.st.measured_ms);
}

/* The window has to be of the time that is counted. */
TEST_F(rollout_decide, baseline_is_of_the_time_it_is_measured_in)
{
	self->h.host = 50;
	step(&self->h, HOUR, 1000);
	EXPECT_TRUE(self->h.order.judged);
	self->h.doc.stage = 2;
	step(&self->h, 29 * MINUTE, 1000);
	EXPECT_FALSE(self->h.order.judged);
	self->h.doc.hold = true;
	step(&self->h, HOUR, 1000);
	EXPECT_TRUE(self->h.order.judged);
	EXPECT_EQ(0, self->h.st.measured_ms);
	self->h.doc.hold = false;
	step(&self->h, 29 * MINUTE, 1000);
	EXPECT_PHASE(PENDING);
}

TEST_F(rollout_decide, guards_after_it_began_are_told)
{
	self->h.doc.baseline_ms = 0;
	step(&self->h, 0, 0);
	self->h.doc.baseline_ms = 30 * MINUTE;
	step(&self->h, 3 * HOUR, 1000);
	EXPECT_PHASE(HELD);
	EXPECT_STAY();
	EXPECT_REASON("without a baseline");
	self->h.doc.attempt = 2;
	step(&self->h, 0, 0);
	EXPECT_REMOVE();
	step(&self->h, 30 * MINUTE, 1000);
	EXPECT_PUT(50);
}

/* --- guards ------------------------------------------------------------------------------ */

struct limit_case {
	enum rollout_guard guard;
	struct rollout_reading at, over;
	const char *reason;
};

static const struct limit_case limit_cases[] = {
	{ ROLLOUT_GUARD_map_p99, { .maps = 100, .p99_ns = 5000 }, { .maps = 100, .p99_ns = 5001 },
	  "guard map_p99 in stage 1: 5.0 us, limit 5.0 us, baseline 2.0 us" },
	{ ROLLOUT_GUARD_failed_maps, { .maps = 200, .failed_maps = 2 },
	  { .maps = 200, .failed_maps = 3 }, "guard failed_maps in stage 1: 1.5 %, limit 1 %, baseline 0 %" },
	{ ROLLOUT_GUARD_fallback_rate, { .maps = 100, .asked = 200, .fallbacks = 4 },
	  { .maps = 100, .asked = 200, .fallbacks = 5 }, "guard fallback_rate in stage 1: 2.5 %, limit 2 %" },
	{ ROLLOUT_GUARD_faults, { .maps = 100, .asked = 100 }, { .maps = 100, .asked = 1000, .faults = 1 },
	  "guard faults in stage 1: 0.1 %, limit 0 %" },
	/* Of few requests as if the rest of the samples had gone well */
	{ ROLLOUT_GUARD_fallback_rate, { .maps = 100, .asked = 5, .fallbacks = 2 },
	  { .maps = 100, .asked = 5, .fallbacks = 3 }, "guard fallback_rate in stage 1: 3 %, limit 2 %" },
};

#define FOR_EACH_LIMIT(c) for (const struct limit_case *c = limit_cases; c < limit_cases + 5; c++)

TEST_F(rollout_decide, guards_trip_over_their_limit_only)
{
	const struct rollout_seen fresh = self->h.seen;

	FOR_EACH_LIMIT(c) {
		self->h.st = (struct rollout_state){ 0 };
		self->h.seen = fresh;
		begin(&self->h);
		self->h.seen.elapsed_ms = MINUTE;
		self->h.seen.window = c->at;
		self->h.order = rollout_step(&self->h.doc, 5, &self->h.seen, &self->h.st);
		EXPECT_PHASE(BAKING);
		EXPECT_STAY();
		EXPECT_TRUE(self->h.order.judged);
		EXPECT_EQ(0, self->h.st.trips[c->guard]);
		self->h.seen.now += 60;
		self->h.seen.window = c->over;
		self->h.order = rollout_step(&self->h.doc, 5, &self->h.seen, &self->h.st);
		EXPECT_PHASE(ROLLED_BACK);
		EXPECT_REMOVE();
		EXPECT_REASON(c->reason);
		EXPECT_EQ(1, self->h.st.trips[c->guard]);
		EXPECT_EQ(self->h.seen.now, self->h.st.since);
		EXPECT_GT(self->h.st.value[c->guard], rollout_limit_of(&self->h.doc, &self->h.st, c->guard));
	}
}

TEST_F(rollout_decide, guards_that_are_not_set_trip_not)
{
	memset(self->h.doc.limits, 0, sizeof(self->h.doc.limits));
	begin(&self->h);
	FOR_EACH_LIMIT(c) {
		self->h.seen.window = c->over;
		step(&self->h, MINUTE, 0);
		EXPECT_PHASE(BAKING);
	}
}

TEST_F(rollout_decide, too_few_maps_say_nothing_until_there_are_more)
{
	begin(&self->h);
	self->h.seen.window.failed_maps = 99;
	step(&self->h, 3 * HOUR, 99);
	EXPECT_PHASE(BAKING);
	EXPECT_FALSE(self->h.order.judged);
	EXPECT_REASON("0 of 100 maps");
	EXPECT_EQ(99, self->h.seen.window.maps);
	step(&self->h, MINUTE, 1);
	EXPECT_PHASE(ROLLED_BACK);
}

TEST_F(rollout_decide, first_guard_is_told_and_all_are_counted)
{
	begin(&self->h);
	self->h.seen.window = (struct rollout_reading){ .failed_maps = 50, .asked = 50, .faults = 50,
						      .fallbacks = 50 };
	step(&self->h, MINUTE, 100);
	EXPECT_REASON("guard failed_maps");
	EXPECT_EQ(0, self->h.st.trips[ROLLOUT_GUARD_map_p99]);
	EXPECT_EQ(1, self->h.st.trips[ROLLOUT_GUARD_failed_maps]);
	EXPECT_EQ(1, self->h.st.trips[ROLLOUT_GUARD_fallback_rate]);
	EXPECT_EQ(1, self->h.st.trips[ROLLOUT_GUARD_faults]);
}

TEST_F(rollout_decide, rolled_back_is_for_good_until_a_higher_attempt)
{
	begin(&self->h);
	self->h.seen.window.failed_maps = 50;
	step(&self->h, MINUTE, 100);
	EXPECT_REMOVE();
	self->h.doc.stage = 3;
	for (int i = 0; i < 10; i++) {
		step(&self->h, HOUR, 1000);
		EXPECT_PHASE(ROLLED_BACK);
		EXPECT_STAY();
	}
	/* Not carried out yet when the process was ended. */
	self->h.seen.place = ROLLOUT_IN_FORCE;
	step(&self->h, 0, 0);
	EXPECT_REMOVE();
	self->h.doc.attempt = 2;
	step(&self->h, 0, 0);
	EXPECT_PHASE(PENDING);
	EXPECT_EQ(self->h.seen.now, self->h.st.since);
	EXPECT_EQ(0, self->h.st.trips[ROLLOUT_GUARD_failed_maps]);
	EXPECT_FALSE(self->h.st.has_baseline);
	self->h.doc.attempt = 1;
	step(&self->h, 30 * MINUTE, 1000);
	EXPECT_PHASE(BAKING);
	EXPECT_EQ(2, self->h.st.attempt);
}

TEST_F(rollout_decide, held_by_a_guard_stays_as_it_is)
{
	self->h.doc.on_trip = ROLLOUT_HOLD;
	begin(&self->h);
	self->h.seen.window.failed_maps = 50;
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(HELD);
	EXPECT_STAY();
	EXPECT_TRUE(self->h.order.judged);
	EXPECT_REASON("guard failed_maps in stage 1");
	self->h.doc.stage = 3;
	step(&self->h, 10 * HOUR, 1000);
	EXPECT_PHASE(HELD);
	EXPECT_STAY();
	EXPECT_REASON("guard failed_maps");
	EXPECT_EQ(0, self->h.st.baked_ms);
	/* After a boot it is what it was. */
	self->h.seen.place = ROLLOUT_NOT_THERE;
	step(&self->h, 0, 0);
	EXPECT_PHASE(HELD);
	EXPECT_PUT(50);
}

TEST_F(rollout_decide, guards_watch_until_the_last_stage_has_proved_good)
{
	promote(&self->h);
	self->h.seen.window.failed_maps = 50;
	decide(&self->h, MINUTE, 100);
	EXPECT_PHASE(ROLLED_BACK);

	self->h.st = (struct rollout_state){ 0 };
	self->h.seen = (struct rollout_seen){ 0 };
	promote_all(&self->h);
	EXPECT_PHASE(PROMOTED);
	self->h.seen.window.failed_maps = 50;
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(PROMOTED);
	self->h.doc.hold = true;
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(HELD);
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(HELD);
	self->h.doc.hold = false;
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(PROMOTED);
}

/* --- what the document says ---------------------------------------------------------------- */

TEST_F(rollout_decide, hold_and_its_end)
{
	self->h.doc.hold = true;
	step(&self->h, HOUR, 1000);
	EXPECT_PHASE(HELD);
	EXPECT_STAY();
	EXPECT_REASON("before it has begun");
	self->h.doc.hold = false;
	begin(&self->h);
	step(&self->h, HOUR, 1000);
	self->h.doc.hold = true;
	self->h.doc.stage = 2;
	step(&self->h, 5 * HOUR, 1000);
	EXPECT_PHASE(HELD);
	EXPECT_STAY();
	EXPECT_REASON("the document says so, in stage 1 of 3");
	EXPECT_EQ(HOUR, self->h.st.baked_ms);
	/* Nor does it end the watch. */
	self->h.seen.window.failed_maps = 1;
	step(&self->h, 5 * HOUR, 1000);
	EXPECT_EQ(0.001, self->h.st.value[ROLLOUT_GUARD_failed_maps]);
	self->h.doc.hold = false;
	step(&self->h, HOUR - 1, 1000);
	EXPECT_PHASE(BAKING);
	EXPECT_EQ(1, self->h.st.stage);
	step(&self->h, 1, 0);
	EXPECT_PUT(500);
	self->h.doc.hold = true;
	self->h.seen.window.failed_maps = 50;
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(ROLLED_BACK);
}

TEST_F(rollout_decide, stage_taken_back_and_its_return)
{
	self->h.doc.stage = 2;
	promote(&self->h);
	EXPECT_EQ(2, self->h.st.stage);
	self->h.doc.stage = 1;
	step(&self->h, HOUR, 1000);
	EXPECT_PHASE(PROMOTED);
	EXPECT_PUT(50);
	EXPECT_REASON("stage 1 of 3, the document has taken a later one back");
	EXPECT_EQ(self->h.seen.now, self->h.st.since);
	/* It was good there: nothing in between makes it bake again. */
	self->h.doc.hold = true;
	step(&self->h, MINUTE, 10);
	EXPECT_PHASE(HELD);
	self->h.doc.hold = false;
	step(&self->h, MINUTE, 10);
	EXPECT_PHASE(PROMOTED);
	self->h.doc.stage = 2;
	step(&self->h, MINUTE, 10);
	EXPECT_PHASE(BAKING);
	EXPECT_PUT(500);
	EXPECT_EQ(0, self->h.st.baked_ms);
}

TEST_F(rollout_decide, first_stage_taken_back_and_its_return)
{
	self->h.host = 50;
	self->h.doc.stage = 2;
	begin(&self->h);
	EXPECT_EQ(2, self->h.st.stage);
	self->h.doc.stage = 1;
	step(&self->h, HOUR, 1000);
	EXPECT_PHASE(PENDING);
	EXPECT_REMOVE();
	EXPECT_EQ(0, self->h.st.stage);
	EXPECT_REASON("taken this host's stage back");
	self->h.doc.stage = 2;
	step(&self->h, 29 * MINUTE, 1000);
	EXPECT_PHASE(PENDING);
	step(&self->h, MINUTE, 1000);
	EXPECT_PUT(500);
}

TEST_F(rollout_decide, stage_taken_back_ends_the_hold_of_a_guard)
{
	self->h.doc.on_trip = ROLLOUT_HOLD;
	self->h.doc.stage = 2;
	promote(&self->h);
	self->h.seen.window.failed_maps = 50;
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(HELD);
	self->h.doc.stage = 1;
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(PROMOTED);
	EXPECT_PUT(50);
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(PROMOTED);
}

TEST_F(rollout_decide, stage_that_has_this_host_no_longer_is_left)
{
	begin(&self->h);
	self->h.doc.stages[0].hosts = 5;
	self->h.doc.stage = 2;
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(PENDING);
	EXPECT_REMOVE();
	step(&self->h, 30 * MINUTE, 100);
	EXPECT_PUT(500);
}

TEST_F(rollout_decide, fewer_stages_than_it_is_in)
{
	promote_all(&self->h);
	self->h.doc.nr_stages = 2;
	self->h.doc.stages[2] = (struct rollout_stage){ 0 };
	self->h.doc.stage = 2;
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(PROMOTED);
	EXPECT_PUT(500);
}

TEST_F(rollout_decide, new_attempt_measures_without_the_policy)
{
	begin(&self->h);
	self->h.doc.attempt = 2;
	self->h.seen.window.p99_ns = 9000;
	step(&self->h, 40 * MINUTE, 1000);
	EXPECT_REMOVE();
	EXPECT_TRUE(self->h.order.judged);
	EXPECT_PHASE(PENDING);
	EXPECT_EQ(0, self->h.st.measured_ms);
	step(&self->h, 30 * MINUTE, 1000);
	EXPECT_EQ(2000, self->h.st.baseline[ROLLOUT_GUARD_map_p99]);
	EXPECT_PUT(50);
}

TEST_F(rollout_decide, without_maps_the_next_stage_is_waited_for)
{
	begin(&self->h);
	step(&self->h, 2 * HOUR - 1, 0);
	self->h.doc.stage = 2;
	step(&self->h, 0, 0);
	EXPECT_EQ(1, self->h.st.stage);
	self->h.doc.stage = 1;
	step(&self->h, 1, 0);
	EXPECT_PHASE(BAKING);
	EXPECT_EQ(1, self->h.st.stage);
	self->h.doc.stage = 2;
	step(&self->h, MINUTE, 1);
	EXPECT_EQ(1, self->h.st.stage);
	self->h.seen.window = (struct rollout_reading){ 0 };
	step(&self->h, MINUTE, 0);
	EXPECT_EQ(2, self->h.st.stage);
	EXPECT_PUT(500);
	step(&self->h, 40 * HOUR, 0);
	EXPECT_PHASE(BAKING);
	EXPECT_EQ(2, self->h.st.stage);
}

/* --- what the kernel has ----------------------------------------------------------------------- */

TEST_F(rollout_decide, ejected_is_rolled_back)
{
	begin(&self->h);
	self->h.seen.place = ROLLOUT_EJECTED;
	self->h.seen.exit = "16 faults";
	self->h.doc.on_trip = ROLLOUT_HOLD;
	step(&self->h, MINUTE, 0);
	EXPECT_PHASE(ROLLED_BACK);
	EXPECT_REMOVE();
	EXPECT_STREQ("the kernel has ejected it: 16 faults", self->h.st.reason);
	/* What an attempt left says nothing of the next one. */
	self->h.seen.place = ROLLOUT_EJECTED;
	self->h.doc.attempt = 2;
	step(&self->h, 0, 0);
	EXPECT_PHASE(PENDING);
	EXPECT_REMOVE();
}

TEST_F(rollout_decide, gone_comes_back_in_each_phase)
{
	begin(&self->h);
	step(&self->h, HOUR, 1000);
	self->h.seen.place = ROLLOUT_NOT_THERE;
	self->h.seen.window = (struct rollout_reading){ .failed_maps = 500 };
	step(&self->h, HOUR, 1000);
	EXPECT_PHASE(BAKING);
	EXPECT_PUT(50);
	EXPECT_TRUE(self->h.order.judged);
	EXPECT_EQ(HOUR, self->h.st.baked_ms);
	self->h.doc.hold = true;
	step(&self->h, 0, 0);
	self->h.seen.place = ROLLOUT_NOT_THERE;
	step(&self->h, 0, 0);
	EXPECT_PHASE(HELD);
	EXPECT_PUT(50);
	self->h.doc.hold = false;
	step(&self->h, HOUR, 1000);
	EXPECT_PHASE(PROMOTED);
	self->h.seen.place = ROLLOUT_NOT_THERE;
	step(&self->h, HOUR, 1000);
	EXPECT_PHASE(PROMOTED);
	EXPECT_PUT(50);
	self->h.doc.stage = 3;
	self->h.seen.place = ROLLOUT_NOT_THERE;
	step(&self->h, 0, 0);
	EXPECT_PUT(50);
	step(&self->h, 0, 0);
	EXPECT_PUT(500);
}

TEST_F(rollout_decide, pending_and_gone_stays_gone)
{
	self->h.host = 500;
	step(&self->h, HOUR, 1000);
	EXPECT_STAY();
	/* Of a rollout whose state was lost */
	self->h.seen.place = ROLLOUT_IN_FORCE;
	step(&self->h, HOUR, 1000);
	EXPECT_REMOVE();
}

TEST_F(rollout_decide, wrong_share_is_set_right_and_proves_nothing)
{
	begin(&self->h);
	self->h.seen.spaces = 700;
	step(&self->h, HOUR, 1000);
	EXPECT_PHASE(BAKING);
	EXPECT_PUT(50);
	EXPECT_EQ(0, self->h.st.baked_ms);
	self->h.seen.spaces = 700;
	self->h.doc.hold = true;
	step(&self->h, HOUR, 1000);
	EXPECT_PHASE(HELD);
	EXPECT_PUT(50);
	self->h.doc.hold = false;
	self->h.seen.spaces = 700;
	self->h.seen.window.failed_maps = 500;
	step(&self->h, HOUR, 1000);
	EXPECT_PHASE(ROLLED_BACK);
}

TEST_F(rollout_decide, obstacle_and_its_end)
{
	begin(&self->h);
	self->h.seen.place = ROLLOUT_NOT_THERE;
	self->h.seen.obstacle = "first-fit is there";
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(HELD);
	EXPECT_PUT(50);
	EXPECT_STREQ("cannot be put in force: first-fit is there", self->h.st.reason);
	step(&self->h, MINUTE, 100);
	EXPECT_PHASE(BAKING);
	EXPECT_STAY();
}

TEST_F(rollout_decide, obstacle_to_a_share_leaves_the_watch)
{
	self->h.doc.stage = 2;
	promote(&self->h);
	self->h.seen.spaces = 50;
	self->h.seen.obstacle = "no memory";
	decide(&self->h, MINUTE, 60);
	EXPECT_PHASE(HELD);
	EXPECT_PUT(500);
	EXPECT_FALSE(self->h.order.judged);
	self->h.seen.window.failed_maps = 60;
	decide(&self->h, MINUTE, 60);
	EXPECT_PHASE(ROLLED_BACK);
	EXPECT_REMOVE();
}

/* The share that could not be had is no longer wanted. */
TEST_F(rollout_decide, obstacle_to_what_nobody_wants_is_none)
{
	self->h.doc.stage = 2;
	promote(&self->h);
	self->h.seen.spaces = 50;
	self->h.seen.obstacle = "no memory";
	decide(&self->h, MINUTE, 100);
	EXPECT_PHASE(HELD);
	self->h.doc.stage = 1;
	decide(&self->h, MINUTE, 100);
	EXPECT_PHASE(PROMOTED);
	EXPECT_STAY();
	decide(&self->h, MINUTE, 100);
	EXPECT_PHASE(PROMOTED);
	EXPECT_STAY();
}

/* The maps before it are the baseline's, whatever was in the way of an attempt before. */
TEST_F(rollout_decide, window_begins_with_the_policy)
{
	step(&self->h, 0, 0);
	self->h.seen.obstacle = "first-fit is there";
	decide(&self->h, 30 * MINUTE, 1000);
	EXPECT_PUT(50);
	EXPECT_TRUE(self->h.order.judged);
}

/* --- admission policies --------------------------------------------------------------------------- */

TEST_F(rollout_decide, admission_waits_for_no_requests)
{
	self->h.doc.kind = ROLLOUT_ADMIT;
	self->h.doc.samples = 10;
	memset(self->h.doc.limits, 0, sizeof(self->h.doc.limits));
	self->h.doc.limits[ROLLOUT_GUARD_preserve_refusals] = (struct rollout_limit){ true, 1, 0.1 };
	step(&self->h, 29 * MINUTE, 1000);
	EXPECT_REASON("0 of 10 admissions");
	step(&self->h, MINUTE, 0);
	EXPECT_PHASE(BAKING);
	step(&self->h, HOUR, 1000);
	EXPECT_FALSE(self->h.order.judged);
	self->h.seen.window.admissions = 1;
	self->h.seen.window.refused = 1;
	step(&self->h, MINUTE, 0);
	EXPECT_TRUE(self->h.order.judged);
	EXPECT_EQ(1, self->h.st.bake_samples);
	EXPECT_PHASE(BAKING);
	step(&self->h, HOUR, 0);
	EXPECT_PHASE(PROMOTED);
	self->h.seen.window.admissions = 20;
	self->h.seen.window.refused = 3;
	step(&self->h, HOUR, 0);
	EXPECT_PHASE(ROLLED_BACK);
	EXPECT_REASON("guard preserve_refusals in stage 1: 15 %, limit 10 %, baseline 0 %");
}

TEST_HARNESS_MAIN
