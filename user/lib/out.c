// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>

#include "msg.h"
#include "out.h"

const char *out_ns(char buf[OUT_NS_LEN], __u64 ns)
{
	static const char *const unit[] = { "us", "ms", "s" };
	double value = (double)ns / 1000;
	unsigned int u = 0;
	int digits = 0;

	if (ns < 1000) {
		snprintf(buf, OUT_NS_LEN, "%u ns", (unsigned int)ns);
		return buf;
	}
	/* 999.5 would be shown as 1000: that belongs to the next unit. */
	while (value >= 999.5 && u < 2) {
		value /= 1000;
		u++;
	}
	if (value < 9.995)
		digits = 2;
	else if (value < 99.95)
		digits = 1;
	snprintf(buf, OUT_NS_LEN, "%.*f %s", digits, value, unit[u]);
	return buf;
}

const char *out_bytes(char buf[OUT_BYTES_LEN], __u64 bytes)
{
	static const char *const unit[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	unsigned int u = 0;

	if (bytes < 1024) {
		snprintf(buf, OUT_BYTES_LEN, "%u B", (unsigned int)bytes);
		return buf;
	}
	for (; value >= 1023.5 && u < 5; u++)
		value /= 1024;
	snprintf(buf, OUT_BYTES_LEN, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value,
		 unit[u]);
	return buf;
}

void out_bar(FILE *f, __u64 part, __u64 whole, unsigned int width)
{
	unsigned int full = whole ? (unsigned int)((double)part / (double)whole * width + 0.5) : 0;

	if (part && !full)
		full = 1;
	for (unsigned int i = 0; i < width; i++)
		putc(i < full ? '#' : ' ', f);
}

void out_plain(char *name)
{
	for (; *name; name++)
		if (iscntrl((unsigned char)*name))
			*name = '?';
}

bool out_json(FILE *f, json_object *json)
{
	const char *text = json_object_to_json_string_ext(
		json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	bool ok = text && fprintf(f, "%s\n", text) > 0 && !fflush(f);

	if (!ok)
		msg_errno(errno, "writing JSON", NULL);
	json_object_put(json);
	return ok;
}

void out_json_u64(json_object *object, const char *key, __u64 value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void out_json_str(json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

void out_json_hex(json_object *object, const char *key, __u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", value);
	out_json_str(object, key, text);
}

void out_json_bool(json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}
