/* SPDX-License-Identifier: GPL-2.0 */
/* A command started in two steps, so that measuring can begin before its first instruction. */
#ifndef IOX_LIB_CHILD_H
#define IOX_LIB_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct child {
	pid_t pid;
	int pidfd;		/* becomes readable when the command ends */
	int go;			/* the child waits for a byte here */
	int exec_errno;		/* tells the errno of a failed exec, or end of file */
};

/* Forks; the child waits. @mask: signal mask that the command shall have. False: message given. */
bool child_fork(struct child *c, char **argv, const sigset_t *mask);

/* Lets it run. 0, or the errno of exec. */
int child_go(struct child *c);

/*
 * Waits for its end and frees what @c holds. The status as a shell would give it. A child
 * never let go just ends.
 */
int child_wait(struct child *c);

#endif
