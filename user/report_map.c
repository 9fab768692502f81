// SPDX-License-Identifier: GPL-2.0
/* iox report: pictures of IOVA spaces. */
#include <stdlib.h>

#include "lib/out.h"
#include "report.h"

/* The spaces and the parts of a space that are drawn; a gap larger than what is left ends a part. */
#define MAX_SPACES 8
#define MAX_PARTS 6
#define CELLS 128
#define LEVELS 7

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* All that is mapped in some state, ascending; to be freed. */
static struct range *all_ranges(const struct space *space, size_t *nr)
{
	struct range *all;

	*nr = 0;
	for (int state = 0; state < SPACE_NR_STATES; state++)
		*nr += space->state[state].nr;
	all = calloc(*nr ? *nr : 1, sizeof(*all));
	if (!all) {
		*nr = 0;
		return NULL;
	}
	*nr = 0;
	for (int state = 0; state < SPACE_NR_STATES; state++)
		for (size_t i = 0; i < space->state[state].nr; i++)
			all[(*nr)++] = space->state[state].list[i];
	qsort(all, *nr, sizeof(*all), by_start);
	return all;
}

/* The gaps that parts are split at: those larger than @gap */
static unsigned int split(const struct range *all, size_t nr, __u64 gap, struct range *parts)
{
	unsigned int n = 0;

	for (size_t i = 0; i < nr; i++) {
		if (n && (all[i].start <= parts[n - 1].last ||
			  all[i].start - parts[n - 1].last - 1 <= gap)) {
			if (all[i].last > parts[n - 1].last)
				parts[n - 1].last = all[i].last;
			continue;
		}
		if (n == MAX_PARTS)
			return n + 1;
		parts[n++] = (struct range){ all[i].start, all[i].last };
	}
	return n;
}

/* Splits at gaps that are as small as possible without too many parts. */
static unsigned int find_parts(const struct space *space, struct range *parts)
{
	size_t nr;
	struct range *all = all_ranges(space, &nr);
	unsigned int n = MAX_PARTS + 1;

	for (unsigned int bit = 24; bit < 64 && n > MAX_PARTS; bit++)
		n = split(all, nr, 1ULL << bit, parts);
	free(all);
	return n > MAX_PARTS ? MAX_PARTS : n;
}

static int level_of(__u64 covered, __u64 cell)
{
	int level = (int)((double)covered / (double)cell * LEVELS + 0.5);

	return covered && !level ? 1 : level > LEVELS ? LEVELS : level;
}

/* Cells that look the same are one rectangle. */
static void draw_strip(FILE *f, const struct ranges *r, const struct range *part, __u64 cell,
		       unsigned int cells, const char *name)
{
	unsigned int from = 0;
	int before = -1;

	fprintf(f, "<span class=\"state\">%s</span><svg viewBox=\"0 0 %u 1\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s\">",
		name, cells, name);
	for (unsigned int i = 0; i <= cells; i++) {
		__u64 start = part->start + i * cell;
		int level = i == cells ? -1 :
			    level_of(ranges_covered(r, start, start + cell - 1), cell);

		if (level == before)
			continue;
		if (before >= 0)
			fprintf(f, "<rect class=\"c%d\" x=\"%u\" y=\"0\" width=\"%u\" height=\"1\"/>",
				before, from, i - from);
		from = i;
		before = level;
	}
	fputs("</svg>\n", f);
}

static void draw_part(FILE *f, const struct space *space, const struct range *part)
{
	static const char *const name[] = { "before", "fullest", "at the end" };
	__u64 length = part->last - part->start + 1, cell = 4096;
	char size[OUT_BYTES_LEN], one[OUT_BYTES_LEN];
	unsigned int cells;

	while (cell < 1ULL << 62 && cell * CELLS < length)
		cell *= 2;
	cells = (unsigned int)((length + cell - 1) / cell);
	fputs("<div class=\"part\">\n", f);
	for (int state = 0; state < SPACE_NR_STATES; state++)
		draw_strip(f, &space->state[state], part, cell, cells, name[state]);
	fprintf(f, "<p><span>%#llx</span><span>%s, a cell is %s</span><span>%#llx</span></p></div>\n",
		part->start, out_bytes(size, length), out_bytes(one, cell), part->last);
}

static void space_caption(FILE *f, const struct space *space, size_t index)
{
	static const char *const name[] = { "before", "at the fullest", "at the end" };

	fprintf(f, "<figcaption><b>IOAS %u</b> of context %#llx, ", space->key.ioas_id, space->key.ctx_id);
	html_count(f, space->nr, "spaces/%zu/changes", index);
	fputs(" changes; mapped ", f);
	for (int state = 0; state < SPACE_NR_STATES; state++) {
		fprintf(f, "%s%s: ", state ? ", " : "", name[state]);
		html_bytes(f, space->state[state].bytes, "spaces/%zu/%s/bytes", index,
			   space_state_name[state]);
		fputs(" in ", f);
		html_count(f, space->state[state].nr, "spaces/%zu/%s/areas", index,
			   space_state_name[state]);
		fputs(" areas", f);
	}
	fputs("</figcaption>\n", f);
}

void report_spaces(FILE *f, const struct report *r)
{
	struct range parts[MAX_PARTS];

	if (!r->spaces.nr)
		fputs("<p class=\"none\">No IOVA was mapped or unmapped.</p>\n", f);
	for (size_t i = 0; i < r->spaces.nr && i < MAX_SPACES; i++) {
		const struct space *space = &r->spaces.list[i];
		unsigned int nr = find_parts(space, parts);

		fputs("<figure class=\"space\">\n", f);
		space_caption(f, space, i);
		for (unsigned int part = 0; part < nr; part++)
			draw_part(f, space, &parts[part]);
		fputs("</figure>\n", f);
	}
	if (r->spaces.nr > MAX_SPACES)
		fprintf(f, "<p class=\"note\">%zu more spaces, with fewer changes, are in the data only.</p>\n",
			r->spaces.nr - MAX_SPACES);
}
