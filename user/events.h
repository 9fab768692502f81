/* SPDX-License-Identifier: GPL-2.0 */
/* How iox trace shows events: as lines, as JSON lines, and as a trace for Perfetto's UI. */
#ifndef IOX_EVENTS_H
#define IOX_EVENTS_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/probe.h"

/* Each false with errno set. */
bool event_text_head(FILE *f);
bool event_text(FILE *f, const struct iox_event *e, __u64 start_ns, bool colour);
bool event_json(FILE *f, const struct iox_event *e, __u64 start_ns);

/*
 * Trace Event Format, which ui.perfetto.dev and chrome://tracing open: a slice an operation on the
 * track of its thread, with its stages in it.
 */
struct event_slices {
	FILE *f;
	__u64 start_ns;
	bool any;
	__u32 *named;		/* threads that have their names already */
	size_t nr_named;
};

bool slices_begin(struct event_slices *s, FILE *f, __u64 start_ns);
bool slices_add(struct event_slices *s, const struct iox_event *e);
bool slices_end(struct event_slices *s);

#endif
