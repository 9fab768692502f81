// SPDX-License-Identifier: GPL-2.0
/* iox report: fills in user/report/page.html. */
#include <stdarg.h>
#include <string.h>

#include "lib/out.h"
#include "report.h"

/* The linker finds the files by these names. */
#define EMBED(name, path)					\
	__asm__(".pushsection .rodata\n"			\
		"report_" #name ": .incbin \"" path "\"\n"	\
		".byte 0\n"					\
		".popsection\n");				\
	extern const char report_##name[]

EMBED(template, "user/report/page.html");
EMBED(style, "user/report/style.css");

/* --- text and numbers ------------------------------------------------------------- */

static void put_escaped(FILE *f, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", f);
			break;
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\'':
			fputs("&#39;", f);
			break;
		default:
			putc(*text, f);
		}
	}
}

void html_text(FILE *f, const char *text)
{
	char clean[1024];

	report_clean(clean, sizeof(clean), text);
	put_escaped(f, clean);
}

/* With the unit's sign, and not to be broken over lines */
static void put_quantity(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (*text == ' ')
			fputs("&nbsp;", f);
		else if (*text == 'u')
			fputs("µ", f);
		else
			putc(*text, f);
	}
}

void html_plain_ns(FILE *f, __u64 ns)
{
	char text[OUT_NS_LEN], *unit, *end;

	out_ns(text, ns);
	unit = strchr(text, ' ');
	end = unit;
	if (memchr(text, '.', (size_t)(unit - text)))
		while (end[-1] == '0' || end[-1] == '.')
			if (*--end == '.')
				break;
	memmove(end, unit, strlen(unit) + 1);
	put_quantity(f, ns ? text : "0");
}

static void put_data(FILE *f, const char *kind, __u64 value, const char *text, const char *key,
		     va_list args)
{
	fprintf(f, "<data class=\"%s\" value=\"%llu\" data-key=\"", kind, value);
	vfprintf(f, key, args);
	fputs("\">", f);
	put_quantity(f, text);
	fputs("</data>", f);
}

void html_ns(FILE *f, __u64 ns, const char *key, ...)
{
	char text[OUT_NS_LEN];
	va_list args;

	va_start(args, key);
	put_data(f, "ns", ns, out_ns(text, ns), key, args);
	va_end(args);
}

void html_bytes(FILE *f, __u64 bytes, const char *key, ...)
{
	char text[OUT_BYTES_LEN];
	va_list args;

	va_start(args, key);
	put_data(f, "bytes", bytes, out_bytes(text, bytes), key, args);
	va_end(args);
}

void html_count(FILE *f, __u64 count, const char *key, ...)
{
	char text[32];
	va_list args;

	snprintf(text, sizeof(text), "%llu", count);
	va_start(args, key);
	put_data(f, "count", count, text, key, args);
	va_end(args);
}

/* --- the page --------------------------------------------------------------------- */

/* What a string of @json has */
static void put_string(FILE *f, json_object *json, const char *key)
{
	put_escaped(f, json_object_get_string(json_object_object_get(json, key)));
}

static void put_missing_calls(FILE *f, const struct report *r)
{
	const char *sep = "";

	fputs("<li>not in this kernel's iommufd: ", f);
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++) {
		if (probe_has(r->probe, op))
			continue;
		fprintf(f, "%s%s", sep, probe_op_name(op));
		sep = ", ";
	}
	fprintf(f, "%s</li>\n", *sep ? "" : "none of the calls looked for is missing");
}

static void put_unseen(FILE *f, const struct report *r)
{
	fputs("<ul>\n", f);
	for (size_t i = 0; i < r->nr_unseen; i++)
		fprintf(f, "<li>%s</li>\n", r->unseen[i]);
	if (!probe_only_counts(r->probe))
		put_missing_calls(f, r);
	fputs("</ul>\n", f);
}

/* In a script element nothing may look like its end; outside of strings JSON has no such characters. */
static void put_json(FILE *f, json_object *json)
{
	const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);

	for (; *text; text++) {
		if (*text == '<' || *text == '>' || *text == '&')
			fprintf(f, "\\u%04x", *text);
		else
			putc(*text, f);
	}
}

static void put_word(FILE *f, const struct report *r, json_object *json, const char *word,
		     size_t length)
{
	static const struct {
		const char *word;
		void (*put)(FILE *f, const struct report *r);
		bool of_calls;	/* rather than of their number */
	} parts[] = {
		{ "tables", report_tables, false }, { "heat", report_heat, true },
		{ "stages", report_stages, true }, { "sizes", report_sizes, true },
		{ "spaces", report_spaces, true }, { "slowest", report_slowest, true },
		{ "notseen", put_unseen, false },
	};
	char key[32];

	snprintf(key, sizeof(key), "%.*s", (int)length, word);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(parts[i].word, key))
			continue;
		if (parts[i].of_calls && probe_only_counts(r->probe))
			fputs("<p class=\"none\">This cannot be seen here; the reason is at the end.</p>\n", f);
		else
			parts[i].put(f, r);
		return;
	}
	if (!strcmp(key, "style"))
		fputs(report_style, f);
	else if (!strcmp(key, "json"))
		put_json(f, json);
	else if (!strcmp(key, "span"))
		html_ns(f, r->total->span_ns, "span_ns");
	else
		put_string(f, json, key);
}

/* {{word}} in the template is a part, or a string of the JSON. */
void report_page(FILE *f, const struct report *r, json_object *json)
{
	const char *text = report_template, *open, *close;

	while ((open = strstr(text, "{{")) && (close = strstr(open, "}}"))) {
		fwrite(text, 1, (size_t)(open - text), f);
		put_word(f, r, json, open + 2, (size_t)(close - open - 2));
		text = close + 2;
	}
	fputs(text, f);
}
