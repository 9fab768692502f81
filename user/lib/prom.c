// SPDX-License-Identifier: GPL-2.0
#include "hist.h"
#include "prom.h"

/* Buckets end at 2^FIRST to 2^LAST ns. */
#define FIRST 8
#define LAST 34

void prom_family(struct prom *p, const char *name, enum prom_type type, const char *help)
{
	static const char *const word[] = { "counter", "gauge", "histogram" };
	const char *end = type == PROM_COUNTER && !p->open ? "_total" : "";

	p->family = name;
	p->type = type;
	fprintf(p->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, end, help, name, end, word[type]);
}

static void put_value(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		/* Names are what somebody chose, and need not be UTF-8. */
		else
			putc(*value >= ' ' && *value <= '~' ? *value : '?', out);
	}
}

/* The name, and labels; with @le, that one too. */
static void begin(struct prom *p, const char *end, const struct prom_label *labels, const char *le)
{
	const char *sep = "{";

	fprintf(p->out, "%s%s", p->family, end);
	for (; labels->name; labels++) {
		fprintf(p->out, "%s%s=\"", sep, labels->name);
		put_value(p->out, labels->value);
		putc('"', p->out);
		sep = ",";
	}
	if (le) {
		fprintf(p->out, "%sle=\"%s\"", sep, le);
		sep = ",";
	}
	fputs(*sep == ',' ? "} " : " ", p->out);
}

static const char *end_of(const struct prom *p)
{
	return p->type == PROM_COUNTER ? "_total" : "";
}

void prom_u64(struct prom *p, const struct prom_label *labels, __u64 value)
{
	begin(p, end_of(p), labels, NULL);
	fprintf(p->out, "%llu\n", value);
}

void prom_double(struct prom *p, const struct prom_label *labels, double value)
{
	begin(p, end_of(p), labels, NULL);
	fprintf(p->out, "%.12g\n", value);
}

static void put_ns(struct prom *p, __u64 ns)
{
	fprintf(p->out, "%llu.%09llu\n", ns / 1000000000, ns % 1000000000);
}

void prom_ns(struct prom *p, const struct prom_label *labels, __u64 ns)
{
	begin(p, end_of(p), labels, NULL);
	put_ns(p, ns);
}

/*
 * Times are whole ns, rounded down: those that are recorded as less than 2^n have taken less than
 * 2^n ns, so that buckets are exact.
 */
void prom_times(struct prom *p, const struct prom_label *labels, const struct probe_times *times)
{
	__u64 octave[HIST_OCTAVES], below = 0;
	char le[32];

	hist_octaves(&times->hist, octave);
	for (int i = 0; i < LAST; i++) {
		below += octave[i];
		if (i + 1 < FIRST)
			continue;
		snprintf(le, sizeof(le), "%.12g", (double)(2ULL << i) / 1e9);
		begin(p, "_bucket", labels, le);
		fprintf(p->out, "%llu\n", below);
	}
	for (int i = LAST; i < HIST_OCTAVES; i++)
		below += octave[i];
	begin(p, "_bucket", labels, "+Inf");
	fprintf(p->out, "%llu\n", below);
	begin(p, "_sum", labels, NULL);
	put_ns(p, times->sum_ns);
	begin(p, "_count", labels, NULL);
	fprintf(p->out, "%llu\n", below);
}

void prom_end(struct prom *p)
{
	if (p->open)
		fputs("# EOF\n", p->out);
}
