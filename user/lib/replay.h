/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making the requests of a trace again. Who does so says how something is mapped and unmapped; what
 * is kept here is which mapping of the trace is which mapping now, as IOVAs may differ.
 */
#ifndef IOX_LIB_REPLAY_H
#define IOX_LIB_REPLAY_H

#include <stdbool.h>
#include <linux/types.h>

#include "spans.h"
#include "trace_file.h"

/* Something that is mapped. */
struct replay_area {
	struct span recorded;	/* IOVAs in the trace; has to be the first member */
	struct span now;	/* IOVAs here; in no spans but those of who replays */
	__u64 addr;
	__u32 run;
};

/* An IOAS. */
struct replay_space {
	__u32 ioas;		/* 0: there is none now */
	struct spans areas;	/* by their IOVAs in the trace */
};

struct replay;

struct replay_ops {
	/* An IOAS has been made. 0 or a negative errno. */
	int (*space_new)(struct replay *r, __u32 space);
	/* Maps as @req says, and fills in area->now.start. 0 or a negative errno. */
	int (*map)(struct replay *r, const struct trace_request *req, struct replay_area *area);
	/* Unmaps @area: by an ioctl, or since its IOAS is going to be destroyed. */
	int (*unmap)(struct replay *r, __u32 space, struct replay_area *area, bool destroyed);
	/* An IOAS has been destroyed; nothing is mapped in it. */
	void (*space_gone)(struct replay *r, __u32 space);
	/* A request has been made. @err: 0 or a negative errno. May be NULL. */
	void (*done)(struct replay *r, const struct trace_request *req, int err);
	/* Requests that had failed when they were recorded are made, too. */
	bool make_failed;
};

struct replay {
	const struct replay_ops *ops;
	int fd;				/* of /dev/iommu */
	struct replay_space *spaces;	/* by number */
	__u32 nr_spaces;
	__u64 maps, unmaps;		/* requests that have been made */
	__u64 skipped;			/* those that could not be */
};

/*
 * Makes all requests of @trace; r->ops and r->fd are set, the rest is zero. 0, or a negative errno
 * if it could not go on. What is mapped at the end stays so until replay_free().
 */
int replay_run(struct replay *r, const struct trace *trace);

/* Destroys what is left. */
void replay_free(struct replay *r);

#endif
