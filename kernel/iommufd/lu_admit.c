// SPDX-License-Identifier: GPL-2.0-only
/*
 * What admission policies are told of an iommufd and its HWPTs.
 */
#include <linux/err.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iox_admit.h>
#include <linux/sched.h>

#include "core.h"
#include "lu_admit.h"
#include "lu_ser.h"

static void add_area(struct iox_admit_req *req, const struct iommufd_area *area)
{
	req->mapped_bytes += iommufd_area_length(area);
	req->backings |= BIT(area->pages->backing);
}

static void add_ioas(struct iox_admit_req *req, struct iommufd_ioas *ioas)
{
	struct iommufd_area *area;

	/* Held for writing: nothing is half mapped then. */
	guard(rwsem_write)(&ioas->domains_rwsem);
	for (area = iommufd_ioas_next_area(ioas, NULL); area;
	     area = iommufd_ioas_next_area(ioas, area)) {
		add_area(req, area);
		cond_resched();
	}
}

static void add_hwpt(struct iox_admit_req *req, struct iommufd_hwpt *hwpt)
{
	struct iommufd_area *area;

	req->nr_hwpts++;
	if (hwpt->ioas)
		add_ioas(req, hwpt->ioas);
	else
		list_for_each_entry(area, &hwpt->restored, unmap_item)
			add_area(req, area);
}

static void add_preserved(struct iox_admit_req *req, struct iommufd_ctx *ictx)
{
	struct iommufd_hwpt *hwpt;
	unsigned long token;

	guard(mutex)(&ictx->lu_lock);
	xa_for_each(&ictx->lu_tokens, token, hwpt) {
		if (!hwpt->lu_preserved)
			continue;
		add_hwpt(req, hwpt);
		req->pt_bytes += iommu_domain_preserved_bytes(hwpt->domain);
	}
}

/**
 * lu_admit_mark - may an HWPT be marked?
 * @hwpt: the caller holds a reference
 * @token: with which
 *
 * Context: of the task that marks; sleeps. Holds no lock of live update.
 * Return: 0, the errno of a policy, or -ENOMEM.
 */
int lu_admit_mark(struct iommufd_hwpt *hwpt, u64 token)
{
	struct iox_admission *admission;
	int rc;

	admission = iox_admission_new(IOX_ADMIT_HWPT, NULL);
	if (IS_ERR_OR_NULL(admission))
		return PTR_ERR_OR_ZERO(admission);
	admission->req.token = token;
	add_hwpt(&admission->req, hwpt);
	rc = iox_admit(admission, IOX_ADMIT_MARK);
	iox_admission_free(admission);
	return rc;
}

/**
 * lu_admit_preserve - may a file be preserved?
 * @args: the file's. Its private_data is set, until lu_admit_unpreserve()
 *
 * Context: of the task that preserves, when all that is marked is preserved;
 * sleeps.
 * Return: 0, the errno of a policy, or -ENOMEM.
 */
int lu_admit_preserve(struct liveupdate_file_op_args *args)
{
	struct iox_admission *admission;
	int rc;

	admission = iox_admission_new(IOX_ADMIT_IOMMUFD, args);
	if (IS_ERR_OR_NULL(admission))
		return PTR_ERR_OR_ZERO(admission);
	add_preserved(&admission->req, args->file->private_data);
	rc = iox_admit(admission, IOX_ADMIT_PRESERVE);
	if (rc)
		iox_admission_free(admission);
	else
		args->private_data = admission;
	return rc;
}

/**
 * lu_admit_unpreserve - what lu_admit_preserve() has allowed is given up
 * @args: the file's
 */
void lu_admit_unpreserve(struct liveupdate_file_op_args *args)
{
	iox_admission_withdraw(args->private_data);
	iox_admission_free(args->private_data);
}

/**
 * lu_admit_retrieve - may a file be retrieved?
 * @args: the file's
 * @records: what was preserved of it, checked
 *
 * Context: of the task that retrieves; sleeps.
 * Return: 0, the errno of a policy, or -ENOMEM.
 */
int lu_admit_retrieve(struct liveupdate_file_op_args *args,
		      const struct lu_records *records)
{
	struct iox_admission *admission;
	u64 i;
	int rc;

	admission = iox_admission_new(IOX_ADMIT_IOMMUFD, args);
	if (IS_ERR_OR_NULL(admission))
		return PTR_ERR_OR_ZERO(admission);
	admission->req.nr_hwpts = records->nr_hwpts;
	for (i = 0; i < records->nr_areas; i++)
		admission->req.mapped_bytes += records->areas[i].length;
	admission->req.backings = records->nr_areas ? BIT(IOX_BACKING_FILE) : 0;
	rc = iox_admit(admission, IOX_ADMIT_RETRIEVE);
	iox_admission_free(admission);
	return rc;
}
