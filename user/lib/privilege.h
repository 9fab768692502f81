/* SPDX-License-Identifier: GPL-2.0 */
/* Capabilities, given up when what needed them is done; docs/integrity.md has who needs which. */
#ifndef IOX_LIB_PRIVILEGE_H
#define IOX_LIB_PRIVILEGE_H

#include <stdbool.h>
#include <linux/capability.h>
#include <linux/types.h>

#define PRIVILEGE(name) (1ULL << CAP_##name)

/* To load probes: to read the kernel's types; it stands for CAP_BPF and CAP_PERFMON, too. */
#define PRIVILEGE_PROBES PRIVILEGE(SYS_ADMIN)
/* To find a cgroup's path by its id */
#define PRIVILEGE_CGROUP_PATHS PRIVILEGE(DAC_READ_SEARCH)

/*
 * Gives up all capabilities but @keep (a mask of 1ULL << CAP_...), for good, and sets no_new_privs.
 * What is in @keep and not there is no error. Before there are threads: others would keep theirs.
 * False with the message given.
 */
bool privilege_keep(__u64 keep);

#endif
