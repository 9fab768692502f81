/* SPDX-License-Identifier: GPL-2.0 */
/* iox report: what is collected, and the page that is made of it. */
#ifndef IOX_REPORT_H
#define IOX_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>
#include <json-c/json.h>

#include "lib/probe.h"
#include "lib/space_key.h"

/* --- latency over time ---------------------------------------------------------- */

#define HEAT_COLUMNS 96
/* Buckets of the histogram in a row of the map: four rows an octave */
#define HEAT_BUCKETS 4
#define HEAT_ROWS (IOX_PROBE_BUCKETS / HEAT_BUCKETS)

/* However long it takes: when all columns are used, each two become one. */
struct heat {
	__u64 column_ns;
	__u64 cell[IOX_PROBE_NR_OPS][HEAT_COLUMNS][HEAT_ROWS];
};

/* What happened in the time from @from_ns to @to_ns, both since the beginning */
void heat_add(struct heat *heat, const struct probe_snapshot *s, __u64 from_ns, __u64 to_ns);
/* The lowest and the highest row that has something; false if none has */
bool heat_rows(const struct heat *heat, int op, unsigned int *lowest, unsigned int *highest);
unsigned int heat_columns(const struct heat *heat, __u64 span_ns);

/* --- what is mapped where ------------------------------------------------------- */

/* More than so many changes are not kept; what comes then is left out. */
#define SPACES_MAX_CHANGES (1U << 20)

enum space_state { SPACE_BEFORE, SPACE_FULLEST, SPACE_END, SPACE_NR_STATES };

struct range {
	__u64 start, last;	/* both belong to it */
};

struct ranges {
	struct range *list;	/* ascending */
	size_t nr, room;
	__u64 bytes;
};

struct change;

struct space {
	struct space_key key;
	struct change *changes;
	size_t nr, room;
	size_t fullest;		/* changes until most was mapped */
	struct ranges state[SPACE_NR_STATES];
};

struct spaces {
	struct space *list;
	size_t nr, room;
	size_t changes;
	bool incomplete;
	bool seeded;		/* by spaces_read() */
};

extern const char *const space_state_name[SPACE_NR_STATES];

/*
 * Takes what is mapped now for devices, if this kernel has page-table statistics. Operations may be
 * on their way meanwhile, as long as all of them are added later. False: message given.
 */
bool spaces_read(struct spaces *s);
/* An operation that did not fail. False: no memory, message given. */
bool spaces_add(struct spaces *s, const struct iox_event *e);
/* Once all is added: fills in the states, and sorts by changes. With @changed, only those that have some. */
bool spaces_finish(struct spaces *s, bool changed);
void spaces_free(struct spaces *s);

bool ranges_add(struct ranges *r, __u64 start, __u64 last);
/* Takes out all within. */
bool ranges_remove(struct ranges *r, __u64 start, __u64 last);
/* How many bytes of @start..@last are in it */
__u64 ranges_covered(const struct ranges *r, __u64 start, __u64 last);

/* --- all of it ------------------------------------------------------------------ */

#define REPORT_SLOWEST 50

struct report {
	const struct probe *probe;
	const char *command;	/* NULL: the whole system */
	struct timespec began, ended;	/* CLOCK_REALTIME */
	struct probe_snapshot *total;
	struct heat *heat;
	struct spaces spaces;
	struct iox_event slowest[REPORT_SLOWEST];
	size_t nr_slowest;
	char unseen[8][320];	/* what could not be seen */
	size_t nr_unseen;
};

/* All but the text of the page, to be freed with json_object_put(); NULL: no memory, message given */
json_object *report_json(const struct report *r);

/* Writes the page. What cannot be written shows in @f. */
void report_page(FILE *f, const struct report *r, json_object *json);

/* Parts of the page, each in a file with what it needs */
void report_heat(FILE *f, const struct report *r);
void report_spaces(FILE *f, const struct report *r);
void report_tables(FILE *f, const struct report *r);
void report_stages(FILE *f, const struct report *r);
void report_sizes(FILE *f, const struct report *r);
void report_slowest(FILE *f, const struct report *r);

/* Text from outside: escaped, and U+FFFD for what is no UTF-8 or no character */
void html_text(FILE *f, const char *text);
/* A number as people read it, and exactly: @key says where the JSON has it. */
__attribute__((format(printf, 3, 4))) void html_ns(FILE *f, __u64 ns, const char *key, ...);
__attribute__((format(printf, 3, 4))) void html_bytes(FILE *f, __u64 bytes, const char *key, ...);
__attribute__((format(printf, 3, 4))) void html_count(FILE *f, __u64 count, const char *key, ...);
/* @ns without zeros at the end, as round as it is: for axes and hints */
void html_plain_ns(FILE *f, __u64 ns);

/* Copies @text with U+FFFD for what is no UTF-8 or no character; at most @size bytes with the 0. */
void report_clean(char *to, size_t size, const char *text);

#endif
