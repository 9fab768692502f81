// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <linux/iommufd.h>

#include "replay.h"

static struct replay_area *area_at(const struct replay_space *s, __u64 first, __u64 last)
{
	/* The range is its first member. */
	return (struct replay_area *)spans_find(&s->areas, first, last);
}

/* --- IOASes --------------------------------------------------------------- */

static int destroy(struct replay *r, __u32 number)
{
	struct replay_space *s = &r->spaces[number];
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = s->ioas };
	struct replay_area *area;
	int err;

	if (!s->ioas)
		return 0;
	while ((area = area_at(s, 0, ~0ULL))) {
		r->ops->unmap(r, number, area, true);
		spans_remove(&s->areas, &area->recorded);
		free(area);
	}
	err = ioctl(r->fd, IOMMU_DESTROY, &cmd) ? -errno : 0;
	s->ioas = 0;
	r->ops->space_gone(r, number);
	return err;
}

static int need_space(struct replay *r, __u32 number)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	if (r->spaces[number].ioas)
		return 0;
	if (ioctl(r->fd, IOMMU_IOAS_ALLOC, &cmd))
		return -errno;
	r->spaces[number].ioas = cmd.out_ioas_id;
	return r->ops->space_new(r, number);
}

/* --- requests ------------------------------------------------------------- */

static int unmap_area(struct replay *r, __u32 number, struct replay_area *area)
{
	int err = r->ops->unmap(r, number, area, false);

	spans_remove(&r->spaces[number].areas, &area->recorded);
	free(area);
	return err;
}

/* All that was mapped in @first..@last of the trace; -ENOENT if that is nothing. */
static int unmap_range(struct replay *r, __u32 number, __u64 first, __u64 last)
{
	struct replay_area *area = area_at(&r->spaces[number], first, last);
	int err = area ? 0 : -ENOENT, one;

	for (; area; area = area_at(&r->spaces[number], first, last)) {
		one = unmap_area(r, number, area);
		if (one)
			err = one;
	}
	return err;
}

static struct replay_area *make_area(const struct trace_request *req)
{
	struct replay_area *area = calloc(1, sizeof(*area));

	if (!area)
		return NULL;
	area->recorded.start = req->iova;
	area->recorded.last = req->iova + req->length - 1;
	area->addr = req->addr;
	area->run = req->run;
	return area;
}

/* What the trace has there already was unmapped unseen. */
static void add_area(struct replay *r, __u32 number, struct replay_area *area)
{
	unmap_range(r, number, area->recorded.start, area->recorded.last);
	spans_insert(&r->spaces[number].areas, &area->recorded);
}

/* *@result is what became of the request. */
static int map(struct replay *r, const struct trace_request *req, int *result)
{
	int err = need_space(r, req->space);
	struct replay_area *area;

	if (err)
		return err;
	area = make_area(req);
	if (!area)
		return -ENOMEM;
	*result = r->ops->map(r, req, area);
	if (*result) {
		free(area);
		return 0;
	}
	area->now.last = area->now.start + req->length - 1;
	if (!req->err) {
		add_area(r, req->space, area);
		return 0;
	}
	/* Nobody is going to unmap it. */
	r->ops->unmap(r, req->space, area, false);
	free(area);
	return 0;
}

/* An unmap of all has a length that wraps. */
static __u64 last_of(const struct trace_request *req)
{
	__u64 last = req->iova + req->length - 1;

	return last < req->iova ? ~0ULL : last;
}

static bool is_for_nothing(const struct replay *r, const struct trace_request *req)
{
	if (trace_is_map(req->op))
		return req->err && !r->ops->make_failed;
	/* What could not be mapped here cannot be unmapped either. */
	return req->err || (req->op == TRACE_UNMAP &&
			    !area_at(&r->spaces[req->space], req->iova, last_of(req)));
}

static int step(struct replay *r, const struct trace_request *req)
{
	int err = 0, result = 0;

	if (is_for_nothing(r, req)) {
		r->skipped++;
		return 0;
	}
	if (trace_is_map(req->op)) {
		r->maps++;
		err = map(r, req, &result);
	} else if (req->op == TRACE_UNMAP) {
		r->unmaps++;
		result = unmap_range(r, req->space, req->iova, last_of(req));
	} else {
		result = destroy(r, req->space);
	}
	if (!err && r->ops->done)
		r->ops->done(r, req, result);
	return err;
}

int replay_run(struct replay *r, const struct trace *trace)
{
	int err = 0;

	r->nr_spaces = trace->spaces + 1;
	r->spaces = calloc(r->nr_spaces, sizeof(*r->spaces));
	if (!r->spaces)
		return -ENOMEM;
	for (size_t i = 0; i < trace->nr && !err; i++)
		err = step(r, &trace->list[i]);
	return err;
}

void replay_free(struct replay *r)
{
	for (__u32 i = 0; r->spaces && i < r->nr_spaces; i++)
		destroy(r, i);
	free(r->spaces);
	r->spaces = NULL;
}
