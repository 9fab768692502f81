/* SPDX-License-Identifier: GPL-2.0 */
/* The subcommands of iox rollout, and what drives one rollout on this host. */
#ifndef IOX_ROLLOUT_H
#define IOX_ROLLOUT_H

#include <stdbool.h>

#include "iox.h"
#include "lib/rollout_doc.h"
#include "lib/rollout_state.h"

struct rollout_watch;

int rollout_apply(int argc, char **argv);
int rollout_check(int argc, char **argv);
int rollout_forget(int argc, char **argv);
int rollout_restore(int argc, char **argv);
int rollout_run(int argc, char **argv);
int rollout_status(int argc, char **argv);

/* Options that several have */
struct rollout_options {
	const char *state;	/* folder */
	const char *machine;	/* file with the machine's id */
};

extern const struct argp_child rollout_children[];
#define ROLLOUT_DEFAULTS { .state = ROLLOUT_STATE_DIR, .machine = "/etc/machine-id" }

/* The number of this host in a rollout. False with the message given. */
bool rollout_host(const struct rollout_options *o, const char *name, __u32 *number);

/*
 * The object of a document, if it is what the digest and, where that is demanded, the signature
 * say. To be freed; NULL with the message given. @who gets the signer, empty if none is demanded.
 */
void *rollout_read_object(const struct rollout_doc *doc, size_t *size, char *who, size_t who_size);

/* --- one rollout ------------------------------------------------------------------ */

struct rollout_drive {
	const char *dir;		/* of states */
	struct rollout_doc doc;
	struct rollout_record rec;
	struct rollout_record written;	/* what is on disk */
	__u32 host;
	int lock;
	struct rollout_watch *watch;
	__u64 stepped_ms, written_ms;	/* CLOCK_MONOTONIC */
	bool has_stepped;
	enum rollout_place place;	/* after the last step */
	__u32 spaces;
	char taken_by[ROLLOUT_NAME_LEN];	/* who is in its place; empty: nobody */
	char said[512];			/* what went wrong last */
	char obstacle[512];		/* to what has to be put in force; empty: none */
};

/* False with @said: nothing has changed. */
bool rollout_drive_open(struct rollout_drive *d, const struct rollout_doc *doc,
			const struct rollout_options *o);
void rollout_drive_close(struct rollout_drive *d);

/* A step, if it is time for one. False with @said: it could not be done, and may be tried again. */
bool rollout_drive_step(struct rollout_drive *d);

/* The document is gone: what there is stays, and nothing goes on. */
bool rollout_drive_abandon(struct rollout_drive *d);

enum rollout_rest {
	ROLLOUT_GOES_ON,
	ROLLOUT_RESTS,		/* where the document wants it */
	ROLLOUT_FAILED,		/* where it does not */
};

enum rollout_rest rollout_drive_rest(const struct rollout_drive *d);

/* A line on standard error, with its priority for the journal if that is who reads it. */
void rollout_say(int priority, const char *name, const char *text);

#endif
