// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model of I/O page tables that iox policy try counts with
 * (user/lib/pt_model.c), against the page tables that the kernel builds.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../user/lib/pt_model.h"
#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

#define GIB (1ULL << 30)
#define SMALL_SIZE (8ULL << 20)
#define HUGE_SIZE (2 * GIB + (64ULL << 20))
#define MAX_AREAS 32
#define LAYOUTS 200
#define STEPS 12

/* Much address space over one page of the size that is wanted. */
struct window {
	char *base;
	__u64 size;
	unsigned int run;
};

FIXTURE(pt_model)
{
	struct leak_mark mark;
	struct window window[2];
	struct pt_model model;
	struct pt_area area[MAX_AREAS];
	int nr;
	struct edu edu;
	int fd;
	__u32 ioas;
	long empty;		/* pages of a table that maps nothing */
	int third;		/* tables of level 3 that are not the root, of what is mapped here */
	unsigned int seed;
};

/* Neighbours are the same page, so that nothing is larger by chance. */
static int window_init(struct window *w, unsigned int run, __u64 size)
{
	unsigned int flags = run > 12 ? MFD_HUGETLB | 21U << MAP_HUGE_SHIFT : 0;
	__u64 page = 1ULL << run, at;
	int memfd = memfd_create("window", flags);

	*w = (struct window){ .size = size, .run = run };
	if (memfd < 0 || ftruncate(memfd, page))
		return -errno;
	w->base = mmap(NULL, size + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->base == MAP_FAILED)
		return -errno;
	w->base += -(unsigned long)w->base & (HUGE_PAGE - 1);
	for (at = 0; at < size; at += page)
		if (mmap(w->base + at, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memfd,
			 0) == MAP_FAILED)
			return -errno;
	close(memfd);
	return 0;
}

/* Of the whole machine. Reading how much is pinned brings the counters up to date. */
static long count_tables(void)
{
	leak_pins();
	return leak_iommu_pages();
}

FIXTURE_SETUP(pt_model)
{
	char name[PCI_NAME_SIZE];

	memset(self, 0, sizeof(*self));
	self->fd = -1;
	if (edu_find(0, name))
		SKIP(return, NEED_EDU);
	/* A page may have to move before it is pinned, to another one. */
	ASSERT_TRUE(buffer_hugetlb_pool(4));
	must(window_init(&self->window[0], 12, SMALL_SIZE));
	must(window_init(&self->window[1], 21, HUGE_SIZE));
	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(ioas_alloc(self->fd, &self->ioas));
	must(edu_setup(&self->edu, self->fd, self->ioas));
	self->empty = count_tables();
	self->model.three = !ioas_range_usable(self->fd, self->ioas, 1ULL << PT_BITS_OF_3_LEVELS,
					       1ULL << PT_BITS_OF_3_LEVELS);
	self->third = !self->model.three;
}

FIXTURE_TEARDOWN(pt_model)
{
	if (self->fd < 0)
		return;
	edu_close(&self->edu);
	close(self->fd);
	pt_model_free(&self->model);
	EXPECT_NO_LEAK(&self->mark);
}

/* Below @limit. */
static __u64 pick(FIXTURE_DATA(pt_model) *self, __u64 limit)
{
	__u64 high = rand_r(&self->seed), low = rand_r(&self->seed);

	return (high << 31 | low) % limit;
}

/* Maps so many bytes at @offset of a window. 0 or a negative errno. */
static int map_at(FIXTURE_DATA(pt_model) *self, const struct window *w, __u64 iova, __u64 offset,
		  __u64 length)
{
	struct pt_area *a = &self->area[self->nr];
	int err = ioas_map_fixed(self->fd, self->ioas, w->base + offset, length, iova);

	if (err)
		return err;
	*a = (struct pt_area){ .iova = iova, .length = length, .run = w->run,
			       .addr = (unsigned long)w->base + offset };
	self->nr++;
	return pt_model_map(&self->model, a) ? 0 : -ENOMEM;
}

static int unmap_nth(FIXTURE_DATA(pt_model) *self, int nth)
{
	struct pt_area *a = &self->area[nth];
	int err = ioas_unmap(self->fd, self->ioas, a->iova, a->length);

	pt_model_unmap(&self->model, a);
	*a = self->area[--self->nr];
	return err;
}

/* A few places, so that mappings share tables of each level. */
static int map_somewhere(FIXTURE_DATA(pt_model) *self)
{
	static const __u64 place[] = { 4 * GIB, 6 * GIB, 300 * GIB, 511 * GIB };
	const struct window *w = &self->window[pick(self, 2)];
	__u64 fine = pick(self, 2) ? PAGE : HUGE_PAGE, length, offset, iova;

	length = w->size > GIB && !pick(self, 3) ? w->size : SMALL_SIZE;
	length = PAGE * (1 + pick(self, length / PAGE));
	length = (length + fine - 1) & -fine;
	offset = pick(self, w->size - length + 1) & -fine;
	iova = place[pick(self, 4)] + (pick(self, GIB) & -fine);
	return map_at(self, w, iova, offset, length);
}

#define EXPECT_SAME() EXPECT_EQ((long)self->model.tables, count_tables() - self->empty)

TEST_F(pt_model, small_pages_need_a_table_for_2_mib)
{
	must(map_at(self, &self->window[0], GIB, 0, PAGE));
	EXPECT_EQ(2 + self->third, self->model.tables);
	EXPECT_EQ(1, self->model.leaves[PT_LEAF_4K]);
	EXPECT_SAME();
	must(map_at(self, &self->window[0], GIB + HUGE_PAGE, 0, 2 * HUGE_PAGE));
	EXPECT_EQ(4 + self->third, self->model.tables);
	EXPECT_EQ(1025, self->model.leaves[PT_LEAF_4K]);
	EXPECT_SAME();
}

TEST_F(pt_model, huge_pages_need_congruence)
{
	must(map_at(self, &self->window[1], GIB, 0, 2 * HUGE_PAGE));
	EXPECT_EQ(1 + self->third, self->model.tables);
	EXPECT_EQ(2, self->model.leaves[PT_LEAF_2M]);
	EXPECT_SAME();
	must(map_at(self, &self->window[1], 2 * GIB + PAGE, 0, 2 * HUGE_PAGE));
	EXPECT_EQ(2, self->model.leaves[PT_LEAF_2M]);
	EXPECT_EQ(5 + self->third, self->model.tables);
	EXPECT_SAME();
}

TEST_F(pt_model, an_empty_table_stays_until_all_of_it_is_unmapped)
{
	must(map_at(self, &self->window[0], GIB, 0, PAGE));
	must(unmap_nth(self, 0));
	EXPECT_EQ(2 + self->third, self->model.tables);
	EXPECT_EQ(0, self->model.leaves[PT_LEAF_4K]);
	EXPECT_SAME();
	must(map_at(self, &self->window[0], GIB, 0, HUGE_PAGE));
	must(unmap_nth(self, 0));
	EXPECT_EQ(1 + self->third, self->model.tables);
	EXPECT_SAME();
	must(map_at(self, &self->window[1], GIB, 0, GIB));
	must(unmap_nth(self, 0));
	EXPECT_EQ(0 + self->third, self->model.tables);
	EXPECT_SAME();
}

TEST_F(pt_model, a_large_leaf_takes_the_place_of_an_empty_table)
{
	must(map_at(self, &self->window[0], GIB, 0, PAGE));
	must(unmap_nth(self, 0));
	must(map_at(self, &self->window[1], GIB, 0, HUGE_PAGE));
	EXPECT_EQ(1 + self->third, self->model.tables);
	EXPECT_SAME();
}

TEST_F_TIMEOUT(pt_model, random_layouts_have_as_many_tables, 240)
{
	int err;

	for (int layout = 0; layout < LAYOUTS; layout++) {
		self->seed = layout;
		for (int step = 0; step < STEPS; step++) {
			if (self->nr && (self->nr == MAX_AREAS || !pick(self, 3))) {
				must(unmap_nth(self, pick(self, self->nr)));
			} else {
				err = map_somewhere(self);
				/* Where something is already, or above what the device reaches. */
				ASSERT_TRUE(!err || err == -EEXIST || err == -EINVAL);
			}
			ASSERT_EQ((long)self->model.tables, count_tables() - self->empty) {
				TH_LOG("layout %d, step %d", layout, step);
			}
		}
		while (self->nr)
			must(unmap_nth(self, 0));
		EXPECT_SAME();
		EXPECT_EQ(0, self->model.leaves[PT_LEAF_4K] + self->model.leaves[PT_LEAF_2M]);
	}
}

TEST_HARNESS_MAIN
