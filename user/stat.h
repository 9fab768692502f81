/* SPDX-License-Identifier: GPL-2.0 */
/* How iox stat prints what it has counted. */
#ifndef IOX_STAT_H
#define IOX_STAT_H

#include <stdbool.h>
#include <stdio.h>
#include <json-c/json.h>

#include "lib/probe.h"

/* What all that is printed in a run has in common */
struct stat_form {
	FILE *out;
	const struct probe *probe;
	const char *command;	/* NULL: the whole system */
	enum iox_probe_by by;
	bool stages;
	bool several;		/* intervals came before the total */
};

/* One interval or the total; @keys as form->by says. False: message given. */
bool stat_print_text(const struct stat_form *f, const struct probe_snapshot *s,
		     const struct probe_keys *keys, bool total);
bool stat_print_json(const struct stat_form *f, const struct probe_snapshot *s,
		     const struct probe_keys *keys, bool total);

/* "calls" of the JSON above, for all operations */
json_object *stat_json_calls(const struct stat_form *f, const struct probe_snapshot *s);

const char *stat_by_name(enum iox_probe_by by);

#endif
