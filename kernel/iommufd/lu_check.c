// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can come through a live update: the rules that preserving a file goes by,
 * and an ioctl that says beforehand what they would make of it.
 */
#include <linux/dcache.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/iommu-liveupdate.h>
#include <linux/kdev_t.h>
#include <linux/liveupdate.h>
#include <linux/mm.h>
/* It does not include what it needs. */
#include <linux/memfd.h>

#include "core.h"
#include "lu_check.h"

/* Nobody reads on at the millionth; what is alike is one finding anyway. */
#define MAX_FINDINGS 16384U

/**
 * lu_memory_kind - what kind of memory is it, for a live update?
 * @pages: mapped somewhere
 *
 * Return: IOX_LU_FINDING_MEMFD, or what is wrong with it.
 */
enum iox_lu_finding_kind lu_memory_kind(const struct iommufd_pages *pages)
{
	int seals;

	if (pages->backing == IOX_BACKING_DMABUF)
		return IOX_LU_FINDING_DMABUF;
	if (pages->backing != IOX_BACKING_FILE)
		return IOX_LU_FINDING_USER_MEMORY;
	if (is_file_hugepages(pages->file))
		return IOX_LU_FINDING_HUGETLB;
	seals = memfd_get_seals(pages->file);
	if (seals < 0)
		return IOX_LU_FINDING_NO_MEMFD;
	return seals & F_SEAL_SHRINK ? IOX_LU_FINDING_MEMFD :
				       IOX_LU_FINDING_UNSEALED;
}

/**
 * lu_finding_errno - how does preserving end because of something?
 * @kind: of memory or a file; not IOX_LU_FINDING_HWPT or IOX_LU_FINDING_DEVICE,
 *	which have several
 *
 * Return: 0, or a negative errno.
 */
int lu_finding_errno(enum iox_lu_finding_kind kind)
{
	switch (kind) {
	case IOX_LU_FINDING_NO_MARK:
	case IOX_LU_FINDING_UNSEALED:
		return -EINVAL;
	case IOX_LU_FINDING_PRESERVED:
		return -EBUSY;
	case IOX_LU_FINDING_LOST:
		return -ESTALE;
	case IOX_LU_FINDING_NO_DEVICE:
		return -ENODEV;
	case IOX_LU_FINDING_MEMFD:
	case IOX_LU_FINDING_HWPT:
	case IOX_LU_FINDING_DEVICE:
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* A memfd's folios, compared with what has been pinned of it */
struct owned {
	struct address_space *mapping;
	pgoff_t index;
};

static int check_run(void *arg, unsigned long pfn, unsigned long npages)
{
	struct owned *owned = arg;
	unsigned long part, skip;

	for (; npages; npages -= part, pfn += part) {
		struct folio *folio = pfn_folio(pfn);

		skip = pfn - folio_pfn(folio);
		part = min(npages, folio_nr_pages(folio) - skip);
		if (READ_ONCE(folio->mapping) != owned->mapping ||
		    folio->index + skip != owned->index)
			return -ESTALE;
		owned->index += part;
		cond_resched();
	}
	return 0;
}

/**
 * lu_area_is_whole - is everything that an area maps still its file's?
 * @area: of a file, mapped
 *
 * A memfd that is sealed against shrinking can still lose pages to a hole, as
 * long as it is not preserved.
 *
 * Context: sleeps.
 */
bool lu_area_is_whole(const struct iommufd_area *area)
{
	unsigned long first = area->start >> PAGE_SHIFT;
	unsigned long last =
		(area->start + (iommufd_area_length(area) - 1)) >> PAGE_SHIFT;
	struct iommufd_pages *pages = area->pages;
	struct owned owned = {
		.mapping = pages->file->f_mapping,
		.index = (pages->base >> PAGE_SHIFT) + first,
	};

	return !iommufd_pages_for_each_run(pages, first, last, check_run,
					   &owned);
}

/**
 * struct findings - what has been found
 * @entries: array
 * @room: entries there can be in @entries
 * @nr: how many there are; those beyond @room are only counted
 */
struct findings {
	struct iox_lu_finding *entries;
	u32 room;
	u32 nr;
};

/* Is it the same but for its place? Then it is counted with the last one. */
static bool merge(struct iox_lu_finding *last, const struct iox_lu_finding *next)
{
	if (!next->areas || last->kind != next->kind ||
	    last->hwpt_id != next->hwpt_id || last->ino != next->ino ||
	    last->dev != next->dev)
		return false;
	last->areas += next->areas;
	last->bytes += next->bytes;
	return true;
}

static int add(struct findings *findings, const struct iox_lu_finding *finding)
{
	struct iox_lu_finding *entries;
	u32 room;

	if (findings->nr && findings->nr <= findings->room &&
	    merge(&findings->entries[findings->nr - 1], finding))
		return 0;
	if (findings->nr == findings->room && findings->room < MAX_FINDINGS) {
		room = findings->room ? findings->room * 2 : 32;
		entries = kvrealloc(findings->entries, room * sizeof(*entries),
				    GFP_KERNEL_ACCOUNT);
		if (!entries)
			return -ENOMEM;
		findings->entries = entries;
		findings->room = room;
	}
	if (findings->nr < findings->room)
		findings->entries[findings->nr] = *finding;
	findings->nr++;
	return 0;
}

static int add_kind(struct findings *findings, enum iox_lu_finding_kind kind,
		    const struct iommufd_hwpt *hwpt)
{
	struct iox_lu_finding finding = {
		.kind = kind,
		.err = lu_finding_errno(kind),
		.hwpt_id = hwpt ? hwpt->obj.id : 0,
		.token = hwpt ? hwpt->lu_token : 0,
	};

	return add(findings, &finding);
}

/* --- Devices ---------------------------------------------------------------- */

static int device_errno(struct iommufd_device *idev,
			const struct iommufd_hwpt *hwpt)
{
	if (!hwpt)
		return -EINVAL;
	if (idev->lu_preserved)
		return -EBUSY;
	if (iommufd_device_uses_pasids(idev))
		return -EOPNOTSUPP;
	scoped_guard(mutex, &idev->ictx->lu_lock)
		if (!hwpt->lu_marked)
			return -ENOENT;
	return iommu_device_can_preserve(idev->dev, hwpt->domain);
}

static int check_device(struct findings *findings, struct iommufd_device *idev)
{
	struct iox_lu_finding finding = { .kind = IOX_LU_FINDING_DEVICE };
	struct iommufd_hwpt *hwpt;

	scoped_guard(mutex, &idev->group->lock) {
		hwpt = iommufd_device_hwpt(idev);
		finding.err = device_errno(idev, hwpt);
		finding.hwpt_id = hwpt ? hwpt->obj.id : 0;
	}
	strscpy(finding.name, dev_name(idev->dev));
	return add(findings, &finding);
}

static int check_devices(struct findings *findings, struct iommufd_ctx *ictx)
{
	struct iommufd_device *idev;
	struct iommufd_object *obj;
	unsigned long id;
	int rc;

	xa_for_each(&ictx->objects, id, obj) {
		idev = iommufd_device_lookup(ictx, id);
		if (IS_ERR(idev))
			continue;
		rc = check_device(findings, idev);
		iommufd_object_put(ictx, &idev->obj);
		if (rc)
			return rc;
	}
	return 0;
}

/* Devices are found before HWPTs. */
static bool has_device(const struct findings *findings, u32 hwpt_id)
{
	for (u32 i = 0; i < min(findings->nr, findings->room); i++)
		if (findings->entries[i].kind == IOX_LU_FINDING_DEVICE &&
		    findings->entries[i].hwpt_id == hwpt_id)
			return true;
	return false;
}

/* --- What is mapped --------------------------------------------------------- */

static int check_area(struct findings *findings,
		      const struct iommufd_hwpt *hwpt,
		      const struct iommufd_area *area)
{
	struct iox_lu_finding finding = {
		.kind = lu_memory_kind(area->pages),
		.hwpt_id = hwpt->obj.id,
		.iova = area->iova,
		.areas = 1,
		.bytes = iommufd_area_length(area),
	};
	struct file *file = area->pages->file;

	if (finding.kind == IOX_LU_FINDING_MEMFD && !lu_area_is_whole(area))
		finding.kind = IOX_LU_FINDING_LOST;
	finding.err = lu_finding_errno(finding.kind);
	if (area->pages->backing == IOX_BACKING_FILE) {
		finding.ino = file_inode(file)->i_ino;
		finding.dev = new_encode_dev(file_inode(file)->i_sb->s_dev);
		snprintf(finding.name, sizeof(finding.name), "%pD", file);
	}
	cond_resched();
	return add(findings, &finding);
}

static int check_ioas(struct findings *findings,
		      const struct iommufd_hwpt *hwpt)
{
	struct iommufd_ioas *ioas = hwpt->ioas;
	struct iommufd_area *area;
	int rc;

	/* Held for writing: nothing is half mapped then. */
	guard(rwsem_write)(&ioas->domains_rwsem);
	for (area = iommufd_ioas_next_area(ioas, NULL); area;
	     area = iommufd_ioas_next_area(ioas, area)) {
		rc = check_area(findings, hwpt, area);
		if (rc)
			return rc;
	}
	return 0;
}

static int check_restored(struct findings *findings,
			  const struct iommufd_hwpt *hwpt)
{
	struct iommufd_area *area;
	int rc;

	list_for_each_entry(area, &hwpt->restored, unmap_item) {
		rc = check_area(findings, hwpt, area);
		if (rc)
			return rc;
	}
	return 0;
}

static int check_hwpt(struct findings *findings,
		      const struct iommufd_hwpt *hwpt)
{
	struct iox_lu_finding finding = {
		.kind = IOX_LU_FINDING_HWPT,
		.err = iommu_domain_can_preserve(hwpt->domain),
		.hwpt_id = hwpt->obj.id,
		.token = hwpt->lu_token,
	};
	bool lonely = !has_device(findings, hwpt->obj.id);
	int rc;

	rc = add(findings, &finding);
	if (!rc && lonely)
		rc = add_kind(findings, IOX_LU_FINDING_NO_DEVICE, hwpt);
	if (rc)
		return rc;
	return hwpt->ioas ? check_ioas(findings, hwpt) :
			    check_restored(findings, hwpt);
}

static int check_hwpts(struct findings *findings, struct iommufd_ctx *ictx)
{
	struct iommufd_hwpt *hwpt;
	unsigned long token;
	int rc = 0;

	guard(mutex)(&ictx->lu_lock);
	if (xa_empty(&ictx->lu_tokens))
		return add_kind(findings, IOX_LU_FINDING_NO_MARK, NULL);
	if (ictx->lu_preserved)
		rc = add_kind(findings, IOX_LU_FINDING_PRESERVED, NULL);
	xa_for_each(&ictx->lu_tokens, token, hwpt) {
		if (rc)
			break;
		rc = check_hwpt(findings, hwpt);
	}
	return rc;
}

static int respond(struct iommufd_ucmd *ucmd, const struct findings *findings)
{
	struct iox_lu_check *cmd = ucmd->cmd;
	u32 nr = min3(cmd->nr, findings->nr, findings->room);
	int rc = nr < findings->nr ? -EMSGSIZE : 0;

	if (copy_to_user(u64_to_user_ptr(cmd->findings_uptr),
			 findings->entries, nr * sizeof(*findings->entries)))
		return -EFAULT;
	cmd->nr = findings->nr;
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd)) ?: rc;
}

int iommufd_lu_check(struct iommufd_ucmd *ucmd)
{
	struct iox_lu_check *cmd = ucmd->cmd;
	struct findings findings = {};
	int rc;

	if (cmd->flags || cmd->__reserved || !liveupdate_enabled())
		return -EOPNOTSUPP;
	rc = check_devices(&findings, ucmd->ictx);
	if (!rc)
		rc = check_hwpts(&findings, ucmd->ictx);
	if (!rc)
		rc = respond(ucmd, &findings);
	kvfree(findings.entries);
	return rc;
}
