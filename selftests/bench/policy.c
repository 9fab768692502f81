// SPDX-License-Identifier: GPL-2.0-only
/* An IOVA policy for as long as a case runs: first_fit, which calls one kfunc. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../lib/iommufd.h"
#include "bench.h"

#define NAME "first_fit"

static struct bpf_object *object;
static struct bpf_link *force;

/* Where the build leaves it, beside the directory of this program. */
static const char *path(void)
{
	static char text[PATH_MAX];
	char self[PATH_MAX / 2];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length < 0 ? 0 : length] = '\0';
	snprintf(text, sizeof(text), "%s/../bpf/" NAME ".bpf.o", dirname(self));
	return text;
}

bool policy_start(void)
{
	struct bpf_map *map;

	if (!iommufd_is_iox())
		return false;
	object = bpf_object__open_file(path(), NULL);
	if (!object)
		err(1, "%s", path());
	map = bpf_object__find_map_by_name(object, NAME);
	check(map ? 0 : -ENOENT, "policy " NAME);
	/* With a link, it dies with this program. */
	check(bpf_map__set_map_flags(map, bpf_map__map_flags(map) | BPF_F_LINK),
	      "policy " NAME);
	check(bpf_object__load(object), "load policy " NAME);
	force = bpf_map__attach_struct_ops(map);
	check(force ? 0 : -errno, "register policy " NAME);
	return true;
}

void policy_stop(void)
{
	bpf_link__destroy(force);
	bpf_object__close(object);
}
