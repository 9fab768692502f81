// SPDX-License-Identifier: GPL-2.0
/* iox rollout: one rollout on this host, step by step: look, decide, write down, carry out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/msg.h"
#include "lib/policy_sign.h"
#include "lib/rollout_watch.h"
#include "rollout.h"
#include "rollout_place.h"

/* Without guards there is nothing to gather between two steps. */
#define UNGUARDED_MIN_MS 100
#define UNGUARDED_MS 1000
/* How old what is on disk may be while nothing but time goes by */
#define WRITE_MS 10000
/* Orders that follow each other at once: out of force, begun anew, in force, another share */
#define MAX_ORDERS 8

static __u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000 + (__u64)ts.tv_nsec / 1000000;
}

void rollout_say(int priority, const char *name, const char *text)
{
	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s: %s\n", priority, name, text);
	else
		fprintf(stderr, "%s: %s\n", name, text);
}

/* --- the beginning ------------------------------------------------------------------ */

void *rollout_read_object(const struct rollout_doc *doc, size_t *size, char *who, size_t who_size)
{
	void *bytes = policy_sign_read(doc->object, size);
	int demanded = bytes ? policy_sign_demanded(POLICY_TRUST_DIR) : -1;
	char hex[65], why[128];

	*who = 0;
	if (demanded < 0)
		goto fail;
	policy_sign_sha256(bytes, *size, hex);
	if (strcmp(hex, doc->sha256)) {
		snprintf(why, sizeof(why), "has the digest %s", hex);
		msg_error(doc->object, why, "it is not the one that the document is about");
		goto fail;
	}
	if (!demanded || policy_sign_verify(doc->object, bytes, *size, doc->signature,
					    POLICY_TRUST_DIR, who, who_size))
		return bytes;
fail:
	free(bytes);
	return NULL;
}

static struct rollout_policy policy_of(const struct rollout_doc *doc)
{
	struct rollout_policy p = { .kind = doc->kind, .may_refuse = doc->may_refuse };

	strcpy(p.sha256, doc->sha256);
	strcpy(p.variable, doc->variable);
	strcpy(p.cgroup, doc->cgroup);
	strcpy(p.replaces, doc->replaces);
	return p;
}

static bool is_same_policy(const struct rollout_policy *a, const struct rollout_policy *b)
{
	return a->kind == b->kind && a->may_refuse == b->may_refuse && !strcmp(a->sha256, b->sha256) &&
	       !strcmp(a->variable, b->variable) && !strcmp(a->cgroup, b->cgroup) &&
	       !strcmp(a->replaces, b->replaces);
}

static bool has_object(const struct rollout_drive *d)
{
	size_t size;
	void *bytes = rollout_state_object(d->dir, d->doc.name, d->doc.sha256, &size);

	free(bytes);
	return bytes;
}

static bool copy_object(const struct rollout_drive *d)
{
	char who[256];
	size_t size;
	void *bytes = rollout_read_object(&d->doc, &size, who, sizeof(who));
	bool ok = bytes && rollout_state_put_object(d->dir, d->doc.name, bytes, size);

	free(bytes);
	return ok;
}

/* Another policy under this name: the one before goes, as its object does. */
static bool retire(struct rollout_drive *d)
{
	int all;
	bool ok;

	if (d->doc.attempt <= d->rec.st.attempt &&
	    (d->rec.st.stage || d->rec.st.phase == ROLLOUT_ROLLED_BACK)) {
		msg_error(d->doc.name, "its policy, scope or what it replaces has changed",
			  "give the document a higher 'attempt', or another name");
		return false;
	}
	all = rollout_state_lock_all(d->dir);
	if (all < 0)
		return false;
	d->rec.policy.spaces = 0;
	ok = rollout_state_write(d->dir, &d->rec) && rollout_place_remove(d->dir, &d->rec);
	close(all);
	return ok;
}

static bool prepare(struct rollout_drive *d)
{
	struct rollout_policy policy = policy_of(&d->doc);

	switch (rollout_state_read(d->dir, d->doc.name, &d->rec)) {
	case ROLLOUT_DAMAGED:
		return false;
	case ROLLOUT_NONE:
		strcpy(d->rec.name, d->doc.name);
		break;
	case ROLLOUT_READ:
		d->written = d->rec;
		if (is_same_policy(&d->rec.policy, &policy)) {
			if (!has_object(d) && !copy_object(d))
				return false;
			goto ready;
		}
		if (!retire(d))
			return false;
	}
	if (!copy_object(d))
		return false;
	d->rec.policy = policy;
ready:
	strcpy(d->rec.document, d->doc.digest);
	d->rec.goal = d->doc.stage;
	d->rec.nr_stages = d->doc.nr_stages;
	rollout_resume(&d->rec.st);
	return true;
}

bool rollout_drive_open(struct rollout_drive *d, const struct rollout_doc *doc,
			const struct rollout_options *o)
{
	bool ok;

	*d = (struct rollout_drive){ .dir = o->state, .doc = *doc, .lock = -1 };
	msg_catch(d->said, sizeof(d->said));
	ok = rollout_host(o, doc->name, &d->host);
	if (ok)
		d->lock = rollout_state_lock(d->dir, doc->name);
	ok = ok && d->lock >= 0 && prepare(d);
	msg_catch(NULL, 0);
	if (!ok)
		rollout_drive_close(d);
	return ok;
}

void rollout_drive_close(struct rollout_drive *d)
{
	rollout_watch_close(d->watch);
	d->watch = NULL;
	if (d->lock >= 0)
		close(d->lock);
	d->lock = -1;
}

/* --- looking -------------------------------------------------------------------------- */

static bool is_guarded(const struct rollout_drive *d)
{
	return d->doc.baseline_ms;
}

/* Is there anything to be judged, now or for a baseline? */
static bool needs_watch(const struct rollout_drive *d, const struct rollout_truth *t)
{
	const struct rollout_state *st = &d->rec.st;

	if (!is_guarded(d) || st->phase == ROLLOUT_ROLLED_BACK)
		return false;
	if (!st->stage)
		return !st->has_baseline && d->host < d->doc.stages[d->doc.stage - 1].hosts;
	return t->place == ROLLOUT_IN_FORCE &&
	       !(st->phase == ROLLOUT_PROMOTED && st->stage == d->doc.nr_stages);
}

static bool watch(struct rollout_drive *d, const struct rollout_truth *t, struct rollout_reading *r)
{
	const struct policy *policy = t->place == ROLLOUT_NOT_THERE ? NULL : &t->policy;
	struct rollout_watch_config config = {
		.kind = d->doc.kind,
		.cgroup = d->doc.cgroup,
		.spaces = t->place == ROLLOUT_IN_FORCE ? t->spaces : 0,
	};

	*r = (struct rollout_reading){};
	if (d->watch && (!needs_watch(d, t) || !rollout_watch_fits(d->watch, &config))) {
		rollout_watch_close(d->watch);
		d->watch = NULL;
	}
	if (!needs_watch(d, t))
		return true;
	if (d->watch)
		return rollout_watch_read(d->watch, policy, r);
	d->watch = rollout_watch_open(&config);
	if (!d->watch || !rollout_watch_read(d->watch, policy, r))
		return false;
	rollout_watch_mark(d->watch);
	*r = (struct rollout_reading){};
	return true;
}

/* --- writing down --------------------------------------------------------------------- */

static void note_limits(struct rollout_drive *d)
{
	for (int g = 0; g < ROLLOUT_NR_GUARDS; g++) {
		d->rec.has_limit[g] = d->doc.limits[g].set;
		d->rec.limit[g] = d->doc.limits[g].set ?
					  rollout_limit_of(&d->doc, &d->rec.st, g) : 0;
	}
}

static void note_order(struct rollout_drive *d, const struct rollout_order *order)
{
	if (order->action == ROLLOUT_PUT)
		d->rec.policy.spaces = order->spaces;
	else if (order->action == ROLLOUT_REMOVE || !d->rec.st.stage ||
		 d->rec.st.phase == ROLLOUT_ROLLED_BACK)
		d->rec.policy.spaces = 0;
}

/* What is written down at once; all else only says how time goes by. */
static bool has_changed(const struct rollout_drive *d)
{
	const struct rollout_state *a = &d->rec.st, *b = &d->written.st;

	return a->phase != b->phase || a->stage != b->stage || a->attempt != b->attempt ||
	       a->has_baseline != b->has_baseline || a->guard_holds != b->guard_holds ||
	       memcmp(a->trips, b->trips, sizeof(a->trips)) ||
	       memcmp(&d->rec.policy, &d->written.policy, sizeof(d->rec.policy)) ||
	       strcmp(d->rec.document, d->written.document) ||
	       (a->phase == ROLLOUT_HELD && strcmp(a->reason, b->reason));
}

static bool write_down(struct rollout_drive *d)
{
	__u64 now = now_ms();

	if (!has_changed(d) &&
	    (now - d->written_ms < WRITE_MS || !memcmp(&d->rec, &d->written, sizeof(d->rec))))
		return true;
	if (!rollout_state_write(d->dir, &d->rec))
		return false;
	d->written = d->rec;
	d->written_ms = now;
	return true;
}

static void tell(const struct rollout_drive *d, const struct rollout_state *before)
{
	const struct rollout_state *st = &d->rec.st;
	char text[sizeof(st->reason) + 32];

	if (st->phase == before->phase && st->stage == before->stage &&
	    (st->phase != ROLLOUT_HELD || !strcmp(st->reason, before->reason)) &&
	    (d->has_stepped || *before->reason))
		return;
	snprintf(text, sizeof(text), "%s: %s", rollout_phase_name[st->phase], st->reason);
	rollout_say(st->phase == ROLLOUT_ROLLED_BACK || st->phase == ROLLOUT_HELD ? LOG_WARNING :
		    LOG_NOTICE, d->doc.name, text);
}

/* --- steps ------------------------------------------------------------------------------ */

static void carry_out(struct rollout_drive *d, const struct rollout_order *order)
{
	bool ok;

	*d->said = 0;
	if (order->action == ROLLOUT_PUT)
		ok = rollout_place_put(d->dir, &d->rec);
	else
		ok = rollout_place_remove(d->dir, &d->rec);
	*d->obstacle = 0;
	if (!ok)
		snprintf(d->obstacle, sizeof(d->obstacle), "%s", *d->said ? d->said : "failed");
}

enum outcome { DONE, AGAIN, FAILED };

static enum outcome step(struct rollout_drive *d)
{
	struct rollout_state before = d->rec.st;
	bool had_obstacle = *d->obstacle;
	struct rollout_seen seen = { .now = (__u64)time(NULL) };
	struct rollout_order order;
	struct rollout_truth t;
	__u64 now = now_ms();

	rollout_place_look(d->doc.name, d->doc.kind, &t);
	if (!watch(d, &t, &seen.window))
		return FAILED;
	if (d->has_stepped)
		seen.elapsed_ms = now - d->stepped_ms;
	seen.place = t.place;
	seen.spaces = t.spaces;
	seen.exit = t.policy.exit;
	seen.obstacle = had_obstacle ? d->obstacle : NULL;
	order = rollout_step(&d->doc, d->host, &seen, &d->rec.st);
	note_limits(d);
	note_order(d, &order);
	if (!write_down(d))
		return FAILED;
	tell(d, &before);
	d->stepped_ms = now;
	d->has_stepped = true;
	d->place = t.place;
	d->spaces = t.spaces;
	if (order.judged && d->watch)
		rollout_watch_mark(d->watch);
	if (order.action == ROLLOUT_STAY)
		return DONE;
	carry_out(d, &order);
	/* The first time, so that what is in the way gets into the state. */
	if (*d->obstacle)
		return order.action == ROLLOUT_PUT && !had_obstacle ? AGAIN : DONE;
	return AGAIN;
}

/* How long there is nothing to be decided if nothing happens */
static __u64 pace(const struct rollout_drive *d)
{
	__u64 bake_ms = UNGUARDED_MS;

	if (is_guarded(d))
		return d->doc.every_ms;
	if (d->rec.st.stage && d->rec.st.stage <= d->doc.nr_stages)
		bake_ms = d->doc.stages[d->rec.st.stage - 1].bake_ms;
	if (bake_ms < UNGUARDED_MIN_MS)
		return UNGUARDED_MIN_MS;
	return bake_ms < UNGUARDED_MS ? bake_ms : UNGUARDED_MS;
}

static bool is_time(const struct rollout_drive *d)
{
	struct rollout_truth t;

	if (!d->has_stepped || now_ms() - d->stepped_ms >= pace(d))
		return true;
	rollout_place_look(d->doc.name, d->doc.kind, &t);
	return t.place != d->place || t.spaces != d->spaces;
}

/* While nobody else changes anything */
static bool step_all(struct rollout_drive *d)
{
	enum outcome outcome = AGAIN;
	char by[sizeof(d->taken_by)] = "", text[128];

	rollout_place_taken_by(d->dir, d->doc.name, by);
	if (*by && strcmp(by, d->taken_by)) {
		snprintf(text, sizeof(text), "%s is in its place", by);
		rollout_say(LOG_NOTICE, d->doc.name, text);
	}
	strcpy(d->taken_by, by);
	if (*by)
		return true;
	msg_catch(d->said, sizeof(d->said));
	for (int i = 0; i < MAX_ORDERS && outcome == AGAIN; i++)
		outcome = step(d);
	msg_catch(NULL, 0);
	return outcome != FAILED;
}

bool rollout_drive_step(struct rollout_drive *d)
{
	bool ok;
	int all;

	if (!is_time(d))
		return true;
	msg_catch(d->said, sizeof(d->said));
	all = rollout_state_lock_all(d->dir);
	msg_catch(NULL, 0);
	if (all < 0)
		return false;
	ok = step_all(d);
	close(all);
	return ok;
}

bool rollout_drive_abandon(struct rollout_drive *d)
{
	struct rollout_state before = d->rec.st;
	bool ok;

	if (d->rec.st.phase == ROLLOUT_ROLLED_BACK)
		return true;
	d->rec.st.phase = ROLLOUT_HELD;
	d->rec.st.since = (__u64)time(NULL);
	snprintf(d->rec.st.reason, sizeof(d->rec.st.reason), "its document is gone");
	tell(d, &before);
	msg_catch(d->said, sizeof(d->said));
	ok = write_down(d);
	msg_catch(NULL, 0);
	return ok;
}

enum rollout_rest rollout_drive_rest(const struct rollout_drive *d)
{
	const struct rollout_state *st = &d->rec.st;

	if (*d->taken_by)
		return ROLLOUT_RESTS;
	switch (st->phase) {
	case ROLLOUT_PROMOTED:
		return ROLLOUT_RESTS;
	case ROLLOUT_ROLLED_BACK:
		return ROLLOUT_FAILED;
	case ROLLOUT_HELD:
		return *d->obstacle || st->guard_holds ? ROLLOUT_FAILED : ROLLOUT_RESTS;
	case ROLLOUT_PENDING:
		return d->host < d->doc.stages[d->doc.stage - 1].hosts ? ROLLOUT_GOES_ON :
									 ROLLOUT_RESTS;
	default:
		return ROLLOUT_GOES_ON;
	}
}
