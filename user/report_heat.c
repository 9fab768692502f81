// SPDX-License-Identifier: GPL-2.0
/* iox report: latency over time, as a map of colours. */
#include <math.h>
#include <string.h>

#include "lib/out.h"
#include "report.h"

#define LEVELS 7
/* So that a few calls do not fill all */
#define LEAST_ROWS 16
#define FEW_CALLS 100

/* --- collecting ----------------------------------------------------------------- */

static void fold(struct heat *heat)
{
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++) {
		for (unsigned int i = 0; i < HEAT_COLUMNS; i++) {
			__u64 both[HEAT_ROWS] = {};

			for (unsigned int row = 0; i < HEAT_COLUMNS / 2 && row < HEAT_ROWS; row++)
				both[row] = heat->cell[op][2 * i][row] +
					    heat->cell[op][2 * i + 1][row];
			memcpy(heat->cell[op][i], both, sizeof(both));
		}
	}
	heat->column_ns *= 2;
}

void heat_add(struct heat *heat, const struct probe_snapshot *s, __u64 from_ns, __u64 to_ns)
{
	__u64 middle = from_ns + (to_ns - from_ns) / 2;

	while (to_ns > HEAT_COLUMNS * heat->column_ns)
		fold(heat);
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++)
		for (__u32 i = 0; s->row[op].count && i < IOX_PROBE_BUCKETS; i++)
			heat->cell[op][middle / heat->column_ns][i / HEAT_BUCKETS] +=
				s->row[op].all.hist.bucket[i];
}

unsigned int heat_columns(const struct heat *heat, __u64 span_ns)
{
	__u64 columns = (span_ns + heat->column_ns - 1) / heat->column_ns;

	return columns < 1 ? 1 : columns > HEAT_COLUMNS ? HEAT_COLUMNS : (unsigned int)columns;
}

bool heat_rows(const struct heat *heat, int op, unsigned int *lowest, unsigned int *highest)
{
	*lowest = HEAT_ROWS;
	*highest = 0;
	for (unsigned int i = 0; i < HEAT_COLUMNS; i++) {
		for (unsigned int row = 0; row < HEAT_ROWS; row++) {
			if (!heat->cell[op][i][row])
				continue;
			if (row < *lowest)
				*lowest = row;
			if (row > *highest)
				*highest = row;
		}
	}
	return *lowest < HEAT_ROWS;
}

/* --- drawing -------------------------------------------------------------------- */

/* One operation's map */
struct map {
	FILE *f;
	const struct heat *heat;
	int op;
	unsigned int columns, lowest, rows;
	__u64 most;
};

static __u64 most_in_cell(const struct heat *heat, int op)
{
	__u64 most = 0;

	for (unsigned int i = 0; i < HEAT_COLUMNS; i++)
		for (unsigned int row = 0; row < HEAT_ROWS; row++)
			if (heat->cell[op][i][row] > most)
				most = heat->cell[op][i][row];
	return most;
}

/* The darker, the more: each level is as many times the one before. */
static int level_of(__u64 count, __u64 most)
{
	int level = most == 1 ? 1 : 1 + (int)(log((double)count) / log((double)most + 1) * LEVELS);

	return level > LEVELS ? LEVELS : level;
}

static void draw_cells(const struct map *m)
{
	for (unsigned int i = 0; i < m->columns; i++) {
		for (unsigned int row = 0; row < m->rows; row++) {
			__u32 bucket = (m->lowest + row) * HEAT_BUCKETS;
			__u64 count = m->heat->cell[m->op][i][m->lowest + row];

			if (!count)
				continue;
			fprintf(m->f, "<rect class=\"c%d\" x=\"%u\" y=\"%u\" width=\"1\" height=\"1\"><title>",
				level_of(count, m->most), i, m->rows - 1 - row);
			fprintf(m->f, "%llu calls of ", count);
			html_plain_ns(m->f, iox_hist_first(bucket));
			fputs(" to ", m->f);
			html_plain_ns(m->f, iox_hist_last(bucket + HEAT_BUCKETS - 1));
			fputs(", ", m->f);
			html_plain_ns(m->f, i * m->heat->column_ns);
			fputs(" after the beginning</title></rect>\n", m->f);
		}
	}
}

/* How high @ns stands, in percent of all rows; what is not in them is below 0 or above 100. */
static double height_of(const struct map *m, __u64 ns)
{
	__u32 bucket = iox_hist_index(ns);
	__u64 first = iox_hist_first(bucket);
	double part = (double)(ns - first) / (double)(iox_hist_last(bucket) - first + 1);
	double row = ((double)bucket + part) / HEAT_BUCKETS - (double)m->lowest;

	return 100 * row / (double)m->rows;
}

static void draw_latency_axis(const struct map *m)
{
	static const int steps[] = { 1, 2, 5 };
	/* In less than two decades, more than their ends */
	bool all = m->rows < 26;

	fputs("<div class=\"y\">", m->f);
	for (__u64 decade = 1; decade < 1000000000000000ULL; decade *= 10) {
		for (int i = 0; i < (all ? 3 : 1); i++) {
			double height = height_of(m, decade * (__u64)steps[i]);

			if (height < 0 || height > 100)
				continue;
			fprintf(m->f, "<span style=\"bottom:%.2f%%\">", height);
			html_plain_ns(m->f, decade * (__u64)steps[i]);
			fputs("</span>", m->f);
		}
	}
	fputs("</div>\n", m->f);
}

/* A step of 1, 2 or 5 of some unit, at most five of which fit */
static __u64 time_step(__u64 width)
{
	for (__u64 decade = 1;; decade *= 10) {
		if (width <= 5 * decade)
			return decade;
		if (width <= 10 * decade)
			return 2 * decade;
		if (width <= 25 * decade)
			return 5 * decade;
	}
}

static void draw_time_axis(const struct map *m)
{
	__u64 width = m->columns * m->heat->column_ns, step = time_step(width);

	fputs("<div class=\"x\">", m->f);
	/* The last one would not fit where it is too close to the end. */
	for (__u64 at = 0; at < width - width / 12; at += step) {
		fprintf(m->f, "<span style=\"left:%.2f%%\">", 100 * (double)at / (double)width);
		html_plain_ns(m->f, at);
		fputs("</span>", m->f);
	}
	fputs("</div>\n", m->f);
}

static void draw_legend(const struct map *m)
{
	fputs("<p class=\"legend\">calls in a cell: 1 ", m->f);
	for (int level = 1; level <= (m->most > 1 ? LEVELS : 1); level++)
		fprintf(m->f, "<i class=\"c%d\"></i>", level);
	if (m->most > 1)
		fprintf(m->f, " %llu (logarithmic)", m->most);
	fputs("; a column is ", m->f);
	html_plain_ns(m->f, m->heat->column_ns);
	fputs("</p>\n", m->f);
}

static void draw_map(FILE *f, const struct report *r, int op)
{
	struct map m = { .f = f, .heat = r->heat, .op = op,
			 .columns = heat_columns(r->heat, r->total->span_ns),
			 .most = most_in_cell(r->heat, op) };
	unsigned int highest;

	if (!heat_rows(r->heat, op, &m.lowest, &highest))
		return;
	while (highest - m.lowest + 1 < LEAST_ROWS) {
		highest += highest < HEAT_ROWS - 1;
		m.lowest -= m.lowest && highest - m.lowest + 1 < LEAST_ROWS;
	}
	m.rows = highest - m.lowest + 1;
	fprintf(f, "<figure class=\"heat%s\"><figcaption><b>%s</b>: ",
		probe_timed(&r->total->row[op].all) < FEW_CALLS ? " few" : "", probe_op_name(op));
	html_count(f, probe_timed(&r->total->row[op].all), "heat/%s", probe_op_name(op));
	fputs(" calls timed; upwards, how long they took (logarithmic); to the right, when</figcaption>\n<div class=\"plot\">\n", f);
	draw_latency_axis(&m);
	fprintf(f, "<svg viewBox=\"0 0 %u %u\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"latency of %s over time\">\n",
		m.columns, m.rows, probe_op_name(op));
	draw_cells(&m);
	fputs("</svg>\n", f);
	draw_time_axis(&m);
	fputs("</div>\n", f);
	draw_legend(&m);
	fputs("</figure>\n", f);
}

void report_heat(FILE *f, const struct report *r)
{
	bool any = false;

	for (int op = 0; op < IOX_PROBE_NR_OPS; op++) {
		any |= probe_timed(&r->total->row[op].all);
		draw_map(f, r, op);
	}
	if (!any)
		fputs("<p class=\"none\">Nothing was done to I/O address spaces in this time.</p>\n", f);
}
