/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A place where a process leaves files for another one, each under a token:
 *
 *	luo:NAME	a live-update session; the other one may be in the next
 *			kernel
 *	PATH		a process that holds them and has a socket there, which
 *			stands in for the session within one kernel
 */
#ifndef IOX_SELFTEST_KEEP_H
#define IOX_SELFTEST_KEEP_H

#include <linux/types.h>
#include <stdbool.h>

struct keep {
	int fd;		/* a session, or a connection to the socket */
	bool luo;
};

/* To leave files. They stay for as long as @keep is open, or the process runs. */
int keep_create(struct keep *keep, const char *place);

/* To get them. */
int keep_find(struct keep *keep, const char *place);

/* A HWPT that an iommufd is to be left with, under a token of its own. */
int keep_put_hwpt(const struct keep *keep, int iommufd, __u32 hwpt,
		  __u64 token);

int keep_put(const struct keep *keep, __u64 token, int fd);

/* Returns a file descriptor or a negative errno. */
int keep_get(const struct keep *keep, __u64 token);

/* Whoever got files has all that are wanted. */
int keep_finish(const struct keep *keep);

/* Holds the files of others until the process ends; returns only an error. */
int keep_serve(const char *path);

#endif
