// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "leak.h"

#define TRIES 200
#define TRY_NS 10000000
#define SAMPLES 500
#define SAMPLE_NS 1000000

/* Reads "KEY[:] NUMBER" from a file of such lines. */
static long read_key(const char *path, const char *key)
{
	size_t length = strlen(key);
	char line[256];
	long value = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, length))
			continue;
		value = strtol(line + length + strspn(line + length, ": \t"),
			       NULL, 10);
		break;
	}
	fclose(f);
	return value;
}

static long read_number(const char *path)
{
	return read_key(path, "");
}

/* The counters are kept per CPU; this folds them into what vmstat shows. */
static void refresh_vmstat(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		perror("stat_refresh");
	close(fd);
}

long leak_pins(void)
{
	refresh_vmstat();
	return read_key("/proc/vmstat", "nr_foll_pin_acquired ") -
	       read_key("/proc/vmstat", "nr_foll_pin_released ");
}

long leak_charged_kb(void)
{
	return read_key("/proc/self/status", "VmPin");
}

long leak_slab_kb(void)
{
	return read_key("/proc/meminfo", "SUnreclaim");
}

long leak_iommu_pages(void)
{
	return read_key("/proc/vmstat", "nr_iommu_pages ");
}

static void read_counters(struct leak_mark *mark)
{
	mark->pins = leak_pins();
	mark->iommu_pages = leak_iommu_pages();
	mark->module_refs = read_number("/sys/module/iommufd/refcnt");
	mark->charged_kb = leak_charged_kb();
}

/*
 * File I/O of others pins pages too, for moments, which on a busy host can be
 * long. Mostly nothing is pinned for longer; if something is, what lasts is the
 * least of many samples.
 */
void leak_mark(struct leak_mark *mark)
{
	const struct timespec nap = { .tv_nsec = SAMPLE_NS };
	long pins;

	read_counters(mark);
	for (int i = 1; i < SAMPLES && mark->pins; i++) {
		nanosleep(&nap, NULL);
		pins = leak_pins();
		if (pins < mark->pins)
			mark->pins = pins;
	}
}

long leak_pins_settled(long want)
{
	const struct timespec nap = { .tv_nsec = TRY_NS };
	long pins = leak_pins();

	for (int i = 0; i < TRIES && pins != want; i++) {
		nanosleep(&nap, NULL);
		pins = leak_pins();
	}
	return pins;
}

static const char *compare(const struct leak_mark *before,
			   const struct leak_mark *now)
{
	static char text[256];

	if (!memcmp(before, now, sizeof(*before)))
		return NULL;
	snprintf(text, sizeof(text),
		 "pinned pages %+ld, I/O page-table pages %+ld, module users %+ld, charged KiB %+ld",
		 now->pins - before->pins,
		 now->iommu_pages - before->iommu_pages,
		 now->module_refs - before->module_refs,
		 now->charged_kb - before->charged_kb);
	return text;
}

const char *leak_check(const struct leak_mark *mark)
{
	const struct timespec nap = { .tv_nsec = TRY_NS };
	struct leak_mark now;

	for (int i = 0; i < TRIES; i++) {
		read_counters(&now);
		if (!compare(mark, &now))
			return NULL;
		nanosleep(&nap, NULL);
	}
	return compare(mark, &now);
}
