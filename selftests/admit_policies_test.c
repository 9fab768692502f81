// SPDX-License-Identifier: GPL-2.0-only
/*
 * The admission policies in bpf/admit: what each of them is for, and that plain
 * bpftool is enough.
 */
#include "lib/vfio.h"
#include "admit.h"
#include "liveupdate.h"
#include "shell.h"

/* From file to force; its maps can be written to. */
static int admit_start(struct policy *policy, const char *name)
{
	char file[64];

	snprintf(file, sizeof(file), "bpf/%s.bpf.o", name);
	return policy_start(policy, file, name);
}

static int put(const struct policy *policy, const char *map, const void *key,
	       const void *value)
{
	int fd = bpf_object__find_map_fd_by_name(policy->object, map);

	return bpf_map_update_elem(fd, key, value, BPF_ANY);
}

TEST_F(session, quiesce_wants_interrupts_off)
{
	struct policy policy;

	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must(vfio_msi_on(self->edu.fd, -1));
	must(admit_start(&policy, "quiesce"));
	must_fail(EBUSY, preserve_device(self));
	EXPECT_NE(NULL, strstr(shown(policy.map, "last_refusal"),
			       ".0 has interrupts on"));
	must(vfio_msi_off(self->edu.fd));
	must(preserve_device(self));
	policy_close(&policy);
}

TEST_F(session, allowlist_knows_users)
{
	__u32 uid = 1, any = ~0U;
	struct policy policy;
	__u8 yes = 1;

	must(hwpt_unmark(self->fd, self->hwpt));
	must(admit_start(&policy, "allowlist"));
	must_fail(EPERM, hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must(put(&policy, "allow_uids", &uid, &yes));
	must_fail(EPERM, hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	uid = 0;
	must(put(&policy, "allow_uids", &uid, &yes));
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must(bpf_map_delete_elem(bpf_object__find_map_fd_by_name(policy.object, "allow_uids"), &uid));
	must_fail(EPERM, hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must(put(&policy, "allow_uids", &any, &yes));
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	policy_close(&policy);
}

TEST_F(session, allowlist_knows_devices)
{
	struct { __u16 vendor, device; } other = { 0x1234, 0x11e9 },
		wrong = { 0x8086, 0x11e8 }, edu = { 0x1234, 0x11e8 };
	__u32 uid = 0;
	struct policy policy;
	__u8 yes = 1;

	must(admit_start(&policy, "allowlist"));
	must(put(&policy, "allow_uids", &uid, &yes));
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must(put(&policy, "allow_devices", &other, &yes));
	must(put(&policy, "allow_devices", &wrong, &yes));
	must_fail(EPERM, preserve_device(self));
	EXPECT_NE(NULL, strstr(shown(policy.map, "last_refusal"),
			       "device 1234:11e8 is not in allow_devices"));
	must(put(&policy, "allow_devices", &edu, &yes));
	must(preserve_device(self));
	policy_close(&policy);
}

TEST_F(session, budget_counts_bytes_and_devices)
{
	struct { __u64 bytes, devices; } limit = { SIZE - 1, 0 };
	__u64 host = 0, mine = file_id(CGROUPS);
	struct policy policy;

	must(admit_start(&policy, "budget"));
	must(put(&policy, "budget_limits", &host, &limit));
	must(preserve_memory(self));
	must_fail(EDQUOT, preserve_iommufd(self));
	limit.bytes = SIZE;
	must(put(&policy, "budget_limits", &host, &limit));
	must(preserve_iommufd(self));
	must_fail(EDQUOT, preserve_device(self));

	/* Of the host there is enough now, of the cgroup not. */
	limit.devices = 1;
	must(put(&policy, "budget_limits", &host, &limit));
	limit.devices = 0;
	must(put(&policy, "budget_limits", &mine, &limit));
	must_fail(EDQUOT, preserve_device(self));
	limit.devices = 1;
	must(put(&policy, "budget_limits", &mine, &limit));
	must(preserve_device(self));
	policy_close(&policy);
}

/* Nothing is counted twice, and nothing stays counted. */
TEST_F(session, budget_is_given_back)
{
	struct { __u64 bytes, devices; } limit = { SIZE, 1 };
	struct policy policy;
	__u64 host = 0;
	int used;

	must(admit_start(&policy, "budget"));
	used = bpf_object__find_map_fd_by_name(policy.object, "budget_used");
	must(put(&policy, "budget_limits", &host, &limit));
	for (int i = 0; i < 3; i++) {
		must(preserve_all(self));
		must(bpf_map_lookup_elem(used, &host, &limit));
		EXPECT_EQ(SIZE, limit.bytes);
		EXPECT_EQ(1, limit.devices);
		must(give_up(self));
		must_fail(ENOENT, bpf_map_lookup_elem(used, &host, &limit));
		self->session = luo_create("liveupdate_test");
		ASSERT_LE(0, self->session);
	}
	policy_close(&policy);
}

TEST_F(session, audit_remembers)
{
	struct {
		__u64 n, boot_ns, id, cgroup_id, token, mapped_bytes;
		__u32 step, kind, uid, pid, vendor, device;
		char session[64], peer_release[65];
	} entry;
	struct policy policy;
	__u32 slot;
	int log;

	must(admit_start(&policy, "audit"));
	must(preserve_all(self));
	log = bpf_object__find_map_fd_by_name(policy.object, "audit_log");
	slot = 0;
	must(bpf_map_lookup_elem(log, &slot, &entry));
	EXPECT_EQ(1, entry.n);
	EXPECT_EQ(KIND_IOMMUFD, entry.kind);
	EXPECT_EQ(SIZE, entry.mapped_bytes);
	EXPECT_STREQ("liveupdate_test", entry.session);
	slot = 1;
	must(bpf_map_lookup_elem(log, &slot, &entry));
	EXPECT_EQ(2, entry.n);
	EXPECT_EQ(KIND_DEVICE, entry.kind);
	EXPECT_EQ(0x1234, entry.vendor);
	slot = 2;
	must(bpf_map_lookup_elem(log, &slot, &entry));
	EXPECT_EQ(0, entry.n);
	policy_close(&policy);
}

FIXTURE(admit_bpftool)
{
	int unused;
};

FIXTURE_VARIANT(admit_bpftool)
{
	const char *name;
};

FIXTURE_VARIANT_ADD(admit_bpftool, allowlist) { .name = "allowlist" };
FIXTURE_VARIANT_ADD(admit_bpftool, audit) { .name = "audit" };
FIXTURE_VARIANT_ADD(admit_bpftool, budget) { .name = "budget" };
FIXTURE_VARIANT_ADD(admit_bpftool, quiesce) { .name = "quiesce" };
FIXTURE_VARIANT_ADD(admit_bpftool, version_gate) { .name = "version_gate" };

static char output[SHELL_OUTPUT_SIZE];

#define bpftool(format, ...) \
	shell_run(output, "$BUILD/tools/bin/bpftool " format " 2>&1", ##__VA_ARGS__)
#define EXPECT_SAID(text) \
	EXPECT_NE(NULL, strstr(output, text)) TH_LOG("bpftool: %s", output)

FIXTURE_SETUP(admit_bpftool)
{
	shell_environment();
}

FIXTURE_TEARDOWN(admit_bpftool)
{
	bpftool("struct_ops unregister name %s", variant->name);
}

TEST_F(admit_bpftool, round_trip)
{
	ASSERT_EQ(0, bpftool("struct_ops register %s/%s.bpf.o", built("bpf"),
			     variant->name));
	EXPECT_SAID("Registered iox_admit_ops");
	EXPECT_EQ(0, bpftool("struct_ops list"));
	EXPECT_SAID(variant->name);
	EXPECT_EQ(0, bpftool("struct_ops dump name %s", variant->name));
	EXPECT_SAID("BPF_STRUCT_OPS_STATE_INUSE");
	EXPECT_EQ(0, shell_run(output, "grep -x %s /sys/kernel/iox/admit_policies/*/name",
			       variant->name));
	EXPECT_EQ(0, bpftool("struct_ops unregister name %s", variant->name));
	EXPECT_SAID("Unregistered iox_admit_ops");
	EXPECT_EQ(0, shell_run(output, "ls /sys/kernel/iox/admit_policies"));
	EXPECT_STREQ("", output);
}

TEST_HARNESS_MAIN
