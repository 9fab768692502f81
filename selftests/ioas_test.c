// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces with no device: mapping, unmapping, windows, many areas, and
 * what happens to them when processes share them or die.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/child.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

#define AT 0x10000000ULL
#define MANY 10000
#define BUFFER_SIZE (64 * PAGE)

FIXTURE(ioas)
{
	struct leak_mark mark;
	int fd;
	__u32 id;
	char *buffer;
};

FIXTURE_SETUP(ioas)
{
	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(ioas_alloc(self->fd, &self->id));
	self->buffer = buffer_small(BUFFER_SIZE);
}

FIXTURE_TEARDOWN(ioas)
{
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

/* --- one mapping at a time ------------------------------------------------ */

TEST_F(ioas, fixed_map_and_unmap)
{
	__u64 length = PAGE;

	must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE, AT));
	must(ioas_unmap_count(self->fd, self->id, AT, &length));
	ASSERT_EQ(PAGE, length);
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT, PAGE));
}

TEST_F(ioas, fixed_map_reports_its_iova)
{
	__u64 iova = AT;

	must(ioas_map(self->fd, self->id, MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		      self->buffer, PAGE, &iova));
	ASSERT_EQ(AT, iova);
}

TEST_F(ioas, automatic_map_and_unmap)
{
	__u64 iova, length = 4 * PAGE;

	must(ioas_map_auto(self->fd, self->id, self->buffer, 4 * PAGE, &iova));
	ASSERT_EQ(0, iova % PAGE);
	must_fail(EEXIST, ioas_map_fixed(self->fd, self->id, self->buffer, PAGE,
					 iova));
	must(ioas_unmap_count(self->fd, self->id, iova, &length));
	ASSERT_EQ(4 * PAGE, length);
}

TEST_F(ioas, same_memory_at_two_iovas)
{
	must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE, AT));
	must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE, AT + PAGE));
	must(ioas_unmap(self->fd, self->id, AT, PAGE));
	must(ioas_unmap(self->fd, self->id, AT + PAGE, PAGE));
}

TEST_F(ioas, overlap_is_eexist)
{
	__u64 middle = AT + 4 * PAGE;

	must(ioas_map_fixed(self->fd, self->id, self->buffer, 4 * PAGE, middle));
	/* the same, inside, around, over the start, over the end */
	must_fail(EEXIST, ioas_map_fixed(self->fd, self->id, self->buffer,
					 4 * PAGE, middle));
	must_fail(EEXIST, ioas_map_fixed(self->fd, self->id, self->buffer,
					 PAGE, middle + PAGE));
	must_fail(EEXIST, ioas_map_fixed(self->fd, self->id, self->buffer,
					 12 * PAGE, AT));
	must_fail(EEXIST, ioas_map_fixed(self->fd, self->id, self->buffer,
					 2 * PAGE, middle - PAGE));
	must_fail(EEXIST, ioas_map_fixed(self->fd, self->id, self->buffer,
					 2 * PAGE, middle + 3 * PAGE));
	/* neighbours are none of these */
	must(ioas_map_fixed(self->fd, self->id, self->buffer, 4 * PAGE, AT));
	must(ioas_map_fixed(self->fd, self->id, self->buffer, 4 * PAGE,
			    middle + 4 * PAGE));
}

TEST_F(ioas, zero_length_is_einval)
{
	__u64 iova;

	must_fail(EINVAL, ioas_map_fixed(self->fd, self->id, self->buffer, 0,
					 AT));
	must_fail(EINVAL, ioas_map_auto(self->fd, self->id, self->buffer, 0,
					&iova));
}

TEST_F(ioas, overflow_is_eoverflow)
{
	__u64 iova = AT;

	/* the IOVA runs over the end */
	must_fail(EOVERFLOW, ioas_map_fixed(self->fd, self->id, self->buffer,
					    2 * PAGE, -PAGE));
	/* so does the memory */
	must_fail(EOVERFLOW, ioas_map(self->fd, self->id,
				      MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
				      (void *)-PAGE, 2 * PAGE, &iova));
	/* the length alone is too much */
	must_fail(EOVERFLOW, ioas_map_fixed(self->fd, self->id, self->buffer,
					    ULONG_MAX, AT));
	must_fail(EOVERFLOW, ioas_map_fixed(self->fd, self->id, self->buffer,
					    ULONG_MAX - PAGE + 1, AT));
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT, PAGE));
}

TEST_F(ioas, unmap_overflow_is_eoverflow)
{
	must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE, AT));
	must_fail(EOVERFLOW, ioas_unmap(self->fd, self->id, AT, ULONG_MAX - 1));
	must(ioas_unmap(self->fd, self->id, AT, PAGE));
}

TEST_F(ioas, map_needs_read_or_write)
{
	__u64 iova = AT;

	must_fail(EINVAL, ioas_map(self->fd, self->id,
				   IOMMU_IOAS_MAP_FIXED_IOVA, self->buffer,
				   PAGE, &iova));
	must(ioas_map(self->fd, self->id,
		      IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE,
		      self->buffer, PAGE, &iova));
	iova += PAGE;
	must(ioas_map(self->fd, self->id,
		      IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_WRITEABLE,
		      self->buffer, PAGE, &iova));
}

TEST_F(ioas, without_a_domain_memory_need_not_exist)
{
	must(ioas_map_fixed(self->fd, self->id, (void *)PAGE, PAGE, AT));
	ASSERT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	must(ioas_unmap(self->fd, self->id, AT, PAGE));
}

TEST_F(ioas, first_and_last_page_can_be_mapped)
{
	must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE, 0));
	must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE, -2 * PAGE));
	must(ioas_unmap(self->fd, self->id, 0, PAGE));
	must(ioas_unmap(self->fd, self->id, -2 * PAGE, PAGE));
}

/* --- unmap ---------------------------------------------------------------- */

TEST_F(ioas, unmap_of_a_part_is_enoent)
{
	must(ioas_map_fixed(self->fd, self->id, self->buffer, 4 * PAGE, AT));
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT, PAGE));
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT + PAGE, PAGE));
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT + 3 * PAGE,
				     PAGE));
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT - PAGE, 2 * PAGE));
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT + PAGE, 8 * PAGE));
	must(ioas_unmap(self->fd, self->id, AT, 4 * PAGE));
}

TEST_F(ioas, unmap_of_nothing_is_enoent)
{
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT, PAGE));
	must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE, AT));
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT + PAGE, PAGE));
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT - PAGE, PAGE));
	must(ioas_unmap(self->fd, self->id, AT, PAGE));
}

TEST_F(ioas, unmap_takes_several_areas_and_counts_them)
{
	__u64 length = 16 * PAGE;

	must(ioas_map_fixed(self->fd, self->id, self->buffer, 2 * PAGE, AT));
	must(ioas_map_fixed(self->fd, self->id, self->buffer, 3 * PAGE,
			    AT + 8 * PAGE));
	must(ioas_unmap_count(self->fd, self->id, AT, &length));
	ASSERT_EQ(5 * PAGE, length);
}

TEST_F(ioas, unmap_all_takes_everything)
{
	__u64 length = ULONG_MAX;

	for (int i = 0; i < 10; i++)
		must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE,
				    AT + 2 * i * PAGE));
	must(ioas_unmap_count(self->fd, self->id, 0, &length));
	ASSERT_EQ(10 * PAGE, length);
	for (int i = 0; i < 10; i++)
		must_fail(ENOENT, ioas_unmap(self->fd, self->id,
					     AT + 2 * i * PAGE, PAGE));
}

TEST_F(ioas, unmap_all_of_an_empty_ioas)
{
	__u64 length = ULONG_MAX;

	must(ioas_unmap_count(self->fd, self->id, 0, &length));
	ASSERT_EQ(0, length);
}

TEST_F(ioas, unmap_of_zero_length_is_einval)
{
	must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE, AT));
	must_fail(EINVAL, ioas_unmap(self->fd, self->id, AT, 0));
	must(ioas_unmap(self->fd, self->id, AT, PAGE));
}

/* --- windows -------------------------------------------------------------- */

TEST_F(ioas, ranges_of_a_fresh_ioas_are_everything)
{
	struct iommu_iova_range ranges[4];
	__u32 count = ARRAY_SIZE(ranges);
	__u64 alignment = 0;

	must(ioas_ranges(self->fd, self->id, ranges, &count, &alignment));
	ASSERT_EQ(1, count);
	ASSERT_EQ(0, ranges[0].start);
	ASSERT_EQ(ULONG_MAX, ranges[0].last);
	ASSERT_LE(1, alignment);
	ASSERT_GE(PAGE, alignment);
}

TEST_F(ioas, ranges_without_room_are_emsgsize)
{
	struct iommu_iova_range ranges[4];
	__u32 count = 0;

	must_fail(EMSGSIZE, ioas_ranges(self->fd, self->id, NULL, &count,
					NULL));
	ASSERT_EQ(1, count);
	must(ioas_ranges(self->fd, self->id, ranges, &count, NULL));
}

TEST_F(ioas, ranges_to_bad_memory_are_efault)
{
	__u32 count = 4;

	must_fail(EFAULT, ioas_ranges(self->fd, self->id, (void *)PAGE, &count,
				      NULL));
}

/* --- automatic placement -------------------------------------------------- */

static bool overlap(__u64 a, size_t a_length, __u64 b, size_t b_length)
{
	return a < b + b_length && b < a + a_length;
}

TEST_F(ioas, automatic_iovas_are_apart_and_aligned)
{
	static const size_t pages[] = { 1, 3, 16, 2, 64, 1, 7, 32 };
	__u64 iova[64];
	size_t length[64];

	for (size_t i = 0; i < ARRAY_SIZE(iova); i++) {
		length[i] = pages[i % ARRAY_SIZE(pages)] * PAGE;
		must(ioas_map_auto(self->fd, self->id, self->buffer, length[i],
				   &iova[i]));
		ASSERT_EQ(0, iova[i] % PAGE);
		ASSERT_TRUE(ioas_range_usable(self->fd, self->id, iova[i],
					      iova[i] + length[i] - 1));
		for (size_t j = 0; j < i; j++)
			ASSERT_FALSE(overlap(iova[i], length[i], iova[j],
					     length[j]));
	}
}

TEST_F(ioas, automatic_iovas_go_around_fixed_ones)
{
	__u64 iova;

	for (int i = 0; i < 32; i++)
		must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE,
				    2 * i * PAGE));
	for (int i = 0; i < 64; i++) {
		must(ioas_map_auto(self->fd, self->id, self->buffer, 2 * PAGE,
				   &iova));
		for (int j = 0; j < 32; j++)
			ASSERT_FALSE(overlap(iova, 2 * PAGE, 2 * j * PAGE,
					     PAGE));
	}
}

TEST_F(ioas, freed_room_is_found_again)
{
	__u64 iova, again;

	must(ioas_map_auto(self->fd, self->id, self->buffer, 4 * PAGE, &iova));
	must(ioas_unmap(self->fd, self->id, iova, 4 * PAGE));
	/* All room but the one just freed is taken. */
	if (iova)
		must(ioas_map_fixed(self->fd, self->id, (void *)0, iova, 0));
	must(ioas_map_fixed(self->fd, self->id, (void *)0,
			    -(iova + 4 * PAGE) - PAGE, iova + 4 * PAGE));
	must(ioas_map_auto(self->fd, self->id, self->buffer, 4 * PAGE, &again));
	ASSERT_EQ(iova, again);
}

TEST_F(ioas, no_room_is_enospc)
{
	__u64 half = 1ULL << 63;
	__u64 iova;

	must(ioas_map_fixed(self->fd, self->id, (void *)0, half, 0));
	must(ioas_map_fixed(self->fd, self->id, (void *)0, half - 2 * PAGE,
			    half));
	must_fail(ENOSPC, ioas_map_auto(self->fd, self->id, self->buffer,
					4 * PAGE, &iova));
}

TEST_F(ioas, automatic_iova_is_not_zero)
{
	__u64 iova;

	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd may choose IOVA 0");
	for (int i = 0; i < 16; i++) {
		must(ioas_map_auto(self->fd, self->id, self->buffer, PAGE,
				   &iova));
		ASSERT_NE(0, iova);
	}
}

TEST_F(ioas, hint_is_taken_when_free)
{
	__u64 iova = AT;

	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd knows no hints");
	must(ioas_map(self->fd, self->id, MAP_RW, self->buffer, PAGE, &iova));
	ASSERT_EQ(AT, iova);
}

TEST_F(ioas, hint_that_is_taken_gives_another_iova)
{
	__u64 iova = AT;

	must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE, AT));
	must(ioas_map(self->fd, self->id, MAP_RW, self->buffer, PAGE, &iova));
	ASSERT_NE(AT, iova);
	must(ioas_unmap(self->fd, self->id, iova, PAGE));
	must(ioas_unmap(self->fd, self->id, AT, PAGE));
}

TEST_F(ioas, hint_that_cannot_be_is_ignored)
{
	__u64 iova = -PAGE;

	must(ioas_map(self->fd, self->id, MAP_RW, self->buffer, 4 * PAGE,
		      &iova));
	ASSERT_TRUE(ioas_range_usable(self->fd, self->id, iova,
				      iova + 4 * PAGE - 1));
	must(ioas_unmap(self->fd, self->id, iova, 4 * PAGE));
}

/* --- many areas, many processes, many threads ----------------------------- */

TEST_F_TIMEOUT(ioas, many_areas_are_closed_at_once, 120)
{
	for (int i = 0; i < MANY; i++)
		must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE,
				    AT + 2 * i * PAGE));
	must_fail(EEXIST, ioas_map_fixed(self->fd, self->id, self->buffer, PAGE,
					 AT + 2 * (MANY - 1) * PAGE));
}

TEST_F_TIMEOUT(ioas, many_areas_are_unmapped_at_once, 120)
{
	__u64 length = ULONG_MAX;

	for (int i = 0; i < MANY; i++)
		must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE,
				    AT + 2 * i * PAGE));
	must(ioas_unmap_count(self->fd, self->id, 0, &length));
	ASSERT_EQ(MANY * PAGE, length);
}

TEST_F_TIMEOUT(ioas, areas_leave_no_memory_behind, 120)
{
	const int rounds = 8;
	long before = 0;

	/* What a leaked area costs, 64 bytes or more, is far over the limit. */
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < MANY; i++)
			must(ioas_map_fixed(self->fd, self->id, self->buffer,
					    PAGE, AT + 2 * i * PAGE));
		must(ioas_unmap_all(self->fd, self->id));
		if (round == 1)
			before = leak_slab_kb();
	}
	EXPECT_GT(before + 2048, leak_slab_kb());
}

/* Maps and unmaps until it is killed; says so when it is under way. */
static void map_forever(int ready)
{
	char *buffer = buffer_small(BUFFER_SIZE);
	int fd = iommufd_open();
	__u32 id;

	if (fd < 0 || ioas_alloc(fd, &id))
		_exit(1);
	for (__u64 i = 0;; i++) {
		__u64 iova = AT + (i % 512) * 16 * PAGE;

		if (i >= 512 && ioas_unmap(fd, id, iova, 16 * PAGE))
			_exit(1);
		if (ioas_map_fixed(fd, id, buffer, 16 * PAGE, iova))
			_exit(1);
		if (i == 1000)
			child_ready(ready);
	}
}

TEST_F_TIMEOUT(ioas, killed_in_the_middle_leaks_nothing, 120)
{
	for (int i = 0; i < 10; i++)
		must(child_kill_in(map_forever, 1000 * i));
}

TEST_F(ioas, child_shares_the_file)
{
	int status;
	pid_t pid;

	must(ioas_map_fixed(self->fd, self->id, self->buffer, PAGE, AT));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (ioas_unmap(self->fd, self->id, AT, PAGE))
			_exit(1);
		if (ioas_map_fixed(self->fd, self->id, self->buffer, PAGE,
				   AT + PAGE))
			_exit(2);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	/* What the child did outlives it. */
	must_fail(ENOENT, ioas_unmap(self->fd, self->id, AT, PAGE));
	must(ioas_unmap(self->fd, self->id, AT + PAGE, PAGE));
}

struct worker {
	int fd;
	__u32 id;
	int number;
	char *buffer;
	int rounds;
	int err;
};

/* Fixed maps in a range of its own: no one else may get in the way. */
static void *map_in_own_range(void *arg)
{
	struct worker *w = arg;
	__u64 at = AT + w->number * 0x1000000ULL;

	for (int i = 0; i < w->rounds && !w->err; i++) {
		__u64 iova = at + (i % 16) * 4 * PAGE;

		w->err = ioas_map_fixed(w->fd, w->id, w->buffer, 4 * PAGE,
					iova);
		if (!w->err)
			w->err = ioas_unmap(w->fd, w->id, iova, 4 * PAGE);
	}
	return NULL;
}

/* Automatic maps, where all threads meet. */
static void *map_anywhere(void *arg)
{
	struct worker *w = arg;
	__u64 iova[8];

	for (int i = 0; i < w->rounds && !w->err; i++) {
		int slot = i % 8;

		if (i >= 8)
			w->err = ioas_unmap(w->fd, w->id, iova[slot],
					    (slot + 1) * PAGE);
		if (!w->err)
			w->err = ioas_map_auto(w->fd, w->id, w->buffer,
					       (slot + 1) * PAGE, &iova[slot]);
	}
	return NULL;
}

/* Gone already, there still, just being made: all else is wrong. */
static void *map_everywhere(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < w->rounds && !w->err; i++) {
		int err = ioas_map_fixed(w->fd, w->id, w->buffer, 2 * PAGE, AT);

		if (err && err != -EEXIST)
			w->err = err;
		err = ioas_unmap(w->fd, w->id, AT, 2 * PAGE);
		if (err && err != -ENOENT && err != -EBUSY)
			w->err = err;
	}
	return NULL;
}

#define WORKERS 4

FIXTURE(threads)
{
	struct leak_mark mark;
	int fd;
	__u32 id;
	char *buffer;
};

FIXTURE_VARIANT(threads)
{
	void *(*work)(void *arg);
	int rounds;
	__u64 left;		/* how much stays mapped */
};

FIXTURE_VARIANT_ADD(threads, own_ranges)
{
	.work = map_in_own_range,
	.rounds = 1000,
};

FIXTURE_VARIANT_ADD(threads, automatic)
{
	.work = map_anywhere,
	.rounds = 1000,
	.left = WORKERS * (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8) * PAGE,
};

FIXTURE_VARIANT_ADD(threads, same_range)
{
	.work = map_everywhere,
	.rounds = 1000,
};

FIXTURE_SETUP(threads)
{
	leak_mark(&self->mark);
	self->fd = iommufd_open();
	ASSERT_LE(0, self->fd);
	must(ioas_alloc(self->fd, &self->id));
	self->buffer = buffer_small(BUFFER_SIZE);
}

FIXTURE_TEARDOWN(threads)
{
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

TEST_F_TIMEOUT(threads, map_and_unmap_in_one_ioas, 120)
{
	struct worker workers[WORKERS];
	pthread_t threads[WORKERS];
	__u64 left = ULONG_MAX;

	for (int i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){
			.fd = self->fd,
			.id = self->id,
			.number = i,
			.buffer = self->buffer,
			.rounds = variant->rounds,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, variant->work,
					    &workers[i]));
	}
	for (int i = 0; i < WORKERS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, workers[i].err);
	}
	must(ioas_unmap_count(self->fd, self->id, 0, &left));
	ASSERT_EQ(variant->left, left);
}

/* Maps into whatever IOAS has the id, until there is no more of them. */
static void *map_while_it_exists(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; !w->err; i++) {
		__u64 iova = AT + (w->number * 1024 + i % 1024) * PAGE;

		w->err = ioas_map_fixed(w->fd, w->id, w->buffer, PAGE, iova);
		if (w->err == -EEXIST)
			w->err = 0;
	}
	return NULL;
}

TEST_F_TIMEOUT(ioas, destroy_wins_against_threads_that_map, 120)
{
	for (int round = 0; round < 20; round++) {
		struct worker workers[WORKERS];
		pthread_t threads[WORKERS];
		int err;

		for (int i = 0; i < WORKERS; i++) {
			workers[i] = (struct worker){
				.fd = self->fd,
				.id = self->id,
				.number = i,
				.buffer = self->buffer,
			};
			ASSERT_EQ(0, pthread_create(&threads[i], NULL,
						    map_while_it_exists,
						    &workers[i]));
		}
		usleep(1000 * round);
		do
			err = iommufd_destroy(self->fd, self->id);
		while (err == -EBUSY);
		EXPECT_EQ(0, err);
		for (int i = 0; i < WORKERS; i++) {
			ASSERT_EQ(0, pthread_join(threads[i], NULL));
			EXPECT_EQ(-ENOENT, workers[i].err);
		}
		must(ioas_alloc(self->fd, &self->id));
	}
}

TEST_HARNESS_MAIN
