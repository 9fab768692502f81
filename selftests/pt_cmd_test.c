// SPDX-License-Identifier: GPL-2.0-only
/*
 * iox pt: what it prints is what IOX_HWPT_PT_STATS says, the picture shows what
 * is mapped where, and what goes wrong is told in one line.
 *
 * It runs the binary that $IOX names, ../bin/iox beside this program if unset.
 */
#include <errno.h>
#include <linux/iox.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "lib/pt_model.h"
#include "shell.h"

#define AT 0x400000000ULL
#define FAR 0x800000000ULL

#define HUGE_PAGES 4
#define LG2_4K 12
#define LG2_2M 21

/* --- any kernel ----------------------------------------------------------------- */

TEST(stock_iommufd_has_none)
{
	char *output = malloc(SHELL_OUTPUT_SIZE);

	if (iommufd_is_iox())
		SKIP(return, "this kernel has page-table statistics");
	ASSERT_EQ(1, shell_run(output, "$IOX pt 2>&1"));
	EXPECT_TRUE(shell_one_line(output));
	EXPECT_TRUE(shell_has(output, "iox pt: this kernel: has no page-table statistics"));
	free(output);
}

TEST(wrong_usage_gives_2)
{
	static const char *const wrong[] = { "--bogus", "--hwpt", "--hwpt x", "--hwpt 1x",
					     "--hwpt -1", "--hwpt 1:", "--hwpt :1", "more" };
	char *output = malloc(SHELL_OUTPUT_SIZE);

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		ASSERT_EQ(2, shell_run(output, "$IOX pt %s 2>&1 >/dev/null", wrong[i])) {
			TH_LOG("iox pt %s: %s", wrong[i], output);
		}
	}
	ASSERT_EQ(0, shell_run(output, "$IOX pt --help"));
	EXPECT_TRUE(shell_has(output, "--hwpt"));
	free(output);
}

/* --- with something mapped ------------------------------------------------------ */

FIXTURE(pt)
{
	struct leak_mark mark;
	struct edu edu;
	int fd;
	__u32 ioas;
	__u32 hwpt;
	char *huge;
	char *output;
	json_object *json;
	json_object *mine;	/* our HWPT in json */
};

FIXTURE_SETUP(pt)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd has no page-table statistics");
	leak_mark(&self->mark);
	ASSERT_EQ(0, edu_bind_new(&self->edu, &self->fd, &self->ioas))
		TH_LOG(NEED_EDU);
	must(hwpt_alloc_paging(self->fd, self->edu.id, self->ioas, &self->hwpt));
	self->huge = buffer_alloc(BUFFER_HUGETLB, HUGE_PAGES * HUGE_PAGE);
	ASSERT_NE(NULL, self->huge);
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
	self->json = NULL;
}

FIXTURE_TEARDOWN(pt)
{
	if (!iommufd_is_iox())
		return;
	json_object_put(self->json);
	free(self->output);
	edu_close(&self->edu);
	EXPECT_EQ(0, close(self->fd));
	buffer_free(BUFFER_HUGETLB, self->huge, HUGE_PAGES * HUGE_PAGE);
	EXPECT_NO_LEAK(&self->mark);
}

/* Two huge pages in their place, one that is not, and a page that is far away. */
static int map_some(const FIXTURE_DATA(pt) *self)
{
	__u64 far = FAR;

	return ioas_map_fixed(self->fd, self->ioas, self->huge, 2 * HUGE_PAGE, AT) ?:
	       ioas_map_fixed(self->fd, self->ioas, self->huge, HUGE_PAGE,
			      AT + 4 * HUGE_PAGE + PAGE) ?:
	       ioas_map(self->fd, self->ioas,
			IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE, self->huge,
			PAGE, &far);
}

/* The HWPT of this process, as `iox pt --json` says; NULL if that is no JSON. */
static json_object *read_json(FIXTURE_DATA(pt) *self, const char *options)
{
	json_object *list;

	json_object_put(self->json);
	self->json = NULL;
	if (shell_run(self->output, "$IOX pt --json %s", options) || !shell_one_line(self->output))
		return NULL;
	self->json = json_tokener_parse(self->output);
	list = self->json ? json_member(self->json, "hwpts") : NULL;
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		self->mine = json_object_array_get_idx(list, i);
		if (json_number(self->mine, "pid") == getpid() &&
		    json_number(self->mine, "hwpt") == self->hwpt)
			return self->mine;
	}
	return NULL;
}

static json_object *entry(json_object *object, const char *list, size_t i)
{
	return json_object_array_get_idx(json_member(object, list), i);
}

TEST_F(pt, json_is_what_the_ioctl_says)
{
	json_object *hwpt, *leaves, *why;
	struct pt_stats stats;
	size_t nr = 0;

	must(map_some(self));
	must(pt_stats_read(self->fd, self->hwpt, &stats));
	hwpt = read_json(self, "");
	ASSERT_NE(NULL, hwpt);
	EXPECT_EQ(self->ioas, json_number(hwpt, "ioas"));
	EXPECT_STREQ("pt_cmd_test", json_string(hwpt, "comm"));
	EXPECT_STREQ(stats.format, json_string(hwpt, "format"));
	EXPECT_EQ(3, json_number(hwpt, "mappings"));
	EXPECT_EQ(3 * HUGE_PAGE + PAGE, json_number(hwpt, "mapped_bytes"));
	ASSERT_EQ(stats.nr_levels, json_object_array_length(json_member(hwpt, "levels")));
	for (size_t i = 0; i < stats.nr_levels; i++) {
		EXPECT_EQ(i, json_number(entry(hwpt, "levels", i), "level"));
		EXPECT_EQ(stats.tables[i], json_number(entry(hwpt, "levels", i), "tables"));
		EXPECT_EQ(stats.table_bytes[i], json_number(entry(hwpt, "levels", i), "bytes"));
	}
	for (int i = 0; i < PT_SIZES; i++) {
		if (!(stats.page_sizes >> i & 1))
			continue;
		leaves = entry(hwpt, "leaves", nr++);
		why = json_member(leaves, "not_larger_bytes");
		EXPECT_EQ(1ULL << i, json_number(leaves, "size_bytes"));
		EXPECT_EQ(stats.leaves[i], json_number(leaves, "count"));
		EXPECT_EQ(stats.why[i][IOX_PT_SHORT], json_number(why, "short"));
		EXPECT_EQ(stats.why[i][IOX_PT_SCATTERED], json_number(why, "scattered"));
		EXPECT_EQ(stats.why[i][IOX_PT_UNALIGNED], json_number(why, "unaligned"));
		EXPECT_EQ(stats.why[i][IOX_PT_UNUSED], json_number(why, "unused"));
	}
	EXPECT_EQ(nr, json_object_array_length(json_member(hwpt, "leaves")));
	EXPECT_EQ(HUGE_PAGE, stats.why[LG2_4K][IOX_PT_UNALIGNED]);
}

TEST_F(pt, json_has_all_mappings)
{
	json_object *hwpt, *area;

	must(map_some(self));
	hwpt = read_json(self, "");
	ASSERT_NE(NULL, hwpt);
	ASSERT_EQ(3, json_object_array_length(json_member(hwpt, "areas")));
	area = entry(hwpt, "areas", 0);
	EXPECT_STREQ("0x400000000", json_string(area, "iova"));
	EXPECT_EQ(2 * HUGE_PAGE, json_number(area, "length"));
	EXPECT_STREQ("rw", json_string(area, "prot"));
	EXPECT_STREQ("user", json_string(area, "backing"));
	ASSERT_EQ(1, json_object_array_length(json_member(area, "leaves")));
	EXPECT_EQ(2, json_number(entry(area, "leaves", 0), "count"));
	EXPECT_EQ(HUGE_PAGE, json_number(entry(area, "leaves", 0), "size_bytes"));
	area = entry(hwpt, "areas", 1);
	EXPECT_EQ(512, json_number(entry(area, "leaves", 0), "count"));
	area = entry(hwpt, "areas", 2);
	EXPECT_STREQ("0x800000000", json_string(area, "iova"));
	EXPECT_STREQ("r", json_string(area, "prot"));
}

TEST_F(pt, table_for_people)
{
	unsigned long long count;
	char unit[8], *row;
	double size;

	must(map_some(self));
	ASSERT_EQ(0, shell_run(self->output, "$IOX pt --hwpt %u", self->hwpt));
	EXPECT_TRUE(shell_has(self->output, "(pt_cmd_test)\n"));
	EXPECT_TRUE(shell_has(self->output, "6.00 MiB in 3 mappings, "));
	EXPECT_EQ(NULL, strchr(self->output, '\033'));
	for (char *line = self->output; *line; line += strcspn(line, "\n") + 1)
		ASSERT_GE(80, strcspn(line, "\n"));
	row = strstr(self->output, "\n  2.00 MiB  ");
	ASSERT_NE(NULL, row);
	ASSERT_EQ(3, sscanf(row, "%lf %7s %llu", &size, unit, &count));
	EXPECT_EQ(2, count);
}

/* The smallest characters with which it fits */
TEST_F(pt, picture)
{
	must(map_some(self));
	ASSERT_EQ(0, shell_run(self->output, "$IOX pt"));
	EXPECT_TRUE(shell_has(self->output, "  each character is 32.0 KiB: ")) {
		TH_LOG("%s", self->output);
	}
	EXPECT_TRUE(shell_has(self->output, "0x400000000 |MMMMMMMM"));
	EXPECT_TRUE(shell_has(self->output, "MMM...."));
	EXPECT_TRUE(shell_has(self->output, " MiB free\n"));
	EXPECT_TRUE(shell_has(self->output, "0x400800000 |44444444"));
	EXPECT_TRUE(shell_has(self->output, " GiB free\n"));
	EXPECT_TRUE(shell_has(self->output, "0x800000000 |4......."));
	EXPECT_FALSE(shell_has(self->output, "?"));
}

TEST_F(pt, larger_picture_of_one)
{
	must(map_some(self));
	ASSERT_EQ(0, shell_run(self->output, "$IOX pt --hwpt %u", self->hwpt));
	EXPECT_TRUE(shell_has(self->output, "  each character is 4.00 KiB: ")) {
		TH_LOG("%s", self->output);
	}
	EXPECT_TRUE(shell_has(self->output, "0x400000000 |MMMMMMMM"));
	EXPECT_TRUE(shell_has(self->output, "0x400801000 |44444444"));
}

TEST_F(pt, one_hwpt_of_several)
{
	unsigned long long context;
	__u32 other;

	must(hwpt_alloc_paging(self->fd, self->edu.id, self->ioas, &other));
	ASSERT_EQ(0, shell_run(self->output, "$IOX pt"));
	EXPECT_NE(NULL, strstr(strstr(self->output, "HWPT ") + 1, "HWPT "));
	ASSERT_NE(NULL, read_json(self, ""));
	context = json_number(self->mine, "context");
	ASSERT_EQ(0, shell_run(self->output, "$IOX pt --hwpt %llu:%u", context, other));
	EXPECT_EQ(NULL, strstr(strstr(self->output, "HWPT ") + 1, "HWPT "));
	ASSERT_EQ(1, shell_run(self->output, "$IOX pt --hwpt %llu:%u 2>&1", context + 1, other));
	EXPECT_STREQ("iox pt: --hwpt: there is no such HWPT; 'iox pt' shows all\n", self->output);
	ASSERT_EQ(1, shell_run(self->output, "$IOX pt --json --hwpt 99999 2>/dev/null"));
	EXPECT_STREQ("", self->output);
}

TEST_F(pt, what_goes_wrong_is_said)
{
	ASSERT_EQ(1, shell_run(self->output, "setpriv --bounding-set=-all -- $IOX pt 2>&1"));
	EXPECT_TRUE(shell_one_line(self->output)) TH_LOG("%s", self->output);
	EXPECT_TRUE(shell_has(self->output, "; run it as root\n"));
	ASSERT_EQ(1, shell_run(self->output, "$IOX pt 2>&1 >/dev/full"));
	EXPECT_TRUE(shell_has(self->output, ": No space left on device\n"));
	ASSERT_EQ(1, shell_run(self->output, "$IOX pt --json 2>&1 >/dev/full"));
	EXPECT_TRUE(shell_has(self->output, ": No space left on device\n"));
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
