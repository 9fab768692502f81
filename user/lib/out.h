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

#define OUT_BYTES_LEN 16

/* @bytes likewise: "512 B", "4.00 KiB", "1.50 GiB". Returns @buf. */
const char *out_bytes(char buf[OUT_BYTES_LEN], __u64 bytes);

/* A bar of @part / @whole, padded to @width characters; what is not zero gets at least one. */
void out_bar(FILE *f, __u64 part, __u64 whole, unsigned int width);

/* Names are the tasks' own choice: what a terminal would obey becomes '?'. */
void out_plain(char *name);

/* Prints @json as one line and frees it; false if that failed, with the message already given. */
bool out_json(FILE *f, json_object *json);

/* "0x..", for what is a name rather than a quantity, and may have more digits than a double. */
void out_json_hex(json_object *object, const char *key, __u64 value);
void out_json_bool(json_object *object, const char *key, bool value);
void out_json_u64(json_object *object, const char *key, __u64 value);
void out_json_str(json_object *object, const char *key, const char *value);

#endif
