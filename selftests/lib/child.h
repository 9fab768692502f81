/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes that a test starts and kills. */
#ifndef IOX_SELFTEST_CHILD_H
#define IOX_SELFTEST_CHILD_H

#include <sys/types.h>

/*
 * Starts a process that runs @live and waits until it is under way, which
 * @live says by child_ready(). Returns its id, or a negative errno: -ECHILD if
 * it ended without saying so.
 */
pid_t child_start(void (*live)(int ready));

/* For the child: says that it is under way, or exits. */
void child_ready(int ready);

/* Kills a child that is still alive, and waits for its end. */
int child_kill(pid_t pid);

/* All of that, with @delay_us between. @live must not return. */
int child_kill_in(void (*live)(int ready), unsigned int delay_us);

#endif
