// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping device memory that another driver exports as a dma-buf.
 *
 * It has no struct page and is not pinned: the exporter says where it is, and
 * may take it away at any moment, for good. So who maps it is recorded, under
 * the exporter's own lock, which it holds when it tells us. That lock comes
 * after ioas->domains_rwsem.
 */
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vfio_pci_core.h>

#include "core.h"
#include "pages.h"
#include "selftest.h"

/**
 * struct iommufd_dmabuf - exported memory that areas map
 * @attach: holds the dma-buf
 * @phys: where its first byte is
 * @fills: struct dmabuf_fill, protected by the dma-buf's reservation
 * @revoked: taken away for good, likewise protected
 */
struct iommufd_dmabuf {
	struct dma_buf_attachment *attach;
	phys_addr_t phys;
	struct list_head fills;
	bool revoked;
};

/**
 * struct dmabuf_fill - a domain that an area of it is mapped in
 * @item: in dmabuf->fills
 * @domain: the domain
 * @iova: where the area begins
 * @length: bytes
 */
struct dmabuf_fill {
	struct list_head item;
	struct iommu_domain *domain;
	unsigned long iova;
	unsigned long length;
};

static void fill_end(struct dmabuf_fill *fill)
{
	WARN_ON(iommu_unmap(fill->domain, fill->iova, fill->length) !=
		fill->length);
	list_del(&fill->item);
	kfree(fill);
}

static void dmabuf_revoked(struct dma_buf_attachment *attach)
{
	struct iommufd_dmabuf *dmabuf = attach->importer_priv;
	struct dmabuf_fill *fill, *next;

	dma_resv_assert_held(attach->dmabuf->resv);
	dmabuf->revoked = true;
	list_for_each_entry_safe(fill, next, &dmabuf->fills, item)
		fill_end(fill);
}

static const struct dma_buf_attach_ops attach_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = dmabuf_revoked,
};

static int vfio_phys(struct dma_buf_attachment *attach, struct phys_vec *phys)
{
	typeof(&vfio_pci_dma_buf_iommufd_map) ask;
	int rc;

	if (!IS_ENABLED(CONFIG_VFIO_PCI_DMABUF))
		return -EOPNOTSUPP;
	/* Only who has a dma-buf of vfio needs vfio. */
	ask = symbol_get(vfio_pci_dma_buf_iommufd_map);
	if (!ask)
		return -EOPNOTSUPP;
	rc = ask(attach, phys);
	symbol_put(vfio_pci_dma_buf_iommufd_map);
	return rc;
}

static int find_phys(struct iommufd_dmabuf *dmabuf)
{
	struct dma_resv *resv = dmabuf->attach->dmabuf->resv;
	struct phys_vec phys;
	int rc;

	dma_resv_lock(resv, NULL);
	rc = iommufd_test_dmabuf_phys(dmabuf->attach, &phys);
	if (rc == -EOPNOTSUPP)
		rc = vfio_phys(dmabuf->attach, &phys);
	dma_resv_unlock(resv);
	if (rc)
		return rc;
	if (phys.len != dmabuf->attach->dmabuf->size)
		return -EINVAL;
	dmabuf->phys = phys.paddr;
	return 0;
}

/**
 * iommufd_dmabuf_attach - prepare exported memory for being mapped
 * @file: a dma-buf; a reference is taken
 *
 * Return: what iommufd_dmabuf_detach() undoes; -ENODEV it is revoked;
 * -EOPNOTSUPP the exporter does not say where it is, or that in pieces; -EINVAL;
 * -ENOMEM; or an errno of the exporter.
 */
struct iommufd_dmabuf *iommufd_dmabuf_attach(struct dma_buf *file)
{
	struct iommufd_dmabuf *dmabuf = kzalloc_obj(*dmabuf, GFP_KERNEL_ACCOUNT);
	int rc;

	if (!dmabuf)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&dmabuf->fills);
	get_dma_buf(file);
	dmabuf->attach = dma_buf_dynamic_attach(file, iommufd_misc_device(),
						&attach_ops, dmabuf);
	if (IS_ERR(dmabuf->attach)) {
		rc = PTR_ERR(dmabuf->attach);
		goto put_file;
	}
	rc = find_phys(dmabuf);
	if (!rc)
		return dmabuf;

	dma_buf_detach(file, dmabuf->attach);
put_file:
	dma_buf_put(file);
	kfree(dmabuf);
	return ERR_PTR(rc);
}

void iommufd_dmabuf_detach(struct iommufd_dmabuf *dmabuf)
{
	struct dma_buf *file = dmabuf->attach->dmabuf;

	WARN_ON(!list_empty(&dmabuf->fills));
	dma_buf_detach(file, dmabuf->attach);
	dma_buf_put(file);
	kfree(dmabuf);
}

/**
 * iommufd_dmabuf_fill - map an area of exported memory in a domain
 * @dmabuf: the memory
 * @domain: the domain
 * @area: the area
 *
 * Return: 0, also when it has been revoked: then the area stays empty; -ENOMEM;
 * or an errno of the IOMMU.
 */
int iommufd_dmabuf_fill(struct iommufd_dmabuf *dmabuf,
			struct iommu_domain *domain,
			const struct iommufd_area *area)
{
	struct dma_resv *resv = dmabuf->attach->dmabuf->resv;
	struct dmabuf_fill *fill __free(kfree) =
		kzalloc_obj(*fill, GFP_KERNEL_ACCOUNT);
	int rc = 0;

	if (!fill)
		return -ENOMEM;
	fill->domain = domain;
	fill->iova = area->iova;
	fill->length = iommufd_area_length(area);

	dma_resv_lock(resv, NULL);
	if (!dmabuf->revoked) {
		rc = iommu_map(domain, area->iova,
			       dmabuf->phys + area->pages->base + area->start,
			       fill->length, area->prot | IOMMU_MMIO,
			       GFP_KERNEL_ACCOUNT);
		if (!rc)
			list_add(&no_free_ptr(fill)->item, &dmabuf->fills);
	}
	dma_resv_unlock(resv);
	return rc;
}

/**
 * iommufd_dmabuf_empty - undo iommufd_dmabuf_fill()
 * @dmabuf: the memory
 * @domain: the domain
 * @area: the area; it may have been revoked meanwhile
 */
void iommufd_dmabuf_empty(struct iommufd_dmabuf *dmabuf,
			  struct iommu_domain *domain,
			  const struct iommufd_area *area)
{
	struct dma_resv *resv = dmabuf->attach->dmabuf->resv;
	struct dmabuf_fill *fill;

	dma_resv_lock(resv, NULL);
	list_for_each_entry(fill, &dmabuf->fills, item) {
		if (fill->domain == domain && fill->iova == area->iova) {
			fill_end(fill);
			break;
		}
	}
	dma_resv_unlock(resv);
}

MODULE_IMPORT_NS("DMA_BUF");
