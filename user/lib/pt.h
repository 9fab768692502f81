/* SPDX-License-Identifier: GPL-2.0 */
/* Page-table statistics of all HWPTs (bpf/iter/pt.bpf.c), and what is mapped in them. */
#ifndef IOX_LIB_PT_H
#define IOX_LIB_PT_H

#include <stdbool.h>
#include <stddef.h>
#include <iox/pt.h>

struct pt;

/* One HWPT; the arrays are as long as @head says. */
struct pt_hwpt {
	const struct iox_pt_hwpt *head;
	const struct iox_pt_level_rec *levels;
	const struct iox_pt_size_rec *sizes;
};

/* One mapping in one HWPT. */
struct pt_area {
	const struct iox_pt_area *head;
	const struct iox_pt_size_rec *sizes;
};

/* One reading. HWPTs are in the order of context and id, areas besides that in the order of IOVAs. */
struct pt_view {
	struct pt_hwpt *hwpts;
	size_t nr_hwpts;
	struct pt_area *areas;
	size_t nr_areas;
	char *hwpt_data;	/* what the above point to */
	char *area_data;
};

/* "short", "scattered", ..: by enum iox_pt_why. */
const char *pt_why_name(unsigned int why);

/* Whether this kernel has such statistics */
bool pt_is_there(void);
/* NULL on failure, with the message given: also for kernels that have no such statistics. */
struct pt *pt_open(void);
void pt_close(struct pt *pt);

/*
 * Reads all HWPTs, and what is mapped in them if @areas, which can be much. The two are read one after
 * the other: an HWPT may be in one and not in the other. False on failure, with the message given. To be
 * freed by pt_view_free() in either case.
 */
bool pt_read(struct pt *pt, bool areas, struct pt_view *view);
void pt_view_free(struct pt_view *view);

/* The areas of @hwpt in @view; how many in *@nr. */
const struct pt_area *pt_areas_of(const struct pt_view *view, const struct pt_hwpt *hwpt, size_t *nr);

#endif
