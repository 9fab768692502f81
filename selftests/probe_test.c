// SPDX-License-Identifier: GPL-2.0-only
/*
 * The probes, as iox stat, trace and record show them: nothing that happened is missing, what is
 * dropped is counted, events and histograms say the same, filters and keys sort rightly.
 *
 * As "probe_test load CALLS FAILS SPACE" this program is what is watched: so many maps and as many
 * unmaps, so many unmaps that fail, in the IOAS with id SPACE; with a device, where the kernel has
 * mock devices.
 */
#include <errno.h>
#include <sys/stat.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/iommufd.h"
#include "lib/mock.h"
#include "shell.h"

#define AT 0x10000000ULL
/* A mapping takes memory, too. */
#define AT_ONCE 100000
#define CGROUP "/sys/fs/cgroup/probe_test"

/* --- a load to watch -------------------------------------------------------- */

static int map_and_unmap(int fd, __u32 ioas, void *page, long calls)
{
	for (long i = 0; i < calls; i++)
		if (ioas_map_fixed(fd, ioas, page, PAGE, AT + i * PAGE))
			return 1;
	for (long i = 0; i < calls; i++)
		if (ioas_unmap(fd, ioas, AT + i * PAGE, PAGE))
			return 1;
	return 0;
}

static int load(int fd, __u32 ioas, void *page, long calls, long fails)
{
	for (long left = calls; left > 0; left -= AT_ONCE)
		if (map_and_unmap(fd, ioas, page, left < AT_ONCE ? left : AT_ONCE))
			return 1;
	for (long i = 0; i < fails; i++)
		if (ioas_unmap(fd, ioas, AT, PAGE) != -ENOENT)
			return 1;
	return 0;
}

static int load_program(long calls, long fails, __u32 space)
{
	void *page = buffer_small(PAGE);
	int fd = iommufd_open(), failed = 1;
	__u32 ioas = 0;
	struct mock mock;

	while (fd >= 0 && ioas < space && !ioas_alloc(fd, &ioas))
		;
	if (ioas == space) {
		mock_plug(fd, ioas, 0, &mock);
		failed = load(fd, ioas, page, calls, fails);
	}
	close(fd);
	buffer_free(BUFFER_SMALL, page, PAGE);
	return failed;
}

/* A new context with an IOAS that has a page at AT; its id is always the same. */
static int map_anew(__u32 *ioas, void *page)
{
	int fd = iommufd_open();

	if (fd < 0 || ioas_alloc(fd, ioas) || ioas_map_fixed(fd, *ioas, page, PAGE, AT))
		exit(1);
	return fd;
}

/* IOASes that have the same id: of several contexts, and one after the other. */
static int again_program(void)
{
	void *page = buffer_small(PAGE);
	int first, fd, mapped[2], go[2], status;
	__u32 ioas, next;
	char byte;

	first = map_anew(&ioas, page);				/* space 1 */
	fd = map_anew(&next, page);				/* space 2 */
	if (next != ioas || iommufd_destroy(fd, next) || ioas_alloc(fd, &next) || next != ioas ||
	    ioas_map_fixed(fd, next, page, PAGE, AT))		/* space 3 */
		return 1;
	close(fd);
	if (pipe(mapped) || pipe(go))
		return 1;
	if (!fork()) {
		map_anew(&next, page);				/* space 4, older than 5 */
		_exit(write(mapped[1], "", 1) != 1 || read(go[0], &byte, 1) != 1);
	}
	if (read(mapped[0], &byte, 1) != 1)
		return 1;
	fd = map_anew(&next, page);				/* space 5 */
	if (write(go[1], "", 1) != 1 || wait(&status) < 0 || status)
		return 1;
	return ioas_unmap(fd, next, AT, PAGE) || ioas_unmap(first, ioas, AT, PAGE);
}

/* --- what the command says --------------------------------------------------- */

#define MAX_EVENTS 8192

FIXTURE(probe)
{
	char *output;
	json_object *json;
	json_object *event[MAX_EVENTS];
	int nr;
};

FIXTURE_SETUP(probe)
{
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
	self->json = NULL;
	self->nr = 0;
	ASSERT_LE(0, close(iommufd_open()));
}

FIXTURE_TEARDOWN(probe)
{
	for (int i = 0; i < self->nr; i++)
		json_object_put(self->event[i]);
	json_object_put(self->json);
	free(self->output);
	rmdir(CGROUP);
}

/* One object a line */
static bool parse_events(FIXTURE_DATA(probe) *self)
{
	char *next = self->output, *line;

	while ((line = strsep(&next, "\n")) && *line) {
		json_object *o = self->nr < MAX_EVENTS ? json_tokener_parse(line) : NULL;

		if (!o)
			return false;
		self->event[self->nr++] = o;
	}
	return true;
}

static int count_events(FIXTURE_DATA(probe) *self, const char *call)
{
	int n = 0;

	for (int i = 0; i < self->nr; i++)
		n += !strcmp(call, json_string(self->event[i], "call"));
	return n;
}

static json_object *find_call(json_object *stat, const char *call)
{
	return json_find(json_member(stat, "calls"), "call", call);
}

/* All keys of --by with this call: how many, and the sum of their calls in @sum */
static int count_keys(json_object *stat, const char *call, __u64 *sum)
{
	json_object *keys = json_member(stat, "keys");
	int n = 0;

	*sum = 0;
	for (size_t i = 0; i < json_object_array_length(keys); i++) {
		json_object *k = json_object_array_get_idx(keys, i);

		if (strcmp(call, json_string(k, "call")))
			continue;
		n++;
		*sum += json_number(k, "count");
	}
	return n;
}

/* --- nothing is missing ------------------------------------------------------ */

TEST_F_TIMEOUT(probe, all_calls_are_counted, 250)
{
	const char *calls = getenv("IOX_PROBE_CALLS") ?: "100000";
	json_object *map, *unmap;
	__u64 n = strtoull(calls, NULL, 0);

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --stages --json -- $SELF load %s 77 1", calls));
	self->json = json_tokener_parse(self->output);
	ASSERT_NE(NULL, self->json);
	map = find_call(self->json, "map");
	unmap = find_call(self->json, "unmap");
	EXPECT_EQ(0, json_number(self->json, "skipped"));
	EXPECT_EQ(n, json_number(map, "count"));
	EXPECT_EQ(0, json_number(map, "failed"));
	EXPECT_EQ(n * PAGE, json_number(map, "bytes"));
	EXPECT_EQ(n + 77, json_number(unmap, "count"));
	EXPECT_EQ(77, json_number(unmap, "failed"));
	EXPECT_EQ(n * PAGE, json_number(unmap, "bytes"));
	EXPECT_EQ(1, json_number(find_call(self->json, "destroy"), "count"));
}

TEST_F_TIMEOUT(probe, dropped_events_are_counted, 100)
{
	unsigned int lines, dropped;

	ASSERT_EQ(0, shell_run(self->output, "f=$(mktemp); $IOX trace --json --buffer 4 -- "
			"$SELF load 20000 0 1 2>$f | wc -l; grep dropped $f; rm $f"));
	ASSERT_EQ(2, sscanf(self->output, "%u %u events dropped: ", &lines, &dropped));
	EXPECT_LT(0, dropped);
	/* One of them is the end of the IOAS; where there are mock devices, they come and go. */
	EXPECT_LE(40001, lines + dropped);
	EXPECT_GE(40003, lines + dropped);
}

/* --- events and histograms ---------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Fills @ns with the sorted times of the events of one call; how many. */
static int sorted_times(FIXTURE_DATA(probe) *self, const char *call, __u64 *ns, __u64 *sum)
{
	int n = 0;

	*sum = 0;
	for (int i = 0; i < self->nr; i++) {
		if (strcmp(call, json_string(self->event[i], "call")))
			continue;
		ns[n] = json_number(self->event[i], "ns");
		*sum += ns[n++];
	}
	qsort(ns, n, sizeof(*ns), compare);
	return n;
}

static bool is_percentile(__u64 value, const __u64 *ns, int n, double percent)
{
	__u64 exact = ns[(int)((n * percent + 99.9999) / 100) - 1];

	return value >= exact && value <= exact + exact / 16;
}

TEST_F_TIMEOUT(probe, histograms_are_of_the_events, 100)
{
	static __u64 ns[MAX_EVENTS];
	static const char *const calls[] = { "map", "unmap" };

	/* Two of them watch the same calls. */
	ASSERT_EQ(0, shell_run(self->output, "f=$(mktemp); $IOX stat --json -o $f -- "
			"$IOX trace --json -- $SELF load 200 5 1 2>/dev/null; cat $f; rm $f"));
	ASSERT_TRUE(parse_events(self));
	self->json = self->event[--self->nr];
	/* What a clock of the probe itself measures differs. */
	if (!json_object_get_boolean(json_member(self->json, "staged")))
		SKIP(return, "Linux's own iommufd tells no times");
	for (int i = 0; i < 2; i++) {
		json_object *c = find_call(self->json, calls[i]);
		__u64 sum;
		int n = sorted_times(self, calls[i], ns, &sum);

		ASSERT_EQ(i ? 205 : 200, n);
		EXPECT_EQ(n, json_number(c, "count"));
		EXPECT_EQ(sum, json_number(c, "sum_ns"));
		EXPECT_EQ(ns[n - 1], json_number(c, "max_ns"));
		EXPECT_TRUE(is_percentile(json_number(c, "p50_ns"), ns, n, 50));
		EXPECT_TRUE(is_percentile(json_number(c, "p90_ns"), ns, n, 90));
		EXPECT_TRUE(is_percentile(json_number(c, "p99_ns"), ns, n, 99));
		EXPECT_TRUE(is_percentile(json_number(c, "p99_9_ns"), ns, n, 99.9));
	}
}

static __u64 stage(json_object *event, const char *name)
{
	json_object *value = NULL;

	json_object_object_get_ex(json_member(event, "stages_ns"), name, &value);
	return value ? json_object_get_uint64(value) : 0;
}

TEST_F(probe, stages_are_parts_of_a_call)
{
	int seen = 0;

	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd tells no stages");
	ASSERT_EQ(0, shell_run(self->output, "$IOX trace --json -- $SELF load 100 0 1 2>/dev/null"));
	ASSERT_TRUE(parse_events(self));
	for (int i = 0; i < self->nr; i++) {
		json_object *e = self->event[i];
		bool map = !strcmp("map", json_string(e, "call"));

		if (!map && strcmp("unmap", json_string(e, "call")))
			continue;
		EXPECT_GE(json_number(e, "ns"),
			  json_number(e, "before_ns") + stage(e, "select") + stage(e, "pin") +
				  stage(e, "unpin") + stage(e, "tables") + stage(e, "flush"));
		EXPECT_LT(0, stage(e, map ? "select" : "unpin"));
		EXPECT_LT(0, stage(e, "tables"));
		EXPECT_EQ(1, json_number(e, "hwpts"));
		if (map) {
			EXPECT_LT(0, stage(e, "pin"));
			EXPECT_EQ(1, json_number(json_member(e, "leaves"), "4KiB"));
			EXPECT_STREQ("fixed", json_string(e, "chosen"));
		}
		seen++;
	}
	ASSERT_EQ(200, seen);
}

TEST_F(probe, slices_lie_in_each_other)
{
	json_object *list, *outer = NULL;
	double begin = 0, end = 0;
	int calls = 0;

	ASSERT_EQ(0, shell_run(self->output, "f=$(mktemp); $IOX trace --perfetto $f -- "
			"$SELF load 50 0 1 2>/dev/null; cat $f; rm $f"));
	self->json = json_tokener_parse(self->output);
	ASSERT_NE(NULL, self->json);
	list = json_member(self->json, "traceEvents");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *s = json_object_array_get_idx(list, i), *args;
		double ts, dur;

		if (strcmp("X", json_string(s, "ph")))
			continue;
		ts = json_object_get_double(json_member(s, "ts"));
		dur = json_object_get_double(json_member(s, "dur"));
		if (json_object_object_get_ex(s, "args", &args)) {
			outer = s;
			begin = ts;
			end = ts + dur;
			calls += !strcmp("map", json_string(s, "name"));
			continue;
		}
		ASSERT_NE(NULL, outer);
		/* They are rounded to nanoseconds each. */
		EXPECT_LE(begin, ts + 0.001);
		EXPECT_GE(end + 0.001, ts + dur);
	}
	ASSERT_EQ(50, calls);
}

/* --- filters -------------------------------------------------------------------- */

TEST_F(probe, only_those_that_failed)
{
	ASSERT_EQ(0, shell_run(self->output,
			       "$IOX trace --json --failed -- $SELF load 20 3 1 2>/dev/null"));
	ASSERT_TRUE(parse_events(self));
	ASSERT_EQ(3, count_events(self, "unmap"));
	EXPECT_STREQ("ENOENT", json_string(self->event[0], "error"));
	for (int i = 0; i < self->nr; i++)
		EXPECT_NE(0, json_object_get_int(json_member(self->event[i], "result")));
}

TEST_F(probe, only_slow_ones)
{
	ASSERT_EQ(0, shell_run(self->output, "$IOX trace --json --slower 1000s -- $SELF load 20 0 1 2>/dev/null"));
	ASSERT_TRUE(parse_events(self));
	ASSERT_EQ(0, self->nr);
	ASSERT_EQ(0, shell_run(self->output, "$IOX trace --json --slower 5ns -- $SELF load 20 0 1 2>/dev/null"));
	ASSERT_TRUE(parse_events(self));
	ASSERT_EQ(20, count_events(self, "map"));
	for (int i = 0; i < self->nr; i++)
		EXPECT_LE(5, json_number(self->event[i], "ns"));
}

TEST_F(probe, only_one_ioas)
{
	ASSERT_EQ(0, shell_run(self->output, "$IOX trace --json --ioas 2 -- "
			"sh -c '$SELF load 20 0 1; $SELF load 30 0 2' 2>/dev/null"));
	ASSERT_TRUE(parse_events(self));
	ASSERT_EQ(30, count_events(self, "map"));
	for (int i = 0; i < self->nr; i++)
		EXPECT_EQ(2, json_number(self->event[i], "ioas"));
}

TEST_F(probe, only_one_cgroup_and_below)
{
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	ASSERT_EQ(0, mkdir(CGROUP "/below", 0755));
	EXPECT_EQ(0, shell_run(self->output, "$IOX trace --json --cgroup " CGROUP " -- sh -c '"
			"$SELF load 20 0 1; "
			"(echo 0 >" CGROUP "/cgroup.procs; $SELF load 3 0 1); "
			"(echo 0 >" CGROUP "/below/cgroup.procs; $SELF load 4 0 1)' 2>/dev/null"));
	EXPECT_EQ(0, rmdir(CGROUP "/below"));
	ASSERT_TRUE(parse_events(self));
	ASSERT_EQ(7, count_events(self, "map"));
}

TEST_F(probe, only_one_process)
{
	ASSERT_EQ(0, shell_run(self->output, "d=$(mktemp -d); mkfifo $d/go; "
			"sh -c \"read x <$d/go; exec $SELF load 7 0 1\" & p=$!; "
			"$IOX trace --pid $p >$d/out 2>/dev/null & t=$!; "
			"until grep -q command $d/out; do sleep 0.1; done; "
			"$SELF load 20 0 1; echo go >$d/go; wait $p; "
			"kill -INT $t; wait $t; s=$?; grep -c ' map ' $d/out; rm -r $d; exit $s"));
	ASSERT_STREQ("7\n", self->output);
}

/* --- by --------------------------------------------------------------------------- */

TEST_F(probe, by_process)
{
	__u64 sum;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json --by process -- "
			"sh -c '$SELF load 20 0 1; $SELF load 30 0 1'"));
	self->json = json_tokener_parse(self->output);
	ASSERT_EQ(2, count_keys(self->json, "map", &sum));
	EXPECT_EQ(50, sum);
	EXPECT_NE(NULL, strstr(self->output, "\"name\":\"probe_test ("));
}

TEST_F(probe, by_ioas)
{
	__u64 sum;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json --by ioas -- "
			"sh -c '$SELF load 20 0 1; $SELF load 30 0 2; $SELF load 1 0 2'"));
	self->json = json_tokener_parse(self->output);
	/* Contexts of Linux's own are known by addresses, which can be used again. */
	ASSERT_LE(iommufd_is_iox() ? 3 : 2, count_keys(self->json, "map", &sum));
	EXPECT_EQ(51, sum);
}

TEST_F(probe, by_cgroup)
{
	__u64 sum;

	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json --by cgroup -- sh -c '$SELF load 20 0 1; "
			"(echo 0 >" CGROUP "/cgroup.procs; $SELF load 3 0 1)'"));
	self->json = json_tokener_parse(self->output);
	ASSERT_EQ(2, count_keys(self->json, "map", &sum));
	EXPECT_EQ(23, sum);
	EXPECT_EQ(3, json_number(json_find(json_member(self->json, "keys"), "name", CGROUP), "count"));
}

TEST_F(probe, by_backing)
{
	__u64 sum;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json --by backing -- $SELF load 20 0 1"));
	self->json = json_tokener_parse(self->output);
	ASSERT_EQ(1, count_keys(self->json, "map", &sum));
	EXPECT_EQ(20, sum);
	EXPECT_NE(NULL, strstr(self->output, "\"name\":\"user\""));
}

TEST_F(probe, what_has_no_room_is_counted_as_others)
{
	json_object *others;
	__u64 sum;

	/* There is room for the map and the unmap of the first process only. */
	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json --by process --keys 2 -- "
			"sh -c '$SELF load 20 0 1; $SELF load 30 0 1; $SELF load 40 0 1'"));
	self->json = json_tokener_parse(self->output);
	count_keys(self->json, "map", &sum);
	EXPECT_EQ(90, sum);
	count_keys(self->json, "unmap", &sum);
	EXPECT_EQ(90, sum);
	others = json_find(json_member(self->json, "keys"), "name", "others");
	ASSERT_NE(NULL, others);
	EXPECT_LE(70, json_number(others, "count"));
}

TEST_F(probe, intervals_by_process_add_up)
{
	__u64 sum, total = 0, last = 0;

	ASSERT_EQ(0, shell_run(self->output, "$IOX stat --json --by process -i 0.05 -- "
			"sh -c '$SELF load 300 0 1; sleep 0.2; $SELF load 200 0 1'"));
	ASSERT_TRUE(parse_events(self));
	ASSERT_LE(3, self->nr);
	for (int i = 0; i < self->nr; i++) {
		count_keys(self->event[i], "map", &sum);
		total += sum;
		last = sum;
	}
	EXPECT_EQ(500, last);
	/* The last interval ends with the command and is not printed apart. */
	EXPECT_GE(1000, total);
	EXPECT_LE(800, total);
}

/* --- record ------------------------------------------------------------------------ */

TEST_F(probe, record_has_each_request)
{
	__u64 spaces = 0;

	ASSERT_EQ(0, shell_run(self->output, "f=$(mktemp); $IOX record -o $f -- "
			"sh -c '$SELF load 20 1 1; $SELF load 30 0 1' 2>/dev/null; s=$?; "
			"tail -n +2 $f; rm $f; exit $s"));
	ASSERT_TRUE(parse_events(self));
	/* Maps, unmaps, one that fails, the end of two address spaces */
	ASSERT_EQ(103, self->nr);
	for (int i = 0; i < self->nr; i++) {
		if (json_number(self->event[i], "space") > spaces)
			spaces++;
		ASSERT_EQ(spaces, json_number(self->event[i], "space"));
	}
	EXPECT_EQ(2, spaces);
	EXPECT_STREQ("0x10000000", json_string(self->event[0], "iova"));
	EXPECT_EQ(PAGE, json_number(self->event[0], "length"));
	EXPECT_EQ(-ENOENT, json_object_get_int(json_member(self->event[40], "err")));
	EXPECT_STREQ("destroy", json_string(self->event[41], "op"));
}

/* Ids are used again: by other contexts, and when an IOAS or a context is gone. */
TEST_F(probe, record_keeps_ioases_with_the_same_id_apart)
{
	static const struct { const char *op; __u64 space; } request[] = {
		{ "map", 1 }, { "map", 2 }, { "destroy", 2 }, { "map", 3 }, { "destroy", 3 },
		{ "map", 4 }, { "map", 5 }, { "destroy", 4 }, { "unmap", 5 }, { "unmap", 1 },
	};

	ASSERT_EQ(0, shell_run(self->output, "f=$(mktemp); $IOX record -o $f -- $SELF again "
			"2>/dev/null; s=$?; tail -n +2 $f; $IOX replay --json $f || s=2; rm $f; exit $s")) {
		TH_LOG("%s", self->output);
	}
	ASSERT_TRUE(parse_events(self));
	/* The two that are left end with the process, in whatever order; what was replayed */
	ASSERT_EQ(ARRAY_SIZE(request) + 3, self->nr);
	for (int i = 0; i < ARRAY_SIZE(request); i++) {
		EXPECT_STREQ(request[i].op, json_string(self->event[i], "op"));
		EXPECT_EQ(request[i].space, json_number(self->event[i], "space"));
	}
	EXPECT_EQ(1 + 5, json_number(self->event[10], "space") + json_number(self->event[11], "space"));
	self->json = json_object_get(self->event[12]);
	EXPECT_EQ(0, json_number(self->json, "skipped"));
	EXPECT_EQ(5, json_number(find_call(self->json, "map"), "count"));
	EXPECT_EQ(2, json_number(find_call(self->json, "unmap"), "count"));
}

TEST_F(probe, record_says_when_some_are_missing)
{
	ASSERT_EQ(1, shell_run(self->output, "$IOX record --buffer 4 -o /tmp/probe_test.trace -- "
			"$SELF load 20000 0 1 2>&1"));
	EXPECT_TRUE(shell_one_line(self->output));
	EXPECT_TRUE(shell_has(self->output, " requests are missing: "));
	unlink("/tmp/probe_test.trace");
}

/* --- how it ends ---------------------------------------------------------------------- */

TEST_F(probe, signals_end_it)
{
	static const char *const name[] = { "INT", "TERM", "HUP" };

	for (int i = 0; i < ARRAY_SIZE(name); i++) {
		ASSERT_EQ(0, shell_run(self->output, "f=$(mktemp); $IOX trace >$f 2>&1 & t=$!; "
				"until grep -q command $f; do sleep 0.1; done; "
				"kill -%s $t; wait $t; s=$?; rm $f; exit $s", name[i]));
	}
}

TEST_F(probe, a_reader_that_goes_away_ends_it)
{
	ASSERT_EQ(0, shell_run(self->output, "f=$(mktemp); { $IOX trace 2>$f; echo $? >$f.s; } | head -1 >/dev/null; "
			"cat $f.s; grep -v 'not seen' $f; rm $f $f.s"));
	EXPECT_EQ(self->output, strstr(self->output, "1\niox trace: "));
	EXPECT_TRUE(shell_has(self->output, ": Broken pipe\n"));
}

TEST_F(probe, no_privilege_and_wrong_usage)
{
	static const char *const wrong[] = {
		"trace --slower 10", "trace --slower -1us", "trace --pid x", "trace --ioas 0",
		"trace --json --perfetto /dev/null", "record", "stat --by bogus", "stat --keys 0",
	};

	ASSERT_EQ(1, shell_run(self->output, "setpriv --bounding-set=-all -- $IOX trace 2>&1"));
	ASSERT_TRUE(shell_one_line(self->output));
	ASSERT_TRUE(shell_has(self->output, "; run it as root"));
	ASSERT_EQ(1, shell_run(self->output, "$IOX trace --cgroup /tmp 2>&1"));
	ASSERT_TRUE(shell_one_line(self->output));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ASSERT_EQ(2, shell_run(self->output, "$IOX %s 2>&1 </dev/null", wrong[i])) {
			TH_LOG("iox %s: %s", wrong[i], self->output);
		}
	}
}

TEST_F(probe, what_cannot_be_seen_is_said)
{
	ASSERT_EQ(0, shell_run(self->output, "$IOX trace -- true 2>&1 >/dev/null"));
	if (iommufd_is_iox()) {
		ASSERT_STREQ("", self->output);
	} else {
		ASSERT_EQ(self->output, strstr(self->output, "not seen: "));
	}
}

int main(int argc, char **argv)
{
	if (argc == 5 && !strcmp(argv[1], "load"))
		return load_program(atol(argv[2]), atol(argv[3]), atoi(argv[4]));
	if (argc == 2 && !strcmp(argv[1], "again"))
		return again_program();

	shell_environment();
	return test_harness_run(argc, argv);
}
