/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer: random calls into /dev/iommu, checked against a model of it.
 *
 * A world is what one thread plays with: contexts with IOASes, memory of its own
 * process and of child processes ("puppets") that do what they are told. For
 * each call the model says before it is made which answers are lawful, and
 * afterwards what has become of every page. Bytes behind IOVAs are read through
 * accesses, page tables are compared with what a process sees.
 *
 * A page of memory is a struct frame, wherever it is seen: the same frame can
 * be in a page table of a process, in a file, and pinned. The model knows which
 * one DMA must reach, also when no process sees it any more.
 *
 * What a world does depends on its seed only, never on ids, addresses or time.
 */
#ifndef IOX_FUZZ_H
#define IOX_FUZZ_H

#include <linux/iommufd.h>
#include <linux/types.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "iommufd_test.h"

#include "../lib/buffer.h"
#include "../lib/iommufd.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The IOVAs that a domain of the mock IOMMU can translate */
#define APERTURE_FIRST ((__u64)MOCK_APERTURE_START)
#define APERTURE_LAST ((__u64)MOCK_APERTURE_LAST)

/* Ids are given from the lowest: none gets as far as this. */
#define NO_ID 0x7fffff00U

/* A vector of pointers with room for a fixed number */
#define VEC(type, max) struct { unsigned int nr; type *at[max]; }
#define vec_full(v) ((v)->nr == ARRAY_SIZE((v)->at))
#define vec_add(v, p) ((v)->at[(v)->nr++] = (p))
#define vec_pick(w, v) ((v)->nr ? (v)->at[rnd(w, (v)->nr)] : NULL)
/* Order stays, so that what is picked later depends on the seed only. */
#define vec_del(v, p) do {						\
	unsigned int _i = 0, _nr = 0;					\
									\
	for (; _i < (v)->nr; _i++)					\
		if ((v)->at[_i] != (p))					\
			(v)->at[_nr++] = (v)->at[_i];			\
	(v)->nr = _nr;							\
} while (0)

struct world;

/* --- answers (log.c) ------------------------------------------------------- */

/*
 * What a call may answer. Without an errno it has to succeed. With one, it has
 * to fail; with several, each of them applies, and which one the kernel looks
 * at first is its own business.
 */
struct answer {
	unsigned int nr;
	int err[8];
	bool may_succeed;
	bool no_memory;		/* it may also have run out of it */
};

void may_fail(struct answer *lawful, int err);

#define LOG_LINES 20
#define LOG_WIDTH 200

struct log {
	char line[LOG_LINES][LOG_WIDTH];
	unsigned long next;
};

/* Begins the log line of the next call. */
void note(struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Adds to it. */
void note_more(struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Compares what a call returned (0 or a negative errno) with what is lawful, and
 * ends the program if it is not. Returns whether the call succeeded.
 */
bool judge(struct world *w, int rc, const struct answer *lawful);

/* The call has to succeed. */
void must_work(struct world *w, int rc);

/* Ends the program: what came back differs from what the model says. */
void mismatch(struct world *w, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* Ends the program: the fuzzer itself cannot go on. */
void broken(struct world *w, const char *what) __attribute__((noreturn));

/* --- memory (memory.c, file.c, process.c) ---------------------------------- */

/*
 * Each world has 8 MiB of addresses, in four blocks of 2 MiB: one whose memory
 * stays as it is, for IOASes that others attach domains to; one of small pages;
 * one of transparent huge pages; one of a hugetlbfs page.
 */
#define BLOCK_PAGES 512UL
enum { BLOCK_STABLE, BLOCK_SMALL, BLOCK_THP, BLOCK_HUGETLB, NR_BLOCKS };
#define ARENA_PAGES (NR_BLOCKS * BLOCK_PAGES)
#define ARENA_BASE 0x100000000000UL
#define ARENA_STRIDE (1UL << 30)
#define FILE_PAGES BLOCK_PAGES

struct frame {
	unsigned int refs;
	unsigned int pins;	/* pieces of memory that have it pinned */
	bool large;		/* may be part of a larger folio */
	union {
		__u8 bytes[PAGE];
		struct frame *next_free;
	};
};

struct file {
	struct world *w;
	int fd;			/* -1 when closed */
	unsigned int refs;
	__u32 holders;		/* mm numbers that have it open */
	unsigned long npages;
	bool hugetlb;
	struct frame *slot[FILE_PAGES];	/* NULL for a hole */
};

enum vkind { V_NONE, V_ANON, V_SHARED, V_PRIVATE };

/* A page of addresses of a process */
struct vpage {
	enum vkind kind;
	bool writable;
	bool thp;		/* may be part of a transparent huge page */
	__u32 vma;		/* pages of one VMA have the same */
	struct frame *frame;	/* V_ANON, V_PRIVATE: NULL when untouched */
	struct file *file;
	unsigned long index;	/* in the file */
};

/* A system call for a puppet; lies in memory that it shares with us */
struct errand {
	long nr;
	long arg[6];
	long result;
	__u8 buffer[512];
};

#define MAX_MMS 24

struct mm {
	struct world *w;
	unsigned int number;	/* 0 is the process of the world itself */
	bool alive;
	pid_t pid;
	int socket;
	int memory;		/* its /proc/PID/mem */
	struct errand *errand;
	struct vpage page[ARENA_PAGES];
};

struct frame *frame_new(struct world *w, bool large);
struct frame *frame_get(struct frame *frame);
void frame_put(struct world *w, struct frame *frame);

unsigned long arena_addr(const struct world *w, unsigned long page);
struct vpage *mm_vpage(struct mm *mm, unsigned long addr);
void vpage_drop(struct world *w, struct vpage *vp);

/* The frame that pinning finds at an address, or NULL for EFAULT. */
struct frame *mm_fault(struct mm *mm, unsigned long addr, bool write);

/*
 * The frame that a process sees, without changing that. False when it would get
 * a signal; a NULL frame is memory that nobody has written to.
 */
bool mm_peek(struct mm *mm, unsigned long addr, struct frame **frame);

/* Any system call, made by that process; 0 or more, or a negative errno. */
long mm_syscall(struct mm *mm, long nr, long a, long b, long c, long d, long e,
		long f);
int mm_ioctl(struct mm *mm, int fd, unsigned long request, void *arg,
	     size_t size);
void mm_store(struct mm *mm, unsigned long addr, const void *bytes,
	      size_t length);

/* Compares all that a process sees with the model. */
void mm_verify(struct mm *mm);
void mm_die(struct mm *mm);
void mm_kill(struct mm *mm);
void mm_unmap_pages(struct mm *mm, unsigned long first, unsigned long nr);

/* User addresses to map */
struct span {
	unsigned long addr;
	unsigned long length;
};

void memory_setup(struct world *w);
void memory_teardown(struct world *w);
struct mm *pick_mm(struct world *w, __u32 holders);

struct frame *file_frame(struct file *file, unsigned long index);
void file_put(struct file *file);
struct file *pick_file(struct world *w);

void op_mmap(struct world *w);
void op_munmap(struct world *w);
void op_mremap(struct world *w);
void op_mprotect(struct world *w);
void op_dontneed(struct world *w);
void op_store(struct world *w);
void op_file_new(struct world *w);
void op_file_close(struct world *w);
void op_file_truncate(struct world *w);
void op_file_punch(struct world *w);
void op_file_write(struct world *w);
void op_fork(struct world *w);
void op_kill(struct world *w);
void op_kill_in_call(struct world *w);

/* --- what is mapped (pages.c, space.c) -------------------------------------- */

struct pin {
	struct frame *frame;
	unsigned int users;
};

/* A piece of memory, as a map call names it; areas share it by copies. */
struct pages {
	struct world *w;
	unsigned int refs;
	struct mm *mm;		/* by address, or ... */
	struct file *file;	/* ... of a file */
	unsigned long base;	/* address or offset of its page 0 */
	unsigned long npages;
	bool writable;
	struct pin pin[];
};

struct pages *pages_of_mm(struct mm *mm, unsigned long addr, __u64 length,
			  bool writable);
struct pages *pages_of_file(struct file *file, __u64 start, __u64 length,
			    bool writable);
void pages_put(struct pages *pages);

/* Pins a range; false and the errno added when it cannot be. */
bool pages_acquire(struct pages *pages, unsigned long first, unsigned long last,
		   struct answer *lawful);
void pages_release(struct pages *pages, unsigned long first,
		   unsigned long last);

/* The frame that DMA to a page reaches, pinned for it if need be, or NULL. */
struct frame *pages_frame(struct pages *pages, unsigned long index,
			  struct answer *lawful);

struct area {
	struct ioas *ioas;
	__u64 iova;
	__u64 last;
	struct pages *pages;
	__u64 start;		/* of its first byte in pages */
	bool readable;
	bool writable;
};

struct range {
	__u64 first;
	__u64 last;
};

struct hwpt {
	struct ioas *ioas;
	__u32 id;
	unsigned int devices;
	bool automatic;
	bool dirty;
};

#define MAX_AREAS 40
#define MAX_RANGES 12
#define MAX_CLAIMS 256

struct ioas {
	struct ctx *ctx;
	__u32 id;
	VEC(struct area, MAX_AREAS) areas;
	VEC(struct hwpt, 6) hwpts;
	unsigned int nr_reserved;
	struct range reserved[MAX_RANGES];
	unsigned int nr_allowed;
	struct range allowed[MAX_RANGES];
	unsigned int nr_claims;	/* under areas, too */
	struct range claims[MAX_CLAIMS];
	unsigned int accesses;
	unsigned int pinning;	/* of those, with pins */
	bool small_pages;
	/*
	 * Others use it too: fixed IOVAs are inside of @window, nobody else's,
	 * and only memory is mapped that can always be pinned.
	 */
	bool common;
	struct range window;
};

struct device {
	struct ctx *ctx;
	__u32 stdev;
	__u32 idev;
	struct hwpt *hwpt;
	bool no_dirty;
};

/* A range that an access holds */
struct hold {
	__u32 id;
	__u64 iova;
	__u64 length;
};

struct access {
	struct ctx *ctx;
	struct ioas *ioas;
	int fd;
	bool pinning;
	VEC(struct hold, 8) holds;
};

struct ctx {
	struct world *w;
	int fd;			/* its number in all processes that have it */
	__u32 holders;		/* mm numbers of those */
	bool common;		/* made and closed by others */
	__u64 rlimit_mode;
	VEC(struct ioas, 4) ioases;
	VEC(struct device, 6) devices;
	VEC(struct access, 6) accesses;
};

__u64 area_length(const struct area *area);
unsigned long area_page(const struct area *area, __u64 iova);
struct area *area_at(struct ioas *ioas, __u64 iova);
struct area *area_add(const struct area *like);
void area_del(struct area *area);
void ioas_free(struct ioas *ioas);
__u64 ioas_align(const struct ioas *ioas);
unsigned int ioas_windows(const struct ioas *ioas, struct range *windows);
bool area_in(const struct ioas *ioas, __u64 first, __u64 last);
void expect_fixed(const struct ioas *ioas, __u64 iova, __u64 length,
		  __u64 start, struct answer *lawful);
void expect_auto(const struct ioas *ioas, __u64 length, __u64 start,
		 struct answer *lawful);
bool auto_is_sound(const struct ioas *ioas, __u64 iova, __u64 length,
		   __u64 start);
void expect_reserve(const struct ioas *ioas, __u64 first, __u64 last,
		    struct answer *lawful);
bool misaligned(const struct ioas *ioas, __u64 align);

/* Fills an area into all domains of its IOAS, or nothing of it. */
bool area_fill(struct area *area, struct answer *lawful);
void area_empty(struct area *area);

/* The same of all areas, for one more domain or one less. */
bool ioas_fill(struct ioas *ioas, struct answer *lawful);
void ioas_empty(struct ioas *ioas);

/* --- calls ------------------------------------------------------------------- */

/* ctx.c */
struct ctx *ctx_new(struct world *w, int fd, bool common);
void ctx_leave(struct ctx *ctx, unsigned int mm);
/* Frees it with everything in it, if nobody and no access holds it any more. */
void ctx_reap(struct ctx *ctx);
void ctx_close(struct ctx *ctx);
void lock_fork(struct world *w);
void unlock_fork(struct world *w);
struct ctx *pick_ctx(struct world *w);
struct ioas *pick_ioas(struct world *w);
struct ioas *ioas_new(struct ctx *ctx, __u32 id);
void op_ctx_open(struct world *w);
void op_ctx_close(struct world *w);
void op_ioas_alloc(struct world *w);
void op_destroy(struct world *w);
void op_ranges(struct world *w);
void op_allow(struct world *w);
void op_reserve(struct world *w);
void op_option(struct world *w);
void op_change_process(struct world *w);
void op_memory_limit(struct world *w);
void op_bad(struct world *w);
void ioas_verify_ranges(struct ioas *ioas);
void new_id(struct ctx *ctx, __u32 id);
/* A file of /dev/iommu that the world itself has open, for calls on an access. */
int any_fd(struct ctx *ctx);

/* map.c */
__u64 pick_iova(struct world *w, struct ioas *ioas, __u64 length);
struct span pick_span(struct world *w, bool stable);
void op_map(struct world *w);
void op_map_file(struct world *w);
void op_copy(struct world *w);
void op_unmap(struct world *w);
void unmap_all(struct ioas *ioas);

/* claim.c */
bool claim_in(const struct ioas *ioas, __u64 first, __u64 last);
/* How much of a range is claimed */
__u64 claims_bytes(const struct ioas *ioas, __u64 first, __u64 last);
/* Nothing of it is any more. */
void claims_cut(struct ioas *ioas, __u64 first, __u64 last);
void op_claim(struct world *w);

/* attach.c */
void op_attach(struct world *w);
void op_detach(struct world *w);
void op_replace(struct world *w);
void op_hwpt_alloc(struct world *w);
void op_check_map(struct world *w);
void op_check_refs(struct world *w);
void hwpt_verify(struct hwpt *hwpt, struct area *area);
void ioas_verify_gone(struct ioas *ioas, __u64 iova, __u64 last);
void device_forget(struct device *device);
void hwpt_forget(struct hwpt *hwpt);

/* dirty.c */
void op_dirty(struct world *w);

/* access.c */
void op_access_new(struct world *w);
void op_access_close(struct world *w);
void op_access_replace(struct world *w);
void op_access_read(struct world *w);
void op_access_write(struct world *w);
void op_access_pin(struct world *w);
void op_access_unpin(struct world *w);
/* An unmap or a detach has dropped what meets a range; or may have. */
void holds_dropped(struct ioas *ioas, __u64 first, __u64 last);
void holds_let_go(struct ioas *ioas, __u64 first, __u64 last);
void access_close(struct access *access);
void access_verify(struct access *access, struct area *area);
struct access *ioas_access(struct ioas *ioas);

/* --- the world (world.c) ------------------------------------------------------- */

/* What the worlds of a round have in common */
struct common {
	int fd;			/* a context */
	__u32 ioas;		/* an IOAS in which each has a window */
	struct range automatic;	/* where its automatic IOVAs come from */
	/*
	 * Held from a fork until the child has closed what it should not have,
	 * and over each close: what is closed is really closed then.
	 */
	pthread_mutex_t fork_lock;
};

#define HUGETLB_PAGES 16U

struct world {
	__u64 seed;
	unsigned int number;
	unsigned long ops;
	unsigned long op;	/* how many have been done */
	__u64 random;
	bool is_iox;
	struct common *common;	/* NULL when it is alone */
	struct log log;
	char *pool;		/* of frames; children do not get it */
	size_t pool_used;
	struct frame *free_frames;
	/* One that is truncated away may stay pinned, so each counts once. */
	unsigned int hugetlb_pages;
	__u32 next_vma;
	unsigned int nr_mms;
	struct mm *mm[MAX_MMS];
	VEC(struct file, 8) files;
	VEC(struct ctx, 4) ctxs;
};

/* What replays it, for messages. */
extern const char *fuzz_replay;

/* Some memory may lie where it cannot be pinned for long: see find_frame(). */
extern bool fuzz_has_cma;

/* Print each call once it has returned. */
extern bool fuzz_trace;

__u64 rnd64(struct world *w);
/* A number below @below */
__u64 rnd(struct world *w, __u64 below);
bool one_in(struct world *w, unsigned int n);
void random_bytes(struct world *w, void *bytes, size_t length);

void world_run(struct world *w);

#endif
