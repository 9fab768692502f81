// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "op_counts.h"
#include "op_counts.skel.h"

struct op_counts {
	struct op_counts_bpf *skel;
	struct bpf_link *link;
	struct iox_op_record record;
};

bool op_counts_there(void)
{
	struct btf *vmlinux = btf__load_vmlinux_btf();
	__s32 info = vmlinux ? btf__find_by_name_kind(vmlinux, "iox_op_info", BTF_KIND_STRUCT) : -1;
	bool there = info > 0 && btf__resolve_size(vmlinux, (__u32)info) == sizeof(struct iox_probe_counts);

	btf__free(vmlinux);
	return there;
}

struct op_counts *op_counts_open(void)
{
	struct op_counts *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return NULL;
	c->skel = op_counts_bpf__open_and_load();
	if (c->skel)
		c->link = bpf_program__attach_iter(c->skel->progs.op_counts, NULL);
	if (c->link)
		return c;
	err = errno;
	op_counts_close(c);
	errno = err;
	return NULL;
}

void op_counts_close(struct op_counts *c)
{
	if (!c)
		return;
	bpf_link__destroy(c->link);
	op_counts_bpf__destroy(c->skel);
	free(c);
}

/* 1, 0 at the end, or a negative errno */
static int read_record(int fd, struct iox_op_record *record)
{
	size_t got = 0;
	ssize_t n = 1;

	while (got < sizeof(*record) && n) {
		n = read(fd, (char *)record + got, sizeof(*record) - got);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			got += (size_t)n;
	}
	if (!got)
		return 0;
	return got == sizeof(*record) && record->op < IOX_PROBE_NR_OPS ? 1 : -EBADMSG;
}

int op_counts_read(struct op_counts *c,
		   void (*each)(void *arg, const struct iox_op_record *record), void *arg)
{
	int fd = bpf_iter_create(bpf_link__fd(c->link)), got;

	if (fd < 0)
		return fd;
	while ((got = read_record(fd, &c->record)) > 0)
		each(arg, &c->record);
	close(fd);
	return got;
}
