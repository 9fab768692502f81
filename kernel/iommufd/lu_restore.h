/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMUFD_LU_RESTORE_H
#define IOMMUFD_LU_RESTORE_H

struct iommufd_ctx;
struct liveupdate_session;
struct lu_records;

int lu_restore_hwpts(struct iommufd_ctx *ictx,
		     struct liveupdate_session *session,
		     const struct lu_records *records);

#endif
