// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPTs that come out of a live update.
 *
 * Their page tables are in use by devices all the time. What they map is pinned
 * again before anybody can do anything with the file, and each page has to be
 * where the table says that it is.
 */
#include <linux/file.h>
#include <linux/iommu-liveupdate.h>
#include <linux/liveupdate.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "core.h"
#include "lu_restore.h"
#include "lu_ser.h"

/* How far a domain has been compared with the memory that it should map */
struct compare {
	struct iommu_domain *domain;
	unsigned long iova;
};

/* What is pinned as one folio is mapped as one piece. */
static int compare_run(void *arg, unsigned long pfn, unsigned long npages)
{
	struct compare *compare = arg;
	unsigned long part;

	for (; npages; npages -= part, pfn += part) {
		struct folio *folio = pfn_folio(pfn);

		if (iommu_iova_to_phys(compare->domain, compare->iova) !=
		    PFN_PHYS(pfn))
			return -EINVAL;
		part = min(npages, folio_nr_pages(folio) -
					   (pfn - folio_pfn(folio)));
		compare->iova += part << PAGE_SHIFT;
		cond_resched();
	}
	return 0;
}

static struct iommufd_pages *restore_pages(struct iommufd_ctx *ictx,
					   struct liveupdate_session *session,
					   const struct iommufd_area_ser *ser)
{
	struct iommufd_pages *pages;
	struct file *file;
	int rc;

	rc = liveupdate_get_file_incoming(session, ser->file_token, &file);
	if (rc)
		return ERR_PTR(rc);
	pages = iommufd_pages_from_file(file, ser->file_start,
					ser->prot & IOMMUFD_AREA_SER_WRITE,
					ictx->account);
	fput(file);
	return pages;
}

/* Pin what an area maps, if it maps that. */
static int hold_pages(struct iommufd_hwpt *hwpt, struct iommufd_pages *pages,
		      const struct iommufd_area_ser *ser)
{
	struct compare compare = { .domain = hwpt->domain, .iova = ser->iova };
	unsigned long last = (ser->length >> PAGE_SHIFT) - 1;
	int rc;

	rc = iommufd_pages_acquire(pages, 0, last);
	if (rc)
		return rc;
	rc = iommufd_pages_for_each_run(pages, 0, last, compare_run, &compare);
	if (rc)
		iommufd_pages_release(pages, 0, last);
	return rc;
}

static int restore_area(struct iommufd_hwpt *hwpt,
			struct liveupdate_session *session,
			const struct iommufd_area_ser *ser)
{
	struct iommufd_area *area __free(kfree) =
		kzalloc_obj(*area, GFP_KERNEL_ACCOUNT);
	int rc;

	if (!area)
		return -ENOMEM;
	area->iova = ser->iova;
	area->last = ser->iova + ser->length - 1;
	area->prot = (ser->prot & IOMMUFD_AREA_SER_READ ? IOMMU_READ : 0) |
		     (ser->prot & IOMMUFD_AREA_SER_WRITE ? IOMMU_WRITE : 0);
	area->state = AREA_LIVE;
	area->pages = restore_pages(hwpt->ictx, session, ser);
	if (IS_ERR(area->pages))
		return PTR_ERR(area->pages);
	rc = hold_pages(hwpt, area->pages, ser);
	if (rc) {
		iommufd_pages_put(area->pages);
		return rc;
	}
	list_add_tail(&no_free_ptr(area)->unmap_item, &hwpt->restored);
	return 0;
}

/* The domain goes on as it is, and its memory is not held any more. */
static void release_areas(struct iommufd_hwpt *hwpt)
{
	struct iommufd_area *area, *next;

	list_for_each_entry_safe(area, next, &hwpt->restored, unmap_item) {
		iommufd_pages_release(area->pages, 0,
				      (area->last - area->iova) >> PAGE_SHIFT);
		iommufd_pages_put(area->pages);
		kfree(area);
	}
}

static int restore_areas(struct iommufd_hwpt *hwpt,
			 struct liveupdate_session *session,
			 const struct iommufd_area_ser *ser, u64 nr)
{
	int rc = 0;

	for (; nr && !rc; nr--, ser++)
		rc = restore_area(hwpt, session, ser);
	if (rc)
		release_areas(hwpt);
	return rc;
}

static struct iommufd_hwpt *restore_hwpt(struct iommufd_ctx *ictx,
					 struct liveupdate_session *session,
					 const struct lu_records *records,
					 const struct iommufd_hwpt_ser *ser)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	hwpt = iommufd_new(ictx, hwpt, obj, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(hwpt))
		return hwpt;
	hwpt->ictx = ictx;
	INIT_LIST_HEAD(&hwpt->restored);
	hwpt->lu_token = ser->hwpt_token;
	hwpt->lu_marked = true;
	hwpt->domain = iommu_domain_claim_restored(ser->domain_phys);
	if (IS_ERR(hwpt->domain)) {
		rc = PTR_ERR(hwpt->domain);
		goto abort;
	}
	if (ser->flags & IOMMUFD_HWPT_SER_COHERENT &&
	    !iommufd_hwpt_enforce_coherency(hwpt)) {
		rc = -EINVAL;
		goto unclaim;
	}
	rc = restore_areas(hwpt, session, records->areas + ser->first_area,
			   ser->nr_areas);
	if (rc)
		goto unclaim;
	rc = xa_insert(&ictx->lu_tokens, hwpt->lu_token, hwpt,
		       GFP_KERNEL_ACCOUNT);
	if (rc)
		goto release;
	return hwpt;

release:
	release_areas(hwpt);
unclaim:
	iommu_domain_unclaim_restored(hwpt->domain);
abort:
	iommufd_object_abort(ictx, &hwpt->obj);
	return ERR_PTR(rc);
}

static void forget_hwpt(struct iommufd_hwpt *hwpt)
{
	xa_erase(&hwpt->ictx->lu_tokens, hwpt->lu_token);
	release_areas(hwpt);
	iommu_domain_unclaim_restored(hwpt->domain);
	iommufd_object_abort(hwpt->ictx, &hwpt->obj);
}

/**
 * lu_restore_hwpts - bring the HWPTs of a file back
 * @ictx: of a new file that nobody else has; marked HWPTs are in it on return
 * @session: whose files they map
 * @records: checked
 *
 * Context: sleeps; retrieves the memfds.
 * Return: 0; -EINVAL a page is not where the page table says; -ENODEV the
 * devices of an HWPT did not come back; -ENOMEM, also for RLIMIT_MEMLOCK; or
 * why a memfd could not be retrieved. All HWPTs or none.
 */
int lu_restore_hwpts(struct iommufd_ctx *ictx,
		     struct liveupdate_session *session,
		     const struct lu_records *records)
{
	struct iommufd_hwpt *hwpt;
	unsigned long token;
	int rc = 0;
	u64 i;

	for (i = 0; i < records->nr_hwpts && !rc; i++) {
		hwpt = restore_hwpt(ictx, session, records, &records->hwpts[i]);
		if (IS_ERR(hwpt))
			rc = PTR_ERR(hwpt);
	}
	xa_for_each(&ictx->lu_tokens, token, hwpt) {
		if (rc)
			forget_hwpt(hwpt);
		else
			iommufd_object_publish(ictx, &hwpt->obj);
	}
	return rc;
}
