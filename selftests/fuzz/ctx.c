// SPDX-License-Identifier: GPL-2.0-only
/* Contexts and IOASes: made, looked at, configured, destroyed, closed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fuzz.h"

struct ctx *pick_ctx(struct world *w)
{
	return vec_pick(w, &w->ctxs);
}

struct ioas *pick_ioas(struct world *w)
{
	struct ctx *ctx = pick_ctx(w);

	return ctx ? vec_pick(w, &ctx->ioases) : NULL;
}

int any_fd(struct ctx *ctx)
{
	struct world *w = ctx->w;

	if (ctx->holders & 1)
		return ctx->fd;
	for (unsigned int i = 0; i < w->ctxs.nr; i++)
		if (w->ctxs.at[i]->holders & 1)
			return w->ctxs.at[i]->fd;
	return -1;
}

void new_id(struct ctx *ctx, __u32 id)
{
	bool fresh = id;

	for (unsigned int i = 0; i < ctx->ioases.nr; i++) {
		struct ioas *ioas = ctx->ioases.at[i];

		fresh &= ioas->id != id;
		for (unsigned int j = 0; j < ioas->hwpts.nr; j++)
			fresh &= ioas->hwpts.at[j]->id != id;
	}
	for (unsigned int i = 0; i < ctx->devices.nr; i++)
		fresh &= ctx->devices.at[i]->stdev != id &&
			 ctx->devices.at[i]->idev != id;
	if (!fresh)
		mismatch(ctx->w, "id %u for a new object is in use", id);
}

/* --- life and death -------------------------------------------------------------- */

struct ctx *ctx_new(struct world *w, int fd, bool common)
{
	struct ctx *ctx = calloc(1, sizeof(*ctx));

	if (!ctx)
		broken(w, "memory for a context's model");
	ctx->w = w;
	ctx->fd = fd;
	ctx->holders = 1;
	ctx->common = common;
	vec_add(&w->ctxs, ctx);
	return ctx;
}

void ioas_free(struct ioas *ioas)
{
	while (ioas->areas.nr)
		area_del(ioas->areas.at[0]);
	vec_del(&ioas->ctx->ioases, ioas);
	free(ioas);
}

void ctx_reap(struct ctx *ctx)
{
	if (ctx->holders || ctx->accesses.nr)
		return;
	while (ctx->devices.nr)
		device_forget(ctx->devices.at[0]);
	while (ctx->ioases.nr) {
		struct ioas *ioas = ctx->ioases.at[0];

		while (ioas->hwpts.nr)
			hwpt_forget(ioas->hwpts.at[0]);
		ioas_free(ioas);
	}
	vec_del(&ctx->w->ctxs, ctx);
	free(ctx);
}

void ctx_leave(struct ctx *ctx, unsigned int mm)
{
	ctx->holders &= ~(1U << mm);
	ctx_reap(ctx);
}

void op_ctx_open(struct world *w)
{
	int fd;

	if (vec_full(&w->ctxs))
		return;
	note(w, "open");
	fd = iommufd_open();
	must_work(w, fd < 0 ? fd : 0);
	ctx_new(w, fd, false);
}

void ctx_close(struct ctx *ctx)
{
	struct world *w = ctx->w;
	int rc;

	note(w, "close a context");
	lock_fork(w);
	rc = close(ctx->fd) ? -errno : 0;
	unlock_fork(w);
	must_work(w, rc);
	ctx_leave(ctx, 0);
}

void op_ctx_close(struct world *w)
{
	struct ctx *ctx = pick_ctx(w);

	if (ctx && !ctx->common && ctx->holders & 1)
		ctx_close(ctx);
}

struct ioas *ioas_new(struct ctx *ctx, __u32 id)
{
	struct ioas *ioas = calloc(1, sizeof(*ioas));

	if (!ioas)
		broken(ctx->w, "memory for an IOAS's model");
	new_id(ctx, id);
	ioas->ctx = ctx;
	ioas->id = id;
	vec_add(&ctx->ioases, ioas);
	return ioas;
}

void op_ioas_alloc(struct world *w)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };
	struct ctx *ctx = pick_ctx(w);
	struct mm *mm;

	if (!ctx || vec_full(&ctx->ioases))
		return;
	mm = pick_mm(w, ctx->holders);
	if (!mm)
		return;
	note(w, "mm %u ioas alloc", mm->number);
	must_work(w, mm_ioctl(mm, ctx->fd, IOMMU_IOAS_ALLOC, &cmd,
			      sizeof(cmd)));
	note_more(w, " %u", cmd.out_ioas_id);
	ioas_new(ctx, cmd.out_ioas_id);
}

/* The world itself has the context open. */
static int destroy(struct ctx *ctx, __u32 id)
{
	struct iommu_destroy cmd = { .size = sizeof(cmd), .id = id };
	struct mm *mm = pick_mm(ctx->w, ctx->holders);

	return mm_ioctl(mm, ctx->fd, IOMMU_DESTROY, &cmd, sizeof(cmd));
}

static void destroy_ioas(struct ioas *ioas)
{
	struct answer lawful = {};
	struct world *w = ioas->ctx->w;

	if (ioas->common || !(ioas->ctx->holders & 1))
		return;
	note(w, "destroy ioas %u", ioas->id);
	if (ioas->hwpts.nr || ioas->accesses)
		may_fail(&lawful, EBUSY);
	if (judge(w, destroy(ioas->ctx, ioas->id), &lawful))
		ioas_free(ioas);
}

static void destroy_hwpt(struct hwpt *hwpt)
{
	struct ctx *ctx = hwpt->ioas->ctx;
	struct answer lawful = {};

	note(ctx->w, "destroy hwpt %u", hwpt->id);
	if (hwpt->devices)
		may_fail(&lawful, EBUSY);
	if (judge(ctx->w, destroy(ctx, hwpt->id), &lawful))
		hwpt_forget(hwpt);
}

void op_destroy(struct world *w)
{
	struct ioas *ioas = pick_ioas(w);
	struct answer lawful = {};
	struct device *device;

	if (!ioas || !(ioas->ctx->holders & 1))
		return;
	switch (rnd(w, 4)) {
	case 0:
		if (one_in(w, 2))
			destroy_ioas(ioas);
		return;
	case 1:
		if (ioas->hwpts.nr)
			destroy_hwpt(vec_pick(w, &ioas->hwpts));
		return;
	case 2:
		device = vec_pick(w, &ioas->ctx->devices);
		if (!device)
			return;
		note(w, "destroy bound device %u", device->idev);
		may_fail(&lawful, EBUSY);
		judge(w, destroy(ioas->ctx, device->idev), &lawful);
		return;
	default:
		note(w, "destroy nothing");
		may_fail(&lawful, ENOENT);
		judge(w, destroy(ioas->ctx, one_in(w, 2) ? 0 : NO_ID),
		      &lawful);
	}
}

/* --- ranges ---------------------------------------------------------------------- */

static void check_ranges(struct ioas *ioas, __u32 room)
{
	struct iommu_iova_range ranges[MAX_RANGES + 4] = {};
	struct range windows[MAX_RANGES + 4];
	unsigned int nr = ioas_windows(ioas, windows);
	struct world *w = ioas->ctx->w;
	struct answer lawful = {};
	__u64 align;
	__u32 count = room;

	note(w, "ranges of ioas %u, room for %u of %u", ioas->id, room, nr);
	if (room < nr)
		may_fail(&lawful, EMSGSIZE);
	judge(w, ioas_ranges(ioas->ctx->fd, ioas->id, ranges, &count, &align),
	      &lawful);
	if (count != nr || align != ioas_align(ioas))
		mismatch(w, "%u ranges, aligned to %llu, instead of %u, %llu",
			 count, align, nr, ioas_align(ioas));
	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct range want = {};

		if (i < room && i < nr)
			want = windows[i];
		if (ranges[i].start != want.first || ranges[i].last != want.last)
			mismatch(w, "range %u is %llx-%llx instead of %llx-%llx",
				 i, ranges[i].start, ranges[i].last,
				 want.first, want.last);
	}
}

void ioas_verify_ranges(struct ioas *ioas)
{
	if (ioas->ctx->holders & 1)
		check_ranges(ioas, MAX_RANGES + 3);
}

void op_ranges(struct world *w)
{
	struct ioas *ioas = pick_ioas(w);

	if (ioas && ioas->ctx->holders & 1)
		check_ranges(ioas, rnd(w, 6));
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

static void expect_allow(struct ioas *ioas, const struct range *ranges,
			 unsigned int nr, struct answer *lawful)
{
	struct range windows[MAX_RANGES + 4];
	unsigned int nr_windows = ioas_windows(ioas, windows);

	for (unsigned int i = 0; i < nr; i++) {
		bool inside = false;

		if (ranges[i].last < ranges[i].first ||
		    (i && ranges[i].first <= ranges[i - 1].last))
			may_fail(lawful, EINVAL);
		for (unsigned int j = 0; j < nr_windows; j++)
			inside |= windows[j].first <= ranges[i].first &&
				  ranges[i].last <= windows[j].last;
		if (!inside)
			may_fail(lawful, EADDRINUSE);
	}
}

void op_allow(struct world *w)
{
	struct ioas *ioas = pick_ioas(w);
	unsigned int nr = rnd(w, 4);
	struct range ranges[4];
	struct iommu_ioas_allow_iovas cmd = {
		.size = sizeof(cmd),
		.num_iovas = nr,
		.allowed_iovas = (uintptr_t)ranges,
	};
	struct answer lawful = {};

	if (!ioas || ioas->common || !(ioas->ctx->holders & 1))
		return;
	for (unsigned int i = 0; i < nr; i++) {
		ranges[i].first = pick_iova(w, ioas, PAGE);
		ranges[i].last = ranges[i].first + rnd(w, 64 * PAGE);
		/* Wrapped on purpose now and then, not by bad luck */
		if (ranges[i].last < ranges[i].first && !one_in(w, 8))
			ranges[i].last = UINT64_MAX;
	}
	cmd.ioas_id = ioas->id;
	note(w, "allow %u ranges in ioas %u", nr, ioas->id);
	for (unsigned int i = 0; i < nr; i++)
		note_more(w, " %llx-%llx", ranges[i].first, ranges[i].last);
	qsort(ranges, nr, sizeof(*ranges), compare_ranges);
	expect_allow(ioas, ranges, nr, &lawful);
	if (nr > 1 && one_in(w, 2)) {
		struct range first = ranges[0];

		ranges[0] = ranges[nr - 1];
		ranges[nr - 1] = first;
	}
	if (!judge(w, xioctl(ioas->ctx->fd, IOMMU_IOAS_ALLOW_IOVAS, &cmd),
		   &lawful))
		return;
	ioas->nr_allowed = nr;
	memcpy(ioas->allowed, ranges, nr * sizeof(*ranges));
}

void op_reserve(struct world *w)
{
	struct ioas *ioas = pick_ioas(w);
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_ADD_RESERVED,
	};
	struct answer lawful = {};
	struct range range;

	if (!ioas || ioas->common || ioas->nr_reserved == 6 ||
	    !(ioas->ctx->holders & 1))
		return;
	range.first = pick_iova(w, ioas, PAGE);
	range.last = range.first + rnd(w, 8 * PAGE);
	if (range.last < range.first)
		range.last = UINT64_MAX;
	cmd.id = ioas->id;
	cmd.add_reserved.start = range.first;
	cmd.add_reserved.length = range.last - range.first + 1;
	note(w, "reserve %llx-%llx in ioas %u", range.first, range.last,
	     ioas->id);
	expect_reserve(ioas, range.first, range.last, &lawful);
	if (judge(w, xioctl(ioas->ctx->fd, IOMMU_TEST_CMD, &cmd), &lawful))
		ioas->reserved[ioas->nr_reserved++] = range;
}

/* --- options ---------------------------------------------------------------------- */

static int option(struct ctx *ctx, __u32 id, __u16 op, __u32 object,
		  __u64 *value)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = id,
		.op = op,
		.object_id = object,
		.val64 = *value,
	};
	int rc = xioctl(ctx->fd, IOMMU_OPTION, &cmd);

	*value = cmd.val64;
	return rc;
}

static void get_option(struct ctx *ctx, __u32 id, __u32 object, __u64 want)
{
	__u64 value = 42;

	note(ctx->w, "option %u get", id);
	must_work(ctx->w, option(ctx, id, IOMMU_OPTION_OP_GET, object, &value));
	if (value != want)
		mismatch(ctx->w, "option is %llu instead of %llu", value, want);
}

static void set_rlimit_mode(struct ctx *ctx)
{
	struct world *w = ctx->w;
	struct answer lawful = {};
	__u64 value = rnd(w, 3), given = value;

	note(w, "rlimit mode %llu", value);
	if (value > 1)
		may_fail(&lawful, EINVAL);
	if (ctx->ioases.nr || ctx->accesses.nr)
		may_fail(&lawful, EBUSY);
	if (judge(w, option(ctx, IOMMU_OPTION_RLIMIT_MODE, IOMMU_OPTION_OP_SET,
			    0, &given), &lawful))
		ctx->rlimit_mode = value;
}

static void set_huge_pages(struct ioas *ioas)
{
	struct world *w = ioas->ctx->w;
	struct answer lawful = {};
	__u64 value = rnd(w, 5) % 3, given = value;

	note(w, "huge pages of ioas %u %llu", ioas->id, value);
	if (value > 1)
		may_fail(&lawful, EINVAL);
	if (!value && !ioas->small_pages) {
		if (ioas->hwpts.nr && ioas->areas.nr)
			may_fail(&lawful, EINVAL);
		if (misaligned(ioas, PAGE))
			may_fail(&lawful, EADDRINUSE);
	}
	if (judge(w, option(ioas->ctx, IOMMU_OPTION_HUGE_PAGES,
			    IOMMU_OPTION_OP_SET, ioas->id, &given), &lawful))
		ioas->small_pages = !value;
}

void op_option(struct world *w)
{
	struct ctx *ctx = pick_ctx(w);
	struct ioas *ioas;

	if (!ctx || !(ctx->holders & 1))
		return;
	ioas = vec_pick(w, &ctx->ioases);
	switch (rnd(w, 4)) {
	case 0:
		get_option(ctx, IOMMU_OPTION_RLIMIT_MODE, 0, ctx->rlimit_mode);
		return;
	case 1:
		set_rlimit_mode(ctx);
		return;
	case 2:
		if (ioas)
			get_option(ctx, IOMMU_OPTION_HUGE_PAGES, ioas->id,
				   !ioas->small_pages);
		return;
	default:
		if (ioas && !ioas->common)
			set_huge_pages(ioas);
	}
}

void op_change_process(struct world *w)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };
	struct ctx *ctx = pick_ctx(w);
	struct answer lawful = {};
	struct mm *mm;

	mm = ctx ? pick_mm(w, ctx->holders) : NULL;
	if (!mm)
		return;
	note(w, "mm %u change process", mm->number);
	for (unsigned int i = 0; i < ctx->ioases.nr; i++) {
		struct ioas *ioas = ctx->ioases.at[i];

		for (unsigned int j = 0; j < ioas->areas.nr; j++)
			if (!ioas->areas.at[j]->pages->file)
				may_fail(&lawful, EINVAL);
	}
	/* Others may have mapped what belongs to a process. */
	if (ctx->common && !lawful.nr) {
		lawful.may_succeed = true;
		may_fail(&lawful, EINVAL);
	}
	judge(w, mm_ioctl(mm, ctx->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd,
			  sizeof(cmd)), &lawful);
}

/* How much memory the kernel may take for an array: answers do not change. */
void op_memory_limit(struct world *w)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT,
		.memory_limit.limit = one_in(w, 2) ? 65536 : 1 + rnd(w, 256),
	};
	struct ctx *ctx = pick_ctx(w);

	if (!ctx || !(ctx->holders & 1))
		return;
	note(w, "memory limit %u", cmd.memory_limit.limit);
	must_work(w, xioctl(ctx->fd, IOMMU_TEST_CMD, &cmd));
}
