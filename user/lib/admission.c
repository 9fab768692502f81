// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admission.h"
#include "policies.h"

/* What the policy said, if its last refusal is the one that is looked for; else NULL. */
static const char *find_words(const struct policy *q, const char *step, const char *who,
			      const char *end)
{
	const char *at = q->last_refusal;

	if (strncmp(at, step, strlen(step)))
		return NULL;
	at = strstr(at, who);
	at = at ? strstr(at, end) : NULL;
	return at ? at + strlen(end) : NULL;
}

bool admission_find_reason(const char *step, __u64 token, int err, char why[ADMISSION_WHY_LEN])
{
	const char *words = NULL;
	struct policies p;
	char who[64], end[32];

	/* As the kernel has it in last_refusal; in between is the name of the session. */
	snprintf(who, sizeof(who), " pid=%d token=0x%llx session=", getpid(), token);
	snprintf(end, sizeof(end), " errno=%d: ", err);
	if (!policies_read_admission(&p))
		return false;
	for (size_t i = 0; !words && i < p.nr; i++) {
		words = find_words(&p.list[i], step, who, end);
		if (words)
			snprintf(why, ADMISSION_WHY_LEN, "%s, says admission policy %s: %.320s",
				 strerror(-err), p.list[i].name, *words ? words : "no reason given");
	}
	policies_free(&p);
	return words;
}
