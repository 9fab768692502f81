// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU_OPTION, and handing pinned memory over to another process.
 */
#include <linux/capability.h>
#include <linux/slab.h>

#include "core.h"

static int option_rlimit_mode(struct iommufd_ctx *ictx,
			      struct iommu_option *cmd)
{
	if (cmd->object_id)
		return -EOPNOTSUPP;
	if (cmd->op == IOMMU_OPTION_OP_GET) {
		cmd->val64 = READ_ONCE(ictx->account) == IOMMUFD_ACCOUNT_MM;
		return 0;
	}
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (cmd->val64 > 1)
		return -EINVAL;
	/* All memory of a context is accounted in one way. */
	if (!xa_empty(&ictx->objects))
		return -EBUSY;
	WRITE_ONCE(ictx->account,
		   cmd->val64 ? IOMMUFD_ACCOUNT_MM : IOMMUFD_ACCOUNT_USER);
	return 0;
}

static int option_huge_pages(struct iommufd_ctx *ictx, struct iommu_option *cmd)
{
	struct iommufd_ioas *ioas = iommufd_ioas_lookup(ictx, cmd->object_id);
	int rc = 0;

	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	if (cmd->op == IOMMU_OPTION_OP_GET)
		cmd->val64 = !READ_ONCE(ioas->small_pages);
	else if (cmd->val64 > 1)
		rc = -EINVAL;
	else
		rc = iommufd_ioas_set_small_pages(ioas, !cmd->val64);
	iommufd_object_put(ictx, &ioas->obj);
	return rc;
}

int iommufd_option(struct iommufd_ucmd *ucmd)
{
	struct iommu_option *cmd = ucmd->cmd;
	int rc;

	if (cmd->__reserved || (cmd->op != IOMMU_OPTION_OP_GET &&
				cmd->op != IOMMU_OPTION_OP_SET))
		return -EOPNOTSUPP;

	switch (cmd->option_id) {
	case IOMMU_OPTION_RLIMIT_MODE:
		rc = option_rlimit_mode(ucmd->ictx, cmd);
		break;
	case IOMMU_OPTION_HUGE_PAGES:
		rc = option_huge_pages(ucmd->ictx, cmd);
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (rc || cmd->op == IOMMU_OPTION_OP_SET)
		return rc;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

/*
 * What goes to another process is gathered in @handover: by address, each once,
 * with a reference. Add what an IOAS maps; -EINVAL if any of it belongs to a
 * process for good.
 */
static int handover_add(struct xarray *handover, struct iommufd_ioas *ioas)
{
	struct iommufd_area *area;
	MA_STATE(mas, &ioas->space.areas, 0, 0);
	int rc;

	guard(mutex)(&ioas->space.lock);
	iova_space_for_each_area(&mas, area, ULONG_MAX) {
		unsigned long key = (unsigned long)area->pages / sizeof(long);

		if (area->pages->backing != IOX_BACKING_FILE)
			return -EINVAL;
		rc = xa_insert(handover, key, area->pages, GFP_KERNEL_ACCOUNT);
		if (rc == -EBUSY)
			continue;
		if (rc)
			return rc;
		kref_get(&area->pages->kref);
	}
	return 0;
}

static int handover_collect(struct xarray *handover, struct iommufd_ctx *ictx)
{
	struct iommufd_object *obj;
	unsigned long id;
	int rc = 0;

	xa_for_each(&ictx->objects, id, obj) {
		struct iommufd_ioas *ioas = iommufd_ioas_lookup(ictx, id);

		if (IS_ERR(ioas))
			continue;
		rc = handover_add(handover, ioas);
		iommufd_object_put(ictx, &ioas->obj);
		if (rc)
			break;
	}
	return rc;
}

/* Have the caller pay for @pages; *old was the one who did. */
static int change_owner(struct iommufd_pages *pages, enum iommufd_account account,
			struct iommufd_owner *old)
{
	struct iommufd_owner owner;
	int rc;

	iommufd_owner_init(&owner, account);
	guard(mutex)(&pages->lock);
	rc = iommufd_owner_charge(&owner, pages->npinned);
	if (rc) {
		iommufd_owner_release(&owner);
		return rc;
	}
	iommufd_owner_uncharge(&pages->owner, pages->npinned);
	*old = pages->owner;
	pages->owner = owner;
	return 0;
}

static void restore_owner(struct iommufd_pages *pages,
			  const struct iommufd_owner *old)
{
	guard(mutex)(&pages->lock);
	iommufd_owner_uncharge(&pages->owner, pages->npinned);
	iommufd_owner_release(&pages->owner);
	pages->owner = *old;
	iommufd_owner_charge_unlimited(&pages->owner, pages->npinned);
}

static int handover_charge(struct xarray *handover, enum iommufd_account account)
{
	struct iommufd_owner *old;
	struct iommufd_pages *pages;
	unsigned long key;
	size_t nr = 0, done = 0, undo = 0;
	int rc = 0;

	xa_for_each(handover, key, pages)
		nr++;
	old = kvcalloc(nr, sizeof(*old), GFP_KERNEL_ACCOUNT);
	if (!old)
		return nr ? -ENOMEM : 0;

	xa_for_each(handover, key, pages) {
		rc = change_owner(pages, account, &old[done]);
		if (rc)
			break;
		done++;
	}
	xa_for_each(handover, key, pages) {
		if (undo == done)
			break;
		if (rc)
			restore_owner(pages, &old[undo]);
		else
			iommufd_owner_release(&old[undo]);
		undo++;
	}
	kvfree(old);
	return rc;
}

int iommufd_ioas_change_process(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_change_process *cmd = ucmd->cmd;
	struct xarray handover;
	struct iommufd_pages *pages;
	unsigned long key;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	xa_init(&handover);
	rc = handover_collect(&handover, ucmd->ictx);
	if (!rc)
		rc = handover_charge(&handover, READ_ONCE(ucmd->ictx->account));
	xa_for_each(&handover, key, pages)
		iommufd_pages_put(pages);
	xa_destroy(&handover);
	return rc;
}
