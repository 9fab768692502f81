// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update when memory runs out: a session that cannot have all has nothing.
 * The kernel's log is full of what could not be allocated, so this is a program
 * of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "liveupdate.h"

#define FAULTS "/sys/kernel/debug/"
#define FAIL_NTH "/proc/thread-self/fail-nth"
/* Far more allocations than preserving makes */
#define MANY 2000

static int put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Have each kind of allocation fail when its turn comes, and without a word. */
static int prepare_failing(void)
{
	return put_text(FAULTS "failslab/ignore-gfp-wait", "N") ?:
	       put_text(FAULTS "failslab/verbose", "0") ?:
	       put_text(FAULTS "fail_page_alloc/ignore-gfp-wait", "N") ?:
	       put_text(FAULTS "fail_page_alloc/verbose", "0") ?:
	       put_text(FAULTS "fail_usercopy/verbose", "0") ?:
	       put_text(FAULTS "fail_page_alloc/min-order", "0");
}

/* The @nth allocation from here on fails. */
static int fail_nth(int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nth);
	return put_text(FAIL_NTH, text);
}

/* Has the failure happened? It does not happen any more. */
static bool has_failed(void)
{
	char text[16] = "";
	int fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return false;
	got = read(fd, text, sizeof(text) - 1);
	if (got > 0 && atoi(text) > 0 && write(fd, "0", 1) != 1)
		got = -1;
	close(fd);
	return got > 0 && atoi(text) == 0;
}

TEST_F_TIMEOUT(session, undoes_all_when_memory_runs_out, 120)
{
	int nth, err, refused = 0;

	if (prepare_failing())
		SKIP(return, "this kernel's allocations cannot be made to fail");
	for (nth = 1; nth < MANY; nth++) {
		must(fail_nth(nth));
		err = preserve_all(self);
		if (!has_failed())
			break;
		refused += !!err;
		/* Copying from the caller's memory can be made to fail, too. */
		if (err != -EFAULT && err)
			ASSERT_EQ(-ENOMEM, err);
		must(give_up(self));
		self->session = luo_create("liveupdate_test");
		ASSERT_LE(0, self->session);
	}
	ASSERT_EQ(0, err);
	EXPECT_LT(nth, MANY);
	/* The file's page, two of records, the device's: at the very least */
	EXPECT_LT(4, refused);
	TH_LOG("%d of %d failed allocations were refusals", refused, nth - 1);
}

TEST_HARNESS_MAIN
