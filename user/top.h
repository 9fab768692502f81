/* SPDX-License-Identifier: GPL-2.0 */
/* iox top: what is counted (top_model.c), and how it looks (top_view.c). */
#ifndef IOX_TOP_H
#define IOX_TOP_H

#include <stdbool.h>

#include "lib/probe.h"
#include "lib/screen.h"

/* So many processes, IOASes, ... and calls of theirs are kept apart. */
#define TOP_KEYS	512
/* Of so many intervals the trend is known; a row that has been idle for all of them goes. */
#define TOP_TREND	120

enum top_column {
	TOP_NAME,
	TOP_OP,
	TOP_RATE,
	TOP_BYTES,
	TOP_P50,
	TOP_P99,
	TOP_MAX,
	TOP_FAILED,
	TOP_NR_COLUMNS
};

/* What the trend can be of */
enum top_trend { TOP_TREND_RATE, TOP_TREND_P99, TOP_NR_TRENDS };

/* One operation, or one of a process, IOAS, ...: what it did in the last interval. */
struct top_row {
	struct iox_probe_key key;
	char comm[16];
	bool timed;
	double rate, bytes, failed;	/* a second */
	double p50, p99, max;		/* ns */
	unsigned int idle;		/* intervals */
	float trend[TOP_NR_TRENDS][TOP_TREND];	/* rings, the latest at top_model.latest */
};

struct top_model {
	enum iox_probe_by by;
	enum top_column sort;
	bool reversed;
	struct probe *probe;
	struct probe_snapshot *before, *now, *shown;
	struct probe_keys keys;		/* with @by, as of @before */
	struct top_row *row;		/* sorted */
	size_t nr;
	unsigned int latest;
	unsigned int intervals;		/* since @by was chosen */
	double rate, bytes, failed;	/* all of the last interval, a second */
	__u64 skipped;			/* calls nobody saw, since @by was chosen */
};

struct top_view {
	int width;
	int height;		/* 0: no limit */
	bool utf8;
	bool help, paused;
	enum top_trend trend;
	double interval;
	size_t first;		/* row, after scrolling */
	void (*line)(void *arg, int y, enum screen_style style, const char *text);
	void *arg;
};

/* Begins to count, anew if it did so already. False: message given. */
bool top_model_open(struct top_model *m, enum iox_probe_by by);
void top_model_close(struct top_model *m);
/* Ends an interval. */
bool top_model_update(struct top_model *m);
void top_model_sort(struct top_model *m);

void top_draw(const struct top_view *v, const struct top_model *m);
/* How many rows @v has room for */
size_t top_page(const struct top_view *v);

extern const char *const top_column_name[TOP_NR_COLUMNS];

#endif
