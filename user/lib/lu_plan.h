/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What would be refused if a process were preserved now: its memfds, iommufds and vfio devices
 * in the order in which they have to be preserved, each with what is in its way. Nothing of
 * the process is changed.
 */
#ifndef IOX_LU_PLAN_H
#define IOX_LU_PLAN_H

#include <linux/iox.h>

#include "proc_files.h"

/* Something that is in the way, and the mend. */
struct plan_problem {
	const char *kind;	/* a word for programs, such as "unsealed" */
	int err;		/* the errno that preserving would end with */
	char why[160];
	const char *mend;
	__u64 iova, areas, bytes;	/* of the memory concerned, if areas is not 0 */
};

struct plan_problems {
	struct plan_problem *list;
	size_t nr;
};

struct plan_item {
	enum proc_file_kind kind;
	const struct proc_file *file;	/* NULL: the process has no descriptor of it */
	char name[64];
	__u64 dev, ino;			/* of a memfd */
	struct iox_lu_finding *hwpts;	/* of an iommufd: those that are marked */
	size_t nr_hwpts;
	__u32 hwpt_id;			/* that a device is attached to */
	const struct proc_file *iommufd;	/* that a device is bound to */
	struct plan_problems problems;
	struct plan_problems later;	/* what has to be so before the kernel is replaced */
};

struct plan {
	struct proc_files files;
	struct plan_item *items;
	size_t nr;
};

/* False: a message has been given. */
bool plan_make(pid_t pid, struct plan *plan);
void plan_free(struct plan *plan);

bool plan_is_clear(const struct plan *plan);

#endif
