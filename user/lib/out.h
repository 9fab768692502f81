/* SPDX-License-Identifier: GPL-2.0 */
/* How things look: durations, bars, JSON. */
#ifndef IOX_OUT_H
#define IOX_OUT_H

#include <stdbool.h>
#include <stdio.h>
#include <json-c/json.h>
#include <linux/types.h>

#define OUT_NS_LEN 16

/*
 * @ns in the unit that reads best, three digits: "850 ns", "3.24 us", "17.0 ms", "12.3 s".
 * Returns @buf.
 */
const char *out_ns(char buf[OUT_NS_LEN], __u64 ns);

/* A bar of @part / @whole, padded to @width characters; what is not zero gets at least one. */
void out_bar(FILE *f, __u64 part, __u64 whole, unsigned int width);

/* Prints @json as one line and frees it; false if that failed, with the message already given. */
bool out_json(FILE *f, json_object *json);

void out_json_u64(json_object *object, const char *key, __u64 value);
void out_json_str(json_object *object, const char *key, const char *value);

#endif
