/* SPDX-License-Identifier: GPL-2.0 */
/* The subcommands of iox lu. */
#ifndef IOX_LU_H
#define IOX_LU_H

#include "iox.h"

int lu_hold(int argc, char **argv);
int lu_inspect(int argc, char **argv);
int lu_plan(int argc, char **argv);
int lu_status(int argc, char **argv);

#endif
