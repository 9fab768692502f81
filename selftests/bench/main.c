// SPDX-License-Identifier: GPL-2.0-only
/* What runs inside of the VM; "scripts/bench" boots it and compares kernels. */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"

__u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, size_t nr)
{
	qsort(values, nr, sizeof(*values), compare);
	return nr % 2 ? values[nr / 2] :
			(values[nr / 2 - 1] + values[nr / 2]) / 2;
}

bool wanted(const struct bench *bench, const char *name)
{
	for (int i = 0; i < bench->nr_names; i++)
		if (!strncmp(name, bench->names[i], strlen(bench->names[i])))
			return true;
	return !bench->nr_names;
}

void report(const char *name, const char *unit, double value)
{
	printf("{\"case\": \"%s\", \"unit\": \"%s\", \"value\": %.1f}\n", name,
	       unit, value);
	fflush(stdout);
}

void report_missing(const char *name, int error)
{
	printf("{\"case\": \"%s\", \"missing\": \"%s\"}\n", name,
	       strerror(-error));
	fflush(stdout);
}

bool is_missing(int error)
{
	return error == -ENOTTY || error == -EOPNOTSUPP;
}

void check(int error, const char *what)
{
	if (error < 0)
		errx(1, "%s: %s", what, strerror(-error));
}

static void usage(FILE *to)
{
	fprintf(to, "Usage: iox-bench [--quick] [--threads] [CASE]...\n\n"
		"Measure iommufd; one line of JSON a result. Needs four edu devices.\n"
		"CASE selects all cases whose names begin so.\n\n"
		"  --quick    smaller sizes\n"
		"  --threads  also with several threads\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' },
		{ "threads", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	struct bench bench = { };
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'q':
			bench.quick = true;
			break;
		case 't':
			bench.threads = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	bench.nr_names = argc - optind;
	bench.names = argv + optind;

	bench_page(&bench);
	bench_device(&bench);
	bench_iova(&bench);
	bench_map(&bench);
	bench_domain(&bench);
	bench_footprint(&bench);
	return 0;
}
