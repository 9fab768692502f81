// SPDX-License-Identifier: GPL-2.0
/* iox stat: tables, histograms, JSON. */
#include <errno.h>
#include <limits.h>

#include "lib/hist.h"
#include "lib/msg.h"
#include "lib/out.h"
#include "stat.h"

#define BAR_WIDTH 40
/* Shown, if they are there, even when they have not been called */
#define NR_ALWAYS (IOX_PROBE_unmap + 1)

const char *stat_by_name(enum iox_probe_by by)
{
	static const char *const name[] = { "op", "process", "ioas", "cgroup", "backing" };

	return name[by];
}

/* --- for people --------------------------------------------------------------- */

static void text_times(FILE *out, const struct probe_times *t)
{
	char mean[OUT_NS_LEN], p50[OUT_NS_LEN], p90[OUT_NS_LEN];
	char p99[OUT_NS_LEN], p99_9[OUT_NS_LEN], max[OUT_NS_LEN];

	if (!probe_timed(t)) {
		fprintf(out, "%10s%10s%10s%10s%10s%10s\n", "-", "-", "-", "-", "-", "-");
		return;
	}
	fprintf(out, "%10s%10s%10s%10s%10s%10s\n", out_ns(mean, probe_mean(t)),
		out_ns(p50, probe_percentile(t, 50)), out_ns(p90, probe_percentile(t, 90)),
		out_ns(p99, probe_percentile(t, 99)), out_ns(p99_9, probe_percentile(t, 99.9)),
		out_ns(max, t->max_ns));
}

static void text_row(const struct stat_form *f, const struct probe_row *row)
{
	char bytes[OUT_BYTES_LEN], failed[24] = "-";

	if (!probe_only_counts(f->probe))
		snprintf(failed, sizeof(failed), "%llu", row->failed);
	fprintf(f->out, "%10llu%10s%10s", row->count, failed, out_bytes(bytes, row->bytes));
	text_times(f->out, &row->all);
}

static void text_head(FILE *out, const char *first, int width)
{
	fprintf(out, "%-*s%10s%10s%10s%10s%10s%10s%10s%10s%10s\n", width, first, "count", "failed",
		"bytes", "mean", "p50", "p90", "p99", "p99.9", "max");
}

static bool is_shown(const struct stat_form *f, const struct probe_snapshot *s, int op)
{
	return probe_has(f->probe, op) && (op < NR_ALWAYS || s->row[op].count);
}

static void text_table(const struct stat_form *f, const struct probe_snapshot *s)
{
	text_head(f->out, "call", 10);
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++) {
		if (!is_shown(f, s, op))
			continue;
		fprintf(f->out, "%-10s", probe_op_name(op));
		text_row(f, &s->row[op]);
	}
}

static void text_stages(const struct stat_form *f, const struct probe_snapshot *s)
{
	fprintf(f->out, "\n%-10s%-10s%10s%10s%10s%10s%10s%10s%10s\n", "call", "stage", "share",
		"mean", "p50", "p90", "p99", "p99.9", "max");
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++) {
		for (int i = 0; i < IOX_PROBE_NR_STAGES; i++) {
			const struct probe_times *t = &s->detail[op].stage[i];

			if (!probe_timed(t))
				continue;
			fprintf(f->out, "%-10s%-10s%8.1f %%", probe_op_name(op),
				probe_stage_name(op, i),
				100 * (double)t->sum_ns / (double)s->row[op].all.sum_ns);
			text_times(f->out, t);
		}
	}
}

static void text_detail(const struct stat_form *f, const struct probe_snapshot *s)
{
	for (int op = 0; op < IOX_PROBE_unmap; op++) {
		const struct probe_detail *d = &s->detail[op];

		if (!s->row[op].count)
			continue;
		fprintf(f->out, "%s: page-table leaves: %llu of 4 KiB, %llu of 2 MiB, %llu of 1 GiB; IOVAs:",
			probe_op_name(op), d->leaves[0], d->leaves[1], d->leaves[2]);
		for (__u32 i = 0; i < IOX_PROBE_NR_CHOOSERS; i++)
			if (d->chosen[i])
				fprintf(f->out, " %llu %s", d->chosen[i], probe_chooser_name(i));
		putc('\n', f->out);
	}
}

static void text_keys(const struct stat_form *f, const struct probe_keys *keys)
{
	char name[PATH_MAX];

	putc('\n', f->out);
	fprintf(f->out, "%-10s", "call");
	text_head(f->out, stat_by_name(f->by), 32);
	for (size_t i = 0; i < keys->nr; i++) {
		const struct probe_keyed_row *k = &keys->list[i];

		probe_key_name(f->by, k, name, sizeof(name));
		out_plain(name);
		fprintf(f->out, "%-10s%-32s", probe_op_name(k->key.op), name);
		text_row(f, &k->row);
	}
}

static void text_histogram(FILE *out, int op, const struct probe_times *t)
{
	__u64 octave[HIST_OCTAVES], most = 0, timed = probe_timed(t);
	int first = HIST_OCTAVES, last = -1;
	char from[OUT_NS_LEN], to[OUT_NS_LEN];

	hist_octaves(&t->hist, octave);
	for (int i = 0; i < HIST_OCTAVES; i++) {
		if (!octave[i])
			continue;
		if (first > i)
			first = i;
		last = i;
		if (octave[i] > most)
			most = octave[i];
	}
	if (last < 0)
		return;
	fprintf(out, "\n%s: %llu calls timed\n", probe_op_name(op), timed);
	for (int i = first; i <= last; i++) {
		fprintf(out, "%9s - %-9s |", out_ns(from, i ? 1ULL << i : 0), out_ns(to, 2ULL << i));
		out_bar(out, octave[i], most, BAR_WIDTH);
		fprintf(out, "| %10llu %6.2f %%\n", octave[i],
			100 * (double)octave[i] / (double)timed);
	}
}

static void text_notes(const struct stat_form *f, const struct probe_snapshot *s)
{
	const char *sep = "not in this kernel's iommufd: ";
	__u64 untimed = 0;

	for (int op = 0; op < IOX_PROBE_NR_OPS && !probe_only_counts(f->probe); op++) {
		untimed += s->row[op].untimed;
		if (probe_has(f->probe, op))
			continue;
		fprintf(f->out, "%s%s", sep, probe_op_name(op));
		sep = ", ";
	}
	if (*sep == ',')
		putc('\n', f->out);
	if (untimed)
		fprintf(f->out, "counted but not timed: %llu calls\n", untimed);
	if (s->skipped)
		fprintf(f->out,
			"not counted, since the kernel skipped the probe: up to %llu calls\n",
			s->skipped);
}

bool stat_print_text(const struct stat_form *f, const struct probe_snapshot *s,
		     const struct probe_keys *keys, bool total)
{
	char span[OUT_NS_LEN];

	fprintf(f->out, "%s%s of %s%s\n", total && f->several ? "total: " : "",
		out_ns(span, s->span_ns), f->command ? f->command : "all processes",
		f->command ? " and what it started" : "");
	text_table(f, s);
	text_notes(f, s);
	if (f->by)
		text_keys(f, keys);
	if (f->stages && probe_staged(f->probe))
		text_stages(f, s);
	if (total && probe_staged(f->probe))
		text_detail(f, s);
	if (total && probe_unseen(f->probe))
		fprintf(f->out, "not seen: %s\n", probe_unseen(f->probe));
	for (int op = 0; total && op < IOX_PROBE_NR_OPS; op++)
		text_histogram(f->out, op, &s->row[op].all);
	putc('\n', f->out);
	if (!fflush(f->out) && !ferror(f->out))
		return true;
	msg_errno(errno, "writing the table", NULL);
	return false;
}

/* --- JSON ----------------------------------------------------------------------- */

static json_object *json_histogram(const struct iox_hist *h)
{
	json_object *list = json_object_new_array();

	for (__u32 i = 0; i < IOX_HIST_BUCKETS; i++) {
		json_object *bucket;

		if (!h->bucket[i])
			continue;
		bucket = json_object_new_object();
		out_json_u64(bucket, "first_ns", iox_hist_first(i));
		out_json_u64(bucket, "last_ns", iox_hist_last(i));
		out_json_u64(bucket, "count", h->bucket[i]);
		json_object_array_add(list, bucket);
	}
	return list;
}

/* What nobody can tell is null. */
static void json_unknown(json_object *o)
{
	static const char *const key[] = { "sum_ns", "mean_ns", "p50_ns", "p90_ns", "p99_ns",
					   "p99_9_ns", "max_ns", "histogram" };

	for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		json_object_object_add(o, key[i], NULL);
}

static void json_times(json_object *o, const struct probe_times *t)
{
	out_json_u64(o, "sum_ns", t->sum_ns);
	out_json_u64(o, "mean_ns", probe_mean(t));
	out_json_u64(o, "p50_ns", probe_percentile(t, 50));
	out_json_u64(o, "p90_ns", probe_percentile(t, 90));
	out_json_u64(o, "p99_ns", probe_percentile(t, 99));
	out_json_u64(o, "p99_9_ns", probe_percentile(t, 99.9));
	out_json_u64(o, "max_ns", t->max_ns);
	json_object_object_add(o, "histogram", json_histogram(&t->hist));
}

static void json_row(const struct stat_form *f, json_object *o, const struct probe_row *row)
{
	bool known = !probe_only_counts(f->probe);

	out_json_u64(o, "count", row->count);
	if (known)
		out_json_u64(o, "failed", row->failed);
	else
		json_object_object_add(o, "failed", NULL);
	out_json_u64(o, "untimed", row->untimed);
	out_json_u64(o, "bytes", row->bytes);
	if (known)
		json_times(o, &row->all);
	else
		json_unknown(o);
}

static void json_detail(json_object *o, int op, const struct probe_detail *d)
{
	static const char *const size[] = { "4KiB", "2MiB", "1GiB" };
	json_object *leaves = json_object_new_object(), *chosen = json_object_new_object();

	for (int i = 0; i < IOX_PROBE_NR_LEAVES; i++)
		out_json_u64(leaves, size[i], d->leaves[i]);
	json_object_object_add(o, "leaves", leaves);
	if (op >= IOX_PROBE_unmap) {
		json_object_put(chosen);
		return;
	}
	for (__u32 i = 0; i < IOX_PROBE_NR_CHOOSERS; i++)
		if (d->chosen[i])
			out_json_u64(chosen, probe_chooser_name(i), d->chosen[i]);
	json_object_object_add(o, "chosen", chosen);
}

static json_object *json_stages(int op, const struct probe_detail *d)
{
	json_object *list = json_object_new_array();

	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++) {
		json_object *o;

		if (!probe_timed(&d->stage[i]))
			continue;
		o = json_object_new_object();
		out_json_str(o, "stage", probe_stage_name(op, i));
		out_json_u64(o, "count", probe_timed(&d->stage[i]));
		json_times(o, &d->stage[i]);
		json_object_array_add(list, o);
	}
	return list;
}

static json_object *json_call(const struct stat_form *f, const struct probe_snapshot *s, int op)
{
	bool has = probe_has(f->probe, op);
	json_object *o = json_object_new_object();

	out_json_str(o, "call", probe_op_name(op));
	out_json_str(o, "function", probe_op_function(f->probe, op));
	out_json_bool(o, "attached", has);
	if (!has)
		return o;
	json_row(f, o, &s->row[op]);
	if (!probe_staged(f->probe))
		return o;
	json_detail(o, op, &s->detail[op]);
	if (f->stages)
		json_object_object_add(o, "stages", json_stages(op, &s->detail[op]));
	return o;
}

static json_object *json_key(const struct stat_form *f, const struct probe_keyed_row *k)
{
	json_object *o = json_object_new_object();
	char name[PATH_MAX];

	probe_key_name(f->by, k, name, sizeof(name));
	out_json_str(o, "name", name);
	out_json_bool(o, "others", k->key.id == IOX_PROBE_OTHERS);
	if (k->key.id != IOX_PROBE_OTHERS) {
		out_json_u64(o, "id", k->key.id);
		if (f->by == IOX_BY_IOAS)
			out_json_u64(o, "ioas", k->key.sub_id);
	}
	out_json_str(o, "call", probe_op_name(k->key.op));
	json_row(f, o, &k->row);
	return o;
}

json_object *stat_json_calls(const struct stat_form *f, const struct probe_snapshot *s)
{
	json_object *calls = json_object_new_array();

	for (int op = 0; op < IOX_PROBE_NR_OPS; op++)
		json_object_array_add(calls, json_call(f, s, op));
	return calls;
}

bool stat_print_json(const struct stat_form *f, const struct probe_snapshot *s,
		     const struct probe_keys *keys, bool total)
{
	json_object *o = json_object_new_object();
	json_object *by;

	out_json_str(o, "span", total ? "total" : "interval");
	out_json_u64(o, "span_ns", s->span_ns);
	out_json_str(o, "of", f->command ? f->command : "all");
	out_json_u64(o, "skipped", s->skipped);
	out_json_bool(o, "staged", probe_staged(f->probe));
	out_json_bool(o, "timed", !probe_only_counts(f->probe));
	json_object_object_add(o, "calls", stat_json_calls(f, s));
	if (!f->by)
		return out_json(f->out, o);
	by = json_object_new_array();
	for (size_t i = 0; i < keys->nr; i++)
		json_object_array_add(by, json_key(f, &keys->list[i]));
	out_json_str(o, "by", stat_by_name(f->by));
	json_object_object_add(o, "keys", by);
	return out_json(f->out, o);
}
