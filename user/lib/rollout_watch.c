// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/iox.h>

#include "hist.h"
#include "msg.h"
#include "probe.h"
#include "rollout_watch.h"

/* Counters of a policy, or of several: what they were when it was read */
struct counts {
	__u32 map_id;		/* whose; 0: of all */
	__u64 counter[POLICY_NR_COUNTERS];
};

struct rollout_watch {
	struct rollout_watch_config config;
	char cgroup[PATH_MAX];
	struct probe *probe;		/* of IOVA policies */
	struct probe_keys marked, last;
	struct counts marked_counts, last_counts;
};

static bool open_probe(struct rollout_watch *w)
{
	struct probe_config config = {
		.follow_pidfd = -1,
		.by = IOX_BY_CHOOSER,
		.share = w->config.spaces ? w->config.spaces : ROLLOUT_OF,
	};

	if (*w->cgroup && !probe_find_cgroup(w->cgroup, &config.share_cgroup_id,
					     &config.share_cgroup_level))
		return false;
	w->probe = probe_open(&config);
	return w->probe;
}

struct rollout_watch *rollout_watch_open(const struct rollout_watch_config *config)
{
	struct rollout_watch *w = calloc(1, sizeof(*w));

	if (!w) {
		msg_errno(ENOMEM, "watching", NULL);
		return NULL;
	}
	w->config = *config;
	strncpy(w->cgroup, config->cgroup, sizeof(w->cgroup) - 1);
	w->config.cgroup = w->cgroup;
	if (config->kind == ROLLOUT_ADMIT || open_probe(w))
		return w;
	rollout_watch_close(w);
	return NULL;
}

void rollout_watch_close(struct rollout_watch *w)
{
	if (!w)
		return;
	probe_close(w->probe);
	probe_keys_free(&w->marked);
	probe_keys_free(&w->last);
	free(w);
}

bool rollout_watch_fits(const struct rollout_watch *w, const struct rollout_watch_config *config)
{
	return w->config.kind == config->kind && w->config.spaces == config->spaces &&
	       !strcmp(w->cgroup, config->cgroup);
}

/* --- maps --------------------------------------------------------------------------- */

/*
 * Did the policy have a say in it, or for a baseline, was an IOVA to be chosen at all? A canary
 * must not drown among the others.
 */
static bool counts_in(const struct rollout_watch *w, const struct probe_keyed_row *row)
{
	if (!row->key.sub_id || row->key.id == IOX_TRY_FIXED || row->key.id == IOX_PROBE_OTHERS)
		return false;
	return !w->config.spaces || row->key.id != IOX_TRY_BUILT_IN;
}

static bool read_maps(struct rollout_watch *w, struct rollout_reading *r)
{
	struct probe_keys now = {};
	struct iox_hist hist = {};

	if (!probe_read_keys(w->probe, &now) || !probe_keys_copy(&w->last, &now)) {
		probe_keys_free(&now);
		return false;
	}
	probe_keys_since(&now, &w->marked);
	for (size_t i = 0; i < now.nr; i++) {
		if (!counts_in(w, &now.list[i]))
			continue;
		r->maps += now.list[i].row.count;
		r->failed_maps += now.list[i].row.failed;
		hist_add(&hist, &now.list[i].row.all.hist);
	}
	r->p99_ns = hist_percentile(&hist, 99);
	probe_keys_free(&now);
	return true;
}

/* --- policies ------------------------------------------------------------------------- */

/* Before there is a policy of ours: what all admission policies do. */
static bool sum_admissions(struct counts *c)
{
	struct policies p;

	if (!policies_read_admission(&p))
		return false;
	for (size_t i = 0; i < p.nr; i++)
		for (int n = 0; n < POLICY_NR_COUNTERS; n++)
			c->counter[n] += p.list[i].counter[n];
	policies_free(&p);
	return true;
}

static bool read_counts(const struct rollout_watch *w, const struct policy *policy, struct counts *c)
{
	*c = (struct counts){};
	if (!policy)
		return w->config.kind != ROLLOUT_ADMIT || sum_admissions(c);
	c->map_id = policy->map_id;
	memcpy(c->counter, policy->counter, sizeof(c->counter));
	return true;
}

static __u64 since(const struct rollout_watch *w, enum policy_counter n)
{
	__u64 now = w->last_counts.counter[n], then = w->marked_counts.counter[n];

	/* Those of another policy, or of fewer, begin anew. */
	if (w->last_counts.map_id != w->marked_counts.map_id || then > now)
		return now;
	return now - then;
}

/* What a lenient policy refused would have failed, and the built-in allocator answered it. */
static void add_refused(const struct rollout_watch *w, const struct policy *policy,
			struct rollout_reading *r)
{
	__u64 refused = since(w, POLICY_refused);

	r->fallbacks += refused;
	r->failed_maps += refused;
	if (policy->flags & POLICY_FLAG_STRICT)
		r->failed_maps += since(w, POLICY_declined);
}

bool rollout_watch_read(struct rollout_watch *w, const struct policy *policy,
			struct rollout_reading *r)
{
	*r = (struct rollout_reading){};
	if (!read_counts(w, policy, &w->last_counts) || (w->probe && !read_maps(w, r)))
		return false;
	r->asked = since(w, POLICY_asked);
	r->faults = since(w, POLICY_faults);
	r->fallbacks = since(w, POLICY_declined) + r->faults;
	if (policy && w->config.kind == ROLLOUT_IOVA && policy->flags & POLICY_FLAG_LENIENT)
		add_refused(w, policy, r);
	if (w->config.kind == ROLLOUT_ADMIT) {
		r->admissions = r->asked;
		r->refused = since(w, POLICY_refused);
	}
	return true;
}

void rollout_watch_mark(struct rollout_watch *w)
{
	struct probe_keys marked = w->marked;

	w->marked = w->last;
	w->last = (struct probe_keys){};
	probe_keys_free(&marked);
	w->marked_counts = w->last_counts;
}
