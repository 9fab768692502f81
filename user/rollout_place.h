/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The policy of a rollout in the kernel. Its link is pinned at /sys/fs/bpf/iox/rollout/NAME, and that
 * is the truth: what a file says is only what was meant.
 *
 * A rollout that replaces another is a canary beside it as long as it is for some of the spaces. For
 * all of them, it takes its link: from then on there is no pin of the other one. Between these, the
 * link is at NAME+slot, so that whoever finds it there knows what was going on.
 */
#ifndef IOX_ROLLOUT_PLACE_H
#define IOX_ROLLOUT_PLACE_H

#include "lib/policy_file.h"
#include "lib/rollout_state.h"

struct rollout_truth {
	enum rollout_place place;
	__u32 spaces;		/* of ROLLOUT_OF */
	struct policy policy;	/* unless there is none */
};

void rollout_place_look(const char *name, enum rollout_kind kind, struct rollout_truth *t);

/* In force for r->policy.spaces, or that changed. False with the message given: nothing has changed. */
bool rollout_place_put(const char *dir, const struct rollout_record *r);

/* Out of force; what it has replaced comes back. False with the message given. */
bool rollout_place_remove(const char *dir, const struct rollout_record *r);

/* Is another rollout in force in its place, or one that is in the place of that? NULL if not; else its name. */
const char *rollout_place_taken_by(const char *dir, const char *name, char by[ROLLOUT_NAME_LEN]);

/* All that is to be in force becomes so. False with messages given for those that cannot be. */
bool rollout_place_restore(const char *dir);

/*
 * Opens and chooses the policy of an object that is in memory; the bytes have to stay. False with
 * the message given.
 */
bool rollout_place_open(struct policy_file *f, const char *path, const void *bytes, size_t size,
			const struct rollout_policy *policy);

#endif
