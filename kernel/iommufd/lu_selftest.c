// SPDX-License-Identifier: GPL-2.0-only
/*
 * What becomes of records that are damaged on their way to the next kernel? With
 * lu_damage, those of a file that is about to come back are.
 */
#include <linux/io.h>
#include <linux/moduleparam.h>

#include "lu_ser.h"

enum lu_damage {
	LU_DAMAGE_NONE,
	LU_DAMAGE_EACH_BIT,
	LU_DAMAGE_ONE_BIT,
};

static unsigned int lu_damage;
module_param(lu_damage, uint, 0644);
MODULE_PARM_DESC(lu_damage, "1: log how many single bits of a preserved file could be damaged unseen; 2: damage one");

/* All bits of a page of records, and how many can be flipped unseen */
struct damage {
	u64 phys;
	unsigned long bits;
	unsigned long unseen;
};

static void damage_each_bit(struct damage *damage, void *at, size_t bytes)
{
	struct lu_records records;
	unsigned long bit;
	u8 *byte;

	for (bit = 0; bit < bytes * BITS_PER_BYTE; bit++) {
		byte = at + bit / BITS_PER_BYTE;
		*byte ^= BIT(bit % BITS_PER_BYTE);
		if (!lu_read(damage->phys, &records)) {
			lu_records_free(&records);
			damage->unseen++;
		}
		*byte ^= BIT(bit % BITS_PER_BYTE);
		damage->bits++;
	}
}

static void damage_list(struct damage *damage,
			const struct iommufd_ser_list *list, size_t size)
{
	struct iommufd_ser_page *page;
	u64 phys;

	for (phys = list->first_phys; phys; phys = page->next_phys) {
		page = phys_to_virt(phys);
		damage_each_bit(damage, page, sizeof(*page) + page->nr * size);
	}
}

/**
 * lu_selftest - damage records, if the module parameter says so
 * @phys: as in lu_read()
 */
void lu_selftest(u64 phys)
{
	struct iommufd_ser *ser = phys_to_virt(phys);
	struct damage damage = { .phys = phys };

	switch (lu_damage) {
	case LU_DAMAGE_EACH_BIT:
		damage_each_bit(&damage, ser, sizeof(*ser));
		damage_list(&damage, &ser->hwpts,
			    sizeof(struct iommufd_hwpt_ser));
		damage_list(&damage, &ser->areas,
			    sizeof(struct iommufd_area_ser));
		pr_info("iommufd: %lu of %lu bits can be damaged unseen\n",
			damage.unseen, damage.bits);
		break;
	case LU_DAMAGE_ONE_BIT:
		ser->areas.nr ^= 1;
		break;
	}
}
