/* SPDX-License-Identifier: GPL-2.0 */
/* What guards are judged by: readings of what maps and a policy do, from a mark on. */
#ifndef IOX_LIB_ROLLOUT_WATCH_H
#define IOX_LIB_ROLLOUT_WATCH_H

#include "policies.h"
#include "rollout_decide.h"

struct rollout_watch;

struct rollout_watch_config {
	enum rollout_kind kind;
	const char *cgroup;	/* of the policy; empty: the host */
	__u32 spaces;		/* that the policy is for, as it is in force; 0: all, for a baseline */
};

/* NULL with the message given. Marked. */
struct rollout_watch *rollout_watch_open(const struct rollout_watch_config *config);
void rollout_watch_close(struct rollout_watch *w);

/* Is it what one with this configuration would be? */
bool rollout_watch_fits(const struct rollout_watch *w, const struct rollout_watch_config *config);

/* All since the mark; @policy is that of the rollout now, NULL without. False with the message given. */
bool rollout_watch_read(struct rollout_watch *w, const struct policy *policy,
			struct rollout_reading *r);
/* From what was read last on. */
void rollout_watch_mark(struct rollout_watch *w);

#endif
