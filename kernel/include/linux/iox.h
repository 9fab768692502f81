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
#include <linux/types.h>

/** enum iox_prot - what a device may do with the memory behind a mapping */
enum iox_prot {
	IOX_PROT_READ	= 1 << 0,
	IOX_PROT_WRITE	= 1 << 1,
};

/** enum iox_backing - what kind of memory is being mapped */
enum iox_backing {
	IOX_BACKING_USER,
	IOX_BACKING_FILE,
	IOX_BACKING_DMABUF,
};

struct iox_space_ops;

/**
 * struct iox_iova_req - one request for an IOVA, as a policy sees it
 * @ctx_id: the open /dev/iommu file, a number never used twice until reboot
 * @cgroup_id: cgroup v2 id of the task that maps
 * @length: bytes wanted, never 0
 * @addr: user address, or offset in the file, of the first byte. An IOVA that
 *	is congruent to it modulo a large page size lets the I/O page table use
 *	large leaves.
 * @align: what the IOAS demands: the IOVA must equal @addr modulo this power
 *	of two (bytes)
 * @hint: where the caller would like it, 0 when it does not care
 * @nr_areas: mapped areas in this IOAS before this one
 * @ioas_id: object id of the IOAS within its context
 * @prot: enum iox_prot bits
 * @backing: enum iox_backing
 * @ops: the questions that the kfuncs may ask; not for policies
 *
 * Filled and owned by the core; valid only during the call it is passed to.
 */
struct iox_iova_req {
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
	const struct iox_space_ops *ops;
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
 *	-ERANGE outside the allowed windows or in a reserved range, -EEXIST
 *	overlapping an area. Costs nothing for what was found last.
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
};

#if IS_ENABLED(CONFIG_IOX_POLICY)
/**
 * iox_iova_select - ask the policy in force where to place a mapping
 * @req: the request
 * @iova: set when 0 is returned; verified with req->ops->check()
 *
 * Context: does not sleep. The core holds the lock of the IOVA space, so the
 * answer stays true until it is used.
 * Return: 0; -EAGAIN when the built-in allocator is to choose (no policy, no
 * opinion, or an answer that did not pass the check, which counts as a fault
 * of the policy); else the errno with which the policy refuses the map.
 */
int iox_iova_select(struct iox_iova_req *req, u64 *iova);
#else
static inline int iox_iova_select(struct iox_iova_req *req, u64 *iova)
{
	return -EAGAIN;
}
#endif

#endif
