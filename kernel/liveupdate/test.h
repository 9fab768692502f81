/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the unit tests step in: they make preserving fail, pretend to be the next kernel, and damage the state between
 * the two. Nothing of this is there without CONFIG_IOMMU_LIVEUPDATE_TEST.
 */
#ifndef __IOMMU_LIVEUPDATE_TEST_H
#define __IOMMU_LIVEUPDATE_TEST_H

#include <linux/export.h>
#include <linux/types.h>

struct device;
struct iommu_lu_state;

/**
 * struct iommu_lu_test_ops - What the tests do
 * @preserve: Return an errno in place of preserving a page
 * @unpreserve: See a page being unpreserved
 * @restorable: Answer for KHO
 * @restore: Restore for KHO. Both only count if @jumped.
 * @jumped: Pretend that this is the next kernel
 * @attached: Whether to believe that a device is attached to what it is preserved with
 * @frozen: The state is sealed, the jump is next
 * @jumps_anywhere: Do not ask what the loaded image takes over
 */
struct iommu_lu_test_ops {
	int (*preserve)(void *virt);
	void (*unpreserve)(void *virt);
	bool (*restorable)(phys_addr_t phys, size_t size);
	void *(*restore)(phys_addr_t phys);
	bool jumped;
	bool (*attached)(struct device *dev);
	void (*frozen)(struct iommu_lu_state *state);
	bool jumps_anywhere;
};

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE_TEST)

#define EXPORT_FOR_LIVEUPDATE_TEST(symbol) EXPORT_SYMBOL_FOR_MODULES(symbol, "iommu-liveupdate-test")

extern struct iommu_lu_test_ops *iommu_lu_test;

void iommu_lu_outgoing_forget(void);

static inline bool iommu_lu_test_attached(struct device *dev)
{
	return iommu_lu_test && iommu_lu_test->attached && iommu_lu_test->attached(dev);
}

static inline int iommu_lu_test_preserve(void *virt)
{
	return iommu_lu_test && iommu_lu_test->preserve ? iommu_lu_test->preserve(virt) : 0;
}

static inline void iommu_lu_test_unpreserve(void *virt)
{
	if (iommu_lu_test && iommu_lu_test->unpreserve)
		iommu_lu_test->unpreserve(virt);
}

static inline bool iommu_lu_test_jumped(void)
{
	return iommu_lu_test && iommu_lu_test->jumped;
}

static inline bool iommu_lu_test_restorable(phys_addr_t phys, size_t size)
{
	return iommu_lu_test->restorable(phys, size);
}

static inline void *iommu_lu_test_restore(phys_addr_t phys)
{
	return iommu_lu_test->restore(phys);
}

static inline void iommu_lu_test_frozen(struct iommu_lu_state *state)
{
	if (iommu_lu_test && iommu_lu_test->frozen)
		iommu_lu_test->frozen(state);
}

static inline bool iommu_lu_test_jumps_anywhere(void)
{
	return iommu_lu_test && iommu_lu_test->jumps_anywhere;
}

#else /* CONFIG_IOMMU_LIVEUPDATE_TEST */

#define EXPORT_FOR_LIVEUPDATE_TEST(symbol)

static inline bool iommu_lu_test_attached(struct device *dev)
{
	return false;
}

static inline int iommu_lu_test_preserve(void *virt)
{
	return 0;
}

static inline void iommu_lu_test_unpreserve(void *virt)
{
}

static inline bool iommu_lu_test_jumped(void)
{
	return false;
}

static inline bool iommu_lu_test_restorable(phys_addr_t phys, size_t size)
{
	return false;
}

static inline void *iommu_lu_test_restore(phys_addr_t phys)
{
	return NULL;
}

static inline void iommu_lu_test_frozen(struct iommu_lu_state *state)
{
}

static inline bool iommu_lu_test_jumps_anywhere(void)
{
	return false;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE_TEST */
#endif /* __IOMMU_LIVEUPDATE_TEST_H */
