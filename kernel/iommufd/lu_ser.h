/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records of a preserved iommufd: writing them in one kernel, checking and
 * reading them in the next.
 */
#ifndef IOMMUFD_LU_SER_H
#define IOMMUFD_LU_SER_H

#include <linux/kho/abi/iommufd.h>

struct liveupdate_file_op_args;
struct seq_file;

/**
 * struct lu_list - a list of pages with records, as it grows
 * @list: where it begins, in the file's own page
 * @last: the page that the next record goes to, or %NULL
 * @size: of a record, bytes
 */
struct lu_list {
	struct iommufd_ser_list *list;
	struct iommufd_ser_page *last;
	size_t size;
};

/**
 * struct lu_writer - the records of a file, as they are made
 * @ser: the file's own page
 * @hwpts: of struct iommufd_hwpt_ser
 * @areas: of struct iommufd_area_ser
 */
struct lu_writer {
	struct iommufd_ser *ser;
	struct lu_list hwpts;
	struct lu_list areas;
};

/**
 * struct lu_records - the records of a file, checked and copied
 * @hwpts: array
 * @areas: array
 * @nr_hwpts: entries of @hwpts
 * @nr_areas: entries of @areas
 */
struct lu_records {
	struct iommufd_hwpt_ser *hwpts;
	struct iommufd_area_ser *areas;
	u64 nr_hwpts;
	u64 nr_areas;
};

int lu_writer_init(struct lu_writer *writer);
int lu_list_add(struct lu_list *list, const void *record);
void lu_seal(struct iommufd_ser *ser);
void lu_unpreserve(struct iommufd_ser *ser);

int lu_copy(const struct iommufd_ser *ser, struct lu_records *records);
int lu_read(u64 phys, struct lu_records *records);
void lu_records_free(struct lu_records *records);
void lu_restore_free(u64 phys);

/* lu_show.c */
void lu_show(struct liveupdate_file_op_args *args, struct seq_file *m,
	     const char *direction);

/* lu_selftest.c */
#if defined(CONFIG_IOMMUFD_TEST)
void lu_selftest(u64 phys);
#else
static inline void lu_selftest(u64 phys)
{
}
#endif

#endif
