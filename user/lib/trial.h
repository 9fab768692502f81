/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The requests of a trace, placed by this kernel without memory, and what would come of it: page
 * tables, gaps, and the time that it takes to find a place.
 */
#ifndef IOX_LIB_TRIAL_H
#define IOX_LIB_TRIAL_H

#include <stdbool.h>
#include <iox/hist.h>
#include <linux/iox.h>
#include <linux/types.h>

#include "pt_model.h"
#include "replay.h"

/* Memory that nothing is known of counts as contiguous, so that only its place decides. */
#define TRIAL_RUN_UNKNOWN 30

/* Address bits of the IOMMU that there would be. */
#define TRIAL_MIN_BITS 32
#define TRIAL_MAX_BITS 48

struct trial_result {
	__u64 maps, unmaps, skipped, spaces;
	__u64 failed;			/* maps */
	int first_errno;		/* of those */
	__u64 answers[IOX_TRY_HINT + 1];	/* of maps that succeeded, by enum iox_try_answer */
	struct iox_hist select;		/* how long finding a place took, where it was not fixed */
	__u64 tables, tables_end;	/* most at any time, and at the end */
	__u64 leaves[PT_NR_LEAVES];	/* when there were most */
	__u64 gap;			/* the largest free one, when that was smallest */
	__u64 lowest, highest;		/* byte that was mapped; lowest > highest: none */
	int err;			/* why it did not come to its end: a negative errno */
};

/* Makes the same call as a mapping of the trace would be, and fills in area->now.start. */
int trial_map(struct replay *r, const struct trace_request *req, struct replay_area *area,
	      struct iox_ioas_try_map *cmd);

/* In the cgroup of the caller. Asks for nothing but /dev/iommu; what fails is in @result. */
void trial_run(const struct trace *trace, unsigned int bits, struct trial_result *result);

/* Does this kernel place without memory? False with the message given. */
bool trial_check(void);

#endif
