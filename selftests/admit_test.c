// SPDX-License-Identifier: GPL-2.0-only
/*
 * Admission policies: what they are asked, in which order, what comes of their
 * answers, and how they end. What they do over a kexec is in admit_kexec.
 */
#include <sys/utsname.h>

#include "lib/kmsg.h"
#include "lib/vfio.h"
#include "admit.h"
#include "liveupdate.h"
#include "shell.h"
#include "bpf/admit_witness.h"

#define ADMIT_DENY 1
#define BACKING_FILE 1

/* As the kernel has it; libbpf holds a program where each function goes. */
struct admit_ops {
	struct bpf_program *mark, *preserve, *freeze, *retrieve, *unpreserve;
	__u64 cgroup_id;
	__u32 flags;
	char name[NAME_LEN];
};

/* Both witnesses of an object */
struct witnesses {
	struct bpf_object *object;
	struct bpf_map *map[NR_WITNESSES];
	struct bpf_link *link[NR_WITNESSES];
	struct admit_control *control;
	volatile struct admit_seen *seen;
};

static struct admit_ops *ops_of(struct bpf_map *map)
{
	return bpf_map__initial_value(map, NULL);
}

static int witnesses_open(struct witnesses *w)
{
	libbpf_set_print(NULL);
	memset(w, 0, sizeof(*w));
	w->object = bpf_object__open_file(built("bpf/admit_witness.bpf.o"), NULL);
	if (!w->object)
		return -errno;
	w->map[0] = bpf_object__find_map_by_name(w->object, "first");
	w->map[1] = bpf_object__find_map_by_name(w->object, "second");
	return 0;
}

static int witnesses_load(struct witnesses *w)
{
	int err = bpf_object__load(w->object);
	struct policy data = { .object = w->object };

	w->control = policy_data(&data, ".data.control");
	w->seen = policy_data(&data, ".data.seen");
	return err;
}

static int witness_attach(struct witnesses *w, int i)
{
	w->link[i] = bpf_map__attach_struct_ops(w->map[i]);
	return w->link[i] ? 0 : -errno;
}

static void witness_detach(struct witnesses *w, int i)
{
	bpf_link__destroy(w->link[i]);
	w->link[i] = NULL;
}

/* Opens, loads and attaches the first @nr. */
static int witnesses_start(struct witnesses *w, int nr)
{
	int err = witnesses_open(w);

	err = err ?: witnesses_load(w);
	for (int i = 0; i < nr && !err; i++)
		err = witness_attach(w, i);
	return err;
}

static void witnesses_close(struct witnesses *w)
{
	for (int i = 0; i < NR_WITNESSES; i++)
		witness_detach(w, i);
	bpf_object__close(w->object);
	w->object = NULL;
}

#define EXPECT_SHOWN(map, asked, allowed, refused, faults) do {		\
	EXPECT_EQ(asked, atol(shown(map, "asked")));			\
	EXPECT_EQ(allowed, atol(shown(map, "allowed")));		\
	EXPECT_EQ(refused, atol(shown(map, "refused")));		\
	EXPECT_EQ(faults, atol(shown(map, "faults")));			\
} while (0)

/* --- what they are told ------------------------------------------------------- */

TEST_F(session, mark_is_told)
{
	struct witnesses w;

	must(hwpt_unmark(self->fd, self->hwpt));
	must(witnesses_start(&w, 1));
	must(hwpt_mark(self->fd, self->hwpt, 0x1234567890abcdefULL));
	EXPECT_EQ(1, w.seen[0].calls[STEP_MARK]);
	EXPECT_EQ(STEP_MARK, w.seen[0].last.step);
	EXPECT_EQ(KIND_HWPT, w.seen[0].last.kind);
	EXPECT_EQ(0x1234567890abcdefULL, w.seen[0].last.token);
	EXPECT_EQ(SIZE, w.seen[0].last.mapped_bytes);
	EXPECT_EQ(1, w.seen[0].last.nr_hwpts);
	EXPECT_EQ(1 << BACKING_FILE, w.seen[0].last.backings);
	EXPECT_EQ(0, w.seen[0].last.pt_bytes);
	EXPECT_EQ(0, w.seen[0].last.uid);
	EXPECT_EQ(getpid(), w.seen[0].last.pid);
	EXPECT_EQ(file_id(CGROUPS), w.seen[0].last.cgroup_id);
	EXPECT_STREQ("", (char *)w.seen[0].last.session);
	EXPECT_SHOWN(w.map[0], 1, 1, 0, 0);
	witnesses_close(&w);
}

TEST_F(session, preserve_is_told)
{
	struct utsname uts;
	struct witnesses w;

	uname(&uts);
	must(witnesses_start(&w, 1));
	must(preserve_memory(self));
	EXPECT_EQ(0, w.seen[0].calls[STEP_PRESERVE]);

	must(preserve_iommufd(self));
	EXPECT_EQ(1, w.seen[0].calls[STEP_PRESERVE]);
	EXPECT_EQ(KIND_IOMMUFD, w.seen[0].last.kind);
	EXPECT_EQ(IOMMUFD_TOKEN, w.seen[0].last.token);
	EXPECT_EQ(SIZE, w.seen[0].last.mapped_bytes);
	/* Three levels: the emulated IOMMU has 39 bits. */
	EXPECT_EQ(3 * PAGE, w.seen[0].last.pt_bytes);
	EXPECT_EQ(1, w.seen[0].last.nr_hwpts);
	EXPECT_EQ(1 << BACKING_FILE, w.seen[0].last.backings);
	EXPECT_STREQ("liveupdate_test", (char *)w.seen[0].last.session);
	EXPECT_STREQ("iommufd-v1", (char *)w.seen[0].last.abi);
	EXPECT_STREQ(uts.release, (char *)w.seen[0].last.release);
	EXPECT_STREQ("", (char *)w.seen[0].last.peer_release);
	EXPECT_STREQ("", (char *)w.seen[0].last.peer_abi);
	EXPECT_EQ(0, w.seen[0].last.vendor);
	witnesses_close(&w);
}

TEST_F(session, device_is_told)
{
	struct witnesses w;

	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must(witnesses_start(&w, 1));
	must(preserve_device(self));
	EXPECT_EQ(KIND_DEVICE, w.seen[0].last.kind);
	EXPECT_EQ(DEVICE_TOKEN, w.seen[0].last.token);
	EXPECT_EQ(IOMMUFD_TOKEN, w.seen[0].last.iommufd_token);
	EXPECT_EQ(0x1234, w.seen[0].last.vendor);
	EXPECT_EQ(0x11e8, w.seen[0].last.device);
	EXPECT_EQ(0x00ff00, w.seen[0].last.class);
	EXPECT_EQ(0, w.seen[0].last.irqs_on);
	EXPECT_EQ(0, w.seen[0].last.mapped_bytes);
	EXPECT_STREQ("vfio-pci-v1", (char *)w.seen[0].last.abi);
	witnesses_close(&w);
}

TEST_F(session, giving_up_is_told)
{
	__u64 device_id, iommufd_id;
	struct witnesses w;

	must(witnesses_start(&w, 1));
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	iommufd_id = w.seen[0].last.id;
	must(preserve_device(self));
	device_id = w.seen[0].last.id;
	EXPECT_NE(device_id, iommufd_id);
	EXPECT_EQ(0, w.seen[0].calls[STEP_UNPRESERVE]);
	must(give_up(self));
	EXPECT_EQ(2, w.seen[0].calls[STEP_UNPRESERVE]);
	/* As it was preserved. */
	EXPECT_EQ(true, w.seen[0].last.id == device_id ||
			w.seen[0].last.id == iommufd_id);
	EXPECT_STREQ("liveupdate_test", (char *)w.seen[0].last.session);
	witnesses_close(&w);
}

/* --- what comes of their answers ------------------------------------------------ */

TEST_F(session, refused_mark_is_none)
{
	struct witnesses w;

	must(hwpt_unmark(self->fd, self->hwpt));
	must(witnesses_start(&w, 1));
	w.control[0].answer[STEP_MARK] = -EDQUOT;
	must_fail(EDQUOT, hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	must_fail(ENOENT, hwpt_unmark(self->fd, self->hwpt));
	EXPECT_SHOWN(w.map[0], 1, 0, 1, 0);
	w.control[0].answer[STEP_MARK] = 0;
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	witnesses_close(&w);
}

TEST_F(session, refused_iommufd_is_as_before)
{
	struct witnesses w;

	must(preserve_memory(self));
	must(witnesses_start(&w, 1));
	w.control[0].answer[STEP_PRESERVE] = -EPERM;
	must_fail(EPERM, preserve_iommufd(self));
	must(map_still_works(self));
	EXPECT_EQ(0, w.seen[0].calls[STEP_UNPRESERVE]);
	w.control[0].answer[STEP_PRESERVE] = 0;
	must(preserve_iommufd(self));
	must(preserve_device(self));
	witnesses_close(&w);
}

TEST_F(session, refused_device_is_as_before)
{
	struct witnesses w;

	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must(witnesses_start(&w, 1));
	w.control[0].answer[STEP_PRESERVE] = -ENOTUNIQ;
	must_fail(ENOTUNIQ, preserve_device(self));
	EXPECT_EQ(true, device_works(self));
	w.control[0].answer[STEP_PRESERVE] = 0;
	must(preserve_device(self));
	witnesses_close(&w);
}

TEST_F(session, reason_is_for_people)
{
	char text[512];
	struct witnesses w;
	int log = kmsg_open();

	must(preserve_memory(self));
	must(witnesses_start(&w, 1));
	EXPECT_STREQ("", shown(w.map[0], "last_refusal"));
	w.control[0].answer[STEP_PRESERVE] = -EPERM;
	must_fail(EPERM, preserve_iommufd(self));
	must(kmsg_wait(log, "admission policy first refuses preserve of an iommufd uid=0",
		       2000, text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "session=liveupdate_test errno=-1: witness 0 of step 1"));
	EXPECT_NE(NULL, strstr(shown(w.map[0], "last_refusal"),
			       "errno=-1: witness 0 of step 1"));
	close(log);
	witnesses_close(&w);
}

TEST_F(session, tracepoint_has_every_answer)
{
	static char output[SHELL_OUTPUT_SIZE];
	struct witnesses w;

	ASSERT_EQ(0, shell_run(output, "cd /sys/kernel/tracing && echo >trace && echo 1 >events/iox_admit/enable"));
	must(witnesses_start(&w, 1));
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	w.control[0].answer[STEP_PRESERVE] = -EPERM;
	must_fail(EPERM, preserve_device(self));
	witnesses_close(&w);
	EXPECT_EQ(0, shell_run(output, "cd /sys/kernel/tracing && echo 0 >events/iox_admit/enable && cat trace && echo >trace"));
	EXPECT_NE(NULL, strstr(output, "preserve iommufd id=")) TH_LOG("%s", output);
	EXPECT_NE(NULL, strstr(output, "session=liveupdate_test uid=0"));
	EXPECT_NE(NULL, strstr(output, "policy=first answer=0: "));
	EXPECT_NE(NULL, strstr(output, "preserve device id="));
	EXPECT_NE(NULL, strstr(output, "policy=first answer=-1: witness 0 of step 1"));
}

/* --- several -------------------------------------------------------------------- */

TEST_F(session, all_have_to_agree)
{
	struct witnesses w;

	must(preserve_memory(self));
	must(witnesses_start(&w, 2));
	w.control[1].answer[STEP_PRESERVE] = -EACCES;
	must_fail(EACCES, preserve_iommufd(self));
	/* In the order of their coming; who agreed hears that it was for nothing. */
	EXPECT_EQ(1, w.seen[0].calls[STEP_PRESERVE]);
	EXPECT_EQ(1, w.seen[1].calls[STEP_PRESERVE]);
	EXPECT_EQ(1, w.seen[0].calls[STEP_UNPRESERVE]);
	EXPECT_EQ(0, w.seen[1].calls[STEP_UNPRESERVE]);

	/* The first that refuses is the last that is asked. */
	w.control[0].answer[STEP_PRESERVE] = -EDOM;
	must_fail(EDOM, preserve_iommufd(self));
	EXPECT_EQ(2, w.seen[0].calls[STEP_PRESERVE]);
	EXPECT_EQ(1, w.seen[1].calls[STEP_PRESERVE]);

	w.control[0].answer[STEP_PRESERVE] = 0;
	w.control[1].answer[STEP_PRESERVE] = 0;
	must(preserve_iommufd(self));
	EXPECT_GT(w.seen[1].turn, w.seen[0].turn);
	witnesses_close(&w);
}

TEST_F(session, host_is_asked_before_cgroups)
{
	struct witnesses w;

	must(preserve_memory(self));
	must(witnesses_open(&w));
	ops_of(w.map[0])->cgroup_id = file_id(CGROUPS);
	must(witnesses_load(&w));
	must(witness_attach(&w, 0));
	must(witness_attach(&w, 1));
	must(preserve_iommufd(self));
	EXPECT_EQ(1, w.seen[0].calls[STEP_PRESERVE]);
	EXPECT_EQ(1, w.seen[1].calls[STEP_PRESERVE]);
	EXPECT_GT(w.seen[0].turn, w.seen[1].turn);
	witnesses_close(&w);
}

TEST_F(session, cgroup_is_where_the_task_is)
{
	const char *inside = CGROUPS "admit_in", *outside = CGROUPS "admit_out";
	struct witnesses w;

	ASSERT_EQ(0, mkdir(inside, 0755));
	ASSERT_EQ(0, mkdir(outside, 0755));
	must(preserve_memory(self));
	must(witnesses_open(&w));
	ops_of(w.map[0])->cgroup_id = file_id(inside);
	ops_of(w.map[1])->cgroup_id = file_id(outside);
	must(witnesses_load(&w));
	must(witness_attach(&w, 0));
	must(witness_attach(&w, 1));
	must(move_to(inside));
	EXPECT_EQ(0, preserve_iommufd(self));
	must(move_to(CGROUPS));
	EXPECT_EQ(1, w.seen[0].calls[STEP_PRESERVE]);
	EXPECT_EQ(file_id(inside), w.seen[0].last.cgroup_id);
	EXPECT_EQ(0, w.seen[1].calls[STEP_PRESERVE]);
	/* Whoever gives it up. */
	must(give_up(self));
	EXPECT_EQ(1, w.seen[0].calls[STEP_UNPRESERVE]);
	EXPECT_EQ(0, w.seen[1].calls[STEP_UNPRESERVE]);
	witnesses_close(&w);
	rmdir(inside);
	rmdir(outside);
}

TEST_F(session, no_such_cgroup_is_enoent)
{
	struct witnesses w;

	must(witnesses_open(&w));
	ops_of(w.map[0])->cgroup_id = 1ULL << 60;
	must(witnesses_load(&w));
	must_fail(ENOENT, witness_attach(&w, 0));
	witnesses_close(&w);
}

TEST_F(session, replaced_in_its_place)
{
	struct witnesses w, again;

	must(preserve_memory(self));
	must(witnesses_start(&w, 2));
	must(witnesses_open(&again));
	must(witnesses_load(&again));
	again.control[0].answer[STEP_PRESERVE] = -ENXIO;
	must(bpf_link__update_map(w.link[0], again.map[0]));
	must_fail(ENXIO, preserve_iommufd(self));
	EXPECT_EQ(0, w.seen[0].calls[STEP_PRESERVE]);
	EXPECT_EQ(0, w.seen[1].calls[STEP_PRESERVE]);
	EXPECT_SHOWN(again.map[0], 1, 0, 1, 0);
	witnesses_close(&w);
	witnesses_close(&again);
	must(preserve_iommufd(self));
}

/* --- when they misbehave ---------------------------------------------------------- */

/* A policy that answers nonsense, and what is done instead. */
static void start_nonsense(struct __test_metadata *_metadata,
			   struct witnesses *w, __u32 flags)
{
	must(witnesses_open(w));
	ops_of(w->map[0])->flags = flags;
	must(witnesses_load(w));
	must(witness_attach(w, 0));
	w->control[0].answer[STEP_MARK] = 1;
}

TEST_F(session, nonsense_is_allowed_by_default)
{
	struct witnesses w;
	char text[512];
	int log = kmsg_open();

	must(hwpt_unmark(self->fd, self->hwpt));
	start_nonsense(_metadata, &w, 0);
	must(hwpt_mark(self->fd, self->hwpt, 1));
	EXPECT_SHOWN(w.map[0], 1, 0, 0, 1);
	EXPECT_STREQ("allow", shown(w.map[0], "default"));
	EXPECT_STREQ("in force", shown(w.map[0], "state"));

	w.control[0].answer[STEP_MARK] = -4000;
	must(hwpt_mark(self->fd, self->hwpt, 2));
	must(hwpt_mark(self->fd, self->hwpt, 3));
	EXPECT_STREQ("ejected", shown(w.map[0], "state"));
	EXPECT_STREQ("its answers are neither 0 nor errnos",
		     shown(w.map[0], "exit"));
	must(kmsg_wait(log, "admission policy first ejected: its answers are neither 0 nor errnos; what it would be asked is allowed",
		       2000, text, sizeof(text)));

	w.control[0].answer[STEP_MARK] = -EPERM;
	must(hwpt_mark(self->fd, self->hwpt, 4));
	EXPECT_SHOWN(w.map[0], 3, 0, 0, 3);
	close(log);
	witnesses_close(&w);
}

TEST_F(session, nonsense_is_refused_on_request)
{
	struct witnesses w;

	must(hwpt_unmark(self->fd, self->hwpt));
	start_nonsense(_metadata, &w, ADMIT_DENY);
	EXPECT_STREQ("deny", shown(w.map[0], "default"));
	for (int i = 0; i < 5; i++)
		must_fail(EPERM, hwpt_mark(self->fd, self->hwpt, 1));
	EXPECT_STREQ("ejected", shown(w.map[0], "state"));
	EXPECT_SHOWN(w.map[0], 3, 0, 0, 3);
	witness_detach(&w, 0);
	must(hwpt_mark(self->fd, self->hwpt, 1));
	witnesses_close(&w);
}

TEST_F(session, good_answers_in_between_count)
{
	struct witnesses w;

	start_nonsense(_metadata, &w, 0);
	for (int i = 0; i < 9; i++) {
		w.control[0].answer[STEP_MARK] = i % 3 != 2;
		must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	}
	EXPECT_STREQ("in force", shown(w.map[0], "state"));
	EXPECT_SHOWN(w.map[0], 9, 3, 0, 6);
	witnesses_close(&w);
}

TEST_F_TIMEOUT(session, slow_ones_are_ejected, 120)
{
	struct witnesses w;

	must(witnesses_start(&w, 1));
	for (w.control[0].spin = 1;
	     atoll(shown(w.map[0], "slowest_ns")) < 200000000;
	     w.control[0].spin *= 2)
		must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	for (int i = 0; i < 3; i++)
		must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	EXPECT_STREQ("ejected", shown(w.map[0], "state"));
	EXPECT_STREQ("its answers take too long", shown(w.map[0], "exit"));
	witnesses_close(&w);
}

/* --- what is no policy -------------------------------------------------------------- */

TEST_F(session, rejected_with_reason)
{
	int log = kmsg_open();
	struct witnesses w;
	struct admit_ops *ops;
	char text[512];

	must(witnesses_open(&w));
	ops = ops_of(w.map[0]);
	ops->flags = 2;
	memset(ops_of(w.map[1])->name, 0, NAME_LEN);
	must(witnesses_load(&w));
	must_fail(EINVAL, witness_attach(&w, 0));
	must(kmsg_wait(log, "admission policy first rejected: .flags has bits",
		       2000, text, sizeof(text)));
	must_fail(EINVAL, witness_attach(&w, 1));
	must(kmsg_wait(log, "admission policy rejected: .name must be", 2000,
		       text, sizeof(text)));
	witnesses_close(&w);

	must(witnesses_open(&w));
	ops = ops_of(w.map[0]);
	ops->mark = ops->preserve = ops->freeze = ops->retrieve = NULL;
	must(witnesses_load(&w));
	must_fail(EINVAL, witness_attach(&w, 0));
	must(kmsg_wait(log, "admission policy first rejected: it has none of",
		       2000, text, sizeof(text)));
	witnesses_close(&w);
	close(log);
}

FIXTURE(admit_misuse)
{
	int unused;
};

FIXTURE_VARIANT(admit_misuse)
{
	const char *map;
	const char *reason;
};

FIXTURE_SETUP(admit_misuse)
{
	libbpf_set_print(NULL);
}

FIXTURE_TEARDOWN(admit_misuse)
{
}

FIXTURE_VARIANT_ADD(admit_misuse, writes_request) {
	.map = "writes_request",
	.reason = "an admission policy may not write to struct iox_admit_req",
};
FIXTURE_VARIANT_ADD(admit_misuse, sleeps) {
	.map = "sleeps",
	.reason = "attach to unsupported member preserve of struct iox_admit_ops",
};
FIXTURE_VARIANT_ADD(admit_misuse, reads_beyond) {
	.map = "reads_beyond",
	.reason = "access beyond struct iox_admit_req",
};
FIXTURE_VARIANT_ADD(admit_misuse, explains_forged) {
	.map = "explains_forged",
	.reason = "R1 is fp expected STRUCT iox_admit_req",
};
FIXTURE_VARIANT_ADD(admit_misuse, explains_unpreserve) {
	.map = "explains_unpreserve",
	.reason = "calling kernel function iox_admit_reason_bstr is not allowed",
};
FIXTURE_VARIANT_ADD(admit_misuse, explains_iova) {
	.map = "explains_iova",
	.reason = "calling kernel function iox_admit_reason_bstr is not allowed",
};

TEST_F(admit_misuse, is_rejected)
{
	struct policy policy;

	must(policy_open(&policy, "bpf/admit_misuse.bpf.o", variant->map));
	EXPECT_GT(0, policy_load(&policy));
	EXPECT_NE(NULL, strstr(verifier_log, variant->reason))
		TH_LOG("verifier: %s", verifier_log);
	policy_close(&policy);
}

TEST_HARNESS_MAIN
