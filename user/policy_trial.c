// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "lib/cgroup.h"
#include "lib/msg.h"
#include "no_opinion.skel.h"
#include "policy.h"
#include "policy_trial.h"

#define CGROUP_NAME "iox-try"
/* An ejected policy says why a little later. */
#define EXIT_TRIES 100
#define EXIT_NAP_NS 10000000

/* --- the process ---------------------------------------------------------- */

static void __attribute__((noreturn)) child_main(const struct policy_trial *t, const char *cgroup,
						 pid_t parent, struct trial_result *result)
{
	int err;

	/* What it has made must not outlive the policy. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	err = cgroup_enter(cgroup);
	if (err)
		result->err = err;
	else
		trial_run(t->trace, t->bits, result);
	_exit(0);
}

/* Until it ends, or a signal comes, and then it is ended. */
static void wait_for(const struct policy_trial *t, pid_t pid, int pidfd)
{
	struct pollfd fds[] = {
		{ .fd = pidfd, .events = POLLIN },
		{ .fd = t->signals, .events = POLLIN },
	};

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (!fds[0].revents)
		kill(pid, SIGKILL);
}

static bool say_result(const struct policy_file *f, const struct policy_trial *t, int status)
{
	struct pollfd signals = { .fd = t->signals, .events = POLLIN };
	char why[64];

	if (poll(&signals, 1, 0) > 0)
		return false;
	if (WIFSIGNALED(status)) {
		snprintf(why, sizeof(why), "its trial was ended by signal %d", WTERMSIG(status));
		msg_error(policy_file_name(f), why, "try again");
		return false;
	}
	if (t->result.err)
		msg_errno(t->result.err, t->trace->path, "it could not be tried to its end");
	return !t->result.err;
}

static bool run_child(struct policy_trial *t, const struct policy_file *f, const char *cgroup,
		      struct trial_result *shared)
{
	pid_t parent = getpid(), pid = fork();
	int status = 0, pidfd;

	if (!pid)
		child_main(t, cgroup, parent, shared);
	pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (pidfd < 0) {
		msg_errno(errno, "fork", NULL);
		if (pid > 0)
			kill(pid, SIGKILL);
	} else {
		wait_for(t, pid, pidfd);
		close(pidfd);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	t->result = *shared;
	return pidfd >= 0 && say_result(f, t, status);
}

static bool run(struct policy_trial *t, const struct policy_file *f, const char *cgroup)
{
	struct trial_result *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool ok;

	if (shared == MAP_FAILED) {
		msg_errno(errno, t->trace->path, NULL);
		return false;
	}
	ok = run_child(t, f, cgroup, shared);
	munmap(shared, sizeof(*shared));
	return ok;
}

/* --- the policy ----------------------------------------------------------- */

static void read_policy(struct policy_trial *t, const struct policy_file *f)
{
	const struct timespec nap = { .tv_nsec = EXIT_NAP_NS };

	t->policy = (struct policy){ .map_id = policy_file_map_id(f) };
	policy_read_registered(&t->policy);
	t->ejected = t->policy.state == POLICY_EJECTED;
	for (int i = 0; t->ejected && !t->policy.exit[0] && i < EXIT_TRIES; i++) {
		nanosleep(&nap, NULL);
		policy_read_registered(&t->policy);
	}
}

/* Into force, until the link that comes back is closed. -1 with the message given. */
static int put_in_force(struct policy_file *f, const struct policy_place *place)
{
	int link;

	if (!policy_file_set_place(f, place) || !policy_file_load(f))
		return -1;
	link = bpf_link_create(bpf_map__fd(f->map), 0, BPF_STRUCT_OPS, NULL);
	if (link >= 0)
		return link;
	policy_say_refused(f, place, link);
	return -1;
}

static bool run_in_force(struct policy_trial *t, struct policy_file *f,
			 const struct policy_place *place, const char *cgroup)
{
	int link = put_in_force(f, place);
	bool ok;

	if (link < 0)
		return false;
	ok = run(t, f, cgroup);
	if (ok)
		read_policy(t, f);
	close(link);
	return ok;
}

/* Shadows of the host, or of all cgroups, are not asked where there is a nearer one. */
static bool run_without_shadows(struct policy_trial *t, struct policy_file *f,
				const struct policy_place *place, const char *cgroup)
{
	const struct policy_place aside = {
		.cgroup_id = place->cgroup_id,
		.flags = POLICY_FLAG_SHADOW,
	};
	struct policy_file shadow = {};
	bool ok = policy_trial_builtin(&shadow);
	int link = ok ? put_in_force(&shadow, &aside) : -1;

	ok = link >= 0 && run_in_force(t, f, place, cgroup);
	if (link >= 0)
		close(link);
	policy_file_close(&shadow);
	return ok;
}

bool policy_trial_builtin(struct policy_file *f)
{
	const void *bytes;
	size_t size;

	bytes = no_opinion_bpf__elf_bytes(&size);
	return policy_file_open_bytes(f, "the built-in allocator", bytes, size) &&
	       policy_file_choose(f, NULL);
}

bool policy_trial(struct policy_trial *t, struct policy_file *f)
{
	struct policy_place place = policy_file_place(f);
	char cgroup[PATH_MAX];
	bool ok;

	if (!cgroup_make(CGROUP_NAME, cgroup, &place.cgroup_id))
		return false;
	place.share = 0;
	/* A shadow would have no say. */
	place.flags &= ~(__u32)POLICY_FLAG_SHADOW;
	ok = run_without_shadows(t, f, &place, cgroup);
	cgroup_remove(cgroup);
	return ok;
}
