/* SPDX-License-Identifier: GPL-2.0-only */
/* Shell commands and what they print, also as JSON. Needs -ljson-c. */
#ifndef IOX_SELFTEST_SHELL_H
#define IOX_SELFTEST_SHELL_H

#include <json-c/json.h>
#include <libgen.h>
#include <limits.h>
#include <linux/types.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL_OUTPUT_SIZE (256 * 1024)

/* For programs that test the iox command: sets $IOX (unless set), $SELF and $BUILD. */
static inline void shell_environment(void)
{
	char self[PATH_MAX] = "", copy[PATH_MAX], path[PATH_MAX + 16];

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return;
	setenv("SELF", self, 1);
	strcpy(copy, self);
	/* build/selftests/NAME */
	snprintf(path, sizeof(path), "%s", dirname(dirname(copy)));
	setenv("BUILD", path, 1);
	strcat(path, "/bin/iox");
	setenv("IOX", path, 0);
}

/*
 * Runs a command, made as by printf(). @output has SHELL_OUTPUT_SIZE bytes and
 * gets what that prints. The exit status, or -1.
 */
__attribute__((format(printf, 2, 3)))
static inline int shell_run(char *output, const char *format, ...)
{
	char *command;
	size_t length;
	va_list args;
	FILE *pipe;
	int status;

	va_start(args, format);
	status = vasprintf(&command, format, args);
	va_end(args);
	if (status < 0)
		return -1;
	pipe = popen(command, "r");
	free(command);
	if (!pipe)
		return -1;
	length = fread(output, 1, SHELL_OUTPUT_SIZE - 1, pipe);
	output[length] = 0;
	status = pclose(pipe);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline bool shell_has(const char *output, const char *text)
{
	return strstr(output, text);
}

/* Just one line, as an error must be. */
static inline bool shell_one_line(const char *output)
{
	const char *end = strchr(output, '\n');

	return end && !end[1];
}

/* A member of an object; says so if it is missing. */
static inline json_object *json_member(json_object *object, const char *key)
{
	json_object *value = NULL;

	if (!json_object_object_get_ex(object, key, &value))
		fprintf(stderr, "# JSON has no \"%s\"\n", key);
	return value;
}

static inline __u64 json_number(json_object *object, const char *key)
{
	return json_object_get_uint64(json_member(object, key));
}

static inline const char *json_string(json_object *object, const char *key)
{
	return json_object_get_string(json_member(object, key)) ?: "";
}

/* The first object in an array whose @key is the string @value, or NULL. */
static inline json_object *json_find(json_object *array, const char *key, const char *value)
{
	size_t nr = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; i < nr; i++) {
		json_object *entry = json_object_array_get_idx(array, i);

		json_object *member;

		if (json_object_object_get_ex(entry, key, &member) &&
		    !strcmp(json_object_get_string(member) ?: "", value))
			return entry;
	}
	return NULL;
}

#endif
