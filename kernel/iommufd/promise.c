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

/**
 * struct iova_trial - what would be if some ranges could not be used
 * @ranges: these ranges, in any order
 * @nr_ranges: how many
 * @align: what mappings would have to be aligned to, a power of two in bytes
 * @windows: out: the windows then, to be given to kfree()
 * @nr_windows: out: how many
 * @reason: out: enum iox_attach_reason
 * @conflict: out: the range, or the area, that is in the way; with a @reason
 */
struct iova_trial {
	const struct iova_window *ranges;
	unsigned int nr_ranges;
	unsigned long align;
	struct iova_window *windows;
	unsigned int nr_windows;
	u32 reason;
	struct iova_window conflict;
};

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

static bool in_the_way(struct iova_space *space, struct iova_trial *trial,
		       const struct iova_window *range)
{
	if (iova_space_next(space, range->start, range->last))
		trial->reason = IOX_ATTACH_MAPPED;
	else if (iova_space_is_taken(space, range->start, range->last))
		trial->reason = IOX_ATTACH_RESERVED;
	else if (iova_space_is_allowed(space, range->start, range->last))
		trial->reason = IOX_ATTACH_ALLOWED;
	else
		return false;
	trial->conflict = *range;
	return true;
}

static bool is_misaligned(struct iova_space *space, struct iova_trial *trial)
{
	struct iommufd_area *area;
	MA_STATE(mas, &space->areas, 0, 0);

	if (trial->align <= space->align)
		return false;
	iova_space_for_each_area(&mas, area, ULONG_MAX) {
		if (!((area->iova | (area->last + 1) | area->start) &
		      (trial->align - 1)))
			continue;
		trial->reason = IOX_ATTACH_MISALIGNED;
		trial->conflict = (struct iova_window){ area->iova, area->last };
		return true;
	}
	return false;
}

/* Take @range out of the middle of the window that it is in, if it is. */
static bool split_window(struct iova_trial *trial,
			 const struct iova_window *range)
{
	struct iova_window *w;
	unsigned int i;

	for (i = 0; i < trial->nr_windows; i++) {
		w = &trial->windows[i];
		if (w->start >= range->start || w->last <= range->last)
			continue;
		memmove(w + 1, w, (trial->nr_windows - i) * sizeof(*w));
		w[0].last = range->start - 1;
		w[1].start = range->last + 1;
		trial->nr_windows++;
		return true;
	}
	return false;
}

/* Take @range out of the windows of a trial, whose array has room for one more. */
static void cut_windows(struct iova_trial *trial,
			const struct iova_window *range)
{
	unsigned int i, kept = 0;

	if (split_window(trial, range))
		return;
	for (i = 0; i < trial->nr_windows; i++) {
		struct iova_window w = trial->windows[i];

		if (w.start < range->start)
			w.last = min(w.last, range->start - 1);
		else if (w.last > range->last)
			w.start = max(w.start, range->last + 1);
		else
			continue;
		trial->windows[kept++] = w;
	}
	trial->nr_windows = kept;
}

/* 0, whether they could be done without or not, see trial->reason; or -ENOMEM */
static int try_ranges(struct iova_space *space, struct iova_trial *trial)
{
	unsigned int i;

	guard(mutex)(&space->lock);
	trial->windows = kmalloc_array(space->nr_windows + trial->nr_ranges,
				       sizeof(*trial->windows),
				       GFP_KERNEL_ACCOUNT);
	if (!trial->windows)
		return -ENOMEM;
	trial->nr_windows = space->nr_windows;
	memcpy(trial->windows, space->windows,
	       space->nr_windows * sizeof(*trial->windows));
	for (i = 0; i < trial->nr_ranges; i++)
		cut_windows(trial, &trial->ranges[i]);

	for (i = 0; i < trial->nr_ranges; i++)
		if (in_the_way(space, trial, &trial->ranges[i]))
			return 0;
	if (is_misaligned(space, trial))
		return 0;
	if (!iova_requirement_is_met(&space->required, trial->windows,
				     trial->nr_windows))
		trial->reason = IOX_ATTACH_REQUIRED;
	return 0;
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
		return try_ranges(&ioas->space, trial);

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
		     try_ranges(&ioas->space, trial);
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
