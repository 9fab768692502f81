// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOVAs without memory: reservations, and mappings that are only tried.
 */
#include <linux/overflow.h>
#include <uapi/linux/iox.h>

#include "core.h"

#define PROT_FLAGS (IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)

static u32 prot_of(u32 flags)
{
	return (flags & IOMMU_IOAS_MAP_READABLE ? IOX_PROT_READ : 0) |
	       (flags & IOMMU_IOAS_MAP_WRITEABLE ? IOX_PROT_WRITE : 0);
}

static int check_range(u64 addr, u64 length)
{
	u64 last;

	if (!length)
		return -EINVAL;
	return check_add_overflow(addr, length - 1, &last) ? -EOVERFLOW : 0;
}

/* Nobody would know where it is. */
static void take_back(struct iommufd_ioas *ioas, u64 iova, u64 length)
{
	iommufd_unclaim(ioas, iova, iova + length - 1);
}

int iommufd_ioas_reserve(struct iommufd_ucmd *ucmd)
{
	struct iommu_ioas_map *cmd = ucmd->cmd;
	struct iova_request request = {
		.req = { .length = cmd->length,
			 .addr = cmd->user_va,
			 .hint = cmd->iova,
			 .prot = prot_of(cmd->flags),
			 .backing = IOX_BACKING_NONE },
	};
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->flags & ~(IOX_IOAS_MAP_RESERVE | IOMMU_IOAS_MAP_FIXED_IOVA |
			   PROT_FLAGS))
		return -EOPNOTSUPP;
	rc = check_range(cmd->user_va, cmd->length);
	if (rc)
		return rc;
	ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iommufd_claim(ioas, &request,
			   cmd->flags & IOMMU_IOAS_MAP_FIXED_IOVA, &cmd->iova);
	if (!rc) {
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
		if (rc)
			take_back(ioas, cmd->iova, cmd->length);
	}
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	return rc;
}

static int check_try(const struct iox_ioas_try_map *cmd)
{
	if (cmd->flags & ~(IOMMU_IOAS_MAP_FIXED_IOVA | PROT_FLAGS) ||
	    cmd->__reserved || cmd->backing > IOX_TRY_DMABUF)
		return -EOPNOTSUPP;
	if (!(cmd->flags & PROT_FLAGS))
		return -EINVAL;
	return check_range(cmd->addr, cmd->length);
}

int iommufd_ioas_try_map(struct iommufd_ucmd *ucmd)
{
	struct iox_ioas_try_map *cmd = ucmd->cmd;
	struct iova_request request = {
		.req = { .length = cmd->length,
			 .addr = cmd->addr,
			 .hint = cmd->iova,
			 .prot = prot_of(cmd->flags),
			 .backing = cmd->backing },
	};
	struct iommufd_ioas *ioas;
	int rc;

	static_assert((int)IOX_TRY_USER == (int)IOX_BACKING_USER &&
		      (int)IOX_TRY_FILE == (int)IOX_BACKING_FILE &&
		      (int)IOX_TRY_DMABUF == (int)IOX_BACKING_DMABUF);

	rc = check_try(cmd);
	if (rc)
		return rc;
	ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iommufd_claim(ioas, &request,
			   cmd->flags & IOMMU_IOAS_MAP_FIXED_IOVA, &cmd->iova);
	if (!rc) {
		cmd->out_answer = request.req.answer;
		cmd->out_ns = request.ns;
		rc = iommufd_ucmd_respond(ucmd, sizeof(*cmd));
		if (rc)
			take_back(ioas, cmd->iova, cmd->length);
	}
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	return rc;
}
