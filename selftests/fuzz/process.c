// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes. A puppet is a child that makes the system calls it is told to make
 * and nothing else: between fork and exit it only makes system calls, since the
 * other threads' locks are gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

/* Puppets alive at a time; each has a copy of the memory. */
#define MAX_PUPPETS 2
#define MAX_KEPT 24

/* Arguments of a system call that has none */
static const long nothing[6];

static long do_errand(const struct errand *errand)
{
	long rc = syscall(errand->nr, errand->arg[0], errand->arg[1],
			  errand->arg[2], errand->arg[3], errand->arg[4],
			  errand->arg[5]);

	return rc == -1 ? -errno : rc;
}

/* The puppet answers with a byte, or dies. */
static bool puppet_finish(struct mm *mm)
{
	char byte;

	return read(mm->socket, &byte, 1) == 1;
}

static void puppet_begin(struct mm *mm)
{
	if (write(mm->socket, "", 1) != 1)
		broken(mm->w, "write to a puppet");
}

static void set_errand(struct errand *errand, long nr, const long arg[6])
{
	errand->nr = nr;
	memcpy(errand->arg, arg, sizeof(errand->arg));
}

long mm_syscall(struct mm *mm, long nr, long a, long b, long c, long d, long e,
		long f)
{
	const long arg[6] = { a, b, c, d, e, f };
	struct errand own;

	if (!mm->number) {
		set_errand(&own, nr, arg);
		return do_errand(&own);
	}
	set_errand(mm->errand, nr, arg);
	puppet_begin(mm);
	if (!puppet_finish(mm))
		mismatch(mm->w, "puppet %u died over a system call", mm->number);
	return mm->errand->result;
}

int mm_ioctl(struct mm *mm, int fd, unsigned long request, void *arg,
	     size_t size)
{
	long rc;

	if (!mm->number)
		return ioctl(fd, request, arg) < 0 ? -errno : 0;
	memcpy(mm->errand->buffer, arg, size);
	rc = mm_syscall(mm, SYS_ioctl, fd, request, (long)mm->errand->buffer, 0,
			0, 0);
	memcpy(arg, mm->errand->buffer, size);
	return rc;
}

/* --- birth -------------------------------------------------------------------- */

static void __attribute__((noreturn))
puppet_main(struct errand *errand, int socket, const int *kept, unsigned int nr)
{
	int from = 3;
	char byte = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int i = 0; i < nr; i++) {
		if (from < kept[i])
			close_range(from, kept[i] - 1, 0);
		from = kept[i] + 1;
	}
	close_range(from, ~0U, 0);
	do {
		errand->result = do_errand(errand);
		if (write(socket, &byte, 1) != 1)
			break;
	} while (read(socket, &byte, 1) == 1);
	_exit(0);
}

static int compare_ints(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The files that a puppet gets, sorted */
static unsigned int kept_files(struct world *w, int socket, int *kept)
{
	unsigned int nr = 0;

	kept[nr++] = socket;
	for (unsigned int i = 0; i < w->ctxs.nr; i++)
		if (w->ctxs.at[i]->holders & 1)
			kept[nr++] = w->ctxs.at[i]->fd;
	for (unsigned int i = 0; i < w->files.nr; i++)
		kept[nr++] = w->files.at[i]->fd;
	qsort(kept, nr, sizeof(*kept), compare_ints);
	return nr;
}

/* What the child sees is a copy, but for what is shared. */
static void clone_pages(struct mm *child, const struct mm *parent)
{
	struct world *w = child->w;

	for (unsigned long i = 0; i < ARENA_PAGES; i++) {
		struct vpage *vp = &child->page[i];

		*vp = parent->page[i];
		if (vp->file)
			vp->file->refs++;
		if (!vp->frame)
			continue;
		vp->frame = frame_new(w, vp->frame->large);
		memcpy(vp->frame->bytes, parent->page[i].frame->bytes, PAGE);
	}
}

static void give_files(struct world *w, unsigned int mm)
{
	for (unsigned int i = 0; i < w->files.nr; i++)
		w->files.at[i]->holders |= 1U << mm;
	for (unsigned int i = 0; i < w->ctxs.nr; i++)
		if (w->ctxs.at[i]->holders & 1)
			w->ctxs.at[i]->holders |= 1U << mm;
}

void lock_fork(struct world *w)
{
	if (w->common)
		pthread_mutex_lock(&w->common->fork_lock);
}

void unlock_fork(struct world *w)
{
	if (w->common)
		pthread_mutex_unlock(&w->common->fork_lock);
}

static unsigned int nr_puppets(const struct world *w)
{
	unsigned int nr = 0;

	for (unsigned int i = 1; i < w->nr_mms; i++)
		nr += w->mm[i]->alive;
	return nr;
}

static void launch(struct mm *mm, int ends[2])
{
	struct world *w = mm->w;
	int kept[MAX_KEPT];
	unsigned int nr;
	char path[40];

	/* The first errand shows that it has closed what is not its own. */
	set_errand(mm->errand, SYS_getpid, nothing);
	lock_fork(w);
	nr = kept_files(w, ends[1], kept);
	mm->pid = fork();
	if (!mm->pid)
		puppet_main(mm->errand, ends[1], kept, nr);
	close(ends[1]);
	if (mm->pid < 0 || !puppet_finish(mm))
		broken(w, "fork");
	snprintf(path, sizeof(path), "/proc/%d/mem", mm->pid);
	mm->memory = open(path, O_RDWR | O_CLOEXEC);
	if (mm->memory < 0)
		broken(w, path);
	unlock_fork(w);
}

void op_fork(struct world *w)
{
	int ends[2];
	struct mm *mm;

	if (w->nr_mms == MAX_MMS || nr_puppets(w) == MAX_PUPPETS)
		return;
	mm = calloc(1, sizeof(*mm));
	if (!mm || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		broken(w, "making a puppet");
	mm->w = w;
	mm->number = w->nr_mms;
	mm->alive = true;
	mm->socket = ends[0];
	mm->errand = mmap(NULL, sizeof(*mm->errand), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mm->errand == MAP_FAILED)
		broken(w, "memory for errands");
	note(w, "fork mm %u", mm->number);
	launch(mm, ends);
	clone_pages(mm, w->mm[0]);
	give_files(w, mm->number);
	w->mm[w->nr_mms++] = mm;
}

/* --- death ---------------------------------------------------------------------- */

/* Its memory and files are gone when it can be waited for. */
static void bury(struct mm *mm)
{
	if (waitpid(mm->pid, NULL, 0) != mm->pid)
		broken(mm->w, "waitpid");
	close(mm->socket);
	close(mm->memory);
	munmap(mm->errand, sizeof(*mm->errand));
	mm_die(mm);
}

static struct mm *pick_puppet(struct world *w)
{
	struct mm *mm = w->mm[rnd(w, w->nr_mms)];

	return mm->number && mm->alive ? mm : NULL;
}

void mm_kill(struct mm *mm)
{
	note(mm->w, "kill mm %u", mm->number);
	if (one_in(mm->w, 2)) {
		kill(mm->pid, SIGKILL);
	} else {
		set_errand(mm->errand, SYS_exit_group, nothing);
		puppet_begin(mm);
	}
	bury(mm);
}

void op_kill(struct world *w)
{
	struct mm *mm = pick_puppet(w);

	if (!mm)
		return;
	mm_kill(mm);
}

/* What came of a call whose caller has been killed */
static void find_out(struct ioas *ioas, __u64 iova, __u64 length)
{
	struct iommu_ioas_unmap cmd = {
		.size = sizeof(cmd),
		.ioas_id = ioas->id,
		.iova = iova,
		.length = length,
	};
	struct answer lawful = { .may_succeed = true };
	struct world *w = ioas->ctx->w;

	may_fail(&lawful, ENOENT);
	note(w, "unmap what the killed one may have mapped");
	if (judge(w, mm_ioctl(w->mm[0], ioas->ctx->fd, IOMMU_IOAS_UNMAP, &cmd,
			      sizeof(cmd)), &lawful) && cmd.length != length)
		mismatch(w, "%llu bytes of %llu unmapped", cmd.length, length);
}

/* Kills a puppet that is just mapping something. */
void op_kill_in_call(struct world *w)
{
	struct mm *mm = pick_puppet(w);
	struct ioas *ioas = pick_ioas(w);
	struct iommu_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = MAP_RW | IOMMU_IOAS_MAP_FIXED_IOVA,
		.user_va = arena_addr(w, rnd(w, ARENA_PAGES)),
		.length = (1 + rnd(w, 64)) * PAGE,
	};
	long arg[6] = {};

	if (!mm || !ioas || ioas->common || !(ioas->ctx->holders & 1) ||
	    !(ioas->ctx->holders & 1U << mm->number))
		return;
	cmd.iova = pick_iova(w, ioas, cmd.length) & ~(PAGE - 1);
	if (cmd.iova + cmd.length - 1 < cmd.iova ||
	    area_in(ioas, cmd.iova, cmd.iova + cmd.length - 1) ||
	    claim_in(ioas, cmd.iova, cmd.iova + cmd.length - 1))
		return;
	cmd.ioas_id = ioas->id;
	note(w, "mm %u is killed mapping %llu at %llx of ioas %u", mm->number,
	     cmd.length, cmd.iova, ioas->id);
	memcpy(mm->errand->buffer, &cmd, sizeof(cmd));
	arg[0] = ioas->ctx->fd;
	arg[1] = IOMMU_IOAS_MAP;
	arg[2] = (long)mm->errand->buffer;
	set_errand(mm->errand, SYS_ioctl, arg);
	puppet_begin(mm);
	kill(mm->pid, SIGKILL);
	bury(mm);
	find_out(ioas, cmd.iova, cmd.length);
}
