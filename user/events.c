// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <json-c/json.h>

#include "events.h"
#include "lib/out.h"

#define RED "\033[31m"
#define PLAIN "\033[0m"

static const char *prot_name(__u32 prot)
{
	static const char *const name[] = { "-", "r", "w", "rw" };

	return name[prot & 3];
}

/* --- for people --------------------------------------------------------------- */

bool event_text_head(FILE *f)
{
	return fprintf(f, "%12s %-16s %7s %-10s %-9s %-20s %9s %-4s %-8s %9s %9s %9s %9s %9s  %s\n",
		       "time", "command", "pid", "call", "ioas", "iova", "length", "prot", "chosen",
		       "took", "select", "pin", "tables", "flush", "result") > 0;
}

static void text_where(FILE *f, const struct iox_event *e)
{
	char ioas[24], bytes[OUT_BYTES_LEN];

	if (!(e->flags & IOX_EVENT_DESCRIBED)) {
		fprintf(f, "%-9s %-20s %9s %-4s ", "-", "-", "-", "-");
		return;
	}
	if (e->ctx_id >> 48 || !e->ctx_id)
		snprintf(ioas, sizeof(ioas), "%u", e->ioas_id);
	else
		snprintf(ioas, sizeof(ioas), "%llu/%u", e->ctx_id, e->ioas_id);
	fprintf(f, "%-9s 0x%-18llx %9s %-4s ", ioas, e->iova, out_bytes(bytes, e->length),
		prot_name(e->prot));
}

static void text_time(FILE *f, __u64 ns, bool known)
{
	char text[OUT_NS_LEN];

	fprintf(f, "%9s ", known ? out_ns(text, ns) : "-");
}

static void text_stages(FILE *f, const struct iox_event *e)
{
	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++)
		text_time(f, e->stage_ns[i], e->stage_ns[i]);
}

bool event_text(FILE *f, const struct iox_event *e, __u64 start_ns, bool colour)
{
	__u64 at = e->end_ns > start_ns ? e->end_ns - start_ns : 0;
	bool chosen = e->op <= IOX_PROBE_copy && e->flags & IOX_EVENT_STAGED;
	char comm[sizeof(e->comm) + 1] = "";

	memcpy(comm, e->comm, sizeof(e->comm));
	out_plain(comm);
	fprintf(f, "%10llu.%06llu s %-16s %7u %-10s ", at / 1000000000, at % 1000000000 / 1000,
		comm, e->tgid, probe_op_name(e->op));
	text_where(f, e);
	fprintf(f, "%-8s ", chosen ? probe_chooser_name(e->chooser) : "-");
	text_time(f, e->ns, !(e->flags & IOX_EVENT_UNTIMED));
	text_stages(f, e);
	return fprintf(f, " %s%s%s\n", colour && e->result ? RED : "",
		       e->result ? strerrorname_np(-e->result) ?: "error" : "ok",
		       colour && e->result ? PLAIN : "") > 0;
}

/* --- JSON ----------------------------------------------------------------------- */

static void json_leaves(json_object *o, const struct iox_event *e)
{
	json_object *leaves = json_object_new_object();

	out_json_u64(leaves, "4KiB", e->leaves[0]);
	out_json_u64(leaves, "2MiB", e->leaves[1]);
	out_json_u64(leaves, "1GiB", e->leaves[2]);
	json_object_object_add(o, "leaves", leaves);
}

static void json_staged(json_object *o, const struct iox_event *e)
{
	json_object *stages = json_object_new_object();

	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++)
		if (e->stage_ns[i])
			out_json_u64(stages, probe_stage_name(e->op, i), e->stage_ns[i]);
	out_json_u64(o, "before_ns", e->before_ns);
	json_object_object_add(o, "stages_ns", stages);
	out_json_u64(o, "hwpts", e->hwpts);
	if (e->hwpt_id)
		out_json_u64(o, "hwpt", e->hwpt_id);
	if (e->op > IOX_PROBE_copy)
		return;
	out_json_str(o, "chosen", probe_chooser_name(e->chooser));
	json_leaves(o, e);
}

static void json_described(json_object *o, const struct iox_event *e)
{
	bool map = e->op <= IOX_PROBE_copy;

	out_json_u64(o, "ioas", e->ioas_id);
	if (e->flags & IOX_EVENT_STAGED)
		out_json_u64(o, "space", e->space_id);
	if (!map && e->op != IOX_PROBE_unmap && e->op != IOX_PROBE_pin)
		return;
	out_json_hex(o, "iova", e->iova);
	out_json_u64(o, "length", e->length);
	if (!map)
		return;
	out_json_hex(o, "addr", e->addr);
	if (e->hint)
		out_json_hex(o, "hint", e->hint);
	out_json_str(o, "prot", prot_name(e->prot));
	if (e->flags & IOX_EVENT_STAGED)
		out_json_str(o, "backing", probe_backing_name(e->backing));
}

static json_object *event_object(const struct iox_event *e)
{
	json_object *o = json_object_new_object();
	char comm[sizeof(e->comm) + 1] = "";

	memcpy(comm, e->comm, sizeof(e->comm));
	out_json_str(o, "call", probe_op_name(e->op));
	json_object_object_add(o, "result", json_object_new_int(e->result));
	if (e->result)
		out_json_str(o, "error", strerrorname_np(-e->result) ?: "?");
	out_json_u64(o, "pid", e->tgid);
	out_json_u64(o, "tid", e->pid);
	out_json_str(o, "comm", comm);
	out_json_u64(o, "cgroup", e->cgroup_id);
	if (e->ctx_id)
		out_json_u64(o, "context", e->ctx_id);
	if (!(e->flags & IOX_EVENT_UNTIMED))
		out_json_u64(o, "ns", e->ns);
	if (e->flags & IOX_EVENT_DESCRIBED)
		json_described(o, e);
	if (e->flags & IOX_EVENT_STAGED)
		json_staged(o, e);
	return o;
}

static bool put_json(FILE *f, json_object *o, const char *end)
{
	const char *text = json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	bool ok = text && fprintf(f, "%s%s", text, end) > 0;

	json_object_put(o);
	return ok;
}

bool event_json(FILE *f, const struct iox_event *e, __u64 start_ns)
{
	json_object *o = event_object(e);

	out_json_u64(o, "end_ns", e->end_ns > start_ns ? e->end_ns - start_ns : 0);
	return put_json(f, o, "\n");
}

/* --- slices --------------------------------------------------------------------- */

static bool put_slice(struct event_slices *s, json_object *o)
{
	bool ok = fputs(s->any ? ",\n" : "\n", s->f) >= 0;

	s->any = true;
	return put_json(s->f, o, "") && ok;
}

static json_object *slice(const char *phase, const char *name, const struct iox_event *e)
{
	json_object *o = json_object_new_object();

	out_json_str(o, "ph", phase);
	out_json_str(o, "name", name);
	out_json_u64(o, "pid", e->tgid);
	out_json_u64(o, "tid", e->pid);
	return o;
}

/* In microseconds, as the format has it */
static void slice_times(json_object *o, __u64 begin_ns, __u64 ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu.%03llu", begin_ns / 1000, begin_ns % 1000);
	json_object_object_add(o, "ts", json_object_new_double_s((double)begin_ns / 1000, text));
	snprintf(text, sizeof(text), "%llu.%03llu", ns / 1000, ns % 1000);
	json_object_object_add(o, "dur", json_object_new_double_s((double)ns / 1000, text));
}

static bool name_track(struct event_slices *s, const struct iox_event *e)
{
	char comm[sizeof(e->comm) + 1] = "";
	json_object *o, *args;
	__u32 *named;

	for (size_t i = 0; i < s->nr_named; i++)
		if (s->named[i] == e->pid)
			return true;
	named = reallocarray(s->named, s->nr_named + 1, sizeof(*named));
	if (!named)
		return false;
	s->named = named;
	named[s->nr_named++] = e->pid;
	memcpy(comm, e->comm, sizeof(e->comm));
	args = json_object_new_object();
	out_json_str(args, "name", comm);
	o = slice("M", e->pid == e->tgid ? "process_name" : "thread_name", e);
	json_object_object_add(o, "args", args);
	return put_slice(s, o);
}

/* The stages follow on each other; those of several domains are drawn as one. */
static bool put_stages(struct event_slices *s, const struct iox_event *e, __u64 begin)
{
	static const enum iox_probe_stage of_map[] = { IOX_STAGE_select, IOX_STAGE_pin,
						       IOX_STAGE_tables, IOX_STAGE_flush };
	static const enum iox_probe_stage of_unmap[] = { IOX_STAGE_select, IOX_STAGE_tables,
							 IOX_STAGE_flush, IOX_STAGE_pin };
	const enum iox_probe_stage *order = e->op == IOX_PROBE_unmap ? of_unmap : of_map;
	__u64 at = begin + e->before_ns;

	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++) {
		__u64 ns = e->stage_ns[order[i]];
		json_object *o;

		if (!ns)
			continue;
		o = slice("X", probe_stage_name(e->op, order[i]), e);
		slice_times(o, at, ns);
		if (!put_slice(s, o))
			return false;
		at += ns;
	}
	return true;
}

bool slices_begin(struct event_slices *s, FILE *f, __u64 start_ns)
{
	*s = (struct event_slices){ .f = f, .start_ns = start_ns };
	return fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", f) >= 0;
}

bool slices_add(struct event_slices *s, const struct iox_event *e)
{
	__u64 end = e->end_ns > s->start_ns ? e->end_ns - s->start_ns : 0;
	__u64 begin = end > e->ns ? end - e->ns : 0;
	json_object *o;

	if (!name_track(s, e))
		return false;
	o = slice("X", probe_op_name(e->op), e);
	slice_times(o, begin, e->ns);
	json_object_object_add(o, "args", event_object(e));
	return put_slice(s, o) && put_stages(s, e, begin);
}

bool slices_end(struct event_slices *s)
{
	free(s->named);
	return fputs("\n]}\n", s->f) >= 0;
}
