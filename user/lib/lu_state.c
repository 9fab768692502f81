// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lu_state.h"
#include "msg.h"

#define DEBUGFS "/sys/kernel/debug"
#define SESSIONS DEBUGFS "/liveupdate_sessions"
#define IOMMU DEBUGFS "/iommu_liveupdate"

const char *const lu_direction_name[LU_NR_DIRECTIONS] = { "outgoing", "incoming" };

bool lu_is_on(void)
{
	if (!access("/dev/liveupdate", F_OK))
		return true;
	msg_error("live update", "is off", "boot with kho=on liveupdate=on");
	return false;
}

/* --- looking things up ---------------------------------------------------- */

const char *lu_word(const struct lu_node *node, const char *key)
{
	for (int i = 0; i < node->nr_words; i++)
		if (!strcmp(node->words[i].key, key))
			return node->words[i].value;
	return NULL;
}

__u64 lu_number(const struct lu_node *node, const char *key)
{
	const char *value = lu_word(node, key);

	return value ? strtoull(value, NULL, 0) : 0;
}

bool lu_is_unread(const struct lu_state *state)
{
	const struct lu_node *n = state->half[LU_INCOMING].sessions.child;

	while (n && strcmp(n->what, "unread"))
		n = n->next;
	return n;
}

bool lu_is_damaged(const struct lu_node *node)
{
	return !strncmp(node->what, "damaged", 7) || !strncmp(node->what, "unreadable", 10);
}

const struct lu_node *lu_find_session(const struct lu_state *state, enum lu_direction direction,
				      const char *name)
{
	const struct lu_node *n = state->half[direction].sessions.child;

	while (n && strcmp(lu_word(n, "name") ?: "", name))
		n = n->next;
	return n;
}

const struct lu_node *lu_find_file(const struct lu_node *session, __u64 token)
{
	const struct lu_node *n = session ? session->child : NULL;

	while (n && (strcmp(n->what, "file") || lu_number(n, "token") != token))
		n = n->next;
	return n;
}

static bool file_has_memfd(const struct lu_node *file, __u64 ino)
{
	for (const struct lu_node *n = file->child; n; n = n->next)
		if (!strcmp(n->what, "memfd") && lu_word(n, "ino") && lu_number(n, "ino") == ino)
			return true;
	return false;
}

bool lu_has_memfd(const struct lu_state *state, __u64 ino)
{
	const struct lu_node *s = state->half[LU_OUTGOING].sessions.child;

	for (; s; s = s->next)
		for (const struct lu_node *file = s->child; file; file = file->next)
			if (file_has_memfd(file, ino))
				return true;
	return false;
}

void lu_file_kind(const struct lu_node *file, char *kind, size_t size)
{
	char *version;

	snprintf(kind, size, "%s", lu_word(file, "handler") ?: "?");
	version = strrchr(kind, '-');
	if (version && version[1] == 'v')
		*version = 0;
}

/* --- parsing -------------------------------------------------------------- */

static void add_child(struct lu_node *parent, struct lu_node *node)
{
	struct lu_node **end = &parent->child;

	while (*end)
		end = &(*end)->next;
	*end = node;
}

/* Of a name, the kernel writes some characters as a backslash and three octal digits. */
static const char *unescape(char *text)
{
	unsigned int c;
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (*from == '\\' && sscanf(from + 1, "%3o", &c) == 1) {
			*to = c;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = 0;
	return text;
}

/* Takes the words of the rest of a line. A name is last and may have blanks in it. */
static void parse_words(struct lu_node *node, char *rest)
{
	char *word, *value;

	while (rest && node->nr_words < LU_MAX_WORDS) {
		if (!strncmp(rest, "name=", 5)) {
			node->words[node->nr_words++] = (struct lu_word){ "name",
									  unescape(rest + 5) };
			return;
		}
		word = strsep(&rest, " ");
		value = strchr(word, '=');
		if (value) {
			*value = 0;
			node->words[node->nr_words++] = (struct lu_word){ word, value + 1 };
		} else if (*word && !node->object) {
			node->object = word;
		}
	}
}

static struct lu_node *new_node(const char *what, char *rest)
{
	struct lu_node *node = calloc(1, sizeof(*node));

	if (!node) {
		msg_errno(ENOMEM, "live update", NULL);
		return NULL;
	}
	node->what = what;
	parse_words(node, rest);
	return node;
}

/* Cuts the direction off; false for lines that are of neither. */
static bool parse_direction(char **line, enum lu_direction *direction)
{
	const char *word = strsep(line, " ");

	*direction = strcmp(word, lu_direction_name[LU_INCOMING]) ? LU_OUTGOING : LU_INCOMING;
	return *line && !strcmp(word, lu_direction_name[*direction]);
}

/* What a line of liveupdate_sessions belongs to. */
struct place {
	struct lu_node *session, *file;
};

static bool add_session_line(struct lu_half *half, struct place *place, char *rest)
{
	const char *what = strsep(&rest, " ");
	struct lu_node *node = new_node(what, rest);

	if (!node)
		return false;
	if (!strcmp(what, "session")) {
		add_child(&half->sessions, node);
		*place = (struct place){ .session = node };
	} else if (!strcmp(what, "file") && place->session) {
		add_child(place->session, node);
		place->file = node;
	} else {
		add_child(place->file ?: place->session ?: &half->sessions, node);
	}
	return true;
}

static bool parse_sessions(struct lu_state *state, char *text)
{
	struct place place[LU_NR_DIRECTIONS] = {};
	enum lu_direction d;
	char *line;

	while ((line = strsep(&text, "\n")))
		if (parse_direction(&line, &d) && !add_session_line(&state->half[d], &place[d], line))
			return false;
	return true;
}

static bool add_iommu_line(struct lu_half *half, char *rest)
{
	const char *space = strchrnul(rest, ' '), *what;
	struct lu_node *node;

	/* The totals have no word before the first number. */
	if (memchr(rest, '=', space - rest)) {
		parse_words(&half->iommu, rest);
		return true;
	}
	what = strsep(&rest, " ");
	node = new_node(what, rest);
	if (!node)
		return false;
	add_child(&half->iommu, node);
	return true;
}

static bool parse_iommu(struct lu_state *state, char *text)
{
	enum lu_direction d;
	char *line;

	while ((line = strsep(&text, "\n")))
		if (parse_direction(&line, &d) && !add_iommu_line(&state->half[d], line))
			return false;
	return true;
}

/* --- reading -------------------------------------------------------------- */

static bool is_mounted(void)
{
	struct statfs fs;

	return !statfs(DEBUGFS, &fs) && fs.f_type == DEBUGFS_MAGIC;
}

static void say_unreadable(const char *path, int err)
{
	if (err == EACCES || err == EPERM)
		msg_errno(err, path, "run it as root");
	else if (err != ENOENT)
		msg_errno(err, path, NULL);
	else if (!is_mounted())
		msg_error(DEBUGFS, "is not mounted",
			  "run 'mount -t debugfs debugfs " DEBUGFS "'");
	else
		msg_error("this kernel", "does not tell what it preserves",
			  "boot the one of this tree ('make kernel')");
}

bool lu_state_is_readable(void)
{
	return !access(SESSIONS, R_OK);
}

/* All of a file, to be freed; NULL if a message has been given. */
static char *read_all(const char *path)
{
	size_t size = 0;
	char *text = NULL;
	FILE *f = fopen(path, "re");
	ssize_t got;

	if (!f) {
		say_unreadable(path, errno);
		return NULL;
	}
	errno = 0;
	got = getdelim(&text, &size, 0, f);
	if (got < 0 && (ferror(f) || !text)) {
		msg_errno(errno ?: ENOMEM, path, NULL);
		free(text);
		text = NULL;
	} else if (got < 0) {
		*text = 0;
	}
	fclose(f);
	return text;
}

bool lu_state_read(struct lu_state *state)
{
	*state = (struct lu_state){};
	if (!lu_is_on())
		return false;
	state->text[0] = read_all(SESSIONS);
	if (state->text[0])
		state->text[1] = read_all(IOMMU);
	if (state->text[1] && parse_sessions(state, state->text[0]) &&
	    parse_iommu(state, state->text[1]))
		return true;
	lu_state_free(state);
	return false;
}

static void free_children(struct lu_node *node)
{
	struct lu_node *next;

	for (struct lu_node *n = node->child; n; n = next) {
		next = n->next;
		free_children(n);
		free(n);
	}
}

void lu_state_free(struct lu_state *state)
{
	for (int d = 0; d < LU_NR_DIRECTIONS; d++) {
		free_children(&state->half[d].sessions);
		free_children(&state->half[d].iommu);
	}
	free(state->text[0]);
	free(state->text[1]);
	*state = (struct lu_state){};
}
