/* SPDX-License-Identifier: GPL-2.0 */
/* Recorded requests in a file, a line each; docs/iox.md has the format. */
#ifndef IOX_LIB_TRACE_FILE_H
#define IOX_LIB_TRACE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

enum trace_op {
	TRACE_MAP,
	TRACE_MAP_FILE,
	TRACE_COPY,
	TRACE_UNMAP,
	TRACE_DESTROY,
	TRACE_NR_OPS
};

/* As they are in files, and shown to people. */
extern const char *const trace_op_name[TRACE_NR_OPS];

enum trace_prot {
	TRACE_READ = 1U << 0,
	TRACE_WRITE = 1U << 1,
};

enum trace_backing {
	TRACE_USER,
	TRACE_FILE,
	TRACE_DMABUF,
	TRACE_NR_BACKINGS
};

/* Numbers of spaces are below this, so that they can be indices. */
#define TRACE_MAX_SPACES (1U << 20)

struct trace_request {
	__u64 t_ns;		/* since recording began */
	enum trace_op op;
	__u32 space;		/* one for each IOAS of each context, from 1 */
	__u64 iova;		/* where it was mapped, or is to be unmapped */
	__u64 length;
	__u64 addr;		/* user address, or offset in the file */
	__u64 hint;		/* 0: none */
	bool fixed;
	__u32 prot;
	__u32 backing;
	__u32 run;		/* log2 of how contiguous the memory is; 0: unknown */
	int err;		/* 0 or a negative errno */
	int pid;
	char comm[16];
};

struct trace_file;

static inline bool trace_is_map(enum trace_op op)
{
	return op == TRACE_MAP || op == TRACE_MAP_FILE || op == TRACE_COPY;
}

/* NULL and false: with the message given. What could not be written is told at the latest by close. */
struct trace_file *trace_file_create(const char *path);
bool trace_file_write(struct trace_file *f, const struct trace_request *req);

/* A file whose first line is not that of a trace is not opened. */
struct trace_file *trace_file_open(const char *path);

/* 1, 0 at the end, or -1 with the message given. */
int trace_file_read(struct trace_file *f, struct trace_request *req);

bool trace_file_close(struct trace_file *f);

/* All requests of a file, in memory. */
struct trace {
	const char *path;
	struct trace_request *list;
	size_t nr;
	__u32 spaces;		/* the highest number of one */
};

/* False with the message given. The path must stay. */
bool trace_load(struct trace *trace, const char *path);
void trace_free(struct trace *trace);

#endif
