/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IOVA space of an IOAS: which addresses are taken, which may be.
 */
#ifndef IOMMUFD_SPACE_H
#define IOMMUFD_SPACE_H

#include <linux/iox.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/util_macros.h>
#include <linux/xarray.h>


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
 * struct iova_space - the IOVAs of an IOAS
 * @lock: protects everything here; a short critical section of its own
 * @areas: struct iommufd_area by IOVA, with gap tracking; and claims, as far as
 *	they are not mapped over
 * @claims: all claims by IOVA, whatever is mapped over them; see claim.c
 * @nr_areas: how many areas and claims there are
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
	struct maple_tree claims;
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
 */
struct iova_request {
	struct iox_iova_req req;
	struct iova_space *space;
	struct iox_ioas *ioas;
	unsigned long found;
};

/* Is this entry of space->areas a claim, which is nobody's memory? */
static inline bool iova_is_claim(const void *entry)
{
	return xa_is_value(entry);
}

/* Is anything claimed, or has it been a moment ago? Needs no lock. */
static inline bool iova_space_has_claims(const struct iova_space *space)
{
	return !mtree_empty(&space->claims);
}

/* All areas from where @mas is up to @last; claims are passed over. */
#define iova_space_for_each_area(mas, area, last)                             \
	mas_for_each(mas, area, last)                                         \
		for_each_if(!iova_is_claim(area))

int iova_space_init(struct iova_space *space);
void iova_space_destroy(struct iova_space *space);
int iova_space_choose(struct iova_request *request, u64 *iova, bool fixed);
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
bool iova_space_is_taken(struct iova_space *space, unsigned long first,
			 unsigned long last);
bool iova_space_is_allowed(const struct iova_space *space, unsigned long first,
			   unsigned long last);
bool iova_requirement_is_met(const struct iova_requirement *required,
			     const struct iova_window *windows,
			     unsigned int nr);

/* claim.c */
int iova_space_claim(struct iova_request *request, u64 *iova, bool fixed,
		     u64 *ns);
unsigned long iova_space_unclaim(struct iova_space *space,
				 struct iox_ioas *ioas, unsigned long first,
				 unsigned long last);
void iova_space_uncover(struct iova_space *space, unsigned long first,
			unsigned long last);

#endif
