// SPDX-License-Identifier: GPL-2.0-only
/*
 * All contexts of the machine, for those who look at them from outside.
 */
#include <linux/iox_stats.h>

#include "core.h"

/* Protects the list, and what is in it from being freed. */
static DEFINE_MUTEX(ctxs_lock);

/* struct iommufd_ctx, with ids that ascend */
static LIST_HEAD(ctxs);
static u64 last_ctx_id;

/**
 * iommufd_ctx_list - show a new context to those who look at all
 * @ictx: gets its id
 */
void iommufd_ctx_list(struct iommufd_ctx *ictx)
{
	guard(mutex)(&ctxs_lock);
	ictx->id = ++last_ctx_id;
	list_add_tail(&ictx->item, &ctxs);
}

/**
 * iommufd_ctx_unlist - undo iommufd_ctx_list()
 * @ictx: has no object any more
 */
void iommufd_ctx_unlist(struct iommufd_ctx *ictx)
{
	guard(mutex)(&ctxs_lock);
	list_del(&ictx->item);
}

#ifdef CONFIG_IOX_STATS
static struct iommufd_hwpt *hwpt_from(struct iommufd_ctx *ictx, u64 id)
{
	struct iommufd_object *obj;
	unsigned long index = id;

	xa_lock(&ictx->objects);
	for (obj = xa_find(&ictx->objects, &index, U32_MAX, XA_PRESENT); obj;
	     obj = xa_find_after(&ictx->objects, &index, U32_MAX, XA_PRESENT))
		if (obj->type == IOMMUFD_OBJ_HWPT_PAGING &&
		    refcount_inc_not_zero(&obj->wait_cnt))
			break;
	xa_unlock(&ictx->objects);
	return obj ? container_of(obj, struct iommufd_hwpt, obj) : NULL;
}

/**
 * iommufd_next_hwpt - find the next paging HWPT of any context
 * @pos: where to look from; moved behind it
 *
 * Return: the HWPT, which is to be let go with iommufd_next_hwpt_put(), soon:
 * who destroys it waits; or %NULL.
 */
struct iommufd_hwpt *iommufd_next_hwpt(struct iox_stats_pos *pos)
{
	struct iommufd_hwpt *hwpt;
	struct iommufd_ctx *ictx;

	guard(mutex)(&ctxs_lock);
	list_for_each_entry(ictx, &ctxs, item) {
		if (ictx->id < pos->ctx_id)
			continue;
		hwpt = hwpt_from(ictx,
				 ictx->id == pos->ctx_id ? pos->hwpt_id : 0);
		if (hwpt) {
			pos->ctx_id = ictx->id;
			pos->hwpt_id = hwpt->obj.id + 1ULL;
			return hwpt;
		}
	}
	return NULL;
}

/**
 * iommufd_next_hwpt_put - end what iommufd_next_hwpt() began
 * @hwpt: the HWPT
 *
 * The caller does not hold the context. Who frees it, waits for the HWPT, and
 * takes the lock after that.
 */
void iommufd_next_hwpt_put(struct iommufd_hwpt *hwpt)
{
	guard(mutex)(&ctxs_lock);
	iommufd_object_put(hwpt->ictx, &hwpt->obj);
}
#endif
