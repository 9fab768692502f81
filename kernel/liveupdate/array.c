// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arrays of objects in preserved pages. The caller has a lock.
 *
 * An object stays where it is, since its physical address is its name in both kernels. A deleted one is used again
 * for the next of its kind, so that preserving and unpreserving in a loop needs no more memory.
 */
#include <linux/crc32.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "../iommu-pages.h"
#include "liveupdate.h"
#include "test.h"

static const size_t iommu_lu_sizes[] = {
	[IOMMU_LU_HW] = sizeof(struct iommu_hw_ser),
	[IOMMU_LU_DOMAIN] = sizeof(struct iommu_domain_ser),
	[IOMMU_LU_DEVICE] = sizeof(struct iommu_device_ser),
};

/* A zeroed page that is handed over to the next kernel. */
void *iommu_lu_alloc_page(void)
{
	void *page = iommu_alloc_pages_sz(GFP_KERNEL, PAGE_SIZE);
	int ret;

	if (!page)
		return ERR_PTR(-ENOMEM);
	ret = iommu_preserve_pages(page);
	if (ret) {
		iommu_free_pages(page);
		return ERR_PTR(ret);
	}
	return page;
}

void iommu_lu_free_page(void *page)
{
	iommu_unpreserve_pages(page);
	iommu_free_pages(page);
}

/* Three empty arrays whose heads are in @ser. */
void iommu_lu_state_init(struct iommu_lu_state *state, struct iommu_flb_ser *ser)
{
	u64 *heads = (u64 *)ser;

	BUILD_BUG_ON(offsetof(struct iommu_flb_ser, iommu_array_phys) != IOMMU_LU_HW * sizeof(u64));
	BUILD_BUG_ON(offsetof(struct iommu_flb_ser, iommu_domain_array_phys) != IOMMU_LU_DOMAIN * sizeof(u64));
	BUILD_BUG_ON(offsetof(struct iommu_flb_ser, device_array_phys) != IOMMU_LU_DEVICE * sizeof(u64));

	state->ser = ser;
	for (int i = 0; i < IOMMU_LU_NR_ARRAYS; i++)
		state->arrays[i] = (struct iommu_lu_array){
			.size = iommu_lu_sizes[i],
			.headp = &heads[i],
		};
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_state_init);

/* Objects that fit into a page. */
u64 iommu_lu_array_max(const struct iommu_lu_array *array)
{
	return (PAGE_SIZE - sizeof(struct iommu_array_hdr_ser)) / array->size;
}

/**
 * iommu_lu_array_next - Go on to the next object
 * @array: The array
 * @page: The page that the loop is at, NULL at its begin
 * @index: The object that the loop is at in @page
 *
 * Return: the object, deleted or not, NULL after the last.
 */
void *iommu_lu_array_next(const struct iommu_lu_array *array, struct iommu_array_hdr_ser **page, u64 *index)
{
	u64 next = *page ? 0 : *array->headp;

	if (*page)
		next = (*page)->next_array_phys;
	while (!*page || *index >= (*page)->nr_objects) {
		if (!next)
			return NULL;
		*page = phys_to_virt(next);
		*index = 0;
		next = (*page)->next_array_phys;
	}
	return iommu_lu_objects(*page) + (*index)++ * array->size;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_array_next);

static void *array_reuse(struct iommu_lu_array *array)
{
	struct iommu_array_hdr_ser *page = NULL;
	struct iommu_obj_hdr_ser *obj;
	u64 index = 0;

	if (!array->nr_deleted)
		return NULL;
	while ((obj = iommu_lu_array_next(array, &page, &index))) {
		if (!obj->deleted)
			continue;
		array->nr_deleted--;
		memset(obj, 0, array->size);
		return obj;
	}
	return NULL;
}

static struct iommu_array_hdr_ser *array_grow(struct iommu_lu_array *array)
{
	struct iommu_array_hdr_ser *page = iommu_lu_alloc_page();

	if (IS_ERR(page))
		return page;
	if (array->last)
		array->last->next_array_phys = virt_to_phys(page);
	else
		*array->headp = virt_to_phys(page);
	array->last = page;
	array->nr_pages++;
	return page;
}

/* A new object, zeroed, with a reference count of 1. */
void *iommu_lu_array_add(struct iommu_lu_array *array)
{
	struct iommu_array_hdr_ser *page = array->last;
	struct iommu_obj_hdr_ser *obj;

	obj = array_reuse(array);
	if (!obj) {
		if (!page || page->nr_objects == iommu_lu_array_max(array))
			page = array_grow(array);
		if (IS_ERR(page))
			return page;
		obj = iommu_lu_objects(page) + page->nr_objects++ * array->size;
	}
	obj->ref_count = 1;
	return obj;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_array_add);

/* Mark @object as gone. */
void iommu_lu_array_del(struct iommu_lu_array *array, void *object)
{
	struct iommu_obj_hdr_ser *obj = object;

	memset(obj, 0, array->size);
	obj->deleted = 1;
	array->nr_deleted++;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_array_del);

/* Free all pages of an array that did not go anywhere. */
void iommu_lu_array_unpreserve(struct iommu_lu_array *array)
{
	u64 phys = *array->headp;

	while (phys) {
		struct iommu_array_hdr_ser *page = phys_to_virt(phys);

		phys = page->next_array_phys;
		iommu_lu_free_page(page);
	}
	*array->headp = 0;
	array->last = NULL;
	array->nr_pages = 0;
	array->nr_deleted = 0;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_array_unpreserve);

/* The object at @phys, or NULL if there is none that is not deleted. */
void *iommu_lu_array_at(const struct iommu_lu_array *array, u64 phys)
{
	struct iommu_array_hdr_ser *page = NULL;
	struct iommu_obj_hdr_ser *obj;
	u64 index = 0;

	while ((obj = iommu_lu_array_next(array, &page, &index))) {
		if (virt_to_phys(obj) == phys)
			return obj->deleted ? NULL : obj;
	}
	return NULL;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_array_at);

/* Of the used part of all pages. */
u32 iommu_lu_array_checksum(const struct iommu_lu_array *array)
{
	u64 phys = *array->headp;
	u32 sum = ~0;

	while (phys) {
		struct iommu_array_hdr_ser *page = phys_to_virt(phys);

		sum = crc32c(sum, page, sizeof(*page) + page->nr_objects * array->size);
		phys = page->next_array_phys;
	}
	return sum;
}

/* Of what leads to the arrays, and of what is known about them. */
u32 iommu_lu_state_checksum(const struct iommu_lu_state *state)
{
	struct iommu_flb_check_ser *check = iommu_lu_check(state);
	u32 sum = crc32c(~0, state->ser, sizeof(*state->ser));

	return crc32c(sum, check->arrays, sizeof(check->arrays));
}
