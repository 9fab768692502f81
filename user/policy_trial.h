/* SPDX-License-Identifier: GPL-2.0 */
/* A policy in force for one process of ours, which makes the requests of a trace. */
#ifndef IOX_POLICY_TRIAL_H
#define IOX_POLICY_TRIAL_H

#include <stdbool.h>

#include "lib/policies.h"
#include "lib/policy_file.h"
#include "lib/trial.h"

struct policy_trial {
	const struct trace *trace;
	unsigned int bits;		/* address bits of the IOMMU that there would be */
	int signals;			/* signalfd of those that end it */
	/* What came of it. */
	struct trial_result result;
	struct policy policy;		/* what the kernel tells of the policy */
	bool ejected;
};

/*
 * @f: the policy is chosen, and not loaded. Nobody else is asked, or hears, anything of it, and
 * nothing is left in the kernel. False with the message given, but for a signal, which is left to
 * be read.
 */
bool policy_trial(struct policy_trial *t, struct policy_file *f);

/* Opens a policy that leaves all to the built-in allocator. False with the message given. */
bool policy_trial_builtin(struct policy_file *f);

#endif
