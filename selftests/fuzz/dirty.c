// SPDX-License-Identifier: GPL-2.0-only
/* Dirty tracking: what DMA has written to is told once, and not forgotten. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"

/* One bit a page of the mock IOMMU, of the largest area there is */
#define BITS (2 * HUGE_PAGE / MOCK_PAGE_SIZE)
#define WORDS (BITS / 64)

/* A round of marking and reading, over one area */
struct tracking {
	struct world *w;
	struct hwpt *hwpt;
	struct area *area;
	unsigned int nbits;
	__u64 bits[WORDS];
};

static bool bit(const __u64 *bits, unsigned int nr)
{
	return bits[nr / 64] >> nr % 64 & 1;
}

static int track(const struct tracking *t, bool on)
{
	struct iommu_hwpt_set_dirty_tracking cmd = {
		.size = sizeof(cmd),
		.flags = on ? IOMMU_HWPT_DIRTY_TRACKING_ENABLE : 0,
		.hwpt_id = t->hwpt->id,
	};

	return xioctl(t->hwpt->ioas->ctx->fd, IOMMU_HWPT_SET_DIRTY_TRACKING,
		      &cmd);
}

/* As if a device had written there */
static void mark(struct tracking *t)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_DIRTY,
		.id = t->hwpt->id,
		.dirty = {
			.iova = t->area->iova,
			.length = area_length(t->area),
			.page_size = MOCK_PAGE_SIZE,
			.uptr = (uintptr_t)t->bits,
		},
	};
	unsigned int nr = 1 + rnd(t->w, 4), marked = 0;

	memset(t->bits, 0, sizeof(t->bits));
	while (nr--) {
		unsigned int at = rnd(t->w, t->nbits);

		t->bits[at / 64] |= 1ULL << at % 64;
	}
	for (unsigned int i = 0; i < t->nbits; i++)
		marked += bit(t->bits, i);
	note(t->w, "make %u pages of hwpt %u dirty", marked, t->hwpt->id);
	must_work(t->w, xioctl(t->hwpt->ioas->ctx->fd, IOMMU_TEST_CMD, &cmd));
	if (cmd.dirty.out_nr_dirty != marked)
		mismatch(t->w, "%llu pages were made dirty instead of %u",
			 cmd.dirty.out_nr_dirty, marked);
}

static void read_bits(struct tracking *t, __u32 flags, __u64 *bits)
{
	struct iommu_hwpt_get_dirty_bitmap cmd = {
		.size = sizeof(cmd),
		.hwpt_id = t->hwpt->id,
		.flags = flags,
		.iova = t->area->iova,
		.length = area_length(t->area),
		.page_size = MOCK_PAGE_SIZE,
		.data = (uintptr_t)bits,
	};

	memset(bits, 0, WORDS * sizeof(*bits));
	note(t->w, "dirty pages of %llx+%llx in hwpt %u, flags %x", cmd.iova,
	     cmd.length, t->hwpt->id, flags);
	must_work(t->w, xioctl(t->hwpt->ioas->ctx->fd,
			       IOMMU_HWPT_GET_DIRTY_BITMAP, &cmd));
}

/* With large entries in the page table more may be dirty than was marked. */
static void check_bits(struct tracking *t)
{
	static const __u64 none[WORDS];
	__u64 first[WORDS], second[WORDS];

	read_bits(t, IOMMU_HWPT_GET_DIRTY_BITMAP_NO_CLEAR, first);
	for (unsigned int i = 0; i < BITS; i++)
		if (i < t->nbits ? bit(t->bits, i) && !bit(first, i) :
				   bit(first, i))
			mismatch(t->w, "bit %u of dirty pages is wrong", i);
	read_bits(t, 0, second);
	if (memcmp(first, second, sizeof(first)))
		mismatch(t->w, "dirty pages were forgotten unasked");
	read_bits(t, 0, second);
	if (memcmp(second, none, sizeof(none)))
		mismatch(t->w, "dirty pages were told twice");
}

void op_dirty(struct world *w)
{
	struct ioas *ioas = pick_ioas(w);
	struct tracking t = { .w = w };
	struct answer lawful = {};
	__u64 bits[WORDS];

	if (!ioas || !ioas->hwpts.nr || !ioas->areas.nr ||
	    !(ioas->ctx->holders & 1))
		return;
	t.hwpt = vec_pick(w, &ioas->hwpts);
	t.area = vec_pick(w, &ioas->areas);
	t.nbits = area_length(t.area) / MOCK_PAGE_SIZE;
	note(w, "track dirty pages in hwpt %u", t.hwpt->id);
	if (!t.hwpt->dirty)
		may_fail(&lawful, EOPNOTSUPP);
	if (!judge(w, track(&t, true), &lawful))
		return;
	/* From before it does not know of any. */
	read_bits(&t, 0, bits);
	for (unsigned int i = 0; i < t.nbits; i++)
		if (bit(bits, i))
			mismatch(w, "page %u is dirty from the start", i);
	mark(&t);
	check_bits(&t);
	note(w, "track no more in hwpt %u", t.hwpt->id);
	must_work(w, one_in(w, 2) ? track(&t, false) : 0);
}
