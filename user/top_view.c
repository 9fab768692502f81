// SPDX-License-Identifier: GPL-2.0
/* iox top: from rows of numbers to lines of text that fit the screen. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/out.h"
#include "stat.h"
#include "top.h"

#define MAX_WIDTH	1000
/* At least so much of a name, before columns go */
#define SHORT_NAME	10
#define NAME		16
#define LONG_NAME	60
#define SHORT_TREND	8

const char *const top_column_name[TOP_NR_COLUMNS] = {
	[TOP_NAME] = "name", [TOP_OP] = "call", [TOP_RATE] = "rate", [TOP_BYTES] = "bytes",
	[TOP_P50] = "p50", [TOP_P99] = "p99", [TOP_MAX] = "max", [TOP_FAILED] = "failed",
};

static const struct {
	const char *head;
	int width;
} columns[TOP_NR_COLUMNS] = {
	[TOP_NAME] = { NULL, 0 },
	[TOP_OP] = { " CALL", 9 },
	[TOP_RATE] = { "CALL/s", 7 },
	[TOP_BYTES] = { "BYTE/s", 9 },
	[TOP_P50] = { "P50", 8 },
	[TOP_P99] = { "P99", 8 },
	[TOP_MAX] = { "MAX", 8 },
	[TOP_FAILED] = { "FAIL/s", 7 },
};

static const char *const help[] = {
	"q      quit",
	"p      pause: what is shown stays",
	"1-5    by call, process, ioas, cgroup, backing",
	"< >    sort by the column to the left, right",
	"r      the other way round",
	"t      trend of calls a second, or of p99",
	"+ -    longer, shorter intervals",
	"arrows scroll, as Page Up, Page Down, Home",
	"h      this",
	"",
	"Numbers are those of the last interval.",
	"To choose other rows begins to count anew.",
	"P50, P99: at most 6.25 % above the exact time.",
};

/* Which columns there is room for */
struct layout {
	bool has[TOP_NR_COLUMNS];
	int name, trend;
};

/* A line that is being put together */
struct line {
	char text[MAX_WIDTH * 4];
	size_t length;		/* bytes */
	int room;		/* characters */
};

static void add(struct line *l, int width, const char *text)
{
	l->length += (size_t)snprintf(l->text + l->length, sizeof(l->text) - l->length, "%*.*s",
				      width, width, text);
	l->room -= width;
}

/* What there is no room for is cut off. */
static void add_left(struct line *l, int width, const char *text)
{
	if (width > l->room)
		width = l->room;
	l->length += (size_t)snprintf(l->text + l->length, sizeof(l->text) - l->length, "%-*.*s",
				      width, width, text);
	l->room -= width;
}

static void begin(struct line *l, int width)
{
	l->length = 0;
	l->text[0] = 0;
	l->room = width < MAX_WIDTH ? width : MAX_WIDTH;
}

static void put_text(const struct top_view *v, int y, enum screen_style style, const char *text)
{
	struct line l;

	if (v->height && y >= v->height)
		return;
	begin(&l, v->width);
	add_left(&l, style == SCREEN_HEAD ? l.room : (int)strlen(text), text);
	v->line(v->arg, y, style, l.text);
}

/* --- layout ------------------------------------------------------------------ */

static void lay_out(struct layout *l, int width, const struct top_model *m)
{
	/* From what matters most */
	static const enum top_column order[] = { TOP_RATE, TOP_P99, TOP_OP, TOP_FAILED,
						 TOP_BYTES, TOP_P50, TOP_MAX };
	bool keyed = m->by;
	int left;

	*l = (struct layout){ .name = keyed && width >= 40 ? NAME : SHORT_NAME };
	left = width - l->name;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (left < columns[order[i]].width || (order[i] == TOP_OP && !keyed) ||
		    (order[i] == TOP_FAILED && probe_only_counts(m->probe)))
			continue;
		l->has[order[i]] = true;
		left -= columns[order[i]].width;
	}
	if (left < SHORT_TREND)
		return;
	l->trend = left - 1;
	if (keyed && left > 2 * SHORT_TREND) {
		l->name += left / 2 < LONG_NAME - NAME ? left / 2 : LONG_NAME - NAME;
		l->trend = width - l->name - 1;
		for (int c = 0; c < TOP_NR_COLUMNS; c++)
			l->trend -= l->has[c] ? columns[c].width : 0;
	}
	if (l->trend > TOP_TREND)
		l->trend = TOP_TREND;
}

/* --- cells ------------------------------------------------------------------- */

static const char *number(char buf[OUT_NS_LEN], double value)
{
	static const char *const unit[] = { "", "k", "M", "G", "T" };
	unsigned int u = 0;

	for (; value >= 99999.5 && u < 4; u++)
		value /= 1000;
	/* What there is a little of is not nothing. */
	snprintf(buf, OUT_NS_LEN, "%.*f%s", value > 0 && value < 9.95 ? 1 : 0,
		 value > 0 && value < 0.1 ? 0.1 : value, unit[u]);
	return buf;
}

/* Names are the tasks' own choice: nothing that a terminal would obey. */
static void make_plain(char *name)
{
	for (; *name; name++)
		if (*name < ' ' || *name > '~')
			*name = '?';
}

static void name_row(const struct top_model *m, const struct top_row *row, char *name, size_t size)
{
	struct probe_keyed_row key = { .key = row->key };

	memcpy(key.comm, row->comm, sizeof(key.comm));
	if (!m->by)
		snprintf(name, size, "%s", probe_op_name(row->key.op));
	else if (m->by == IOX_BY_PROCESS && row->key.id != IOX_PROBE_OTHERS)
		snprintf(name, size, "%llu %.16s", row->key.id, row->comm);
	else if (m->by == IOX_BY_IOAS && row->key.id != IOX_PROBE_OTHERS && !(row->key.id >> 48))
		snprintf(name, size, "%u of context %llu", row->key.sub_id, row->key.id);
	else
		probe_key_name(m->by, &key, name, size);
	make_plain(name);
}

/* A path tells most at its end. */
static void add_name(struct line *l, const struct layout *lay, const char *name)
{
	size_t length = strlen(name), room = (size_t)lay->name;
	char cut[MAX_WIDTH];

	if (*name != '/' || length < room) {
		add_left(l, lay->name, name);
		return;
	}
	snprintf(cut, sizeof(cut), "..%s", name + length - (room - 3));
	add_left(l, lay->name, cut);
}

static void add_trend(struct line *l, const struct top_view *v, const struct top_model *m,
		      const struct top_row *row, int width)
{
	static const char *const block[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const ascii[] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };
	const float *value = row->trend[v->trend];
	float most = 0;

	for (int i = 0; i < TOP_TREND; i++)
		if (value[i] > most)
			most = value[i];
	add(l, 1, " ");
	for (int i = 0; i < width && l->room; i++) {
		float x = value[(m->latest + TOP_TREND - (unsigned int)(width - 1 - i)) % TOP_TREND];
		int level = x > 0 ? 1 + (int)(x / most * 7) : 0;

		l->length += (size_t)snprintf(l->text + l->length, sizeof(l->text) - l->length,
					      "%s", (v->utf8 ? block : ascii)[level]);
		l->room--;
	}
}

static void add_ns(struct line *l, enum top_column column, const struct top_row *row, double ns)
{
	char buf[OUT_NS_LEN];

	add(l, columns[column].width, row->timed ? out_ns(buf, (__u64)ns) : "-");
}

static void add_column(struct line *l, const struct top_row *row, enum top_column column)
{
	char buf[OUT_NS_LEN];
	int width = columns[column].width;

	switch (column) {
	case TOP_OP:
		add(l, 1, " ");
		add_left(l, width - 1, probe_op_name(row->key.op));
		break;
	case TOP_RATE:
		add(l, width, number(buf, row->rate));
		break;
	case TOP_BYTES:
		add(l, width, out_bytes(buf, (__u64)row->bytes));
		break;
	case TOP_P50:
		add_ns(l, column, row, row->p50);
		break;
	case TOP_P99:
		add_ns(l, column, row, row->p99);
		break;
	case TOP_MAX:
		add_ns(l, column, row, row->max);
		break;
	case TOP_FAILED:
		add(l, width, number(buf, row->failed));
		break;
	default:
		break;
	}
}

/* --- lines ------------------------------------------------------------------- */

static void draw_title(const struct top_view *v, const struct top_model *m)
{
	char text[256], calls[OUT_NS_LEN], bytes[OUT_BYTES_LEN], failed[64], lost[48] = "";

	if (m->skipped)
		snprintf(lost, sizeof(lost), ", up to %llu not seen", m->skipped);
	if (probe_only_counts(m->probe))
		snprintf(failed, sizeof(failed), "only counted%s", v->height ? ", h says why" : "");
	else
		snprintf(failed, sizeof(failed), "%s failed/s", number(calls, m->failed));
	snprintf(text, sizeof(text), "iox top by %s, every %g s%s: %s calls/s, %s/s, %s%s",
		 stat_by_name(m->by), v->interval, v->paused ? ", paused" : "",
		 number(calls, m->rate), out_bytes(bytes, (__u64)m->bytes), failed, lost);
	put_text(v, 0, SCREEN_TITLE, text);
}

/* The column that is sorted by is marked. */
static void head_of(const struct top_model *m, enum top_column column, const char *head, char *buf,
		    size_t size)
{
	const char *mark = column != m->sort ? "" : m->reversed ? "^" : "*";

	if (column == TOP_OP || column == TOP_NAME)
		snprintf(buf, size, "%s%s", head, mark);
	else
		snprintf(buf, size, "%s%s", mark, head);
}

static void draw_head(const struct top_view *v, const struct top_model *m, const struct layout *lay)
{
	char head[64];
	struct line l;

	if (v->height && v->height < 2)
		return;
	begin(&l, v->width);
	head_of(m, TOP_NAME, m->by ? stat_by_name(m->by) : "call", head, sizeof(head));
	for (char *c = head; *c; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
	add_left(&l, lay->name, head);
	for (enum top_column c = TOP_OP; c < TOP_NR_COLUMNS; c++) {
		if (!lay->has[c])
			continue;
		head_of(m, c, columns[c].head, head, sizeof(head));
		if (c == TOP_OP)
			add_left(&l, columns[c].width, head);
		else
			add(&l, columns[c].width, head);
	}
	if (lay->trend)
		add_left(&l, lay->trend + 1, v->trend == TOP_TREND_P99 ? " P99" : " CALL/s");
	add_left(&l, l.room, "");
	v->line(v->arg, 1, SCREEN_HEAD, l.text);
}

static void draw_row(const struct top_view *v, const struct top_model *m, const struct layout *lay,
		     const struct top_row *row, int y)
{
	char name[PATH_MAX];
	struct line l;

	begin(&l, v->width);
	name_row(m, row, name, sizeof(name));
	add_name(&l, lay, name);
	for (enum top_column c = TOP_OP; c < TOP_NR_COLUMNS; c++)
		if (lay->has[c])
			add_column(&l, row, c);
	if (lay->trend)
		add_trend(&l, v, m, row, lay->trend);
	v->line(v->arg, y, row->failed > 0 ? SCREEN_BAD : SCREEN_PLAIN, l.text);
}

/* In as many lines as it takes */
static void put_unseen(const struct top_view *v, const struct top_model *m, int y)
{
	const char *text = probe_unseen(m->probe) ?: "", *end;
	char line[MAX_WIDTH + 1];

	for (; *text; text = end) {
		text += strspn(text, " ");
		end = text + strnlen(text, (size_t)v->width < MAX_WIDTH ? (size_t)v->width : MAX_WIDTH);
		for (const char *c = end; *end && c > text; c--)
			if (*c == ' ') {
				end = c;
				break;
			}
		if (v->height && y >= v->height - 1)
			return;
		snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
		put_text(v, y++, SCREEN_PLAIN, line);
	}
}

/* Whether there can be rows at all */
static bool can_tell(const struct top_model *m)
{
	return !probe_only_counts(m->probe) || (m->by != IOX_BY_IOAS && m->by != IOX_BY_BACKING);
}

static void draw_help(const struct top_view *v, const struct top_model *m)
{
	int y = 2;

	for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++)
		put_text(v, y++, SCREEN_PLAIN, help[i]);
	put_unseen(v, m, y);
}

static void draw_rows(const struct top_view *v, const struct top_model *m)
{
	size_t page = top_page(v), last = v->height ? v->first + page : m->nr;
	struct layout lay;

	lay_out(&lay, v->width, m);
	draw_head(v, m, &lay);
	for (size_t i = v->first; i < m->nr && i < last; i++)
		draw_row(v, m, &lay, &m->row[i], 2 + (int)(i - v->first));
	if (!m->nr && page && !can_tell(m))
		put_unseen(v, m, 2);
	else if (!m->nr && page)
		put_text(v, 2, SCREEN_PLAIN, "no calls yet");
}

size_t top_page(const struct top_view *v)
{
	if (!v->height)
		return TOP_KEYS;
	return v->height > 3 ? (size_t)v->height - 3 : v->height == 3;
}

void top_draw(const struct top_view *v, const struct top_model *m)
{
	draw_title(v, m);
	if (v->help)
		draw_help(v, m);
	else
		draw_rows(v, m);
	if (v->height > 3)
		put_text(v, v->height - 1, SCREEN_HEAD,
			 "q quit  p pause  1-5 rows  </> sort  r reverse  t trend  +/- time  h help");
}
