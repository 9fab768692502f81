// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a program can rely on about the IOVAs of an address space: that a window
 * stays, and what an attach would change before it is done.
 */
#include <linux/iommu.h>
#include <linux/log2.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <uapi/linux/iox.h>

#include "core.h"

static int check_requirement(const struct iox_ioas_require *cmd)
{
	u64 align = cmd->align ?: 1, last;

	if (cmd->flags & ~IOX_IOAS_REQUIRE_AT || cmd->__reserved)
		return -EOPNOTSUPP;
	if (!is_power_of_2(align) || cmd->base & (align - 1))
		return -EINVAL;
	if (cmd->base && !(cmd->flags & IOX_IOAS_REQUIRE_AT))
		return -EINVAL;
	if (cmd->length &&
	    check_add_overflow(cmd->base, cmd->length - 1, &last))
		return -EINVAL;
	return 0;
}

int iommufd_ioas_require(struct iommufd_ucmd *ucmd)
{
	struct iox_ioas_require *cmd = ucmd->cmd;
	const struct iova_requirement required = {
		.length = cmd->length,
		.align = cmd->align ?: 1,
		.base = cmd->base,
		.fixed = cmd->flags & IOX_IOAS_REQUIRE_AT,
	};
	struct iommufd_ioas *ioas;
	int rc;

	rc = check_requirement(cmd);
	if (rc)
		return rc;
	ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	rc = iova_space_require(&ioas->space, &required);
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	return rc;
}

static int try_device(struct iommufd_ioas *ioas, struct iommufd_device *idev,
		      struct iova_trial *trial)
{
	struct iova_window *ranges __free(kfree) = NULL;
	struct iommu_domain *domain;
	unsigned int nr;
	int rc;

	trial->align = READ_ONCE(ioas->space.align);
	/* Nothing translates for it: it takes what there is. */
	if (!iommufd_device_has_iommu(idev))
		return iova_space_try(&ioas->space, trial);

	/* The same ranges as an attach reserves. */
	ranges = iommufd_device_ranges(idev, &nr, 2);
	if (!ranges)
		return -ENOMEM;
	domain = iommu_paging_domain_alloc(idev->dev);
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	trial->ranges = ranges;
	trial->nr_ranges = nr + iommufd_domain_ranges(domain, ranges + nr);
	trial->align = max(trial->align, iommufd_domain_align(domain));
	rc = iommufd_domain_align(domain) > PAGE_SIZE ?
		     -EINVAL :
		     iova_space_try(&ioas->space, trial);
	iommu_domain_free(domain);
	return rc;
}

static int respond(struct iommufd_ucmd *ucmd, const struct iova_trial *trial)
{
	struct iox_ioas_test_attach *cmd = ucmd->cmd;
	int copied;

	copied = iommufd_copy_windows(cmd->allowed_iovas, &cmd->num_iovas,
				      trial->windows, trial->nr_windows);
	if (copied && copied != -EMSGSIZE)
		return copied;
	cmd->out_reason = trial->reason;
	cmd->out_iova_alignment = trial->align;
	cmd->out_start = trial->conflict.start;
	cmd->out_last = trial->conflict.last;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd)) ?: copied;
}

int iommufd_ioas_test_attach(struct iommufd_ucmd *ucmd)
{
	struct iox_ioas_test_attach *cmd = ucmd->cmd;
	struct iova_trial trial = {};
	struct iommufd_device *idev;
	struct iommufd_ioas *ioas;
	int rc;

	if (cmd->flags)
		return -EOPNOTSUPP;
	ioas = iommufd_ioas_lookup(ucmd->ictx, cmd->ioas_id);
	if (IS_ERR(ioas))
		return PTR_ERR(ioas);
	idev = iommufd_device_lookup(ucmd->ictx, cmd->dev_id);
	if (IS_ERR(idev)) {
		rc = PTR_ERR(idev);
		goto put_ioas;
	}
	rc = try_device(ioas, idev, &trial);
	if (!rc)
		rc = respond(ucmd, &trial);
	kfree(trial.windows);
	iommufd_object_put(ucmd->ictx, &idev->obj);
put_ioas:
	iommufd_object_put(ucmd->ictx, &ioas->obj);
	return rc;
}
