// SPDX-License-Identifier: GPL-2.0
/* What a host makes of a rollout. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <openssl/evp.h>

#include "rollout_decide.h"

const char *const rollout_phase_name[ROLLOUT_NR_PHASES] = {
	[ROLLOUT_PENDING] = "pending",
	[ROLLOUT_BAKING] = "baking",
	[ROLLOUT_PROMOTED] = "promoted",
	[ROLLOUT_ROLLED_BACK] = "rolled back",
	[ROLLOUT_HELD] = "held",
};

const char *const rollout_guard_name[ROLLOUT_NR_GUARDS] = {
#define ROLLOUT_NAME(name) #name,
	ROLLOUT_GUARDS(ROLLOUT_NAME)
#undef ROLLOUT_NAME
};

__u32 rollout_host_number(const char *name, const char *machine_id)
{
	unsigned char text[ROLLOUT_NAME_LEN + 64], hash[EVP_MAX_MD_SIZE];
	size_t len = strnlen(name, ROLLOUT_NAME_LEN - 1);
	size_t id_len = strnlen(machine_id, 63);
	__u64 number = 0;

	memcpy(text, name, len);
	text[len++] = '\0';
	memcpy(text + len, machine_id, id_len);
	if (EVP_Digest(text, len + id_len, hash, NULL, EVP_sha256(), NULL) != 1)
		return ROLLOUT_OF;
	for (int i = 0; i < 8; i++)
		number = number << 8 | hash[i];
	return number % ROLLOUT_OF;
}

void rollout_resume(struct rollout_state *st)
{
	if (!st->has_baseline)
		st->measured_ms = 0;
}

/* --- what is said ----------------------------------------------------------- */

static void __attribute__((format(printf, 4, 5)))
enter(struct rollout_state *st, enum rollout_phase phase, const struct rollout_seen *seen,
      const char *fmt, ...)
{
	va_list args;

	if (st->phase != phase) {
		st->phase = phase;
		st->since = seen->now;
	}
	va_start(args, fmt);
	vsnprintf(st->reason, sizeof(st->reason), fmt, args);
	va_end(args);
}

/* "1h30m", "45s" */
static const char *duration(char buf[32], __u64 ms)
{
	__u64 s = ms / 1000;

	if (s >= 3600)
		snprintf(buf, 32, "%lluh%02llum", s / 3600, s / 60 % 60);
	else if (s >= 60)
		snprintf(buf, 32, "%llum%02llus", s / 60, s % 60);
	else
		snprintf(buf, 32, "%llus", s);
	return buf;
}

/* A guard's value with its unit */
static const char *quantity(char buf[32], enum rollout_guard guard, double value)
{
	if (guard == ROLLOUT_GUARD_map_p99)
		snprintf(buf, 32, "%.1f us", value / 1000);
	else
		snprintf(buf, 32, "%.4g %%", value * 100);
	return buf;
}

/* --- guards ----------------------------------------------------------------- */

/* As if the requests that are missing to @least had gone well: one of three says little. */
static double share_of(__u64 part, __u64 all, __u64 least)
{
	if (all < least)
		all = least;
	return all ? (double)part / (double)all : 0;
}

static double value_of(const struct rollout_doc *doc, enum rollout_guard guard,
		       const struct rollout_reading *r)
{
	switch (guard) {
	case ROLLOUT_GUARD_map_p99:
		return (double)r->p99_ns;
	case ROLLOUT_GUARD_failed_maps:
		return share_of(r->failed_maps, r->maps, doc->samples);
	case ROLLOUT_GUARD_fallback_rate:
		return share_of(r->fallbacks, r->asked, doc->samples);
	case ROLLOUT_GUARD_faults:
		return share_of(r->faults, r->asked, doc->samples);
	case ROLLOUT_GUARD_preserve_refusals:
		return share_of(r->refused, r->admissions, doc->samples);
	case ROLLOUT_NR_GUARDS:
		break;
	}
	return 0;
}

double rollout_limit_of(const struct rollout_doc *doc, const struct rollout_state *st,
			enum rollout_guard guard)
{
	const struct rollout_limit *limit = &doc->limits[guard];

	return limit->times * st->baseline[guard] + limit->over;
}

static __u64 samples_in(const struct rollout_doc *doc, const struct rollout_reading *r)
{
	return doc->kind == ROLLOUT_ADMIT ? r->admissions : r->maps;
}

/* A host that has nothing to preserve today is no reason to wait for ever. */
static bool says_enough(const struct rollout_doc *doc, __u64 samples)
{
	return doc->kind == ROLLOUT_ADMIT || samples >= doc->samples;
}

static bool is_guarded(const struct rollout_doc *doc)
{
	return doc->baseline_ms;
}

/* The first guard that trips; ROLLOUT_NR_GUARDS if none does. */
static enum rollout_guard judge(const struct rollout_doc *doc, const struct rollout_seen *seen,
				struct rollout_state *st)
{
	enum rollout_guard tripped = ROLLOUT_NR_GUARDS;

	for (int g = ROLLOUT_NR_GUARDS - 1; g >= 0; g--) {
		if (!doc->limits[g].set)
			continue;
		st->value[g] = value_of(doc, g, &seen->window);
		if (st->value[g] > rollout_limit_of(doc, st, g)) {
			st->trips[g]++;
			tripped = g;
		}
	}
	return tripped;
}

/* --- steps ------------------------------------------------------------------ */

static bool is_in(const struct rollout_doc *doc, __u32 host, __u32 stage)
{
	return host < doc->stages[stage - 1].hosts;
}

/* The last stage that this host may be in; 0: none yet */
static __u32 goal_of(const struct rollout_doc *doc, __u32 host)
{
	return is_in(doc, host, doc->stage) ? doc->stage : 0;
}

static __u32 first_stage_of(const struct rollout_doc *doc, __u32 host)
{
	__u32 stage = 1;

	while (!is_in(doc, host, stage))
		stage++;
	return stage;
}

static void begin_stage(struct rollout_state *st, __u32 stage, const struct rollout_seen *seen)
{
	st->stage = stage;
	st->baked_ms = 0;
	st->bake_samples = 0;
	st->since = seen->now;
}

static struct rollout_order remove_it(const struct rollout_seen *seen)
{
	return (struct rollout_order){
		.action = seen->place == ROLLOUT_NOT_THERE ? ROLLOUT_STAY : ROLLOUT_REMOVE,
		.judged = true,
	};
}

/* Nothing is measured; a baseline will be of what comes later. */
static struct rollout_order wait_for_it(const struct rollout_seen *seen, struct rollout_state *st)
{
	st->measured_ms = 0;
	return remove_it(seen);
}

/* Is in force what the stage says? */
static bool is_right(const struct rollout_doc *doc, const struct rollout_state *st,
		     const struct rollout_seen *seen)
{
	return seen->place == ROLLOUT_IN_FORCE &&
	       seen->spaces == doc->stages[st->stage - 1].spaces;
}

/* What is in force is what the stage says, or becomes so. */
static struct rollout_order keep_it(const struct rollout_doc *doc, const struct rollout_state *st,
				    const struct rollout_seen *seen)
{
	if (is_right(doc, st, seen))
		return (struct rollout_order){ .action = ROLLOUT_STAY };
	return (struct rollout_order){
		.action = ROLLOUT_PUT,
		.spaces = doc->stages[st->stage - 1].spaces,
		/* While that fails, what is in force goes on being judged. */
		.judged = !seen->obstacle,
	};
}

static void say_baking(const struct rollout_doc *doc, struct rollout_state *st,
		       const struct rollout_seen *seen)
{
	const struct rollout_stage *stage = &doc->stages[st->stage - 1];
	char done[32], of[32], more[64] = "";

	if (is_guarded(doc) && !says_enough(doc, st->bake_samples))
		snprintf(more, sizeof(more), ", %llu of %llu maps", st->bake_samples, doc->samples);
	enter(st, ROLLOUT_BAKING, seen, "stage %u of %u: %s of %s%s", st->stage, doc->nr_stages,
	      duration(done, st->baked_ms), duration(of, stage->bake_ms), more);
}

static struct rollout_order roll_back(struct rollout_state *st, const struct rollout_seen *seen,
				      const char *why)
{
	enter(st, ROLLOUT_ROLLED_BACK, seen, "%s", why);
	return remove_it(seen);
}

static struct rollout_order trip(const struct rollout_doc *doc, enum rollout_guard guard,
				 const struct rollout_seen *seen, struct rollout_state *st)
{
	char value[32], limit[32], baseline[32], why[sizeof(st->reason)];
	struct rollout_order order;

	snprintf(why, sizeof(why), "guard %s in stage %u: %s, limit %s, baseline %s",
		 rollout_guard_name[guard], st->stage, quantity(value, guard, st->value[guard]),
		 quantity(limit, guard, rollout_limit_of(doc, st, guard)),
		 quantity(baseline, guard, st->baseline[guard]));
	if (doc->on_trip == ROLLOUT_ROLL_BACK)
		return roll_back(st, seen, why);
	st->guard_holds = true;
	enter(st, ROLLOUT_HELD, seen, "%s", why);
	order = keep_it(doc, st, seen);
	order.judged = true;
	return order;
}

/* True as soon as there is a baseline, or none is needed. */
static bool measure(const struct rollout_doc *doc, const struct rollout_seen *seen,
		    struct rollout_state *st)
{
	char done[32], of[32];
	__u64 samples = samples_in(doc, &seen->window);

	if (st->has_baseline || !is_guarded(doc))
		return true;
	st->measured_ms += seen->elapsed_ms;
	if (st->measured_ms < doc->baseline_ms || !says_enough(doc, samples)) {
		enter(st, ROLLOUT_PENDING, seen, "measuring the baseline: %s of %s, %llu of %llu %s",
		      duration(done, st->measured_ms), duration(of, doc->baseline_ms), samples,
		      doc->samples, doc->kind == ROLLOUT_ADMIT ? "admissions" : "maps");
		return false;
	}
	for (int g = 0; g < ROLLOUT_NR_GUARDS; g++)
		st->baseline[g] = value_of(doc, g, &seen->window);
	st->has_baseline = true;
	return true;
}

static struct rollout_order begin(const struct rollout_doc *doc, __u32 host,
				  const struct rollout_seen *seen, struct rollout_state *st)
{
	struct rollout_order order;

	if (!goal_of(doc, host)) {
		enter(st, ROLLOUT_PENDING, seen, "host number %u of %u, stage %u has those below %u", host,
		      ROLLOUT_OF, doc->stage, doc->stages[doc->stage - 1].hosts);
		return wait_for_it(seen, st);
	}
	if (doc->hold) {
		enter(st, ROLLOUT_HELD, seen, "the document says so, before it has begun");
		return wait_for_it(seen, st);
	}
	if (seen->place != ROLLOUT_NOT_THERE) {
		enter(st, ROLLOUT_PENDING, seen, "what is left of the attempt before goes first");
		return wait_for_it(seen, st);
	}
	if (!measure(doc, seen, st))
		return (struct rollout_order){ .action = ROLLOUT_STAY };
	begin_stage(st, first_stage_of(doc, host), seen);
	say_baking(doc, st, seen);
	order = keep_it(doc, st, seen);
	order.judged = true;
	return order;
}

/* The document has taken back a stage. Who had been good there is good in one before. */
static struct rollout_order go_back(const struct rollout_doc *doc, __u32 goal,
				    const struct rollout_seen *seen, struct rollout_state *st)
{
	begin_stage(st, goal, seen);
	st->guard_holds = false;
	if (!goal) {
		st->has_baseline = false;
		st->measured_ms = 0;
		enter(st, ROLLOUT_PENDING, seen, "the document has taken this host's stage back");
		return remove_it(seen);
	}
	st->baked_ms = doc->stages[goal - 1].bake_ms;
	st->bake_samples = doc->samples;
	enter(st, ROLLOUT_PROMOTED, seen, "stage %u of %u, the document has taken a later one back",
	      goal, doc->nr_stages);
	return keep_it(doc, st, seen);
}

static bool has_baked(const struct rollout_doc *doc, const struct rollout_state *st)
{
	return st->baked_ms >= doc->stages[st->stage - 1].bake_ms &&
	       (!is_guarded(doc) || says_enough(doc, st->bake_samples));
}

/*
 * Where nothing is mapped, waiting proves nothing: what the document has gone on to is proved by
 * other hosts, and has more address spaces.
 */
static bool has_nothing_to_prove(const struct rollout_doc *doc, const struct rollout_state *st,
				 const struct rollout_seen *seen)
{
	return st->baked_ms >= doc->stages[st->stage - 1].bake_ms && !st->bake_samples &&
	       !samples_in(doc, &seen->window);
}

/* Nothing is wrong: on to the next stage, or not yet. */
static void go_on(const struct rollout_doc *doc, __u32 goal, const struct rollout_seen *seen,
		  struct rollout_state *st)
{
	if (st->phase != ROLLOUT_PROMOTED && !has_baked(doc, st) &&
	    !(st->stage < goal && has_nothing_to_prove(doc, st, seen))) {
		say_baking(doc, st, seen);
	} else if (st->stage < goal) {
		begin_stage(st, st->stage + 1, seen);
		say_baking(doc, st, seen);
	} else {
		enter(st, ROLLOUT_PROMOTED, seen, "stage %u of %u has proved good", st->stage,
		      doc->nr_stages);
	}
}

/*
 * After a boot, or if somebody else has taken it out, there is nothing to judge. After the last
 * stage nobody compares any more, held or not: what was normal then need not be so today.
 */
static bool is_watched(const struct rollout_doc *doc, const struct rollout_state *st,
		       const struct rollout_seen *seen)
{
	if (seen->place != ROLLOUT_IN_FORCE || !is_guarded(doc) || !st->has_baseline)
		return false;
	return st->stage < doc->nr_stages ||
	       (st->phase != ROLLOUT_PROMOTED && !has_baked(doc, st));
}

/* Nothing trips: where does the host go from here? */
static void proceed(const struct rollout_doc *doc, __u32 goal, const struct rollout_seen *seen,
		    struct rollout_state *st)
{
	if (st->guard_holds)
		return;
	if (seen->obstacle && !is_right(doc, st, seen)) {
		enter(st, ROLLOUT_HELD, seen, "cannot be put in force: %.200s", seen->obstacle);
	} else if (is_guarded(doc) && !st->has_baseline) {
		enter(st, ROLLOUT_HELD, seen,
		      "guards came after it began, without a baseline: a higher attempt measures one");
	} else if (doc->hold) {
		enter(st, ROLLOUT_HELD, seen, "the document says so, in stage %u of %u", st->stage,
		      doc->nr_stages);
	} else if (is_right(doc, st, seen)) {
		st->baked_ms += seen->elapsed_ms;
		go_on(doc, goal, seen, st);
	}
}

static struct rollout_order carry_on(const struct rollout_doc *doc, __u32 goal,
				     const struct rollout_seen *seen, struct rollout_state *st)
{
	enum rollout_guard tripped;
	struct rollout_order order;
	bool judged = false;

	if (is_watched(doc, st, seen) && samples_in(doc, &seen->window) &&
	    says_enough(doc, samples_in(doc, &seen->window))) {
		tripped = judge(doc, seen, st);
		if (tripped != ROLLOUT_NR_GUARDS)
			return trip(doc, tripped, seen, st);
		st->bake_samples += samples_in(doc, &seen->window);
		judged = true;
	}
	proceed(doc, goal, seen, st);
	order = keep_it(doc, st, seen);
	order.judged |= judged;
	return order;
}

static void begin_anew(const struct rollout_doc *doc, const struct rollout_seen *seen,
		       struct rollout_state *st)
{
	*st = (struct rollout_state){ .attempt = doc->attempt, .since = seen->now };
}

struct rollout_order rollout_step(const struct rollout_doc *doc, __u32 host,
				  const struct rollout_seen *seen, struct rollout_state *st)
{
	const __u32 goal = goal_of(doc, host);
	char why[sizeof(st->reason)];

	if (doc->attempt > st->attempt)
		begin_anew(doc, seen, st);
	if (st->phase == ROLLOUT_ROLLED_BACK)
		return remove_it(seen);
	if (st->stage && seen->place == ROLLOUT_EJECTED) {
		snprintf(why, sizeof(why), "the kernel has ejected it: %.200s", seen->exit);
		return roll_back(st, seen, why);
	}
	if (!st->stage)
		return begin(doc, host, seen, st);
	if (goal < st->stage)
		return go_back(doc, goal, seen, st);
	if (!is_in(doc, host, st->stage))
		return go_back(doc, 0, seen, st);
	return carry_on(doc, goal, seen, st);
}
