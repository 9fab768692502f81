/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Metrics as Prometheus and OpenMetrics read them: families, each with its samples.
 *
 *	prom_family(p, "iox_map_bytes", PROM_COUNTER, "Memory mapped.");
 *	prom_u64(p, PROM_LABELS({ "op", "map" }), bytes);
 *
 * Counters get "_total" behind their names by themselves.
 */
#ifndef IOX_LIB_PROM_H
#define IOX_LIB_PROM_H

#include <stdbool.h>
#include <stdio.h>

#include "probe.h"

#define PROM_TEXT	"text/plain; version=0.0.4; charset=utf-8"
#define PROM_OPEN	"application/openmetrics-text; version=1.0.0; charset=utf-8"

enum prom_type { PROM_COUNTER, PROM_GAUGE, PROM_HISTOGRAM };

struct prom {
	FILE *out;
	bool open;		/* OpenMetrics rather than Prometheus's text */
	const char *family;
	enum prom_type type;
};

struct prom_label {
	const char *name, *value;
};

#define PROM_LABELS(...) ((const struct prom_label[]){ __VA_ARGS__, {} })
#define PROM_NO_LABELS ((const struct prom_label[]){ {} })

/* What comes now is of this family. */
void prom_family(struct prom *p, const char *name, enum prom_type type, const char *help);

void prom_u64(struct prom *p, const struct prom_label *labels, __u64 value);
void prom_double(struct prom *p, const struct prom_label *labels, double value);
/* In seconds */
void prom_ns(struct prom *p, const struct prom_label *labels, __u64 ns);
/* A bucket for each octave from 256 ns to 17 s, and what is longer */
void prom_times(struct prom *p, const struct prom_label *labels, const struct probe_times *times);

void prom_end(struct prom *p);

#endif
