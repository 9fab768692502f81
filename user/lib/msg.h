/* SPDX-License-Identifier: GPL-2.0 */
/* Messages on standard error, one line each: "program: what: why; mend". */
#ifndef IOX_MSG_H
#define IOX_MSG_H

#include <stddef.h>

/* Name that starts each message; @name must stay. "iox" until set. */
void msg_set_program(const char *name);

/* @mend: what to do about it, or NULL. */
void msg_error(const char *what, const char *why, const char *mend);

/* As msg_error() with the words for @err (positive or negative) as the why. */
void msg_errno(int err, const char *what, const char *mend);

/*
 * From here on a message is put into @buf, without the name, in place of the one before: for who
 * goes on, and tells it otherwise. NULL: standard error again.
 */
void msg_catch(char *buf, size_t size);

#endif
