/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says from now on. */
#ifndef IOX_SELFTEST_KMSG_H
#define IOX_SELFTEST_KMSG_H

#include <stddef.h>

/* Returns a descriptor that reads only what is logged from now on. */
int kmsg_open(void);

/*
 * Waits for a message with @needle in it and gives its text. Returns 0, or
 * -ETIMEDOUT after @ms.
 */
int kmsg_wait(int fd, const char *needle, int ms, char *text, size_t size);

#endif
