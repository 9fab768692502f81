/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can come through a live update, and what cannot.
 */
#ifndef IOMMUFD_LU_CHECK_H
#define IOMMUFD_LU_CHECK_H

#include <uapi/linux/iox.h>

struct iommufd_area;
struct iommufd_pages;

enum iox_lu_finding_kind lu_memory_kind(const struct iommufd_pages *pages);
int lu_finding_errno(enum iox_lu_finding_kind kind);
bool lu_area_is_whole(const struct iommufd_area *area);

#endif
