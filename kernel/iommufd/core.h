/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iommufd: objects of a context and what its files tell each other.
 *
 * Lock order, outermost first:
 *
 *	group->lock		one iommu_group's attachment
 *	access->lock		which IOAS an access is attached to
 *	ioas->attach_lock	which HWPTs an IOAS made by itself
 *	ioas->access_lock	who is told about unmaps
 *	ioas->domains_rwsem	which domains an IOAS fills
 *	pages->lock		what is pinned of one piece of memory
 *	space->lock		which IOVAs are taken, and by what
 *
 * mmap_lock is taken under pages->lock, never the other way round.
 */
#ifndef IOMMUFD_CORE_H
#define IOMMUFD_CORE_H

#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "pages.h"
#include "space.h"

/**
 * struct iommufd_ctx - one open /dev/iommu
 * @file: the open file; what holds the context holds this file
 * @objects: id to object; its lock also orders look-up against destroy
 * @groups: iommu_group id to struct iommufd_group, protected by @groups_lock
 * @groups_lock: held also while a group is let go
 * @destroy_wait: destroyers wait here for calls in flight
 * @id: never used twice until reboot; what policies know the context by
 * @vfio_ioas: the IOAS of vfio compatibility, protected by @objects' lock
 * @no_iommu: vfio uses it for devices without an IOMMU, and for nothing else;
 *	protected by @objects' lock
 * @account: who pays for memory that is mapped from now on
 */
struct iommufd_ctx {
	struct file *file;
	struct xarray objects;
	struct xarray groups;
	struct mutex groups_lock;
	wait_queue_head_t destroy_wait;
	u64 id;
	struct iommufd_ioas *vfio_ioas;
	bool no_iommu;
	enum iommufd_account account;
};

/**
 * struct iommufd_ucmd - an ioctl on its way
 * @ictx: the context
 * @ubuffer: the structure in user space
 * @user_size: its size, as the caller says
 * @cmd: the kernel's copy, zero-extended
 */
struct iommufd_ucmd {
	struct iommufd_ctx *ictx;
	void __user *ubuffer;
	u32 user_size;
	void *cmd;
};

/**
 * iommufd_ucmd_respond - copy the answer back as far as the caller has room
 * @ucmd: the call
 * @len: size of the kernel's structure
 */
static inline int iommufd_ucmd_respond(struct iommufd_ucmd *ucmd, size_t len)
{
	len = min_t(size_t, len, ucmd->user_size);
	return copy_to_user(ucmd->ubuffer, ucmd->cmd, len) ? -EFAULT : 0;
}

/*
 * Objects (object.c).
 *
 * obj->users is 1 for being alive plus one for each lasting use; only an
 * object at 1 can be destroyed. obj->wait_cnt is 1 plus the calls in flight
 * that looked the object up; destroy waits for those, it does not fail.
 */
struct iommufd_object *iommufd_object_new(struct iommufd_ctx *ictx, size_t size,
					  enum iommufd_object_type type);
void iommufd_object_publish(struct iommufd_ctx *ictx,
			    struct iommufd_object *obj);
void iommufd_object_publish_locked(struct iommufd_ctx *ictx,
				   struct iommufd_object *obj);
void iommufd_object_abort(struct iommufd_ctx *ictx, struct iommufd_object *obj);
struct iommufd_object *iommufd_object_lookup(struct iommufd_ctx *ictx, u32 id,
					     enum iommufd_object_type type);
void iommufd_object_put(struct iommufd_ctx *ictx, struct iommufd_object *obj);
int iommufd_object_destroy(struct iommufd_ctx *ictx, u32 id);
void iommufd_object_destroy_owned(struct iommufd_ctx *ictx,
				  struct iommufd_object *obj);
void iommufd_object_destroy_all(struct iommufd_ctx *ictx);

/* Take a lasting reference on an object that a call in flight holds. */
static inline bool iommufd_object_use(struct iommufd_object *obj)
{
	return refcount_inc_not_zero(&obj->users);
}

static inline void iommufd_object_unuse(struct iommufd_object *obj)
{
	refcount_dec(&obj->users);
}

#define iommufd_new(ictx, ptr, member, type)                                  \
	container_of(iommufd_object_new(ictx,                                 \
					sizeof(*(ptr)) +                      \
						BUILD_BUG_ON_ZERO(offsetof(   \
							typeof(*(ptr)),       \
							member)),             \
					type),                                \
		     typeof(*(ptr)), member)

/**
 * struct iommufd_ioas - an I/O address space
 * @obj: its id
 * @ictx: where it lives
 * @space: which IOVAs are taken
 * @domains_rwsem: held for reading by map and unmap while they fill or empty
 *	domains, for writing to change @hwpts
 * @hwpts: the HWPTs that hold this address space, protected by @domains_rwsem
 * @attach_lock: held while an HWPT made for a device is looked for, made or
 *	given up
 * @accesses: who is told about unmaps, protected by @access_lock
 * @access_lock: held also while they are told, so that none goes away then
 * @small_pages: map page by page, whatever the memory allows; changed with
 *	@access_lock and @domains_rwsem held for writing
 */
struct iommufd_ioas {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct iova_space space;
	struct rw_semaphore domains_rwsem;
	struct list_head hwpts;
	struct mutex attach_lock;
	struct list_head accesses;
	struct mutex access_lock;
	bool small_pages;
};

/* ioas.c: ioctl handlers */
int iommufd_ioas_alloc_ioctl(struct iommufd_ucmd *ucmd);
int iommufd_ioas_iova_ranges(struct iommufd_ucmd *ucmd);
int iommufd_ioas_allow_iovas(struct iommufd_ucmd *ucmd);
int iommufd_ioas_map(struct iommufd_ucmd *ucmd);
int iommufd_ioas_map_user(struct iommufd_ioas *ioas, u32 flags, u64 uptr,
			  u64 length, u64 iova);
int iommufd_ioas_map_file(struct iommufd_ucmd *ucmd);
int iommufd_ioas_copy(struct iommufd_ucmd *ucmd);
int iommufd_ioas_unmap(struct iommufd_ucmd *ucmd);
struct iommufd_ioas *iommufd_ioas_new(struct iommufd_ctx *ictx);
void iommufd_ioas_destroy(struct iommufd_object *obj);

static inline struct iommufd_ioas *iommufd_ioas_lookup(struct iommufd_ctx *ictx,
						       u32 id)
{
	struct iommufd_object *obj =
		iommufd_object_lookup(ictx, id, IOMMUFD_OBJ_IOAS);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct iommufd_ioas, obj);
}

/**
 * struct iommufd_hwpt - a paging domain that holds an IOAS
 * @obj: its id
 * @ioas: what it holds
 * @domain: the IOMMU's
 * @item: in ioas->hwpts
 * @automatic: made by attaching a device to the IOAS; goes with its last device
 * @coherent: DMA cannot bypass the caches, whatever the device asks for
 */
struct iommufd_hwpt {
	struct iommufd_object obj;
	struct iommufd_ioas *ioas;
	struct iommu_domain *domain;
	struct list_head item;
	bool automatic : 1;
	bool coherent : 1;
};

/* hwpt.c */
struct iommufd_hwpt *iommufd_hwpt_new_automatic(struct iommufd_ioas *ioas,
						struct device *dev);
void iommufd_hwpt_put(struct iommufd_hwpt *hwpt);
void iommufd_hwpt_destroy(struct iommufd_object *obj);

/* map.c: filling and emptying domains */
int iommufd_map_area(struct iommufd_ioas *ioas, struct iommufd_area *area,
		     const struct iox_iova_req *what, bool fixed, u64 *iova);
int iommufd_unmap_range(struct iommufd_ioas *ioas, unsigned long iova,
			unsigned long last, unsigned long *unmapped);
int iommufd_ioas_add_hwpt(struct iommufd_ioas *ioas, struct iommufd_hwpt *hwpt);
void iommufd_ioas_remove_hwpt(struct iommufd_ioas *ioas,
			      struct iommufd_hwpt *hwpt);
int iommufd_ioas_update_align(struct iommufd_ioas *ioas);
int iommufd_ioas_set_small_pages(struct iommufd_ioas *ioas, bool small);

/* option.c */
int iommufd_option(struct iommufd_ucmd *ucmd);
int iommufd_ioas_change_process(struct iommufd_ucmd *ucmd);

/* device.c */
void iommufd_device_destroy(struct iommufd_object *obj);

/* access.c */
void iommufd_access_destroy_object(struct iommufd_object *obj);
void iommufd_access_notify_unmap(struct iommufd_ioas *ioas, unsigned long iova,
				 unsigned long length);
bool iommufd_ioas_has_pinning_access(struct iommufd_ioas *ioas);

/* split.c */
int iommufd_ioas_split(struct iommufd_ioas *ioas, unsigned long iova);

/* vfio_compat.c */
int iommufd_vfio_ioas(struct iommufd_ucmd *ucmd);
int iommufd_vfio_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
		       unsigned long arg);

#endif
