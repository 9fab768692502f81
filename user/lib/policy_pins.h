/* SPDX-License-Identifier: GPL-2.0 */
/* Links of policies, pinned in the BPF file system so that they last. */
#ifndef IOX_LIB_POLICY_PINS_H
#define IOX_LIB_POLICY_PINS_H

#include <limits.h>
#include <stdbool.h>
#include <linux/types.h>

/* Makes the folder. False if nothing can be pinned there, with the message given. */
bool policy_pins_prepare(void);

/* Pins @link under the policy's name, with @map_id if there is one of that name. 0 or an errno. */
int policy_pins_add(int link, const char *name, __u32 map_id, char path[PATH_MAX]);

/* Where @link_id is pinned; false if it is not. */
bool policy_pins_find(__u32 link_id, char path[PATH_MAX]);

/* Calls the pin at @path like the policy that it has now, if it can be. */
void policy_pins_rename(char path[PATH_MAX], const char *name, __u32 map_id);

#endif
