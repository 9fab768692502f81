/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fixture of live update's tests. To be included after kselftest_harness.h.
 */
#ifndef IOX_SELFTEST_LIVEUPDATE_H
#define IOX_SELFTEST_LIVEUPDATE_H

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/luo.h"

#define AT 0x100000000ULL
#define SIZE (4 * PAGE)

/* Tokens in a session are told apart by their file, those of HWPTs are others. */
#define MEMFD_TOKEN 1
#define IOMMUFD_TOKEN 2
#define DEVICE_TOKEN 3
#define HWPT_TOKEN 0xfedcba9876543210ULL

/*
 * A device that is attached to a marked HWPT, which maps a memfd that can be
 * preserved; and a session with nothing in it.
 */
FIXTURE(session)
{
	struct leak_mark mark;
	struct edu edu;
	int fd, memfd, session;
	__u32 ioas, hwpt;
	char *memory;
};

FIXTURE_SETUP(session)
{
	__u32 pt;

	leak_mark(&self->mark);
	self->session = luo_create("liveupdate_test");
	if (self->session == -ENOENT)
		SKIP(return, NEED_LUO);
	ASSERT_LE(0, self->session);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	self->memfd = luo_memfd(SIZE);
	ASSERT_LE(0, self->memfd);
	self->memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			    self->memfd, 0);
	ASSERT_NE(MAP_FAILED, self->memory);
	buffer_fill(self->memory, SIZE, 1);
	must(ioas_map_memfd(self->fd, self->ioas, self->memfd, SIZE, AT));
	must(hwpt_alloc_paging(self->fd, self->edu.id, self->ioas,
			       &self->hwpt));
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	pt = self->hwpt;
	must(vfio_attach(self->edu.fd, &pt));
}

FIXTURE_TEARDOWN(session)
{
	munmap(self->memory, SIZE);
	close(self->memfd);
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	if (self->session >= 0)
		EXPECT_EQ(0, close(self->session));
	EXPECT_NO_LEAK(&self->mark);
}

static inline int preserve_memory(const FIXTURE_DATA(session) *self)
{
	return luo_preserve_fd(self->session, self->memfd, MEMFD_TOKEN);
}

static inline int preserve_iommufd(const FIXTURE_DATA(session) *self)
{
	return luo_preserve_fd(self->session, self->fd, IOMMUFD_TOKEN);
}

static inline int preserve_device(const FIXTURE_DATA(session) *self)
{
	return luo_preserve_fd(self->session, self->edu.fd, DEVICE_TOKEN);
}

static inline int preserve_all(const FIXTURE_DATA(session) *self)
{
	return preserve_memory(self) ?: preserve_iommufd(self) ?:
	       preserve_device(self);
}

/* Gives up all that is preserved, and says whether the IOAS is free again. */
static inline int give_up(FIXTURE_DATA(session) *self)
{
	int err;

	close(self->session);
	self->session = -1;
	err = ioas_map_memfd(self->fd, self->ioas, self->memfd, SIZE,
			     AT + SIZE);
	return err ?: ioas_unmap(self->fd, self->ioas, AT + SIZE, SIZE);
}

/* Does the device reach what is mapped? */
static inline bool device_works(FIXTURE_DATA(session) *self)
{
	buffer_fill(self->memory, 256, 7);
	buffer_fill(self->memory + PAGE, 256, 8);
	return !edu_copy(&self->edu, AT + PAGE, AT, 256) &&
	       buffer_holds(self->memory + PAGE, 256, 7);
}

/* Is nothing frozen? */
static inline int map_still_works(const FIXTURE_DATA(session) *self)
{
	int err = ioas_map_memfd(self->fd, self->ioas, self->memfd, SIZE,
				 AT + SIZE);

	err = err ?: ioas_unmap(self->fd, self->ioas, AT + SIZE, SIZE);
	err = err ?: hwpt_unmark(self->fd, self->hwpt);
	return err ?: hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN);
}

/*
 * Huge pages in memory that is set aside for a kexec have to move before they are
 * pinned, to one that is elsewhere: there may be none among a few.
 */
static inline int map_huge(const FIXTURE_DATA(session) *self, int memfd)
{
	int err = -ENOMEM;

	for (size_t pages = 2; err == -ENOMEM && pages <= 64; pages *= 2)
		err = buffer_hugetlb_pool(pages) ?
			      ioas_map_memfd(self->fd, self->ioas, memfd, HUGE_PAGE,
					     AT + HUGE_PAGE) :
			      -ENOENT;
	return err;
}

#endif
