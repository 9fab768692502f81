// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cutting an area in two, for vfio type 1 programs that unmap from the middle
 * of what they mapped in one piece.
 *
 * No domain notices: in an IOAS of small pages every page has a PTE of its own.
 */
#include <linux/slab.h>

#include "core.h"

/* The area that @iova is in, but does not begin, if areas can be cut at all */
static struct iommufd_area *area_around(struct iommufd_ioas *ioas,
					unsigned long iova)
{
	struct iommufd_area *area;

	if (!READ_ONCE(ioas->small_pages))
		return NULL;
	guard(mutex)(&ioas->space.lock);
	area = iova_space_next(&ioas->space, iova, iova);
	if (!area || !iommufd_area_is_live(area) || area->iova == iova)
		return NULL;
	return area;
}

/* Show @tail where the end of @area was. */
static int cut(struct iommufd_ioas *ioas, struct iommufd_area *area,
	       struct iommufd_area *tail)
{
	MA_STATE(mas, &ioas->space.areas, tail->iova, tail->last);
	int rc;

	guard(mutex)(&ioas->space.lock);
	/* Which half the pages are in that an access holds is not known. */
	if (area->access_pins)
		return -EBUSY;
	rc = mas_store_gfp(&mas, tail, GFP_KERNEL_ACCOUNT);
	if (rc)
		return rc;
	kref_get(&tail->pages->kref);
	area->last = tail->iova - 1;
	ioas->space.nr_areas++;
	return 0;
}

static int split_area(struct iommufd_ioas *ioas, struct iommufd_area *area,
		      unsigned long iova)
{
	unsigned long start = area->start + (iova - area->iova);
	struct iommufd_area *tail;
	int rc;

	if (offset_in_page(iova) || offset_in_page(start))
		return -EINVAL;
	tail = kmemdup(area, sizeof(*area), GFP_KERNEL_ACCOUNT);
	if (!tail)
		return -ENOMEM;
	tail->iova = iova;
	tail->start = start;

	/* From here on either half can be released alone. */
	rc = iommufd_pages_split(area->pages, start >> PAGE_SHIFT);
	if (!rc)
		rc = cut(ioas, area, tail);
	if (rc)
		kfree(tail);
	return rc;
}

/**
 * iommufd_ioas_split - let an area begin at an IOVA, if one goes across it
 * @ioas: nothing happens unless it maps small pages
 * @iova: where
 *
 * Context: sleeps; waits for maps and unmaps in flight if there is something to
 * split.
 * Return: 0, also when there was nothing to split; -EINVAL @iova is not at a
 * page; -EBUSY an access holds pages of the area, or the IOAS is frozen; -ENOMEM.
 */
int iommufd_ioas_split(struct iommufd_ioas *ioas, unsigned long iova)
{
	struct iommufd_area *area;

	if (!area_around(ioas, iova))
		return 0;

	/* An unmap of the other half must not meet a busy area, and miss it. */
	guard(rwsem_write)(&ioas->domains_rwsem);
	if (ioas->frozen)
		return -EBUSY;
	area = area_around(ioas, iova);
	return area ? split_area(ioas, area, iova) : 0;
}
