// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-table statistics: IOX_HWPT_PT_STATS and the BPF iterators say what an
 * independent count says, and reading them is safe whatever goes on meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/iox.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/mock.h"
#include "lib/pt_model.h"
#include "shell.h"

#define AT 0x400000000ULL
#define SLOT 0x80000000ULL
/* The mock IOMMU has no IOVAs from 2 GiB on. */
#define MOCK_AT 0x10000000ULL

#define SMALL_PAGES 2048UL	/* of the memory in small pages */
#define HUGE_PAGES 8UL
#define LAYOUTS 200
#define MAX_AREAS 12

#define LG2_4K 12
#define LG2_2M 21
#define LG2_1G 30

FIXTURE(pt)
{
	struct leak_mark mark;
	struct edu edu;
	int fd;
	__u32 ioas;
	__u32 hwpt;
	char *small;
	char *huge;
	int huge_fd;
	char *output;
};

/* Frames of neighbours that were touched far apart in time are rarely neighbours. */
static char *scattered_memory(size_t npages)
{
	char *p = buffer_small(npages * PAGE);

	madvise(p, npages * PAGE, MADV_NOHUGEPAGE);
	for (size_t step = 0; step < 8; step++)
		for (size_t i = step; i < npages; i += 8)
			p[i * PAGE] = 1;
	return p;
}

FIXTURE_SETUP(pt)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd has no page-table statistics");
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	must(hwpt_alloc_paging(self->fd, self->edu.id, self->ioas, &self->hwpt));
	self->small = scattered_memory(SMALL_PAGES);
	ASSERT_TRUE(buffer_hugetlb_pool(HUGE_PAGES));
	self->huge_fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	ASSERT_LE(0, self->huge_fd);
	ASSERT_EQ(0, ftruncate(self->huge_fd, HUGE_PAGES * HUGE_PAGE));
	self->huge = mmap(NULL, HUGE_PAGES * HUGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, self->huge_fd, 0);
	ASSERT_NE(MAP_FAILED, self->huge);
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
}

FIXTURE_TEARDOWN(pt)
{
	if (!iommufd_is_iox())
		return;
	free(self->output);
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	munmap(self->huge, HUGE_PAGES * HUGE_PAGE);
	close(self->huge_fd);
	buffer_free(BUFFER_SMALL, self->small, SMALL_PAGES * PAGE);
	EXPECT_NO_LEAK(&self->mark);
}

static int read_stats(const FIXTURE_DATA(pt) *self, struct pt_stats *stats)
{
	return pt_stats_read(self->fd, self->hwpt, stats);
}

/* --- what the numbers are ----------------------------------------------------- */

TEST_F(pt, empty_table_has_its_top_only)
{
	struct pt_stats stats;

	must(read_stats(self, &stats));
	EXPECT_LE(3, stats.nr_levels);
	EXPECT_EQ(1, pt_total_tables(&stats));
	EXPECT_EQ(1, stats.tables[stats.nr_levels - 1]);
	EXPECT_EQ(PAGE, stats.table_bytes[stats.nr_levels - 1]);
	EXPECT_EQ(0, stats.areas);
	EXPECT_EQ(0, stats.mapped);
	EXPECT_TRUE(!strcmp(stats.format, "vtdss") || !strcmp(stats.format, "x86_64"));
	EXPECT_TRUE(stats.page_sizes & PAGE);
}

/* Expects bytes in leaves of 4 KiB that have this one reason not to be larger. */
#define EXPECT_WHY(stats, reason, bytes) do {				\
	for (int _why = 0; _why < IOX_PT_NR_WHY; _why++)		\
		EXPECT_EQ(_why == (reason) ? (bytes) : 0,		\
			  (stats).why[LG2_4K][_why]);			\
} while (0)

TEST_F(pt, single_page_is_short)
{
	struct pt_stats stats;

	must(ioas_map_fixed(self->fd, self->ioas, self->huge, PAGE, AT));
	must(read_stats(self, &stats));
	EXPECT_EQ(1, stats.leaves[LG2_4K]);
	EXPECT_EQ(1, stats.areas);
	EXPECT_EQ(PAGE, stats.mapped);
	EXPECT_EQ(stats.nr_levels, pt_total_tables(&stats));
	EXPECT_WHY(stats, IOX_PT_SHORT, PAGE);
}

TEST_F(pt, ends_of_a_mapping_are_short)
{
	const __u64 head = HUGE_PAGE / 2, length = 3 * HUGE_PAGE;
	struct pt_stats stats;

	must(ioas_map_file_fixed(self->fd, self->ioas, self->huge_fd, head, length,
				 AT + head));
	must(read_stats(self, &stats));
	EXPECT_EQ(2, stats.leaves[LG2_2M]);
	EXPECT_EQ(HUGE_PAGE / PAGE, stats.leaves[LG2_4K]);
	EXPECT_WHY(stats, IOX_PT_SHORT, HUGE_PAGE);
}

TEST_F(pt, huge_page_at_an_odd_iova_is_unaligned)
{
	struct pt_stats stats;

	must(ioas_map_file_fixed(self->fd, self->ioas, self->huge_fd, 0, HUGE_PAGE,
				 AT + PAGE));
	must(read_stats(self, &stats));
	EXPECT_EQ(0, stats.leaves[LG2_2M]);
	EXPECT_EQ(HUGE_PAGE / PAGE, stats.leaves[LG2_4K]);
	EXPECT_EQ(2, stats.tables[0]);
	EXPECT_WHY(stats, IOX_PT_UNALIGNED, HUGE_PAGE);
}

TEST_F(pt, huge_page_in_its_place_is_one_leaf)
{
	struct pt_stats stats;

	must(ioas_map_file_fixed(self->fd, self->ioas, self->huge_fd, 0, HUGE_PAGE, AT));
	must(read_stats(self, &stats));
	EXPECT_EQ(1, stats.leaves[LG2_2M]);
	EXPECT_EQ(0, stats.leaves[LG2_4K]);
	EXPECT_EQ(0, stats.tables[0]);
	EXPECT_WHY(stats, IOX_PT_SHORT, 0);
	if (stats.page_sizes >> LG2_1G & 1)
		EXPECT_EQ(HUGE_PAGE, stats.why[LG2_2M][IOX_PT_SHORT]);
}

static int set_huge_pages(int fd, __u32 ioas, bool on)
{
	struct iommu_option cmd = { .size = sizeof(cmd), .object_id = ioas,
				    .option_id = IOMMU_OPTION_HUGE_PAGES,
				    .op = IOMMU_OPTION_OP_SET, .val64 = on };

	return xioctl(fd, IOMMU_OPTION, &cmd);
}

TEST_F(pt, huge_page_mapped_page_by_page_is_unused)
{
	struct pt_stats stats;

	must(set_huge_pages(self->fd, self->ioas, false));
	must(ioas_map_file_fixed(self->fd, self->ioas, self->huge_fd, 0, HUGE_PAGE, AT));
	must(read_stats(self, &stats));
	EXPECT_EQ(HUGE_PAGE / PAGE, stats.leaves[LG2_4K]);
	EXPECT_WHY(stats, IOX_PT_UNUSED, HUGE_PAGE);
}

/* The two halves of a file like a zip: no page is next to the one that was allocated with it. */
TEST_F(pt, memory_in_pieces_is_scattered)
{
	const size_t npages = 2 * HUGE_PAGE / PAGE;
	int memfd = memfd_create("zip", MFD_CLOEXEC);
	struct pt_area area = { .iova = AT, .npages = npages };
	struct pt_stats want, got;
	char *p = mmap(NULL, npages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, fallocate(memfd, 0, 0, npages * PAGE));
	for (size_t i = 0; i < npages; i++)
		ASSERT_NE(MAP_FAILED, mmap(p + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_FIXED | MAP_POPULATE, memfd,
					   (i / 2 + i % 2 * npages / 2) * PAGE));
	must(ioas_map_fixed(self->fd, self->ioas, p, npages * PAGE, AT));
	must(read_stats(self, &got));
	area.pfn = pt_frames(p, npages);
	want = got;
	pt_model_count(&area, 1, false, &want);
	EXPECT_EQ(NULL, pt_difference(&want, &got))
		TH_LOG("%s", pt_difference(&want, &got));
	/* How much, is for who gave the file its pages. */
	EXPECT_LT(0, got.why[LG2_4K][IOX_PT_SCATTERED]);
	free(area.pfn);
	munmap(p, npages * PAGE);
	close(memfd);
}

TEST_F(pt, tables_that_are_empty_count)
{
	struct pt_stats stats;

	must(ioas_map_fixed(self->fd, self->ioas, self->small, PAGE, AT));
	must(ioas_unmap(self->fd, self->ioas, AT, PAGE));
	must(read_stats(self, &stats));
	EXPECT_EQ(1, stats.tables[0]);
	EXPECT_EQ(0, stats.mapped);
	EXPECT_EQ(0, stats.areas);
}

/* --- random layouts ------------------------------------------------------------- */

struct layout {
	struct pt_area area[MAX_AREAS];
	size_t nr;
	const char *va[MAX_AREAS];
};

static size_t below(size_t n)
{
	return n ? random() % n : 0;
}

/* A length that is short, long, or just some huge pages */
static size_t random_pages(size_t most)
{
	switch (below(3)) {
	case 0:
		return 1 + below(most < 8 ? most : 8);
	case 1:
		return 1 + below(most);
	default:
		return most < 512 ? most : 512 * (1 + below(most / 512));
	}
}

/* Somewhere, where the memory wants it, or right behind the one before */
static __u64 random_iova(const struct layout *l, const char *va, __u64 slot)
{
	const struct pt_area *before = l->nr ? &l->area[l->nr - 1] : NULL;

	switch (below(4)) {
	case 0:
		return slot + below(SLOT / 2 / PAGE) * PAGE;
	case 1:
		if (before)
			return before->iova + before->npages * PAGE;
		/* fallthrough */
	default:
		return slot + below(512) * HUGE_PAGE + (uintptr_t)va % HUGE_PAGE;
	}
}

static int map_random_area(const FIXTURE_DATA(pt) *self, __u32 ioas, struct layout *l)
{
	bool huge = below(2);
	size_t all = huge ? HUGE_PAGES * 512 : SMALL_PAGES, first = below(all);
	const char *va = (huge ? self->huge : self->small) + first * PAGE;
	size_t npages = random_pages(all - first);
	__u64 iova = random_iova(l, va, AT + l->nr * SLOT);
	int err;

	/* As a file, or as memory of the process */
	if (huge && below(2))
		err = ioas_map_file_fixed(self->fd, ioas, self->huge_fd, first * PAGE,
					  npages * PAGE, iova);
	else
		err = ioas_map_fixed(self->fd, ioas, va, npages * PAGE, iova);
	if (err)
		return err;
	l->va[l->nr] = va;
	l->area[l->nr++] = (struct pt_area){ iova, npages, NULL };
	return 0;
}

/* Maps before or after the HWPT is there; the memory is read once it is pinned. */
static int make_layout(const FIXTURE_DATA(pt) *self, __u32 ioas, __u32 *hwpt,
		       struct layout *l)
{
	size_t nr = 1 + below(MAX_AREAS), at = below(nr + 1);
	int err = 0;

	l->nr = 0;
	for (size_t i = 0; !err && i <= nr; i++) {
		if (i == at)
			err = hwpt_alloc_paging(self->fd, self->edu.id, ioas, hwpt);
		if (!err && i < nr)
			err = map_random_area(self, ioas, l);
	}
	for (size_t i = 0; !err && i < l->nr; i++)
		l->area[i].pfn = pt_frames(l->va[i], l->area[i].npages);
	return err;
}

static void free_layout(struct layout *l)
{
	for (size_t i = 0; i < l->nr; i++)
		free(l->area[i].pfn);
}

TEST_F_TIMEOUT(pt, random_layouts_are_counted_exactly, 180)
{
	__u64 sum[IOX_PT_NR_WHY] = {};

	for (unsigned int seed = 1; seed <= LAYOUTS; seed++) {
		struct pt_stats want, got;
		struct layout l;
		__u32 ioas, hwpt;
		bool small;
		long before;

		srandom(seed);
		must(ioas_alloc(self->fd, &ioas));
		small = !below(8);
		if (small)
			must(set_huge_pages(self->fd, ioas, false));
		leak_pins_settled(0);
		before = leak_iommu_pages();
		must(make_layout(self, ioas, &hwpt, &l));
		must(pt_stats_read(self->fd, hwpt, &got));
		want = got;
		pt_model_count(l.area, l.nr, small, &want);
		ASSERT_EQ(NULL, pt_difference(&want, &got))
			TH_LOG("seed %u: %s", seed, pt_difference(&want, &got));
		leak_pins();
		ASSERT_EQ(pt_total_tables(&got), leak_iommu_pages() - before);
		for (int why = 0; why < IOX_PT_NR_WHY; why++)
			sum[why] += got.why[LG2_4K][why];
		free_layout(&l);
		must(iommufd_destroy(self->fd, hwpt));
		must(iommufd_destroy(self->fd, ioas));
	}
	/* Each reason was met. */
	for (int why = 0; why < IOX_PT_NR_WHY; why++)
		EXPECT_LT(0, sum[why]);
}

/* --- while others work ---------------------------------------------------------- */

#define THREADS 4

struct mapper {
	pthread_t thread;
	atomic_bool *stop;
	int fd;
	__u32 ioas;
	const char *memory;
	__u64 window;
	unsigned int seed;
	int err;
	long rounds;
};

/* Long mappings, whose tables go with them, and short ones, which leave theirs. */
static void *map_and_unmap(void *arg)
{
	struct mapper *m = arg;

	while (!*m->stop && !m->err) {
		size_t pages = rand_r(&m->seed) % 4 ? 1 + rand_r(&m->seed) % 1024 : 1;
		__u64 iova = m->window + rand_r(&m->seed) % 1024 * PAGE;

		m->err = ioas_map_fixed(m->fd, m->ioas, m->memory, pages * PAGE, iova);
		if (!m->err)
			m->err = ioas_unmap(m->fd, m->ioas, iova, pages * PAGE);
		m->rounds++;
	}
	return NULL;
}

static void start_mappers(const FIXTURE_DATA(pt) *self, struct mapper *mappers,
			  atomic_bool *stop)
{
	*stop = false;
	for (int i = 0; i < THREADS; i++) {
		mappers[i] = (struct mapper){ .stop = stop, .fd = self->fd,
					      .ioas = self->ioas,
					      .memory = self->small,
					      .window = AT + (i + 1) * SLOT,
					      .seed = i + 1 };
		pthread_create(&mappers[i].thread, NULL, map_and_unmap, &mappers[i]);
	}
}

static int stop_mappers(struct mapper *mappers, atomic_bool *stop)
{
	int err = 0;

	*stop = true;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(mappers[i].thread, NULL);
		if (!err)
			err = mappers[i].err ?: mappers[i].rounds ? 0 : -EIO;
	}
	return err;
}

/* Whatever goes on: leaves are what they say, and each has one reason. */
static bool makes_sense(const struct pt_stats *stats)
{
	__u64 mapped = 0;

	for (int i = 0; i < PT_SIZES; i++) {
		__u64 bytes = stats->leaves[i] << i, sum = 0;

		mapped += bytes;
		for (int why = 0; why < IOX_PT_NR_WHY; why++)
			sum += stats->why[i][why];
		if (stats->page_sizes >> i > 1 && sum != bytes)
			return false;
	}
	return mapped == stats->mapped && stats->tables[stats->nr_levels - 1] == 1;
}

TEST_F_TIMEOUT(pt, reading_while_threads_map, 120)
{
	const __u64 kept = 2 * HUGE_PAGE;
	struct mapper mappers[THREADS];
	struct pt_stats stats;
	atomic_bool stop;

	must(ioas_map_file_fixed(self->fd, self->ioas, self->huge_fd, 0, kept, AT));
	/* What is set aside for a kexec moves before it is pinned, for which nobody else may look at it. */
	must(ioas_map_fixed(self->fd, self->ioas, self->small, SMALL_PAGES * PAGE, AT + SLOT));
	must(ioas_unmap(self->fd, self->ioas, AT + SLOT, SMALL_PAGES * PAGE));
	start_mappers(self, mappers, &stop);
	for (int i = 0; i < 300; i++) {
		must(read_stats(self, &stats));
		ASSERT_TRUE(makes_sense(&stats));
		ASSERT_LE(kept, stats.mapped);
		ASSERT_EQ(2, stats.leaves[LG2_2M]);
	}
	ASSERT_EQ(0, stop_mappers(mappers, &stop));
	must(read_stats(self, &stats));
	EXPECT_EQ(1, stats.areas);
	EXPECT_EQ(kept, stats.mapped);
}

/* Has a HWPT, with much to read, come and go. */
static void *make_and_destroy(void *arg)
{
	FIXTURE_DATA(pt) *self = arg;
	__u32 hwpt;
	long rounds;
	int err = 0;

	for (rounds = 0; !err && rounds < 200; rounds++) {
		err = hwpt_alloc_paging(self->fd, self->edu.id, self->ioas, &hwpt);
		if (!err)
			err = iommufd_destroy(self->fd, hwpt);
	}
	return (void *)(long)err;
}

#define PIN "/sys/fs/bpf/pt_stats_test"
#define PIN_IT "mountpoint -q /sys/fs/bpf || mount -t bpf none /sys/fs/bpf; " \
	"rm -f " PIN "; build/tools/bin/bpftool iter pin build/bpf/hwpt_stats.bpf.o " PIN " 2>&1"

TEST_F_TIMEOUT(pt, hwpts_that_go_while_they_are_read, 120)
{
	pthread_t thread;
	void *err;

	for (int i = 0; i < 4; i++)
		must(ioas_map_fixed(self->fd, self->ioas, self->small, SMALL_PAGES * PAGE,
				    AT + i * SLOT));
	ASSERT_EQ(0, shell_run(self->output, PIN_IT)) TH_LOG("%s", self->output);
	ASSERT_EQ(0, pthread_create(&thread, NULL, make_and_destroy, self));
	do {
		ASSERT_EQ(0, shell_run(self->output, "cat " PIN " " PIN " " PIN));
		ASSERT_TRUE(shell_has(self->output, ", 4 mappings, 32768 KiB\n"));
	} while (pthread_tryjoin_np(thread, &err));
	EXPECT_EQ(NULL, err);
	ASSERT_EQ(0, shell_run(self->output, "rm " PIN));
}

/* --- the iterator --------------------------------------------------------------- */

TEST_F(pt, iterator_says_the_same)
{
	char want[256], *line;
	struct pt_stats stats;

	must(ioas_map_file_fixed(self->fd, self->ioas, self->huge_fd, 0, 3 * HUGE_PAGE, AT));
	must(ioas_map_fixed(self->fd, self->ioas, self->small, 100 * PAGE, AT + SLOT));
	must(read_stats(self, &stats));
	ASSERT_EQ(0, shell_run(self->output, PIN_IT)) TH_LOG("%s", self->output);
	ASSERT_EQ(0, shell_run(self->output, "cat " PIN "; rm " PIN));
	snprintf(want, sizeof(want),
		 " hwpt %u ioas %u: process %d (pt_stats_test), %s, 2 mappings, %llu KiB\n",
		 self->hwpt, self->ioas, getpid(), stats.format, stats.mapped / 1024);
	line = strstr(self->output, want);
	ASSERT_NE(NULL, line) TH_LOG("%s", self->output);
	snprintf(want, sizeof(want), "  %10u %10llu %12llu ", 4, stats.leaves[LG2_4K],
		 stats.why[LG2_4K][IOX_PT_SHORT] / 1024);
	EXPECT_TRUE(shell_has(line, want)) TH_LOG("%s", self->output);
	snprintf(want, sizeof(want), "  %5u %12llu %12llu\n", 0, stats.tables[0],
		 stats.table_bytes[0] / 1024);
	EXPECT_TRUE(shell_has(line, want)) TH_LOG("%s", self->output);
}

/* Much more than one read() gives */
TEST_F(pt, iterator_shows_each_hwpt_once)
{
	const int nr = 150;
	char want[64], *line;
	__u32 hwpt[150];

	must(ioas_map_fixed(self->fd, self->ioas, self->small, PAGE, AT));
	for (int i = 0; i < nr; i++)
		must(hwpt_alloc_paging(self->fd, self->edu.id, self->ioas, &hwpt[i]));
	ASSERT_EQ(0, shell_run(self->output, PIN_IT)) TH_LOG("%s", self->output);
	ASSERT_EQ(0, shell_run(self->output, "cat " PIN "; rm " PIN));
	EXPECT_LT(64 * 1024, strlen(self->output));
	for (int i = 0; i < nr; i++) {
		snprintf(want, sizeof(want), " hwpt %u ioas %u: ", hwpt[i], self->ioas);
		line = strstr(self->output, want);
		ASSERT_NE(NULL, line) TH_LOG("no%s", want);
		EXPECT_EQ(NULL, strstr(line + 1, want));
	}
}

/* A page table of another format, of an IOMMU that is not there. */
TEST_F(pt, mock_iommu_has_them_too)
{
	struct pt_stats stats;
	struct mock mock;
	__u32 ioas;

	must(ioas_alloc(self->fd, &ioas));
	if (mock_plug(self->fd, ioas, 0, &mock))
		SKIP(return, NEED_MOCK);
	must(ioas_map_file_fixed(self->fd, ioas, self->huge_fd, 0, HUGE_PAGE, MOCK_AT));
	must(pt_stats_read(self->fd, mock.hwpt, &stats));
	EXPECT_EQ(0, strncmp(stats.format, "amdv1", 5));
	EXPECT_EQ(HUGE_PAGE, stats.mapped);
	EXPECT_TRUE(makes_sense(&stats));
	must(iommufd_destroy(self->fd, mock.stdev));
}

/* --- arguments ------------------------------------------------------------------ */

static struct iox_hwpt_pt_stats command(const FIXTURE_DATA(pt) *self)
{
	return (struct iox_hwpt_pt_stats){ .size = sizeof(struct iox_hwpt_pt_stats),
					   .hwpt_id = self->hwpt };
}

TEST_F(pt, wrong_arguments)
{
	struct iox_hwpt_pt_stats cmd = command(self);

	cmd.flags = 1;
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOX_HWPT_PT_STATS, &cmd));
	cmd = command(self);
	cmd.__reserved = 1;
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOX_HWPT_PT_STATS, &cmd));
	cmd = command(self);
	cmd.size--;
	must_fail(EINVAL, xioctl(self->fd, IOX_HWPT_PT_STATS, &cmd));
	cmd = command(self);
	cmd.hwpt_id = self->ioas;
	must_fail(ENOENT, xioctl(self->fd, IOX_HWPT_PT_STATS, &cmd));
	cmd = command(self);
	cmd.nr_levels = 1;
	must_fail(EFAULT, xioctl(self->fd, IOX_HWPT_PT_STATS, &cmd));
	cmd = command(self);
	cmd.nr_sizes = 1;
	must_fail(EFAULT, xioctl(self->fd, IOX_HWPT_PT_STATS, &cmd));
}

TEST_F(pt, too_little_room_says_how_much_it_takes)
{
	struct iox_hwpt_pt_stats cmd = command(self);
	struct iox_pt_size sizes[2] = { {}, { .size = 1 } };
	struct pt_stats stats;

	must(ioas_map_fixed(self->fd, self->ioas, self->small, PAGE, AT));
	must(read_stats(self, &stats));
	cmd.nr_sizes = 1;
	cmd.sizes_uptr = (uintptr_t)sizes;
	must_fail(EMSGSIZE, xioctl(self->fd, IOX_HWPT_PT_STATS, &cmd));
	EXPECT_EQ(stats.nr_levels, cmd.nr_levels);
	EXPECT_EQ(__builtin_popcountll(stats.page_sizes), cmd.nr_sizes);
	EXPECT_EQ(PAGE, cmd.out_mapped);
	EXPECT_EQ(PAGE, sizes[0].size);
	EXPECT_EQ(1, sizes[0].leaves);
	EXPECT_EQ(1, sizes[1].size);
}

TEST_HARNESS_MAIN
