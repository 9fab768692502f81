// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../iox.h"
#include "msg.h"
#include "privilege.h"
#include "watch.h"

bool watch_open(struct watch *w, char **command)
{
	sigset_t set, blocked;

	*w = (struct watch){ .signals = -1, .timer = -1, .out = -1 };
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	blocked = set;
	/* Blocked rather than ignored: what is ignored, a command would inherit. */
	sigaddset(&blocked, SIGPIPE);
	sigprocmask(SIG_BLOCK, &blocked, &w->old_mask);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->signals < 0 || w->timer < 0) {
		msg_errno(errno, "signalfd, timerfd", NULL);
		return false;
	}
	if (command && !child_fork(&w->child, command, &w->old_mask))
		return false;
	w->command = command;
	return true;
}

bool watch_hang_up(struct watch *w)
{
	struct sigaction now;
	sigset_t set;

	/* What is ignored and blocked comes nevertheless. */
	if (sigaction(SIGHUP, NULL, &now) || now.sa_handler == SIG_IGN)
		return true;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (signalfd(w->signals, &set, 0) >= 0)
		return true;
	msg_errno(errno, "signalfd", NULL);
	return false;
}

int watch_pidfd(const struct watch *w)
{
	return w->command ? w->child.pidfd : -1;
}

__u64 watch_privileges(const struct watch *w)
{
	return w->command ? PRIVILEGE(KILL) : 0;
}

static bool start_timer(const struct watch *w, double interval)
{
	struct itimerspec every = {};

	every.it_interval.tv_sec = (time_t)interval;
	every.it_interval.tv_nsec = (long)((interval - floor(interval)) * 1e9);
	every.it_value = every.it_interval;
	if (!timerfd_settime(w->timer, 0, &every, NULL))
		return true;
	msg_errno(errno, "timerfd_settime", NULL);
	return false;
}

bool watch_start(struct watch *w, double interval, FILE *out)
{
	int err;

	w->out = fileno(out);
	if (!start_timer(w, interval))
		return false;
	err = w->command ? child_go(&w->child) : 0;
	if (err)
		msg_errno(err, w->command[0], NULL);
	return !err;
}

/* Whether it is to end */
static bool take_signal(struct watch *w)
{
	struct signalfd_siginfo info;

	if (read(w->signals, &info, sizeof(info)) != sizeof(info))
		return false;
	if (!w->command)
		return true;
	if (info.ssi_signo != SIGINT)
		kill(w->child.pid, (int)info.ssi_signo);
	/* Ctrl-C reaches the command by itself; we report once it has ended. */
	return false;
}

static bool take_tick(struct watch *w)
{
	__u64 ticks;

	return read(w->timer, &ticks, sizeof(ticks)) == sizeof(ticks);
}

enum watch_event watch_wait(struct watch *w, int fd)
{
	struct pollfd fds[] = {
		{ .fd = w->signals, .events = POLLIN },
		{ .fd = w->timer, .events = POLLIN },
		{ .fd = watch_pidfd(w), .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
		{ .fd = w->out },
	};

	for (;;) {
		if (poll(fds, 5, -1) < 0 && errno != EINTR) {
			msg_errno(errno, "poll", NULL);
			return WATCH_FAILED;
		}
		if (fds[0].revents && take_signal(w))
			return WATCH_END;
		if (fds[4].revents & POLLERR) {
			msg_errno(EPIPE, w->out == STDOUT_FILENO ? "standard output" : "output",
				  NULL);
			return WATCH_FAILED;
		}
		if (fds[2].revents)
			return WATCH_END;
		if (fds[1].revents && take_tick(w))
			return WATCH_TICK;
		if (fds[3].revents)
			return WATCH_READY;
	}
}

int watch_close(struct watch *w, bool ok)
{
	int status = IOX_OK;

	if (w->command)
		status = child_wait(&w->child);
	if (w->signals >= 0)
		close(w->signals);
	if (w->timer >= 0)
		close(w->timer);
	return ok || status ? status : IOX_FAILED;
}

double watch_seconds(const char *arg, const char *name, struct argp_state *state)
{
	double seconds;
	char *end;

	seconds = strtod(arg, &end);
	if (end == arg || *end || !isfinite(seconds) || seconds < 0.001 || seconds > 1e9)
		argp_error(state, "%s '%s': not a number of seconds from 0.001 up", name, arg);
	return seconds;
}
