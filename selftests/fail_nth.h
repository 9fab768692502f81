/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fail_nth programs share: the test, and calls that several cases make
 * or prepare. An entry of the table is a CASE(), see struct world_case.
 */
#ifndef IOX_SELFTEST_FAIL_NTH_H
#define IOX_SELFTEST_FAIL_NTH_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/mock.h"
#include "lib/nth.h"
#include "lib/world.h"

FIXTURE(fail_nth)
{
	struct leak_mark mark;
	bool marked;
};

FIXTURE_VARIANT(fail_nth)
{
	struct world_case c;
};

FIXTURE_SETUP(fail_nth)
{
	if (nth_setup())
		SKIP(return, "the kernel has no fault injection");
	if (variant->c.possible && !variant->c.possible())
		SKIP(return, "no device for it: see scripts/test");
	leak_mark(&self->mark);
	self->marked = true;
}

FIXTURE_TEARDOWN(fail_nth)
{
	if (self->marked)
		EXPECT_NO_LEAK(&self->mark);
}

TEST_F_TIMEOUT(fail_nth, every_allocation, 240)
{
	unsigned int faults = 0;
	const char *wrong = world_fail_each(&variant->c, &faults);

	if (wrong)
		TH_LOG("%s", wrong);
	ASSERT_EQ(NULL, wrong);
	TH_LOG("%u faults", faults);
	/* Else this would test nothing. */
	EXPECT_LT(0, faults);
}

#define CASE(_name, ...)						\
	FIXTURE_VARIANT_ADD(fail_nth, _name) { .c = { __VA_ARGS__ } }

/* --- calls ---------------------------------------------------------------------- */

/* More than pinning takes in one go, and many page tables */
#define LARGE (WORLD_BUFFER - WORLD_FREE)

static inline int map_large_call(struct world *w)
{
	return ioas_map_fixed(w->fd, w->ioas, w->buffer + WORLD_FREE, LARGE,
			      WORLD_TO);
}

static inline int map_more(struct world *w)
{
	int err = map_large_call(w);

	for (__u64 i = 1; i < 40 && !err; i++)
		err = ioas_map_fixed(w->fd, w->ioas, w->buffer, PAGE,
				     WORLD_AT + WORLD_LENGTH + 2 * i * PAGE);
	return err;
}

static inline int hwpt_alloc(struct world *w, __u32 dev, __u32 pt, __u32 flags,
		      __u32 fault, __u32 data_type, __u32 *id)
{
	struct iommu_hwpt_selftest data = { .iotlb = IOMMU_TEST_IOTLB_DEFAULT };
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.dev_id = dev,
		.pt_id = pt,
		.data_type = data_type,
		.data_len = data_type ? sizeof(data) : 0,
		.data_uptr = (uintptr_t)&data,
		.fault_id = fault,
	};
	int err = xioctl(w->fd, IOMMU_HWPT_ALLOC, &cmd);

	if (!err)
		*id = cmd.out_hwpt_id;
	return err;
}

static inline int own_new_id(struct world *w)
{
	world_own_id(w, w->id);
	return 0;
}

static inline int own_new_queue(struct world *w)
{
	world_own_id(w, w->id);
	world_own_file(w, w->file);
	return 0;
}

static inline int hwpt_call(struct world *w)
{
	return hwpt_alloc(w, w->mock.dev, w->ioas,
			  IOMMU_HWPT_ALLOC_DIRTY_TRACKING |
			  IOMMU_HWPT_ALLOC_PASID, 0, 0, &w->id);
}

static inline int new_hwpt(struct world *w)
{
	int err = hwpt_call(w);

	w->a = w->id;
	return err ?: own_new_id(w);
}

static inline int parent_call(struct world *w)
{
	return hwpt_alloc(w, w->mock.dev, w->ioas, IOMMU_HWPT_ALLOC_NEST_PARENT,
			  0, IOMMU_HWPT_DATA_SELFTEST, &w->id);
}

static inline int new_parent(struct world *w)
{
	int err = parent_call(w);

	w->a = w->id;
	return err ?: own_new_id(w);
}

#endif
