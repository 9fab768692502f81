/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The whole screen of a terminal, with ncurses: lines are put on it, keys come from it, its size
 * may change, and it may go away. What is printed to standard error meanwhile would spoil it, and
 * comes out when it is closed.
 */
#ifndef IOX_LIB_SCREEN_H
#define IOX_LIB_SCREEN_H

#include <stdbool.h>

/* How a line looks; colours only if the terminal has them and NO_COLOR is not set. */
enum screen_style {
	SCREEN_PLAIN,
	SCREEN_TITLE,
	SCREEN_HEAD,
	SCREEN_BAD,
};

/* What screen_key() gives besides characters */
enum screen_key {
	SCREEN_GONE = -1,	/* no terminal any more: the message is given */
	SCREEN_NO_KEY = 0,
	SCREEN_UP = 256,
	SCREEN_DOWN,
	SCREEN_LEFT,
	SCREEN_RIGHT,
	SCREEN_PAGE_UP,
	SCREEN_PAGE_DOWN,
	SCREEN_HOME,
	SCREEN_RESIZED,
	SCREEN_OTHER,		/* any other key */
};

struct screen {
	void *terminal;		/* SCREEN of ncurses */
	int errors;		/* what was printed to standard error */
	int old_stderr;
	int signals;
	int fd;			/* readable: call screen_key() until SCREEN_NO_KEY */
};

/* Whether both standard input and standard output are a terminal */
bool screen_is_there(void);

/* Whether the locale lets us print more than ASCII. Sets the locale's characters. */
bool screen_has_utf8(void);

/* False: message given. screen_close() is due in any case. */
bool screen_open(struct screen *s);
void screen_close(struct screen *s);

int screen_rows(void);
int screen_columns(void);
int screen_key(struct screen *s);

void screen_clear(void);
/* Puts @text at the left of row @y, which begin with 0. */
void screen_line(int y, enum screen_style style, const char *text);
/* All that was put since screen_clear() becomes visible. */
void screen_show(void);

#endif
