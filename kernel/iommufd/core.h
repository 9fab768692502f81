/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iommufd: objects of a context and what its files tell each other.
 *
 * Lock order, outermost first:
 *
 *	group->lock		one iommu_group's attachments, vDEVICEs of its devices
 *	viommu->veventqs_rwsem	which event queues a vIOMMU has
 *	fault->lock		faults between the device and user space
 *	access->lock		which IOAS an access is attached to
 *	ioas->attach_lock	which HWPTs an IOAS made by itself
 *	ictx->lu_lock		what a live update is to preserve
 *	ioas->access_lock	who is told about unmaps
 *	ioas->domains_rwsem	which domains an IOAS fills
 *	pages->lock		what is pinned of one piece of memory
 *	dma-buf reservation	what is mapped of another driver's memory
 *	space->lock		which IOVAs are taken, and by what
 *	ctxs_lock		which contexts there are (contexts.c)
 *
 * mmap_lock is taken under pages->lock, never the other way round. The lock of a
 * live update session is outside of all of these.
 */
#ifndef IOMMUFD_CORE_H
#define IOMMUFD_CORE_H

#include <linux/iommu.h>
#include <linux/iommufd.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "op.h"
#include "pages.h"
#include "space.h"

/**
 * struct iommufd_ctx - one open /dev/iommu
 * @file: the open file; what holds the context holds this file
 * @objects: id to object; its lock also orders look-up against destroy
 * @groups: iommu_group id to struct iommufd_group, protected by @groups_lock
 * @groups_lock: held also while a group is let go
 * @destroy_wait: destroyers wait here for calls in flight
 * @mmaps: struct iommufd_mmap by offset in the file, in bytes
 * @id: never used twice until reboot; what policies know the context by
 * @item: in the list of all contexts
 * @pid: process that opened the file
 * @comm: its name then
 * @vfio_ioas: the IOAS of vfio compatibility, protected by @objects' lock
 * @no_iommu: vfio uses it for devices without an IOMMU, and for nothing else;
 *	protected by @objects' lock
 * @account: who pays for memory that is mapped from now on
 * @lu_lock: protects what follows, and the marks of HWPTs
 * @lu_tokens: struct iommufd_hwpt by the token that it is marked with
 * @lu_preserved: a live update session preserves the file
 */
struct iommufd_ctx {
	struct file *file;
	struct xarray objects;
	struct xarray groups;
	struct mutex groups_lock;
	wait_queue_head_t destroy_wait;
	struct maple_tree mmaps;
	u64 id;
	struct list_head item;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	struct iommufd_ioas *vfio_ioas;
	bool no_iommu;
	enum iommufd_account account;
	struct mutex lu_lock;
	struct xarray lu_tokens;
	bool lu_preserved;
};

/**
 * struct iommufd_ucmd - an ioctl on its way
 * @cmd: the kernel's copy, zero-extended
 * @uarg: the structure in user space
 * @usize: its size, as the caller says
 * @ictx: the context
 * @op: what is to be told of it, or %NULL
 */
struct iommufd_ucmd {
	void *cmd;
	void __user *uarg;
	u32 usize;
	struct iommufd_ctx *ictx;
	struct iommufd_op *op;
};

/**
 * iommufd_ucmd_respond - copy the answer back as far as the caller has room
 * @ucmd: the call
 * @len: size of the kernel's structure
 */
static inline int iommufd_ucmd_respond(struct iommufd_ucmd *ucmd, size_t len)
{
	len = min_t(size_t, len, ucmd->usize);
	return copy_to_user(ucmd->uarg, ucmd->cmd, len) ? -EFAULT : 0;
}

/* main.c */
struct device *iommufd_misc_device(void);
bool iommufd_file_is_ours(struct file *file);
struct file *iommufd_file_new(void);

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
bool iommufd_object_hide(struct iommufd_ctx *ictx, struct iommufd_object *obj);
void iommufd_object_reap_tombstone(struct iommufd_ctx *ictx,
				   struct iommufd_object *obj);
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
 * @iox: what policies know of it
 * @domains_rwsem: held for reading by map and unmap while they fill or empty
 *	domains, for writing to change @hwpts
 * @hwpts: the HWPTs that hold this address space, protected by @domains_rwsem
 * @attach_lock: held while an HWPT made for a device is looked for, made or
 *	given up
 * @accesses: who is told about unmaps, protected by @access_lock
 * @access_lock: held also while they are told, so that none goes away then
 * @small_pages: map page by page, whatever the memory allows; changed with
 *	@access_lock and @domains_rwsem held for writing
 * @frozen: preserved HWPTs, whose mappings must stay as they are; changed with
 *	@domains_rwsem held for writing
 */
struct iommufd_ioas {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct iova_space space;
	struct iox_ioas iox;
	struct rw_semaphore domains_rwsem;
	struct list_head hwpts;
	struct mutex attach_lock;
	struct list_head accesses;
	struct mutex access_lock;
	bool small_pages;
	unsigned int frozen;
};

/* ioas.c: ioctl handlers */
int iommufd_ioas_alloc_ioctl(struct iommufd_ucmd *ucmd);
int iommufd_ioas_iova_ranges(struct iommufd_ucmd *ucmd);
int iommufd_ioas_allow_iovas(struct iommufd_ucmd *ucmd);
int iommufd_ioas_map(struct iommufd_ucmd *ucmd);
int iommufd_ioas_map_user(struct iommufd_ioas *ioas, u32 flags, u64 uptr,
			  u64 length, u64 iova, struct iommufd_op *op);
int iommufd_ioas_map_file(struct iommufd_ucmd *ucmd);
int iommufd_ioas_copy(struct iommufd_ucmd *ucmd);
int iommufd_ioas_unmap(struct iommufd_ucmd *ucmd);
int iommufd_copy_windows(u64 uptr, u32 *num, const struct iova_window *windows,
			 unsigned int nr);
struct iommufd_ioas *iommufd_ioas_new(struct iommufd_ctx *ictx);
void iommufd_ioas_abort(struct iommufd_ioas *ioas);
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
 * struct iommufd_hwpt - a domain
 * @obj: its id; IOMMUFD_OBJ_HWPT_PAGING or IOMMUFD_OBJ_HWPT_NESTED
 * @ictx: where it lives
 * @ioas: what a paging domain holds, or what the parent of a nested one does;
 *	%NULL when it came through a live update
 * @domain: the IOMMU's
 * @fault: who is told about page faults, a use is held; %NULL for nobody
 * @parent: what a nested domain's addresses go through; %NULL when paging, or
 *	when @viommu knows
 * @viommu: what a nested domain belongs to, or %NULL
 * @item: in ioas->hwpts when paging
 * @automatic: made by attaching a device to the IOAS; goes with its last device
 * @coherent: DMA cannot bypass the caches, whatever the device asks for
 * @nest_parent: nested domains may sit on this one
 * @pasid_compat: may be attached to a PASID, or beside one
 * @lu_token: what a live update preserves it under, if @lu_marked
 * @lu_marked: protected by ictx->lu_lock
 * @lu_preserved: a use is held; changed with ictx->lu_lock held
 * @restored: struct iommufd_area of what a domain without an IOAS maps, linked
 *	by unmap_item; never changes as long as the HWPT can be found
 */
struct iommufd_hwpt {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct iommufd_ioas *ioas;
	struct iommu_domain *domain;
	struct iommufd_fault *fault;
	struct iommufd_hwpt *parent;
	struct iommufd_viommu *viommu;
	struct list_head item;
	bool automatic : 1;
	bool coherent : 1;
	bool nest_parent : 1;
	bool pasid_compat : 1;
	bool lu_marked;
	bool lu_preserved;
	u64 lu_token;
	struct list_head restored;
};

/**
 * struct iommufd_hwpt_paging - the name of a paging HWPT in public headers
 * @hwpt: all there is to it
 */
struct iommufd_hwpt_paging {
	struct iommufd_hwpt hwpt;
};

static inline struct iommufd_hwpt *
iommufd_hwpt_lookup(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj =
		iommufd_object_lookup(ictx, id, IOMMUFD_OBJ_HWPT_PAGING);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct iommufd_hwpt, obj);
}

/* hwpt.c */
struct iommufd_hwpt *iommufd_hwpt_new_automatic(struct iommufd_ioas *ioas,
						struct device *dev);
bool iommufd_hwpt_enforce_coherency(struct iommufd_hwpt *hwpt);
void iommufd_hwpt_put(struct iommufd_hwpt *hwpt);
void iommufd_hwpt_destroy(struct iommufd_object *obj);
void iommufd_hwpt_nested_destroy(struct iommufd_object *obj);
int iommufd_hwpt_alloc(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_invalidate(struct iommufd_ucmd *ucmd);

/* dirty.c */
int iommufd_hwpt_set_dirty_tracking(struct iommufd_ucmd *ucmd);
int iommufd_hwpt_get_dirty_bitmap(struct iommufd_ucmd *ucmd);

/* map.c: filling and emptying domains */
int iommufd_map_area(struct iommufd_ioas *ioas, struct iommufd_area *area,
		     const struct iox_iova_req *what, bool fixed, u64 *iova,
		     struct iommufd_op *op);
int iommufd_unmap_range(struct iommufd_ioas *ioas, unsigned long iova,
			unsigned long last, unsigned long *unmapped,
			struct iommufd_op *op);
int iommufd_claim(struct iommufd_ioas *ioas, struct iova_request *request,
		  bool fixed, u64 *iova, u64 *ns);
unsigned long iommufd_unclaim(struct iommufd_ioas *ioas, unsigned long iova,
			      unsigned long last);
int iommufd_ioas_add_hwpt(struct iommufd_ioas *ioas, struct iommufd_hwpt *hwpt);
void iommufd_ioas_remove_hwpt(struct iommufd_ioas *ioas,
			      struct iommufd_hwpt *hwpt);
unsigned long iommufd_domain_align(const struct iommu_domain *domain);
unsigned int iommufd_domain_ranges(const struct iommu_domain *domain,
				   struct iova_window *ranges);
int iommufd_ioas_update_align(struct iommufd_ioas *ioas);
int iommufd_ioas_set_small_pages(struct iommufd_ioas *ioas, bool small);

/* As those outside know it: enum iox_prot bits */
static inline u32 iommufd_area_prot(const struct iommufd_area *area)
{
	return (area->prot & IOMMU_READ ? IOX_PROT_READ : 0) |
	       (area->prot & IOMMU_WRITE ? IOX_PROT_WRITE : 0);
}

struct iommufd_area *iommufd_ioas_next_area(struct iommufd_ioas *ioas,
					    struct iommufd_area *area);
void iommufd_empty_restored(struct iommufd_hwpt *hwpt);

/* reserve.c */
int iommufd_ioas_reserve(struct iommufd_ucmd *ucmd);
int iommufd_ioas_try_map(struct iommufd_ucmd *ucmd);

/* option.c */
int iommufd_option(struct iommufd_ucmd *ucmd);
int iommufd_ioas_change_process(struct iommufd_ucmd *ucmd);

/**
 * struct iommufd_group - an iommu_group with devices bound to this context
 * @users: devices bound, protected by ictx->groups_lock
 * @ictx: the context
 * @group: the IOMMU's, a reference is held; %NULL for a single device that
 *	has no IOMMU
 * @lock: protects what follows, and vdev of each device
 * @attachments: PASID to struct iommufd_attachment, which attach.c knows;
 *	IOMMU_NO_PASID for requests without one
 */
struct iommufd_group {
	unsigned int users;
	struct iommufd_ctx *ictx;
	struct iommu_group *group;
	struct mutex lock;
	struct xarray attachments;
};

/**
 * struct iommufd_device - a device bound to a context
 * @obj: its id
 * @ictx: the context, held
 * @group: its group, held
 * @dev: the device, whose driver has bound it
 * @vdev: what a virtual machine knows it by, or %NULL; has looked up @obj for
 *	as long as it lives. Protected by group->lock
 * @leaving: no vDEVICE may be made any more, protected by group->lock
 * @lu_preserved: its attachment must stay as it is; changed with group->lock
 *	held
 */
struct iommufd_device {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	struct iommufd_group *group;
	struct device *dev;
	struct iommufd_vdevice *vdev;
	bool leaving;
	bool lu_preserved;
};

/* Does an IOMMU translate for the device? */
static inline bool iommufd_device_has_iommu(const struct iommufd_device *idev)
{
	return idev->group->group;
}

/**
 * struct iommufd_attach_handle - what the IOMMU core knows an attachment by
 * @handle: the core's part
 * @idev: who faults
 * @fault: who hears of it; %NULL when the domain takes no faults
 */
struct iommufd_attach_handle {
	struct iommu_attach_handle handle;
	struct iommufd_device *idev;
	struct iommufd_fault *fault;
};

/* attach.c */
struct iova_window *iommufd_device_ranges(struct iommufd_device *idev,
					  unsigned int *nr, unsigned int more);
struct iommufd_hwpt *iommufd_device_hwpt(struct iommufd_device *idev);
bool iommufd_device_uses_pasids(struct iommufd_device *idev);

/* device.c */
void iommufd_device_destroy(struct iommufd_object *obj);
int iommufd_get_hw_info(struct iommufd_ucmd *ucmd);

static inline struct iommufd_device *
iommufd_device_lookup(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj =
		iommufd_object_lookup(ictx, id, IOMMUFD_OBJ_DEVICE);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct iommufd_device, obj);
}

/* access.c */
void iommufd_access_destroy_object(struct iommufd_object *obj);
void iommufd_access_notify_unmap(struct iommufd_ioas *ioas, unsigned long iova,
				 unsigned long length);
bool iommufd_ioas_has_pinning_access(struct iommufd_ioas *ioas);
struct iommufd_access *iommufd_access_create_internal(struct iommufd_ctx *ictx,
						      u32 ioas_id);
void iommufd_access_destroy_internal(struct iommufd_access *access);

/**
 * struct iommufd_eventq - events on their way to a file
 * @obj: its id
 * @ictx: where it lives; the file holds it, and a use of @obj
 * @lock: protects @deliver
 * @deliver: what the next read takes, oldest first
 * @wait: readers that poll
 */
struct iommufd_eventq {
	struct iommufd_object obj;
	struct iommufd_ctx *ictx;
	spinlock_t lock;
	struct list_head deliver;
	wait_queue_head_t wait;
};

/**
 * struct iommufd_fault - a queue of page faults that user space answers
 * @common: struct iopf_group to be read
 * @lock: held while groups go from one list to the next
 * @response: cookie to struct iopf_group that waits for its answer, protected
 *	by @lock
 */
struct iommufd_fault {
	struct iommufd_eventq common;
	struct mutex lock;
	struct xarray response;
};

/**
 * struct iommufd_vevent - an event of a virtual IOMMU
 * @node: in common.deliver
 * @header: what user space reads first
 * @data_len: bytes of @data; 0 for the mark of lost events
 * @data: as the driver reported it
 */
struct iommufd_vevent {
	struct list_head node;
	struct iommufd_vevent_header header;
	u32 data_len;
	u8 data[] __counted_by(data_len);
};

/**
 * struct iommufd_veventq - a queue of events of a virtual IOMMU
 * @common: struct iommufd_vevent to be read
 * @viommu: whose; a use is held
 * @node: in viommu->veventqs
 * @type: of its events, one queue for each
 * @depth: how many events there may be
 * @nr_events: how many there are, protected by common.lock
 * @sequence: of the next event, protected by common.lock
 * @lost: says that the newest events found no room; in common.deliver as long
 *	as no later event shows it by its sequence
 */
struct iommufd_veventq {
	struct iommufd_eventq common;
	struct iommufd_viommu *viommu;
	struct list_head node;
	enum iommu_veventq_type type;
	u32 depth;
	u32 nr_events;
	u32 sequence;
	struct iommufd_vevent lost;
};

/* eventq.c */
void iommufd_eventq_init(struct iommufd_eventq *eventq,
			 struct iommufd_ctx *ictx);
__poll_t iommufd_eventq_poll(struct file *filep, struct poll_table_struct *wait);
int iommufd_eventq_release(struct inode *inode, struct file *filep);
int iommufd_eventq_publish(struct iommufd_ucmd *ucmd, size_t cmd_len,
			   struct iommufd_eventq *eventq, const char *name,
			   const struct file_operations *fops, u32 *out_fd);

/* fault.c */
int iommufd_fault_alloc(struct iommufd_ucmd *ucmd);
void iommufd_fault_destroy(struct iommufd_object *obj);
int iommufd_fault_handle(struct iopf_group *group);
void iommufd_fault_drop(struct iommufd_fault *fault,
			const struct iommufd_attach_handle *handle);

/* veventq.c */
int iommufd_veventq_alloc(struct iommufd_ucmd *ucmd);
void iommufd_veventq_destroy(struct iommufd_object *obj);

/**
 * struct iommufd_mmap - a region of a device that user space may map
 * @owner: the object that it goes with
 * @offset: in the file, bytes
 * @phys: where it is
 * @length: bytes
 */
struct iommufd_mmap {
	struct iommufd_object *owner;
	unsigned long offset;
	phys_addr_t phys;
	size_t length;
};

/* viommu.c */
int iommufd_viommu_alloc(struct iommufd_ucmd *ucmd);
void iommufd_viommu_destroy(struct iommufd_object *obj);
int iommufd_vdevice_alloc(struct iommufd_ucmd *ucmd);
void iommufd_vdevice_destroy(struct iommufd_object *obj);
void iommufd_vdevice_bury(struct iommufd_device *idev);
int iommufd_hw_queue_alloc(struct iommufd_ucmd *ucmd);
void iommufd_hw_queue_destroy(struct iommufd_object *obj);
int iommufd_mmap(struct file *filp, struct vm_area_struct *vma);

static inline struct iommufd_viommu *
iommufd_viommu_lookup(struct iommufd_ctx *ictx, u32 id)
{
	struct iommufd_object *obj =
		iommufd_object_lookup(ictx, id, IOMMUFD_OBJ_VIOMMU);

	if (IS_ERR(obj))
		return ERR_CAST(obj);
	return container_of(obj, struct iommufd_viommu, obj);
}

/* noiommu.c */
#ifdef CONFIG_IOMMUFD_NOIOMMU
bool iommufd_dev_is_noiommu(const struct device *dev);
bool iommufd_domain_is_noiommu(const struct iommu_domain *domain);
struct iommu_domain *iommufd_noiommu_domain_alloc(void);
int iommufd_ioas_noiommu_get_pa(struct iommufd_ucmd *ucmd);
#else
static inline bool iommufd_dev_is_noiommu(const struct device *dev)
{
	return false;
}

static inline bool iommufd_domain_is_noiommu(const struct iommu_domain *domain)
{
	return false;
}

static inline struct iommu_domain *iommufd_noiommu_domain_alloc(void)
{
	return ERR_PTR(-EOPNOTSUPP);
}
#endif

/* promise.c */
int iommufd_ioas_require(struct iommufd_ucmd *ucmd);
int iommufd_ioas_test_attach(struct iommufd_ucmd *ucmd);

/* split.c */
int iommufd_ioas_split(struct iommufd_ioas *ioas, unsigned long iova);

/* liveupdate.c */
#ifdef CONFIG_LIVEUPDATE
int iommufd_hwpt_lu_mark(struct iommufd_ucmd *ucmd);
void iommufd_hwpt_lu_unmark(struct iommufd_hwpt *hwpt);
bool iommufd_hwpt_awaits_device(struct iommufd_ctx *ictx, u32 id);
int iommufd_liveupdate_init(void);
void iommufd_liveupdate_exit(void);

/* lu_check.c */
int iommufd_lu_check(struct iommufd_ucmd *ucmd);
#else
static inline int iommufd_hwpt_lu_mark(struct iommufd_ucmd *ucmd)
{
	return -EOPNOTSUPP;
}

static inline int iommufd_lu_check(struct iommufd_ucmd *ucmd)
{
	return -EOPNOTSUPP;
}

static inline void iommufd_hwpt_lu_unmark(struct iommufd_hwpt *hwpt)
{
}

static inline bool iommufd_hwpt_awaits_device(struct iommufd_ctx *ictx, u32 id)
{
	return false;
}

static inline int iommufd_liveupdate_init(void)
{
	return 0;
}

static inline void iommufd_liveupdate_exit(void)
{
}
#endif

/* contexts.c */
void iommufd_ctx_list(struct iommufd_ctx *ictx);
void iommufd_ctx_unlist(struct iommufd_ctx *ictx);
#ifdef CONFIG_IOX_STATS
struct iox_stats_pos;
struct iommufd_hwpt *iommufd_next_hwpt(struct iox_stats_pos *pos);
void iommufd_next_hwpt_put(struct iommufd_hwpt *hwpt);

/* pt_stats.c */
int iommufd_hwpt_pt_stats(struct iommufd_ucmd *ucmd);
void iommufd_stats_init(void);
void iommufd_stats_exit(void);
#else
static inline int iommufd_hwpt_pt_stats(struct iommufd_ucmd *ucmd)
{
	return -EOPNOTSUPP;
}

static inline void iommufd_stats_init(void)
{
}

static inline void iommufd_stats_exit(void)
{
}
#endif

/* vfio_compat.c */
int iommufd_vfio_ioas(struct iommufd_ucmd *ucmd);
int iommufd_vfio_ioctl(struct iommufd_ctx *ictx, unsigned int cmd,
		       unsigned long arg);

#endif
