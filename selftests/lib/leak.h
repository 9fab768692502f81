/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Has a test given back everything it took? Take a mark first, and compare
 * when all files are closed and all child processes have been waited for.
 */
#ifndef IOX_SELFTEST_LEAK_H
#define IOX_SELFTEST_LEAK_H

#include <stddef.h>

struct leak_mark {
	long pins;		/* pages pinned for DMA and not released */
	long iommu_pages;	/* pages that I/O page tables take */
	long module_refs;	/* users of the iommufd module */
	long charged_kb;	/* pinned memory charged to this process */
};

void leak_mark(struct leak_mark *mark);

/*
 * Returns NULL if nothing is left over, else what is. Waits a moment first for
 * what the kernel frees late.
 */
const char *leak_check(const struct leak_mark *mark);

/* Pages of the whole machine that are pinned for DMA right now. */
long leak_pins(void);

/*
 * The same, but if it is not @want, waits a moment for the I/O of others to
 * end, so that it can be compared with what there was before.
 */
long leak_pins_settled(long want);

/* Pinned memory charged to this process, in KiB. */
long leak_charged_kb(void);

/* Unreclaimable kernel memory of the whole machine, in KiB. */
long leak_slab_kb(void);

/* Pages that all I/O page tables of the machine take. */
long leak_iommu_pages(void);

/* For a fixture's teardown: says what leaked and fails the test. */
#define EXPECT_NO_LEAK(mark) do {					\
	const char *_left = leak_check(mark);				\
									\
	if (_left)							\
		TH_LOG("leaked: %s", _left);				\
	EXPECT_EQ(NULL, _left);						\
} while (0)

#endif
