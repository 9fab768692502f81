/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IOVA space of an IOAS: which addresses are taken, which may be.
 */
#ifndef IOMMUFD_SPACE_H
#define IOMMUFD_SPACE_H

#include <linux/iox.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>

#include "op.h"

struct iommufd_pages;

/**
 * enum iommufd_area_state - what an area in the tree stands for
 * @AREA_BUSY: a map or unmap of it is in flight; taken, but for everybody
 *	else not there
 * @AREA_LIVE: mapped
 */
enum iommufd_area_state {
	AREA_BUSY,
	AREA_LIVE,
};

/**
 * struct iommufd_area - one mapping
 * @iova: first address
 * @last: last address (closed: an area may end at ULONG_MAX)
 * @start: offset of the first byte in @pages, in bytes
 * @pages: the memory behind it; a reference is held
 * @prot: IOMMU_READ and friends
 * @state: protected by space->lock, but for becoming live: see
 *	iommufd_area_set_live()
 * @access_pins: accesses that hold pages of it, protected by space->lock
 * @unmap_item: links the areas of one unmap while they are AREA_BUSY
 */
struct iommufd_area {
	unsigned long iova;
	unsigned long last;
	unsigned long start;
	struct iommufd_pages *pages;
	int prot;
	enum iommufd_area_state state;
	unsigned int access_pins;
	struct list_head unmap_item;
};

static inline unsigned long iommufd_area_length(const struct iommufd_area *area)
{
	return area->last - area->iova + 1;
}

/*
 * Let everybody see an area that has been AREA_BUSY until now. Nobody else
 * changes a busy area, so it needs no lock.
 */
static inline void iommufd_area_set_live(struct iommufd_area *area)
{
	/* Who sees it live sees what has been done for it before. */
	smp_store_release(&area->state, AREA_LIVE);
}

static inline bool iommufd_area_is_live(const struct iommufd_area *area)
{
	/* Pairs with iommufd_area_set_live(). */
	return smp_load_acquire(&area->state) == AREA_LIVE;
}

/** struct iova_window - a range of IOVAs, both ends included */
struct iova_window {
	unsigned long start;
	unsigned long last;
};

/**
 * struct iova_requirement - a window that there has to be
 * @length: bytes; 0 for no requirement
 * @align: where it may begin, a power of two in bytes
 * @base: where it has to begin, if @fixed
 * @fixed: there and nowhere else
 */
struct iova_requirement {
	u64 length;
	u64 align;
	u64 base;
	bool fixed;
};

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

/**
 * struct iova_space - the IOVAs of an IOAS
 * @lock: protects everything here; a short critical section of its own
 * @areas: struct iommufd_area by IOVA, with gap tracking
 * @nr_areas: how many
 * @reserved: ranges that no mapping may touch, each with an owner
 * @windows: what is not reserved, ascending; rebuilt when @reserved changes
 * @nr_windows: how many
 * @allowed: where automatic IOVAs come from, ascending, all inside @windows:
 *	what would reserve any of it is refused. %NULL: from all @windows.
 * @nr_allowed: how many
 * @required: what @windows must have room for, whatever is mapped there
 * @align: mappings begin and end at multiples of this power of two (bytes)
 */
struct iova_space {
	struct mutex lock;
	struct maple_tree areas;
	unsigned long nr_areas;
	struct list_head reserved;
	struct iova_window *windows;
	unsigned int nr_windows;
	struct iova_window *allowed;
	unsigned int nr_allowed;
	struct iova_requirement required;
	unsigned long align;
};

/**
 * struct iova_request - a request for room, on its way through a space
 * @req: what the policy sees
 * @space: where room is wanted
 * @ioas: its address space, as policies know it
 * @found: the last answer to a search, so that using it needs no second look;
 *	0 for none
 * @chooser: out: who chose, unless it is fixed
 */
struct iova_request {
	struct iox_iova_req req;
	struct iova_space *space;
	struct iox_ioas *ioas;
	unsigned long found;
	enum iommufd_chooser chooser;
};

int iova_space_init(struct iova_space *space);
void iova_space_destroy(struct iova_space *space);
int iova_space_place(struct iova_request *request, struct iommufd_area *area,
		     bool fixed);
void iova_space_erase(struct iova_space *space, struct iommufd_area *area);
struct iommufd_area *iova_space_next(struct iova_space *space,
				     unsigned long first, unsigned long last);
int iova_space_set_align(struct iova_space *space, unsigned long align);
struct iova_window *iova_space_copy_windows(struct iova_space *space,
					    unsigned int *nr);
int iova_space_reserve(struct iova_space *space, unsigned long start,
		       unsigned long last, const void *owner);
void iova_space_unreserve(struct iova_space *space, const void *owner);
int iova_space_allow(struct iova_space *space, struct iova_window *allowed,
		     unsigned int nr);
int iova_space_require(struct iova_space *space,
		       const struct iova_requirement *required);
int iova_space_try(struct iova_space *space, struct iova_trial *trial);

#endif
