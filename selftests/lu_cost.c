// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a live update costs: preserving and restoring an IOAS of so many GiB, to
 * which a few devices are attached. The same memory is mapped again and again.
 * scripts/bench-liveupdate calls this in both kernels:
 *
 *	leave GIB thp|small	preserves, prints what it took, and waits for the end
 *	arrive			brings all back, and prints what that took
 *
 * A line of JSON each; times in nanoseconds of the kernel's clock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/luo.h"
#include "lib/steps.h"

#define SESSION "lu_cost"
#define GIB (1ULL << 30)
#define MEMORY (256UL << 20)
#define AT (4 * GIB)
#define DEVICES 4
#define STATUS "/sys/kernel/debug/iommu_liveupdate"
#define SHMEM_HUGE "/sys/kernel/mm/transparent_hugepage/shmem_enabled"

enum token { MEMFD_TOKEN = 1, IOMMUFD_TOKEN, DEVICE_TOKEN };
#define HWPT_TOKEN 1

/* What calls of user space took */
struct took {
	__u64 memfd, iommufd, devices, finish;
};

/* What the kernel says about IOMMU, page tables and devices */
struct status {
	unsigned long long domains, tables, domains_ns, devices, devices_ns;
	unsigned long long owned_ns;
};

static __u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void read_status(const char *direction, struct status *status)
{
	FILE *f = fopen(STATUS, "re");
	char line[256], word[16];

	need(f ? 0 : -errno, STATUS);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line,
			   "%15s domains=%llu tables=%llu domains_ns=%llu devices=%llu devices_ns=%llu owned_ns=%llu",
			   word, &status->domains, &status->tables,
			   &status->domains_ns, &status->devices,
			   &status->devices_ns, &status->owned_ns) == 7 &&
		    !strcmp(word, direction))
			break;
	fclose(f);
	need(status->domains ? 0 : -ENODATA, STATUS);
}

static void tell(const char *direction, const struct took *took)
{
	struct status status = { 0 };

	read_status(direction, &status);
	printf("{\"direction\": \"%s\", \"memfd_ns\": %llu, \"iommufd_ns\": %llu, \"device_files_ns\": %llu, \"finish_ns\": %llu, \"tables\": %llu, \"tables_ns\": %llu, \"devices\": %llu, \"devices_ns\": %llu, \"owned_ns\": %llu}\n",
	       direction, took->memfd, took->iommufd, took->devices,
	       took->finish, status.tables, status.domains_ns, status.devices,
	       status.devices_ns, status.owned_ns);
	fflush(stdout);
}

/* --- before -------------------------------------------------------------------- */

static int new_memory(bool huge)
{
	int memfd;
	char *va;

	need(sysfs_write(SHMEM_HUGE, huge ? "force" : "never"), SHMEM_HUGE);
	memfd = luo_memfd(MEMORY);
	need(memfd, "memfd");
	va = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	need(va == MAP_FAILED ? -errno : 0, "mmap");
	for (size_t i = 0; i < MEMORY; i += PAGE)
		va[i] = 1;
	munmap(va, MEMORY);
	return memfd;
}

static void attach_devices(int fd, __u32 ioas, __u32 *hwpt,
			   struct edu edu[DEVICES])
{
	char name[PCI_NAME_SIZE];
	__u32 pt;

	for (int i = 0; i < DEVICES; i++) {
		need(edu_find(i, name), "four edu devices");
		need(edu_open_name(&edu[i], name), name);
		need(edu_start(&edu[i], fd), "bind");
		if (!i)
			need(hwpt_alloc_paging(fd, edu[i].id, ioas, hwpt), "hwpt");
		pt = *hwpt;
		need(vfio_attach(edu[i].fd, &pt), "attach");
	}
}

/* Preserves a file, and returns how long that took. */
static __u64 preserve(int session, int fd, __u64 token)
{
	__u64 start = now();

	need(luo_preserve_fd(session, fd, token), "preserve");
	return now() - start;
}

static void leave(__u64 length, bool huge)
{
	int fd = iommufd_open(), memfd = new_memory(huge), session;
	struct took took = { 0 };
	struct edu edu[DEVICES];
	__u32 ioas, hwpt;

	need(fd, "iommufd");
	need(ioas_alloc(fd, &ioas), "ioas");
	attach_devices(fd, ioas, &hwpt, edu);
	for (__u64 at = 0; at < length; at += MEMORY)
		need(ioas_map_memfd(fd, ioas, memfd, MEMORY, AT + at), "map");
	need(hwpt_mark(fd, hwpt, HWPT_TOKEN), "mark");
	session = luo_create(SESSION);
	need(session, "session");
	took.memfd = preserve(session, memfd, MEMFD_TOKEN);
	took.iommufd = preserve(session, fd, IOMMUFD_TOKEN);
	for (int i = 0; i < DEVICES; i++)
		took.devices += preserve(session, edu[i].fd, DEVICE_TOKEN + i);
	tell("outgoing", &took);
	printf("left\n");
	fflush(stdout);
	for (;;)
		pause();
}

/* --- after --------------------------------------------------------------------- */

static __u64 retrieve(int session, __u64 token)
{
	__u64 start = now();

	need(luo_retrieve_fd(session, token), "retrieve");
	return now() - start;
}

static void arrive(void)
{
	char name[PCI_NAME_SIZE];
	struct took took = { 0 };
	int session;
	__u64 start;

	for (int i = 0; i < DEVICES; i++) {
		need(edu_find(i, name), "four edu devices");
		need(vfio_pci_claim(name), "vfio-pci");
	}
	session = luo_retrieve(SESSION);
	need(session, "session");
	took.memfd = retrieve(session, MEMFD_TOKEN);
	took.iommufd = retrieve(session, IOMMUFD_TOKEN);
	for (int i = 0; i < DEVICES; i++)
		took.devices += retrieve(session, DEVICE_TOKEN + i);
	start = now();
	need(luo_finish(session), "finish");
	took.finish = now() - start;
	tell("incoming", &took);
}

int main(int argc, char **argv)
{
	unsigned long gib = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;

	if (gib && !strcmp(argv[1], "leave"))
		leave(gib * GIB, !strcmp(argv[3], "thp"));
	if (argc == 2 && !strcmp(argv[1], "arrive")) {
		arrive();
		return 0;
	}
	fprintf(stderr, "usage: iox-lu-cost leave GIB thp|small | arrive\n");
	return 2;
}
