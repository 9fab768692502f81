// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOX_IOAS_MAP_RESERVE: IOVAs without memory. What lies over what, and what comes
 * to light again. reserve_use_test has those who use memory.
 */
#include <errno.h>
#include <linux/iox.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

#define AT 0x100000000ULL
#define PAGES 64
#define MAX_LAYOUT (PAGES + 1)

/* Page @n of the range that tests look at */
#define P(n) (AT + (__u64)(n) * PAGE)

FIXTURE(reserve)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas, copies;
	char *buffer;
};

FIXTURE_SETUP(reserve)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd reserves nothing");
	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(ioas_alloc(self->fd, &self->ioas));
	must(ioas_alloc(self->fd, &self->copies));
	self->buffer = buffer_small(PAGES * PAGE);
}

FIXTURE_TEARDOWN(reserve)
{
	if (!iommufd_is_iox())
		return;
	EXPECT_EQ(0, close(self->fd));
	buffer_free(BUFFER_SMALL, self->buffer, PAGES * PAGE);
	EXPECT_NO_LEAK(&self->mark);
}

/* From page @n on, so many pages */
static int reserve(const FIXTURE_DATA(reserve) *self, int n, int pages)
{
	return ioas_reserve_fixed(self->fd, self->ioas, pages * PAGE, P(n));
}

static int map(const FIXTURE_DATA(reserve) *self, int n, int pages)
{
	return ioas_map_fixed(self->fd, self->ioas, self->buffer, pages * PAGE,
			      P(n));
}

static int unmap(const FIXTURE_DATA(reserve) *self, int n, int pages)
{
	return ioas_unmap(self->fd, self->ioas, P(n), pages * PAGE);
}

/* How many pages that unmaps, or a negative errno */
static int unmap_count(const FIXTURE_DATA(reserve) *self, int n, int pages)
{
	__u64 length = pages * PAGE;
	int err = ioas_unmap_count(self->fd, self->ioas, P(n), &length);

	return err ?: (int)(length / PAGE);
}

static int copy(const FIXTURE_DATA(reserve) *self, __u32 from, __u64 src,
		__u32 to, __u64 dst, __u32 flags)
{
	struct iommu_ioas_copy cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dst_ioas_id = to,
		.src_ioas_id = from,
		.length = PAGE,
		.dst_iova = dst,
		.src_iova = src,
	};

	return xioctl(self->fd, IOMMU_IOAS_COPY, &cmd);
}

/* 'm' for mapped, 'r' for reserved, '.' for free; changes nothing. */
static char what_is_at(const FIXTURE_DATA(reserve) *self, int n)
{
	int err = reserve(self, n, 1);

	if (!err)
		return unmap(self, n, 1) ? '?' : '.';
	if (err != -EEXIST)
		return '?';
	err = copy(self, self->ioas, P(n), self->copies, AT,
		   IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA);
	if (err == -ENOENT)
		return 'r';
	err = err ?: ioas_unmap(self->fd, self->copies, AT, PAGE);
	return err ? '?' : 'm';
}

/* A letter for each of the first pages */
static const char *layout(const FIXTURE_DATA(reserve) *self, int pages)
{
	static char text[MAX_LAYOUT];

	for (int i = 0; i < pages; i++)
		text[i] = what_is_at(self, i);
	text[pages] = '\0';
	return text;
}

/* --- room ------------------------------------------------------------------------- */

TEST_F(reserve, automatic_iovas_avoid_it)
{
	struct iommu_iova_range range = { P(0), P(4) - 1 };
	__u64 iova;

	must(ioas_allow(self->fd, self->ioas, &range, 1));
	must(reserve(self, 0, 2));
	must(ioas_map_auto(self->fd, self->ioas, self->buffer, PAGE, &iova));
	EXPECT_EQ(P(2), iova);
	must(ioas_map_auto(self->fd, self->ioas, self->buffer, PAGE, &iova));
	EXPECT_EQ(P(3), iova);
	must_fail(ENOSPC, ioas_map_auto(self->fd, self->ioas, self->buffer,
					PAGE, &iova));
	EXPECT_STREQ("rrmm", layout(self, 4));
}

TEST_F(reserve, automatic_reservations_avoid_all)
{
	struct iommu_iova_range range = { P(0), P(4) - 1 };
	__u64 a = 0, b = 0, c = 0;

	must(ioas_allow(self->fd, self->ioas, &range, 1));
	must(map(self, 0, 1));
	must(ioas_reserve(self->fd, self->ioas, 0, PAGE, &a));
	must(ioas_reserve(self->fd, self->ioas, 0, 2 * PAGE, &b));
	must_fail(ENOSPC, ioas_reserve(self->fd, self->ioas, 0, PAGE, &c));
	EXPECT_EQ(P(1), a);
	EXPECT_EQ(P(2), b);
}

TEST_F(reserve, hints_in_it_are_not_taken)
{
	__u64 iova = P(1);

	must(reserve(self, 0, 4));
	must(ioas_map(self->fd, self->ioas, MAP_RW, self->buffer, PAGE, &iova));
	EXPECT_TRUE(iova < P(0) || iova >= P(4));
	iova = P(4);
	must(ioas_map(self->fd, self->ioas, MAP_RW, self->buffer, PAGE, &iova));
	EXPECT_EQ(P(4), iova);
}

TEST_F(reserve, takes_a_hint)
{
	__u64 iova = P(7);

	must(ioas_reserve(self->fd, self->ioas, 0, PAGE, &iova));
	EXPECT_EQ(P(7), iova);
	iova = P(7);
	must(ioas_reserve(self->fd, self->ioas, 0, PAGE, &iova));
	EXPECT_NE(P(7), iova);
}

TEST_F(reserve, is_aligned_as_memory_would_be)
{
	__u64 iova = 0, odd = 0x123000;

	must(ioas_reserve(self->fd, self->ioas, 5 * HUGE_PAGE + odd,
			  4 * HUGE_PAGE, &iova));
	EXPECT_EQ(odd, iova & (HUGE_PAGE - 1));
}

TEST_F(reserve, windows_are_as_before)
{
	struct iommu_iova_range before, now;
	__u32 nr = 1;
	__u64 align;

	must(ioas_ranges(self->fd, self->ioas, &before, &nr, &align));
	must(reserve(self, 0, 4));
	must(ioas_ranges(self->fd, self->ioas, &now, &nr, &align));
	EXPECT_EQ(before.start, now.start);
	EXPECT_EQ(before.last, now.last);
	/* What is reserved can be promised, as what is mapped can. */
	now = (struct iommu_iova_range){ P(0), P(4) - 1 };
	must(ioas_allow(self->fd, self->ioas, &now, 1));
}

TEST_F(reserve, all_there_is)
{
	__u64 iova = 0, length = ~0ULL;

	must(ioas_reserve_fixed(self->fd, self->ioas, ~0ULL, 0));
	/* One byte is left, the last one. */
	must(ioas_reserve_fixed(self->fd, self->ioas, 1, ~0ULL));
	must_fail(ENOSPC, ioas_map_auto(self->fd, self->ioas, self->buffer,
					PAGE, &iova));
	must(map(self, 0, 1));
	EXPECT_STREQ("mr", layout(self, 2));
	must(ioas_unmap_count(self->fd, self->ioas, 0, &length));
	/* More than fits. */
	EXPECT_EQ(~0ULL, length);
	EXPECT_STREQ("..", layout(self, 2));
	must(ioas_map_auto(self->fd, self->ioas, self->buffer, PAGE, &iova));
}

/* --- what lies over it ------------------------------------------------------------- */

TEST_F(reserve, map_over_all_of_it)
{
	must(reserve(self, 0, 4));
	must(map(self, 0, 4));
	EXPECT_STREQ("mmmm.", layout(self, 5));
	EXPECT_EQ(4, unmap_count(self, 0, 4));
	EXPECT_STREQ("rrrr.", layout(self, 5));
}

TEST_F(reserve, map_over_a_part)
{
	must(reserve(self, 1, 5));
	must(map(self, 2, 2));
	EXPECT_STREQ(".rmmrr.", layout(self, 7));
	must(unmap(self, 2, 2));
	EXPECT_STREQ(".rrrrr.", layout(self, 7));
}

TEST_F(reserve, map_over_reserved_and_free)
{
	must(reserve(self, 2, 2));
	must(map(self, 1, 2));
	EXPECT_STREQ(".mmr.", layout(self, 5));
	must(unmap(self, 1, 2));
	EXPECT_STREQ("..rr.", layout(self, 5));
	must(map(self, 3, 2));
	EXPECT_STREQ("..rmm", layout(self, 5));
	must(unmap(self, 3, 2));
	EXPECT_STREQ("..rr.", layout(self, 5));
}

TEST_F(reserve, map_over_two_and_what_is_between)
{
	must(reserve(self, 0, 2));
	must(reserve(self, 3, 1));
	must(reserve(self, 4, 2));
	must(map(self, 1, 4));
	EXPECT_STREQ("rmmmmr.", layout(self, 7));
	must(unmap(self, 1, 4));
	EXPECT_STREQ("rr.rrr.", layout(self, 7));
}

TEST_F(reserve, two_maps_end_in_any_order)
{
	must(reserve(self, 0, 6));
	for (int first = 1; first <= 3; first += 2) {
		must(map(self, 1, 2));
		must(map(self, 3, 2));
		EXPECT_STREQ("rmmmmr", layout(self, 6));
		must(unmap(self, first, 2));
		EXPECT_STREQ(first == 1 ? "rrrmmr" : "rmmrrr", layout(self, 6));
		must(unmap(self, 4 - first, 2));
		EXPECT_STREQ("rrrrrr", layout(self, 6));
	}
	EXPECT_EQ(6, unmap_count(self, 0, 6));
}

TEST_F(reserve, never_over_another_mapping)
{
	must(reserve(self, 0, 4));
	must(map(self, 2, 1));
	must_fail(EEXIST, map(self, 1, 2));
	must_fail(EEXIST, map(self, 2, 1));
	EXPECT_STREQ("rrmr", layout(self, 4));
}

TEST_F(reserve, nothing_can_be_reserved_twice)
{
	must(reserve(self, 1, 2));
	must(map(self, 3, 1));
	must_fail(EEXIST, reserve(self, 0, 2));
	must_fail(EEXIST, reserve(self, 2, 1));
	must_fail(EEXIST, reserve(self, 3, 1));
	EXPECT_STREQ(".rrm.", layout(self, 5));
}

TEST_F(reserve, copies_go_over_it_but_not_out_of_it)
{
	const __u32 flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_FIXED_IOVA;

	must(reserve(self, 0, 4));
	must_fail(ENOENT, copy(self, self->ioas, P(1), self->copies, AT, flags));
	must(ioas_map_fixed(self->fd, self->copies, self->buffer, PAGE, P(9)));
	must(copy(self, self->copies, P(9), self->ioas, P(1), flags));
	EXPECT_STREQ("rmrr", layout(self, 4));
	must(unmap(self, 1, 1));
	EXPECT_STREQ("rrrr", layout(self, 4));
}

/* --- how it ends ------------------------------------------------------------------- */

TEST_F(reserve, unmap_frees_it)
{
	must(reserve(self, 0, 4));
	EXPECT_EQ(4, unmap_count(self, 0, 4));
	EXPECT_STREQ("....", layout(self, 4));
	must_fail(ENOENT, unmap(self, 0, 4));
}

TEST_F(reserve, unmap_cuts_it)
{
	must(reserve(self, 0, 6));
	EXPECT_EQ(2, unmap_count(self, 2, 2));
	EXPECT_STREQ("rr..rr", layout(self, 6));
	/* Either piece is one of its own, and both are free afterwards. */
	must(map(self, 1, 4));
	must(unmap(self, 1, 4));
	EXPECT_STREQ("rr..rr", layout(self, 6));
	EXPECT_EQ(4, unmap_count(self, 0, 6));
	EXPECT_STREQ("......", layout(self, 6));
}

TEST_F(reserve, unmap_takes_what_is_on_top)
{
	must(reserve(self, 0, 6));
	must(map(self, 1, 1));
	must(map(self, 3, 1));
	EXPECT_EQ(2, unmap_count(self, 0, 6));
	EXPECT_STREQ("rrrrrr", layout(self, 6));
	EXPECT_EQ(6, unmap_count(self, 0, 6));
	EXPECT_STREQ("......", layout(self, 6));
}

TEST_F(reserve, cut_beside_a_mapping)
{
	must(reserve(self, 0, 5));
	must(map(self, 2, 1));
	EXPECT_EQ(2, unmap_count(self, 0, 2));
	EXPECT_STREQ("..mrr", layout(self, 5));
	must(unmap(self, 2, 1));
	EXPECT_STREQ("..rrr", layout(self, 5));
	EXPECT_EQ(3, unmap_count(self, 0, 5));
}

TEST_F(reserve, part_of_a_mapping_over_it_is_enoent)
{
	must(reserve(self, 0, 6));
	must(map(self, 2, 2));
	must_fail(ENOENT, unmap(self, 0, 3));
	must_fail(ENOENT, unmap(self, 3, 3));
	EXPECT_STREQ("rrmmrr", layout(self, 6));
}

TEST_F(reserve, unmap_all_leaves_nothing)
{
	__u64 length = ~0ULL;

	must(reserve(self, 0, 4));
	must(reserve(self, 6, 2));
	must(map(self, 3, 2));
	must(map(self, 10, 1));
	must(ioas_unmap_count(self->fd, self->ioas, 0, &length));
	/* Mappings of 3 pages and reservations of 6, some in the same place. */
	EXPECT_EQ(9 * PAGE, length);
	EXPECT_STREQ("...........", layout(self, 11));
	length = ~0ULL;
	must(ioas_unmap_count(self->fd, self->ioas, 0, &length));
	EXPECT_EQ(0, length);
}

TEST_F(reserve, goes_with_its_address_space)
{
	must(reserve(self, 0, 4));
	must(map(self, 1, 1));
	must(iommufd_destroy(self->fd, self->ioas));
}

/* --- arguments ---------------------------------------------------------------------- */

TEST_F(reserve, wants_sound_arguments)
{
	const __u32 fixed = IOX_IOAS_MAP_RESERVE | IOMMU_IOAS_MAP_FIXED_IOVA;
	struct iommu_ioas_map_file file = {
		.size = sizeof(file),
		.flags = MAP_RW | IOX_IOAS_MAP_RESERVE,
		.ioas_id = self->ioas,
		.fd = -1,
		.length = PAGE,
	};
	__u64 iova = P(0);

	must_fail(EINVAL, ioas_reserve(self->fd, self->ioas, 0, 0, &iova));
	must_fail(EOVERFLOW, ioas_reserve(self->fd, self->ioas, -(__u64)PAGE,
					  PAGE + 1, &iova));
	must_fail(EOVERFLOW, ioas_reserve_fixed(self->fd, self->ioas, PAGE + 1,
						-(__u64)PAGE));
	must_fail(EOPNOTSUPP, ioas_map(self->fd, self->ioas, fixed | 1U << 30,
				       NULL, PAGE, &iova));
	must_fail(ENOENT, ioas_reserve(self->fd, 12345, 0, PAGE, &iova));
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOMMU_IOAS_MAP_FILE, &file));
	must_fail(EOPNOTSUPP, copy(self, self->ioas, P(0), self->copies, AT,
				   MAP_RW | IOX_IOAS_MAP_RESERVE));
	/* They mean nothing here, and are allowed. */
	must(ioas_map(self->fd, self->ioas, fixed | MAP_RW, NULL, PAGE, &iova));
	EXPECT_STREQ("r.", layout(self, 2));
}

TEST_F(reserve, unaligned_only_where_mappings_can_be)
{
	struct iommu_option cmd = {
		.size = sizeof(cmd),
		.option_id = IOMMU_OPTION_HUGE_PAGES,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = self->ioas,
	};
	__u64 iova = 0;

	must(ioas_reserve_fixed(self->fd, self->ioas, 100, P(0) + 3));
	/* That it is odd stops nobody who wants pages. */
	must(xioctl(self->fd, IOMMU_OPTION, &cmd));
	must_fail(EINVAL, ioas_reserve_fixed(self->fd, self->ioas, 100, P(8)));
	must_fail(EINVAL, ioas_reserve_fixed(self->fd, self->ioas, PAGE,
					     P(8) + 3));
	must_fail(EINVAL, ioas_reserve(self->fd, self->ioas, 3, PAGE, &iova));
	must(map(self, 0, 1));
	must(unmap(self, 0, 1));
	EXPECT_EQ(-EEXIST, reserve(self, 0, 1));
	must(unmap(self, 0, 1));
	EXPECT_STREQ(".", layout(self, 1));
}

/* A structure that cannot be written to: nobody learns where, nothing is there. */
TEST_F(reserve, answer_that_cannot_be_given)
{
	struct iommu_ioas_map *cmd =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, cmd);
	*cmd = (struct iommu_ioas_map){
		.size = sizeof(*cmd),
		.flags = IOX_IOAS_MAP_RESERVE | IOMMU_IOAS_MAP_FIXED_IOVA,
		.ioas_id = self->ioas,
		.length = 4 * PAGE,
		.iova = P(0),
	};
	ASSERT_EQ(0, mprotect(cmd, PAGE, PROT_READ));
	must_fail(EFAULT, xioctl(self->fd, IOMMU_IOAS_MAP, cmd));
	EXPECT_STREQ("....", layout(self, 4));
	munmap(cmd, PAGE);
}

/* --- other calls ---------------------------------------------------------------------- */

TEST_F(reserve, another_process_takes_over)
{
	struct iommu_ioas_change_process cmd = { .size = sizeof(cmd) };

	must(reserve(self, 0, 4));
	must(xioctl(self->fd, IOMMU_IOAS_CHANGE_PROCESS, &cmd));
	EXPECT_STREQ("rrrr", layout(self, 4));
}

/* --- threads -------------------------------------------------------------------------- */

#define THREADS 4
#define TURNS 2000

/* Maps and unmaps its own pages, every other one, over what all have reserved. */
struct mapper {
	const FIXTURE_DATA(reserve) *self;
	pthread_t thread;
	int first;
	int err;
};

static void *map_over(void *arg)
{
	struct mapper *m = arg;

	for (int i = 0; i < TURNS && !m->err; i++) {
		int n = m->first + i % (PAGES / THREADS / 2) * 2 * THREADS;

		m->err = map(m->self, n, 1) ?: unmap(m->self, n, 1);
	}
	return NULL;
}

/* What one thread maps over is another one's to cut, as long as it does not meet it. */
static void *cut_between(void *arg)
{
	struct mapper *m = arg;

	for (int i = 0; i < TURNS && !m->err; i++) {
		int n = 1 + i % (PAGES / 2) * 2;

		m->err = unmap(m->self, n, 1) ?: reserve(m->self, n, 1);
	}
	return NULL;
}

TEST_F_TIMEOUT(reserve, threads_over_one_reservation, 120)
{
	struct mapper mappers[THREADS + 1];

	must(reserve(self, 0, PAGES));
	for (int i = 0; i <= THREADS; i++) {
		mappers[i] = (struct mapper){ .self = self, .first = 2 * i };
		ASSERT_EQ(0, pthread_create(&mappers[i].thread, NULL,
					    i < THREADS ? map_over :
							  cut_between,
					    &mappers[i]));
	}
	for (int i = 0; i <= THREADS; i++) {
		pthread_join(mappers[i].thread, NULL);
		EXPECT_EQ(0, mappers[i].err) TH_LOG("thread %d", i);
	}
	for (int i = 0; i < PAGES; i++) {
		EXPECT_EQ('r', what_is_at(self, i)) TH_LOG("page %d", i);
	}
	EXPECT_EQ(PAGES, unmap_count(self, 0, PAGES));
}

/* --- all at once ---------------------------------------------------------------------- */

#define ROUNDS 4000

/* What there should be: reserved or not, and which mapping is over it, 0 for none */
struct model {
	bool reserved[PAGES];
	int mapping[PAGES];
	int next;
};

static int count_range(const struct model *m, int n, int pages, bool mapped)
{
	int found = 0;

	for (int i = n; i < n + pages; i++)
		found += mapped ? !!m->mapping[i] : m->reserved[i];
	return found;
}

/* 0 or the errno that unmapping has to end with; *pages becomes how many go. */
static int model_unmap(struct model *m, int n, int *pages)
{
	int mapped = count_range(m, n, *pages, true), last = n + *pages;
	int gone = 0;

	if (m->mapping[n] && n && m->mapping[n - 1] == m->mapping[n])
		return -ENOENT;
	if (m->mapping[last - 1] && last < PAGES &&
	    m->mapping[last] == m->mapping[last - 1])
		return -ENOENT;
	for (int i = n; i < last; i++) {
		gone += mapped ? !!m->mapping[i] : m->reserved[i];
		if (!mapped)
			m->reserved[i] = false;
		m->mapping[i] = 0;
	}
	*pages = gone;
	return gone ? 0 : -ENOENT;
}

static int model_reserve(struct model *m, int n, int pages)
{
	if (count_range(m, n, pages, true) || count_range(m, n, pages, false))
		return -EEXIST;
	for (int i = n; i < n + pages; i++)
		m->reserved[i] = true;
	return 0;
}

static int model_map(struct model *m, int n, int pages)
{
	if (count_range(m, n, pages, true))
		return -EEXIST;
	m->next++;
	for (int i = n; i < n + pages; i++)
		m->mapping[i] = m->next;
	return 0;
}

static const char *model_layout(const struct model *m)
{
	static char text[MAX_LAYOUT];

	for (int i = 0; i < PAGES; i++)
		text[i] = m->mapping[i] ? 'm' : m->reserved[i] ? 'r' : '.';
	return text;
}

TEST_F_TIMEOUT(reserve, as_a_model_has_it, 120)
{
	struct model m = {};
	int n, pages, want;

	srandom(1);
	for (int i = 0; i < ROUNDS; i++) {
		n = random() % PAGES;
		pages = 1 + random() % (PAGES - n < 12 ? PAGES - n : 12);
		switch (random() % 4) {
		case 0:
			want = model_reserve(&m, n, pages);
			ASSERT_EQ(want, reserve(self, n, pages));
			break;
		case 1:
			want = model_map(&m, n, pages);
			ASSERT_EQ(want, map(self, n, pages));
			break;
		default:
			want = pages;
			want = model_unmap(&m, n, &want) ?: want;
			ASSERT_EQ(want, unmap_count(self, n, pages))
				TH_LOG("round %d, page %d, %d pages", i, n,
				       pages);
		}
		if (i % 20 == 0)
			ASSERT_STREQ(model_layout(&m), layout(self, PAGES));
	}
	ASSERT_STREQ(model_layout(&m), layout(self, PAGES));
}

TEST_HARNESS_MAIN
