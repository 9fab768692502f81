/* SPDX-License-Identifier: GPL-2.0 */
/* Sessions of /dev/liveupdate. Calls return 0 or a file descriptor, or a negative errno. */
#ifndef IOX_LU_SESSION_H
#define IOX_LU_SESSION_H

#include <linux/types.h>
#include <stdbool.h>

/* Could a session have this name? */
bool lu_session_name_fits(const char *name);

/*
 * A new session, or one that came from the last kernel. One process at a time can have
 * /dev/liveupdate open; this waits a little for another one to be through.
 */
int lu_session_create(const char *name);
int lu_session_retrieve(const char *name);

/* Has the kernel read the sessions that came from the last one. */
int lu_session_read_incoming(void);

/* Is @fd a session of this name? */
bool lu_session_is(int fd, const char *name);

int lu_session_preserve(int session, int fd, __u64 token);
int lu_session_get_file(int session, __u64 token);
int lu_session_finish(int session);

#endif
