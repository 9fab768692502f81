/* SPDX-License-Identifier: GPL-2.0-only */
/* What those share who are in the way of the worlds. */
#ifndef IOX_FUZZ_VANDAL_H
#define IOX_FUZZ_VANDAL_H

#include "../lib/mock.h"
#include "fuzz.h"

/* Calls into the test driver that lib/mock.h has not; 0 or a negative errno */
int mock_attach(int fd, __u32 pt, __u32 *stdev, __u32 *hwpt);
int mock_reserve(int fd, __u32 ioas, __u64 first, __u64 last);

/*
 * Others that are in the way until told to stop. Each returns NULL, or what went
 * wrong.
 */
struct vandal {
	struct common *common;
	__u64 seed;
	volatile bool stop;
};

/* Attaches domains to the IOAS of all worlds and takes them away. */
void *vandal_attach(void *arg);

/* Has two threads do things at the same moment. */
void *vandal_race(void *arg);

/* Kills processes in the middle of their calls. */
void *vandal_kill(void *arg);

/* Closes files in the middle of calls. */
void *vandal_close(void *arg);

#endif
