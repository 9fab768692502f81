// SPDX-License-Identifier: GPL-2.0-only
/*
 * iox lu: status and inspect say what a session has, hold gives back what it
 * preserves. lu_plan_test.c has plan, selftests/lu_kexec what comes after a kexec.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "kselftest_harness.h"
#include "liveupdate.h"
#include "lib/buffer.h"
#include "shell.h"

static char buffer[SHELL_OUTPUT_SIZE];
static char *const output = buffer;

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
