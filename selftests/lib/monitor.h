/* SPDX-License-Identifier: GPL-2.0-only */
/* QEMU's monitor, from inside of its VM ("./vm run --monitor"). */
#ifndef IOX_SELFTEST_MONITOR_H
#define IOX_SELFTEST_MONITOR_H

/* Returns a file descriptor, or -ENODEV if the VM was started without. */
int monitor_open(void);

/* Gives a command; -EIO if QEMU says anything to it, which goes to stderr. */
int monitor_do(int fd, const char *command);

#endif
