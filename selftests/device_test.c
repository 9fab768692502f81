// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device behind the IOMMU: attaching it, real DMA through the mappings, and
 * the lives of devices, address spaces and files that use each other.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/child.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

#define AT 0x100000000ULL

/* --- DMA, with each kind of memory ---------------------------------------- */

/* Two buffers, mapped; the device copies from one to the other. */
FIXTURE(dma)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct edu edu;
	char *from, *to;
};

FIXTURE_VARIANT(dma)
{
	enum buffer_kind kind;
	bool attach_first;
};

FIXTURE_VARIANT_ADD(dma, small_attach_then_map)
{
	.kind = BUFFER_SMALL,
	.attach_first = true,
};

FIXTURE_VARIANT_ADD(dma, small_map_then_attach)
{
	.kind = BUFFER_SMALL,
};

FIXTURE_VARIANT_ADD(dma, thp_attach_then_map)
{
	.kind = BUFFER_THP,
	.attach_first = true,
};

FIXTURE_VARIANT_ADD(dma, thp_map_then_attach)
{
	.kind = BUFFER_THP,
};

FIXTURE_VARIANT_ADD(dma, hugetlb_attach_then_map)
{
	.kind = BUFFER_HUGETLB,
	.attach_first = true,
};

FIXTURE_VARIANT_ADD(dma, hugetlb_map_then_attach)
{
	.kind = BUFFER_HUGETLB,
};

FIXTURE_VARIANT_ADD(dma, memfd_attach_then_map)
{
	.kind = BUFFER_MEMFD,
	.attach_first = true,
};

#define DMA_SIZE HUGE_PAGE

FIXTURE_SETUP(dma)
{
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	self->from = buffer_alloc(variant->kind, DMA_SIZE);
	self->to = buffer_alloc(variant->kind, DMA_SIZE);
	ASSERT_NE(NULL, self->from);
	ASSERT_NE(NULL, self->to);
	buffer_fill(self->from, DMA_SIZE, 1);
	buffer_fill(self->to, DMA_SIZE, 2);
	if (variant->attach_first)
		must(vfio_attach_ioas(self->edu.fd, self->ioas));
}

FIXTURE_TEARDOWN(dma)
{
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
	buffer_free(variant->kind, self->from, DMA_SIZE);
	buffer_free(variant->kind, self->to, DMA_SIZE);
}

/* Is the rest of the buffer as it was filled? */
static bool untouched(const char *buffer, size_t hole, size_t hole_length,
		      __u32 seed)
{
	static char want[DMA_SIZE];

	buffer_fill(want, DMA_SIZE, seed);
	return !memcmp(buffer, want, hole) &&
	       !memcmp(buffer + hole + hole_length, want + hole + hole_length,
		       DMA_SIZE - hole - hole_length);
}

#define attach_if_late()						\
do {									\
	if (!variant->attach_first)					\
		must(vfio_attach_ioas(self->edu.fd, self->ioas));	\
} while (0)

TEST_F(dma, round_trip_at_fixed_iovas)
{
	__u64 to = AT + 2 * DMA_SIZE;

	must(ioas_map_fixed(self->fd, self->ioas, self->from, DMA_SIZE, AT));
	must(ioas_map_fixed(self->fd, self->ioas, self->to, DMA_SIZE, to));
	attach_if_late();
	must(edu_copy(&self->edu, to, AT, 2 * EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->from, self->to, 2 * EDU_CHUNK));
	EXPECT_TRUE(untouched(self->from, 0, 0, 1));
	EXPECT_TRUE(untouched(self->to, 0, 2 * EDU_CHUNK, 2));
}

TEST_F(dma, round_trip_at_automatic_iovas)
{
	__u64 from, to;

	must(ioas_map_auto(self->fd, self->ioas, self->from, DMA_SIZE, &from));
	must(ioas_map_auto(self->fd, self->ioas, self->to, DMA_SIZE, &to));
	attach_if_late();
	must(edu_copy(&self->edu, to, from, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->from, self->to, EDU_CHUNK));
	EXPECT_TRUE(untouched(self->to, 0, EDU_CHUNK, 2));
}

/* Neither end is aligned to anything, and both cross into another page. */
TEST_F(dma, across_page_boundaries)
{
	const size_t from = 7 * PAGE - 1001, to = 301 * PAGE - 57;
	const size_t length = 1999;

	must(ioas_map_fixed(self->fd, self->ioas, self->from, DMA_SIZE, AT));
	must(ioas_map_fixed(self->fd, self->ioas, self->to, DMA_SIZE,
			    AT + DMA_SIZE));
	attach_if_late();
	must(edu_copy(&self->edu, AT + DMA_SIZE + to, AT + from, length));
	EXPECT_EQ(0, memcmp(self->to + to, self->from + from, length));
	EXPECT_TRUE(untouched(self->to, to, length, 2));
}

/* The mappings are neighbours in IOVA only; the transfer spans both. */
TEST_F(dma, across_map_boundaries)
{
	const size_t half = EDU_CHUNK / 2;
	const __u64 seam = AT + 4 * PAGE;

	must(ioas_map_fixed(self->fd, self->ioas, self->from + 64 * PAGE,
			    4 * PAGE, AT));
	must(ioas_map_fixed(self->fd, self->ioas, self->from + 32 * PAGE,
			    4 * PAGE, seam));
	must(ioas_map_fixed(self->fd, self->ioas, self->to, PAGE,
			    AT + 64 * PAGE));
	attach_if_late();
	must(edu_copy(&self->edu, AT + 64 * PAGE, seam - half, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->to, self->from + 68 * PAGE - half, half));
	EXPECT_EQ(0, memcmp(self->to + half, self->from + 32 * PAGE, half));
}

/* The last bytes of a long mapping are as reachable as the first. */
TEST_F(dma, at_the_end_of_a_mapping)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->from, DMA_SIZE, AT));
	must(ioas_map_fixed(self->fd, self->ioas, self->to, DMA_SIZE,
			    AT + DMA_SIZE));
	attach_if_late();
	must(edu_copy(&self->edu, AT + 2 * DMA_SIZE - EDU_CHUNK,
		      AT + DMA_SIZE - EDU_CHUNK, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->to + DMA_SIZE - EDU_CHUNK,
			    self->from + DMA_SIZE - EDU_CHUNK, EDU_CHUNK));
	EXPECT_TRUE(untouched(self->to, DMA_SIZE - EDU_CHUNK, EDU_CHUNK, 2));
}

/* Memory that starts and ends in the middle of a huge page. */
TEST_F(dma, part_of_the_memory)
{
	const size_t skip = 100 * PAGE, length = 200 * PAGE;

	must(ioas_map_fixed(self->fd, self->ioas, self->from + skip, length,
			    AT));
	must(ioas_map_fixed(self->fd, self->ioas, self->to + skip, length,
			    AT + length));
	attach_if_late();
	must(edu_copy(&self->edu, AT + length, AT, 64));
	must(edu_copy(&self->edu, AT + 2 * length - 64, AT + length - 64, 64));
	EXPECT_EQ(0, memcmp(self->to + skip, self->from + skip, 64));
	EXPECT_EQ(0, memcmp(self->to + skip + length - 64,
			    self->from + skip + length - 64, 64));
}

/* Memory is written by the process after it was mapped. */
TEST_F(dma, sees_later_writes)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->from, DMA_SIZE, AT));
	must(ioas_map_fixed(self->fd, self->ioas, self->to, DMA_SIZE,
			    AT + DMA_SIZE));
	attach_if_late();
	buffer_fill(self->from, EDU_CHUNK, 3);
	must(edu_copy(&self->edu, AT + DMA_SIZE, AT, EDU_CHUNK));
	EXPECT_TRUE(buffer_holds(self->to, EDU_CHUNK, 3));
}

TEST_F(dma, pins_and_charge_are_released_by_unmap)
{
	long pins;

	must(ioas_map_fixed(self->fd, self->ioas, self->from, DMA_SIZE, AT));
	attach_if_late();
	pins = leak_pins();
	EXPECT_LT(self->mark.pins, pins);
	/* Once, that is; I/O of others may add a few. */
	EXPECT_GT(self->mark.pins + 2 * DMA_SIZE / PAGE, pins);
	EXPECT_EQ(DMA_SIZE / 1024, leak_charged_kb());
	must(ioas_unmap(self->fd, self->ioas, AT, DMA_SIZE));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	EXPECT_EQ(0, leak_charged_kb());
}

TEST_F(dma, pins_and_charge_are_released_by_detach)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->from, DMA_SIZE, AT));
	attach_if_late();
	EXPECT_LT(self->mark.pins, leak_pins());
	must(vfio_detach(self->edu.fd));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	EXPECT_EQ(0, leak_charged_kb());
}

/* --- the device, the address space and the files --------------------------- */

FIXTURE(device)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct edu edu;
	char *buffer;
};

#define BUFFER_SIZE (64 * PAGE)

FIXTURE_SETUP(device)
{
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	self->buffer = buffer_small(BUFFER_SIZE);
	buffer_fill(self->buffer, BUFFER_SIZE, 1);
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
}

FIXTURE_TEARDOWN(device)
{
	edu_close(&self->edu);
	close(self->fd);
	EXPECT_NO_LEAK(&self->mark);
}

/* Does the device reach the first page of @buffer through @ioas? */
static int check_dma(struct edu *edu, int fd, __u32 ioas, char *buffer)
{
	int err;

	buffer_fill(buffer, EDU_CHUNK, 11);
	memset(buffer + EDU_CHUNK, 0, EDU_CHUNK);
	err = ioas_map_fixed(fd, ioas, buffer, PAGE, AT);
	if (!err)
		err = edu_copy(edu, AT + EDU_CHUNK, AT, EDU_CHUNK);
	if (!err && !buffer_holds(buffer + EDU_CHUNK, EDU_CHUNK, 11))
		err = -EIO;
	if (!err)
		err = ioas_unmap(fd, ioas, AT, PAGE);
	return err;
}

TEST_F(device, attach_names_a_new_hwpt)
{
	__u32 pt = self->ioas;

	must(vfio_detach(self->edu.fd));
	must(vfio_attach(self->edu.fd, &pt));
	EXPECT_NE(0, pt);
	EXPECT_NE(self->ioas, pt);
	EXPECT_NE(self->edu.id, pt);
}

TEST_F(device, attach_to_no_such_id_is_enoent)
{
	must_fail(ENOENT, vfio_attach_ioas(self->edu.fd, 0));
	must_fail(ENOENT, vfio_attach_ioas(self->edu.fd, self->ioas + 1000));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

TEST_F(device, attach_to_a_device_id_is_einval)
{
	must_fail(EINVAL, vfio_attach_ioas(self->edu.fd, self->edu.id));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

TEST_F(device, ids_of_the_wrong_type_are_enoent)
{
	__u32 hwpt = self->ioas, count = 0;
	__u64 iova;

	must(vfio_detach(self->edu.fd));
	must(vfio_attach(self->edu.fd, &hwpt));
	for (int i = 0; i < 2; i++) {
		__u32 id = i ? hwpt : self->edu.id;

		must_fail(ENOENT, ioas_map_auto(self->fd, id, self->buffer,
						PAGE, &iova));
		must_fail(ENOENT, ioas_unmap_all(self->fd, id));
		must_fail(ENOENT, ioas_ranges(self->fd, id, NULL, &count,
					      NULL));
	}
}

TEST_F(device, bind_twice_is_einval)
{
	__u32 id;

	must_fail(EINVAL, vfio_bind(self->edu.fd, self->fd, &id));
}

TEST_F(device, second_open_cannot_bind)
{
	int other = vfio_open(self->edu.name);
	__u32 id;

	ASSERT_LE(0, other);
	must_fail(EINVAL, vfio_bind(other, self->fd, &id));
	must_fail(EINVAL, vfio_attach_ioas(other, self->ioas));
	ASSERT_EQ(0, close(other));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

TEST_F(device, bind_needs_an_iommufd)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	__u32 id;

	edu_close(&self->edu);
	must(edu_open(&self->edu));
	must_fail(EINVAL, vfio_bind(self->edu.fd, -2, &id));
	must_fail(EBADF, vfio_bind(self->edu.fd, 1000, &id));
	must_fail(EBADFD, vfio_bind(self->edu.fd, fd, &id));
	must(edu_start(&self->edu, self->fd));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
	close(fd);
}

TEST_F(device, detach_and_attach_again)
{
	for (int i = 0; i < 3; i++) {
		must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
		must(vfio_detach(self->edu.fd));
		must(vfio_attach_ioas(self->edu.fd, self->ioas));
	}
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

TEST_F(device, detach_twice_changes_nothing)
{
	must(vfio_detach(self->edu.fd));
	must(vfio_detach(self->edu.fd));
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

TEST_F(device, attach_twice_changes_nothing)
{
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

TEST_F(device, attach_to_another_ioas_replaces)
{
	char *mine = self->buffer, *others = self->buffer + PAGE;
	char *out = self->buffer + 2 * PAGE;
	__u32 other;

	/* One IOVA, other memory in each address space. */
	must(ioas_alloc(self->fd, &other));
	must(ioas_map_fixed(self->fd, self->ioas, mine, PAGE, AT));
	must(ioas_map_fixed(self->fd, other, others, PAGE, AT));
	must(ioas_map_fixed(self->fd, self->ioas, out, PAGE, AT + PAGE));
	must(ioas_map_fixed(self->fd, other, out, PAGE, AT + PAGE));

	must(edu_copy(&self->edu, AT + PAGE, AT, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(out, mine, EDU_CHUNK));
	must(vfio_attach_ioas(self->edu.fd, other));
	must(edu_copy(&self->edu, AT + PAGE, AT, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(out, others, EDU_CHUNK));
	/* The first is free now. */
	must(iommufd_destroy(self->fd, self->ioas));
}

TEST_F(device, destroy_in_use_is_ebusy)
{
	must_fail(EBUSY, iommufd_destroy(self->fd, self->ioas));
	must_fail(EBUSY, iommufd_destroy(self->fd, self->edu.id));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
	must(vfio_detach(self->edu.fd));
	must(iommufd_destroy(self->fd, self->ioas));
	must_fail(EBUSY, iommufd_destroy(self->fd, self->edu.id));
}

TEST_F(device, automatic_hwpt_goes_with_the_last_device)
{
	__u32 hwpt = self->ioas;

	must(vfio_detach(self->edu.fd));
	must(vfio_attach(self->edu.fd, &hwpt));
	must_fail(EBUSY, iommufd_destroy(self->fd, hwpt));
	must(vfio_detach(self->edu.fd));
	must_fail(ENOENT, iommufd_destroy(self->fd, hwpt));
}

TEST_F(device, page_tables_are_freed_on_close)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE,
			    64 * AT));
	/* The fixture's teardown counts the pages. */
}

TEST_F(device, same_memory_at_two_iovas)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, 2 * PAGE, AT));
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, 2 * PAGE,
			    2 * AT));
	must(ioas_unmap(self->fd, self->ioas, AT, 2 * PAGE));
	must(edu_copy(&self->edu, 2 * AT + PAGE, 2 * AT, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->buffer, self->buffer + PAGE, EDU_CHUNK));
}

/* --- closing --------------------------------------------------------------- */

TEST_F(device, close_device_then_iommufd)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, BUFFER_SIZE,
			    AT));
	edu_close(&self->edu);
	must(close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

/* The device holds the context: DMA goes on after the file is closed. */
TEST_F(device, close_iommufd_then_device)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, BUFFER_SIZE,
			    AT));
	must(close(self->fd));
	must(edu_copy(&self->edu, AT + PAGE, AT, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->buffer, self->buffer + PAGE, EDU_CHUNK));
	edu_close(&self->edu);
	EXPECT_NO_LEAK(&self->mark);
}

/* The mapped BAR keeps the device's file alive. */
TEST_F(device, close_device_before_its_bar)
{
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, BUFFER_SIZE,
			    AT));
	must(close(self->edu.fd));
	self->edu.fd = -1;
	must(edu_copy(&self->edu, AT + PAGE, AT, EDU_CHUNK));
	EXPECT_EQ(0, memcmp(self->buffer, self->buffer + PAGE, EDU_CHUNK));
	edu_unmap_bar(&self->edu);
	must(ioas_unmap(self->fd, self->ioas, AT, BUFFER_SIZE));
}

TEST_F(device, device_is_usable_in_a_new_file)
{
	int fd;
	__u32 ioas;

	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, BUFFER_SIZE,
			    AT));
	edu_close(&self->edu);
	fd = iommufd_open();
	ASSERT_LE(0, fd);
	must(ioas_alloc(fd, &ioas));
	must(edu_setup(&self->edu, fd, ioas));
	must(check_dma(&self->edu, fd, ioas, self->buffer));
	edu_close(&self->edu);
	must(close(fd));
}

/* --- other processes ------------------------------------------------------- */

TEST_F(device, child_uses_what_its_parent_closed)
{
	int status, go[2];
	pid_t pid;
	char byte;

	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	ASSERT_EQ(0, pipe(go));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 0)
			_exit(1);
		/* The pages are the parent's: only that it works can be seen. */
		if (edu_copy(&self->edu, AT + EDU_CHUNK, AT, EDU_CHUNK))
			_exit(2);
		if (ioas_unmap(self->fd, self->ioas, AT, PAGE))
			_exit(3);
		_exit(0);
	}
	edu_close(&self->edu);
	must(close(self->fd));
	close(go[0]);
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	EXPECT_EQ(0, memcmp(self->buffer, self->buffer + EDU_CHUNK, EDU_CHUNK));
}

/* A write after fork() must not move the memory away from the device. */
TEST_F(device, parent_writes_after_fork_reach_the_device)
{
	int status, stay[2];
	pid_t pid;
	char byte;

	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	ASSERT_EQ(0, pipe(stay));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* Shares the memory until its parent has looked. */
		close(stay[1]);
		_exit(read(stay[0], &byte, 1));
	}
	buffer_fill(self->buffer, EDU_CHUNK, 5);
	must(edu_copy(&self->edu, AT + EDU_CHUNK, AT, EDU_CHUNK));
	EXPECT_TRUE(buffer_holds(self->buffer + EDU_CHUNK, EDU_CHUNK, 5));
	close(stay[0]);
	close(stay[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Opens, attaches and maps; ends only by being killed. */
static void hold_the_device(int ready)
{
	char *buffer = buffer_small(BUFFER_SIZE);
	int fd = iommufd_open();
	struct edu edu;
	__u32 ioas;

	if (ioas_alloc(fd, &ioas) || edu_setup(&edu, fd, ioas))
		_exit(1);
	for (__u64 i = 0;; i++) {
		__u64 iova = AT + (i % 4) * BUFFER_SIZE;

		if (i >= 4 && ioas_unmap(fd, ioas, iova, BUFFER_SIZE))
			_exit(1);
		if (ioas_map_fixed(fd, ioas, buffer, BUFFER_SIZE, iova))
			_exit(1);
		if (i == 8)
			child_ready(ready);
	}
}

TEST_F_TIMEOUT(device, killed_with_the_device_leaves_it_usable, 60)
{
	edu_close(&self->edu);
	for (int i = 0; i < 5; i++)
		must(child_kill_in(hold_the_device, 3000 * i));
	must(edu_setup(&self->edu, self->fd, self->ioas));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

/* Its memory is still pinned when the process that mapped it is gone. */
TEST_F(device, mappings_outlive_the_process_that_made_them)
{
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char *buffer = buffer_small(PAGE);

		buffer_fill(buffer, PAGE, 7);
		_exit(ioas_map_fixed(self->fd, self->ioas, buffer, PAGE,
				     2 * AT) ? 1 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	ASSERT_EQ(0, status);
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	must(edu_copy(&self->edu, AT, 2 * AT, EDU_CHUNK));
	EXPECT_TRUE(buffer_holds(self->buffer, EDU_CHUNK, 7));
}

/* --- threads ----------------------------------------------------------------- */

#define MAPPERS 3

struct mapper {
	int fd;
	__u32 ioas;
	__u64 at;
	char *buffer;
	atomic_bool *stop;
	int rounds;
	int err;
};

static void *map_until_stopped(void *arg)
{
	struct mapper *m = arg;

	while (!m->err && !atomic_load(m->stop)) {
		__u64 iova = m->at + m->rounds++ % 8 * 16 * PAGE;

		m->err = ioas_map_fixed(m->fd, m->ioas, m->buffer, 16 * PAGE,
					iova);
		if (!m->err)
			m->err = ioas_unmap(m->fd, m->ioas, iova, 16 * PAGE);
	}
	return NULL;
}

/* What others map must get into every domain, or out of it, exactly once. */
TEST_F_TIMEOUT(device, attaches_and_detaches_while_threads_map, 120)
{
	struct mapper mappers[MAPPERS];
	pthread_t threads[MAPPERS];
	atomic_bool stop = false;

	for (int i = 0; i < MAPPERS; i++) {
		mappers[i] = (struct mapper){
			.fd = self->fd,
			.ioas = self->ioas,
			.at = (i + 2) * AT,
			.buffer = self->buffer,
			.stop = &stop,
		};
		ASSERT_EQ(0, pthread_create(&threads[i], NULL,
					    map_until_stopped, &mappers[i]));
	}
	for (int i = 0; i < 100; i++) {
		EXPECT_EQ(0, vfio_detach(self->edu.fd));
		EXPECT_EQ(0, vfio_attach_ioas(self->edu.fd, self->ioas));
		if (i % 25 == 0)
			EXPECT_EQ(0, check_dma(&self->edu, self->fd, self->ioas,
					       self->buffer + 16 * PAGE));
	}
	atomic_store(&stop, true);
	for (int i = 0; i < MAPPERS; i++) {
		ASSERT_EQ(0, pthread_join(threads[i], NULL));
		EXPECT_EQ(0, mappers[i].err);
		EXPECT_LT(10, mappers[i].rounds);
	}
	must(ioas_unmap_all(self->fd, self->ioas));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
}

TEST_HARNESS_MAIN
