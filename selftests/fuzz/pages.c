// SPDX-License-Identifier: GPL-2.0-only
/* The model of what is mapped: memory, which of it is pinned, areas. */
#include <errno.h>
#include <stdlib.h>

#include "fuzz.h"

static struct pages *pages_new(struct world *w, unsigned long addr,
			       __u64 length, bool writable)
{
	unsigned long npages = (addr % PAGE + length + PAGE - 1) / PAGE;
	struct pages *pages = calloc(1, sizeof(*pages) +
					npages * sizeof(pages->pin[0]));

	if (!pages)
		broken(w, "memory for the model of pages");
	pages->w = w;
	pages->refs = 1;
	pages->base = addr - addr % PAGE;
	pages->npages = npages;
	pages->writable = writable;
	return pages;
}

struct pages *pages_of_mm(struct mm *mm, unsigned long addr, __u64 length,
			  bool writable)
{
	struct pages *pages = pages_new(mm->w, addr, length, writable);

	pages->mm = mm;
	return pages;
}

struct pages *pages_of_file(struct file *file, __u64 start, __u64 length,
			    bool writable)
{
	struct pages *pages = pages_new(file->w, start, length, writable);

	pages->file = file;
	file->refs++;
	return pages;
}

void pages_put(struct pages *pages)
{
	if (--pages->refs)
		return;
	if (pages->file)
		file_put(pages->file);
	free(pages);
}

static struct frame *find_frame(struct pages *pages, unsigned long index,
				struct answer *lawful)
{
	unsigned long at = pages->base + index * PAGE;
	struct frame *frame;

	frame = pages->file ? file_frame(pages->file, at / PAGE) :
			      mm_fault(pages->mm, at, pages->writable);
	if (!frame)
		may_fail(lawful, pages->file ? EINVAL : EFAULT);
	/*
	 * It may lie in what is set aside for large allocations; kexec handover
	 * has such memory. It has to move before it is pinned, and that fails if
	 * somebody looks at the page just then, or if it is a huge one and the
	 * pool has none elsewhere.
	 */
	else if (fuzz_has_cma && !frame->pins)
		lawful->no_memory = true;
	return frame;
}

struct frame *pages_frame(struct pages *pages, unsigned long index,
			  struct answer *lawful)
{
	struct pin *pin = &pages->pin[index];

	return pin->users ? pin->frame : find_frame(pages, index, lawful);
}

static bool pin_one(struct pages *pages, unsigned long index,
		    struct answer *lawful)
{
	struct pin *pin = &pages->pin[index];
	struct frame *frame;

	if (!pin->users) {
		frame = find_frame(pages, index, lawful);
		if (!frame)
			return false;
		pin->frame = frame_get(frame);
		frame->pins++;
	}
	pin->users++;
	return true;
}

void pages_release(struct pages *pages, unsigned long first, unsigned long last)
{
	for (unsigned long i = first; i <= last; i++) {
		struct pin *pin = &pages->pin[i];

		if (--pin->users)
			continue;
		pin->frame->pins--;
		frame_put(pages->w, pin->frame);
		pin->frame = NULL;
	}
}

bool pages_acquire(struct pages *pages, unsigned long first, unsigned long last,
		   struct answer *lawful)
{
	for (unsigned long i = first; i <= last; i++) {
		if (pin_one(pages, i, lawful))
			continue;
		if (i > first)
			pages_release(pages, first, i - 1);
		return false;
	}
	return true;
}

/* --- areas ------------------------------------------------------------------------ */

__u64 area_length(const struct area *area)
{
	return area->last - area->iova + 1;
}

unsigned long area_page(const struct area *area, __u64 iova)
{
	return (area->start + (iova - area->iova)) / PAGE;
}

struct area *area_at(struct ioas *ioas, __u64 iova)
{
	for (unsigned int i = 0; i < ioas->areas.nr; i++) {
		struct area *area = ioas->areas.at[i];

		if (area->iova <= iova && iova <= area->last)
			return area;
	}
	return NULL;
}

struct area *area_add(const struct area *like)
{
	struct area *area = malloc(sizeof(*area));

	if (!area)
		broken(like->ioas->ctx->w, "memory for an area's model");
	*area = *like;
	area->pages->refs++;
	vec_add(&area->ioas->areas, area);
	return area;
}

void area_del(struct area *area)
{
	vec_del(&area->ioas->areas, area);
	pages_put(area->pages);
	free(area);
}

static unsigned long last_page(const struct area *area)
{
	return area_page(area, area->last);
}

static void empty_times(struct area *area, unsigned int times)
{
	while (times--)
		pages_release(area->pages, area_page(area, area->iova),
			      last_page(area));
}

bool area_fill(struct area *area, struct answer *lawful)
{
	for (unsigned int i = 0; i < area->ioas->hwpts.nr; i++) {
		if (pages_acquire(area->pages, area_page(area, area->iova),
				  last_page(area), lawful))
			continue;
		empty_times(area, i);
		return false;
	}
	return true;
}

void area_empty(struct area *area)
{
	empty_times(area, area->ioas->hwpts.nr);
}

bool ioas_fill(struct ioas *ioas, struct answer *lawful)
{
	VEC(struct area, MAX_AREAS) done = { .nr = 0 };
	bool all = true;

	for (unsigned int i = 0; i < ioas->areas.nr; i++) {
		struct area *area = ioas->areas.at[i];

		if (pages_acquire(area->pages, area_page(area, area->iova),
				  last_page(area), lawful))
			vec_add(&done, area);
		else
			all = false;
	}
	for (unsigned int i = 0; i < done.nr && !all; i++)
		empty_times(done.at[i], 1);
	return all;
}

void ioas_empty(struct ioas *ioas)
{
	for (unsigned int i = 0; i < ioas->areas.nr; i++)
		empty_times(ioas->areas.at[i], 1);
}
