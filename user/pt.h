/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of iox pt share. */
#ifndef IOX_PT_CMD_H
#define IOX_PT_CMD_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/pt.h"

/*
 * Draws what is mapped where, by the size of leaves, in at most @max_lines lines, longer holes left out.
 * @areas in the order of IOVAs, at least one.
 */
void pt_picture(FILE *f, const struct pt_area *areas, size_t nr, unsigned int max_lines, bool colour);

#endif
