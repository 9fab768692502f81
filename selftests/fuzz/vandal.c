// SPDX-License-Identifier: GPL-2.0-only
/*
 * Vandals. Their answers are not predicted one by one, but each call has a known
 * set of lawful ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vandal.h"

#define ROOM (16 * PAGE)

/* --- the test driver ------------------------------------------------------------------- */

int mock_attach(int fd, __u32 pt, __u32 *stdev, __u32 *hwpt)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = pt,
	};
	int rc = xioctl(fd, IOMMU_TEST_CMD, &cmd);

	*stdev = cmd.mock_domain.out_stdev_id;
	*hwpt = cmd.mock_domain.out_hwpt_id;
	return rc;
}

int mock_reserve(int fd, __u32 ioas, __u64 first, __u64 last)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_ADD_RESERVED,
		.id = ioas,
		.add_reserved = { .start = first, .length = last - first + 1 },
	};

	return xioctl(fd, IOMMU_TEST_CMD, &cmd);
}

/* --- attaching under load ----------------------------------------------------------------- */

/* Nothing is mapped that could stand in the way, so all of this has to work. */
static int attach_once(int fd, __u32 ioas)
{
	__u32 stdev[2], hwpt[2], elsewhere[2], back = ioas, other = 0;
	int rc;

	rc = ioas_alloc(fd, &other);
	rc = rc ?: mock_attach(fd, ioas, &stdev[0], &hwpt[0]);
	rc = rc ?: mock_attach(fd, hwpt[0], &stdev[1], &hwpt[1]);
	elsewhere[0] = elsewhere[1] = other;
	rc = rc ?: mock_replace(fd, stdev[0], &elsewhere[0]);
	rc = rc ?: mock_replace(fd, stdev[1], &elsewhere[1]);
	rc = rc ?: mock_replace(fd, stdev[0], &back);
	rc = rc ?: iommufd_destroy(fd, stdev[0]);
	rc = rc ?: iommufd_destroy(fd, stdev[1]);
	return rc ?: iommufd_destroy(fd, other);
}

void *vandal_attach(void *arg)
{
	static char wrong[80];
	struct vandal *vandal = arg;
	int rc = 0;

	while (!rc && !vandal->stop)
		rc = attach_once(vandal->common->fd, vandal->common->ioas);
	if (!rc)
		return NULL;
	snprintf(wrong, sizeof(wrong), "attaching under load failed with %s",
		 strerrorname_np(-rc));
	return wrong;
}

/* --- dying and closing -------------------------------------------------------------------- */

/* What a child says about what went wrong; only system calls are made there. */
struct verdict {
	const char *what;
	int rc;
};

static bool lawful_rc(int rc, const int *lawful)
{
	for (; *lawful; lawful++)
		if (rc == -*lawful)
			return true;
	return !rc;
}

static void insist(struct verdict *verdict, const char *what, int rc,
		   const int *lawful)
{
	if (lawful_rc(rc, lawful))
		return;
	verdict->rc = rc;
	verdict->what = what;
	_exit(1);
}

static const int nothing[] = { 0 };

/* Maps, attaches, detaches and unmaps until it is killed. */
static void __attribute__((noreturn))
restless(struct verdict *verdict, int fd, __u32 ioas, void *memory)
{
	static const int taken[] = { EEXIST, 0 };
	__u32 stdev, hwpt;

	for (__u64 at = APERTURE_FIRST;; at += ROOM) {
		insist(verdict, "map", ioas_map_fixed(fd, ioas, memory, ROOM,
						      at), taken);
		insist(verdict, "attach", mock_attach(fd, ioas, &stdev, &hwpt),
		       nothing);
		insist(verdict, "map", ioas_map_fixed(fd, ioas, memory, ROOM,
						      at + ROOM), taken);
		insist(verdict, "unmap", ioas_unmap(fd, ioas, at, ROOM),
		       nothing);
		insist(verdict, "detach", iommufd_destroy(fd, stdev), nothing);
	}
}

/* Closes and opens a context under the same number, over and over. */
static void reopen(struct verdict *verdict, int at)
{
	int fd = iommufd_open();
	__u32 ioas;

	insist(verdict, "open", fd < 0 ? fd : 0, nothing);
	if (dup2(fd, at) < 0 || close(fd))
		_exit(2);
	insist(verdict, "ioas alloc", ioas_alloc(at, &ioas), nothing);
	for (unsigned int i = 0; i < 4; i++)
		sched_yield();
	close(at);
}

/* Uses what the other one opens and closes. */
static void __attribute__((noreturn))
use(struct verdict *verdict, int fd, void *memory)
{
	static const int lawful[] = { EBADF, ENOENT, EEXIST, 0 };
	__u32 stdev, hwpt;

	for (;;) {
		insist(verdict, "map as it is closed",
		       ioas_map_fixed(fd, 1, memory, ROOM, APERTURE_FIRST),
		       lawful);
		insist(verdict, "attach as it is closed",
		       mock_attach(fd, 1, &stdev, &hwpt), lawful);
		insist(verdict, "unmap as it is closed",
		       ioas_unmap(fd, 1, APERTURE_FIRST, ROOM), lawful);
	}
}

/* Two processes with one table of files: one uses what the other one closes. */
static void __attribute__((noreturn))
open_and_close(struct verdict *verdict, void *memory)
{
	const int at = 100;
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	int status;

	if (pid < 0)
		_exit(2);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		use(verdict, at, memory);
	}
	for (unsigned int i = 0; i < 50; i++)
		reopen(verdict, at);
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		_exit(1);
	_exit(0);
}

static struct verdict *new_verdict(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* A child that has @kept open and nothing else; returns its pid, or 0 in it. */
static pid_t spawn(struct common *common, int kept)
{
	int ends[2];
	pid_t pid;
	char byte;

	pthread_mutex_lock(&common->fork_lock);
	if (pipe2(ends, O_CLOEXEC)) {
		pthread_mutex_unlock(&common->fork_lock);
		return -1;
	}
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (kept > 3)
			close_range(3, kept - 1, 0);
		close_range(kept + 1, ~0U, 0);
		return 0;
	}
	/* The end of file says that the child has closed what it got. */
	close(ends[1]);
	if (pid > 0 && read(ends[0], &byte, 1))
		pid = -1;
	close(ends[0]);
	pthread_mutex_unlock(&common->fork_lock);
	return pid;
}

static const char *tell(const struct verdict *verdict, const char *who)
{
	static char text[120];

	snprintf(text, sizeof(text), "%s: %s returned %d", who,
		 verdict->what ?: "the child died, or something", verdict->rc);
	return text;
}

/* Lets a child begin, kills it, and looks at what it has left. */
static const char *kill_once(struct vandal *vandal, struct verdict *verdict,
			     void *memory, bool keep)
{
	struct timespec nap = { .tv_nsec = vandal->seed % 20000000 };
	int fd = iommufd_open(), status, rc;
	__u32 ioas;
	pid_t pid;

	vandal->seed = vandal->seed * 6364136223846793005ULL + 1;
	if (fd < 0 || ioas_alloc(fd, &ioas))
		return "a context to be killed in cannot be made";
	pid = spawn(vandal->common, fd);
	if (!pid)
		restless(verdict, fd, ioas, memory);
	/* The child's death may be the last close, or not. */
	if (!keep)
		close(fd);
	nanosleep(&nap, NULL);
	kill(pid, SIGKILL);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return "a child to be killed cannot be made";
	if (!WIFSIGNALED(status))
		return tell(verdict, "one that was to be killed");
	if (!keep)
		return NULL;
	rc = ioas_unmap_all(fd, ioas);
	pthread_mutex_lock(&vandal->common->fork_lock);
	close(fd);
	pthread_mutex_unlock(&vandal->common->fork_lock);
	return rc ? "unmap after a kill failed" : NULL;
}

void *vandal_kill(void *arg)
{
	struct verdict *verdict = new_verdict();
	void *memory = buffer_small(ROOM);
	struct vandal *vandal = arg;
	const char *wrong = NULL;

	if (!verdict)
		return "no memory for a verdict";
	for (unsigned int i = 0; !wrong && !vandal->stop; i++)
		wrong = kill_once(vandal, verdict, memory, i % 2);
	munmap(verdict, PAGE);
	munmap(memory, ROOM);
	return (void *)wrong;
}

void *vandal_close(void *arg)
{
	struct verdict *verdict = new_verdict();
	void *memory = buffer_small(ROOM);
	struct vandal *vandal = arg;
	const char *wrong = NULL;
	int status;
	pid_t pid;

	if (!verdict)
		return "no memory for a verdict";
	while (!wrong && !vandal->stop) {
		pid = spawn(vandal->common, 2);
		if (!pid)
			open_and_close(verdict, memory);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			wrong = "a child that closes cannot be made";
		else if (status)
			wrong = tell(verdict, "one that opens and closes");
	}
	munmap(verdict, PAGE);
	munmap(memory, ROOM);
	return (void *)wrong;
}
