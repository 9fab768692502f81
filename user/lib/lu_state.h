/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel says that it has preserved for the next one (outgoing) and got from the last
 * one (incoming): /sys/kernel/debug/liveupdate_sessions and iommu_liveupdate as two trees.
 *
 * A node is a line there: a word that tells what it is, perhaps the object's name, and
 * words "key=value". Lines and keys that are not known here are kept.
 */
#ifndef IOX_LU_STATE_H
#define IOX_LU_STATE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define LU_MAX_WORDS 24

enum lu_direction { LU_OUTGOING, LU_INCOMING, LU_NR_DIRECTIONS };

struct lu_word {
	const char *key, *value;
};

struct lu_node {
	const char *what;	/* "session", "file", "device", ... */
	const char *object;	/* "0000:00:04.0", or NULL */
	struct lu_word words[LU_MAX_WORDS];
	int nr_words;
	struct lu_node *child;	/* the first of the lines that belong to it */
	struct lu_node *next;	/* the next one that belongs to the same node */
};

/*
 * The children of @sessions are sessions, their children are files. @iommu has the totals in
 * words of its own; its children are IOMMUs, domains and devices.
 */
struct lu_half {
	struct lu_node sessions, iommu;
};

struct lu_state {
	struct lu_half half[LU_NR_DIRECTIONS];
	char *text[2];
};

extern const char *const lu_direction_name[LU_NR_DIRECTIONS];

/* Has this kernel live update, and is it on? If not, a message has been given. */
bool lu_is_on(void);

/* May this process read it? */
bool lu_state_is_readable(void);

/* False: a message has been given. */
bool lu_state_read(struct lu_state *state);
void lu_state_free(struct lu_state *state);

/* The value of @key, or NULL. */
const char *lu_word(const struct lu_node *node, const char *key);

/* The value of @key as a number, 0 if there is none. */
__u64 lu_number(const struct lu_node *node, const char *key);

/*
 * Did sessions come that nobody has looked for yet? The kernel reads them when /dev/liveupdate is
 * opened for the first time, and needs all that knows their files by then.
 */
bool lu_is_unread(const struct lu_state *state);

/* Does this line stand for something that could not be read? */
bool lu_is_damaged(const struct lu_node *node);

/* The session of this name, or NULL. */
const struct lu_node *lu_find_session(const struct lu_state *state, enum lu_direction direction,
				      const char *name);

/* The file of this token in a session, or NULL. */
const struct lu_node *lu_find_file(const struct lu_node *session, __u64 token);

/* Has a session preserved the memfd with this inode for the next kernel? */
bool lu_has_memfd(const struct lu_state *state, __u64 ino);

/* Cuts the version off the handler of a file: "memfd", "iommufd", "vfio-pci". */
void lu_file_kind(const struct lu_node *file, char *kind, size_t size);

#endif
