// SPDX-License-Identifier: GPL-2.0-only
/*
 * iox lu: what it says of a session and of a process is what the kernel does, and
 * what it preserves it gives back. selftests/lu_kexec has what comes after a kexec.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "kselftest_harness.h"
#include "liveupdate.h"
#include "lib/buffer.h"
#include "shell.h"

static char buffer[SHELL_OUTPUT_SIZE];
static char *const output = buffer;

/* --- plan: what is in the way of this very process --------------------------- */

/* Runs iox lu plan on this process; NULL if it prints no JSON. */
static json_object *plan(int *status)
{
	*status = shell_run(output, "$IOX lu plan --json %d 2>&1", getpid());
	return json_tokener_parse(output);
}

static json_object *item(json_object *plan, const char *kind)
{
	return json_find(json_member(plan, "items"), "kind", kind);
}

/* The first thing in the way of an item, as "kind ERRNO", or "". */
static const char *obstacle(json_object *plan, const char *kind)
{
	json_object *list = json_member(item(plan, kind), "in_the_way");
	json_object *first = list ? json_object_array_get_idx(list, 0) : NULL;
	static char text[64];

	if (!first)
		return "";
	snprintf(text, sizeof(text), "%s %s", json_string(first, "kind"),
		 json_string(first, "errno"));
	return text;
}

static bool has_fd(json_object *item, int fd)
{
	json_object *fds = json_member(item, "fds");

	for (size_t i = 0; fds && i < json_object_array_length(fds); i++)
		if (json_object_get_int(json_object_array_get_idx(fds, i)) == fd)
			return true;
	return false;
}

/* Plan finds just this in the way of the file of this kind. */
#define EXPECT_OBSTACLE(kind, what)                                          \
	do {                                                                 \
		int status;                                                  \
		json_object *found = plan(&status);                          \
									     \
		ASSERT_NE(NULL, found) TH_LOG("%s", output);                 \
		EXPECT_EQ(1, status);                                        \
		EXPECT_STREQ(what, obstacle(found, kind)) TH_LOG("%s", output); \
		EXPECT_FALSE(json_object_get_boolean(json_member(found, "clear"))); \
		json_object_put(found);                                      \
	} while (0)

#define EXPECT_CLEAR()                                                       \
	do {                                                                 \
		int status;                                                  \
		json_object *found = plan(&status);                          \
									     \
		EXPECT_EQ(0, status) TH_LOG("%s", output);                   \
		json_object_put(found);                                      \
	} while (0)

TEST_F(session, plan_is_clear_when_all_would_be_preserved)
{
	json_object *found, *list;
	int status;

	found = plan(&status);
	ASSERT_NE(NULL, found);
	EXPECT_EQ(0, status) TH_LOG("%s", output);
	EXPECT_TRUE(json_object_get_boolean(json_member(found, "clear")));
	list = json_member(found, "items");
	ASSERT_EQ(3, json_object_array_length(list));
	EXPECT_STREQ("memfd", json_string(json_object_array_get_idx(list, 0), "kind"));
	EXPECT_STREQ("iommufd", json_string(json_object_array_get_idx(list, 1), "kind"));
	EXPECT_STREQ("device", json_string(json_object_array_get_idx(list, 2), "kind"));
	EXPECT_TRUE(has_fd(item(found, "memfd"), self->memfd));
	EXPECT_TRUE(has_fd(item(found, "iommufd"), self->fd));
	EXPECT_TRUE(has_fd(item(found, "device"), self->edu.fd));
	EXPECT_EQ(SIZE, json_number(item(found, "memfd"), "bytes"));
	EXPECT_STREQ(self->edu.name, json_string(item(found, "device"), "name"));
	json_object_put(found);
	must(preserve_all(self));
}

TEST_F(session, plan_tells_what_an_hwpt_maps)
{
	json_object *found, *hwpt;
	int status;

	must(ioas_map_memfd(self->fd, self->ioas, self->memfd, SIZE, AT + SIZE));
	found = plan(&status);
	hwpt = json_object_array_get_idx(json_member(item(found, "iommufd"), "hwpts"), 0);
	EXPECT_EQ(self->hwpt, json_number(hwpt, "id"));
	EXPECT_STREQ("0xfedcba9876543210", json_string(hwpt, "token"));
	EXPECT_EQ(2, json_number(hwpt, "areas"));
	EXPECT_EQ(2 * SIZE, json_number(hwpt, "bytes"));
	EXPECT_EQ(self->hwpt, json_number(item(found, "device"), "hwpt_id"));
	EXPECT_EQ(self->fd, json_number(item(found, "device"), "iommufd_fd"));
	json_object_put(found);
}

/* More than are asked for at once: memfd and process take turns, so that no two are alike. */
TEST_F(session, plan_has_room_for_many_findings)
{
	const int pairs = 100;
	char *page = buffer_small(PAGE);
	json_object *found;
	int status;

	for (int i = 0; i < pairs; i++) {
		__u64 at = AT + (2 * i + 4) * SIZE;

		must(ioas_map_memfd(self->fd, self->ioas, self->memfd, PAGE, at));
		must(ioas_map_fixed(self->fd, self->ioas, page, PAGE, at + SIZE));
	}
	found = plan(&status);
	EXPECT_EQ(1, status);
	EXPECT_EQ(pairs, json_object_array_length(json_member(item(found, "iommufd"),
							      "in_the_way")));
	json_object_put(found);
	must(ioas_unmap(self->fd, self->ioas, AT + 4 * SIZE, 2 * pairs * SIZE));
	buffer_free(BUFFER_SMALL, page, PAGE);
}

TEST_F(session, plan_changes_nothing)
{
	EXPECT_CLEAR();
	must(map_still_works(self));
	EXPECT_TRUE(device_works(self));
}

TEST_F(session, plan_finds_anonymous_memory)
{
	char *page = buffer_small(PAGE);

	must(ioas_map_fixed(self->fd, self->ioas, page, PAGE, AT + 2 * SIZE));
	EXPECT_OBSTACLE("iommufd", "user-memory EOPNOTSUPP");
	EXPECT_TRUE(shell_has(output, "\"iova\":\"0x100008000\"")) TH_LOG("%s", output);
	EXPECT_TRUE(shell_has(output, "\"bytes\":4096")) TH_LOG("%s", output);
	must(preserve_memory(self));
	must_fail(EOPNOTSUPP, preserve_iommufd(self));
	must(ioas_unmap(self->fd, self->ioas, AT + 2 * SIZE, PAGE));
	buffer_free(BUFFER_SMALL, page, PAGE);
}

TEST_F(session, plan_finds_an_unsealed_memfd)
{
	int memfd = memfd_create("careless", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, PAGE));
	must(ioas_map_memfd(self->fd, self->ioas, memfd, PAGE, AT + 2 * SIZE));
	EXPECT_OBSTACLE("iommufd", "unsealed EINVAL");
	EXPECT_TRUE(shell_has(output, "careless")) TH_LOG("%s", output);
	must(preserve_memory(self));
	must(luo_preserve_fd(self->session, memfd, 4));
	must_fail(EINVAL, preserve_iommufd(self));
	close(memfd);
}

/*
 * Huge pages in memory that is set aside for a kexec have to move before they are
 * pinned, to one that is elsewhere: there may be none among a few.
 */
static int map_huge(const FIXTURE_DATA(session) *self, int memfd)
{
	int err = -ENOMEM;

	for (size_t pages = 2; err == -ENOMEM && pages <= 64; pages *= 2)
		err = buffer_hugetlb_pool(pages) ?
			      ioas_map_memfd(self->fd, self->ioas, memfd, HUGE_PAGE,
					     AT + HUGE_PAGE) :
			      -ENOENT;
	return err;
}

TEST_F(session, plan_finds_a_huge_memfd)
{
	int memfd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING);

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, HUGE_PAGE));
	ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	must(map_huge(self, memfd));
	EXPECT_OBSTACLE("iommufd", "hugetlb EOPNOTSUPP");
	must(preserve_memory(self));
	must_fail(EOPNOTSUPP, preserve_iommufd(self));
	close(memfd);
	buffer_hugetlb_pool(0);
}

TEST_F(session, plan_finds_memory_that_its_file_has_lost)
{
	ASSERT_EQ(0, fallocate(self->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE,
			       PAGE));
	EXPECT_OBSTACLE("iommufd", "lost ESTALE");
	must(preserve_memory(self));
	must_fail(ESTALE, preserve_iommufd(self));
}

TEST_F(session, plan_finds_that_nothing_is_marked)
{
	must(hwpt_unmark(self->fd, self->hwpt));
	EXPECT_OBSTACLE("iommufd", "no-mark EINVAL");
	must(preserve_memory(self));
	must_fail(EINVAL, preserve_iommufd(self));
}

TEST_F(session, plan_finds_an_hwpt_without_a_device)
{
	must(vfio_detach(self->edu.fd));
	EXPECT_OBSTACLE("iommufd", "no-device ENODEV");
	EXPECT_OBSTACLE("device", "not-attached EINVAL");
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must_fail(EINVAL, preserve_device(self));
}

TEST_F(session, plan_finds_a_device_on_another_hwpt)
{
	__u32 pt;

	must(hwpt_alloc_paging(self->fd, self->edu.id, self->ioas, &pt));
	must(vfio_attach(self->edu.fd, &pt));
	EXPECT_OBSTACLE("device", "hwpt-not-marked ENOENT");
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must_fail(ENOENT, preserve_device(self));
}

TEST_F(session, plan_finds_a_device_that_is_not_bound)
{
	int fd = vfio_open(self->edu.name);

	ASSERT_LE(0, fd);
	EXPECT_EQ(1, shell_run(output, "$IOX lu plan %d 2>&1", getpid()));
	EXPECT_TRUE(shell_has(output, "not bound to an iommufd")) TH_LOG("%s", output);
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	must_fail(EINVAL, luo_preserve_fd(self->session, fd, 9));
	close(fd);
}

TEST_F(session, plan_finds_what_is_preserved_already)
{
	must(preserve_all(self));
	EXPECT_OBSTACLE("memfd", "preserved EBUSY");
	EXPECT_OBSTACLE("iommufd", "preserved EBUSY");
	EXPECT_OBSTACLE("device", "preserved EBUSY");
	must(give_up(self));
	EXPECT_CLEAR();
}

TEST_F(session, plan_misses_the_descriptor_of_a_memfd)
{
	int away = self->memfd;

	self->memfd = -1;
	close(away);
	EXPECT_OBSTACLE("memfd", "no-descriptor EBADF");
}

TEST_F(session, plan_takes_two_descriptors_for_one_file)
{
	int memfd = dup(self->memfd), fd = dup(self->fd), device = dup(self->edu.fd), status;
	json_object *found;

	ASSERT_LE(0, device);
	found = plan(&status);
	EXPECT_EQ(0, status) TH_LOG("%s", output);
	EXPECT_EQ(3, json_object_array_length(json_member(found, "items")));
	EXPECT_TRUE(has_fd(item(found, "memfd"), memfd));
	EXPECT_TRUE(has_fd(item(found, "iommufd"), fd));
	EXPECT_TRUE(has_fd(item(found, "device"), device));
	json_object_put(found);
	close(memfd);
	close(fd);
	close(device);
}

static int set_msi(int fd, int event)
{
	struct {
		struct vfio_irq_set set;
		int fd;
	} on = {
		.set = {
			.argsz = event < 0 ? sizeof(on.set) : sizeof(on),
			.flags = VFIO_IRQ_SET_ACTION_TRIGGER |
				 (event < 0 ? VFIO_IRQ_SET_DATA_NONE : VFIO_IRQ_SET_DATA_EVENTFD),
			.index = VFIO_PCI_MSI_IRQ_INDEX,
			.count = event < 0 ? 0 : 1,
		},
		.fd = event,
	};

	return xioctl(fd, VFIO_DEVICE_SET_IRQS, &on);
}

/* They are not in the way of preserving, but of the jump. */
TEST_F(session, plan_warns_of_interrupts)
{
	int event = eventfd(0, EFD_CLOEXEC), status;
	json_object *found, *later;

	ASSERT_LE(0, event);
	must(set_msi(self->edu.fd, event));
	found = plan(&status);
	EXPECT_EQ(0, status);
	later = json_member(item(found, "device"), "before_the_jump");
	EXPECT_NE(NULL, json_find(later, "kind", "interrupts")) TH_LOG("%s", output);
	json_object_put(found);
	must(set_msi(self->edu.fd, -1));
	found = plan(&status);
	later = json_member(item(found, "device"), "before_the_jump");
	EXPECT_EQ(0, json_object_array_length(later)) TH_LOG("%s", output);
	json_object_put(found);
	close(event);
}

/* iommufd stands in for vfio's container here. */
TEST_F(session, plan_takes_the_container_for_an_iommufd)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(1, shell_run(output, "$IOX lu plan --json %d 2>&1", getpid()));
	EXPECT_TRUE(shell_has(output, "\"no-mark\"")) TH_LOG("%s", output);
	must_fail(EINVAL, luo_preserve_fd(self->session, fd, 9));
	close(fd);
}

TEST(plan_finds_a_group)
{
	int session = luo_create("lu_test"), group;
	char name[PCI_NAME_SIZE];

	if (session == -ENOENT)
		SKIP(return, NEED_LUO);
	ASSERT_LE(0, session);
	must(edu_find(0, name));
	must(vfio_pci_claim(name));
	group = vfio_group_open(name);
	ASSERT_LE(0, group);
	EXPECT_OBSTACLE("group", "group ENOENT");
	must_fail(ENOENT, luo_preserve_fd(session, group, 9));
	close(group);
	close(session);
}

TEST_F(session, plan_in_words_ends_with_what_does_it)
{
	char wanted[160];

	ASSERT_EQ(0, shell_run(output, "$IOX lu plan %d 2>&1", getpid()));
	snprintf(wanted, sizeof(wanted), "\niox lu hold NAME 1=pid:%d:%d 2=pid:%d:%d 3=pid:%d:%d\n",
		 getpid(), self->memfd, getpid(), self->fd, getpid(), self->edu.fd);
	EXPECT_TRUE(shell_has(output, wanted)) TH_LOG("%s", output);
}

TEST_F(session, plan_without_privilege_says_so)
{
	ASSERT_EQ(1, shell_run(output, "setpriv --bounding-set=-all -- $IOX lu plan %d 2>&1",
			       getpid()));
	EXPECT_TRUE(shell_one_line(output)) TH_LOG("%s", output);
	EXPECT_TRUE(shell_has(output, "; run it as root\n")) TH_LOG("%s", output);
}

TEST(plan_of_no_process_says_so)
{
	ASSERT_EQ(1, shell_run(output, "$IOX lu plan 4194305 2>&1"));
	EXPECT_TRUE(shell_has(output, "process 4194305: there is none\n") ||
		    shell_has(output, "is off")) TH_LOG("%s", output);
}

TEST(plan_of_a_process_without_devices_says_so)
{
	ASSERT_EQ(1, shell_run(output, "$IOX lu plan %d 2>&1", getpid()));
	EXPECT_TRUE(shell_one_line(output)) TH_LOG("%s", output);
	EXPECT_TRUE(shell_has(output, "has neither an iommufd nor a vfio device open") ||
		    shell_has(output, "is off")) TH_LOG("%s", output);
}

TEST(plan_on_linux_own_iommufd_says_so)
{
	int fd = iommufd_open();

	ASSERT_LE(0, fd);
	if (iommufd_is_iox())
		SKIP(return, "this is ours");
	ASSERT_EQ(1, shell_run(output, "$IOX lu plan %d 2>&1", getpid()));
	EXPECT_STREQ("iox lu plan: this kernel's iommufd: cannot be preserved; boot the kernel of "
		     "this tree ('make kernel')\n", output);
	close(fd);
}

/* --- status, inspect ---------------------------------------------------------- */

/* The session of this name in what status or inspect prints for the next kernel. */
static json_object *outgoing(json_object *state, const char *name)
{
	return json_find(json_member(json_member(state, "outgoing"), "sessions"), "name", name);
}

static json_object *read_json(const char *command)
{
	return shell_run(output, "$IOX lu %s --json 2>&1", command) ? NULL :
								   json_tokener_parse(output);
}

TEST_F(session, status_has_what_is_preserved)
{
	json_object *state, *files;

	must(preserve_all(self));
	state = read_json("status");
	ASSERT_NE(NULL, state) TH_LOG("%s", output);
	files = json_member(outgoing(state, "liveupdate_test"), "files");
	ASSERT_EQ(3, json_object_array_length(files));
	EXPECT_EQ(SIZE, json_number(json_find(files, "token", "0x1"), "bytes"));
	EXPECT_STREQ("memfd", json_string(json_find(files, "token", "0x1"), "kind"));
	EXPECT_EQ(1, json_number(json_find(files, "token", "0x2"), "hwpts"));
	EXPECT_EQ(SIZE, json_number(json_find(files, "token", "0x2"), "bytes"));
	EXPECT_STREQ(self->edu.name, json_string(json_find(files, "token", "0x3"), "device"));
	EXPECT_STREQ("0xfedcba9876543210", json_string(json_find(files, "token", "0x3"), "hwpt"));
	EXPECT_LT(0, json_number(json_member(state, "outgoing"), "devices_ns"));
	EXPECT_LT(0, json_number(json_member(state, "outgoing"), "tables"));
	json_object_put(state);

	must(give_up(self));
	state = read_json("status");
	EXPECT_EQ(NULL, outgoing(state, "liveupdate_test"));
	json_object_put(state);
}

TEST_F(session, status_in_words)
{
	must(preserve_all(self));
	ASSERT_EQ(0, shell_run(output, "$IOX lu status 2>&1"));
	EXPECT_TRUE(shell_has(output, "outgoing session liveupdate_test: 3 files\n"));
	EXPECT_TRUE(shell_has(output, "16.0 KiB\n"));
	EXPECT_TRUE(shell_has(output, "1 HWPT, 16.0 KiB mapped in 1 area\n"));
	EXPECT_TRUE(shell_has(output, self->edu.name));
	EXPECT_TRUE(shell_has(output, "a page\n")) TH_LOG("%s", output);
	EXPECT_TRUE(shell_has(output, "a device\n")) TH_LOG("%s", output);
	EXPECT_TRUE(shell_has(output, "incoming: no session\n"));
}

TEST_F(session, status_knows_odd_names)
{
	static const char odd[] = "a b=c \\ name=d\n token=0x7";
	int other = luo_create(odd);
	json_object *state;

	ASSERT_LE(0, other);
	state = read_json("status");
	EXPECT_NE(NULL, outgoing(state, odd)) TH_LOG("%s", output);
	json_object_put(state);
	close(other);
}

TEST_F(session, inspect_decodes_all)
{
	json_object *state, *files, *iommu, *hwpt;

	must(preserve_all(self));
	state = read_json("inspect");
	ASSERT_NE(NULL, state) TH_LOG("%s", output);
	files = json_member(outgoing(state, "liveupdate_test"), "holds");
	hwpt = json_find(json_member(json_find(files, "token", "0x2"), "holds"), "what", "hwpt");
	EXPECT_STREQ("0xfedcba9876543210", json_string(hwpt, "token"));
	EXPECT_EQ(SIZE, json_number(hwpt, "bytes"));
	EXPECT_NE(NULL, json_find(json_member(json_find(files, "token", "0x2"), "holds"), "memfd",
				  "0x1")) TH_LOG("%s", output);
	iommu = json_member(json_member(json_member(state, "outgoing"), "iommu"), "holds");
	EXPECT_NE(NULL, json_find(iommu, "what", "domain"));
	EXPECT_NE(NULL, json_find(iommu, "what", "iommu"));
	EXPECT_STREQ(self->edu.name, json_string(json_find(iommu, "what", "device"), "object"));
	json_object_put(state);

	ASSERT_EQ(0, shell_run(output, "$IOX lu inspect 2>&1"));
	EXPECT_TRUE(shell_has(output, "hwpt: token 0xfedcba9876543210,")) TH_LOG("%s", output);
	EXPECT_TRUE(shell_has(output, "bytes 16.0 KiB")) TH_LOG("%s", output);
}

/* --- hold ---------------------------------------------------------------------- */

/*
 * Holds what the fixture has in session vm1, with @commands run meanwhile; then
 * the holder is asked to end. Prints what all of them say, and its status.
 */
static int hold_while(const FIXTURE_DATA(session) *self, const char *commands)
{
	return shell_run(output,
			 "out=$(mktemp); $IOX lu hold vm1 1=pid:%1$d:%2$d 2=pid:%1$d:%3$d "
			 "3=pid:%1$d:%4$d >$out 2>&1 & hold=$!; "
			 "until grep -q preserved $out; do kill -0 $hold || break; sleep 0.1; done; "
			 "%5$s; kill $hold; wait $hold; echo status $?; cat $out; rm $out",
			 getpid(), self->memfd, self->fd, self->edu.fd, commands);
}

TEST_F(session, hold_preserves_and_gives_back)
{
	ASSERT_EQ(0, hold_while(self, "$IOX lu status"));
	EXPECT_TRUE(shell_has(output, "outgoing session vm1: 3 files\n"));
	EXPECT_TRUE(shell_has(output, "session vm1: 3 files preserved\n")) TH_LOG("%s", output);
	EXPECT_TRUE(shell_has(output, "session vm1 is closed: nothing of it is preserved any more\n"));
	EXPECT_TRUE(shell_has(output, "status 0\n"));
	ASSERT_EQ(0, shell_run(output, "$IOX lu status"));
	EXPECT_FALSE(shell_has(output, "vm1"));
	must(map_still_works(self));
	EXPECT_TRUE(device_works(self));
}

TEST_F(session, hold_freezes_meanwhile)
{
	char name[] = "/tmp/lu_test.XXXXXX";
	int held = mkstemp(name), err;
	pid_t holder;

	ASSERT_LE(0, held);
	holder = fork();
	if (!holder) {
		char commands[96];

		snprintf(commands, sizeof(commands), "echo held >%s; sleep 1", name);
		_exit(hold_while(self, commands));
	}
	for (int i = 0; i < 100 && !lseek(held, 0, SEEK_END); i++)
		usleep(50000);
	err = map_still_works(self);
	EXPECT_EQ(holder, waitpid(holder, NULL, 0));
	EXPECT_EQ(-EBUSY, err);
	must(map_still_works(self));
	close(held);
	unlink(name);
}

TEST_F(session, hold_ends_when_killed)
{
	ASSERT_EQ(0, hold_while(self, "kill -KILL $hold"));
	EXPECT_TRUE(shell_has(output, "status 137\n"));
	must(map_still_works(self));
}

TEST_F(session, hold_has_all_or_nothing)
{
	must(hwpt_unmark(self->fd, self->hwpt));
	ASSERT_EQ(1, shell_run(output, "$IOX lu hold vm1 1=pid:%1$d:%2$d 2=pid:%1$d:%3$d 2>&1",
			       getpid(), self->memfd, self->fd));
	EXPECT_TRUE(shell_one_line(output)) TH_LOG("%s", output);
	EXPECT_TRUE(shell_has(output, ": Invalid argument; 'iox lu plan PID'"));
	must(hwpt_mark(self->fd, self->hwpt, HWPT_TOKEN));
	ASSERT_EQ(0, shell_run(output, "$IOX lu status"));
	EXPECT_FALSE(shell_has(output, "vm1"));
	must(preserve_all(self));
}

TEST_F(session, hold_says_what_the_order_is)
{
	ASSERT_EQ(1, shell_run(output, "$IOX lu hold vm1 2=pid:%d:%d 2>&1", getpid(), self->fd));
	EXPECT_TRUE(shell_has(output, "memfds go first, then iommufds, then devices\n"))
		TH_LOG("%s", output);
}

TEST_F(session, hold_takes_inherited_descriptors)
{
	ASSERT_EQ(0, fcntl(self->memfd, F_SETFD, 0));
	ASSERT_EQ(0, shell_run(output,
			       "out=$(mktemp); $IOX lu hold 'a name' 0x10=fd:%d >$out 2>&1 & hold=$!; "
			       "until grep -q preserved $out; do kill -0 $hold || break; sleep 0.1; "
			       "done; $IOX lu status; kill -INT $hold; wait $hold; s=$?; cat $out; "
			       "rm $out; exit $s", self->memfd));
	EXPECT_TRUE(shell_has(output, "outgoing session a name: 1 file\n")) TH_LOG("%s", output);
	EXPECT_TRUE(shell_has(output, "  0x10 "));
}

TEST_F(session, hold_says_what_is_wrong)
{
	static const struct {
		const char *arguments, *says;
	} wrong[] = {
		{ "vm1 1=fd:900", "1=fd:900: Bad file descriptor; have it inherited" },
		{ "vm1 1=pid:4194305:3", "1=pid:4194305:3: No such process\n" },
		{ "vm1 1=fdname:guest", "no descriptor of this name was passed; see" },
		{ "vm1 1=fd:0 </dev/null", "knows no such file, or not yet what it needs" },
		{ "liveupdate_test 1=fd:0", "there is one of this name; see 'iox lu status'" },
		{ "--store vm1 1=fd:0", "--store: no service manager listens; start it as" },
		{ "--retrieve vm1", "session vm1: did not come from the last kernel; see" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		EXPECT_EQ(1, shell_run(output, "$IOX lu hold 2>&1 %s", wrong[i].arguments));
		EXPECT_TRUE(shell_one_line(output)) TH_LOG("%s", output);
		EXPECT_TRUE(shell_has(output, wrong[i].says)) TH_LOG("%s", output);
	}
	EXPECT_EQ(127, shell_run(output, "$IOX lu hold --retrieve vm1 -- /nonexistent 2>&1"));
	EXPECT_STREQ("iox lu hold: /nonexistent: cannot be executed\n", output);
}

/* --- hold: a service manager's store -------------------------------------------- */

/* Stands in for a service manager: a socket that takes notifications. */
static int listen_as_manager(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 10 };

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/lu_test.%d", getpid());
	unlink(address.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return -1;
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	return fd;
}

static void stop_listening(int fd)
{
	unlink(getenv("NOTIFY_SOCKET"));
	unsetenv("NOTIFY_SOCKET");
	close(fd);
}

/* The next notification that has @wanted in it; its file, or -1. */
static int notification(int manager, const char *wanted)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char text[1024];

	for (;;) {
		struct iovec data = { text, sizeof(text) - 1 };
		struct msghdr msg = {
			.msg_iov = &data,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t size = recvmsg(manager, &msg, MSG_CMSG_CLOEXEC);
		struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
		int fd = -1;

		if (size < 0)
			return -errno;
		text[size] = 0;
		if (header && header->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(header), sizeof(fd));
		if (strstr(text, wanted))
			return fd;
		if (fd >= 0)
			close(fd);
	}
}

/* A holder that is given @stored, if any, as a service manager does. */
static pid_t start_holder(char *const arguments[], int stored)
{
	pid_t pid = fork();
	char text[16];

	if (pid)
		return pid;
	if (stored >= 0) {
		dup2(stored, 3);
		snprintf(text, sizeof(text), "%d", getpid());
		setenv("LISTEN_PID", text, 1);
		setenv("LISTEN_FDS", "1", 1);
		setenv("LISTEN_FDNAMES", "session", 1);
	}
	execv(getenv("IOX"), arguments);
	_exit(126);
}

static int end_holder(pid_t pid)
{
	int status;

	kill(pid, SIGTERM);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(session, hold_survives_a_restart_in_the_store)
{
	char memfd[64], iommufd[64];
	char *first[] = { "iox", "lu", "hold", "--store", "vm1", memfd, iommufd, NULL };
	/* What is preserved is not looked for again. */
	char *again[] = { "iox", "lu", "hold", "--store", "vm1", "1=fd:900", "2=fd:901", NULL };
	int manager = listen_as_manager(), stored;
	pid_t holder;

	ASSERT_LE(0, manager);
	snprintf(memfd, sizeof(memfd), "1=pid:%d:%d", getpid(), self->memfd);
	snprintf(iommufd, sizeof(iommufd), "2=pid:%d:%d", getpid(), self->fd);
	holder = start_holder(first, -1);
	stored = notification(manager, "FDSTORE=1\nFDNAME=session");
	ASSERT_LE(0, stored);
	EXPECT_EQ(-1, notification(manager, "READY=1"));
	EXPECT_EQ(0, end_holder(holder));
	must_fail(EBUSY, map_still_works(self));

	holder = start_holder(again, stored);
	EXPECT_EQ(-1, notification(manager, "READY=1"));
	EXPECT_EQ(0, end_holder(holder));
	must_fail(EBUSY, map_still_works(self));

	close(stored);
	stop_listening(manager);
	must(map_still_works(self));
}

/* --- wrong usage, and what is missing -------------------------------------------- */

static void expect_usage(struct __test_metadata *_metadata, const char *arguments)
{
	EXPECT_EQ(2, shell_run(output, "$IOX lu %s 2>&1 >/dev/null", arguments)) {
		TH_LOG("iox lu %s: %s", arguments, output);
	}
	EXPECT_EQ(output, strstr(output, "iox lu"));
}

TEST(wrong_usage_gives_2)
{
	static const char *const wrong[] = {
		"", "bogus", "--bogus", "status more", "status --bogus", "inspect more", "plan",
		"plan 0", "plan -1", "plan x", "plan 1 2", "plan 99999999999",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_usage(_metadata, wrong[i]);
}

TEST(wrong_files_give_2)
{
	static const char *const wrong[] = {
		"hold", "hold vm1", "hold ''", "hold vm1 1", "hold vm1 1=", "hold vm1 1=fd:", "hold vm1 1=fd:x",
		"hold vm1 1=fd:-1", "hold vm1 1=pid:1", "hold vm1 1=pid:0:1", "hold vm1 1=pid:1:",
		"hold vm1 1=fdname:", "hold vm1 1=fdname:a:b",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_usage(_metadata, wrong[i]);
}

TEST(wrong_tokens_and_options_give_2)
{
	static const char *const wrong[] = {
		"hold vm1 x=fd:1", "hold vm1 =fd:1", "hold vm1 -- 1=fd:1",
		"hold vm1 0x10000000000000000=fd:1", "hold vm1 1=fd:1 0x1=fd:2",
		"hold --finish vm1 1=fd:1", "hold --retrieve", "hold --retrieve vm1 x",
		"hold --retrieve vm1 1=a:b",
		"hold 0123456789012345678901234567890123456789012345678901234567890123 1=fd:1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		expect_usage(_metadata, wrong[i]);
}

TEST(help_gives_0)
{
	EXPECT_EQ(0, shell_run(output, "$IOX lu --help"));
	EXPECT_TRUE(shell_has(output, "  hold     "));
	EXPECT_TRUE(shell_has(output, "'iox lu COMMAND --help'"));
	EXPECT_EQ(0, shell_run(output, "$IOX lu hold --help"));
	EXPECT_TRUE(shell_has(output, "--retrieve"));
	EXPECT_EQ(0, shell_run(output, "$IOX lu plan --help"));
	EXPECT_TRUE(shell_has(output, "--json"));
}

/* A kernel without live update has no such device; this has one that is hidden. */
TEST(without_live_update_each_says_so)
{
	static const char *const command[] = { "status", "inspect", "plan 1", "hold vm1 1=fd:0" };

	for (size_t i = 0; i < ARRAY_SIZE(command); i++) {
		EXPECT_EQ(1, shell_run(output, "unshare -m sh -c 'mount -t tmpfs none /dev && "
				       "exec $IOX lu %s' 2>&1", command[i]));
		EXPECT_TRUE(shell_one_line(output)) TH_LOG("%s", output);
		EXPECT_TRUE(shell_has(output,
				      ": live update: is off; boot with kho=on liveupdate=on\n"))
			TH_LOG("%s", output);
	}
}

TEST(without_debugfs_it_says_what_to_mount)
{
	if (access("/dev/liveupdate", F_OK))
		SKIP(return, NEED_LUO);
	EXPECT_EQ(1, shell_run(output,
			       "unshare -m sh -c 'umount /sys/kernel/debug && exec $IOX lu status' 2>&1"));
	EXPECT_STREQ("iox lu status: /sys/kernel/debug: is not mounted; run 'mount -t debugfs debugfs "
		     "/sys/kernel/debug'\n", output);
}

TEST(without_privilege_status_says_so)
{
	if (access("/dev/liveupdate", F_OK))
		SKIP(return, NEED_LUO);
	EXPECT_EQ(1, shell_run(output, "setpriv --reuid=65534 --clear-groups -- $IOX lu status 2>&1"));
	EXPECT_TRUE(shell_one_line(output)) TH_LOG("%s", output);
	EXPECT_TRUE(shell_has(output, "; run it as root\n")) TH_LOG("%s", output);
}

TEST(on_linux_as_it_came_status_says_so)
{
	if (iommufd_is_iox() || access("/dev/liveupdate", F_OK))
		SKIP(return, "this kernel tells what it preserves");
	EXPECT_EQ(1, shell_run(output, "$IOX lu status 2>&1"));
	EXPECT_STREQ("iox lu status: this kernel: does not tell what it preserves; boot the one of "
		     "this tree ('make kernel')\n", output);
}

TEST_F(session, output_that_cannot_be_written_fails)
{
	static const char *const command[] = { "status", "status --json", "inspect",
					       "inspect --json" };

	for (size_t i = 0; i < ARRAY_SIZE(command); i++) {
		EXPECT_EQ(1, shell_run(output, "$IOX lu %s 2>&1 >/dev/full", command[i]));
		EXPECT_TRUE(shell_has(output, ": No space left on device\n")) TH_LOG("%s", output);
	}
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
