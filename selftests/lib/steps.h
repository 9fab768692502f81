/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TAP of a program whose tests are the steps of one story: each stands on those
 * before it, and a failed one ends nothing by itself.
 */
#ifndef IOX_SELFTEST_STEPS_H
#define IOX_SELFTEST_STEPS_H

/* One line of TAP; @err is 0 or a negative errno. */
void result(int err, const char *what);

/* Only @want will do: returns 0, or a negative errno. */
int expect(int want, int got);

/* Where nothing else can be done without it: ends the program if @err is negative. */
void need(int err, const char *what);

/* Has any step failed? */
int steps_failed(void);

/* Prints the plan and ends the program. */
void steps_end(void) __attribute__((noreturn));

#endif
