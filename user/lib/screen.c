// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "msg.h"
#include "screen.h"

bool screen_is_there(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

bool screen_has_utf8(void)
{
	return setlocale(LC_CTYPE, "") && !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static bool hold_errors(struct screen *s)
{
	s->errors = memfd_create("stderr", MFD_CLOEXEC);
	s->old_stderr = dup(STDERR_FILENO);
	return s->errors >= 0 && s->old_stderr >= 0 && dup2(s->errors, STDERR_FILENO) >= 0;
}

static void release_errors(struct screen *s)
{
	off_t from = 0;
	char buf[512];
	ssize_t n;

	if (s->errors < 0 || s->old_stderr < 0)
		return;
	dup2(s->old_stderr, STDERR_FILENO);
	while ((n = pread(s->errors, buf, sizeof(buf), from)) > 0) {
		if (write(STDERR_FILENO, buf, (size_t)n) < 0)
			break;
		from += n;
	}
}

static bool wait_for(struct screen *s, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return !epoll_ctl(s->fd, EPOLL_CTL_ADD, fd, &event);
}

static bool prepare(struct screen *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->signals >= 0 && s->fd >= 0 && wait_for(s, s->signals) && wait_for(s, STDIN_FILENO))
		return true;
	msg_errno(errno, "preparing the screen", NULL);
	return false;
}

static void choose_colours(void)
{
	if (getenv("NO_COLOR") || !has_colors())
		return;
	start_color();
	use_default_colors();
	init_pair(SCREEN_TITLE, COLOR_CYAN, -1);
	init_pair(SCREEN_BAD, COLOR_RED, -1);
}

bool screen_open(struct screen *s)
{
	const char *type = getenv("TERM");

	*s = (struct screen){ .errors = -1, .old_stderr = -1, .signals = -1, .fd = -1 };
	if (!prepare(s))
		return false;
	s->terminal = newterm(NULL, stdout, stdin);
	if (!s->terminal) {
		msg_error(type ? type : "TERM", type ? "no such type of terminal" : "is not set",
			  "set TERM, as with TERM=xterm");
		return false;
	}
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	curs_set(0);
	choose_colours();
	if (hold_errors(s))
		return true;
	msg_errno(errno, "preparing the screen", NULL);
	return false;
}

void screen_close(struct screen *s)
{
	if (s->terminal) {
		endwin();
		delscreen(s->terminal);
	}
	release_errors(s);
	if (s->errors >= 0)
		close(s->errors);
	if (s->old_stderr >= 0)
		close(s->old_stderr);
	if (s->signals >= 0)
		close(s->signals);
	if (s->fd >= 0)
		close(s->fd);
}

int screen_rows(void)
{
	return LINES;
}

int screen_columns(void)
{
	return COLS;
}

static int gone(void)
{
	msg_error("the terminal", "is gone", NULL);
	return SCREEN_GONE;
}

static int take_signal(const struct screen *s)
{
	struct signalfd_siginfo info;
	struct winsize size;

	if (read(s->signals, &info, sizeof(info)) != sizeof(info))
		return SCREEN_NO_KEY;
	if (info.ssi_signo == SIGHUP)
		return gone();
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col)
		resizeterm(size.ws_row, size.ws_col);
	return SCREEN_RESIZED;
}

int screen_key(struct screen *s)
{
	struct termios mode;
	int key = take_signal(s);

	if (key != SCREEN_NO_KEY)
		return key;
	key = getch();
	switch (key) {
	case ERR:
		return tcgetattr(STDIN_FILENO, &mode) ? gone() : SCREEN_NO_KEY;
	case KEY_UP:
		return SCREEN_UP;
	case KEY_DOWN:
		return SCREEN_DOWN;
	case KEY_LEFT:
		return SCREEN_LEFT;
	case KEY_RIGHT:
		return SCREEN_RIGHT;
	case KEY_PPAGE:
		return SCREEN_PAGE_UP;
	case KEY_NPAGE:
		return SCREEN_PAGE_DOWN;
	case KEY_HOME:
		return SCREEN_HOME;
	}
	return key && key < 256 ? key : SCREEN_OTHER;
}

void screen_clear(void)
{
	erase();
}

void screen_line(int y, enum screen_style style, const char *text)
{
	attr_t attributes = style == SCREEN_HEAD ? A_REVERSE : A_NORMAL;

	if (style == SCREEN_TITLE || style == SCREEN_BAD)
		attributes = A_BOLD | (attr_t)COLOR_PAIR(style);
	attrset((int)attributes);
	mvaddstr(y, 0, text);
	attrset(A_NORMAL);
}

void screen_show(void)
{
	refresh();
}
