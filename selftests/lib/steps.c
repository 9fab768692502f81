// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"

static int number, failed;

void result(int err, const char *what)
{
	number++;
	if (err) {
		failed = 1;
		printf("# %s\n", strerror(-err));
	}
	printf("%s %d - %s\n", err ? "not ok" : "ok", number, what);
	fflush(stdout);
}

int expect(int want, int got)
{
	if (got == want)
		return 0;
	return got < 0 ? got : -EPROTO;
}

void need(int err, const char *what)
{
	if (err >= 0)
		return;
	printf("Bail out! %s: %s\n", what, strerror(-err));
	exit(1);
}

int steps_failed(void)
{
	return failed;
}

void steps_end(void)
{
	printf("1..%d\n", number);
	exit(failed);
}
