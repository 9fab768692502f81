// SPDX-License-Identifier: GPL-2.0-only
/*
 * iox report: the numbers in the page are those of its JSON, and those of what
 * happened; what comes from outside is escaped; files are whole or not there.
 * selftests/report_browser looks at the page in a browser.
 *
 * As "report_test load MAPS" this program is what is measured: so many maps and
 * unmaps of pages, failing ones, and a few of 2 MiB, with a device if there is
 * one that does DMA, under a name that has to be escaped.
 */
#include <sys/mman.h>
#include <sys/prctl.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/edu.h"
#include "lib/iommufd.h"
#include "shell.h"

#define AT 0x10000000ULL
#define FAR 0x7000000000ULL
#define LARGE 16
#define FAILS 7
#define NAME "<b>\"&'\xff\n</b>"

/* --- a load to measure ---------------------------------------------------- */

static int map_large(int fd, __u32 ioas, void *memory)
{
	for (__u64 i = 0; i < LARGE; i++)
		if (ioas_map_fixed(fd, ioas, memory, HUGE_PAGE, FAR + i * HUGE_PAGE))
			return 1;
	return ioas_unmap(fd, ioas, FAR, LARGE / 2 * HUGE_PAGE);
}

static int map_small(int fd, __u32 ioas, void *memory, __u64 maps)
{
	for (__u64 i = 0; i < maps; i++)
		if (ioas_map_fixed(fd, ioas, memory, PAGE, AT + 2 * i * PAGE))
			return 1;
	for (__u64 i = 0; i < maps; i++)
		if (ioas_unmap(fd, ioas, AT + 2 * i * PAGE, PAGE))
			return 1;
	for (int i = 0; i < FAILS; i++)
		if (ioas_unmap(fd, ioas, AT, PAGE) != -ENOENT)
			return 1;
	return 0;
}

static int load_program(__u64 maps)
{
	void *memory = buffer_alloc(BUFFER_THP, HUGE_PAGE);
	struct edu edu;
	__u32 ioas;
	int fd;

	memory = memory ?: buffer_small(HUGE_PAGE);
	buffer_fill(memory, HUGE_PAGE, 1);
	prctl(PR_SET_NAME, NAME);
	fd = iommufd_open();
	if (fd < 0 || ioas_alloc(fd, &ioas))
		return 1;
	/* Without it all works but the page sizes. */
	edu_setup(&edu, fd, ioas);
	return map_large(fd, ioas, memory) || map_small(fd, ioas, memory, maps);
}

/* --- running the command -------------------------------------------------- */

FIXTURE(report)
{
	char *output;
	char *page;
	json_object *json;	/* that in the page */
	char dir[64];		/* also $DIR, a file system of 4 MiB */
};

FIXTURE_SETUP(report)
{
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
	self->page = NULL;
	self->json = NULL;
	strcpy(self->dir, "/tmp/report_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, setenv("DIR", self->dir, 1));
	ASSERT_EQ(0, shell_run(self->output, "mount -t tmpfs -o size=4m report $DIR"));
}

FIXTURE_TEARDOWN(report)
{
	json_object_put(self->json);
	free(self->page);
	EXPECT_EQ(0, shell_run(self->output, "umount $DIR && rmdir $DIR"));
	free(self->output);
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;

	if (!f)
		return NULL;
	if (getdelim(&text, &room, 0, f) < 0) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

/* Reads the page at $DIR/@name, and the JSON in it; false if there is none. */
static bool read_page(FIXTURE_DATA(report) *self, const char *name)
{
	static const char begin[] = "<script type=\"application/json\" id=\"data\">";
	char path[128], *data, *end;

	snprintf(path, sizeof(path), "%s/%s", self->dir, name);
	self->page = read_file(path);
	data = self->page ? strstr(self->page, begin) : NULL;
	end = data ? strstr(data, "</script>") : NULL;
	if (!end)
		return false;
	data += strlen(begin);
	data = strndup(data, end - data);
	self->json = json_tokener_parse(data);
	free(data);
	return self->json;
}

static __u64 heat_sum(json_object *json, const char *call)
{
	json_object *cells = json_member(json_member(json_member(json, "heat"), "cells"), call);
	__u64 sum = 0;

	for (size_t i = 0; i < json_object_array_length(cells); i++)
		sum += json_object_get_uint64(json_object_array_get_idx(
			json_object_array_get_idx(cells, i), 2));
	return sum;
}

#define RUN_LOAD(maps)							\
	ASSERT_EQ(0, shell_run(self->output, "$IOX report -o $DIR/page -- $SELF load " #maps " 2>&1")) { \
		TH_LOG("%s", self->output);				\
	}								\
	ASSERT_TRUE(read_page(self, "page"))

TEST_F(report, counts_what_happened)
{
	json_object *map, *unmap;

	RUN_LOAD(300);
	map = json_find(json_member(self->json, "calls"), "call", "map");
	unmap = json_find(json_member(self->json, "calls"), "call", "unmap");
	ASSERT_EQ(300 + LARGE, json_number(map, "count"));
	ASSERT_EQ(300 * PAGE + LARGE * HUGE_PAGE, json_number(map, "bytes"));
	ASSERT_EQ(300 + 1 + FAILS, json_number(unmap, "count"));
	ASSERT_EQ(FAILS, json_number(unmap, "failed"));
	ASSERT_EQ(json_number(map, "count"), heat_sum(self->json, "map"));
	ASSERT_EQ(json_number(unmap, "count"), heat_sum(self->json, "unmap"));
}

TEST_F(report, loses_nothing_when_columns_become_wider)
{
	ASSERT_EQ(0, shell_run(self->output, "$IOX report -o $DIR/page -- sh -c "
			       "'for i in 1 2 3 4 5 6; do $SELF load 50; done; sleep 6'"));
	ASSERT_TRUE(read_page(self, "page"));
	ASSERT_LT(50000000, json_number(json_member(self->json, "heat"), "column_ns"));
	ASSERT_EQ(6 * (50 + LARGE), heat_sum(self->json, "map"));
}

TEST_F(report, lists_the_slowest_first)
{
	__u64 last = ~0ULL, most = 0;
	json_object *list;

	RUN_LOAD(300);
	list = json_member(self->json, "slowest");
	ASSERT_EQ(50, json_object_array_length(list));
	for (size_t i = 0; i < 50; i++) {
		json_object *e = json_object_array_get_idx(list, i);

		ASSERT_GE(last, json_number(e, "ns"));
		last = json_number(e, "ns");
		ASSERT_GE(json_number(self->json, "span_ns"), json_number(e, "end_ns"));
	}
	list = json_member(self->json, "calls");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *max;

		if (json_object_object_get_ex(json_object_array_get_idx(list, i), "max_ns", &max) &&
		    json_object_get_uint64(max) > most)
			most = json_object_get_uint64(max);
	}
	ASSERT_EQ(most, json_number(json_object_array_get_idx(json_member(self->json, "slowest"), 0), "ns"));
}

TEST_F(report, shows_the_space_at_its_fullest)
{
	json_object *space, *fullest, *area;

	RUN_LOAD(300);
	ASSERT_EQ(1, json_object_array_length(json_member(self->json, "spaces")));
	space = json_object_array_get_idx(json_member(self->json, "spaces"), 0);
	ASSERT_EQ(0, json_number(json_member(space, "before"), "bytes"));
	fullest = json_member(space, "fullest");
	ASSERT_EQ(LARGE, json_number(fullest, "areas"));
	ASSERT_EQ(LARGE * HUGE_PAGE, json_number(fullest, "bytes"));
	area = json_object_array_get_idx(json_member(fullest, "list"), 0);
	ASSERT_STREQ("0x7000000000", json_string(area, "iova"));
	ASSERT_EQ(HUGE_PAGE, json_number(area, "length"));
	ASSERT_EQ(0, json_number(json_member(space, "end"), "bytes"));
}

/* Begins a report of the whole system, which sees what comes from now on. */
#define BEGIN_REPORT()							\
	ASSERT_EQ(0, system("$IOX report -o $DIR/page & echo $! >$DIR/pid; "	\
			    "until grep -qs link_type /proc/$(cat $DIR/pid)/fdinfo/*; do sleep 0.1; done"))
#define END_REPORT() do {						\
	ASSERT_EQ(0, system("kill -INT $(cat $DIR/pid); "		\
			    "while kill -0 $(cat $DIR/pid) 2>/dev/null; do sleep 0.1; done")); \
	ASSERT_TRUE(read_page(self, "page"));				\
} while (0)

TEST_F(report, finds_out_what_was_there_before)
{
	__u64 bytes = 0;
	json_object *space;
	__u32 ioas;
	int fd = iommufd_open();

	ASSERT_LE(0, fd);
	must(ioas_alloc(fd, &ioas));
	for (__u64 i = 0; i < 4; i++)
		must(ioas_map_fixed(fd, ioas, buffer_small(PAGE), PAGE, AT + i * PAGE));
	BEGIN_REPORT();
	must(ioas_unmap(fd, ioas, AT + PAGE, 2 * PAGE));
	must(ioas_map_fixed(fd, ioas, buffer_small(PAGE), PAGE, AT + PAGE));
	END_REPORT();
	space = json_object_array_get_idx(json_member(self->json, "spaces"), 0);
	bytes = json_number(json_member(space, "before"), "bytes");
	ASSERT_EQ(2 * PAGE, bytes);
	ASSERT_EQ(PAGE, json_number(json_member(space, "end"), "bytes"));
	close(fd);
}

static bool has_area(json_object *space, const char *state, const char *iova, __u64 length)
{
	json_object *list = json_member(json_member(space, state), "list");
	json_object *area = json_find(list, "iova", iova);

	return area && json_number(area, "length") == length;
}

/* A page, a huge page, a file; a page that is unmapped, and one that is mapped anew. */
static void map_kinds(struct __test_metadata *_metadata, int fd, __u32 ioas)
{
	void *huge = buffer_alloc(BUFFER_THP, HUGE_PAGE);
	int file = memfd_create("report_test", MFD_CLOEXEC);

	ASSERT_NE(NULL, huge);
	buffer_fill(huge, HUGE_PAGE, 1);
	must(ioas_map_fixed(fd, ioas, buffer_small(PAGE), PAGE, AT));
	must(ioas_map_fixed(fd, ioas, huge, HUGE_PAGE, FAR));
	ASSERT_EQ(0, ftruncate(file, 4 * PAGE));
	must(ioas_map_file_fixed(fd, ioas, file, 0, 4 * PAGE, 2 * AT));
	must(ioas_map_fixed(fd, ioas, buffer_small(PAGE), PAGE, 3 * AT));
	must(ioas_map_fixed(fd, ioas, buffer_small(PAGE), PAGE, 3 * AT + PAGE));
	close(file);
}

TEST_F(report, reads_what_was_mapped_for_a_device_before)
{
	__u32 ioas, other;
	json_object *space;
	struct edu edu;
	int fd;

	if (!iommufd_is_iox())
		SKIP(return, "no page-table statistics");
	if (access("/sys/bus/pci/devices", F_OK) || edu_open(&edu))
		SKIP(return, "no device that does DMA (edu)");
	edu_close(&edu);
	fd = iommufd_open();
	ASSERT_LE(0, fd);
	must(ioas_alloc(fd, &ioas));
	must(ioas_alloc(fd, &other));
	must(edu_setup(&edu, fd, ioas));
	map_kinds(_metadata, fd, ioas);
	BEGIN_REPORT();
	must(ioas_unmap(fd, ioas, 3 * AT, 2 * PAGE));
	must(ioas_map_fixed(fd, ioas, buffer_small(2 * PAGE), 2 * PAGE, 3 * AT));
	must(ioas_map_fixed(fd, ioas, buffer_small(PAGE), PAGE, 4 * AT));
	END_REPORT();
	ASSERT_EQ(1, json_object_array_length(json_member(self->json, "spaces")));
	space = json_object_array_get_idx(json_member(self->json, "spaces"), 0);
	ASSERT_EQ(3, json_number(space, "changes"));
	ASSERT_EQ(5, json_number(json_member(space, "before"), "areas"));
	ASSERT_EQ(HUGE_PAGE + 7 * PAGE, json_number(json_member(space, "before"), "bytes"));
	ASSERT_EQ(HUGE_PAGE + 8 * PAGE, json_number(json_member(space, "fullest"), "bytes"));
	ASSERT_EQ(HUGE_PAGE + 8 * PAGE, json_number(json_member(space, "end"), "bytes"));
	ASSERT_TRUE(has_area(space, "before", "0x10000000", PAGE));
	ASSERT_TRUE(has_area(space, "before", "0x7000000000", HUGE_PAGE));
	ASSERT_TRUE(has_area(space, "before", "0x20000000", 4 * PAGE));
	ASSERT_TRUE(has_area(space, "before", "0x30001000", PAGE));
	ASSERT_TRUE(has_area(space, "end", "0x30000000", 2 * PAGE));
	ASSERT_FALSE(has_area(space, "before", "0x40000000", PAGE));
	edu_close(&edu);
	close(fd);
}

/* As long as nothing happens to it, too; but only where all are asked for */
TEST_F(report, shows_spaces_that_do_not_change)
{
	json_object *spaces, *space;
	struct edu edu;
	__u32 ioas;
	int fd = iommufd_open();

	ASSERT_LE(0, fd);
	if (!iommufd_is_iox() || ioas_alloc(fd, &ioas) || edu_setup(&edu, fd, ioas))
		SKIP(return, "no page-table statistics, or no device that does DMA (edu)");
	must(ioas_map_fixed(fd, ioas, buffer_small(PAGE), PAGE, AT));
	ASSERT_EQ(0, shell_run(self->output, "$IOX report -d 0.5 -o $DIR/page"));
	ASSERT_TRUE(read_page(self, "page"));
	spaces = json_member(self->json, "spaces");
	ASSERT_EQ(1, json_object_array_length(spaces));
	space = json_object_array_get_idx(spaces, 0);
	ASSERT_EQ(0, json_number(space, "changes"));
	ASSERT_TRUE(has_area(space, "before", "0x10000000", PAGE));
	ASSERT_TRUE(has_area(space, "fullest", "0x10000000", PAGE));
	ASSERT_TRUE(has_area(space, "end", "0x10000000", PAGE));
	json_object_put(self->json);
	ASSERT_EQ(0, shell_run(self->output, "$IOX report -o $DIR/page -- true"));
	ASSERT_TRUE(read_page(self, "page"));
	ASSERT_EQ(0, json_object_array_length(json_member(self->json, "spaces")));
	edu_close(&edu);
	close(fd);
}

/* Ids are used again. */
TEST_F(report, keeps_an_ioas_and_its_successor_apart)
{
	json_object *spaces;
	__u64 before = 0;
	__u32 ioas, next;
	int fd = iommufd_open();

	ASSERT_LE(0, fd);
	must(ioas_alloc(fd, &ioas));
	must(ioas_map_fixed(fd, ioas, buffer_small(PAGE), PAGE, AT));
	BEGIN_REPORT();
	must(ioas_unmap(fd, ioas, AT, PAGE));
	must(iommufd_destroy(fd, ioas));
	must(ioas_alloc(fd, &next));
	ASSERT_EQ(ioas, next);
	must(ioas_map_fixed(fd, next, buffer_small(PAGE), PAGE, 2 * AT));
	END_REPORT();
	spaces = json_member(self->json, "spaces");
	ASSERT_EQ(2, json_object_array_length(spaces));
	for (int i = 0; i < 2; i++) {
		json_object *space = json_object_array_get_idx(spaces, i);

		ASSERT_EQ(ioas, json_number(space, "ioas"));
		before += json_number(json_member(space, "before"), "bytes");
		ASSERT_EQ(i ? PAGE : 0, json_number(json_member(space, "end"), "bytes"));
	}
	ASSERT_EQ(PAGE, before);
	close(fd);
}

TEST_F(report, escapes_what_comes_from_outside)
{
	json_object *e;

	RUN_LOAD(50);
	ASSERT_EQ(NULL, strstr(self->page, "<b>\""));
	ASSERT_NE(NULL, strstr(self->page, "&lt;b&gt;&quot;&amp;&#39;\xef\xbf\xbd\xef\xbf\xbd&lt;/b&gt;"));
	e = json_object_array_get_idx(json_member(self->json, "slowest"), 0);
	ASSERT_STREQ("<b>\"&'\xef\xbf\xbd\xef\xbf\xbd</b>", json_string(e, "comm"));
	ASSERT_EQ(0, shell_run(self->output, "iconv -f utf-8 -t utf-8 $DIR/page >/dev/null && grep -c '</script>' $DIR/page"));
	ASSERT_STREQ("1\n", self->output);
}

/* It would be obeyed by a terminal. */
TEST_F(report, names_are_plain_in_text_too)
{
	static const char *const command[] = { "stat --by process", "trace" };

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, shell_run(self->output, "$IOX %s -- $SELF load 5", command[i]));
		ASSERT_TRUE(shell_has(self->output, "<b>\"&'\xff?</b> ")) {
			TH_LOG("%s", self->output);
		}
		ASSERT_FALSE(shell_has(self->output, "\n</b>"));
	}
}

TEST_F(report, needs_nothing_from_elsewhere)
{
	RUN_LOAD(50);
	ASSERT_EQ(1, shell_run(self->output, "grep -oiE '((src|href|action)=|@import|url[(])[^ >]*' $DIR/page | grep -v '^href=.data:,.$'")) {
		TH_LOG("%s", self->output);
	}
	ASSERT_EQ(NULL, strstr(self->page, "{{"));
}

TEST_F(report, says_what_is_not_in_it)
{
	RUN_LOAD(50);
	ASSERT_NE(NULL, strstr(self->page, "what was mapped before and stayed"));
	ASSERT_EQ(!iommufd_is_iox(), !!strstr(self->page, "does not tell its stages"));
}

TEST_F(report, stops_after_a_time)
{
	ASSERT_EQ(0, shell_run(self->output, "timeout 30 $IOX report -d 1s -o - >$DIR/page 2>&1"));
	ASSERT_TRUE(read_page(self, "page"));
	ASSERT_LE(1000000000ULL, json_number(self->json, "span_ns"));
	ASSERT_STREQ("all", json_string(self->json, "of"));
}

/* But not with nohup. */
TEST_F(report, is_written_when_its_terminal_goes_away)
{
	BEGIN_REPORT();
	ASSERT_EQ(0, system("kill -HUP $(cat $DIR/pid); "
			    "while kill -0 $(cat $DIR/pid) 2>/dev/null; do sleep 0.1; done"));
	ASSERT_TRUE(read_page(self, "page"));
	ASSERT_EQ(0, shell_run(self->output, "ls $DIR"));
	ASSERT_STREQ("page\npid\n", self->output);
	ASSERT_EQ(0, system("trap '' HUP; rm $DIR/page; $IOX report -d 3 -o $DIR/page & p=$!; "
			    "until grep -qs link_type /proc/$p/fdinfo/*; do sleep 0.1; done; kill -HUP $p; wait $p"));
	json_object_put(self->json);
	ASSERT_TRUE(read_page(self, "page"));
	ASSERT_LE(3000000000ULL, json_number(self->json, "span_ns"));
}

TEST_F(report, of_a_full_disk_leaves_what_was_there)
{
	ASSERT_EQ(0, shell_run(self->output, "echo old >$DIR/page; dd if=/dev/zero of=$DIR/fill bs=4k 2>/dev/null; df $DIR >/dev/null"));
	ASSERT_EQ(1, shell_run(self->output, "$IOX report -o $DIR/page -- true 2>&1"));
	ASSERT_TRUE(shell_one_line(self->output));
	ASSERT_TRUE(shell_has(self->output, "/page: No space left on device"));
	ASSERT_EQ(0, shell_run(self->output, "cat $DIR/page; ls $DIR"));
	ASSERT_STREQ("old\nfill\npage\n", self->output);
}

TEST_F(report, that_cannot_be_written_fails)
{
	ASSERT_EQ(1, shell_run(self->output, "$IOX report -o /dev/full -- true 2>&1"));
	ASSERT_STREQ("iox report: /dev/full: No space left on device\n", self->output);
	ASSERT_EQ(1, shell_run(self->output, "$IOX report -o - -- true 2>&1 >/dev/full"));
	ASSERT_STREQ("iox report: standard output: No space left on device\n", self->output);
	ASSERT_EQ(1, shell_run(self->output, "$IOX report -o /nonexistent/page -- touch $DIR/ran 2>&1"));
	ASSERT_STREQ("iox report: /nonexistent/page: No such file or directory\n", self->output);
	ASSERT_NE(0, shell_run(self->output, "ls $DIR/ran 2>&1"));
}

TEST_F(report, passes_on_the_exit_status)
{
	ASSERT_EQ(5, shell_run(self->output, "$IOX report -o $DIR/page -- sh -c 'exit 5'"));
	ASSERT_TRUE(read_page(self, "page"));
	ASSERT_EQ(127, shell_run(self->output, "$IOX report -o $DIR/none -- /nonexistent 2>&1"));
	ASSERT_STREQ("iox report: /nonexistent: No such file or directory\n", self->output);
	ASSERT_EQ(0, shell_run(self->output, "ls $DIR"));
	ASSERT_STREQ("page\n", self->output);
}

TEST_F(report, of_wrong_usage_gives_2)
{
	static const char *const wrong[] = { "", "-d 1", "-o x -d 0", "-o x -d 1d", "-o x -d 1 -- true", "-o" };

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		ASSERT_EQ(2, shell_run(self->output, "$IOX report %s 2>&1", wrong[i]));
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "load"))
		return load_program(strtoull(argv[2], NULL, 0));

	shell_environment();
	return test_harness_run(argc, argv);
}
