// SPDX-License-Identifier: GPL-2.0-only
/*
 * The object of the Live Update Orchestrator that everything here lives and dies with: there from the first file on
 * that is preserved and needs it until the last of them is unpreserved, or finished in the next kernel.
 */
#include <linux/export.h>
#include <linux/init.h>
#include <linux/liveupdate.h>
#include <linux/string.h>

#include "liveupdate.h"
#include "test.h"

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE_TEST)
struct iommu_lu_test_ops *iommu_lu_test;
EXPORT_SYMBOL_FOR_MODULES(iommu_lu_test, "iommu-liveupdate-test");
#endif

static int lu_preserve(struct liveupdate_flb_op_args *args)
{
	return iommu_lu_outgoing_begin(&args->data, &args->obj);
}

static void lu_unpreserve(struct liveupdate_flb_op_args *args)
{
	iommu_lu_outgoing_end(args->obj);
}

static void lu_freeze(struct liveupdate_flb_op_args *args)
{
	iommu_lu_outgoing_freeze(args->obj);
}

static int lu_retrieve(struct liveupdate_flb_op_args *args)
{
	return iommu_lu_incoming_begin(args->data, &args->obj);
}

static void lu_finish(struct liveupdate_flb_op_args *args)
{
	iommu_lu_incoming_end(args->obj);
}

static const struct liveupdate_flb_ops lu_flb_ops = {
	.preserve = lu_preserve,
	.unpreserve = lu_unpreserve,
	.freeze = lu_freeze,
	.retrieve = lu_retrieve,
	.finish = lu_finish,
	.owner = THIS_MODULE,
};

struct liveupdate_flb iommu_lu_flb = {
	.ops = &lu_flb_ops,
	.compatible = IOMMU_LIVEUPDATE_FLB_COMPATIBLE,
};

#if IS_ENABLED(CONFIG_IOMMU_LIVEUPDATE_TEST)
/* Act as a kernel of another version, which knows neither what came nor, when it goes, the note of its own image. */
static int __init set_compatible(char *compatible)
{
	if (!compatible)
		return -EINVAL;
	strscpy((char *)iommu_lu_flb.compatible, compatible, sizeof(iommu_lu_flb.compatible));
	return 0;
}
early_param("iommu_liveupdate_test_compatible", set_compatible);
#endif

/**
 * iommu_liveupdate_register_flb - Let the files of a handler need the IOMMU state
 * @fh: A registered file handler, which is going to call what is declared in linux/iommu-liveupdate.h
 *
 * Return: 0 or an errno of liveupdate_register_flb().
 */
int iommu_liveupdate_register_flb(struct liveupdate_file_handler *fh)
{
	return liveupdate_register_flb(fh, &iommu_lu_flb);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_register_flb);

/**
 * iommu_liveupdate_unregister_flb - Undo iommu_liveupdate_register_flb()
 * @fh: The file handler
 */
void iommu_liveupdate_unregister_flb(struct liveupdate_file_handler *fh)
{
	liveupdate_unregister_flb(fh, &iommu_lu_flb);
}
EXPORT_SYMBOL_GPL(iommu_liveupdate_unregister_flb);
