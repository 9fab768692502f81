// SPDX-License-Identifier: GPL-2.0-only
/*
 * iox lu plan: what it finds in the way of a process is what a session says when
 * that is preserved.
 */
#include <fcntl.h>
#include <sys/eventfd.h>

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

/* They are not in the way of preserving, but of the jump. */
TEST_F(session, plan_warns_of_interrupts)
{
	int event = eventfd(0, EFD_CLOEXEC), status;
	json_object *found, *later;

	ASSERT_LE(0, event);
	must(vfio_msi_on(self->edu.fd, event));
	found = plan(&status);
	EXPECT_EQ(0, status);
	later = json_member(item(found, "device"), "before_the_jump");
	EXPECT_NE(NULL, json_find(later, "kind", "interrupts")) TH_LOG("%s", output);
	json_object_put(found);
	must(vfio_msi_off(self->edu.fd));
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

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
