// SPDX-License-Identifier: GPL-2.0
/* iox report: which IOVAs were mapped before, at the fullest, and at the end, from events. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/msg.h"
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
	if (!ranges_remove(r, start, last, NULL) ||
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

bool ranges_remove(struct ranges *r, __u64 start, __u64 last, struct ranges *missing)
{
	size_t at = first_from(r, start), before;
	__u64 next = start;

	while (at < r->nr && r->list[at].start <= last) {
		struct range old = r->list[at];
		__u64 from = old.start > start ? old.start : start;
		__u64 to = old.last < last ? old.last : last;

		if (missing && from > next && !ranges_add(missing, next, from - 1))
			return false;
		before = r->nr;
		if (!cut(r, at, start, last))
			return false;
		r->bytes -= to - from + 1;
		if (to == last)
			return true;
		next = to + 1;
		/* What is gone makes room for the next one. */
		at += r->nr == before;
	}
	return !missing || ranges_add(missing, next, last);
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

static struct space *find_space(struct spaces *s, const struct iox_event *e)
{
	struct space *list;

	for (size_t i = s->nr; i--;)
		if (s->list[i].ctx_id == e->ctx_id && s->list[i].ioas_id == e->ioas_id)
			return &s->list[i];
	list = grown(s->list, s->nr, &s->room, sizeof(*list));
	if (!list)
		return NULL;
	s->list = list;
	list[s->nr] = (struct space){ .ctx_id = e->ctx_id, .ioas_id = e->ioas_id };
	return &list[s->nr++];
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

/* What is unmapped and was not mapped meanwhile had been there before. Also finds the fullest. */
static bool find_before(struct space *space)
{
	struct ranges now = {}, touched = {};
	__u64 most = 0;
	bool ok = true;

	for (size_t i = 0; i < space->nr && ok; i++) {
		const struct change *c = &space->changes[i];
		struct ranges missing = {};

		if (c->mapped) {
			ok = ranges_add(&now, c->start, c->last);
			if (now.bytes > most) {
				most = now.bytes;
				space->fullest = i + 1;
			}
		} else if (is_exact(c)) {
			ok = ranges_remove(&now, c->start, c->last, &missing);
			for (size_t m = 0; m < missing.nr && ok; m++)
				ok = ranges_remove(&touched, missing.list[m].start,
						   missing.list[m].last, &space->state[SPACE_BEFORE]);
			free(missing.list);
		} else {
			now.nr = 0;
			now.bytes = 0;
		}
		if (ok && is_exact(c))
			ok = ranges_add(&touched, c->start, c->last);
	}
	free(now.list);
	free(touched.list);
	return ok;
}

static bool replay(struct space *space, struct ranges *to, size_t nr)
{
	bool ok = copy(to, &space->state[SPACE_BEFORE]);

	for (size_t i = 0; i < nr && ok; i++) {
		const struct change *c = &space->changes[i];

		ok = c->mapped ? ranges_add(to, c->start, c->last) :
				 ranges_remove(to, c->start, c->last, NULL);
	}
	return ok;
}

static int by_changes(const void *a, const void *b)
{
	const struct space *x = a, *y = b;

	return (x->nr < y->nr) - (x->nr > y->nr);
}

bool spaces_finish(struct spaces *s)
{
	for (size_t i = 0; i < s->nr; i++) {
		struct space *space = &s->list[i];

		if (!find_before(space) ||
		    !replay(space, &space->state[SPACE_FULLEST], space->fullest) ||
		    !replay(space, &space->state[SPACE_END], space->nr))
			return false;
	}
	if (s->nr)
		qsort(s->list, s->nr, sizeof(*s->list), by_changes);
	return true;
}

void spaces_free(struct spaces *s)
{
	for (size_t i = 0; i < s->nr; i++) {
		for (int state = 0; state < SPACE_NR_STATES; state++)
			free(s->list[i].state[state].list);
		free(s->list[i].changes);
	}
	free(s->list);
}
