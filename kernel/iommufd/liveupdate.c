// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update: HWPTs that go on translating while the kernel is replaced.
 *
 * User space marks HWPTs, then preserves the file in a session. All that a marked
 * HWPT maps has to be memory that survives: memfds that cannot shrink and that
 * the same session preserves. From then on the IOAS is frozen, until the session
 * gives up or the kernel is gone. lu_ser.c has how that is written down,
 * lu_restore.c how it comes back.
 *
 * A memfd can have lost pages that are still mapped here, to a hole or to a
 * truncation before it was sealed. Those do not survive, so each folio is looked
 * at. Once the memfd is preserved, it loses no more.
 */
#include <linux/file.h>
#include <linux/iommu-liveupdate.h>
#include <linux/iommufd_liveupdate.h>
#include <linux/io.h>
#include <linux/iox_admit.h>
#include <linux/liveupdate.h>
#include <linux/mm.h>
#include <uapi/linux/iox.h>

#include "core.h"
#include "lu_admit.h"
#include "lu_check.h"
#include "lu_restore.h"
#include "lu_ser.h"

/* --- Marks ------------------------------------------------------------------ */

static int move_mark(struct iommufd_hwpt *hwpt, u64 token)
{
	struct iommufd_ctx *ictx = hwpt->ictx;
	int rc;

	rc = xa_insert(&ictx->lu_tokens, token, hwpt, GFP_KERNEL_ACCOUNT);
	if (rc)
		return rc == -EBUSY ? -EADDRINUSE : rc;
	if (hwpt->lu_marked)
		xa_erase(&ictx->lu_tokens, hwpt->lu_token);
	hwpt->lu_token = token;
	hwpt->lu_marked = true;
	return 0;
}

static void remove_mark(struct iommufd_hwpt *hwpt)
{
	if (!hwpt->lu_marked)
		return;
	xa_erase(&hwpt->ictx->lu_tokens, hwpt->lu_token);
	hwpt->lu_marked = false;
}

static int mark(struct iommufd_hwpt *hwpt, u64 token)
{
	int rc;

	/* Nobody would answer the faults during the jump. */
	if (hwpt->nest_parent || hwpt->fault)
		return -EOPNOTSUPP;
	rc = lu_admit_mark(hwpt, token);
	if (rc)
		return rc;
	guard(mutex)(&hwpt->ictx->lu_lock);
	if (hwpt->ictx->lu_preserved)
		return -EBUSY;
	if (hwpt->lu_marked && hwpt->lu_token == token)
		return 0;
	return move_mark(hwpt, token);
}

static int unmark(struct iommufd_hwpt *hwpt)
{
	guard(mutex)(&hwpt->ictx->lu_lock);
	if (hwpt->ictx->lu_preserved)
		return -EBUSY;
	if (!hwpt->lu_marked)
		return -ENOENT;
	remove_mark(hwpt);
	return 0;
}

/**
 * iommufd_hwpt_lu_unmark - forget about an HWPT that is being destroyed
 * @hwpt: marked or not
 */
void iommufd_hwpt_lu_unmark(struct iommufd_hwpt *hwpt)
{
	guard(mutex)(&hwpt->ictx->lu_lock);
	remove_mark(hwpt);
}

static int find_mark(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_lu_mark_preserve *cmd = ucmd->cmd;
	struct iommufd_hwpt *hwpt;

	if (cmd->hwpt_id)
		return -EINVAL;
	scoped_guard(mutex, &ucmd->ictx->lu_lock) {
		hwpt = xa_load(&ucmd->ictx->lu_tokens, cmd->hwpt_token);
		if (!hwpt)
			return -ENOENT;
		cmd->hwpt_id = hwpt->obj.id;
	}
	return iommufd_ucmd_respond(ucmd, sizeof(*cmd));
}

static int change_mark(struct iommufd_object *obj, u32 flags, u64 token)
{
	struct iommufd_hwpt *hwpt = container_of(obj, struct iommufd_hwpt, obj);

	switch (obj->type) {
	case IOMMUFD_OBJ_HWPT_PAGING:
		return flags & IOX_LU_UNMARK ? unmark(hwpt) : mark(hwpt, token);
	case IOMMUFD_OBJ_HWPT_NESTED:
		return -EOPNOTSUPP;
	default:
		return -ENOENT;
	}
}

int iommufd_hwpt_lu_mark(struct iommufd_ucmd *ucmd)
{
	struct iommu_hwpt_lu_mark_preserve *cmd = ucmd->cmd;
	struct iommufd_object *obj;
	int rc;

	if (cmd->flags & ~(IOX_LU_UNMARK | IOX_LU_FIND) || cmd->__reserved)
		return -EOPNOTSUPP;
	if (hweight32(cmd->flags) > 1)
		return -EINVAL;
	if (cmd->flags & IOX_LU_FIND)
		return find_mark(ucmd);
	if (cmd->flags & IOX_LU_UNMARK && cmd->hwpt_token)
		return -EINVAL;

	obj = iommufd_object_lookup(ucmd->ictx, cmd->hwpt_id, IOMMUFD_OBJ_ANY);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	rc = change_mark(obj, cmd->flags, cmd->hwpt_token);
	iommufd_object_put(ucmd->ictx, obj);
	return rc;
}

/* --- Preserving ------------------------------------------------------------- */

/**
 * struct preserve - a file on its way into a session
 * @session: where to
 * @writer: its records
 * @file: the last memfd that was looked up
 * @token: its token
 */
struct preserve {
	struct liveupdate_session *session;
	struct lu_writer writer;
	struct file *file;
	u64 token;
};

static int find_memfd(struct preserve *preserve, struct file *file)
{
	int rc;

	if (file == preserve->file)
		return 0;
	rc = liveupdate_get_token_outgoing(preserve->session, file,
					   &preserve->token);
	if (!rc)
		preserve->file = file;
	return rc;
}

static int preserve_area(struct preserve *preserve,
			 const struct iommufd_area *area)
{
	const struct iommufd_pages *pages = area->pages;
	struct iommufd_area_ser ser = {
		.iova = area->iova,
		.length = iommufd_area_length(area),
		.file_start = pages->base + area->start,
		.prot = (area->prot & IOMMU_READ ? IOMMUFD_AREA_SER_READ : 0) |
			(area->prot & IOMMU_WRITE ? IOMMUFD_AREA_SER_WRITE : 0),
	};
	int rc;

	rc = lu_finding_errno(lu_memory_kind(pages));
	if (!rc)
		rc = find_memfd(preserve, pages->file);
	if (!rc && !lu_area_is_whole(area))
		rc = lu_finding_errno(IOX_LU_FINDING_LOST);
	if (rc)
		return rc;
	ser.file_token = preserve->token;
	return lu_list_add(&preserve->writer.areas, &ser);
}

static int freeze_ioas(struct preserve *preserve, struct iommufd_ioas *ioas)
{
	struct iommufd_area *area;
	int rc;

	guard(rwsem_write)(&ioas->domains_rwsem);
	for (area = iommufd_ioas_next_area(ioas, NULL); area;
	     area = iommufd_ioas_next_area(ioas, area)) {
		rc = preserve_area(preserve, area);
		if (rc)
			return rc;
		cond_resched();
	}
	WRITE_ONCE(ioas->frozen, ioas->frozen + 1);
	return 0;
}

static void thaw_ioas(struct iommufd_ioas *ioas)
{
	guard(rwsem_write)(&ioas->domains_rwsem);
	WRITE_ONCE(ioas->frozen, ioas->frozen - 1);
}

static int preserve_restored(struct preserve *preserve,
			     const struct iommufd_hwpt *hwpt)
{
	struct iommufd_area *area;
	int rc;

	list_for_each_entry(area, &hwpt->restored, unmap_item) {
		rc = preserve_area(preserve, area);
		if (rc)
			return rc;
		cond_resched();
	}
	return 0;
}

static int preserve_domain(struct preserve *preserve, struct iommufd_hwpt *hwpt,
			   struct iommufd_hwpt_ser *ser)
{
	int rc = iommu_domain_preserve(hwpt->domain, &ser->domain_phys);

	if (rc)
		return rc;
	ser->nr_areas = preserve->writer.ser->areas.nr - ser->first_area;
	rc = lu_list_add(&preserve->writer.hwpts, ser);
	if (rc)
		iommu_domain_unpreserve(hwpt->domain);
	return rc;
}

static int preserve_hwpt(struct preserve *preserve, struct iommufd_hwpt *hwpt)
{
	struct iommufd_hwpt_ser ser = {
		.hwpt_token = hwpt->lu_token,
		.first_area = preserve->writer.ser->areas.nr,
		.flags = hwpt->coherent ? IOMMUFD_HWPT_SER_COHERENT : 0,
	};
	int rc;

	/* Already being destroyed: then its mark is about to go. */
	if (!iommufd_object_use(&hwpt->obj))
		return 0;
	rc = hwpt->ioas ? freeze_ioas(preserve, hwpt->ioas) :
			  preserve_restored(preserve, hwpt);
	if (rc)
		goto unuse;
	rc = preserve_domain(preserve, hwpt, &ser);
	if (rc)
		goto thaw;
	WRITE_ONCE(hwpt->lu_preserved, true);
	return 0;

thaw:
	if (hwpt->ioas)
		thaw_ioas(hwpt->ioas);
unuse:
	iommufd_object_unuse(&hwpt->obj);
	return rc;
}

/* Give up one HWPT that is preserved; returns it with the use that was held. */
static struct iommufd_hwpt *unpreserve_hwpt(struct iommufd_ctx *ictx)
{
	struct iommufd_hwpt *hwpt;
	unsigned long token;

	guard(mutex)(&ictx->lu_lock);
	xa_for_each(&ictx->lu_tokens, token, hwpt) {
		if (!hwpt->lu_preserved)
			continue;
		iommu_domain_unpreserve(hwpt->domain);
		if (hwpt->ioas)
			thaw_ioas(hwpt->ioas);
		WRITE_ONCE(hwpt->lu_preserved, false);
		return hwpt;
	}
	ictx->lu_preserved = false;
	return NULL;
}

static void unpreserve_hwpts(struct iommufd_ctx *ictx)
{
	struct iommufd_hwpt *hwpt;

	/* An automatic HWPT can go with this, which needs the lock. */
	while ((hwpt = unpreserve_hwpt(ictx)))
		iommufd_hwpt_put(hwpt);
}

static int preserve_hwpts(struct iommufd_ctx *ictx, struct preserve *preserve)
{
	struct iommufd_hwpt *hwpt;
	unsigned long token;
	int rc;

	guard(mutex)(&ictx->lu_lock);
	if (xa_empty(&ictx->lu_tokens))
		return -EINVAL;
	ictx->lu_preserved = true;
	xa_for_each(&ictx->lu_tokens, token, hwpt) {
		rc = preserve_hwpt(preserve, hwpt);
		if (rc)
			return rc;
	}
	return 0;
}

static bool lu_can_preserve(struct liveupdate_file_handler *handler,
			    struct file *file)
{
	return iommufd_file_is_ours(file);
}

static int lu_preserve(struct liveupdate_file_op_args *args)
{
	struct preserve preserve = { .session = args->session };
	struct iommufd_ctx *ictx = args->file->private_data;
	int rc;

	rc = lu_writer_init(&preserve.writer);
	if (rc)
		return rc;
	rc = preserve_hwpts(ictx, &preserve);
	if (!rc)
		rc = lu_admit_preserve(args);
	if (rc) {
		unpreserve_hwpts(ictx);
		lu_unpreserve(preserve.writer.ser);
		return rc;
	}
	args->serialized_data = virt_to_phys(preserve.writer.ser);
	return 0;
}

static void lu_unpreserve_file(struct liveupdate_file_op_args *args)
{
	lu_admit_unpreserve(args);
	unpreserve_hwpts(args->file->private_data);
	lu_unpreserve(phys_to_virt(args->serialized_data));
}

/* With no device attached, the next kernel cannot tell whose table it is. */
static int lu_freeze(struct liveupdate_file_op_args *args)
{
	struct iommufd_ctx *ictx = args->file->private_data;
	struct iommufd_hwpt *hwpt;
	unsigned long token;
	int rc;

	rc = iox_admit(args->private_data, IOX_ADMIT_FREEZE);
	if (rc)
		return rc;
	guard(mutex)(&ictx->lu_lock);
	xa_for_each(&ictx->lu_tokens, token, hwpt)
		if (hwpt->lu_preserved &&
		    !iommu_domain_preserved_devices(hwpt->domain))
			return -ENODEV;
	lu_seal(phys_to_virt(args->serialized_data));
	return 0;
}

/* --- Coming back ------------------------------------------------------------ */

static int lu_retrieve(struct liveupdate_file_op_args *args)
{
	struct lu_records records;
	struct file *file;
	int rc;

	lu_selftest(args->serialized_data);
	rc = lu_read(args->serialized_data, &records);
	if (rc)
		return rc;
	rc = lu_admit_retrieve(args, &records);
	if (rc)
		goto free_records;
	file = iommufd_file_new();
	if (IS_ERR(file)) {
		rc = PTR_ERR(file);
		goto free_records;
	}
	rc = lu_restore_hwpts(file->private_data, args->session, &records);
	if (rc)
		fput(file);
	else
		args->file = file;
free_records:
	lu_records_free(&records);
	return rc;
}

/* HWPTs that are back belong to the file, and go with it. */
static void lu_finish(struct liveupdate_file_op_args *args)
{
	struct lu_records records;
	u64 i;
	int rc;

	if (args->retrieve_status <= 0) {
		rc = lu_read(args->serialized_data, &records);
		if (rc) {
			pr_err("iommufd: what was preserved of a file cannot be read (%pe), its page tables stay\n",
			       ERR_PTR(rc));
			return;
		}
		for (i = 0; i < records.nr_hwpts; i++)
			iommu_domain_discard_restored(records.hwpts[i].domain_phys);
		lu_records_free(&records);
	}
	lu_restore_free(args->serialized_data);
}

static const struct liveupdate_file_ops lu_file_ops = {
	.can_preserve = lu_can_preserve,
	.preserve = lu_preserve,
	.unpreserve = lu_unpreserve_file,
	.freeze = lu_freeze,
	.retrieve = lu_retrieve,
	.finish = lu_finish,
	.show = lu_show,
	.owner = THIS_MODULE,
};

static struct liveupdate_file_handler lu_handler = {
	.ops = &lu_file_ops,
	.compatible = IOMMUFD_LUO_FH_COMPATIBLE,
};

/* Does live update know the handler? Written when the module comes only. */
static bool registered;

/* --- Devices ---------------------------------------------------------------- */

/**
 * iommufd_device_preserve - keep a device where it is over a live update
 * @idev: bound; the caller sees to it that it stays so
 * @session: in which its iommufd has been preserved already
 * @place: filled in
 *
 * Until iommufd_device_unpreserve(), it cannot be attached, moved or detached.
 *
 * Context: sleeps. Only from a file handler's preserve().
 * Return: 0; -ENOENT the session does not preserve the iommufd, or not the HWPT;
 * -EINVAL not attached; -EOPNOTSUPP PASIDs are in use; or an errno of
 * iommu_device_preserve().
 */
int iommufd_device_preserve(struct iommufd_device *idev,
			    struct liveupdate_session *session,
			    struct iommufd_device_place *place)
{
	struct iommufd_ctx *ictx = idev->ictx;
	struct iommufd_hwpt *hwpt;
	int rc;

	rc = liveupdate_get_token_outgoing(session, ictx->file,
					   &place->iommufd_token);
	if (rc)
		return rc;

	guard(mutex)(&idev->group->lock);
	hwpt = iommufd_device_hwpt(idev);
	if (!hwpt)
		return -EINVAL;
	if (iommufd_device_uses_pasids(idev))
		return -EOPNOTSUPP;

	guard(mutex)(&ictx->lu_lock);
	if (!hwpt->lu_preserved)
		return -ENOENT;
	place->hwpt_token = hwpt->lu_token;
	rc = iommu_device_preserve(idev->dev, hwpt->domain, hwpt->lu_token,
				   &place->device_phys);
	if (!rc)
		idev->lu_preserved = true;
	return rc;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_preserve, "IOMMUFD");

/**
 * iommufd_device_unpreserve - undo iommufd_device_preserve()
 * @idev: bound
 */
void iommufd_device_unpreserve(struct iommufd_device *idev)
{
	guard(mutex)(&idev->group->lock);
	iommu_device_unpreserve(idev->dev);
	idev->lu_preserved = false;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_unpreserve, "IOMMUFD");

/**
 * iommufd_device_is_preserved - must a device stay attached as it is?
 * @idev: bound, or %NULL
 */
bool iommufd_device_is_preserved(struct iommufd_device *idev)
{
	if (!idev)
		return false;
	guard(mutex)(&idev->group->lock);
	return idev->lu_preserved;
}
EXPORT_SYMBOL_NS_GPL(iommufd_device_is_preserved, "IOMMUFD");

/**
 * iommufd_ctx_find_restored - find the HWPT that a device came with
 * @ictx: has come through the live update
 * @hwpt_token: what the HWPT was preserved under
 * @domain: what the IOMMU core says that the device is attached to
 * @hwpt_id: set to its id
 *
 * Return: 0; -ENOENT no such HWPT; -EINVAL it is another domain.
 */
int iommufd_ctx_find_restored(struct iommufd_ctx *ictx, u64 hwpt_token,
			      const struct iommu_domain *domain, u32 *hwpt_id)
{
	struct iommufd_hwpt *hwpt;

	guard(mutex)(&ictx->lu_lock);
	hwpt = xa_load(&ictx->lu_tokens, hwpt_token);
	if (!hwpt)
		return -ENOENT;
	if (hwpt->domain != domain)
		return -EINVAL;
	*hwpt_id = hwpt->obj.id;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(iommufd_ctx_find_restored, "IOMMUFD");

/**
 * iommufd_hwpt_awaits_device - is a device on its way to an HWPT that is back?
 * @ictx: the context
 * @id: of any object
 *
 * Such a device uses the domain without being known here. It comes once, when
 * its file is retrieved, or never, when the session is finished.
 */
bool iommufd_hwpt_awaits_device(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_hwpt *hwpt = iommufd_hwpt_lookup(ictx, id);
	bool awaits;

	if (IS_ERR(hwpt))
		return false;
	awaits = !hwpt->ioas && iommu_domain_restored_in_use(hwpt->domain);
	iommufd_object_put(ictx, &hwpt->obj);
	return awaits;
}

/**
 * iommufd_liveupdate_init - have live update know iommufds
 *
 * Return: 0, also when this kernel has no live update; or why not.
 */
int iommufd_liveupdate_init(void)
{
	int rc = liveupdate_register_file_handler(&lu_handler);

	if (rc)
		return rc == -EOPNOTSUPP ? 0 : rc;
	rc = iommu_liveupdate_register_flb(&lu_handler);
	if (rc) {
		liveupdate_unregister_file_handler(&lu_handler);
		return rc == -EOPNOTSUPP ? 0 : rc;
	}
	registered = true;
	return 0;
}

/** iommufd_liveupdate_exit - undo iommufd_liveupdate_init() */
void iommufd_liveupdate_exit(void)
{
	if (!registered)
		return;
	iommu_liveupdate_unregister_flb(&lu_handler);
	liveupdate_unregister_file_handler(&lu_handler);
}
