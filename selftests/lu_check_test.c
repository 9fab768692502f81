// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOX_LU_CHECK: what it says beforehand is what a session says then, and asking
 * changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/iox.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/luo.h"
#include "liveupdate.h"

#define MAX 16
#define FAR (AT + 0x10000000)

struct report {
	struct iox_lu_finding findings[MAX];
	__u32 nr;
};

static int ask(const FIXTURE_DATA(session) *self, struct report *report)
{
	memset(report, 0, sizeof(*report));
	report->nr = MAX;
	return lu_check(self->fd, report->findings, &report->nr);
}

/* The only finding of its kind, or NULL. */
static const struct iox_lu_finding *find(const struct report *report,
					 __u32 kind)
{
	const struct iox_lu_finding *found = NULL;

	for (__u32 i = 0; i < report->nr; i++) {
		if (report->findings[i].kind != kind)
			continue;
		if (found)
			return NULL;
		found = &report->findings[i];
	}
	return found;
}

/* The errno of the first finding in the way. */
static int verdict(const struct report *report)
{
	for (__u32 i = 0; i < report->nr; i++)
		if (report->findings[i].err)
			return report->findings[i].err;
	return 0;
}

TEST_F(session, is_ready)
{
	const struct iox_lu_finding *f;
	struct report report;
	struct stat st;

	must(ask(self, &report));
	EXPECT_EQ(3, report.nr);
	EXPECT_EQ(0, verdict(&report));

	f = find(&report, IOX_LU_FINDING_DEVICE);
	ASSERT_NE(NULL, f);
	EXPECT_STREQ(self->edu.name, f->name);
	EXPECT_EQ(self->hwpt, f->hwpt_id);

	f = find(&report, IOX_LU_FINDING_HWPT);
	ASSERT_NE(NULL, f);
	EXPECT_EQ(self->hwpt, f->hwpt_id);
	EXPECT_EQ(HWPT_TOKEN, f->token);

	f = find(&report, IOX_LU_FINDING_MEMFD);
	ASSERT_NE(NULL, f);
	ASSERT_EQ(0, fstat(self->memfd, &st));
	EXPECT_EQ(st.st_ino, f->ino);
	EXPECT_EQ(st.st_dev, f->dev);
	EXPECT_EQ(self->hwpt, f->hwpt_id);
	EXPECT_EQ(AT, f->iova);
	EXPECT_EQ(1, f->areas);
	EXPECT_EQ(SIZE, f->bytes);
	EXPECT_NE(NULL, strstr(f->name, "live update"));

	must(map_still_works(self));
	must(preserve_all(self));
}

/* Reservations are neither preserved nor in the way; they are frozen, too. */
TEST_F(session, reservations_do_not_matter)
{
	struct report report;
	__u64 hint = 0;

	must(ioas_reserve_fixed(self->fd, self->ioas, 4 * PAGE, FAR));
	must(ask(self, &report));
	EXPECT_EQ(3, report.nr);
	EXPECT_EQ(0, verdict(&report));
	must(preserve_all(self));
	must_fail(EBUSY, ioas_reserve(self->fd, self->ioas, 0, PAGE, &hint));
	must_fail(EBUSY, ioas_unmap(self->fd, self->ioas, FAR, PAGE));
	EXPECT_TRUE(device_works(self));
	must(give_up(self));
	must_fail(EEXIST, ioas_reserve_fixed(self->fd, self->ioas, PAGE, FAR));
	must(ioas_unmap(self->fd, self->ioas, FAR, 4 * PAGE));
}

TEST_F(session, alike_areas_are_one_finding)
{
	const struct iox_lu_finding *f;
	struct report report;
	char *page = buffer_small(PAGE);

	must(ioas_map_memfd(self->fd, self->ioas, self->memfd, SIZE, FAR));
	must(ask(self, &report));
	f = find(&report, IOX_LU_FINDING_MEMFD);
	ASSERT_NE(NULL, f);
	EXPECT_EQ(AT, f->iova);
	EXPECT_EQ(2, f->areas);
	EXPECT_EQ(2 * SIZE, f->bytes);

	/* Something else in between */
	must(ioas_map_fixed(self->fd, self->ioas, page, PAGE, AT + 2 * SIZE));
	must(ask(self, &report));
	EXPECT_EQ(NULL, find(&report, IOX_LU_FINDING_MEMFD));
	EXPECT_EQ(5, report.nr);
	buffer_free(BUFFER_SMALL, page, PAGE);
}

TEST_F(session, no_mark)
{
	struct report report;

	must(hwpt_unmark(self->fd, self->hwpt));
	must(ask(self, &report));
	ASSERT_NE(NULL, find(&report, IOX_LU_FINDING_NO_MARK));
	EXPECT_EQ(-EINVAL, find(&report, IOX_LU_FINDING_NO_MARK)->err);
	ASSERT_NE(NULL, find(&report, IOX_LU_FINDING_DEVICE));
	EXPECT_EQ(-ENOENT, find(&report, IOX_LU_FINDING_DEVICE)->err);
	must_fail(EINVAL, preserve_iommufd(self));
}

TEST_F(session, anonymous_memory)
{
	const struct iox_lu_finding *f;
	struct report report;
	char *page = buffer_small(PAGE);

	must(ioas_map_fixed(self->fd, self->ioas, page, PAGE, FAR));
	must(ask(self, &report));
	f = find(&report, IOX_LU_FINDING_USER_MEMORY);
	ASSERT_NE(NULL, f);
	EXPECT_EQ(FAR, f->iova);
	EXPECT_EQ(PAGE, f->bytes);
	must(preserve_memory(self));
	ASSERT_EQ(f->err, preserve_iommufd(self));
	buffer_free(BUFFER_SMALL, page, PAGE);
}

TEST_F(session, an_unsealed_memfd)
{
	int memfd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const struct iox_lu_finding *f;
	struct report report;

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, PAGE));
	must(ioas_map_memfd(self->fd, self->ioas, memfd, PAGE, FAR));
	must(ask(self, &report));
	f = find(&report, IOX_LU_FINDING_UNSEALED);
	ASSERT_NE(NULL, f);
	must(preserve_memory(self));
	must(luo_preserve_fd(self->session, memfd, 77));
	ASSERT_EQ(f->err, preserve_iommufd(self));

	ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	must(ask(self, &report));
	EXPECT_EQ(0, verdict(&report));
	must(preserve_iommufd(self));
	close(memfd);
}

TEST_F(session, hugetlb)
{
	int memfd = memfd_create("huge", MFD_CLOEXEC | MFD_ALLOW_SEALING |
						 MFD_HUGETLB);
	const struct iox_lu_finding *f;
	struct report report;

	ASSERT_LE(0, memfd);
	ASSERT_EQ(0, ftruncate(memfd, HUGE_PAGE));
	ASSERT_EQ(0, fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK));
	must(map_huge(self, memfd));
	must(ask(self, &report));
	f = find(&report, IOX_LU_FINDING_HUGETLB);
	ASSERT_NE(NULL, f);
	must(preserve_memory(self));
	ASSERT_EQ(f->err, preserve_iommufd(self));
	close(memfd);
	buffer_hugetlb_pool(0);
}

TEST_F(session, lost_memory)
{
	const struct iox_lu_finding *f;
	struct report report;

	ASSERT_EQ(0, fallocate(self->memfd,
			       FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE,
			       PAGE));
	must(ask(self, &report));
	f = find(&report, IOX_LU_FINDING_LOST);
	ASSERT_NE(NULL, f);
	must(preserve_memory(self));
	ASSERT_EQ(f->err, preserve_iommufd(self));
}

TEST_F(session, no_device)
{
	const struct iox_lu_finding *f;
	struct report report;

	must(vfio_detach(self->edu.fd));
	must(ask(self, &report));
	f = find(&report, IOX_LU_FINDING_NO_DEVICE);
	ASSERT_NE(NULL, f);
	EXPECT_EQ(-ENODEV, f->err);
	EXPECT_EQ(self->hwpt, f->hwpt_id);
	f = find(&report, IOX_LU_FINDING_DEVICE);
	ASSERT_NE(NULL, f);
	EXPECT_EQ(0, f->hwpt_id);
	must(preserve_memory(self));
	must(preserve_iommufd(self));
	ASSERT_EQ(f->err, preserve_device(self));
}

TEST_F(session, already_preserved)
{
	struct report report;

	must(preserve_all(self));
	must(ask(self, &report));
	ASSERT_NE(NULL, find(&report, IOX_LU_FINDING_PRESERVED));
	EXPECT_EQ(-EBUSY, find(&report, IOX_LU_FINDING_PRESERVED)->err);
	ASSERT_NE(NULL, find(&report, IOX_LU_FINDING_DEVICE));
	EXPECT_EQ(-EBUSY, find(&report, IOX_LU_FINDING_DEVICE)->err);
	must(give_up(self));
	must(ask(self, &report));
	EXPECT_EQ(0, verdict(&report));
}

TEST_F(session, too_little_room)
{
	struct iox_lu_finding findings[2] = {};
	__u32 nr = 1;

	must_fail(EMSGSIZE, lu_check(self->fd, findings, &nr));
	EXPECT_EQ(3, nr);
	EXPECT_NE(0, findings[0].kind);
	EXPECT_EQ(0, findings[1].kind);
	nr = 0;
	must_fail(EMSGSIZE, lu_check(self->fd, NULL, &nr));
	EXPECT_EQ(3, nr);
}

TEST_F(session, unsound_arguments)
{
	struct iox_lu_finding findings[MAX];
	struct iox_lu_check cmd = {
		.size = sizeof(cmd),
		.nr = MAX,
		.findings_uptr = (uintptr_t)findings,
	};

	cmd.flags = 1;
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOX_LU_CHECK, &cmd));
	cmd.flags = 0;
	cmd.__reserved = 1;
	must_fail(EOPNOTSUPP, xioctl(self->fd, IOX_LU_CHECK, &cmd));
	cmd.__reserved = 0;
	cmd.findings_uptr = 1;
	must_fail(EFAULT, xioctl(self->fd, IOX_LU_CHECK, &cmd));
	cmd.size = offsetof(struct iox_lu_check, findings_uptr);
	must_fail(EINVAL, xioctl(self->fd, IOX_LU_CHECK, &cmd));
}

TEST_HARNESS_MAIN
