// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "iommufd.h"
#include "pt_model.h"

#define TABLE_BITS 9
#define PAGE_BITS 12

#define PFN_MASK ((1ULL << 55) - 1)
#define PFN_PRESENT (1ULL << 63)

static int log2_of(__u64 size)
{
	return 63 - __builtin_clzll(size);
}

int pt_stats_read(int fd, __u32 hwpt, struct pt_stats *stats)
{
	struct iox_pt_level levels[PT_LEVELS] = {};
	struct iox_pt_size sizes[PT_SIZES] = {};
	struct iox_hwpt_pt_stats cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.nr_levels = PT_LEVELS,
		.nr_sizes = PT_SIZES,
		.levels_uptr = (uintptr_t)levels,
		.sizes_uptr = (uintptr_t)sizes,
	};
	int err = xioctl(fd, IOX_HWPT_PT_STATS, &cmd);

	if (err)
		return err;
	memset(stats, 0, sizeof(*stats));
	stats->areas = cmd.out_areas;
	stats->mapped = cmd.out_mapped;
	stats->nr_levels = cmd.nr_levels;
	memcpy(stats->format, cmd.out_format, sizeof(stats->format));
	for (unsigned int i = 0; i < cmd.nr_levels; i++) {
		stats->tables[i] = levels[i].tables;
		stats->table_bytes[i] = levels[i].bytes;
	}
	for (unsigned int i = 0; i < cmd.nr_sizes; i++) {
		int lg2 = log2_of(sizes[i].size);

		stats->page_sizes |= sizes[i].size;
		stats->leaves[lg2] = sizes[i].leaves;
		memcpy(stats->why[lg2], sizes[i].why, sizeof(sizes[i].why));
	}
	return 0;
}

__u64 *pt_frames(const void *va, size_t npages)
{
	__u64 *pfn = calloc(npages, sizeof(*pfn));
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t length = npages * sizeof(*pfn);

	if (!pfn || pread(fd, pfn, length, (uintptr_t)va / PAGE * sizeof(*pfn)) != length) {
		perror("pagemap");
		exit(1);
	}
	close(fd);
	for (size_t i = 0; i < npages; i++) {
		if (!(pfn[i] & PFN_PRESENT)) {
			fprintf(stderr, "# a page is not there\n");
			exit(1);
		}
		pfn[i] &= PFN_MASK;
	}
	return pfn;
}

static __u64 larger_size(const struct pt_stats *stats, __u64 size)
{
	__u64 larger = stats->page_sizes & ~(2 * size - 1);

	return larger & -larger;
}

/* Pages from @page on, in either direction, whose frames follow on */
static size_t run_begin(const struct pt_area *area, size_t page)
{
	while (page && area->pfn[page - 1] + 1 == area->pfn[page])
		page--;
	return page;
}

static size_t run_end(const struct pt_area *area, size_t page)
{
	while (page + 1 < area->npages && area->pfn[page] + 1 == area->pfn[page + 1])
		page++;
	return page + 1;
}

static enum iox_pt_why why_not(const struct pt_area *area, size_t page,
			       size_t begin, size_t end, __u64 larger)
{
	__u64 pages = larger / PAGE, pfn = area->pfn[page];
	__u64 behind = pfn % pages;	/* frames of the block before this one */
	__u64 ahead = pages - behind;	/* this one and those after it */
	bool cut_before = page - begin < behind;
	bool cut_after = end - page < ahead;
	bool misplaced = (area->iova / PAGE + page - pfn) % pages;

	if (area->npages < pages)
		return IOX_PT_SHORT;
	if ((cut_before && begin) || (cut_after && end < area->npages))
		return IOX_PT_SCATTERED;
	if (cut_before || cut_after)
		return IOX_PT_SHORT;
	return misplaced ? IOX_PT_UNALIGNED : IOX_PT_UNUSED;
}

static __u64 best_size(const struct pt_stats *stats, __u64 iova, __u64 phys,
		       __u64 length)
{
	__u64 best = PAGE;

	for (__u64 left = stats->page_sizes; left; left &= left - 1) {
		__u64 size = left & -left;

		if (!((iova | phys) & (size - 1)) && length >= size)
			best = size > best ? size : best;
	}
	return best;
}

static void count_tables(struct pt_stats *stats, __u64 iova, __u64 size,
			 __u64 *last)
{
	for (unsigned int level = 0; level + 1 < stats->nr_levels; level++) {
		int bits = PAGE_BITS + (level + 1) * TABLE_BITS;

		if (size >= 1ULL << bits || last[level] == iova >> bits)
			continue;
		last[level] = iova >> bits;
		stats->tables[level]++;
	}
}

static void count_area(const struct pt_area *area, bool small,
		       struct pt_stats *stats, __u64 *last)
{
	size_t page = 0, begin = 0, end = 0;
	__u64 size, larger;

	for (; page < area->npages; page += size / PAGE) {
		__u64 iova = area->iova + page * PAGE;

		if (page == end) {
			begin = run_begin(area, page);
			end = run_end(area, page);
		}
		size = small ? PAGE : best_size(stats, iova, area->pfn[page] * PAGE,
						(end - page) * PAGE);
		stats->leaves[log2_of(size)]++;
		stats->mapped += size;
		count_tables(stats, iova, size, last);
		larger = larger_size(stats, size);
		if (larger)
			stats->why[log2_of(size)][why_not(area, page, begin, end, larger)] += size;
	}
}

static int by_iova(const void *a, const void *b)
{
	const struct pt_area *x = a, *y = b;

	return x->iova < y->iova ? -1 : x->iova > y->iova;
}

void pt_model_count(struct pt_area *areas, size_t nr, int small,
		    struct pt_stats *stats)
{
	struct pt_stats empty = { .areas = nr, .nr_levels = stats->nr_levels,
				  .page_sizes = stats->page_sizes };
	__u64 last[PT_LEVELS];

	*stats = empty;
	memset(last, 0xff, sizeof(last));
	qsort(areas, nr, sizeof(*areas), by_iova);
	for (size_t i = 0; i < nr; i++)
		count_area(&areas[i], small, stats, last);
	stats->tables[stats->nr_levels - 1] = 1;
	for (unsigned int i = 0; i < stats->nr_levels; i++)
		stats->table_bytes[i] = stats->tables[i] * PAGE;
}

static const char *differ(const char *what, int index, __u64 want, __u64 got)
{
	static char text[128];

	if (want == got)
		return NULL;
	snprintf(text, sizeof(text), "%s %d: %llu, want %llu", what, index, got, want);
	return text;
}

const char *pt_difference(const struct pt_stats *want, const struct pt_stats *got)
{
	const char *text = differ("areas", 0, want->areas, got->areas) ?:
			   differ("mapped bytes", 0, want->mapped, got->mapped) ?:
			   differ("levels", 0, want->nr_levels, got->nr_levels);

	for (int i = 0; !text && i < PT_LEVELS; i++)
		text = differ("tables of level", i, want->tables[i], got->tables[i]) ?:
		       differ("bytes of level", i, want->table_bytes[i],
			      got->table_bytes[i]);
	for (int i = 0; !text && i < PT_SIZES; i++) {
		text = differ("leaves of 2^", i, want->leaves[i], got->leaves[i]);
		for (int why = 0; !text && why < IOX_PT_NR_WHY; why++)
			text = differ(why == IOX_PT_SHORT ? "short, 2^" :
				      why == IOX_PT_SCATTERED ? "scattered, 2^" :
				      why == IOX_PT_UNALIGNED ? "unaligned, 2^" :
								"unused, 2^",
				      i, want->why[i][why], got->why[i][why]);
	}
	return text;
}

__u64 pt_total_tables(const struct pt_stats *stats)
{
	__u64 total = 0;

	for (int i = 0; i < PT_LEVELS; i++)
		total += stats->tables[i];
	return total;
}
