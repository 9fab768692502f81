// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <string.h>

#include "msg.h"

static const char *program = "iox";
static char *caught;
static size_t caught_size;

void msg_set_program(const char *name)
{
	program = name;
}

void msg_error(const char *what, const char *why, const char *mend)
{
	if (caught) {
		snprintf(caught, caught_size, "%s: %s%s%s", what, why, mend ? "; " : "",
			 mend ? mend : "");
		return;
	}
	/* Keep the order when both streams go to one file. */
	fflush(stdout);
	fprintf(stderr, "%s: %s: %s%s%s\n", program, what, why, mend ? "; " : "", mend ? mend : "");
}

void msg_errno(int err, const char *what, const char *mend)
{
	msg_error(what, strerror(err < 0 ? -err : err), mend);
}

void msg_catch(char *buf, size_t size)
{
	caught = buf;
	caught_size = size;
}
