// SPDX-License-Identifier: GPL-2.0
/* iox doctor: the checks. Each works without privileges as far as it can, and changes nothing. */
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <bpf/btf.h>

#include "doctor.h"
#include "lib/out.h"
#include "lib/policies.h"

#define BTF_DIR "/sys/kernel/btf/"

__attribute__((format(printf, 3, 4)))
static void found(struct finding *f, enum verdict verdict, const char *what, ...)
{
	va_list args;

	f->verdict = verdict;
	va_start(args, what);
	vsnprintf(f->what, sizeof(f->what), what, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3)))
static void mend(struct finding *f, const char *how, ...)
{
	va_list args;

	va_start(args, how);
	vsnprintf(f->mend, sizeof(f->mend), how, args);
	va_end(args);
}

/* --- what several look at --------------------------------------------------------- */

static bool file_has(const char *path, const char *text)
{
	FILE *f = fopen(path, "re");
	bool has = false;
	char *line = NULL;
	size_t room = 0;

	while (f && !has && getline(&line, &room, f) >= 0)
		has = strstr(line, text);
	free(line);
	if (f)
		fclose(f);
	return has;
}

/* Does the kernel's command line switch this on? The last word about it counts. */
static bool was_switched_on(const char *name)
{
	char line[4096], *next = line, *word;
	FILE *f = fopen("/proc/cmdline", "re");
	size_t length = strlen(name);
	bool on = false;

	if (!f)
		return false;
	if (fgets(line, sizeof(line), f))
		while ((word = strsep(&next, " \n")))
			if (!strncmp(word, name, length) && word[length] == '=')
				on = (word[length + 1] && strchr("1yY", word[length + 1])) || !strcmp(word + length, "=on");
	fclose(f);
	return on;
}

/* How many entries a directory has, -1 if it cannot be read; the names in @names. */
static int entries_of(const char *path, char *names, size_t size)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int nr = 0;

	if (!dir)
		return -1;
	if (size)
		*names = 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (size && strlen(names) + strlen(entry->d_name) + 3 < size)
			sprintf(names + strlen(names), "%s%s", *names ? ", " : "", entry->d_name);
		nr++;
	}
	closedir(dir);
	return nr;
}

/* Could modprobe load it? */
static bool has_module(const char *name)
{
	char path[256], file[64];
	struct utsname kernel;

	uname(&kernel);
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", kernel.release);
	snprintf(file, sizeof(file), "/%s.ko", name);
	return file_has(path, file);
}

static void need_module(struct finding *f, const char *name, const char *option)
{
	if (has_module(name)) {
		found(f, VERDICT_MISSING, "not loaded");
		mend(f, "modprobe %s", name);
	} else {
		found(f, VERDICT_MISSING, "not loaded, and no module for this kernel");
		mend(f, "install its modules, or build it with %s", option);
	}
}

/* Has the kernel a type or function of this name? -1: that cannot be seen */
static int kernel_has(const char *name, __u32 kind)
{
	struct btf *btf = btf__parse(BTF_DIR "vmlinux", NULL);
	int has = btf ? btf__find_by_name_kind(btf, name, kind) >= 0 : -1;

	btf__free(btf);
	return has;
}

/* --- the kernel ------------------------------------------------------------------- */

static void look_kernel(struct finding *f)
{
	struct utsname kernel;

	uname(&kernel);
	found(f, VERDICT_OK, "%s, %s", kernel.release, kernel.machine);
}

/* Ours has a tracepoint of its own. */
static int iommufd_is_ours(void)
{
	struct btf *vmlinux = btf__parse(BTF_DIR "vmlinux", NULL);
	struct btf *module = vmlinux ? btf__parse_split(BTF_DIR "iommufd", vmlinux) : NULL;
	const struct btf *btf = module ? module : vmlinux;
	int ours = -1;

	if (btf && btf__find_by_name_kind(btf, "btf_trace_iommufd_op", BTF_KIND_TYPEDEF) >= 0)
		ours = 1;
	else if (btf && btf__find_by_name_kind(btf, "iommufd_ioas_map", BTF_KIND_FUNC) >= 0)
		ours = 0;
	btf__free(module);
	btf__free(vmlinux);
	return ours;
}

static void look_iommufd(struct finding *f)
{
	int ours;

	if (access("/sys/module/iommufd", F_OK) && access("/dev/iommu", F_OK)) {
		need_module(f, "iommufd", "CONFIG_IOMMUFD");
		return;
	}
	ours = iommufd_is_ours();
	found(f, VERDICT_OK, "loaded, %s", ours > 0 ? "iox's" : !ours ? "Linux's own: stages and page sizes are not seen" :
							      "iox's or Linux's own cannot be told without BTF");
}

static void look_btf(struct finding *f)
{
	if (!access(BTF_DIR "vmlinux", R_OK)) {
		found(f, VERDICT_OK, BTF_DIR "vmlinux");
		return;
	}
	found(f, VERDICT_MISSING, "the kernel has no types for BPF");
	mend(f, "build it with CONFIG_DEBUG_INFO_BTF=y");
}

static void look_module_btf(struct finding *f)
{
	if (!access(BTF_DIR "iommufd", R_OK)) {
		found(f, VERDICT_OK, BTF_DIR "iommufd");
	} else if (access("/sys/module/iommufd", F_OK)) {
		found(f, VERDICT_UNKNOWN, "iommufd is not loaded");
	} else if (kernel_has("iommufd_ioas_map", BTF_KIND_FUNC) > 0) {
		found(f, VERDICT_OK, "iommufd is built in");
	} else {
		found(f, VERDICT_MISSING, "iommufd has no types for probes");
		mend(f, "build the kernel with CONFIG_DEBUG_INFO_BTF_MODULES=y");
	}
}

static void look_policies(struct finding *f)
{
	int has = kernel_has("iox_iova_ops", BTF_KIND_STRUCT);

	if (has > 0) {
		found(f, VERDICT_OK, "struct iox_iova_ops");
	} else if (has < 0) {
		found(f, VERDICT_UNKNOWN, "without BTF that cannot be seen");
	} else {
		found(f, VERDICT_MISSING, "this kernel asks no IOVA policies");
		mend(f, "boot a kernel with CONFIG_IOX_POLICY=y ('make kernel')");
	}
}

static void look_admission(struct finding *f)
{
	int has = kernel_has("iox_admit_ops", BTF_KIND_STRUCT);
	struct policies p;

	if (has > 0 && policies_read_admission(&p)) {
		found(f, VERDICT_OK, "struct iox_admit_ops, %zu in force", p.nr);
		policies_free(&p);
	} else if (has < 0) {
		found(f, VERDICT_UNKNOWN, "without BTF that cannot be seen");
	} else {
		found(f, VERDICT_ABSENT, "this kernel asks no admission policies");
	}
}

static void look_live_update(struct finding *f)
{
	bool kho = was_switched_on("kho"), luo = was_switched_on("liveupdate");

	if (!access("/dev/liveupdate", F_OK)) {
		found(f, VERDICT_OK, "/dev/liveupdate");
	} else if (kho && luo) {
		found(f, VERDICT_MISSING, "off, though kho=on liveupdate=on are on the command line");
		mend(f, "build the kernel with CONFIG_LIVEUPDATE=y, and look into dmesg");
	} else {
		found(f, VERDICT_MISSING, "off");
		mend(f, "boot with %s%s%s", kho ? "" : "kho=on", kho || luo ? "" : " ",
		     luo ? "" : "liveupdate=on");
	}
}

/* --- the machine ------------------------------------------------------------------ */

static void look_iommu(struct finding *f)
{
	char names[128];
	int iommus = entries_of("/sys/class/iommu", names, sizeof(names));
	int groups = entries_of("/sys/kernel/iommu_groups", NULL, 0);

	if (iommus > 0 && groups > 0) {
		found(f, VERDICT_OK, "%s, %d groups of devices", names, groups);
	} else if (iommus > 0) {
		found(f, VERDICT_MISSING, "%s, but no device is translated", names);
		mend(f, "boot with intel_iommu=on, or on AMD without amd_iommu=off");
	} else {
		found(f, VERDICT_MISSING, "none that translates");
		mend(f, "switch on VT-d or AMD-Vi in the firmware, and boot with intel_iommu=on");
	}
}

static void look_remapping(struct finding *f)
{
	if (access("/proc/interrupts", R_OK)) {
		found(f, VERDICT_UNKNOWN, "/proc/interrupts: %s", strerror(errno));
	} else if (file_has("/proc/interrupts", " IR-")) {
		found(f, VERDICT_OK, "interrupts are remapped");
	} else {
		found(f, VERDICT_MISSING, "off: devices are not bound, as they could forge interrupts");
		mend(f, "switch it on in the firmware, and boot without intremap=off");
	}
}

/* What is bound to vfio-pci: links to devices, whose names begin with a domain's number */
static int bound_devices(void)
{
	DIR *dir = opendir("/sys/bus/pci/drivers/vfio-pci");
	struct dirent *entry;
	int nr = 0;

	while (dir && (entry = readdir(dir)))
		nr += strchr(entry->d_name, ':') && entry->d_type == DT_LNK;
	if (dir)
		closedir(dir);
	return nr;
}

static void look_vfio(struct finding *f)
{
	if (access("/sys/bus/pci/drivers/vfio-pci", F_OK))
		need_module(f, "vfio-pci", "CONFIG_VFIO_PCI");
	else
		found(f, VERDICT_OK, "loaded, %d devices bound", bound_devices());
}

/* --- file systems ----------------------------------------------------------------- */

static void look_mount(struct finding *f, const char *path, long magic, const char *type)
{
	struct statfs fs;

	if (statfs(path, &fs) && errno == EACCES) {
		found(f, VERDICT_UNKNOWN, "%s: %s", path, strerror(errno));
		mend(f, "run it as root");
	} else if (!access(path, F_OK) && !statfs(path, &fs) && (long)fs.f_type == magic) {
		found(f, VERDICT_OK, "%s", path);
	} else {
		found(f, VERDICT_MISSING, "not on %s", path);
		mend(f, "mount -t %s %s %s", type, type, path);
	}
}

static void look_cgroup(struct finding *f)
{
	look_mount(f, "/sys/fs/cgroup", CGROUP2_SUPER_MAGIC, "cgroup2");
}

static void look_bpf(struct finding *f)
{
	look_mount(f, "/sys/fs/bpf", BPF_FS_MAGIC, "bpf");
}

static void look_debugfs(struct finding *f)
{
	look_mount(f, "/sys/kernel/debug", DEBUGFS_MAGIC, "debugfs");
}

static void look_tracefs(struct finding *f)
{
	look_mount(f, "/sys/kernel/tracing", TRACEFS_MAGIC, "tracefs");
}

/* --- this process ----------------------------------------------------------------- */

static unsigned long long capabilities(void)
{
	unsigned long long caps = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (f)
		fclose(f);
	return caps;
}

static void look_privileges(struct finding *f)
{
	static const struct {
		int cap;
		const char *name;
	} wanted[] = {
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" }, { CAP_BPF, "CAP_BPF" },
		{ CAP_PERFMON, "CAP_PERFMON" },
	};
	unsigned long long caps = capabilities();
	char missing[128] = "";

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!(caps >> wanted[i].cap & 1))
			sprintf(missing + strlen(missing), "%s%s", *missing ? ", " : "", wanted[i].name);
	if (!*missing) {
		found(f, VERDICT_OK, "CAP_SYS_ADMIN, CAP_BPF, CAP_PERFMON");
		return;
	}
	found(f, VERDICT_MISSING, "no %s", missing);
	mend(f, "run it as root");
}

/* What is pinned for devices is charged to who pins it. */
static void look_memlock(struct finding *f)
{
	char limit[OUT_BYTES_LEN];
	struct rlimit rlim = {};

	getrlimit(RLIMIT_MEMLOCK, &rlim);
	if (rlim.rlim_cur == RLIM_INFINITY) {
		found(f, VERDICT_OK, "any amount of memory can be pinned");
		return;
	}
	out_bytes(limit, rlim.rlim_cur);
	if (capabilities() >> CAP_IPC_LOCK & 1) {
		found(f, VERDICT_OK, "%s, which CAP_IPC_LOCK goes over", limit);
		return;
	}
	found(f, VERDICT_MISSING, "no more than %s can be pinned for devices", limit);
	mend(f, "ulimit -l unlimited, or LimitMEMLOCK=infinity in the service");
}

const struct check doctor_checks[] = {
	{ "kernel", look_kernel },
	{ "iommufd", look_iommufd },
	{ "BTF", look_btf },
	{ "BTF of iommufd", look_module_btf },
	{ "IOVA policies", look_policies },
	{ "admission policies", look_admission },
	{ "live update", look_live_update },
	{ "IOMMU", look_iommu },
	{ "interrupt remapping", look_remapping },
	{ "vfio-pci", look_vfio },
	{ "cgroup2", look_cgroup },
	{ "bpffs", look_bpf },
	{ "debugfs", look_debugfs },
	{ "tracefs", look_tracefs },
	{ "privileges", look_privileges },
	{ "memlock", look_memlock },
};

const size_t doctor_nr_checks = sizeof(doctor_checks) / sizeof(doctor_checks[0]);
