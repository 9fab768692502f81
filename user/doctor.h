/* SPDX-License-Identifier: GPL-2.0 */
/* iox doctor: what is looked at, and what came of it. */
#ifndef IOX_DOCTOR_H
#define IOX_DOCTOR_H

#include <stddef.h>

enum verdict {
	VERDICT_OK,
	VERDICT_MISSING,
	VERDICT_UNKNOWN,	/* it could not be looked at */
	VERDICT_ABSENT,		/* it is not there, and nothing has to be done about that */
};

struct finding {
	enum verdict verdict;
	char what[256];		/* what was found */
	char mend[256];		/* "" unless something is missing or could not be seen */
};

struct check {
	const char *name;
	void (*look)(struct finding *f);
};

extern const struct check doctor_checks[];
extern const size_t doctor_nr_checks;

#endif
