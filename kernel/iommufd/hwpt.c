// SPDX-License-Identifier: GPL-2.0-only
/*
 * HWPTs: the IOMMU's domains.
 *
 * A paging HWPT holds what an IOAS maps. A nested one holds page tables that
 * user space keeps in that memory; what it translates to goes through the
 * paging one below, its parent.
 */
#include <linux/slab.h>

#include "core.h"
#include "../iommu-priv.h"

#define HWPT_FLAGS                                                            \
	(IOMMU_HWPT_ALLOC_NEST_PARENT | IOMMU_HWPT_ALLOC_DIRTY_TRACKING |     \
	 IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID)
#define HWPT_NESTED_FLAGS (IOMMU_HWPT_FAULT_ID_VALID | IOMMU_HWPT_ALLOC_PASID)

/* The most entries of one invalidation, so that it ends some time */
#define INVALIDATE_MAX BIT(19)

/**
 * struct hwpt_request - what an HWPT is wanted to be
 * @idev: whose IOMMU allocates the domain
 * @flags: of enum iommufd_hwpt_alloc_flags, without IOMMU_HWPT_FAULT_ID_VALID
 * @data: for the IOMMU's driver
 * @has_data: the caller gave @data
 */
struct hwpt_request {
	struct iommufd_device *idev;
	u32 flags;
	struct iommu_user_data data;
	bool has_data;
};

/**
 * iommufd_hwpt_enforce_coherency - keep DMA from bypassing the caches
 * @hwpt: nested ones are as coherent as what is below
 *
 * Return: whether it cannot any more.
 */
bool iommufd_hwpt_enforce_coherency(struct iommufd_hwpt *hwpt)
{
	const struct iommu_domain_ops *ops;

	if (hwpt->viommu)
		hwpt = &hwpt->viommu->hwpt->hwpt;
	else if (hwpt->parent)
		hwpt = hwpt->parent;
	ops = hwpt->domain->ops;
	if (!hwpt->coherent && ops->enforce_cache_coherency)
		hwpt->coherent = ops->enforce_cache_coherency(hwpt->domain);
	return hwpt->coherent;
}

static void init_domain(struct iommu_domain *domain,
			const struct iommu_ops *ops)
{
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->owner = ops;
	if (!domain->ops)
		domain->ops = ops->default_domain_ops;
}

/* As iommu_paging_domain_alloc_flags(), which knows nothing of data */
static struct iommu_domain *alloc_with_data(struct device *dev, u32 flags,
					    const struct iommu_user_data *data)
{
	const struct iommu_ops *ops = dev_iommu_ops(dev);
	struct iommu_domain *domain;

	if (!ops->domain_alloc_paging_flags)
		return ERR_PTR(-EOPNOTSUPP);
	domain = ops->domain_alloc_paging_flags(dev, flags, data);
	if (!IS_ERR(domain))
		init_domain(domain, ops);
	return domain;
}

static struct iommu_domain *alloc_paging(const struct hwpt_request *req)
{
	struct device *dev = req->idev->dev;

	if (!iommufd_device_has_iommu(req->idev))
		return iommufd_noiommu_domain_alloc();
	if (req->flags & IOMMU_HWPT_ALLOC_DIRTY_TRACKING &&
	    !device_iommu_capable(dev, IOMMU_CAP_DIRTY_TRACKING))
		return ERR_PTR(-EOPNOTSUPP);
	if (req->has_data)
		return alloc_with_data(dev, req->flags, &req->data);
	return iommu_paging_domain_alloc_flags(dev, req->flags);
}

/* The one that a device is attached to when it is given just the IOAS */
static struct iommu_domain *alloc_automatic(struct device *dev)
{
	if (iommufd_dev_is_noiommu(dev))
		return iommufd_noiommu_domain_alloc();
	return iommu_paging_domain_alloc(dev);
}

/* Give a new HWPT its domain, and the domain all that the IOAS maps. */
static int fill_paging(struct iommufd_hwpt *hwpt, struct device *dev,
		       struct iommu_domain *domain)
{
	int rc;

	if (IS_ERR(domain))
		return PTR_ERR(domain);
	hwpt->domain = domain;
	/* This changes how PTEs are written, so it comes before the first one. */
	if (device_iommu_capable(dev, IOMMU_CAP_ENFORCE_CACHE_COHERENCY))
		iommufd_hwpt_enforce_coherency(hwpt);

	rc = iommufd_ioas_add_hwpt(hwpt->ioas, hwpt);
	if (rc) {
		iommu_domain_free(domain);
		return rc;
	}
	/* The caller holds the IOAS, so it is alive. */
	WARN_ON(!iommufd_object_use(&hwpt->ioas->obj));
	return 0;
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
	int rc;

	lockdep_assert_held(&ioas->attach_lock);

	hwpt = iommufd_new(ioas->ictx, hwpt, obj, IOMMUFD_OBJ_HWPT_PAGING);
	if (IS_ERR(hwpt))
		return hwpt;
	hwpt->ictx = ioas->ictx;
	hwpt->ioas = ioas;
	hwpt->automatic = true;
	rc = fill_paging(hwpt, dev, alloc_automatic(dev));
	if (rc) {
		iommufd_object_abort(ioas->ictx, &hwpt->obj);
		return ERR_PTR(rc);
	}

	WARN_ON(!iommufd_object_use(&hwpt->obj));
	iommufd_object_publish(ioas->ictx, &hwpt->obj);
	return hwpt;
}

static int init_paging(struct iommufd_hwpt *hwpt, struct iommufd_ioas *ioas,
		       const struct hwpt_request *req)
{
	hwpt->ioas = ioas;
	hwpt->nest_parent = req->flags & IOMMU_HWPT_ALLOC_NEST_PARENT;
	return fill_paging(hwpt, req->idev->dev, alloc_paging(req));
}

static int set_nested_domain(struct iommufd_hwpt *hwpt,
			     struct iommu_domain *domain,
			     const struct iommu_ops *ops)
{
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	domain->owner = ops;
	hwpt->domain = domain;
	if (WARN_ON(domain->type != IOMMU_DOMAIN_NESTED)) {
		iommu_domain_free(domain);
		return -EINVAL;
	}
	return 0;
}

static int check_nested(const struct hwpt_request *req)
{
	if (req->flags & ~HWPT_NESTED_FLAGS)
		return -EOPNOTSUPP;
	return req->has_data ? 0 : -EINVAL;
}

static int init_nested(struct iommufd_hwpt *hwpt, struct iommufd_hwpt *parent,
		       const struct hwpt_request *req)
{
	const struct iommu_ops *ops = dev_iommu_ops(req->idev->dev);
	int rc = check_nested(req);

	if (rc)
		return rc;
	if (!ops->domain_alloc_nested)
		return -EOPNOTSUPP;
	if (!parent->nest_parent || parent->domain->owner != ops)
		return -EINVAL;
	hwpt->parent = parent;
	hwpt->ioas = parent->ioas;
	rc = set_nested_domain(hwpt,
			       ops->domain_alloc_nested(req->idev->dev,
							parent->domain,
							req->flags, &req->data),
			       ops);
	if (!rc)
		WARN_ON(!iommufd_object_use(&parent->obj));
	return rc;
}

static int init_viommu_nested(struct iommufd_hwpt *hwpt,
			      struct iommufd_viommu *viommu,
			      const struct hwpt_request *req)
{
	struct iommu_device *iommu_dev = __iommu_get_iommu_dev(req->idev->dev);
	int rc = check_nested(req);

	if (rc)
		return rc;
	if (!viommu->ops->alloc_domain_nested)
		return -EOPNOTSUPP;
	if (viommu->iommu_dev != iommu_dev)
		return -EINVAL;
	hwpt->viommu = viommu;
	hwpt->ioas = viommu->hwpt->hwpt.ioas;
	rc = set_nested_domain(hwpt,
			       viommu->ops->alloc_domain_nested(viommu,
								req->flags,
								&req->data),
			       iommu_dev->ops);
	if (!rc)
		WARN_ON(!iommufd_object_use(&viommu->obj));
	return rc;
}

static int init_hwpt(struct iommufd_hwpt *hwpt, struct iommufd_object *pt,
		     const struct hwpt_request *req)
{
	switch (pt->type) {
	case IOMMUFD_OBJ_IOAS:
		return init_paging(hwpt,
				   container_of(pt, struct iommufd_ioas, obj),
				   req);
	case IOMMUFD_OBJ_HWPT_PAGING:
		return init_nested(hwpt,
				   container_of(pt, struct iommufd_hwpt, obj),
				   req);
	case IOMMUFD_OBJ_VIOMMU:
		return init_viommu_nested(hwpt,
					  container_of(pt,
						       struct iommufd_viommu,
						       obj),
					  req);
	default:
		return -EINVAL;
	}
}

static void set_fault(struct iommufd_hwpt *hwpt, struct iommufd_fault *fault)
{
	/* The caller holds the queue, so it is alive. */
	WARN_ON(!iommufd_object_use(&fault->common.obj));
	hwpt->fault = fault;
	hwpt->domain->iopf_handler = iommufd_fault_handle;
}

static int new_hwpt(struct iommufd_ucmd *ucmd, struct iommufd_object *pt,
		    struct iommufd_fault *fault, const struct hwpt_request *req)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	struct iommufd_hwpt *hwpt;
	int rc;

	hwpt = iommufd_new(ucmd->ictx, hwpt, obj,
			   pt->type == IOMMUFD_OBJ_IOAS ?
				   IOMMUFD_OBJ_HWPT_PAGING :
				   IOMMUFD_OBJ_HWPT_NESTED);
	if (IS_ERR(hwpt))
		return PTR_ERR(hwpt);
	hwpt->ictx = ucmd->ictx;
	hwpt->pasid_compat = req->flags & IOMMU_HWPT_ALLOC_PASID;

	/* The answer goes first: then nothing is to be undone if it cannot. */
	cmd->out_hwpt_id = hwpt->obj.id;
	rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	if (!rc)
		rc = init_hwpt(hwpt, pt, req);
	if (rc) {
		iommufd_object_abort(ucmd->ictx, &hwpt->obj);
		return rc;
	}
	if (fault)
		set_fault(hwpt, fault);
	iommufd_object_publish(ucmd->ictx, &hwpt->obj);
	return 0;
}

/* Without an IOMMU there is one kind of domain. */
static bool device_can_have(const struct iommufd_device *idev,
			    const struct iommu_hwpt_alloc *cmd,
			    const struct iommufd_object *pt)
{
	return iommufd_device_has_iommu(idev) ||
	       (pt->type == IOMMUFD_OBJ_IOAS && !cmd->flags && !cmd->data_len);
}

static int hwpt_for_device(struct iommufd_ucmd *ucmd, struct iommufd_object *pt,
			   const struct hwpt_request *req)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	struct iommufd_object *fault;
	int rc;

	if (!(cmd->flags & IOMMU_HWPT_FAULT_ID_VALID))
		return new_hwpt(ucmd, pt, NULL, req);
	fault = iommufd_object_lookup(ucmd->ictx, cmd->fault_id,
				      IOMMUFD_OBJ_FAULT);
	if (IS_ERR(fault))
		return PTR_ERR(fault);
	rc = new_hwpt(ucmd, pt,
		      container_of(fault, struct iommufd_fault, common.obj),
		      req);
	iommufd_object_put(ucmd->ictx, fault);
	return rc;
}

static int check_alloc(const struct iommu_hwpt_alloc *cmd)
{
	const u32 faulting_parent = IOMMU_HWPT_ALLOC_NEST_PARENT |
				    IOMMU_HWPT_FAULT_ID_VALID;

	if (cmd->flags & ~HWPT_FLAGS || cmd->__reserved || cmd->__reserved2)
		return -EOPNOTSUPP;
	/* It is the nested domain whose faults user space can mend. */
	if ((cmd->flags & faulting_parent) == faulting_parent)
		return -EOPNOTSUPP;
	if ((cmd->data_type == IOMMU_HWPT_DATA_NONE) != !cmd->data_len)
		return -EINVAL;
	return 0;
}

int iommufd_hwpt_alloc(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_alloc *cmd = ucmd->cmd;
	struct hwpt_request req = {
		.flags = cmd->flags & ~IOMMU_HWPT_FAULT_ID_VALID,
		.data = { .type = cmd->data_type,
			  .uptr = u64_to_user_ptr(cmd->data_uptr),
			  .len = cmd->data_len },
		.has_data = cmd->data_len,
	};
	struct iommufd_object *pt;
	int rc;

	rc = check_alloc(cmd);
	if (rc)
		return rc;
	req.idev = iommufd_device_lookup(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(req.idev))
		return PTR_ERR(req.idev);
	pt = iommufd_object_lookup(ucmd->ictx, cmd->pt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(pt)) {
		rc = PTR_ERR(pt);
		goto put_device;
	}
	rc = device_can_have(req.idev, cmd, pt) ?
		     hwpt_for_device(ucmd, pt, &req) :
		     -EOPNOTSUPP;
	iommufd_object_put(ucmd->ictx, pt);
put_device:
	iommufd_object_put(ucmd->ictx, &req.idev->obj);
	return rc;
}

static void destroy_domain(struct iommufd_hwpt *hwpt)
{
	iommu_domain_free(hwpt->domain);
	if (hwpt->fault)
		iommufd_object_unuse(&hwpt->fault->common.obj);
}

void iommufd_hwpt_destroy(struct iommufd_object *obj)
{
	struct iommufd_hwpt *hwpt = container_of(obj, struct iommufd_hwpt, obj);

	iommufd_hwpt_lu_unmark(hwpt);
	if (!hwpt->ioas) {
		iommufd_empty_restored(hwpt);
		destroy_domain(hwpt);
		return;
	}
	iommufd_ioas_remove_hwpt(hwpt->ioas, hwpt);
	destroy_domain(hwpt);
	iommufd_object_unuse(&hwpt->ioas->obj);
}

void iommufd_hwpt_nested_destroy(struct iommufd_object *obj)
{
	struct iommufd_hwpt *hwpt = container_of(obj, struct iommufd_hwpt, obj);

	destroy_domain(hwpt);
	if (hwpt->viommu)
		iommufd_object_unuse(&hwpt->viommu->obj);
	else
		iommufd_object_unuse(&hwpt->parent->obj);
}

/**
 * iommufd_hwpt_put - end a device's use of an HWPT
 * @hwpt: an automatic one goes with its last user
 */
void iommufd_hwpt_put(struct iommufd_hwpt *hwpt)
{
	struct iommufd_ioas *ioas = hwpt->ioas;
	struct iommufd_ctx *ictx = hwpt->ictx;
	u32 id = hwpt->obj.id;

	if (!hwpt->automatic) {
		iommufd_object_unuse(&hwpt->obj);
		return;
	}
	/* The HWPT may be the last to use the IOAS, whose lock is held here. */
	refcount_inc(&ioas->obj.wait_cnt);
	scoped_guard(mutex, &ioas->attach_lock) {
		iommufd_object_unuse(&hwpt->obj);
		/* Busy: others use it. Gone: user space was faster. */
		iommufd_object_destroy(ictx, id);
	}
	iommufd_object_put(ictx, &ioas->obj);
}

static int invalidate_nested(struct iommufd_hwpt *hwpt,
			     struct iommu_user_data_array *array)
{
	if (hwpt->domain->ops->cache_invalidate_user)
		return hwpt->domain->ops->cache_invalidate_user(hwpt->domain,
								array);
	array->entry_num = 0;
	return -EOPNOTSUPP;
}

static int invalidate_viommu(struct iommufd_viommu *viommu,
			     struct iommu_user_data_array *array)
{
	if (viommu->ops->cache_invalidate)
		return viommu->ops->cache_invalidate(viommu, array);
	array->entry_num = 0;
	return -EOPNOTSUPP;
}

/* array->entry_num becomes how many entries were done. */
static int invalidate(struct iommufd_object *pt,
		      struct iommu_user_data_array *array)
{
	switch (pt->type) {
	case IOMMUFD_OBJ_HWPT_NESTED:
		return invalidate_nested(container_of(pt, struct iommufd_hwpt,
						      obj),
					 array);
	case IOMMUFD_OBJ_VIOMMU:
		return invalidate_viommu(container_of(pt,
						      struct iommufd_viommu,
						      obj),
					 array);
	default:
		array->entry_num = 0;
		return -EINVAL;
	}
}

static int check_invalidate(const struct iommu_hwpt_invalidate *cmd)
{
	if (cmd->__reserved)
		return -EOPNOTSUPP;
	if (cmd->entry_num && (!cmd->data_uptr || !cmd->entry_len))
		return -EINVAL;
	if (cmd->entry_len > PAGE_SIZE || cmd->entry_num > INVALIDATE_MAX)
		return -EINVAL;
	return 0;
}

int iommufd_hwpt_invalidate(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_invalidate *cmd = ucmd->cmd;
	struct iommu_user_data_array array = {
		.type = cmd->data_type,
		.uptr = u64_to_user_ptr(cmd->data_uptr),
		.entry_len = cmd->entry_len,
		.entry_num = cmd->entry_num,
	};
	struct iommufd_object *pt;
	int rc, answered;

	rc = check_invalidate(cmd);
	/* How many were done is told on failure also. */
	cmd->entry_num = 0;
	if (rc)
		goto answer;
	pt = iommufd_object_lookup(ucmd->ictx, cmd->hwpt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(pt)) {
		rc = PTR_ERR(pt);
		goto answer;
	}
	rc = invalidate(pt, &array);
	cmd->entry_num = array.entry_num;
	iommufd_object_put(ucmd->ictx, pt);
answer:
	answered = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	return answered ?: rc;
}
