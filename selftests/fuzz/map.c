// SPDX-License-Identifier: GPL-2.0-only
/* Map, copy and unmap. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"

/* Where most mappings go: few enough pages that they meet. */
#define BUSY_PAGES 256

/* --- what to map, and where -------------------------------------------------------- */

static __u64 iova_at_an_edge(struct world *w, __u64 length)
{
	static const __u64 edges[] = {
		0, PAGE, APERTURE_FIRST, APERTURE_LAST + 1, 1ULL << 32,
		1ULL << 63,
	};
	__u64 edge = edges[rnd(w, ARRAY_SIZE(edges))];

	switch (rnd(w, 3)) {
	case 0:
		return edge;
	case 1:
		return edge - length;
	default:
		return edge - length / 2;
	}
}

static __u64 iova_at_an_area(struct world *w, const struct ioas *ioas,
			     __u64 length)
{
	const struct area *area = vec_pick(w, &ioas->areas);

	switch (rnd(w, 4)) {
	case 0:
		return area->last + 1;
	case 1:
		return area->iova - length;
	case 2:
		return area->iova;
	default:
		return area->last + 1 - PAGE;
	}
}

static __u64 iova_in_window(struct world *w, const struct ioas *ioas,
			    __u64 length)
{
	__u64 pages = (ioas->window.last - ioas->window.first + 1) / PAGE;
	__u64 need = (length + 2 * PAGE - 1) / PAGE;

	if (need >= pages)
		return ioas->window.first;
	return ioas->window.first + rnd(w, pages - need) * PAGE;
}

__u64 pick_iova(struct world *w, struct ioas *ioas, __u64 length)
{
	__u64 iova;

	if (ioas->common)
		return iova_in_window(w, ioas, length);
	if (ioas->areas.nr && one_in(w, 6))
		return iova_at_an_area(w, ioas, length);
	if (one_in(w, 10))
		return iova_at_an_edge(w, length);
	if (one_in(w, 40))
		return rnd64(w);
	iova = APERTURE_FIRST + rnd(w, BUSY_PAGES) * PAGE;
	if (one_in(w, 16))
		iova += MOCK_PAGE_SIZE;
	if (one_in(w, 60))
		iova += rnd(w, PAGE);
	return iova;
}

static __u64 pick_length(struct world *w, __u64 most)
{
	__u64 length = (1 + rnd(w, one_in(w, 4) ? 32 : 4)) * PAGE;

	if (one_in(w, 12))
		length -= MOCK_PAGE_SIZE;
	if (one_in(w, 40))
		length -= rnd(w, PAGE);
	return length < most ? length : most;
}

struct span pick_span(struct world *w, bool stable)
{
	unsigned long page = rnd(w, 60), room = 64;
	unsigned long block = stable ? BLOCK_STABLE : rnd(w, 6);
	struct span span = {};

	if (block >= NR_BLOCKS)
		block = BLOCK_SMALL;
	if (block != BLOCK_STABLE)
		page = rnd(w, 110);
	if (block != BLOCK_STABLE)
		room = BLOCK_PAGES;
	if (block > BLOCK_SMALL && one_in(w, 3)) {
		span.addr = arena_addr(w, block * BLOCK_PAGES);
		span.length = BLOCK_PAGES * PAGE;
		return span;
	}
	span.addr = arena_addr(w, block * BLOCK_PAGES + page);
	span.length = pick_length(w, (room - page) * PAGE);
	/* Others' mappings of it, and this, have the same alignment. */
	if (stable)
		span.length = (span.length + PAGE - 1) / PAGE * PAGE;
	else if (one_in(w, 16))
		span.addr += MOCK_PAGE_SIZE;
	else if (one_in(w, 60))
		span.addr += rnd(w, PAGE);
	return span;
}

/* --- mapping ------------------------------------------------------------------------ */

struct plan {
	struct mm *mm;			/* who makes the call */
	struct ioas *ioas;
	struct pages *pages;
	__u64 start;			/* of the first byte in pages */
	__u64 length;
	__u32 flags;
	__u64 iova;
	/* one of these */
	unsigned long addr;
	struct file *file;
	struct area *source;
};

static int call_map(struct plan *plan)
{
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = plan->flags,
		.ioas_id = plan->ioas->id,
		.user_va = plan->addr,
		.length = plan->length,
		.iova = plan->iova,
	};
	int rc = mm_ioctl(plan->mm, plan->ioas->ctx->fd, IOMMU_IOAS_MAP, &cmd,
			  sizeof(cmd));

	plan->iova = cmd.iova;
	return rc;
}

static int call_map_file(struct plan *plan)
{
	struct iommu_ioas_map_file cmd = {
		.size = sizeof(cmd),
		.flags = plan->flags,
		.ioas_id = plan->ioas->id,
		.fd = plan->file->fd,
		.start = plan->pages->base + plan->start,
		.length = plan->length,
		.iova = plan->iova,
	};
	int rc = mm_ioctl(plan->mm, plan->ioas->ctx->fd, IOMMU_IOAS_MAP_FILE,
			  &cmd, sizeof(cmd));

	plan->iova = cmd.iova;
	return rc;
}

static int call_copy(struct plan *plan)
{
	struct area *source = plan->source;
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = plan->flags,
		.dst_ioas_id = plan->ioas->id,
		.src_ioas_id = source->ioas->id,
		.length = plan->length,
		.dst_iova = plan->iova,
		.src_iova = source->iova + (plan->start - source->start),
	};
	int rc = mm_ioctl(plan->mm, plan->ioas->ctx->fd, IOMMU_IOAS_COPY, &cmd,
			  sizeof(cmd));

	plan->iova = cmd.dst_iova;
	return rc;
}

static void check_auto(const struct plan *plan, __u64 hint, bool take_hint)
{
	struct world *w = plan->ioas->ctx->w;

	note_more(w, " at %llx", plan->iova);
	if (!auto_is_sound(plan->ioas, plan->iova, plan->length,
			   plan->pages->base + plan->start))
		mismatch(w, "automatic IOVA %llx is taken, reserved or odd",
			 plan->iova);
	if (w->is_iox && !hint && !plan->iova)
		mismatch(w, "automatic IOVA 0");
	if (take_hint && plan->iova != hint)
		mismatch(w, "IOVA %llx although %llx was hinted at and free",
			 plan->iova, hint);
}

static void look_at(struct area *area)
{
	struct ioas *ioas = area->ioas;
	struct world *w = ioas->ctx->w;
	struct access *access = ioas_access(ioas);

	if (access && one_in(w, 2))
		access_verify(access, area);
	if (ioas->hwpts.nr && one_in(w, 2))
		hwpt_verify(vec_pick(w, &ioas->hwpts), area);
}

/* Makes the call and learns from the answer; the plan's pages are put. */
static void map_planned(struct plan *plan, int (*call)(struct plan *plan))
{
	struct ioas *ioas = plan->ioas;
	struct world *w = ioas->ctx->w;
	bool fixed = plan->flags & IOMMU_IOAS_MAP_FIXED_IOVA;
	__u64 addr = plan->pages->base + plan->start, hint = plan->iova;
	struct area area = {
		.ioas = ioas, .iova = plan->iova,
		.last = plan->iova + plan->length - 1,
		.pages = plan->pages, .start = plan->start,
		.readable = plan->flags & IOMMU_IOAS_MAP_READABLE,
		.writable = plan->flags & IOMMU_IOAS_MAP_WRITEABLE,
	};
	struct answer lawful = {};
	bool filled, take_hint;

	if (fixed)
		expect_fixed(ioas, plan->iova, plan->length, addr, &lawful);
	else
		expect_auto(ioas, plan->length, addr, &lawful);
	take_hint = !fixed && w->is_iox && hint && !ioas->common &&
		    auto_is_sound(ioas, hint, plan->length, addr);
	filled = area_fill(&area, &lawful);
	if (judge(w, call(plan), &lawful)) {
		if (!fixed)
			check_auto(plan, hint, take_hint);
		area.iova = plan->iova;
		area.last = plan->iova + plan->length - 1;
		look_at(area_add(&area));
	} else if (filled) {
		area_empty(&area);
	}
	pages_put(plan->pages);
}

static __u32 pick_flags(struct world *w, const struct ioas *ioas)
{
	__u32 flags = MAP_RW;

	if (one_in(w, 4))
		flags = IOMMU_IOAS_MAP_READABLE;
	else if (one_in(w, 16))
		flags = IOMMU_IOAS_MAP_WRITEABLE;
	if (!one_in(w, ioas->nr_allowed ? 2 : 5))
		flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
	return flags;
}

/* Room in the model, somebody who can call, and where */
static bool plan_target(struct world *w, struct plan *plan, __u32 holders)
{
	struct ioas *ioas = plan->ioas;

	if (!ioas || vec_full(&ioas->areas))
		return false;
	plan->mm = pick_mm(w, ioas->common ? 1 : ioas->ctx->holders & holders);
	if (!plan->mm)
		return false;
	plan->flags = pick_flags(w, ioas);
	if (plan->flags & IOMMU_IOAS_MAP_FIXED_IOVA || one_in(w, 3))
		plan->iova = pick_iova(w, ioas, plan->length);
	return true;
}

static void note_plan(const char *what, const struct plan *plan)
{
	note(plan->ioas->ctx->w,
	     "mm %u %s %llu bytes to ioas %u at %llx flags %x addr %llx",
	     plan->mm->number, what, plan->length, plan->ioas->id, plan->iova,
	     plan->flags, plan->pages->base + plan->start);
}

void op_map(struct world *w)
{
	struct plan plan = { .ioas = pick_ioas(w) };
	struct span span;

	if (!plan.ioas)
		return;
	span = pick_span(w, plan.ioas->common);
	plan.length = span.length;
	plan.addr = span.addr;
	if (!plan_target(w, &plan, ~0U))
		return;
	plan.pages = pages_of_mm(plan.mm, span.addr, span.length,
				 plan.flags & IOMMU_IOAS_MAP_WRITEABLE);
	plan.start = span.addr % PAGE;
	note_plan("map", &plan);
	map_planned(&plan, call_map);
}

void op_map_file(struct world *w)
{
	struct file *file = pick_file(w);
	struct plan plan = { .ioas = pick_ioas(w), .file = file };
	__u64 from, most = FILE_PAGES * PAGE;

	if (!file || !plan.ioas || plan.ioas->common)
		return;
	from = rnd(w, file->hugetlb ? BLOCK_PAGES / 2 : 24) * PAGE;
	if (one_in(w, 16))
		from += MOCK_PAGE_SIZE;
	plan.length = pick_length(w, most - from);
	if (file->hugetlb && one_in(w, 3)) {
		from = 0;
		plan.length = most;
	}
	if (!plan_target(w, &plan, file->holders))
		return;
	plan.pages = pages_of_file(file, from, plan.length,
				   plan.flags & IOMMU_IOAS_MAP_WRITEABLE);
	plan.start = from % PAGE;
	note_plan(file->hugetlb ? "map hugetlb file" : "map file", &plan);
	map_planned(&plan, call_map_file);
}

/* --- copy ------------------------------------------------------------------------------ */

/* A range that no single area holds is not there to be copied. */
static void copy_nothing(struct plan *plan)
{
	struct area *source = plan->source;
	struct world *w = plan->ioas->ctx->w;
	struct answer lawful = {};
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = plan->flags,
		.dst_ioas_id = plan->ioas->id,
		.src_ioas_id = source->ioas->id,
		.length = area_length(source) + PAGE,
		.dst_iova = plan->iova,
		.src_iova = source->iova,
	};

	if (cmd.src_iova + cmd.length - 1 < cmd.src_iova)
		return;
	/* Linux's own copies several areas as well, if nothing is between. */
	if (!w->is_iox && area_at(source->ioas, source->last + 1))
		return;
	note(w, "copy past the end of %llx of ioas %u", source->iova,
	     source->ioas->id);
	may_fail(&lawful, ENOENT);
	judge(w, mm_ioctl(plan->mm, plan->ioas->ctx->fd, IOMMU_IOAS_COPY, &cmd,
			  sizeof(cmd)), &lawful);
}

/* The kernel gives what the memory was mapped for, and no more. */
static void copy_forbidden(struct plan *plan)
{
	struct world *w = plan->ioas->ctx->w;
	struct answer lawful = {};

	note_plan("copy as writable", plan);
	may_fail(&lawful, EPERM);
	judge(w, call_copy(plan), &lawful);
}

void op_copy(struct world *w)
{
	struct ioas *from = pick_ioas(w);
	struct area *source = from ? vec_pick(w, &from->areas) : NULL;
	struct plan plan = { .source = source };
	__u64 skip = 0;

	if (!source)
		return;
	plan.ioas = vec_pick(w, &from->ctx->ioases);
	/* What others attach domains to must be there to stay. */
	if (plan.ioas->common != from->common)
		return;
	plan.length = area_length(source);
	if (plan.length > PAGE && one_in(w, 3)) {
		skip = rnd(w, plan.length / PAGE) * PAGE;
		plan.length = plan.length - skip;
		if (plan.length > PAGE && one_in(w, 2))
			plan.length = PAGE;
	}
	plan.start = source->start + skip;
	if (!plan_target(w, &plan, ~0U))
		return;
	plan.pages = source->pages;
	if (one_in(w, 12)) {
		copy_nothing(&plan);
	} else if (plan.flags & IOMMU_IOAS_MAP_WRITEABLE &&
		   !source->pages->writable) {
		copy_forbidden(&plan);
	} else {
		plan.pages->refs++;
		note_plan("copy", &plan);
		note_more(w, " from %llx+%llx of ioas %u", source->iova, skip,
			  from->id);
		map_planned(&plan, call_copy);
	}
}

/* --- unmap ------------------------------------------------------------------------------ */

/* What an unmap would hit: bytes, and whether an area is only partly in it */
static __u64 victims(const struct ioas *ioas, __u64 first, __u64 last,
		     bool *partly)
{
	__u64 bytes = 0;

	*partly = false;
	for (unsigned int i = 0; i < ioas->areas.nr; i++) {
		const struct area *area = ioas->areas.at[i];

		if (area->last < first || area->iova > last)
			continue;
		if (area->iova < first || area->last > last)
			*partly = true;
		bytes += area_length(area);
	}
	return bytes;
}

static void forget_areas(struct ioas *ioas, __u64 first, __u64 last)
{
	for (unsigned int i = ioas->areas.nr; i > 0; i--) {
		struct area *area = ioas->areas.at[i - 1];

		if (area->last < first || area->iova > last)
			continue;
		area_empty(area);
		area_del(area);
	}
}

/* What accesses held of the areas is let go, and before that of the areas. */
static void drop_victims_holds(struct ioas *ioas, __u64 first, __u64 last)
{
	for (unsigned int i = 0; i < ioas->areas.nr; i++) {
		const struct area *area = ioas->areas.at[i];

		if (area->last >= first && area->iova <= last)
			holds_dropped(ioas, area->iova, area->last);
	}
}

static void unmap_range(struct ioas *ioas, struct mm *mm, __u64 iova,
			__u64 length)
{
	bool all = !iova && length == UINT64_MAX, partly;
	__u64 last = all ? UINT64_MAX : iova + length - 1;
	__u64 bytes = victims(ioas, iova, last, &partly);
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas->id,
		.iova = iova,
		.length = length,
	};
	/* Claims go where no area does, or with all. */
	bool claims = all || !bytes;
	struct world *w = ioas->ctx->w;
	struct answer lawful = {};

	if (claims)
		bytes += claims_bytes(ioas, iova, last);
	note(w, "mm %u unmap %llx+%llx of ioas %u", mm->number, iova, length,
	     ioas->id);
	if (partly || (!bytes && !all))
		may_fail(&lawful, ENOENT);
	if (!judge(w, mm_ioctl(mm, ioas->ctx->fd, IOMMU_IOAS_UNMAP, &cmd,
			       sizeof(cmd)), &lawful)) {
		if (cmd.length != length)
			mismatch(w, "failed unmap says it did %llx bytes",
				 cmd.length);
		/* It may have had them let go before it saw that it cannot. */
		holds_let_go(ioas, iova, last);
		return;
	}
	if (cmd.length != bytes)
		mismatch(w, "%llx bytes unmapped instead of %llx", cmd.length,
			 bytes);
	drop_victims_holds(ioas, iova, last);
	forget_areas(ioas, iova, last);
	if (claims)
		claims_cut(ioas, iova, last);
	if (bytes)
		ioas_verify_gone(ioas, iova, last);
}

void unmap_all(struct ioas *ioas)
{
	struct mm *self = ioas->ctx->w->mm[0];

	if (!ioas->common) {
		unmap_range(ioas, self, 0, UINT64_MAX);
		return;
	}
	/* Only what is its own */
	while (ioas->areas.nr)
		unmap_range(ioas, self, ioas->areas.at[0]->iova,
			    area_length(ioas->areas.at[0]));
}

static void unmap_around(struct world *w, struct ioas *ioas, struct mm *mm)
{
	struct area *area = vec_pick(w, &ioas->areas);
	__u64 iova = area->iova, length = area_length(area);

	switch (rnd(w, 8)) {
	case 0:		/* less at the end */
		length -= length > PAGE ? PAGE : 0;
		break;
	case 1:		/* less at the beginning */
		if (length > PAGE) {
			iova += PAGE;
			length -= PAGE;
		}
		break;
	case 2:		/* more, perhaps into others */
		if (!ioas->common && area->last <= UINT64_MAX - 64 * PAGE)
			length += rnd(w, 64) * PAGE;
		break;
	case 3:
		if (!ioas->common && iova > 64 * PAGE) {
			iova -= 64 * PAGE;
			length += 64 * PAGE;
		}
		break;
	default:
		break;
	}
	unmap_range(ioas, mm, iova, length);
}

void op_unmap(struct world *w)
{
	struct ioas *ioas = pick_ioas(w);
	__u64 length = (1 + rnd(w, 64)) * PAGE, iova;
	struct mm *mm;

	mm = ioas ? pick_mm(w, ioas->ctx->holders) : NULL;
	if (!mm)
		return;
	if (one_in(w, 40) && !ioas->common) {
		unmap_range(ioas, mm, 0, UINT64_MAX);
		return;
	}
	if (ioas->areas.nr && !one_in(w, 4)) {
		unmap_around(w, ioas, mm);
		return;
	}
	iova = pick_iova(w, ioas, length);
	if (iova + length - 1 < iova ||
	    (ioas->common && iova + length - 1 > ioas->window.last))
		return;
	unmap_range(ioas, mm, iova, length);
}
