/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A system call that must change nothing when it fails: a small world to make
 * it in, with a state that can be compared, again and again from the start,
 * each time with another of its allocations failing.
 */
#ifndef IOX_SELFTEST_WORLD_H
#define IOX_SELFTEST_WORLD_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "edu.h"
#include "mock.h"

/* In the mock IOMMU's aperture: what is mapped, and where the call may map */
#define WORLD_AT 0x10000000ULL
#define WORLD_TO 0x20000000ULL
#define WORLD_LENGTH (8 * PAGE)

/* Memory that lasts: mapped at the first, free for the call behind that. */
#define WORLD_BUFFER (1024 * PAGE)
#define WORLD_FREE (512 * PAGE)

#define WORLD_OWNS 8

enum world_kind {
	WORLD_MOCK,		/* two IOASes and a mock device on the first */
	WORLD_EMPTY,		/* just an iommufd */
	WORLD_EDU,		/* an IOAS, and the edu device, open */
};

struct world {
	int fd;
	__u32 ioas;		/* with WORLD_LENGTH mapped at WORLD_AT */
	__u32 other;		/* empty */
	__u32 probe;		/* for looking into the others */
	struct mock mock;
	struct edu edu;
	char *buffer;
	char *shared;		/* mapping of memfd */
	int memfd;

	/* For the case: what it prepares, and what the call gives it */
	__u32 a, b, c;
	__u32 id;
	__u64 iova;
	int file;
	void *map;

	/* Goes with the world: files first, then ids, the last one first */
	int files[WORLD_OWNS];
	__u32 ids[WORLD_OWNS];
	unsigned int nr_files, nr_ids;
};

/* All functions return 0 or a negative errno. */
struct world_case {
	enum world_kind kind;
	/* Is there the hardware that it takes? NULL if it takes none. */
	bool (*possible)(void);
	/* What the call needs */
	int (*prepare)(struct world *w);
	/* The call, and nothing else */
	int (*call)(struct world *w);
	/* Has it done what it should? */
	int (*check)(struct world *w);
	/* It can fail only before it has begun: when its arguments cannot be read. */
	bool never_fails;
	/* It has done what it should already when the answer cannot be copied. */
	bool done_before_answer;
	/* What else than -ENOMEM and -EFAULT it may say, or 0 */
	int also;
};

void world_own_id(struct world *w, __u32 id);
void world_own_file(struct world *w, int file);

/*
 * Makes the call in a new world for each of its allocations, which fails. Returns
 * NULL, or what was wrong; *@faults is how many allocations there were.
 */
const char *world_fail_each(const struct world_case *c, unsigned int *faults);

#endif
