// SPDX-License-Identifier: GPL-2.0
/* iox top: rows of numbers, kept over the intervals. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/msg.h"
#include "top.h"

#define MAX_ROWS (TOP_KEYS + IOX_PROBE_NR_OPS)

static bool make_room(struct top_model *m)
{
	if (!m->row)
		m->row = calloc(MAX_ROWS, sizeof(*m->row));
	if (!m->before)
		m->before = probe_snapshot_new();
	if (!m->now)
		m->now = probe_snapshot_new();
	if (!m->shown)
		m->shown = probe_snapshot_new();
	if (!m->row)
		msg_errno(ENOMEM, "making room for rows", NULL);
	return m->row && m->before && m->now && m->shown;
}

static struct top_row *add_row(struct top_model *m, const struct iox_probe_key *key)
{
	struct top_row *row;

	if (m->nr == MAX_ROWS)
		return NULL;
	row = &m->row[m->nr++];
	*row = (struct top_row){ .key = *key };
	return row;
}

bool top_model_open(struct top_model *m, enum iox_probe_by by)
{
	struct probe_config config = {
		.follow_pidfd = -1,
		.by = by,
		.max_keys = TOP_KEYS,
		.may_only_count = true,
	};
	struct iox_probe_key key = {};

	probe_close(m->probe);
	m->probe = NULL;
	if (!make_room(m))
		return false;
	m->probe = probe_open(&config);
	if (!m->probe)
		return false;
	probe_keys_free(&m->keys);
	memset(m->before, 0, sizeof(*m->before));
	m->before->time_ns = probe_start(m->probe);
	m->by = by;
	m->nr = 0;
	m->intervals = 0;
	m->skipped = 0;
	m->rate = m->bytes = m->failed = 0;
	for (key.op = 0; key.op < IOX_PROBE_NR_OPS && !by; key.op++)
		if (probe_has(m->probe, key.op))
			add_row(m, &key);
	return true;
}

void top_model_close(struct top_model *m)
{
	probe_close(m->probe);
	probe_keys_free(&m->keys);
	free(m->before);
	free(m->now);
	free(m->shown);
	free(m->row);
}

static struct top_row *find_row(struct top_model *m, const struct iox_probe_key *key)
{
	for (size_t i = 0; i < m->nr; i++)
		if (!memcmp(&m->row[i].key, key, sizeof(*key)))
			return &m->row[i];
	return add_row(m, key);
}

/* An interval without any call, until fill_row() knows better */
static void clear_row(struct top_row *row, unsigned int latest)
{
	row->timed = false;
	row->rate = row->bytes = row->failed = 0;
	row->p50 = row->p99 = row->max = 0;
	row->idle++;
	for (int i = 0; i < TOP_NR_TRENDS; i++)
		row->trend[i][latest] = 0;
}

static void fill_row(struct top_row *row, const struct probe_row *from, double seconds,
		     unsigned int latest)
{
	if (!from->count)
		return;
	row->idle = 0;
	row->timed = probe_timed(&from->all);
	row->rate = (double)from->count / seconds;
	row->bytes = (double)from->bytes / seconds;
	row->failed = (double)from->failed / seconds;
	row->p50 = (double)probe_percentile(&from->all, 50);
	row->p99 = (double)probe_percentile(&from->all, 99);
	row->max = (double)from->all.max_ns;
	row->trend[TOP_TREND_RATE][latest] = (float)row->rate;
	row->trend[TOP_TREND_P99][latest] = (float)row->p99;
}

/* Of each operation, all of it */
static void take_totals(struct top_model *m, const struct probe_snapshot *s, double seconds)
{
	struct iox_probe_key key = {};

	m->rate = m->bytes = m->failed = 0;
	m->skipped += s->skipped;
	for (key.op = 0; key.op < IOX_PROBE_NR_OPS; key.op++) {
		const struct probe_row *from = &s->row[key.op];

		m->rate += (double)from->count / seconds;
		m->bytes += (double)from->bytes / seconds;
		m->failed += (double)from->failed / seconds;
		if (!m->by && probe_has(m->probe, key.op))
			fill_row(find_row(m, &key), from, seconds, m->latest);
	}
}

static bool take_keys(struct top_model *m, double seconds)
{
	struct probe_keys now, shown = {};
	struct top_row *row;

	if (!probe_read_keys(m->probe, &now))
		return false;
	if (!probe_keys_copy(&shown, &now)) {
		probe_keys_free(&now);
		return false;
	}
	probe_keys_since(&shown, &m->keys);
	for (size_t i = 0; i < shown.nr; i++) {
		row = find_row(m, &shown.list[i].key);
		if (!row)
			continue;
		memcpy(row->comm, shown.list[i].comm, sizeof(row->comm));
		fill_row(row, &shown.list[i].row, seconds, m->latest);
	}
	probe_keys_free(&shown);
	probe_keys_free(&m->keys);
	m->keys = now;
	return true;
}

/* So that there is room for others: what does nothing any more goes, in the kernel too. */
static void drop_idle(struct top_model *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->nr; i++) {
		if (m->by && m->row[i].idle >= TOP_TREND)
			probe_forget_key(m->probe, &m->keys, &m->row[i].key);
		else if (kept++ != i)
			m->row[kept - 1] = m->row[i];
	}
	m->nr = kept;
}

bool top_model_update(struct top_model *m)
{
	struct probe_snapshot *last = m->before;
	double seconds;

	if (!probe_read(m->probe, m->now))
		return false;
	*m->shown = *m->now;
	probe_since(m->shown, last);
	m->before = m->now;
	m->now = last;
	seconds = (double)(m->shown->span_ns ? m->shown->span_ns : 1) / 1e9;
	m->latest = (m->latest + 1) % TOP_TREND;
	m->intervals++;
	for (size_t i = 0; i < m->nr; i++)
		clear_row(&m->row[i], m->latest);
	take_totals(m, m->shown, seconds);
	if (m->by && !take_keys(m, seconds))
		return false;
	drop_idle(m);
	top_model_sort(m);
	return true;
}

/* --- order ------------------------------------------------------------------- */

static int by_number(double x, double y)
{
	return (x < y) - (x > y);
}

static int by_key(const struct iox_probe_key *x, const struct iox_probe_key *y)
{
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->sub_id != y->sub_id)
		return x->sub_id < y->sub_id ? -1 : 1;
	return (x->op > y->op) - (x->op < y->op);
}

/* Numbers begin with the highest, names with the first. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct top_model *m = arg;
	const struct top_row *x = a, *y = b;
	int order = 0;

	switch (m->sort) {
	case TOP_OP:
		order = (x->key.op > y->key.op) - (x->key.op < y->key.op);
		break;
	case TOP_RATE:
		order = by_number(x->rate, y->rate);
		break;
	case TOP_BYTES:
		order = by_number(x->bytes, y->bytes);
		break;
	case TOP_P50:
		order = by_number(x->p50, y->p50);
		break;
	case TOP_P99:
		order = by_number(x->p99, y->p99);
		break;
	case TOP_MAX:
		order = by_number(x->max, y->max);
		break;
	case TOP_FAILED:
		order = by_number(x->failed, y->failed);
		break;
	default:
		break;
	}
	if (!order)
		order = by_key(&x->key, &y->key);
	return m->reversed ? -order : order;
}

void top_model_sort(struct top_model *m)
{
	qsort_r(m->row, m->nr, sizeof(*m->row), compare, m);
}
