/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asking admission policies about iommufds.
 */
#ifndef IOMMUFD_LU_ADMIT_H
#define IOMMUFD_LU_ADMIT_H

#include <linux/types.h>

struct iommufd_hwpt;
struct liveupdate_file_op_args;
struct lu_records;

int lu_admit_mark(struct iommufd_hwpt *hwpt, u64 token);
int lu_admit_preserve(struct liveupdate_file_op_args *args);
void lu_admit_unpreserve(struct liveupdate_file_op_args *args);
int lu_admit_retrieve(struct liveupdate_file_op_args *args,
		      const struct lu_records *records);

#endif
