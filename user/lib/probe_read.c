// SPDX-License-Identifier: GPL-2.0
/* Counters of the probes: read, subtract, name. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "cgroup.h"
#include "hist.h"
#include "msg.h"
#include "probe_internal.h"

static void add_buckets(struct iox_hist *to, const __u64 *bucket)
{
	for (__u32 i = 0; i < IOX_PROBE_BUCKETS; i++)
		to->bucket[i] += bucket[i];
}

/* What the buckets have is counted from them, and no maximum is kept of stages. */
static void finish_row(struct probe_row *row, struct probe_detail *d)
{
	row->count = hist_count(&row->all.hist) + row->untimed;
	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++)
		d->stage[i].max_ns = hist_highest(&d->stage[i].hist);
}

static void add_cpu(struct probe_row *row, struct probe_detail *d,
		    const struct iox_probe_counts *from)
{
	row->failed += from->failed;
	row->untimed += from->untimed;
	row->bytes += from->bytes;
	row->all.sum_ns += from->sum_ns;
	if (from->max_ns > row->all.max_ns)
		row->all.max_ns = from->max_ns;
	add_buckets(&row->all.hist, from->bucket);
	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++) {
		d->stage[i].sum_ns += from->stage_sum_ns[i];
		add_buckets(&d->stage[i].hist, from->stage_bucket[i]);
	}
	for (int i = 0; i < IOX_PROBE_NR_LEAVES; i++)
		d->leaves[i] += from->leaves[i];
	for (int i = 0; i < IOX_PROBE_NR_CHOOSERS; i++)
		d->chosen[i] += from->chosen[i];
}

static int read_row(const struct probe *p, __u32 op, struct probe_row *row, struct probe_detail *d)
{
	int err = bpf_map__lookup_elem(p->counts, &op, sizeof(op), p->percpu,
				       (size_t)p->nr_cpus * sizeof(*p->percpu), 0);

	if (err)
		return err;
	for (int cpu = 0; cpu < p->nr_cpus; cpu++)
		add_cpu(row, d, &p->percpu[cpu]);
	finish_row(row, d);
	return 0;
}

static int read_misses(const struct probe *p, __u64 *misses)
{
	struct bpf_prog_info info;
	__u32 len = sizeof(info);
	int err = 0;

	for (int i = 0; i < PROBE_NR_PROGS && !err; i++) {
		if (!p->prog[i])
			continue;
		memset(&info, 0, sizeof(info));
		err = bpf_prog_get_info_by_fd(bpf_program__fd(p->prog[i]), &info, &len);
		*misses += info.recursion_misses;
	}
	return err;
}

static int read_dropped(const struct probe *p, __u64 *dropped)
{
	__u64 *percpu = calloc((size_t)p->nr_cpus, sizeof(*percpu));
	__u32 zero = 0;
	int err;

	if (!percpu)
		return -ENOMEM;
	err = bpf_map__lookup_elem(p->dropped, &zero, sizeof(zero), percpu,
				   (size_t)p->nr_cpus * sizeof(*percpu), 0);
	for (int cpu = 0; cpu < p->nr_cpus; cpu++)
		*dropped += percpu[cpu];
	free(percpu);
	return err;
}

struct probe_snapshot *probe_snapshot_new(void)
{
	struct probe_snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		msg_errno(ENOMEM, "making room for counters", NULL);
	return s;
}

static void times_since(struct probe_times *now, const struct probe_times *before)
{
	now->sum_ns -= before->sum_ns;
	hist_sub(&now->hist, &before->hist);
	/* A maximum that grew did so in between; else only the buckets tell. */
	if (now->max_ns == before->max_ns && hist_highest(&now->hist) < now->max_ns)
		now->max_ns = hist_highest(&now->hist);
}

static void row_since(struct probe_row *now, const struct probe_row *before)
{
	now->count -= before->count;
	now->failed -= before->failed;
	now->untimed -= before->untimed;
	now->bytes -= before->bytes;
	times_since(&now->all, &before->all);
}

static void detail_since(struct probe_detail *now, const struct probe_detail *before)
{
	for (int i = 0; i < IOX_PROBE_NR_LEAVES; i++)
		now->leaves[i] -= before->leaves[i];
	for (int i = 0; i < IOX_PROBE_NR_CHOOSERS; i++)
		now->chosen[i] -= before->chosen[i];
	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++)
		times_since(&now->stage[i], &before->stage[i]);
}

static void rows_since(struct probe_snapshot *now, const struct probe_snapshot *before)
{
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++) {
		row_since(&now->row[op], &before->row[op]);
		detail_since(&now->detail[op], &before->detail[op]);
	}
}

void probe_since(struct probe_snapshot *now, const struct probe_snapshot *before)
{
	now->span_ns = now->time_ns - before->time_ns;
	now->skipped -= before->skipped < now->skipped ? before->skipped : now->skipped;
	now->dropped -= before->dropped;
	rows_since(now, before);
}

/* From programs */
static int read_programs(const struct probe *p, struct probe_snapshot *s)
{
	__u64 misses = 0, untimed = 0;
	int err = 0;

	for (int op = 0; op < IOX_PROBE_NR_OPS && !err; op++) {
		err = read_row(p, (__u32)op, &s->row[op], &s->detail[op]);
		/* Where nothing is timed at all, that says nothing about misses. */
		untimed += p->fallback ? 0 : s->row[op].untimed;
	}
	if (!err)
		err = read_misses(p, &misses);
	if (!err)
		err = read_dropped(p, &s->dropped);
	/* A beginning that was skipped is an untimed call; any other miss lost us an end. */
	s->skipped = misses > untimed ? misses - untimed : 0;
	return err;
}

static void add_record(void *arg, const struct iox_op_record *record)
{
	struct probe_snapshot *s = arg;
	struct probe_row *row = &s->row[record->op];
	struct probe_detail *d = &s->detail[record->op];

	add_cpu(row, d, &record->counts);
	finish_row(row, d);
}

int probe_read_base(struct probe *p)
{
	return op_counts_read(p->own, add_record, p->base);
}

static int read_own(const struct probe *p, struct probe_snapshot *s)
{
	int err = op_counts_read(p->own, add_record, s);

	if (!err)
		rows_since(s, p->base);
	return err;
}

bool probe_read(const struct probe *p, struct probe_snapshot *s)
{
	int err;

	memset(s, 0, sizeof(*s));
	s->time_ns = probe_now();
	s->span_ns = s->time_ns - p->start_ns;
	err = p->own ? read_own(p, s) : read_programs(p, s);
	if (err)
		msg_errno(err, "reading the probes", NULL);
	return !err;
}

__u64 probe_timed(const struct probe_times *t)
{
	return hist_count(&t->hist);
}

__u64 probe_mean(const struct probe_times *t)
{
	__u64 timed = probe_timed(t);

	return timed ? (t->sum_ns + timed / 2) / timed : 0;
}

__u64 probe_percentile(const struct probe_times *t, double percent)
{
	__u64 value = hist_percentile(&t->hist, percent);

	return value < t->max_ns ? value : t->max_ns;
}

/* --- by key ----------------------------------------------------------------- */

static void fill_keyed(struct probe_keyed_row *r, const struct iox_probe_key *key,
		       const struct iox_probe_keyed *from)
{
	memset(r, 0, sizeof(*r));
	r->key = *key;
	memcpy(r->comm, from->comm, sizeof(r->comm));
	r->row.failed = from->failed;
	r->row.untimed = from->untimed;
	r->row.bytes = from->bytes;
	r->row.all.sum_ns = from->sum_ns;
	r->row.all.max_ns = from->max_ns;
	add_buckets(&r->row.all.hist, from->bucket);
	r->row.count = hist_count(&r->row.all.hist) + r->row.untimed;
}

static int compare_keys(const void *a, const void *b)
{
	const struct iox_probe_key *x = &((const struct probe_keyed_row *)a)->key;
	const struct iox_probe_key *y = &((const struct probe_keyed_row *)b)->key;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->sub_id != y->sub_id)
		return x->sub_id < y->sub_id ? -1 : 1;
	return (x->op > y->op) - (x->op < y->op);
}

static int read_keys(const struct probe *p, struct probe_keys *keys,
		     struct iox_probe_keyed *value)
{
	size_t room = bpf_map__max_entries(p->keyed);
	struct iox_probe_key key, *last = NULL;
	struct probe_keyed_row *list;
	int fd = bpf_map__fd(p->keyed);

	while (!bpf_map_get_next_key(fd, last, &key) && keys->nr < room) {
		last = &key;
		if (bpf_map_lookup_elem(fd, &key, value))
			return -errno;
		list = reallocarray(keys->list, keys->nr + 1, sizeof(*list));
		if (!list)
			return -ENOMEM;
		keys->list = list;
		fill_keyed(&list[keys->nr], &key, value);
		/* The entries for others are there from the beginning. */
		keys->nr += list[keys->nr].row.count > 0;
	}
	return 0;
}

bool probe_read_keys(const struct probe *p, struct probe_keys *keys)
{
	struct iox_probe_keyed *value = malloc(sizeof(*value));
	int err;

	*keys = (struct probe_keys){};
	err = value ? read_keys(p, keys, value) : -ENOMEM;
	free(value);
	if (keys->nr)
		qsort(keys->list, keys->nr, sizeof(*keys->list), compare_keys);
	if (!err)
		return true;
	msg_errno(err, "reading the probes", NULL);
	probe_keys_free(keys);
	return false;
}

void probe_keys_since(struct probe_keys *now, const struct probe_keys *before)
{
	size_t kept = 0;

	for (size_t i = 0; i < now->nr; i++) {
		struct probe_keyed_row *n = &now->list[i], *b = NULL;

		if (before->nr)
			b = bsearch(n, before->list, before->nr, sizeof(*n), compare_keys);
		if (b)
			row_since(&n->row, &b->row);
		if (n->row.count)
			now->list[kept++] = *n;
	}
	now->nr = kept;
}

bool probe_keys_copy(struct probe_keys *to, const struct probe_keys *from)
{
	size_t size = from->nr * sizeof(*from->list);

	probe_keys_free(to);
	if (!from->nr)
		return true;
	to->list = malloc(size);
	if (!to->list) {
		msg_errno(ENOMEM, "making room for counters", NULL);
		return false;
	}
	memcpy(to->list, from->list, size);
	to->nr = from->nr;
	return true;
}

void probe_keys_free(struct probe_keys *keys)
{
	free(keys->list);
	*keys = (struct probe_keys){};
}

void probe_forget_key(const struct probe *p, struct probe_keys *read,
		      const struct iox_probe_key *key)
{
	size_t i = 0;

	/* Others have an entry for good. */
	if (key->id == IOX_PROBE_OTHERS)
		return;
	bpf_map__delete_elem(p->keyed, key, sizeof(*key), 0);
	while (i < read->nr && memcmp(&read->list[i].key, key, sizeof(*key)))
		i++;
	if (i == read->nr)
		return;
	read->nr--;
	memmove(&read->list[i], &read->list[i + 1], (read->nr - i) * sizeof(*read->list));
}

void probe_key_name(enum iox_probe_by by, const struct probe_keyed_row *row, char *name,
		    size_t size)
{
	char path[PATH_MAX];

	if (row->key.id == IOX_PROBE_OTHERS)
		snprintf(name, size, "others");
	else if (by == IOX_BY_PROCESS)
		snprintf(name, size, "%.16s (%llu)", row->comm, row->key.id);
	else if (by == IOX_BY_IOAS && row->key.id >> 48)
		snprintf(name, size, "context 0x%llx ioas %u", row->key.id, row->key.sub_id);
	else if (by == IOX_BY_IOAS)
		snprintf(name, size, "context %llu ioas %u", row->key.id, row->key.sub_id);
	else if (by == IOX_BY_CGROUP && cgroup_path_of(row->key.id, path))
		snprintf(name, size, "%s", path);
	else if (by == IOX_BY_CGROUP)
		snprintf(name, size, "cgroup %llu", row->key.id);
	else
		snprintf(name, size, "%s", probe_backing_name((__u32)row->key.id));
}
