// SPDX-License-Identifier: GPL-2.0
/* iox top: what is done to I/O address spaces right now, on the screen or as text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iox.h"
#include "lib/msg.h"
#include "lib/privilege.h"
#include "lib/watch.h"
#include "stat.h"
#include "top.h"

#define BATCH_WIDTH 100
#define MIN_INTERVAL 0.125
#define MAX_INTERVAL 64

struct options {
	double interval;
	long count;		/* 0: no limit */
	long width;		/* with batch */
	bool batch;
	enum iox_probe_by by;
	enum top_column sort;
};

struct top {
	const struct options *opt;
	struct watch watch;
	struct screen screen;
	struct top_model model;
	struct top_view view;
	long intervals;
};

static const struct argp_option options[] = {
	{ "interval", 'i', "SECONDS", 0, "New numbers every SECONDS (may be a fraction), 1 if not given", 0 },
	{ "number", 'n', "N", 0, "Stop after N intervals", 0 },
	{ "by", 'r', "WHAT", 0, "Rows: op (each call; if not given), process, ioas, cgroup or backing", 0 },
	{ "sort", 's', "COLUMN", 0,
	  "Sort by name, call, rate (if not given), bytes, p50, p99, max or failed", 0 },
	{ "batch", 'b', NULL, 0, "Print text, which needs no terminal", 0 },
	{ "width", 'w', "COLUMNS", 0, "With -b: so wide, 100 if not given", 0 },
	{ 0 },
};

static const char doc[] =
	"Shows on a screen what is done to I/O address spaces right now: calls and bytes a second, "
	"how long they take, how many fail, and the trend.\v"
	"Keys: q quit, p pause, 1 to 5 choose the rows, < and > the column to sort by, r turns the "
	"order, t what the trend is of, + and - the interval, h help.";

static long parse_number(const char *arg, const char *name, long max, struct argp_state *state)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(arg, &end, 10);
	if (end == arg || *end || errno || n < 1 || n > max)
		argp_error(state, "%s '%s': not a number from 1 to %ld", name, arg, max);
	return n;
}

static enum iox_probe_by parse_by(const char *arg, struct argp_state *state)
{
	for (enum iox_probe_by by = IOX_BY_NOTHING; by <= IOX_BY_BACKING; by++)
		if (!strcmp(arg, stat_by_name(by)))
			return by;
	argp_error(state, "by '%s': not op, process, ioas, cgroup or backing", arg);
	return IOX_BY_NOTHING;
}

static enum top_column parse_sort(const char *arg, struct argp_state *state)
{
	for (enum top_column c = TOP_NAME; c < TOP_NR_COLUMNS; c++)
		if (!strcmp(arg, top_column_name[c]))
			return c;
	argp_error(state, "sort '%s': not name, call, rate, bytes, p50, p99, max or failed", arg);
	return TOP_RATE;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'i':
		o->interval = watch_seconds(arg, "interval", state);
		return 0;
	case 'n':
		o->count = parse_number(arg, "number", 1000000000, state);
		return 0;
	case 'r':
		o->by = parse_by(arg, state);
		return 0;
	case 's':
		o->sort = parse_sort(arg, state);
		return 0;
	case 'b':
		o->batch = true;
		return 0;
	case 'w':
		o->width = parse_number(arg, "width", 1000, state);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': not understood here", arg);
		return EINVAL;
	case ARGP_KEY_END:
		if (o->width && !o->batch)
			argp_error(state, "-w is for -b: a screen has the width it has");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = doc,
};

/* --- showing ------------------------------------------------------------------- */

static void print_line(void *arg, int y, enum screen_style style, const char *text)
{
	size_t length = strlen(text);

	(void)y, (void)style;
	while (length && text[length - 1] == ' ')
		length--;
	fprintf(arg, "%.*s\n", (int)length, text);
}

static void put_line(void *arg, int y, enum screen_style style, const char *text)
{
	(void)arg;
	screen_line(y, style, text);
}

static bool show_batch(struct top *t)
{
	top_draw(&t->view, &t->model);
	putchar('\n');
	if (!fflush(stdout) && !ferror(stdout))
		return true;
	msg_errno(errno, "standard output", NULL);
	return false;
}

static bool show(struct top *t)
{
	size_t page, nr = t->model.nr;

	if (t->opt->batch)
		return show_batch(t);
	t->view.height = screen_rows();
	t->view.width = screen_columns();
	page = top_page(&t->view);
	if (t->view.first + page > nr)
		t->view.first = nr > page ? nr - page : 0;
	screen_clear();
	top_draw(&t->view, &t->model);
	screen_show();
	return true;
}

/* --- keys ---------------------------------------------------------------------- */

static bool set_interval(struct top *t, double interval)
{
	if (interval < MIN_INTERVAL || interval > MAX_INTERVAL)
		return true;
	t->view.interval = interval;
	return watch_start(&t->watch, interval, stdout);
}

static bool set_by(struct top *t, enum iox_probe_by by)
{
	t->view.first = 0;
	t->view.paused = false;
	if (!by && t->model.sort == TOP_OP)
		t->model.sort = TOP_RATE;
	/* The first interval begins when the probes are in place. */
	return by == t->model.by ||
	       (top_model_open(&t->model, by) && watch_start(&t->watch, t->view.interval, stdout));
}

static void move_sort(struct top *t, int by)
{
	struct top_model *m = &t->model;

	do
		m->sort = (m->sort + TOP_NR_COLUMNS + (unsigned int)by) % TOP_NR_COLUMNS;
	while (!m->by && m->sort == TOP_OP);
	top_model_sort(m);
}

static void scroll(struct top *t, long rows)
{
	size_t *first = &t->view.first;

	if (rows < 0 && (size_t)-rows > *first)
		*first = 0;
	else
		*first += (size_t)rows;
}

/* What a key changes; what it cannot fail at. */
static void change_view(struct top *t, int key)
{
	long page = (long)top_page(&t->view);

	switch (key) {
	case 'p':
	case ' ':
		t->view.paused = !t->view.paused;
		break;
	case 'r':
		t->model.reversed = !t->model.reversed;
		top_model_sort(&t->model);
		break;
	case 't':
		t->view.trend = (t->view.trend + 1) % TOP_NR_TRENDS;
		break;
	case 'h':
	case '?':
		t->view.help = !t->view.help;
		break;
	case '<':
	case SCREEN_LEFT:
		move_sort(t, -1);
		break;
	case '>':
	case SCREEN_RIGHT:
		move_sort(t, 1);
		break;
	case SCREEN_UP:
		scroll(t, -1);
		break;
	case SCREEN_DOWN:
		scroll(t, 1);
		break;
	case SCREEN_PAGE_UP:
		scroll(t, -page);
		break;
	case SCREEN_PAGE_DOWN:
		scroll(t, page);
		break;
	case SCREEN_HOME:
		t->view.first = 0;
		break;
	}
}

static bool take_key(struct top *t, int key)
{
	switch (key) {
	case '1' ... '5':
		return set_by(t, (enum iox_probe_by)(key - '1'));
	case '+':
		return set_interval(t, t->view.interval * 2);
	case '-':
		return set_interval(t, t->view.interval / 2);
	}
	change_view(t, key);
	return true;
}

/* Takes all keys that were pressed; *@quit if one was to end it. */
static bool take_keys(struct top *t, bool *quit)
{
	int key;

	while ((key = screen_key(&t->screen)) != SCREEN_NO_KEY) {
		if (key == SCREEN_GONE)
			return false;
		if (key == 'q') {
			*quit = true;
			return true;
		}
		if (!take_key(t, key))
			return false;
	}
	return show(t);
}

/* --- running ------------------------------------------------------------------- */

static bool end_interval(struct top *t)
{
	t->intervals++;
	if (t->view.paused)
		return true;
	return top_model_update(&t->model) && show(t);
}

static bool loop(struct top *t)
{
	bool quit = false;

	while (!quit) {
		switch (watch_wait(&t->watch, t->screen.fd)) {
		case WATCH_TICK:
			if (!end_interval(t))
				return false;
			quit = t->opt->count && t->intervals >= t->opt->count;
			break;
		case WATCH_READY:
			if (!take_keys(t, &quit))
				return false;
			break;
		case WATCH_END:
			return true;
		default:
			return false;
		}
	}
	return true;
}

static bool run_batch(struct top *t)
{
	t->screen.fd = -1;
	t->view.line = print_line;
	t->view.arg = stdout;
	if (probe_only_counts(t->model.probe))
		fprintf(stderr, "not seen: %s\n", probe_unseen(t->model.probe));
	return watch_start(&t->watch, t->view.interval, stdout) && loop(t);
}

static bool run_screen(struct top *t)
{
	bool ok;

	t->view.line = put_line;
	ok = screen_open(&t->screen) && watch_start(&t->watch, t->view.interval, stdout) &&
	     show(t) && loop(t);
	screen_close(&t->screen);
	return ok;
}

/* On the screen a key can ask for other probes; without, what is there is all. */
static bool give_up(const struct options *o)
{
	if (!o->batch)
		return privilege_keep(PRIVILEGE_PROBES | PRIVILEGE_CGROUP_PATHS);
	return privilege_keep(o->by == IOX_BY_CGROUP ? PRIVILEGE_CGROUP_PATHS : 0);
}

int cmd_top(int argc, char **argv)
{
	struct options opt = { .interval = 1, .sort = TOP_RATE };
	struct top t = { .opt = &opt };
	bool ok;

	iox_parse(&argp, argc, argv, &opt);
	if (!opt.batch && !screen_is_there()) {
		msg_error("no terminal", "standard input and output are to be one",
			  "use 'iox top -b' or 'iox stat -i 1'");
		return IOX_FAILED;
	}
	t.view.utf8 = screen_has_utf8();
	t.view.interval = opt.interval;
	t.view.width = opt.width ? (int)opt.width : BATCH_WIDTH;
	t.model.sort = opt.sort;
	/* Messages about the probes come before there is a screen. */
	ok = watch_open(&t.watch, NULL) && top_model_open(&t.model, opt.by) && give_up(&opt) &&
	     (opt.batch ? run_batch(&t) : run_screen(&t));
	top_model_close(&t.model);
	return watch_close(&t.watch, ok);
}
