// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the previous kernel left, before a byte of it is believed.
 *
 * Nothing is changed and nothing restored here. An address is only followed if KHO handed that very page over, and a
 * list is followed for no more pages than it is said to have.
 */
#include <linux/io.h>
#include <linux/mm.h>

#include "liveupdate.h"
#include "test.h"

static const char *verify_page(const struct iommu_lu_array *array, u64 phys)
{
	struct iommu_array_hdr_ser *page;

	if (!iommu_pages_restorable(phys, PAGE_SIZE))
		return "a page of an array was not handed over";
	page = phys_to_virt(phys);
	if (!page->nr_objects || page->nr_objects > iommu_lu_array_max(array))
		return "a page has more objects than fit, or none";
	if (page->next_array_phys && page->nr_objects != iommu_lu_array_max(array))
		return "a page that is not the last has room left";
	return NULL;
}

static const char *verify_array(struct iommu_lu_array *array, const struct iommu_array_check_ser *check)
{
	u64 phys = *array->headp, nr_objects = 0;
	const char *why;

	while (phys) {
		struct iommu_array_hdr_ser *page;

		if (array->nr_pages == check->nr_pages)
			return "an array has too many pages, or goes in a circle";
		why = verify_page(array, phys);
		if (why)
			return why;
		page = phys_to_virt(phys);
		array->last = page;
		array->nr_pages++;
		nr_objects += page->nr_objects;
		phys = page->next_array_phys;
	}

	if (array->nr_pages != check->nr_pages || nr_objects != check->nr_objects)
		return "an array has too few pages or objects";
	if (iommu_lu_array_checksum(array) != check->checksum)
		return "the checksum of an array is wrong";
	return NULL;
}

/* What the checksum cannot know: that the objects make sense together. */
static const char *verify_objects(struct iommu_lu_state *state)
{
	struct iommu_array_hdr_ser *page;
	struct iommu_device_ser *device;
	struct iommu_domain_ser *domain;
	struct iommu_hw_ser *hw;
	u64 index;

	iommu_lu_for_each(&state->arrays[IOMMU_LU_HW], hw, page, index) {
		if (!hw->obj.ref_count || hw->obj.incoming || hw->type == IOMMU_HW_SER_INVALID)
			return "an IOMMU's record makes no sense";
	}
	iommu_lu_for_each(&state->arrays[IOMMU_LU_DOMAIN], domain, page, index) {
		if (!domain->obj.ref_count || domain->obj.incoming)
			return "a domain's record makes no sense";
	}
	iommu_lu_for_each(&state->arrays[IOMMU_LU_DEVICE], device, page, index) {
		if (!device->obj.ref_count || device->obj.incoming || device->devid > U16_MAX)
			return "a device's record makes no sense";
		if (!iommu_lu_array_at(&state->arrays[IOMMU_LU_DOMAIN], device->map.domain_phys))
			return "a device's domain does not exist";
		if (!iommu_lu_array_at(&state->arrays[IOMMU_LU_HW], device->map.iommu_phys))
			return "a device's IOMMU does not exist";
	}
	return NULL;
}

/**
 * iommu_lu_verify - Check everything
 * @phys: What LUO has for the physical address of struct iommu_flb_ser
 * @state: Set up, if all is well
 * @why: Set to the reason, if something is not
 *
 * Return: 0; -EINVAL if even who is preserved cannot be known; -EUCLEAN if only the devices' records are bad.
 */
int iommu_lu_verify(u64 phys, struct iommu_lu_state *state, const char **why)
{
	struct iommu_flb_check_ser *check;

	if (!iommu_pages_restorable(phys, PAGE_SIZE)) {
		*why = "its first page was not handed over";
		return -EINVAL;
	}
	iommu_lu_state_init(state, phys_to_virt(phys));
	check = iommu_lu_check(state);
	if (check->magic != IOMMU_FLB_CHECK_MAGIC || check->checksum != iommu_lu_state_checksum(state)) {
		*why = "the checksum of its first page is wrong";
		return -EINVAL;
	}

	for (int i = 0; i < IOMMU_LU_NR_ARRAYS; i++) {
		*why = verify_array(&state->arrays[i], &check->arrays[i]);
		if (*why)
			return i == IOMMU_LU_DEVICE ? -EUCLEAN : -EINVAL;
	}
	*why = verify_objects(state);
	return *why ? -EINVAL : 0;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_verify);
