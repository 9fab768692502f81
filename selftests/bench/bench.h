/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The benchmark: what iommufd costs with a VT-d domain attached, so that every
 * map writes I/O page tables. docs/benchmarks.md is the manual.
 */
#ifndef IOX_BENCH_H
#define IOX_BENCH_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define MIB (1UL << 20)
#define GIB (1UL << 30)

/* Where cases map: past 4 GiB, so that nothing reserved is near. */
#define MAP_AT (4 * GIB)

struct bench {
	bool quick;		/* smaller sizes, for trying things out */
	bool threads;		/* several threads too */
	int nr_names;		/* run only cases whose name begins with one */
	char **names;
};

/* Nanoseconds; where the VM counts instructions, these are instructions. */
__u64 now(void);

/* The middle one of @nr values, which get sorted. */
double median(double *values, size_t nr);

/* Was this case asked for? */
bool wanted(const struct bench *bench, const char *name);

/* One result, as one line of JSON; @unit is "clock" or "bytes". */
void report(const char *name, const char *unit, double value);

/* For what the kernel does not have: @error is the negative errno. */
void report_missing(const char *name, int error);

/* Is this the errno of a kernel that does not have the call? */
bool is_missing(int error);

/* Ends the program over a call that had to work: @error is a negative errno. */
void check(int error, const char *what);

/* --- memory to map --------------------------------------------------------- */

enum memory_kind {
	MEMORY_SMALL,		/* 4 KiB pages, as they come */
	MEMORY_SCATTERED,	/* the same, no two neighbours contiguous */
	MEMORY_THP,
	MEMORY_HUGETLB,		/* by user address */
	MEMORY_FILE,		/* a memfd of 2 MiB pages, by file */
	MEMORY_FILE_SMALL,	/* a memfd of 4 KiB pages, by file */
	MEMORY_KINDS,
};

struct memory {
	enum memory_kind kind;
	size_t length;
	void *va;
	int fd;			/* -1 if it is mapped by user address */
};

const char *memory_name(enum memory_kind kind);

/* All pages are there afterwards. @length is a power of two. */
void memory_open(struct memory *memory, enum memory_kind kind, size_t length);
void memory_close(struct memory *memory);

/* --- iommufd with devices --------------------------------------------------- */

#define RIG_MAX 4

/* A context with edu devices, each attached to an IOAS of its own. */
struct rig {
	int fd;
	int nr;
	__u32 ioas[RIG_MAX];
	int device[RIG_MAX];
	__u32 device_id[RIG_MAX];
};

/* With @attach, device i is attached to ioas[i]. */
void rig_open(struct rig *rig, int nr, bool attach);
void rig_close(struct rig *rig);

/* The PCI name of device @i, which has room for it. */
void rig_device_name(int i, char *name);

/* Maps the first @length bytes at @iova, by user address or by file. */
int rig_map(struct rig *rig, int i, const struct memory *memory, size_t length,
	    __u64 iova);

/* --- IOVA policies ----------------------------------------------------------- */

/* Puts a policy in force that calls one kfunc; false if there are none here. */
bool policy_start(void);
void policy_stop(void);

/* --- cases, one file a subject ---------------------------------------------- */

void bench_map(const struct bench *bench);
void bench_page(const struct bench *bench);
void bench_device(const struct bench *bench);
void bench_iova(const struct bench *bench);
void bench_domain(const struct bench *bench);
void bench_footprint(const struct bench *bench);

#endif
