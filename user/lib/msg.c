// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "msg.h"

static const char *program = "iox";

void msg_set_program(const char *name)
{
	program = name;
}

void msg_error(const char *what, const char *why, const char *mend)
{
	/* Keep the order when both streams go to one file. */
	fflush(stdout);
	fprintf(stderr, "%s: %s: %s%s%s\n", program, what, why, mend ? "; " : "", mend ? mend : "");
}

void msg_errno(int err, const char *what, const char *mend)
{
	msg_error(what, strerror(err < 0 ? -err : err), mend);
}
