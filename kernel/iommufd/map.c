// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mapping and unmapping: from an area in the IOVA space to PTEs in domains.
 *
 * Map takes the IOVAs first (AREA_BUSY), then pins and writes page tables with
 * only domains_rwsem held for reading, then shows the area. Unmap goes the
 * same way back. So threads that work on different IOVAs meet only in the
 * short critical section of the space.
 *
 * Every domain that an area fills is one user of its pages. No page is
 * released before the IOTLB has forgotten it.
 */
#include <linux/cgroup.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "core.h"

/* How often unmap asks accesses to let go before it gives up. */
#define UNMAP_TRIES 100

static inline unsigned long area_first_page(const struct iommufd_area *area)
{
	return area->start >> PAGE_SHIFT;
}

static inline unsigned long area_last_page(const struct iommufd_area *area)
{
	return (area->start + (iommufd_area_length(area) - 1)) >> PAGE_SHIFT;
}

static void area_free(struct iommufd_area *area)
{
	iommufd_pages_put(area->pages);
	kfree(area);
}

/* Where the next run of an area goes, in mappings of at most @step pages */
struct fill {
	struct iommu_domain *domain;
	unsigned long iova;
	unsigned long left;
	unsigned long skip;
	unsigned long step;
	int prot;
	struct iommufd_op *op;
};

static int fill_run(void *arg, unsigned long pfn, unsigned long npages)
{
	struct fill *fill = arg;
	unsigned long now, size;
	int rc;

	for (; npages; npages -= now, pfn += now) {
		now = min(npages, fill->step);
		size = min((now << PAGE_SHIFT) - fill->skip, fill->left);
		rc = iommu_map_nosync(fill->domain, fill->iova,
				      PFN_PHYS(pfn) + fill->skip, size,
				      fill->prot, GFP_KERNEL_ACCOUNT);
		if (rc)
			return rc;
		iommufd_op_leaves(fill->op, fill->domain->pgsize_bitmap,
				  fill->iova, PFN_PHYS(pfn) + fill->skip, size);
		fill->skip = 0;
		fill->iova += size;
		fill->left -= size;
	}
	return 0;
}

static void release_area(struct iommufd_area *area)
{
	if (area->pages->dmabuf)
		return;
	iommufd_pages_release(area->pages, area_first_page(area),
			      area_last_page(area));
}

static int fill_domain(struct iommufd_ioas *ioas, struct iommu_domain *domain,
		       struct iommufd_area *area, struct iommufd_op *op)
{
	struct fill fill = {
		.domain = domain,
		.iova = area->iova,
		.left = iommufd_area_length(area),
		.skip = offset_in_page(area->start),
		.step = ioas->small_pages ? 1 : ULONG_MAX,
		/* Bound devices are coherent: see iommufd_device_bind(). */
		.prot = area->prot | IOMMU_CACHE,
		.op = op,
	};
	int rc;

	if (area->pages->dmabuf) {
		rc = iommufd_dmabuf_fill(area->pages->dmabuf, domain, area);
		iommufd_op_stage(op, IOMMUFD_STAGE_TABLES);
		iommufd_op_stage_flush(op);
		return rc;
	}
	rc = iommufd_pages_acquire(area->pages, area_first_page(area),
				   area_last_page(area));
	iommufd_op_stage(op, IOMMUFD_STAGE_PIN);
	if (rc)
		return rc;

	rc = iommufd_pages_for_each_run(area->pages, area_first_page(area),
					area_last_page(area), fill_run, &fill);
	iommufd_op_stage(op, IOMMUFD_STAGE_TABLES);
	if (!rc)
		rc = iommu_sync_map(domain, area->iova,
				    iommufd_area_length(area));
	iommufd_op_stage_flush(op);
	if (rc) {
		if (fill.iova != area->iova)
			iommu_unmap(domain, area->iova, fill.iova - area->iova);
		release_area(area);
	}
	return rc;
}

static void unmap_area_fast(struct iommu_domain *domain,
			    struct iommufd_area *area,
			    struct iommu_iotlb_gather *gather)
{
	unsigned long length = iommufd_area_length(area);

	if (area->pages->dmabuf) {
		iommufd_dmabuf_empty(area->pages->dmabuf, domain, area);
		return;
	}
	WARN_ON(iommu_unmap_fast(domain, area->iova, length, gather) != length);
}

static void empty_domain(struct iommu_domain *domain, struct iommufd_area *area)
{
	struct iommu_iotlb_gather gather;

	iommu_iotlb_gather_init(&gather);
	unmap_area_fast(domain, area, &gather);
	iommu_iotlb_sync(domain, &gather);
	release_area(area);
}

static int fill_domains(struct iommufd_ioas *ioas, struct iommufd_area *area,
			struct iommufd_op *op)
{
	struct iommufd_hwpt *hwpt;
	int rc;

	list_for_each_entry(hwpt, &ioas->hwpts, item) {
		rc = fill_domain(ioas, hwpt->domain, area, op);
		if (rc)
			goto undo;
	}
	return 0;

undo:
	list_for_each_entry_continue_reverse(hwpt, &ioas->hwpts, item)
		empty_domain(hwpt->domain, area);
	return rc;
}

static struct iox_iova_area describe(const struct iommufd_ioas *ioas,
				     const struct iommufd_area *area)
{
	return (struct iox_iova_area){
		.space_id = ioas->iox.space_id,
		.iova = area->iova,
		.length = iommufd_area_length(area),
		.prot = iommufd_area_prot(area),
		.backing = area->pages->backing,
	};
}

static void tell_mapped(struct iommufd_ioas *ioas,
			const struct iommufd_area *area)
{
	struct iox_iova_area what;

	if (!iox_is_watched(&ioas->iox))
		return;
	what = describe(ioas, area);
	iox_iova_mapped(&ioas->iox, &what);
}

static void tell_unmapped(struct iommufd_ioas *ioas, struct list_head *victims)
{
	struct iommufd_area *area;
	struct iox_iova_area what;

	if (!iox_is_watched(&ioas->iox))
		return;
	list_for_each_entry(area, victims, unmap_item) {
		what = describe(ioas, area);
		iox_iova_unmapped(&ioas->iox, &what);
		cond_resched();
	}
}

static u64 current_cgroup_id(void)
{
	guard(rcu)();
	return cgroup_id(task_dfl_cgroup(current));
}

/* Say on whose behalf a request is. Inlined, as every map does so. */
static __always_inline void sign_request(struct iova_request *request,
					 struct iommufd_ioas *ioas)
{
	request->space = &ioas->space;
	request->ioas = &ioas->iox;
	request->req.space_id = ioas->iox.space_id;
	request->req.ctx_id = ioas->ictx->id;
	request->req.ioas_id = ioas->obj.id;
	request->req.cgroup_id = current_cgroup_id();
}

/**
 * iommufd_map_area - map memory into an IOAS
 * @ioas: where
 * @area: pages, start and prot are set; consumed when 0 is returned
 * @what: length, addr, hint and backing are set
 * @fixed: area->iova says where
 * @iova: where it has been mapped; @area may be gone by then, since others can
 *	unmap it as soon as it is there
 * @op: what is told of it, or %NULL
 *
 * Context: sleeps.
 * Return: 0; -EBUSY the IOAS is frozen; or an errno of iova_space_place(),
 * iommufd_pages_acquire() or the IOMMU, with nothing changed.
 */
int iommufd_map_area(struct iommufd_ioas *ioas, struct iommufd_area *area,
		     const struct iox_iova_req *what, bool fixed, u64 *iova,
		     struct iommufd_op *op)
{
	struct iova_request request = { .req = *what };
	int rc;

	sign_request(&request, ioas);
	request.req.prot = iommufd_area_prot(area);
	guard(rwsem_read)(&ioas->domains_rwsem);
	iommufd_op_begin_map(op, ioas, area->iova, fixed, &request.req);
	if (ioas->frozen)
		return -EBUSY;
	rc = iova_space_place(&request, area, fixed);
	iommufd_op_stage_select(op, area->iova, request.req.answer);
	if (rc)
		return rc;
	rc = fill_domains(ioas, area, op);
	if (rc) {
		guard(mutex)(&ioas->space.lock);
		iova_space_erase(&ioas->space, area);
		return rc;
	}
	*iova = area->iova;
	tell_mapped(ioas, area);
	iommufd_area_set_live(area);
	return 0;
}

/**
 * iommufd_claim - keep IOVAs for mappings at fixed places
 * @ioas: where
 * @request: length, addr, hint, prot and backing of its req are set, and no more
 * @fixed: *@iova says where
 * @iova: where it is
 * @ns: how long it took to find that
 *
 * Context: sleeps.
 * Return: 0; -EBUSY the IOAS is frozen; or an errno of iova_space_claim().
 */
int iommufd_claim(struct iommufd_ioas *ioas, struct iova_request *request,
		  bool fixed, u64 *iova, u64 *ns)
{
	sign_request(request, ioas);
	guard(rwsem_read)(&ioas->domains_rwsem);
	if (ioas->frozen)
		return -EBUSY;
	return iova_space_claim(request, iova, fixed, ns);
}

/**
 * iommufd_unclaim - give up claims in a range, as far as nothing lies over them
 * @ioas: where
 * @iova: first IOVA
 * @last: last IOVA, included
 *
 * Return: how many bytes that were.
 */
unsigned long iommufd_unclaim(struct iommufd_ioas *ioas, unsigned long iova,
			      unsigned long last)
{
	guard(mutex)(&ioas->space.lock);
	return iova_space_unclaim(&ioas->space, &ioas->iox, iova, last);
}

/* Undo pick_victims() */
static void spare_victims(struct list_head *victims)
{
	struct iommufd_area *area;

	list_for_each_entry(area, victims, unmap_item)
		area->state = AREA_LIVE;
	INIT_LIST_HEAD(victims);
}

/*
 * Pick all areas in [iova, last]. -ENOENT if one of them is only partly in
 * it; -EAGAIN if accesses hold pages of one, which *held is set to.
 */
static int pick_victims(struct iommufd_ioas *ioas, unsigned long iova,
			unsigned long last, struct list_head *victims,
			struct iova_window *held)
{
	struct iommufd_area *area;
	MA_STATE(mas, &ioas->space.areas, iova, iova);

	guard(mutex)(&ioas->space.lock);
	iova_space_for_each_area(&mas, area, last) {
		cond_resched();
		if (!iommufd_area_is_live(area))
			continue;
		if (area->iova < iova || area->last > last) {
			spare_victims(victims);
			return -ENOENT;
		}
		if (area->access_pins) {
			*held = (struct iova_window){ area->iova, area->last };
			spare_victims(victims);
			return -EAGAIN;
		}
		area->state = AREA_BUSY;
		list_add_tail(&area->unmap_item, victims);
	}
	return 0;
}

static unsigned long unmap_victims(struct iommufd_ioas *ioas,
				   struct list_head *victims,
				   struct iommufd_op *op)
{
	struct iommu_iotlb_gather gather;
	struct iommufd_area *area, *next;
	struct iommufd_hwpt *hwpt;
	unsigned long bytes = 0;

	list_for_each_entry(hwpt, &ioas->hwpts, item) {
		iommu_iotlb_gather_init(&gather);
		list_for_each_entry(area, victims, unmap_item) {
			unmap_area_fast(hwpt->domain, area, &gather);
			cond_resched();
		}
		iommufd_op_stage(op, IOMMUFD_STAGE_TABLES);
		iommu_iotlb_sync(hwpt->domain, &gather);
		iommufd_op_stage_flush(op);
		list_for_each_entry(area, victims, unmap_item)
			release_area(area);
		iommufd_op_stage(op, IOMMUFD_STAGE_PIN);
	}

	tell_unmapped(ioas, victims);
	scoped_guard(mutex, &ioas->space.lock)
		list_for_each_entry(area, victims, unmap_item) {
			iova_space_erase(&ioas->space, area);
			cond_resched();
		}
	list_for_each_entry_safe(area, next, victims, unmap_item) {
		bytes += iommufd_area_length(area);
		area_free(area);
	}
	return bytes;
}

/*
 * Claims go where no area was unmapped, and with all there is. An area that has
 * come in between is as good as one whose map has not returned yet.
 */
static void unmap_claims(struct iommufd_ioas *ioas, unsigned long iova,
			 unsigned long last, unsigned long *unmapped)
{
	if (*unmapped && (iova || last != ULONG_MAX))
		return;
	*unmapped = size_add(*unmapped, iommufd_unclaim(ioas, iova, last));
}

/**
 * iommufd_unmap_range - unmap all areas inside of a range
 * @ioas: where
 * @iova: first IOVA
 * @last: last IOVA, included
 * @unmapped: bytes that were mapped, or claimed, and no longer are
 * @op: what is told of it, or %NULL
 *
 * All or nothing. Areas whose map or unmap has not returned yet do not count.
 * Claims in the range go if no area does; if the range is all there is, they do
 * anyway.
 *
 * Context: sleeps; tells accesses that pinned something to let go.
 * Return: 0, also when there was nothing; -ENOENT an area is only partly in
 * the range; -EBUSY an access does not let go, or the IOAS is frozen.
 */
int iommufd_unmap_range(struct iommufd_ioas *ioas, unsigned long iova,
			unsigned long last, unsigned long *unmapped,
			struct iommufd_op *op)
{
	unsigned int tries;
	int rc;

	iommufd_op_describe(op, ioas, iova, last - iova + 1);
	for (tries = 0; tries < UNMAP_TRIES; tries++) {
		struct iova_window held;
		LIST_HEAD(victims);

		scoped_guard(rwsem_read, &ioas->domains_rwsem) {
			if (ioas->frozen)
				return -EBUSY;
			rc = pick_victims(ioas, iova, last, &victims, &held);
			if (!rc) {
				iommufd_op_first_stage(op);
				*unmapped = unmap_victims(ioas, &victims, op);
				if (unlikely(iova_space_has_claims(&ioas->space)))
					unmap_claims(ioas, iova, last, unmapped);
				return 0;
			}
		}
		if (rc != -EAGAIN)
			return rc;
		iommufd_access_notify_unmap(ioas, held.start,
					    held.last - held.start + 1);
		/* What is still held may be a copy that is about to end. */
		if (tries)
			schedule_timeout_uninterruptible(1);
	}
	return -EBUSY;
}

/**
 * iommufd_ioas_next_area - walk what an IOAS maps
 * @ioas: with domains_rwsem held for writing: no area comes or goes, and none is
 *	busy
 * @area: %NULL for the first
 *
 * Return: the area after @area, or %NULL.
 */
struct iommufd_area *iommufd_ioas_next_area(struct iommufd_ioas *ioas,
					    struct iommufd_area *area)
{
	lockdep_assert_held_write(&ioas->domains_rwsem);

	if (area && area->last == ULONG_MAX)
		return NULL;
	guard(mutex)(&ioas->space.lock);
	return iova_space_next(&ioas->space, area ? area->last + 1 : 0,
			       ULONG_MAX);
}

/* Empty all areas before @end out of a domain; with %NULL, all there are. */
static void empty_areas(struct iommufd_ioas *ioas, struct iommu_domain *domain,
			struct iommufd_area *end)
{
	struct iommu_iotlb_gather gather;
	struct iommufd_area *area;

	iommu_iotlb_gather_init(&gather);
	for (area = iommufd_ioas_next_area(ioas, NULL); area != end;
	     area = iommufd_ioas_next_area(ioas, area)) {
		unmap_area_fast(domain, area, &gather);
		cond_resched();
	}
	iommu_iotlb_sync(domain, &gather);
	for (area = iommufd_ioas_next_area(ioas, NULL); area != end;
	     area = iommufd_ioas_next_area(ioas, area))
		release_area(area);
}

static int fill_areas(struct iommufd_ioas *ioas, struct iommu_domain *domain)
{
	struct iommufd_area *area;
	int rc;

	for (area = iommufd_ioas_next_area(ioas, NULL); area;
	     area = iommufd_ioas_next_area(ioas, area)) {
		rc = fill_domain(ioas, domain, area, NULL);
		if (rc) {
			empty_areas(ioas, domain, area);
			return rc;
		}
		cond_resched();
	}
	return 0;
}

/**
 * iommufd_domain_align - what mappings in a domain must be aligned to, in bytes
 * @domain: a paging domain
 */
unsigned long iommufd_domain_align(const struct iommu_domain *domain)
{
	return 1UL << __ffs(domain->pgsize_bitmap);
}

/* What mappings of an IOAS must be aligned to for those who use it now */
static unsigned long wanted_align(struct iommufd_ioas *ioas)
{
	unsigned long align = 1;
	struct iommufd_hwpt *hwpt;

	lockdep_assert_held(&ioas->domains_rwsem);
	if (ioas->small_pages || iommufd_ioas_has_pinning_access(ioas))
		align = PAGE_SIZE;
	list_for_each_entry(hwpt, &ioas->hwpts, item)
		align = max(align, iommufd_domain_align(hwpt->domain));
	return align;
}

/**
 * iommufd_ioas_update_align - recompute the alignment after a user has come
 * @ioas: with access_lock held by the caller
 *
 * Return: 0, or -EADDRINUSE when something mapped is not so aligned.
 */
int iommufd_ioas_update_align(struct iommufd_ioas *ioas)
{
	guard(rwsem_write)(&ioas->domains_rwsem);
	return iova_space_set_align(&ioas->space, wanted_align(ioas));
}

/**
 * iommufd_ioas_set_small_pages - map page by page, or as the memory allows
 * @ioas: the IOAS
 * @small: page by page; then mappings are aligned to pages too
 *
 * Return: 0; -EADDRINUSE something is mapped that is not so aligned; -EINVAL
 * something is mapped for devices already; -EBUSY the IOAS is frozen.
 */
int iommufd_ioas_set_small_pages(struct iommufd_ioas *ioas, bool small)
{
	int rc;

	guard(mutex)(&ioas->access_lock);
	guard(rwsem_write)(&ioas->domains_rwsem);
	if (ioas->frozen)
		return -EBUSY;
	if (ioas->small_pages == small)
		return 0;
	if (small && !list_empty(&ioas->hwpts) &&
	    iommufd_ioas_next_area(ioas, NULL))
		return -EINVAL;
	ioas->small_pages = small;
	rc = iova_space_set_align(&ioas->space, wanted_align(ioas));
	if (rc)
		ioas->small_pages = !small;
	return rc;
}

/**
 * iommufd_domain_ranges - where can nothing be mapped for a domain?
 * @domain: a paging domain
 * @ranges: what it does not translate: room for two
 *
 * Return: how many there are.
 */
unsigned int iommufd_domain_ranges(const struct iommu_domain *domain,
				   struct iova_window *ranges)
{
	const struct iommu_domain_geometry *geo = &domain->geometry;
	unsigned int nr = 0;

	if (!geo->force_aperture)
		return 0;
	if (geo->aperture_start)
		ranges[nr++] =
			(struct iova_window){ 0, geo->aperture_start - 1 };
	if (geo->aperture_end != ULONG_MAX)
		ranges[nr++] = (struct iova_window){ geo->aperture_end + 1,
						     ULONG_MAX };
	return nr;
}

static int reserve_aperture(struct iommufd_ioas *ioas,
			    struct iommufd_hwpt *hwpt)
{
	struct iova_window ranges[2];
	unsigned int nr = iommufd_domain_ranges(hwpt->domain, ranges), i;
	int rc = 0;

	for (i = 0; i < nr && !rc; i++)
		rc = iova_space_reserve(&ioas->space, ranges[i].start,
					ranges[i].last, hwpt);
	return rc;
}

/**
 * iommufd_ioas_add_hwpt - have a domain hold all that an IOAS maps, from now on
 * @ioas: the IOAS
 * @hwpt: its domain is empty
 *
 * Context: sleeps; waits for maps and unmaps in flight.
 * Return: 0; -EADDRINUSE something is mapped where the domain cannot have it;
 * -EINVAL its smallest page is larger than the CPU's; -EBUSY the IOAS is frozen;
 * or why memory could not be pinned or mapped. Nothing has changed on failure.
 */
int iommufd_ioas_add_hwpt(struct iommufd_ioas *ioas, struct iommufd_hwpt *hwpt)
{
	unsigned long align = iommufd_domain_align(hwpt->domain);
	unsigned long before = ioas->space.align;
	int rc;

	if (align > PAGE_SIZE)
		return -EINVAL;

	guard(mutex)(&ioas->access_lock);
	guard(rwsem_write)(&ioas->domains_rwsem);
	if (ioas->frozen)
		return -EBUSY;
	rc = reserve_aperture(ioas, hwpt);
	if (!rc)
		rc = iova_space_set_align(&ioas->space, max(before, align));
	if (!rc) {
		rc = fill_areas(ioas, hwpt->domain);
		if (rc)
			iova_space_set_align(&ioas->space, before);
	}
	if (rc) {
		iova_space_unreserve(&ioas->space, hwpt);
		return rc;
	}
	list_add_tail(&hwpt->item, &ioas->hwpts);
	return 0;
}

/**
 * iommufd_ioas_remove_hwpt - undo iommufd_ioas_add_hwpt()
 * @ioas: the IOAS
 * @hwpt: no device uses it any more
 */
void iommufd_ioas_remove_hwpt(struct iommufd_ioas *ioas,
			      struct iommufd_hwpt *hwpt)
{
	guard(mutex)(&ioas->access_lock);
	guard(rwsem_write)(&ioas->domains_rwsem);
	list_del(&hwpt->item);
	empty_areas(ioas, hwpt->domain, NULL);
	iova_space_unreserve(&ioas->space, hwpt);
	iova_space_set_align(&ioas->space, wanted_align(ioas));
}

/**
 * iommufd_empty_restored - unmap all of a domain without an IOAS
 * @hwpt: no device uses it any more
 */
void iommufd_empty_restored(struct iommufd_hwpt *hwpt)
{
	struct iommu_iotlb_gather gather;
	struct iommufd_area *area, *next;

	iommu_iotlb_gather_init(&gather);
	list_for_each_entry(area, &hwpt->restored, unmap_item) {
		unmap_area_fast(hwpt->domain, area, &gather);
		cond_resched();
	}
	iommu_iotlb_sync(hwpt->domain, &gather);
	list_for_each_entry_safe(area, next, &hwpt->restored, unmap_item) {
		release_area(area);
		area_free(area);
	}
	INIT_LIST_HEAD(&hwpt->restored);
}
