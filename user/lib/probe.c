// SPDX-License-Identifier: GPL-2.0
/* Finding out what can be probed, loading, events. Reading counters is in probe_read.c. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "cgroup.h"
#include "msg.h"
#include "probe_internal.h"

#define DEFAULT_KEYS 1024
#define DEFAULT_RING (4U << 20)
#define CGROUP_ROOT "/sys/fs/cgroup"

static const char *const op_name[] = {
#define NAME(id, name, function) [IOX_PROBE_##id] = name,
	IOX_PROBE_OPS(NAME)
#undef NAME
};

static const char *const op_function[] = {
#define FUNCTION(id, name, function) [IOX_PROBE_##id] = #function,
	IOX_PROBE_OPS(FUNCTION)
#undef FUNCTION
};

const char *probe_op_name(enum iox_probe_op op)
{
	return op_name[op];
}

const char *probe_stage_name(enum iox_probe_op op, enum iox_probe_stage stage)
{
	static const char *const name[] = { "select", "pin", "tables", "flush" };

	return op == IOX_PROBE_unmap && stage == IOX_STAGE_pin ? "unpin" : name[stage];
}

const char *probe_chooser_name(__u32 chooser)
{
	static const char *const name[IOX_PROBE_NR_CHOOSERS] = {
		"fixed", "built-in", "policy", "declined", "fault", "refused", "hint",
	};

	return chooser < IOX_PROBE_NR_CHOOSERS && name[chooser] ? name[chooser] : "?";
}

const char *probe_backing_name(__u32 backing)
{
	static const char *const name[] = { "user", "file", "dmabuf" };

	return backing < sizeof(name) / sizeof(name[0]) ? name[backing] : "?";
}

__u64 probe_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (__u64)ts.tv_sec * 1000000000 + (__u64)ts.tv_nsec;
}

static void find_programs(struct probe *p)
{
	struct probe_bpf *skel = p->skel;

	p->prog[0] = skel->progs.operation;
#define PROG(id, name, function) p->prog[1 + IOX_PROBE_##id] = skel->progs.stock_##id;
	IOX_PROBE_OPS(PROG)
#undef PROG
}

static bool has_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) >= 0;
}

/* Ours tells all by itself; of Linux's own, those functions that it has are probed. */
static void choose_programs(struct probe *p, const struct btf *btf)
{
	int op;

	p->staged = btf__find_by_name_kind(btf, "btf_trace_iommufd_op", BTF_KIND_TYPEDEF) >= 0;
	for (op = 0; op < IOX_PROBE_NR_OPS; op++) {
		p->has[op] = p->staged || has_function(btf, op_function[op]);
		if (p->staged || !p->has[op]) {
			bpf_program__set_autoload(p->prog[1 + op], false);
			p->prog[1 + op] = NULL;
		}
	}
	if (p->staged || !has_function(btf, "iommufd_device_replace"))
		bpf_program__set_autoload(p->skel->progs.stock_replace, false);
	if (!p->staged) {
		bpf_program__set_autoload(p->prog[0], false);
		p->prog[0] = NULL;
	}
}

/* Notes why there can be no probe. */
static void lacks(struct probe *p, const char *what, const char *why, const char *mend)
{
	snprintf(p->lack.what, sizeof(p->lack.what), "%s", what);
	snprintf(p->lack.why, sizeof(p->lack.why), "%s", why);
	p->lack.mend = mend;
}

/* ... and nothing to be counted instead. */
static void is_hopeless(struct probe *p, const char *what, const char *why, const char *mend)
{
	lacks(p, what, why, mend);
	p->lack.hopeless = true;
}

static bool has_any(const struct probe *p)
{
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++)
		if (p->has[op])
			return true;
	return false;
}

/* iommufd's functions are in its own BTF when it is a module, in vmlinux's when it is built in. */
static int match_kernel(struct probe *p)
{
	struct btf *vmlinux = btf__load_vmlinux_btf();
	struct btf *module;

	if (!vmlinux) {
		lacks(p, "this kernel", "has no BTF",
		      "it must be built with CONFIG_DEBUG_INFO_BTF=y");
		return -ENOENT;
	}
	module = btf__load_module_btf("iommufd", vmlinux);
	choose_programs(p, module ? module : vmlinux);
	if (!has_any(p) && module)
		lacks(p, "iommufd", "has none of the functions to probe",
		      "run 'iox' of the version made for this kernel");
	else if (!has_any(p) && !access("/sys/module/iommufd", F_OK))
		lacks(p, "iommufd", "has no BTF",
		      "the kernel must be built with CONFIG_DEBUG_INFO_BTF_MODULES=y");
	else if (!has_any(p))
		is_hopeless(p, "iommufd", "is not loaded", "run 'modprobe iommufd'");
	btf__free(module);
	btf__free(vmlinux);
	return has_any(p) ? 0 : -ENOENT;
}

/* What of the configuration the programs have in them as constants */
static void set_constants(struct probe *p, const struct probe_config *config)
{
	struct probe_bpf__rodata *ro = p->skel->rodata;

	ro->follow = config->follow_pidfd >= 0;
	ro->want_stages = config->stages;
	ro->by = config->by;
	ro->share = config->share;
	ro->share_cgroup_id = config->share_cgroup_id;
	ro->share_cgroup_level = config->share_cgroup_level;
	ro->want_events = config->event;
	memcpy((void *)&ro->filter, &config->filter, sizeof(config->filter));
	for (__u32 i = 0; i < 256; i++) {
		ro->shift_of[i] = (__u8)iox_hist_shift(iox_hist_index(i << 8));
		ro->small_bucket_of[i] = (__u8)iox_hist_index(i);
	}
	bpf_program__set_autoload(p->skel->progs.follow_fork, ro->follow);
}

/* With the entries for others */
unsigned int probe_max_keys(const struct probe_config *config)
{
	return (config->max_keys ? config->max_keys : DEFAULT_KEYS) + IOX_PROBE_NR_OPS;
}

static void set_sizes(struct probe *p, const struct probe_config *config)
{
	size_t ring = config->ring_bytes ? config->ring_bytes : DEFAULT_RING;

	if (config->by)
		bpf_map__set_max_entries(p->keyed, probe_max_keys(config));
	if (config->event)
		bpf_map__set_max_entries(p->skel->maps.events, (__u32)ring);
}

static int add_others(const struct probe *p)
{
	struct iox_probe_key key = { .id = IOX_PROBE_OTHERS };
	struct iox_probe_keyed *value = calloc(1, sizeof(*value));
	int err = value ? 0 : -ENOMEM;

	for (key.op = 0; key.op < IOX_PROBE_NR_OPS && !err; key.op++)
		err = bpf_map__update_elem(p->keyed, &key, sizeof(key), value,
					   sizeof(*value), BPF_ANY);
	free(value);
	return err;
}

int probe_fill_maps(const struct probe *p, const struct probe_config *config)
{
	__u8 yes = 1;
	int err = 0;

	if (config->follow_pidfd >= 0)
		err = bpf_map__update_elem(p->followed, &config->follow_pidfd,
					   sizeof(config->follow_pidfd), &yes, sizeof(yes), BPF_ANY);
	return !err && config->by ? add_others(p) : err;
}

static int on_event(void *arg, void *data, size_t size)
{
	struct probe *p = arg;

	(void)size;
	return p->event(p->arg, data) ? 0 : -ECANCELED;
}

static void cannot_attach(struct probe *p, int err)
{
	if (err == -EPERM)
		is_hopeless(p, "attaching the probes", strerror(-err), "run it as root");
	else
		lacks(p, "attaching the probes", strerror(-err),
		      "IOX_DEBUG=1 in the environment tells more");
}

static int load(struct probe *p, const struct probe_config *config)
{
	int err;

	set_constants(p, config);
	set_sizes(p, config);
	err = probe_bpf__load(p->skel);
	if (!err)
		err = probe_fill_maps(p, config);
	if (!err && config->event) {
		p->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.events), on_event, p, NULL);
		err = p->ring ? 0 : -errno;
	}
	if (!err)
		err = probe_bpf__attach(p->skel);
	if (err)
		cannot_attach(p, err);
	return err;
}

/* What is to be told apart needs a program for each operation; the rest our iommufd counts itself. */
static bool counted_by_itself(const struct probe *p, const struct probe_config *config)
{
	return p->staged && !config->by && !config->event && config->follow_pidfd < 0 &&
	       op_counts_there();
}

static int open_own(struct probe *p)
{
	int err;

	p->base = probe_snapshot_new();
	if (!p->base)
		return -ENOMEM;
	p->own = op_counts_open();
	err = p->own ? probe_read_base(p) : -errno;
	if (err)
		cannot_attach(p, err);
	return err;
}

static bool open_programs(struct probe *p, const struct probe_config *config)
{
	p->skel = probe_bpf__open();
	if (!p->skel) {
		is_hopeless(p, "preparing the probes", strerror(ENOMEM), NULL);
		return false;
	}
	p->counts = p->skel->maps.counts;
	p->keyed = p->skel->maps.keyed;
	p->dropped = p->skel->maps.dropped;
	p->followed = p->skel->maps.followed;
	find_programs(p);
	if (match_kernel(p))
		return false;
	return counted_by_itself(p, config) ? !open_own(p) : !load(p, config);
}

/* After open_programs() has failed: less is better than nothing, if that is wanted. */
static bool fall_back(struct probe *p, const struct probe_config *config)
{
	if (p->lack.hopeless || !config->may_only_count) {
		msg_error(p->lack.what, p->lack.why, p->lack.mend);
		return false;
	}
	ring_buffer__free(p->ring);
	p->ring = NULL;
	op_counts_close(p->own);
	p->own = NULL;
	probe_bpf__destroy(p->skel);
	p->skel = NULL;
	return probe_fallback_open(p, config);
}

struct probe *probe_open(const struct probe_config *config)
{
	struct probe *p;

	p = calloc(1, sizeof(*p));
	if (!p)
		goto no_memory;
	p->event = config->event;
	p->arg = config->arg;
	p->nr_cpus = libbpf_num_possible_cpus();
	if (p->nr_cpus < 1) {
		msg_errno(p->nr_cpus, "counting CPUs", "is /sys mounted?");
		goto fail;
	}
	p->percpu = calloc((size_t)p->nr_cpus, sizeof(*p->percpu));
	if (!p->percpu)
		goto no_memory;
	if (!open_programs(p, config) && !fall_back(p, config))
		goto fail;
	p->start_ns = probe_now();
	return p;

no_memory:
	msg_errno(ENOMEM, "preparing the probes", NULL);
fail:
	probe_close(p);
	return NULL;
}

void probe_close(struct probe *p)
{
	if (!p)
		return;
	ring_buffer__free(p->ring);
	op_counts_close(p->own);
	free(p->base);
	probe_bpf__destroy(p->skel);
	fallback_bpf__destroy(p->fallback);
	free(p->percpu);
	free(p);
}

__u64 probe_start(const struct probe *p)
{
	return p->start_ns;
}

bool probe_has(const struct probe *p, enum iox_probe_op op)
{
	return p->has[op];
}

const char *probe_op_function(const struct probe *p, enum iox_probe_op op)
{
	if (p->fallback && p->has[op])
		return op == IOX_PROBE_map ? "iommu:map" : "iommu:unmap";
	return op_function[op];
}

bool probe_staged(const struct probe *p)
{
	return p->staged;
}

bool probe_only_counts(const struct probe *p)
{
	return p->fallback;
}

const char *probe_iommufd(const struct probe *p)
{
	return p->fallback ? "unknown" : p->staged ? "iox" : "linux";
}

const char *probe_unseen(const struct probe *p)
{
	if (p->fallback)
		return p->unseen;
	if (p->staged)
		return NULL;
	return "this is not iox's iommufd: no stages, no backing, no page sizes, no type 1";
}

int probe_events_fd(const struct probe *p)
{
	return p->ring ? ring_buffer__epoll_fd(p->ring) : -1;
}

int probe_events(struct probe *p)
{
	int n = p->ring ? ring_buffer__consume(p->ring) : 0;

	if (n >= 0 || n == -ECANCELED)
		return n < 0 ? 0 : n;
	msg_errno(n, "reading events", NULL);
	return -1;
}

bool probe_find_cgroup(const char *path, __u64 *id, __u32 *level)
{
	char whole[PATH_MAX];

	if (!cgroup_id_of(path, id))
		return false;
	if (!realpath(path, whole)) {
		msg_errno(errno, path, NULL);
		return false;
	}
	*level = 0;
	for (const char *c = whole + strlen(CGROUP_ROOT); *c; c++)
		*level += *c == '/';
	return true;
}

bool probe_filter_cgroup(struct iox_probe_filter *filter, const char *path)
{
	return probe_find_cgroup(path, &filter->cgroup_id, &filter->cgroup_level);
}
