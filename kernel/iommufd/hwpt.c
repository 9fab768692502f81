// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPTs: domains that hold what an IOAS maps.
 */
#include <linux/slab.h>

#include "core.h"

static struct iommu_domain *alloc_domain(struct device *dev, bool *coherent)
{
	struct iommu_domain *domain = iommu_paging_domain_alloc_flags(dev, 0);

	if (IS_ERR(domain))
		return domain;
	/* This changes how PTEs are written, so it comes before the first one. */
	*coherent = device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY) &&
		    domain->ops->enforce_cache_coherency &&
		    domain->ops->enforce_cache_coherency(domain);
	return domain;
}

/**
 * iommufd_hwpt_new_automatic - make the domain that a device needs for an IOAS
 * @ioas: with attach_lock held; all that it maps is in the domain on return
 * @dev: whose IOMMU allocates it
 *
 * Return: the HWPT, with one lasting use for the caller, who ends it with
 * iommufd_hwpt_put(); or the errno of the IOMMU or of iommufd_ioas_add_hwpt().
 */
struct iommufd_hwpt *iommufd_hwpt_new_automatic(struct iommufd_ioas *ioas,
						struct device *dev)
{
	struct iommufd_hwpt *hwpt;
	bool coherent;
	int rc;

	lockdep_assert_held(&ioas->attach_lock);

	hwpt = iommufd_new(ioas->ictx, hwpt, obj, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(hwpt))
		return hwpt;
	hwpt->ioas = ioas;
	hwpt->automatic = true;
	hwpt->domain = alloc_domain(dev, &coherent);
	if (IS_ERR(hwpt->domain)) {
		rc = PTR_ERR(hwpt->domain);
		goto abort;
	}
	hwpt->coherent = coherent;

	rc = iommufd_ioas_add_hwpt(ioas, hwpt);
	if (rc)
		goto free_domain;

	/* The caller holds the IOAS, so it is alive. */
	WARN_ON(!iommufd_object_use(&ioas->obj));
	WARN_ON(!iommufd_object_use(&hwpt->obj));
	iommufd_object_publish(ioas->ictx, &hwpt->obj);
	return hwpt;

free_domain:
	iommu_domain_free(hwpt->domain);
abort:
	iommufd_object_abort(ioas->ictx, &hwpt->obj);
	return ERR_PTR(rc);
}

void iommufd_hwpt_destroy(struct iommufd_object *obj)
{
	struct iommufd_hwpt *hwpt = container_of(obj, struct iommufd_hwpt, obj);

	iommufd_ioas_remove_hwpt(hwpt->ioas, hwpt);
	iommu_domain_free(hwpt->domain);
	iommufd_object_unuse(&hwpt->ioas->obj);
}

/**
 * iommufd_hwpt_put - end a device's use of an HWPT
 * @hwpt: an automatic one goes with its last user
 */
void iommufd_hwpt_put(struct iommufd_hwpt *hwpt)
{
	struct iommufd_ioas *ioas = hwpt->ioas;
	struct iommufd_ctx *ictx = ioas->ictx;
	bool automatic = hwpt->automatic;
	u32 id = hwpt->obj.id;

	/* The HWPT may be the last to use the IOAS, whose lock is held here. */
	refcount_inc(&ioas->obj.wait_cnt);
	scoped_guard(mutex, &ioas->attach_lock) {
		iommufd_object_unuse(&hwpt->obj);
		/* Busy: others use it. Gone: user space was faster. */
		if (automatic)
			iommufd_object_destroy(ictx, id);
	}
	iommufd_object_put(ictx, &ioas->obj);
}
