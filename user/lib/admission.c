// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admission.h"
#include "policies.h"

/* What the policy said, if its last refusal is the one that is looked for; else NULL. */
static const char *find_words(const struct policy *q, const char *step, const char *which)
{
	const char *at = strncmp(q->last_refusal, step, strlen(step)) ? NULL :
									strstr(q->last_refusal, which);

	return at ? at + strlen(which) : NULL;
}

bool admission_find_reason(const char *step, const char *session, __u64 token, int err,
			   char why[ADMISSION_WHY_LEN])
{
	const char *words = NULL;
	struct policies p;
	char which[160];

	/* As the kernel has it in last_refusal. */
	snprintf(which, sizeof(which), " pid=%d token=0x%llx session=%s errno=%d: ", getpid(), token,
		 session, err);
	if (!policies_read_admission(&p))
		return false;
	for (size_t i = 0; !words && i < p.nr; i++) {
		words = find_words(&p.list[i], step, which);
		if (words)
			snprintf(why, ADMISSION_WHY_LEN, "%s, says admission policy %s: %.320s",
				 strerror(-err), p.list[i].name, *words ? words : "no reason given");
	}
	policies_free(&p);
	return words;
}
