// SPDX-License-Identifier: GPL-2.0-only
/*
 * The records of a preserved iommufd.
 *
 * They are written when the file is preserved and sealed with checksums when it
 * is frozen, so that freezing needs no memory. The next kernel believes nothing
 * of it before all of it has been checked, and then works on a copy.
 */
#include <linux/crc32.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "lu_ser.h"

static void *page_records(struct iommufd_ser_page *page)
{
	return page + 1;
}

static u32 page_room(size_t size)
{
	return (PAGE_SIZE - sizeof(struct iommufd_ser_page)) / size;
}

static u32 page_checksum(struct iommufd_ser_page *page, size_t size)
{
	u32 crc = crc32c(~0, page, offsetof(struct iommufd_ser_page, checksum));

	return crc32c(crc, page_records(page), page->nr * size);
}

static u32 ser_checksum(const struct iommufd_ser *ser)
{
	return crc32c(~0, &ser->hwpts,
		      sizeof(*ser) - offsetof(struct iommufd_ser, hwpts));
}

/**
 * lu_writer_init - begin to write the records of a file
 * @writer: uninitialised memory
 *
 * Return: 0; -ENOMEM, or another errno of KHO.
 */
int lu_writer_init(struct lu_writer *writer)
{
	struct iommufd_ser *ser = kho_alloc_preserve(PAGE_SIZE);

	if (IS_ERR(ser))
		return PTR_ERR(ser);
	ser->magic = IOMMUFD_SER_MAGIC;
	*writer = (struct lu_writer){
		.ser = ser,
		.hwpts = { .list = &ser->hwpts,
			   .size = sizeof(struct iommufd_hwpt_ser) },
		.areas = { .list = &ser->areas,
			   .size = sizeof(struct iommufd_area_ser) },
	};
	return 0;
}

static int list_grow(struct lu_list *list)
{
	struct iommufd_ser_page *page = kho_alloc_preserve(PAGE_SIZE);

	if (IS_ERR(page))
		return PTR_ERR(page);
	if (list->last)
		list->last->next_phys = virt_to_phys(page);
	else
		list->list->first_phys = virt_to_phys(page);
	list->last = page;
	return 0;
}

/**
 * lu_list_add - write one more record
 * @list: where
 * @record: is copied
 *
 * Return: 0; -ENOMEM, or another errno of KHO.
 */
int lu_list_add(struct lu_list *list, const void *record)
{
	int rc;

	if (!list->last || list->last->nr == page_room(list->size)) {
		rc = list_grow(list);
		if (rc)
			return rc;
	}
	memcpy(page_records(list->last) + list->last->nr++ * list->size, record,
	       list->size);
	list->list->nr++;
	return 0;
}

static void seal_list(const struct iommufd_ser_list *list, size_t size)
{
	struct iommufd_ser_page *page;
	u64 phys;

	for (phys = list->first_phys; phys; phys = page->next_phys) {
		page = phys_to_virt(phys);
		page->checksum = page_checksum(page, size);
	}
}

/**
 * lu_seal - write the checksums
 * @ser: of this kernel; nothing is added any more
 */
void lu_seal(struct iommufd_ser *ser)
{
	seal_list(&ser->hwpts, sizeof(struct iommufd_hwpt_ser));
	seal_list(&ser->areas, sizeof(struct iommufd_area_ser));
	ser->checksum = ser_checksum(ser);
}

static void unpreserve_list(const struct iommufd_ser_list *list)
{
	u64 phys = list->first_phys, next;

	for (; phys; phys = next) {
		struct iommufd_ser_page *page = phys_to_virt(phys);

		next = page->next_phys;
		kho_unpreserve_free(page);
	}
}

/**
 * lu_unpreserve - free what lu_writer_init() and lu_list_add() made
 * @ser: of this kernel
 */
void lu_unpreserve(struct iommufd_ser *ser)
{
	unpreserve_list(&ser->hwpts);
	unpreserve_list(&ser->areas);
	kho_unpreserve_free(ser);
}

/* The page at an address that is not to be believed, or %NULL */
static struct iommufd_ser_page *checked_page(u64 phys, size_t size)
{
	struct iommufd_ser_page *page;

	if (!kho_restorable(phys, 0))
		return NULL;
	page = phys_to_virt(phys);
	if (!page->nr || page->nr > page_room(size) ||
	    page->checksum != page_checksum(page, size))
		return NULL;
	return page;
}

static bool list_is_sound(const struct iommufd_ser_list *list, size_t size)
{
	struct iommufd_ser_page *page;
	u64 phys = list->first_phys, nr = 0;

	while (phys) {
		page = checked_page(phys, size);
		if (!page)
			return false;
		nr += page->nr;
		/* A circle ends here too. */
		if (nr > list->nr)
			return false;
		phys = page->next_phys;
	}
	return nr == list->nr;
}

static struct iommufd_ser *checked_ser(u64 phys)
{
	struct iommufd_ser *ser;

	if (!kho_restorable(phys, 0))
		return NULL;
	ser = phys_to_virt(phys);
	if (ser->magic != IOMMUFD_SER_MAGIC ||
	    ser->checksum != ser_checksum(ser))
		return NULL;
	if (!list_is_sound(&ser->hwpts, sizeof(struct iommufd_hwpt_ser)) ||
	    !list_is_sound(&ser->areas, sizeof(struct iommufd_area_ser)))
		return NULL;
	return ser;
}

/* All records of a sound list as one array */
static void *copy_list(const struct iommufd_ser_list *list, size_t size)
{
	struct iommufd_ser_page *page;
	void *copy, *to;
	u64 phys;

	copy = kvmalloc_array(max(list->nr, 1), size, GFP_KERNEL_ACCOUNT);
	if (!copy)
		return NULL;
	to = copy;
	for (phys = list->first_phys; phys; phys = page->next_phys) {
		page = phys_to_virt(phys);
		memcpy(to, page_records(page), page->nr * size);
		to += page->nr * size;
	}
	return copy;
}

static bool hwpt_is_sound(const struct iommufd_hwpt_ser *hwpt, u64 nr_areas)
{
	return !(hwpt->flags & ~IOMMUFD_HWPT_SER_COHERENT) &&
	       !hwpt->__reserved && hwpt->first_area <= nr_areas &&
	       hwpt->nr_areas <= nr_areas - hwpt->first_area;
}

static bool area_is_sound(const struct iommufd_area_ser *area)
{
	const u32 prots = IOMMUFD_AREA_SER_READ | IOMMUFD_AREA_SER_WRITE;

	return !offset_in_page(area->iova | area->length | area->file_start) &&
	       area->length && area->length - 1 <= U64_MAX - area->iova &&
	       area->length <= S64_MAX &&
	       area->file_start <= S64_MAX - area->length && area->prot &&
	       !(area->prot & ~prots) && !area->__reserved;
}

static bool records_are_sound(const struct lu_records *records)
{
	u64 i;

	for (i = 0; i < records->nr_hwpts; i++)
		if (!hwpt_is_sound(&records->hwpts[i], records->nr_areas))
			return false;
	for (i = 0; i < records->nr_areas; i++)
		if (!area_is_sound(&records->areas[i]))
			return false;
	return true;
}

/**
 * lu_copy - copy records that are to be believed
 * @ser: of this kernel, or checked
 * @records: filled in; to be given to lu_records_free()
 *
 * Return: 0, or -ENOMEM.
 */
int lu_copy(const struct iommufd_ser *ser, struct lu_records *records)
{
	*records = (struct lu_records){
		.hwpts = copy_list(&ser->hwpts, sizeof(*records->hwpts)),
		.areas = copy_list(&ser->areas, sizeof(*records->areas)),
		.nr_hwpts = ser->hwpts.nr,
		.nr_areas = ser->areas.nr,
	};
	if (records->hwpts && records->areas)
		return 0;
	lu_records_free(records);
	return -ENOMEM;
}

/**
 * lu_read - check and copy what the previous kernel wrote
 * @phys: what it left as the file's data
 * @records: filled in; to be given to lu_records_free()
 *
 * Return: 0; -EINVAL it is damaged; -ENOMEM.
 */
int lu_read(u64 phys, struct lu_records *records)
{
	const struct iommufd_ser *ser = checked_ser(phys);
	int rc;

	if (!ser)
		return -EINVAL;
	rc = lu_copy(ser, records);
	if (!rc && !records_are_sound(records)) {
		lu_records_free(records);
		rc = -EINVAL;
	}
	return rc;
}

/**
 * lu_records_free - free what lu_read() filled in
 * @records: the pages that the previous kernel wrote stay
 */
void lu_records_free(struct lu_records *records)
{
	kvfree(records->hwpts);
	kvfree(records->areas);
}

static void restore_free_list(const struct iommufd_ser_list *list)
{
	u64 phys = list->first_phys, next;

	for (; phys; phys = next) {
		struct iommufd_ser_page *page = phys_to_virt(phys);

		next = page->next_phys;
		kho_restore_free(page);
	}
}

/**
 * lu_restore_free - free what the previous kernel wrote
 * @phys: as in lu_read(); if it is damaged, nothing is freed, since nobody knows
 *	what
 */
void lu_restore_free(u64 phys)
{
	struct iommufd_ser *ser = checked_ser(phys);

	if (!ser)
		return;
	restore_free_list(&ser->hwpts);
	restore_free_list(&ser->areas);
	kho_restore_free(ser);
}
