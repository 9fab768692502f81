// SPDX-License-Identifier: GPL-2.0
/*
 * iox report: which IOVAs were mapped before, at the fullest, and at the end.
 *
 * What was mapped before comes from two sources: the page tables, read once when the events had begun
 * to come, and the events. For each IOVA, the first event about it decides, as the reading may be
 * later: what is mapped then was not mapped before, what is unmapped was. The reading tells of all
 * others, and is not there on Linux's own iommufd, or without a device.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/msg.h"
#include "lib/pt.h"
#include "report.h"

/* What was done to one range. Destroying an IOAS is an unmap of all. */
struct change {
	__u64 start, last;
	bool mapped;
};

const char *const space_state_name[SPACE_NR_STATES] = { "before", "fullest", "end" };

/* --- ranges --------------------------------------------------------------------- */

static bool no_memory(void)
{
	msg_errno(ENOMEM, "what is mapped where", NULL);
	return false;
}

/* Room for one more entry of @size bytes; NULL with the message given */
static void *grown(void *list, size_t nr, size_t *room, size_t size)
{
	void *larger;

	if (nr < *room)
		return list;
	larger = reallocarray(list, *room ? 2 * *room : 16, size);
	if (!larger) {
		no_memory();
		return NULL;
	}
	*room = *room ? 2 * *room : 16;
	return larger;
}

/* The first one that does not end before @iova */
static size_t first_from(const struct ranges *r, __u64 iova)
{
	size_t low = 0, high = r->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (r->list[middle].last < iova)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool insert(struct ranges *r, size_t at, __u64 start, __u64 last)
{
	struct range *list = grown(r->list, r->nr, &r->room, sizeof(*r->list));

	if (!list)
		return false;
	r->list = list;
	memmove(&list[at + 1], &list[at], (r->nr - at) * sizeof(*list));
	list[at] = (struct range){ start, last };
	r->nr++;
	return true;
}

/* Areas stay apart even where they touch; what overlaps is not there twice. */
bool ranges_add(struct ranges *r, __u64 start, __u64 last)
{
	if (!ranges_remove(r, start, last) ||
	    !insert(r, first_from(r, start), start, last))
		return false;
	r->bytes += last - start + 1;
	return true;
}

/* The range at @at loses @start..@last, which it has some of. */
static bool cut(struct ranges *r, size_t at, __u64 start, __u64 last)
{
	struct range old = r->list[at];

	if (old.start < start && old.last > last) {
		if (!insert(r, at + 1, last + 1, old.last))
			return false;
		r->list[at].last = start - 1;
	} else if (old.start < start) {
		r->list[at].last = start - 1;
	} else if (old.last > last) {
		r->list[at].start = last + 1;
	} else {
		r->nr--;
		memmove(&r->list[at], &r->list[at + 1], (r->nr - at) * sizeof(*r->list));
	}
	return true;
}

bool ranges_remove(struct ranges *r, __u64 start, __u64 last)
{
	size_t at = first_from(r, start), before;

	while (at < r->nr && r->list[at].start <= last) {
		struct range old = r->list[at];
		__u64 from = old.start > start ? old.start : start;
		__u64 to = old.last < last ? old.last : last;

		before = r->nr;
		if (!cut(r, at, start, last))
			return false;
		r->bytes -= to - from + 1;
		/* What is gone makes room for the next one. */
		at += r->nr == before;
	}
	return true;
}

/* Adds what of @start..@last is not in @r to @to. */
static bool add_missing(const struct ranges *r, __u64 start, __u64 last, struct ranges *to)
{
	for (size_t i = first_from(r, start); i < r->nr && r->list[i].start <= last; i++) {
		if (r->list[i].start > start && !ranges_add(to, start, r->list[i].start - 1))
			return false;
		if (r->list[i].last >= last)
			return true;
		start = r->list[i].last + 1;
	}
	return ranges_add(to, start, last);
}

__u64 ranges_covered(const struct ranges *r, __u64 start, __u64 last)
{
	__u64 bytes = 0;

	for (size_t i = first_from(r, start); i < r->nr && r->list[i].start <= last; i++) {
		__u64 from = r->list[i].start > start ? r->list[i].start : start;
		__u64 to = r->list[i].last < last ? r->list[i].last : last;

		bytes += to - from + 1;
	}
	return bytes;
}

/* --- spaces --------------------------------------------------------------------- */

/* NULL: no memory, message given */
static struct space *add_space(struct spaces *s, const struct iox_event *e)
{
	struct space *list = grown(s->list, s->nr, &s->room, sizeof(*list));

	if (!list)
		return NULL;
	s->list = list;
	list[s->nr] = (struct space){ .key = space_key_of(e) };
	return &list[s->nr++];
}

static struct space *find_space(struct spaces *s, const struct iox_event *e)
{
	for (size_t i = s->nr; i--;) {
		if (!space_key_is(&s->list[i].key, e))
			continue;
		space_key_follow(&s->list[i].key, e);
		return &s->list[i];
	}
	return NULL;
}

/* An IOAS with several HWPTs has its mappings in each. What came through a live update is in none. */
static bool take_areas(struct spaces *s, const struct pt_view *view)
{
	struct space *space;

	for (size_t i = 0; i < view->nr_areas; i++) {
		const struct iox_pt_area *area = view->areas[i].head;
		const struct iox_event e = {
			.space_id = area->space_id,
			.ctx_id = area->ctx_id,
			.ioas_id = area->ioas_id,
		};

		if (!area->ioas_id)
			continue;
		space = find_space(s, &e) ?: add_space(s, &e);
		if (!space || !ranges_add(&space->state[SPACE_BEFORE], area->iova,
					  area->iova + area->length - 1))
			return false;
	}
	return true;
}

bool spaces_read(struct spaces *s)
{
	struct pt_view view = {};
	struct pt *pt;
	bool ok;

	if (!pt_is_there())
		return true;
	pt = pt_open();
	ok = pt && pt_read(pt, true, &view) && take_areas(s, &view);
	pt_view_free(&view);
	pt_close(pt);
	s->seeded = ok;
	return ok;
}

/* Unmapping all: the length that was asked for, or one more, which is 0 */
static bool is_all(const struct iox_event *e)
{
	return e->op == IOX_PROBE_destroy ||
	       (e->op == IOX_PROBE_unmap && !e->iova && (!e->length || e->length == ~0ULL));
}

static bool is_change(const struct iox_event *e)
{
	return (e->flags & IOX_EVENT_DESCRIBED) && !e->result &&
	       (is_all(e) || (e->op <= IOX_PROBE_unmap && e->length));
}

bool spaces_add(struct spaces *s, const struct iox_event *e)
{
	struct change *changes;
	struct space *space;

	if (!is_change(e))
		return true;
	if (s->changes == SPACES_MAX_CHANGES) {
		s->incomplete = true;
		return true;
	}
	space = find_space(s, e);
	/* Where nothing has happened, nothing ends. */
	if (!space && e->op == IOX_PROBE_destroy)
		return true;
	space = space ?: add_space(s, e);
	changes = space ? grown(space->changes, space->nr, &space->room, sizeof(*changes)) : NULL;
	if (!changes)
		return false;
	space->changes = changes;
	changes[space->nr++] = (struct change){
		.start = e->iova,
		.last = is_all(e) ? ~0ULL : e->iova + e->length - 1,
		.mapped = e->op < IOX_PROBE_unmap,
	};
	s->changes++;
	return true;
}

static bool copy(struct ranges *to, const struct ranges *from)
{
	for (size_t i = 0; i < from->nr; i++)
		if (!ranges_add(to, from->list[i].start, from->list[i].last))
			return false;
	return true;
}

/* An unmap of all tells nothing of what was there. */
static bool is_exact(const struct change *c)
{
	return c->start || c->last != ~0ULL;
}

/* The first change to a range: @c is the change, @start..@last what nothing was done to before. */
static bool settle(struct ranges *before, const struct change *c, __u64 start, __u64 last)
{
	struct ranges unknown = {};
	bool ok = true;

	if (c->mapped)
		return ranges_remove(before, start, last);
	ok = add_missing(before, start, last, &unknown);
	for (size_t i = 0; i < unknown.nr && ok; i++)
		ok = ranges_add(before, unknown.list[i].start, unknown.list[i].last);
	free(unknown.list);
	return ok;
}

static bool find_before(struct space *space)
{
	struct ranges touched = {};
	bool ok = true;

	/* What comes after an unmap of all tells nothing about the time before it. */
	for (size_t i = 0; i < space->nr && ok && is_exact(&space->changes[i]); i++) {
		const struct change *c = &space->changes[i];
		struct ranges first = {};

		ok = add_missing(&touched, c->start, c->last, &first);
		for (size_t m = 0; m < first.nr && ok; m++)
			ok = settle(&space->state[SPACE_BEFORE], c, first.list[m].start,
				    first.list[m].last);
		free(first.list);
		if (ok)
			ok = ranges_add(&touched, c->start, c->last);
	}
	free(touched.list);
	return ok;
}

/* The first @nr changes; the number of those after which most was mapped in @fullest, unless NULL. */
static bool replay(struct space *space, struct ranges *to, size_t nr, size_t *fullest)
{
	bool ok = copy(to, &space->state[SPACE_BEFORE]);
	__u64 most = to->bytes;

	for (size_t i = 0; i < nr && ok; i++) {
		const struct change *c = &space->changes[i];

		ok = c->mapped ? ranges_add(to, c->start, c->last) :
				 ranges_remove(to, c->start, c->last);
		if (fullest && to->bytes > most) {
			most = to->bytes;
			*fullest = i + 1;
		}
	}
	return ok;
}

static int by_changes(const void *a, const void *b)
{
	const struct space *x = a, *y = b;

	return (x->nr < y->nr) - (x->nr > y->nr);
}

static void free_space(struct space *space)
{
	for (int state = 0; state < SPACE_NR_STATES; state++)
		free(space->state[state].list);
	free(space->changes);
}

static void drop_unchanged(struct spaces *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->nr; i++) {
		if (s->list[i].nr)
			s->list[kept++] = s->list[i];
		else
			free_space(&s->list[i]);
	}
	s->nr = kept;
}

bool spaces_finish(struct spaces *s, bool changed)
{
	if (changed)
		drop_unchanged(s);
	for (size_t i = 0; i < s->nr; i++) {
		struct space *space = &s->list[i];

		if (!find_before(space) ||
		    !replay(space, &space->state[SPACE_END], space->nr, &space->fullest) ||
		    !replay(space, &space->state[SPACE_FULLEST], space->fullest, NULL))
			return false;
	}
	if (s->nr)
		qsort(s->list, s->nr, sizeof(*s->list), by_changes);
	return true;
}

void spaces_free(struct spaces *s)
{
	for (size_t i = 0; i < s->nr; i++)
		free_space(&s->list[i]);
	free(s->list);
}
