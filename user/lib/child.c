// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "msg.h"

static void close_pair(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static void __attribute__((noreturn)) child_main(char **argv, const sigset_t *mask, int go,
						 int exec_errno)
{
	char byte;
	int err;

	/* End of file instead of a byte: there will be no run. */
	if (read(go, &byte, 1) != 1)
		_exit(0);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	err = errno;
	if (write(exec_errno, &err, sizeof(err)) != sizeof(err))
		_exit(126);
	_exit(127);
}

bool child_fork(struct child *c, char **argv, const sigset_t *mask)
{
	int go[2], failed[2], err;

	if (pipe2(go, O_CLOEXEC)) {
		msg_errno(errno, "pipe", NULL);
		return false;
	}
	if (pipe2(failed, O_CLOEXEC)) {
		msg_errno(errno, "pipe", NULL);
		close_pair(go);
		return false;
	}
	c->pid = fork();
	if (!c->pid) {
		/*
		 * Our own copy of the writing end would keep the read below from seeing the
		 * parent's end.
		 */
		close(go[1]);
		child_main(argv, mask, go[0], failed[1]);
	}
	err = errno;
	close(go[0]);
	close(failed[1]);
	c->go = go[1];
	c->exec_errno = failed[0];
	c->pidfd = -1;
	if (c->pid > 0) {
		c->pidfd = pidfd_open(c->pid, 0);
		err = errno;
	}
	if (c->pidfd >= 0)
		return true;
	msg_errno(err, c->pid < 0 ? "fork" : "pidfd_open", NULL);
	child_wait(c);
	return false;
}

int child_go(struct child *c)
{
	int err = 0;

	if (write(c->go, "", 1) != 1)
		return errno;
	if (read(c->exec_errno, &err, sizeof(err)) != sizeof(err))
		return 0;
	return err;
}

int child_wait(struct child *c)
{
	int status = 0;

	close(c->go);
	close(c->exec_errno);
	if (c->pidfd >= 0)
		close(c->pidfd);
	while (c->pid > 0 && waitpid(c->pid, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
