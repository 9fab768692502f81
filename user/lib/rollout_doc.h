/* SPDX-License-Identifier: GPL-2.0 */
/* The document of a rollout: which policy, for whom, in which stages, and when it goes too far. */
#ifndef IOX_LIB_ROLLOUT_DOC_H
#define IOX_LIB_ROLLOUT_DOC_H

#include <limits.h>
#include <stdbool.h>
#include <linux/types.h>

#define ROLLOUT_NAME_LEN	64
#define ROLLOUT_MAX_STAGES	16
/* Shares of hosts and of address spaces are so many of it. */
#define ROLLOUT_OF		1000

enum rollout_kind {
	ROLLOUT_IOVA,
	ROLLOUT_ADMIT,
};

/* What is watched; each is a value that is bad when it is high. */
#define ROLLOUT_GUARDS(X)							\
	X(map_p99)		/* nanoseconds that 99 % of the maps do not exceed */	\
	X(failed_maps)		/* failed maps, of all */				\
	X(fallback_rate)	/* requests that the built-in allocator had to answer, of all */ \
	X(faults)		/* answers that could not be used, of all requests */	\
	X(preserve_refusals)	/* refused admissions, of all */

enum rollout_guard {
#define ROLLOUT_ENUM(name) ROLLOUT_GUARD_##name,
	ROLLOUT_GUARDS(ROLLOUT_ENUM)
#undef ROLLOUT_ENUM
	ROLLOUT_NR_GUARDS
};

enum rollout_on_trip {
	ROLLOUT_ROLL_BACK,
	ROLLOUT_HOLD,
};

struct rollout_stage {
	__u32 hosts;		/* of ROLLOUT_OF; no fewer than in the stage before */
	__u32 spaces;		/* of ROLLOUT_OF, on each of these hosts; likewise */
	__u64 bake_ms;		/* how long it has to go well before this stage is done */
};

/* A guard trips at more than @times the baseline plus @over. */
struct rollout_limit {
	bool set;
	double times;
	double over;		/* in the guard's unit */
};

struct rollout_doc {
	char name[ROLLOUT_NAME_LEN];
	char digest[65];		/* SHA-256 of the document, in hex */
	enum rollout_kind kind;

	char object[PATH_MAX];		/* absolute */
	char signature[PATH_MAX];
	char sha256[65];		/* of the object */
	char variable[64];		/* which policy of the object; empty: the only one */
	bool may_refuse;		/* maps fail where an IOVA policy refuses; else the built-in allocator chooses */
	char cgroup[PATH_MAX];		/* empty: the host */
	char replaces[ROLLOUT_NAME_LEN];	/* the rollout whose policy it takes the place of; or empty */

	struct rollout_stage stages[ROLLOUT_MAX_STAGES];
	__u32 nr_stages;
	__u32 stage;			/* how far to go, from 1 */
	bool hold;
	__u32 attempt;			/* a higher one than before begins anew */

	__u64 baseline_ms;		/* how long to measure before; 0: there are no guards */
	__u64 every_ms;			/* between two looks at the guards */
	__u64 samples;			/* fewer maps or requests say nothing */
	struct rollout_limit limits[ROLLOUT_NR_GUARDS];
	enum rollout_on_trip on_trip;
};

extern const char *const rollout_guard_name[ROLLOUT_NR_GUARDS];

/* False with the message given: the file, the line, what is wrong and the mend. */
bool rollout_doc_read(struct rollout_doc *doc, const char *path);

#endif
