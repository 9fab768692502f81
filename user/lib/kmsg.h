/* SPDX-License-Identifier: GPL-2.0 */
/* What the kernel had to say about a call that failed. */
#ifndef IOX_LIB_KMSG_H
#define IOX_LIB_KMSG_H

#include <stdbool.h>
#include <stddef.h>

/* Takes down where the kernel's log ends now; a descriptor, or -1 if it cannot be read. */
int kmsg_mark(void);

/*
 * The last line since @mark that begins with @prefix, without that; false if there is none. Ends
 * @mark.
 */
bool kmsg_last(int mark, const char *prefix, char *line, size_t size);

#endif
