// SPDX-License-Identifier: GPL-2.0-only
/* Pages of tables that hardware walks, from one kernel to the next. */
#include <linux/export.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>
#include <linux/vmstat.h>

#include "../iommu-pages.h"
#include "liveupdate.h"
#include "test.h"

/**
 * iommu_preserve_pages - Hand pages over to the next kernel
 * @virt: Address returned from iommu_alloc_pages_node_sz()
 *
 * Undone by iommu_unpreserve_pages(), which has to come before iommu_free_pages().
 */
int iommu_preserve_pages(void *virt)
{
	int ret = iommu_lu_test_preserve(virt);

	return ret ?: kho_preserve_folio(virt_to_folio(virt));
}
EXPORT_SYMBOL_GPL(iommu_preserve_pages);

/**
 * iommu_unpreserve_pages - Undo iommu_preserve_pages()
 * @virt: As given to iommu_preserve_pages()
 */
void iommu_unpreserve_pages(void *virt)
{
	iommu_lu_test_unpreserve(virt);
	kho_unpreserve_folio(virt_to_folio(virt));
}
EXPORT_SYMBOL_GPL(iommu_unpreserve_pages);

/* Whether the previous kernel handed over just these pages, and nobody has restored them. */
bool iommu_pages_restorable(phys_addr_t phys, size_t size)
{
	if (iommu_lu_test_jumped())
		return iommu_lu_test_restorable(phys, size);
	return kho_restorable(phys, get_order(size));
}
EXPORT_SYMBOL_GPL(iommu_pages_restorable);

/**
 * iommu_restore_pages - Take over pages from the previous kernel
 * @phys: Their physical address, which need not be believed
 * @size: As given to iommu_alloc_pages_node_sz()
 *
 * Returns the virtual address, which is as if it came from iommu_alloc_pages_node_sz(), or NULL if no such pages were
 * handed over or somebody has them already.
 */
void *iommu_restore_pages(phys_addr_t phys, size_t size)
{
	unsigned long nr_pages = 1UL << get_order(size);
	struct folio *folio;

	if (!iommu_pages_restorable(phys, size))
		return NULL;
	if (iommu_lu_test_jumped())
		return iommu_lu_test_restore(phys);
	folio = kho_restore_folio(phys);
	if (!folio)
		return NULL;

	folio_ioptdesc(folio)->incoherent = false;
	mod_node_page_state(folio_pgdat(folio), NR_IOMMU_PAGES, nr_pages);
	lruvec_stat_mod_folio(folio, NR_SECONDARY_PAGETABLE, nr_pages);
	return folio_address(folio);
}
EXPORT_SYMBOL_GPL(iommu_restore_pages);
