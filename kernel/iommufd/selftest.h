/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The test driver, and where the core lets it in. Without CONFIG_IOMMUFD_TEST
 * nothing of it is left.
 */
#ifndef IOMMUFD_SELFTEST_H
#define IOMMUFD_SELFTEST_H

#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/types.h>

struct device;
struct dma_buf_attachment;
struct iommufd_object;
struct iommufd_ucmd;
struct phys_vec;

#ifdef CONFIG_IOMMUFD_TEST

extern unsigned int iommufd_test_memory_limit;

int iommufd_test_init(void);
void iommufd_test_exit(void);
int iommufd_test_ioctl(struct iommufd_ucmd *ucmd);
void iommufd_test_device_destroy(struct iommufd_object *obj);
bool iommufd_test_is_mock(const struct device *dev);
bool iommufd_test_should_fail(void);
int iommufd_test_dmabuf_phys(struct dma_buf_attachment *attach,
			     struct phys_vec *phys);

/* How many of @entries, of @size bytes each, a temporary array may have. */
static inline size_t iommufd_test_clamp(size_t entries, size_t size)
{
	size_t most = iommufd_test_memory_limit / size;

	return min(entries, max_t(size_t, most, 1));
}

#else

static inline int iommufd_test_init(void)
{
	return 0;
}

static inline void iommufd_test_exit(void)
{
}

static inline bool iommufd_test_is_mock(const struct device *dev)
{
	return false;
}

static inline bool iommufd_test_should_fail(void)
{
	return false;
}

static inline size_t iommufd_test_clamp(size_t entries, size_t size)
{
	return entries;
}

static inline int iommufd_test_dmabuf_phys(struct dma_buf_attachment *attach,
					   struct phys_vec *phys)
{
	return -EOPNOTSUPP;
}

#endif
#endif
