/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loading IOVA policies with libbpf, and watching them, for the tests that
 * do; lib/ is without libbpf. A test expects to lie in build/selftests, next to
 * build/bpf and build/tools.
 */
#ifndef IOX_SELFTEST_POLICY_H
#define IOX_SELFTEST_POLICY_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "bpf/answer.h"
#include "lib/buffer.h"
#include "lib/iommufd.h"
#include "lib/leak.h"

#define SYSFS "/sys/kernel/iox/iova_policy/"
#define CGROUPS "/sys/fs/cgroup/"
#define NAME_LEN 16

/* The highest byte a kfunc offers ends below the page of the errnos. */
#define TOP 0xfffffffffffff000ULL
#define MIB (1ULL << 20)
#define BUFFER_LENGTH (8 * MIB)

struct policy {
	struct bpf_object *object;
	struct bpf_map *map;
	struct bpf_link *link;
	struct answer_control *control;	/* of the answer policy */
	volatile struct answer_seen *seen;
};

/* As the kernel has it; libbpf holds a program where each function goes. */
struct iova_ops {
	struct bpf_program *select, *ioas_init, *ioas_exit, *mapped, *unmapped,
		*init, *exit;
	char name[NAME_LEN];
	__u32 flags;
	__u32 share;
	__u64 cgroup_id;
};

/* A path in the build directory that this program lies in. */
static inline const char *built(const char *name)
{
	static char path[PATH_MAX];
	char self[PATH_MAX / 2];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length < 0 ? 0 : length] = '\0';
	snprintf(path, sizeof(path), "%s/../%s", dirname(self), name);
	return path;
}

static char verifier_log[1 << 16];

/* Opens an object, to load just the struct_ops map called @name. */
static inline int policy_open(struct policy *policy, const char *file,
		       const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		.kernel_log_buf = verifier_log,
		.kernel_log_size = sizeof(verifier_log),
		.kernel_log_level = 1);
	struct bpf_map *map;

	memset(policy, 0, sizeof(*policy));
	policy->object = bpf_object__open_file(built(file), &opts);
	if (!policy->object)
		return -errno;

	bpf_object__for_each_map(map, policy->object) {
		if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS)
			continue;
		bpf_map__set_autocreate(map, !strcmp(bpf_map__name(map), name));
		/* With a link, what a failed test leaves dies with it. */
		bpf_map__set_map_flags(map, bpf_map__map_flags(map) | BPF_F_LINK);
	}
	policy->map = bpf_object__find_map_by_name(policy->object, name);
	return policy->map ? 0 : -ENOENT;
}

static inline void *policy_data(struct policy *policy, const char *section)
{
	struct bpf_map *map;
	size_t size;

	map = bpf_object__find_map_by_name(policy->object, section);
	return map ? bpf_map__initial_value(map, &size) : NULL;
}

static inline int policy_load(struct policy *policy)
{
	int err = bpf_object__load(policy->object);

	policy->control = policy_data(policy, ".data.control");
	policy->seen = policy_data(policy, ".data.seen");
	return err;
}

static inline int policy_attach(struct policy *policy)
{
	policy->link = bpf_map__attach_struct_ops(policy->map);
	return policy->link ? 0 : -errno;
}

static inline void policy_detach(struct policy *policy)
{
	bpf_link__destroy(policy->link);
	policy->link = NULL;
}

static inline void policy_close(struct policy *policy)
{
	policy_detach(policy);
	bpf_object__close(policy->object);
	policy->object = NULL;
}

/* From file to force. */
static inline int policy_start(struct policy *policy, const char *file,
			const char *name)
{
	int err = policy_open(policy, file, name);

	if (!err)
		err = policy_load(policy);
	return err ?: policy_attach(policy);
}

static inline void sysfs_read(const char *file, char *text, size_t size)
{
	char path[2 * PATH_MAX];
	FILE *stream;

	snprintf(path, sizeof(path), SYSFS "%s", file);
	text[0] = '\0';
	stream = fopen(path, "r");
	if (!stream)
		return;
	if (fgets(text, size, stream))
		text[strcspn(text, "\n")] = '\0';
	fclose(stream);
}

static inline const char *in_force(void)
{
	static char name[64];

	sysfs_read("name", name, sizeof(name));
	return name;
}

static inline long counted(const char *counter)
{
	char text[64];

	sysfs_read(counter, text, sizeof(text));
	return text[0] ? strtol(text, NULL, 10) : -1;
}

#define EXPECT_COUNTED(_asked, _used, _declined, _refused, _faults) do {	\
	EXPECT_EQ(_asked, counted("asked"));				\
	EXPECT_EQ(_used, counted("used"));				\
	EXPECT_EQ(_declined, counted("declined"));			\
	EXPECT_EQ(_refused, counted("refused"));			\
	EXPECT_EQ(_faults, counted("faults"));				\
} while (0)

/* Address space at the start of a 2 MiB page, so that alignment shows. */
static inline char *aligned_buffer(void)
{
	char *raw = mmap(NULL, BUFFER_LENGTH + HUGE_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t head = -(unsigned long)raw & (HUGE_PAGE - 1);

	if (raw == MAP_FAILED)
		return NULL;
	if (head)
		munmap(raw, head);
	if (head < HUGE_PAGE)
		munmap(raw + head + BUFFER_LENGTH, HUGE_PAGE - head);
	return raw + head;
}

/* What every test here has; nothing of it may be left when it ends. */
struct policy_env {
	struct leak_mark mark;
	struct policy policy;
	int fd;
	__u32 ioas;
	char *buffer;
};

static inline void policy_env_init(struct __test_metadata *_metadata,
				   struct policy_env *env)
{
	libbpf_set_print(NULL);
	leak_mark(&env->mark);
	env->fd = iommufd_open();
	ASSERT_GE(env->fd, 0);
	must(ioas_alloc(env->fd, &env->ioas));
	env->buffer = aligned_buffer();
	ASSERT_NE(NULL, env->buffer);
	ASSERT_STREQ("none", in_force());
}

static inline void policy_env_fini(struct __test_metadata *_metadata,
				   struct policy_env *env)
{
	policy_close(&env->policy);
	close(env->fd);
	munmap(env->buffer, BUFFER_LENGTH);
	EXPECT_STREQ("none", in_force());
	EXPECT_NO_LEAK(&env->mark);
}

/* Set-up and teardown of a fixture that has a struct policy_env env. */
#define POLICY_FIXTURE(_name)						\
FIXTURE_SETUP(_name)							\
{									\
	if (!iommufd_is_iox())						\
		SKIP(return, "Linux's own iommufd knows no policies");	\
	policy_env_init(_metadata, &self->env);				\
}									\
FIXTURE_TEARDOWN(_name)							\
{									\
	if (iommufd_is_iox())						\
		policy_env_fini(_metadata, &self->env);			\
}

#define START(file, name) \
	must(policy_start(&self->env.policy, "bpf/" file ".bpf.o", name))

/* Maps the first @length bytes of the buffer and gives the IOVA. */
#define MAP(length) ({							\
	__u64 _iova;							\
									\
	must(ioas_map_auto(self->env.fd, self->env.ioas, self->env.buffer, length,	\
			   &_iova));					\
	_iova;								\
})

#define MAP_FIXED_AT(iova, length) \
	must(ioas_map_fixed(self->env.fd, self->env.ioas, self->env.buffer, length, iova))

/* Where the built-in allocator puts it in this space as it is now. */
#define BUILTIN(length) ({						\
	__u64 _builtin = MAP(length);					\
									\
	must(ioas_unmap(self->env.fd, self->env.ioas, _builtin, length));	\
	_builtin;							\
})

/* This process goes to @cgroup. */
static inline int move_to(const char *cgroup)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fprintf(f, "%d\n", getpid());
	return fclose(f) ? -errno : 0;
}

/* Where a task in @cgroup gets a page mapped in an address space of its own. */
static inline __u64 map_in(const char *cgroup, void *buffer)
{
	__u64 iova = 0;
	__u32 ioas;
	int fd;

	if (move_to(cgroup))
		return 0;
	fd = iommufd_open();
	if (!ioas_alloc(fd, &ioas))
		ioas_map_auto(fd, ioas, buffer, PAGE, &iova);
	close(fd);
	move_to(CGROUPS);
	return iova;
}

/* A thread that maps and unmaps, turn by turn, until it is stopped or fails. */
struct mapper {
	const struct policy_env *env;
	int (*turn)(struct mapper *m);	/* 0 or a negative errno */
	pthread_t thread;
	volatile bool stop;
	volatile long maps;
	int err;
};

static inline void *mapper_run(void *arg)
{
	struct mapper *m = arg;

	while (!m->stop && !m->err)
		m->err = m->turn(m);
	return NULL;
}

static inline int mapper_start(struct mapper *m, const struct policy_env *env,
			       int (*turn)(struct mapper *m))
{
	*m = (struct mapper){ .env = env, .turn = turn };
	return -pthread_create(&m->thread, NULL, mapper_run, m);
}

/* What its last turn said. */
static inline int mapper_stop(struct mapper *m)
{
	m->stop = true;
	pthread_join(m->thread, NULL);
	return m->err;
}

/* One turn: @length bytes, which have to be mapped at @first to @last. */
static inline int mapper_map_between(struct mapper *m, size_t length,
				     __u64 first, __u64 last)
{
	const struct policy_env *env = m->env;
	__u64 iova = 0;
	int err = ioas_map_auto(env->fd, env->ioas, env->buffer, length, &iova);

	if (!err && (iova < first || iova > last))
		err = -EFAULT;
	m->maps++;
	return err ?: ioas_unmap(env->fd, env->ioas, iova, length);
}

#endif
