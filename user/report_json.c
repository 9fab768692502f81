// SPDX-License-Identifier: GPL-2.0
/* iox report: all that is in the page, as JSON. */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/msg.h"
#include "lib/out.h"
#include "report.h"
#include "stat.h"

/* As many ranges of a space as are listed */
#define MAX_RANGES 4096

/* Length of the character at @text if it is UTF-8, else 0. */
static size_t utf8_length(const unsigned char *text)
{
	size_t length = *text < 0x80 ? 1 : (*text & 0xe0) == 0xc0 ? 2 : (*text & 0xf0) == 0xe0 ? 3 :
			(*text & 0xf8) == 0xf0 ? 4 : 0;
	static const __u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	__u32 value = length > 1 ? *text & (0xff >> (length + 1)) : *text;

	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (text[i] & 0x3f);
	}
	if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	/* C1 controls */
	return value >= 0x80 && value < 0xa0 ? 0 : length;
}

void report_clean(char *to, size_t size, const char *text)
{
	const unsigned char *from = (const unsigned char *)text;
	char *end = to + size - 1;

	while (*from) {
		size_t length = *from < ' ' || *from == 0x7f ? 0 : utf8_length(from);
		const char *shown = length ? (const char *)from : "\xef\xbf\xbd";
		size_t shown_length = length ? length : 3;

		if (shown_length > (size_t)(end - to))
			break;
		memcpy(to, shown, shown_length);
		to += shown_length;
		from += length ? length : 1;
	}
	*to = 0;
}

static void add_clean(json_object *o, const char *key, const char *text)
{
	char clean[1024];

	report_clean(clean, sizeof(clean), text);
	out_json_str(o, key, clean);
}

static void add_time(json_object *o, const char *key, const struct timespec *time)
{
	char text[64];
	struct tm tm;

	localtime_r(&time->tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &tm);
	out_json_str(o, key, text);
}

static void add_host(json_object *o, const struct report *r)
{
	struct utsname name;

	uname(&name);
	add_clean(o, "host", name.nodename);
	add_clean(o, "kernel", name.release);
	add_clean(o, "machine", name.machine);
	out_json_u64(o, "cpus", (__u64)sysconf(_SC_NPROCESSORS_ONLN));
	out_json_str(o, "iommufd", probe_iommufd(r->probe));
	out_json_bool(o, "timed", !probe_only_counts(r->probe));
	add_clean(o, "of", r->command ? r->command : "all");
	add_time(o, "began", &r->began);
	add_time(o, "ended", &r->ended);
	out_json_u64(o, "span_ns", r->total->span_ns);
	out_json_u64(o, "skipped", r->total->skipped);
	out_json_u64(o, "dropped", r->total->dropped);
}

/* --- latency over time ------------------------------------------------------------ */

static json_object *triple(__u64 column, __u64 row, __u64 count)
{
	json_object *list = json_object_new_array();

	json_object_array_add(list, json_object_new_uint64(column));
	json_object_array_add(list, json_object_new_uint64(row));
	json_object_array_add(list, json_object_new_uint64(count));
	return list;
}

static json_object *cells_of(const struct heat *heat, int op)
{
	json_object *list = json_object_new_array();

	for (__u32 i = 0; i < HEAT_COLUMNS; i++)
		for (__u32 row = 0; row < HEAT_ROWS; row++)
			if (heat->cell[op][i][row])
				json_object_array_add(list, triple(i, row, heat->cell[op][i][row]));
	return list;
}

static json_object *heat_json(const struct heat *heat)
{
	json_object *o = json_object_new_object(), *rows = json_object_new_array();
	json_object *cells = json_object_new_object();
	unsigned int lowest, highest;

	out_json_u64(o, "column_ns", heat->column_ns);
	for (__u32 row = 0; row <= HEAT_ROWS; row++)
		json_object_array_add(rows,
				      json_object_new_uint64(iox_hist_first(row * HEAT_BUCKETS)));
	json_object_object_add(o, "rows_ns", rows);
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++)
		if (heat_rows(heat, op, &lowest, &highest))
			json_object_object_add(cells, probe_op_name(op), cells_of(heat, op));
	json_object_object_add(o, "cells", cells);
	return o;
}

/* --- spaces ----------------------------------------------------------------------- */

static json_object *ranges_json(const struct ranges *r)
{
	json_object *o = json_object_new_object(), *list = json_object_new_array();

	out_json_u64(o, "areas", r->nr);
	out_json_u64(o, "bytes", r->bytes);
	for (size_t i = 0; i < r->nr && i < MAX_RANGES; i++) {
		json_object *range = json_object_new_object();

		out_json_hex(range, "iova", r->list[i].start);
		out_json_u64(range, "length", r->list[i].last - r->list[i].start + 1);
		json_object_array_add(list, range);
	}
	json_object_object_add(o, "list", list);
	return o;
}

static json_object *spaces_json(const struct spaces *spaces)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < spaces->nr; i++) {
		const struct space *space = &spaces->list[i];
		json_object *o = json_object_new_object();

		out_json_hex(o, "context", space->key.ctx_id);
		out_json_u64(o, "ioas", space->key.ioas_id);
		out_json_u64(o, "changes", space->nr);
		for (int state = 0; state < SPACE_NR_STATES; state++)
			json_object_object_add(o, space_state_name[state],
					       ranges_json(&space->state[state]));
		json_object_array_add(list, o);
	}
	return list;
}

/* --- the slowest ------------------------------------------------------------------ */

static json_object *event_json(const struct report *r, const struct iox_event *e)
{
	json_object *o = json_object_new_object(), *stages;
	char comm[sizeof(e->comm) + 1] = "";

	memcpy(comm, e->comm, sizeof(e->comm));
	out_json_u64(o, "end_ns", e->end_ns - probe_start(r->probe));
	out_json_str(o, "call", probe_op_name(e->op));
	out_json_u64(o, "ns", e->ns);
	json_object_object_add(o, "result", json_object_new_int(e->result));
	out_json_u64(o, "pid", e->tgid);
	out_json_u64(o, "tid", e->pid);
	add_clean(o, "comm", comm);
	if (e->flags & IOX_EVENT_DESCRIBED) {
		out_json_hex(o, "context", e->ctx_id);
		out_json_u64(o, "ioas", e->ioas_id);
		out_json_hex(o, "iova", e->iova);
		out_json_u64(o, "length", e->length);
	}
	if (!(e->flags & IOX_EVENT_STAGED))
		return o;
	stages = json_object_new_object();
	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++)
		out_json_u64(stages, probe_stage_name(e->op, i), e->stage_ns[i]);
	json_object_object_add(o, "stages", stages);
	return o;
}

json_object *report_json(const struct report *r)
{
	struct stat_form form = { .probe = r->probe, .stages = true };
	json_object *o = json_object_new_object(), *slowest = json_object_new_array();
	json_object *unseen = json_object_new_array();

	if (!o || !slowest || !unseen) {
		msg_errno(ENOMEM, "the report's data", NULL);
		return NULL;
	}
	json_object_object_add(o, "iox_report", json_object_new_int(1));
	add_host(o, r);
	json_object_object_add(o, "calls", stat_json_calls(&form, r->total));
	json_object_object_add(o, "heat", heat_json(r->heat));
	json_object_object_add(o, "spaces", spaces_json(&r->spaces));
	for (size_t i = 0; i < r->nr_slowest; i++)
		json_object_array_add(slowest, event_json(r, &r->slowest[i]));
	json_object_object_add(o, "slowest", slowest);
	for (size_t i = 0; i < r->nr_unseen; i++)
		json_object_array_add(unseen, json_object_new_string(r->unseen[i]));
	json_object_object_add(o, "unseen", unseen);
	return o;
}
