// SPDX-License-Identifier: GPL-2.0-only
/* What was done, what was answered, and whether that was right. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

void may_fail(struct answer *lawful, int err)
{
	for (unsigned int i = 0; i < lawful->nr; i++)
		if (lawful->err[i] == err)
			return;
	lawful->err[lawful->nr++] = err;
}

static char *current_line(struct world *w)
{
	return w->log.line[(w->log.next - 1) % LOG_LINES];
}

void note(struct world *w, const char *format, ...)
{
	size_t used;
	va_list args;
	char *line;

	if (fuzz_trace && w->log.next)
		printf("# world %u %s\n", w->number, current_line(w));
	w->log.next++;
	line = current_line(w);
	used = snprintf(line, LOG_WIDTH, "op %lu ", w->op);
	va_start(args, format);
	vsnprintf(line + used, LOG_WIDTH - used, format, args);
	va_end(args);
}

void note_more(struct world *w, const char *format, ...)
{
	char *line = current_line(w);
	size_t used = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + used, LOG_WIDTH - used, format, args);
	va_end(args);
}

static const char *error_name(int err)
{
	return err ? strerrorname_np(err) : "success";
}

static void tell_answer(char *text, size_t size, const struct answer *lawful)
{
	size_t used = 0;

	text[0] = 0;
	if (!lawful->nr || lawful->may_succeed)
		used = snprintf(text, size, "success%s",
				lawful->no_memory ? " or ENOMEM" : "");
	for (unsigned int i = 0; i < lawful->nr && used < size; i++)
		used += snprintf(text + used, size - used, "%s%s",
				 used ? " or " : "",
				 error_name(lawful->err[i]));
}

/* Nobody else may print between the lines, or end the program before the last. */
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;

static void report_log(struct world *w)
{
	unsigned long first = w->log.next > LOG_LINES ?
				      w->log.next - LOG_LINES : 0;

	printf("# world %u of seed %llu, at its operation %lu; replay: %s\n",
	       w->number, w->seed, w->op, fuzz_replay);
	printf("# its last calls:\n");
	for (unsigned long i = first; i < w->log.next; i++)
		printf("#   %s\n", w->log.line[i % LOG_LINES]);
	fflush(stdout);
}

void mismatch(struct world *w, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&report_lock);
	printf("# MISMATCH: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	report_log(w);
	exit(1);
}

void broken(struct world *w, const char *what)
{
	int error = errno;

	pthread_mutex_lock(&report_lock);
	printf("# the fuzzer cannot go on: %s: %s\n", what, strerror(error));
	report_log(w);
	exit(2);
}

bool judge(struct world *w, int rc, const struct answer *lawful)
{
	bool fine = !rc && (!lawful->nr || lawful->may_succeed);
	char expected[LOG_WIDTH];

	fine |= rc == -ENOMEM && lawful->no_memory;
	note_more(w, " = %s", error_name(-rc));
	for (unsigned int i = 0; i < lawful->nr && !fine; i++)
		fine = rc == -lawful->err[i];
	if (!fine) {
		tell_answer(expected, sizeof(expected), lawful);
		mismatch(w, "expected %s, got %s: %s", expected,
			 error_name(-rc), current_line(w));
	}
	return !rc;
}

void must_work(struct world *w, int rc)
{
	judge(w, rc, &(struct answer){});
}
