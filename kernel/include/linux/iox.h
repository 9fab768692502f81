/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * iox: what the iommufd core and the IOVA policy registry say to each other.
 *
 * The registry is built in (plain bpftool looks for struct_ops types only in
 * vmlinux), the core is a module. So the core hands the registry the few
 * questions about an IOVA space that a policy may ask, as a table of functions.
 */
#ifndef __LINUX_IOX_H
#define __LINUX_IOX_H

#include <linux/errno.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

struct cgroup;
struct iox_policy;

/** enum iox_prot - what a device may do with the memory behind a mapping */
enum iox_prot {
	IOX_PROT_READ	= 1 << 0,
	IOX_PROT_WRITE	= 1 << 1,
};

/**
 * enum iox_backing - what kind of memory is being mapped
 * @IOX_BACKING_USER: memory of a process
 * @IOX_BACKING_FILE: of a file
 * @IOX_BACKING_DMABUF: of a dma-buf
 * @IOX_BACKING_NONE: none: the IOVAs are reserved, for mappings at fixed places
 */
enum iox_backing {
	IOX_BACKING_USER,
	IOX_BACKING_FILE,
	IOX_BACKING_DMABUF,
	IOX_BACKING_NONE,
};

struct iox_space_ops;

/**
 * enum iox_role - what a policy is to an address space
 * @IOX_DECIDES: its answers are used
 * @IOX_SHADOW_OF: its answers are compared with what was used
 */
enum iox_role {
	IOX_DECIDES,
	IOX_SHADOW_OF,
	IOX_NR_ROLES,
};

/**
 * struct iox_ioas - an address space, as policies know it
 * @space_id: a number never used twice until reboot
 * @ctx_id: the open /dev/iommu file, such a number too
 * @cgroup_id: cgroup v2 id of the task that made it, by which policies are
 *	chosen
 * @ioas_id: object id of the IOAS within its context
 *
 * What is below belongs to the registry.
 * @cgroup: held
 * @item: in the registry's list
 * @watched: one of its policies wants to know what is mapped
 * @left: only for the registry, while policies change
 * @policy: by enum iox_role, or %NULL; changed with the registry's lock held,
 *	read under RCU
 */
struct iox_ioas {
	u64 space_id;
	u64 ctx_id;
	u64 cgroup_id;
	u32 ioas_id;
	struct cgroup *cgroup;
	struct list_head item;
	bool watched;
	struct iox_policy *left[IOX_NR_ROLES];
	struct iox_policy __rcu *policy[IOX_NR_ROLES];
};

/**
 * struct iox_iova_area - what has been mapped or unmapped, as a policy sees it
 * @space_id: the address space
 * @iova: the first byte
 * @length: bytes
 * @prot: enum iox_prot bits
 * @backing: enum iox_backing
 */
struct iox_iova_area {
	u64 space_id;
	u64 iova;
	u64 length;
	u32 prot;
	u32 backing;
};

/**
 * struct iox_iova_req - one request for an IOVA, as a policy sees it
 * @space_id: the address space, a number never used twice until reboot
 * @ctx_id: the open /dev/iommu file, such a number too
 * @cgroup_id: cgroup v2 id of the task that maps
 * @length: bytes wanted, never 0
 * @addr: user address, or offset in the file, of the first byte; of a
 *	reservation, what user space has said instead. An IOVA that
 *	is congruent to it modulo a large page size lets the I/O page table use
 *	large leaves.
 * @align: what the IOAS demands: the IOVA must equal @addr modulo this power
 *	of two (bytes)
 * @hint: where the caller would like it, 0 when it does not care
 * @nr_areas: mapped and reserved areas in this IOAS before this one
 * @ioas_id: object id of the IOAS within its context
 * @prot: enum iox_prot bits
 * @backing: enum iox_backing
 * @answer: enum iox_try_answer: who has chosen, once it is chosen; not for
 *	policies
 * @ops: the questions that the kfuncs may ask; not for policies
 * @policy: who is being asked; not for policies
 *
 * Filled and owned by the core; valid only during the call it is passed to.
 */
struct iox_iova_req {
	u64 space_id;
	u64 ctx_id;
	u64 cgroup_id;
	u64 length;
	u64 addr;
	u64 align;
	u64 hint;
	u64 nr_areas;
	u32 ioas_id;
	u32 prot;
	u32 backing;
	u32 answer;
	const struct iox_space_ops *ops;
	struct iox_policy *policy;
};

/**
 * struct iox_space_ops - questions about the IOVA space that @req is for
 * @first_gap: lowest IOVA >= @min, congruent to req->addr modulo @align (a
 *	power of two, at least req->align), at which req->length bytes up to
 *	and including @max are free and allowed. -ENOSPC if there is none. Where
 *	many holes in a row are long enough but hold no such IOVA, a hole with
 *	room to spare may be taken before a tighter one below it.
 * @last_gap: the highest such IOVA
 * @check: may req->length bytes be placed at @iova? 0; -EINVAL unaligned,
 *	-ERANGE outside the allowed windows or in a reserved range of a device,
 *	-EEXIST overlapping an area or a reservation. Costs nothing for what was found last.
 * @next_gap: the lowest hole of at least req->length bytes between @min and
 *	@max, with its whole extent there, whatever its alignment. -ENOSPC if
 *	there is none.
 * @window: the range number @index that automatic IOVAs may come from,
 *	ascending. -ENOENT if there are no more.
 *
 * All are called with the lock of the IOVA space held by the core, do not
 * sleep and cost O(log areas). None ever answers IOVA 0.
 */
struct iox_space_ops {
	int (*first_gap)(struct iox_iova_req *req, u64 min, u64 max, u64 align,
			 u64 *iova);
	int (*last_gap)(struct iox_iova_req *req, u64 min, u64 max, u64 align,
			u64 *iova);
	int (*check)(struct iox_iova_req *req, u64 iova);
	int (*next_gap)(struct iox_iova_req *req, u64 min, u64 max, u64 *start,
			u64 *last);
	int (*window)(struct iox_iova_req *req, u32 index, u64 *start,
		      u64 *last);
};

#if IS_ENABLED(CONFIG_IOX_POLICY)
void iox_ioas_add(struct iox_ioas *ioas);
void iox_ioas_remove(struct iox_ioas *ioas);
int __iox_iova_select(struct iox_ioas *ioas, struct iox_iova_req *req,
		      u64 *iova);
void __iox_iova_placed(struct iox_ioas *ioas, struct iox_iova_req *req,
		       u64 iova);
void __iox_iova_mapped(struct iox_ioas *ioas, const struct iox_iova_area *area);
void __iox_iova_unmapped(struct iox_ioas *ioas,
			 const struct iox_iova_area *area);

static inline bool iox_has_policy(const struct iox_ioas *ioas,
				  enum iox_role role)
{
	return rcu_access_pointer(ioas->policy[role]);
}

/**
 * iox_iova_select - ask the policy in force where to place a mapping
 * @ioas: the address space
 * @req: the request
 * @iova: set when 0 is returned; verified with req->ops->check()
 *
 * Context: does not sleep. The core holds the lock of the IOVA space, so the
 * answer stays true until it is used.
 * Return: 0; -EAGAIN when the built-in allocator is to choose (no policy, no
 * opinion, or an answer that did not pass the check, which counts as a fault
 * of the policy); else the errno with which the policy refuses the map.
 */
static inline int iox_iova_select(struct iox_ioas *ioas,
				  struct iox_iova_req *req, u64 *iova)
{
	if (!iox_has_policy(ioas, IOX_DECIDES))
		return -EAGAIN;
	return __iox_iova_select(ioas, req, iova);
}

/**
 * iox_iova_placed - ask a shadow what it would have answered
 * @ioas: the address space
 * @req: the request
 * @iova: where the mapping goes, but is not yet
 *
 * Context: as iox_iova_select().
 */
static inline void iox_iova_placed(struct iox_ioas *ioas,
				   struct iox_iova_req *req, u64 iova)
{
	if (iox_has_policy(ioas, IOX_SHADOW_OF))
		__iox_iova_placed(ioas, req, iova);
}

/* Does anybody want to know what is mapped? */
static inline bool iox_is_watched(const struct iox_ioas *ioas)
{
	return READ_ONCE(ioas->watched);
}

/**
 * iox_iova_mapped - tell policies about a mapping
 * @ioas: the address space
 * @area: what; nobody else sees it yet
 *
 * Context: does not sleep.
 */
static inline void iox_iova_mapped(struct iox_ioas *ioas,
				   const struct iox_iova_area *area)
{
	if (iox_is_watched(ioas))
		__iox_iova_mapped(ioas, area);
}

/**
 * iox_iova_unmapped - tell policies about the end of a mapping
 * @ioas: the address space
 * @area: what; its IOVAs are not free for others yet
 *
 * Context: does not sleep.
 */
static inline void iox_iova_unmapped(struct iox_ioas *ioas,
				     const struct iox_iova_area *area)
{
	if (iox_is_watched(ioas))
		__iox_iova_unmapped(ioas, area);
}
#else
static inline void iox_ioas_add(struct iox_ioas *ioas)
{
}

static inline void iox_ioas_remove(struct iox_ioas *ioas)
{
}

static inline int iox_iova_select(struct iox_ioas *ioas,
				  struct iox_iova_req *req, u64 *iova)
{
	return -EAGAIN;
}

static inline void iox_iova_placed(struct iox_ioas *ioas,
				   struct iox_iova_req *req, u64 iova)
{
}

static inline bool iox_is_watched(const struct iox_ioas *ioas)
{
	return false;
}

static inline void iox_iova_mapped(struct iox_ioas *ioas,
				   const struct iox_iova_area *area)
{
}

static inline void iox_iova_unmapped(struct iox_ioas *ioas,
				     const struct iox_iova_area *area)
{
}
#endif

#endif
