// SPDX-License-Identifier: GPL-2.0-only
/*
 * So many areas that whatever walks them takes seconds: nobody else may have to
 * wait for that. The kernel's watchdogs say so if a CPU is held much too long;
 * how often a thread on the same CPU gets its turn shows it long before. Turns
 * are counted, not timed: the machine below the VM may stop it at any moment.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/child.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

#define AT 0x100000000ULL
#define MANY 100000
/* Every area pins its page once more, so few pages do. */
#define BUFFER_SIZE (1024 * PAGE)
/* As often a second at least whoever has the CPU must let others have it. */
#define TURNS 5

/* --- how long others wait ------------------------------------------------------ */

/* Runs all the time on the CPU of who starts it; both have to share that. */
struct waiter {
	pthread_t thread;
	atomic_bool stop;
	long turns;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* It wants the CPU all the time, so each turn ends by having it taken away. */
static void *wait_for_turns(void *arg)
{
	struct waiter *w = arg;
	struct rusage usage;

	while (!atomic_load(&w->stop))
		;
	getrusage(RUSAGE_THREAD, &usage);
	w->turns = usage.ru_nivcsw;
	return NULL;
}

static int waiter_start(struct waiter *w)
{
	*w = (struct waiter){};
	return pthread_create(&w->thread, NULL, wait_for_turns, w);
}

/* How many turns it had */
static long waiter_stop(struct waiter *w)
{
	atomic_store(&w->stop, true);
	pthread_join(w->thread, NULL);
	return w->turns;
}

static bool has_lockup_detector(void)
{
	FILE *f = fopen("/proc/sys/kernel/watchdog_thresh", "re");
	int seconds = 0;

	if (f) {
		if (fscanf(f, "%d", &seconds) != 1)
			seconds = 0;
		fclose(f);
	}
	return seconds > 0;
}

/* Does @call while others want the CPU too, which they must get. */
#define while_others_wait(what, call)					\
do {									\
	struct waiter _w;						\
	double _start = now(), _seconds;				\
	long _turns;							\
									\
	ASSERT_EQ(0, waiter_start(&_w));				\
	EXPECT_EQ(0, call);						\
	_turns = waiter_stop(&_w);					\
	_seconds = now() - _start;					\
	TH_LOG("%s: %.1f s, others had %ld turns", what, _seconds,	\
	       _turns);							\
	EXPECT_LE(TURNS * _seconds, _turns);				\
} while (0)

/* --- the areas --------------------------------------------------------------------- */

FIXTURE(many)
{
	struct leak_mark mark;
	int fd;
	__u32 ioas;
	struct edu edu;
	char *buffer;
};

static int use_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus);
}

FIXTURE_SETUP(many)
{
	leak_mark(&self->mark);
	ASSERT_TRUE(has_lockup_detector());
	ASSERT_EQ(0, use_one_cpu());
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	self->buffer = buffer_small(BUFFER_SIZE);
	buffer_fill(self->buffer, BUFFER_SIZE, 1);
}

FIXTURE_TEARDOWN(many)
{
	edu_close(&self->edu);
	if (self->fd >= 0)
		EXPECT_EQ(0, close(self->fd));
	EXPECT_NO_LEAK(&self->mark);
}

/* One page each, and never two with neighbouring IOVAs */
static int map_many(int fd, __u32 ioas, char *buffer)
{
	int err = 0;

	for (__u64 i = 0; i < MANY && !err; i++)
		err = ioas_map_fixed(fd, ioas,
				     buffer + i * PAGE % BUFFER_SIZE, PAGE,
				     AT + 2 * i * PAGE);
	return err;
}

TEST_F_TIMEOUT(many, attached_detached_and_unmapped, 240)
{
	__u64 length = UINT64_MAX;

	must(map_many(self->fd, self->ioas, self->buffer));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
	while_others_wait("attach",
			  vfio_attach_ioas(self->edu.fd, self->ioas));
	EXPECT_LE(self->mark.pins + MANY, leak_pins());
	while_others_wait("detach", vfio_detach(self->edu.fd));
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));

	must(vfio_attach_ioas(self->edu.fd, self->ioas));
	while_others_wait("unmap of everything",
			  ioas_unmap_count(self->fd, self->ioas, 0, &length));
	EXPECT_EQ(MANY * PAGE, length);
	EXPECT_EQ(self->mark.pins, leak_pins_settled(self->mark.pins));
}

/* The domain is one made by hand, so that it is there when the file goes. */
TEST_F_TIMEOUT(many, closed, 240)
{
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt),
		.dev_id = self->edu.id,
		.pt_id = self->ioas,
	};
	int fd = self->fd;

	must(xioctl(fd, IOMMU_HWPT_ALLOC, &hwpt));
	must(map_many(fd, self->ioas, self->buffer));
	EXPECT_LE(self->mark.pins + MANY, leak_pins());
	edu_close(&self->edu);
	EXPECT_LE(self->mark.pins + MANY, leak_pins());
	self->fd = -1;
	while_others_wait("close", close(fd));
}

/* Has them all, and ends only by being killed. */
static void hold_many(int ready)
{
	char *buffer = buffer_small(BUFFER_SIZE);
	struct edu edu;
	__u32 ioas;
	int fd;

	if (edu_bind_new(&edu, &fd, &ioas) ||
	    vfio_attach_ioas(edu.fd, ioas) || map_many(fd, ioas, buffer))
		_exit(1);
	child_ready(ready);
	pause();
}

TEST_F_TIMEOUT(many, killed, 240)
{
	pid_t pid;

	edu_close(&self->edu);
	pid = child_start(hold_many);
	ASSERT_LT(0, pid);
	while_others_wait("killed", child_kill(pid));
}

TEST_HARNESS_MAIN
