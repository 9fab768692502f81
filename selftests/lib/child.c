// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

pid_t child_start(void (*live)(int ready))
{
	int ready[2];
	ssize_t got;
	pid_t pid;
	char byte;

	if (pipe(ready))
		return -errno;
	pid = fork();
	if (!pid) {
		close(ready[0]);
		live(ready[1]);
		_exit(1);
	}
	close(ready[1]);
	got = pid < 0 ? 0 : read(ready[0], &byte, 1);
	close(ready[0]);
	if (pid < 0)
		return -EAGAIN;
	if (got == 1)
		return pid;
	waitpid(pid, NULL, 0);
	return -ECHILD;
}

void child_ready(int ready)
{
	if (write(ready, "", 1) != 1)
		_exit(1);
}

int child_kill(pid_t pid)
{
	int status;

	if (kill(pid, SIGKILL))
		return -errno;
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFSIGNALED(status) ? 0 : -ECHILD;
}

int child_kill_in(void (*live)(int ready), unsigned int delay_us)
{
	pid_t pid = child_start(live);

	if (pid < 0)
		return pid;
	usleep(delay_us);
	return child_kill(pid);
}
