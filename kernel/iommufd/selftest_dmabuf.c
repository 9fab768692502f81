// SPDX-License-Identifier: GPL-2.0-only
/*
 * A dma-buf whose memory a test can take away. It is handed to no device: the
 * core asks where it is, as it asks vfio about the BAR of a device.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/slab.h>

#include "selftest_mock.h"

#define LENGTH_MAX SZ_2M

/**
 * struct test_dmabuf - what is behind a test dma-buf
 * @memory: contiguous
 * @length: bytes
 * @revoked: nobody may use it; protected by the dma-buf's reservation lock
 */
struct test_dmabuf {
	void *memory;
	size_t length;
	bool revoked;
};

static struct sg_table *test_dmabuf_map(struct dma_buf_attachment *attach,
					enum dma_data_direction direction)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static void test_dmabuf_unmap(struct dma_buf_attachment *attach,
			      struct sg_table *sgt,
			      enum dma_data_direction direction)
{
	/* Nothing is ever mapped. */
}

static void test_dmabuf_free(struct test_dmabuf *test)
{
	kfree(test->memory);
	kfree(test);
}

static void test_dmabuf_release(struct dma_buf *dmabuf)
{
	test_dmabuf_free(dmabuf->priv);
}

static const struct dma_buf_ops test_dmabuf_ops = {
	.map_dma_buf = test_dmabuf_map,
	.unmap_dma_buf = test_dmabuf_unmap,
	.release = test_dmabuf_release,
};

/**
 * iommufd_test_dmabuf_phys - where the memory of a test dma-buf is
 * @attach: to any dma-buf, whose reservation is locked
 * @phys: set when 0 is returned
 *
 * Return: 0; -EOPNOTSUPP not a test dma-buf; -ENODEV it is revoked.
 */
int iommufd_test_dmabuf_phys(struct dma_buf_attachment *attach,
			     struct phys_vec *phys)
{
	struct test_dmabuf *test = attach->dmabuf->priv;

	dma_resv_assert_held(attach->dmabuf->resv);
	if (attach->dmabuf->ops != &test_dmabuf_ops)
		return -EOPNOTSUPP;
	if (test->revoked)
		return -ENODEV;
	phys->paddr = virt_to_phys(test->memory);
	phys->len = test->length;
	return 0;
}

static struct test_dmabuf *test_dmabuf_new(size_t length)
{
	struct test_dmabuf *test = kzalloc_obj(*test, GFP_KERNEL_ACCOUNT);

	if (!test)
		return ERR_PTR(-ENOMEM);
	test->length = length;
	test->memory = kzalloc(length, GFP_KERNEL_ACCOUNT);
	if (!test->memory) {
		kfree(test);
		return ERR_PTR(-ENOMEM);
	}
	return test;
}

/**
 * iommufd_test_dmabuf_get - IOMMU_TEST_OP_DMABUF_GET
 * @ucmd: the call
 *
 * Return: a file descriptor; or an errno.
 */
int iommufd_test_dmabuf_get(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct test_dmabuf *test;
	struct dma_buf *dmabuf;
	int fd;

	if (!cmd->dmabuf_get.length || cmd->dmabuf_get.length > LENGTH_MAX ||
	    !PAGE_ALIGNED(cmd->dmabuf_get.length))
		return -EINVAL;
	test = test_dmabuf_new(cmd->dmabuf_get.length);
	if (IS_ERR(test))
		return PTR_ERR(test);

	info.ops = &test_dmabuf_ops;
	info.size = cmd->dmabuf_get.length;
	info.flags = cmd->dmabuf_get.open_flags;
	info.priv = test;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		test_dmabuf_free(test);
		return PTR_ERR(dmabuf);
	}
	fd = dma_buf_fd(dmabuf, cmd->dmabuf_get.open_flags);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

static int revoke(struct dma_buf *dmabuf, bool revoked)
{
	struct test_dmabuf *test = dmabuf->priv;

	if (dmabuf->ops != &test_dmabuf_ops)
		return -EINVAL;
	dma_resv_lock(dmabuf->resv, NULL);
	if (revoked && !test->revoked)
		dma_buf_invalidate_mappings(dmabuf);
	test->revoked = revoked;
	dma_resv_unlock(dmabuf->resv);
	return 0;
}

/**
 * iommufd_test_dmabuf_revoke - IOMMU_TEST_OP_DMABUF_REVOKE
 * @ucmd: the call
 */
int iommufd_test_dmabuf_revoke(struct iommufd_ucmd *ucmd)
{
	struct iommu_test_cmd *cmd = ucmd->cmd;
	struct dma_buf *dmabuf = dma_buf_get(cmd->dmabuf_revoke.dmabuf_fd);
	int rc;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	rc = revoke(dmabuf, cmd->dmabuf_revoke.revoked);
	dma_buf_put(dmabuf);
	return rc;
}
