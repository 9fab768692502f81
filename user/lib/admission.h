/* SPDX-License-Identifier: GPL-2.0 */
/* What admission policies have refused, and why. */
#ifndef IOX_LIB_ADMISSION_H
#define IOX_LIB_ADMISSION_H

#include <stdbool.h>
#include <linux/types.h>

#define ADMISSION_WHY_LEN 512

/*
 * Has an admission policy just refused @step ("preserve", "retrieve") of a file to this process,
 * with this errno? Then @why gets that in words.
 */
bool admission_find_reason(const char *step, __u64 token, int err, char why[ADMISSION_WHY_LEN]);

#endif
