// SPDX-License-Identifier: GPL-2.0-only
/*
 * The IOAS that vfio uses when its own API names none.
 */
#include <linux/export.h>

#include "core.h"

/**
 * iommufd_vfio_compat_ioas_get_id - id of the compatibility IOAS
 * @ictx: the context
 * @out_ioas_id: set when 0 is returned
 *
 * Return: 0, or -ENODEV when none is set.
 */
int iommufd_vfio_compat_ioas_get_id(struct iommufd_ctx *ictx, u32 *out_ioas_id)
{
	int rc = -ENODEV;

	xa_lock(&ictx->objects);
	if (ictx->vfio_ioas) {
		*out_ioas_id = ictx->vfio_ioas->obj.id;
		rc = 0;
	}
	xa_unlock(&ictx->objects);
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_vfio_compat_ioas_get_id, "IOMMUFD_VFIO");

static void set_vfio_ioas(struct iommufd_ctx *ictx, struct iommufd_ioas *ioas)
{
	xa_lock(&ictx->objects);
	ictx->vfio_ioas = ioas;
	xa_unlock(&ictx->objects);
}

int iommufd_vfio_ioas(struct iommufd_ucmd *ucmd)
{
	struct iommu_vfio_ioas *cmd = ucmd->cmd;
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->__reserved)
		return -EOPNOTSUPP;

	switch (cmd->op) {
	case IOMMU_VFIO_IOAS_GET:
		rc = iommufd_vfio_compat_ioas_get_id(ucmd->ictx, &cmd->ioas_id);
		return rc ?: iommufd_ucmd_respond(ucmd, sizeof(*cmd));
	case IOMMU_VFIO_IOAS_SET:
		/* Destroying it waits for this call, and then clears it. */
		ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->ioas_id);
		if (IS_ERR(ioas))
			return PTR_ERR(ioas);
		set_vfio_ioas(ucmd->ictx, ioas);
		iommufd_object_put(ucmd->ictx, &ioas->obj);
		return 0;
	case IOMMU_VFIO_IOAS_CLEAR:
		set_vfio_ioas(ucmd->ictx, NULL);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}
