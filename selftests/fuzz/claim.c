// SPDX-License-Identifier: GPL-2.0-only
/* IOVAs that are reserved without memory: the model of them, and the calls. */
#include <errno.h>
#include <linux/iox.h>

#include "fuzz.h"

/* More than this are made by cutting only. */
#define FEW_CLAIMS 12

bool claim_in(const struct ioas *ioas, __u64 first, __u64 last)
{
	for (unsigned int i = 0; i < ioas->nr_claims; i++)
		if (ioas->claims[i].first <= last &&
		    first <= ioas->claims[i].last)
			return true;
	return false;
}

static void claim_add(struct ioas *ioas, __u64 first, __u64 last)
{
	if (ioas->nr_claims == MAX_CLAIMS)
		broken(ioas->ctx->w, "room for reservations in the model");
	ioas->claims[ioas->nr_claims++] = (struct range){ first, last };
}

__u64 claims_bytes(const struct ioas *ioas, __u64 first, __u64 last)
{
	__u64 bytes = 0;

	for (unsigned int i = 0; i < ioas->nr_claims; i++) {
		struct range c = ioas->claims[i];

		if (c.first > last || c.last < first)
			continue;
		c.first = c.first < first ? first : c.first;
		c.last = c.last > last ? last : c.last;
		bytes += c.last - c.first + 1;
	}
	return bytes;
}

void claims_cut(struct ioas *ioas, __u64 first, __u64 last)
{
	for (unsigned int i = ioas->nr_claims; i > 0; i--) {
		struct range c = ioas->claims[i - 1];

		if (c.first > last || c.last < first)
			continue;
		ioas->claims[i - 1] = ioas->claims[--ioas->nr_claims];
		if (c.first < first)
			claim_add(ioas, c.first, first - 1);
		if (c.last > last)
			claim_add(ioas, last + 1, c.last);
	}
}

/* Reserves, or tries a map, which leaves the same. */
static int call(struct mm *mm, struct ioas *ioas, bool try, bool fixed,
		struct iommu_ioas_map *cmd)
{
	struct iox_ioas_try_map trial = {
		.size = sizeof(trial),
		.ioas_id = ioas->id,
		.flags = cmd->flags,
		.addr = cmd->user_va,
		.length = cmd->length,
		.iova = cmd->iova,
	};
	int rc;

	if (!try) {
		cmd->flags |= IOX_IOAS_MAP_RESERVE;
		return mm_ioctl(mm, ioas->ctx->fd, IOMMU_IOAS_MAP, cmd,
				sizeof(*cmd));
	}
	rc = mm_ioctl(mm, ioas->ctx->fd, IOX_IOAS_TRY_MAP, &trial,
		      sizeof(trial));
	cmd->iova = trial.iova;
	if (!rc && fixed != (trial.out_answer == IOX_TRY_FIXED))
		mismatch(ioas->ctx->w, "%u has chosen the place",
			 trial.out_answer);
	return rc;
}

void op_claim(struct world *w)
{
	struct ioas *ioas = pick_ioas(w);
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = MAP_RW,
		.length = (1 + rnd(w, 16)) * PAGE,
		.user_va = rnd(w, BLOCK_PAGES) * PAGE,
	};
	bool try = one_in(w, 3), fixed = !one_in(w, 4);
	struct answer lawful = {};
	struct mm *mm;

	mm = ioas && !ioas->common ? pick_mm(w, ioas->ctx->holders) : NULL;
	if (!mm || !w->is_iox || ioas->nr_claims >= FEW_CLAIMS)
		return;
	cmd.ioas_id = ioas->id;
	if (one_in(w, 12))
		cmd.length -= MOCK_PAGE_SIZE;
	if (one_in(w, 30))
		cmd.user_va += rnd(w, PAGE);
	if (fixed) {
		cmd.flags |= IOMMU_IOAS_MAP_FIXED_IOVA;
		cmd.iova = pick_iova(w, ioas, cmd.length);
		expect_fixed(ioas, cmd.iova, cmd.length, cmd.user_va, &lawful);
		if (claim_in(ioas, cmd.iova, cmd.iova + cmd.length - 1))
			may_fail(&lawful, EEXIST);
	} else {
		expect_auto(ioas, cmd.length, cmd.user_va, &lawful);
	}
	note(w, "mm %u %s %llu bytes of ioas %u at %llx, addr %llx", mm->number,
	     try ? "try to map" : "claim", cmd.length, ioas->id, cmd.iova,
	     cmd.user_va);
	if (!judge(w, call(mm, ioas, try, fixed, &cmd), &lawful))
		return;
	note_more(w, " at %llx", cmd.iova);
	if (!fixed && !auto_is_sound(ioas, cmd.iova, cmd.length, cmd.user_va))
		mismatch(w, "automatic IOVA %llx is taken, reserved or odd",
			 cmd.iova);
	claim_add(ioas, cmd.iova, cmd.iova + cmd.length - 1);
}
