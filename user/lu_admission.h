/* SPDX-License-Identifier: GPL-2.0 */
/* iox lu: the admission policies that are asked about what is preserved. */
#ifndef IOX_LU_ADMISSION_H
#define IOX_LU_ADMISSION_H

#include <json-c/json.h>

/* A line for each, in the order in which they are asked, and what it refused last. */
void lu_admission_print(void);

/* The same as an array. */
json_object *lu_admission_json(void);

#endif
