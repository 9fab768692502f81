// SPDX-License-Identifier: GPL-2.0
/* iox pt: a picture of an IOVA space in characters. */
#include <string.h>

#include "lib/out.h"
#include "pt.h"

#define WIDTH 56

enum kind { KIND_NONE, KIND_4K, KIND_2M, KIND_1G, KIND_UNKNOWN, NR_KINDS };

static const char mark[NR_KINDS] = { '.', '4', 'M', 'G', '?' };
static const char *const colour_of[NR_KINDS] = { "\033[2m", "\033[33m", "\033[32m", "\033[36m", "\033[31m" };

/*
 * A drawing on its way. Each cell stands for the same number of bytes. A line ends when it is full, and
 * the next one goes on where it ended, or, if there is nothing for more than a line, where there is.
 */
struct drawing {
	FILE *f;		/* NULL: only count lines */
	bool colour;
	__u64 cell;		/* bytes, a power of two */
	__u64 start;		/* IOVA of the line's first cell */
	bool open;		/* there is a line */
	unsigned int lines, max_lines;
	__u64 bytes[WIDTH][NR_KINDS];
};

static enum kind kind_of_size(__u64 size)
{
	return size >= 1ULL << 30 ? KIND_1G : size >= 1ULL << 21 ? KIND_2M : KIND_4K;
}

/* What most of an area is in. */
static enum kind kind_of_area(const struct pt_area *a)
{
	enum kind most = KIND_UNKNOWN;
	__u64 bytes[NR_KINDS] = {};

	for (__u32 i = 0; i < a->head->nr_sizes; i++)
		bytes[kind_of_size(a->sizes[i].size)] += a->sizes[i].size * a->sizes[i].leaves;
	for (enum kind kind = KIND_4K; kind <= KIND_1G; kind++)
		if (bytes[kind] > bytes[most])
			most = kind;
	return most;
}

static enum kind kind_of_cell(const __u64 bytes[NR_KINDS])
{
	enum kind most = KIND_NONE;

	for (enum kind kind = KIND_4K; kind < NR_KINDS; kind++)
		if (bytes[kind] > bytes[most])
			most = kind;
	return most;
}

static void print_line(const struct drawing *d)
{
	enum kind before = NR_KINDS, kind;

	fprintf(d->f, "  %#18llx |", d->start);
	for (unsigned int i = 0; i < WIDTH; i++) {
		kind = kind_of_cell(d->bytes[i]);
		if (d->colour && kind != before)
			fprintf(d->f, "\033[0m%s", colour_of[kind]);
		putc(mark[kind], d->f);
		before = kind;
	}
	fprintf(d->f, "%s|\n", d->colour ? "\033[0m" : "");
}

static void end_line(struct drawing *d)
{
	if (!d->open)
		return;
	if (d->f)
		print_line(d);
	d->lines++;
	d->open = false;
	memset(d->bytes, 0, sizeof(d->bytes));
}

static void print_hole(struct drawing *d, __u64 bytes)
{
	char text[OUT_BYTES_LEN];

	if (d->f)
		fprintf(d->f, "  %18s  %s free\n", "", out_bytes(text, bytes));
	d->lines++;
}

/* The index of the cell for @iova, in a new line if it is not in this one. */
static unsigned int cell_of(struct drawing *d, __u64 iova)
{
	__u64 span = WIDTH * d->cell, hole;

	if (d->open && (iova - d->start) / d->cell < WIDTH)
		return (unsigned int)((iova - d->start) / d->cell);
	if (!d->open) {
		d->start = iova & ~(d->cell - 1);
	} else {
		end_line(d);
		d->start += span;
		hole = iova - d->start;
		if (hole >= span) {
			print_hole(d, hole);
			d->start = iova & ~(d->cell - 1);
		} else {
			d->start += hole / span * span;
		}
	}
	d->open = true;
	return (unsigned int)((iova - d->start) / d->cell);
}

static void add_area(struct drawing *d, const struct pt_area *a)
{
	enum kind kind = kind_of_area(a);
	__u64 iova = a->head->iova, left = a->head->length, part;

	while (left && d->lines <= d->max_lines) {
		unsigned int cell = cell_of(d, iova);

		part = d->cell - (iova & (d->cell - 1));
		if (part > left)
			part = left;
		d->bytes[cell][kind] += part;
		iova += part;
		left -= part;
	}
}

static void draw(struct drawing *d, const struct pt_area *areas, size_t nr)
{
	d->lines = 0;
	d->open = false;
	memset(d->bytes, 0, sizeof(d->bytes));
	for (size_t i = 0; i < nr && d->lines <= d->max_lines; i++)
		add_area(d, &areas[i]);
	end_line(d);
}

void pt_picture(FILE *f, const struct pt_area *areas, size_t nr, unsigned int max_lines, bool colour)
{
	struct drawing d = { .colour = colour, .max_lines = max_lines, .cell = 4096 };
	char text[OUT_BYTES_LEN];

	/* 56 cells of 2^58 bytes are more than there is. */
	for (; d.cell < 1ULL << 58; d.cell *= 2) {
		draw(&d, areas, nr);
		if (d.lines <= max_lines)
			break;
	}
	fprintf(f, "  each character is %s: 4 KiB leaves '4', 2 MiB 'M', 1 GiB 'G', free '.'\n",
		out_bytes(text, d.cell));
	d.f = f;
	draw(&d, areas, nr);
}
