/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Watching until a signal, or until a command that we run has ended: what stat, trace and record
 * have in common. Signals, the timer and the command's end are waited for in one place.
 */
#ifndef IOX_LIB_WATCH_H
#define IOX_LIB_WATCH_H

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <linux/types.h>

#include "child.h"

struct watch {
	char **command;		/* NULL: until a signal */
	struct child child;
	sigset_t old_mask;
	int signals, timer;
	int out;		/* whose reader may go away */
};

enum watch_event {
	WATCH_TICK,		/* the interval is over */
	WATCH_READY,		/* what is in @fd can be read */
	WATCH_END,
	WATCH_FAILED,		/* the message is given */
};

/*
 * Prepares; with @command, it is forked and waits: watch_pidfd() names it. A closed pipe is an
 * error of write() from here on, no signal. False: message given; watch_close() is due anyway.
 */
bool watch_open(struct watch *w, char **command);

/*
 * After watch_open(): a terminal that goes away is an end as SIGTERM is, so that what has been
 * collected is not lost; not with nohup. False: message given.
 */
bool watch_hang_up(struct watch *w);

/* The command's, or -1 */
int watch_pidfd(const struct watch *w);

/* The capability to pass a signal on to a command, which may run as somebody else; 0 without one */
__u64 watch_privileges(const struct watch *w);

/* Lets the command run, and ticks begin: every @interval seconds, 0 for none. */
bool watch_start(struct watch *w, double interval, FILE *out);

/* Waits for the next thing; @fd may be -1. */
enum watch_event watch_wait(struct watch *w, int fd);

/* Ends all; the exit status: that of the command, if there is one and @ok. */
int watch_close(struct watch *w, bool ok);

/* A number of seconds in an argument, or usage */
double watch_seconds(const char *arg, const char *name, struct argp_state *state);

#endif
