// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owners that run out of memory and are killed for it: while they map, and while
 * all they do is to have a lot pinned. Nothing of theirs may be left.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/child.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

#define AT 0x100000000ULL
#define CGROUP "/sys/fs/cgroup/oom_test"
#define LIMIT (64UL << 20)
#define TOO_MUCH (4 * LIMIT)
#define ENOUGH (LIMIT / 2)

/* --- a group of processes with little memory --------------------------------------- */

static int group_make(unsigned long limit)
{
	char text[32];

	/* Other programs may have done this already. */
	sysfs_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		return -errno;
	snprintf(text, sizeof(text), "%lu", limit);
	return sysfs_write(CGROUP "/memory.max", text);
}

static int group_join(void)
{
	return sysfs_write(CGROUP "/cgroup.procs", "0");
}

/* How many of its processes have been killed for want of memory */
static long group_kills(void)
{
	char line[64];
	long kills = -1;
	FILE *f = fopen(CGROUP "/memory.events", "re");

	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "oom_kill %ld", &kills) == 1)
			break;
	fclose(f);
	return kills;
}

/* --- the owners ------------------------------------------------------------------------ */

FIXTURE(oom)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct edu edu;
	char *buffer;
	long kills;
};

FIXTURE_SETUP(oom)
{
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	self->buffer = buffer_small(2 * PAGE);
	must(group_make(LIMIT));
	self->kills = group_kills();
	ASSERT_LE(0, self->kills);
}

FIXTURE_TEARDOWN(oom)
{
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
	rmdir(CGROUP);
}

/* Is the device as usable as if nobody had died? */
static int check_dma(struct edu *edu, int fd, __u32 ioas, char *buffer)
{
	int err = ioas_map_fixed(fd, ioas, buffer, 2 * PAGE, AT);

	buffer_fill(buffer, EDU_CHUNK, 5);
	memset(buffer + PAGE, 0, EDU_CHUNK);
	err = err ?: edu_copy(edu, AT + PAGE, AT, EDU_CHUNK);
	if (!err && !buffer_holds(buffer + PAGE, EDU_CHUNK, 5))
		err = -EIO;
	return err ?: ioas_unmap(fd, ioas, AT, 2 * PAGE);
}

static bool was_killed(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGKILL;
}

/* With the files of its parent: what it maps is there only as a whole. */
TEST_F_TIMEOUT(oom, while_mapping_into_a_shared_ioas, 120)
{
	__u64 length = UINT64_MAX;
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		char *buffer = buffer_small(TOO_MUCH);

		if (group_join())
			_exit(1);
		ioas_map_fixed(self->fd, self->ioas, buffer, TOO_MUCH, AT);
		_exit(2);
	}
	ASSERT_TRUE(was_killed(pid));
	EXPECT_EQ(self->kills + 1, group_kills());
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	must(ioas_unmap_count(self->fd, self->ioas, 0, &length));
	EXPECT_EQ(0, length);
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

/* With files and a device of its own */
static void take_the_device(struct edu *edu, int *fd, __u32 *ioas)
{
	if (edu_bind_new(edu, fd, ioas) || vfio_attach_ioas(edu->fd, *ioas))
		_exit(1);
}

TEST_F_TIMEOUT(oom, while_mapping_for_its_own_device, 120)
{
	pid_t pid;

	edu_close(&self->edu);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char *buffer = buffer_small(TOO_MUCH);
		struct edu edu;
		__u32 ioas;
		int fd;

		take_the_device(&edu, &fd, &ioas);
		if (group_join() ||
		    ioas_map_fixed(fd, ioas, buffer, ENOUGH, AT))
			_exit(1);
		ioas_map_fixed(fd, ioas, buffer, TOO_MUCH, 2 * AT);
		_exit(2);
	}
	ASSERT_TRUE(was_killed(pid));
	EXPECT_EQ(self->kills + 1, group_kills());
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	must(edu_setup(&self->edu, self->fd, self->ioas));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

/* In small pieces, so that it dies between two of them as often as inside one. */
TEST_F_TIMEOUT(oom, while_mapping_piece_by_piece, 120)
{
	pid_t pid;

	edu_close(&self->edu);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char *buffer = buffer_small(TOO_MUCH);
		struct edu edu;
		__u32 ioas;
		int fd;

		take_the_device(&edu, &fd, &ioas);
		if (group_join())
			_exit(1);
		for (size_t at = 0; at < TOO_MUCH; at += 16 * PAGE)
			ioas_map_fixed(fd, ioas, buffer + at, 16 * PAGE,
				       AT + 2 * at);
		_exit(2);
	}
	ASSERT_TRUE(was_killed(pid));
	must(edu_setup(&self->edu, self->fd, self->ioas));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

/* Has much pinned, and does nothing. */
static void hold_much(int ready)
{
	char *buffer = buffer_small(ENOUGH);
	struct edu edu;
	__u32 ioas;
	int fd;

	take_the_device(&edu, &fd, &ioas);
	if (group_join() || ioas_map_fixed(fd, ioas, buffer, ENOUGH, AT))
		_exit(1);
	child_ready(ready);
	pause();
}

/* What is pinned cannot be reclaimed, so that there is no other way. */
TEST_F_TIMEOUT(oom, while_idle_when_the_limit_falls, 120)
{
	pid_t pid;

	edu_close(&self->edu);
	pid = child_start(hold_much);
	ASSERT_LT(0, pid);
	EXPECT_LE(self->mark.pins + ENOUGH / PAGE, leak_pins());
	must(sysfs_write(CGROUP "/memory.max", "8M"));
	ASSERT_TRUE(was_killed(pid));
	EXPECT_EQ(self->kills + 1, group_kills());
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	must(edu_setup(&self->edu, self->fd, self->ioas));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

/* What a dead process had mapped stays as long as the address space does. */
TEST_F_TIMEOUT(oom, mappings_outlive_their_owner, 120)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		char *buffer = buffer_small(ENOUGH);
		char *more = buffer_small(TOO_MUCH);

		buffer_fill(buffer, PAGE, 6);
		if (group_join() ||
		    ioas_map_fixed(self->fd, self->ioas, buffer, ENOUGH,
				   2 * AT))
			_exit(1);
		memset(more, 1, TOO_MUCH);
		_exit(2);
	}
	ASSERT_TRUE(was_killed(pid));
	EXPECT_LE(self->mark.pins + ENOUGH / PAGE, leak_pins());
	must(ioas_map_fixed(self->fd, self->ioas, self->buffer, PAGE, AT));
	must(edu_copy(&self->edu, AT, 2 * AT, EDU_CHUNK));
	EXPECT_TRUE(buffer_holds(self->buffer, EDU_CHUNK, 6));
	must(ioas_unmap_all(self->fd, self->ioas));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
}

/* The whole machine is out of memory; who has most, and says so, is killed. */
TEST_F_TIMEOUT(oom, of_the_whole_machine, 240)
{
	pid_t pid;

	edu_close(&self->edu);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char *buffer = buffer_small(ENOUGH);
		struct edu edu;
		__u32 ioas;
		int fd;

		take_the_device(&edu, &fd, &ioas);
		if (sysfs_write("/proc/self/oom_score_adj", "1000") ||
		    ioas_map_fixed(fd, ioas, buffer, ENOUGH, AT))
			_exit(1);
		for (;;)
			memset(buffer_small(ENOUGH), 1, ENOUGH);
	}
	ASSERT_TRUE(was_killed(pid));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	must(edu_setup(&self->edu, self->fd, self->ioas));
	must(check_dma(&self->edu, self->fd, self->ioas, self->buffer));
}

TEST_HARNESS_MAIN
