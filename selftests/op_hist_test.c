// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations that iommufd counts by itself: none is missing whoever makes them, times are those that
 * a program sees, all readers see the same, and nothing stays when the last of them has gone.
 *
 * As "op_hist_test load THREADS CALLS" and "op_hist_test measure FILE" this program is what is counted.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/iox.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "kselftest_harness.h"
#include "lib/buffer.h"
#include "lib/iommufd.h"
#include "lib/mock.h"
#include "shell.h"

#define AT 0x10000000ULL
#define WINDOW 0x1000000ULL
#define PIN "/sys/fs/bpf/op_hist_test"

/* --- a load to count --------------------------------------------------------- */

struct worker {
	pthread_t thread;
	int fd;
	__u32 ioas;
	__u64 iova;
	void *page;
	long calls;
	long failed;
};

/* On another CPU after each call, to be preempted and moved as often as can be */
static void move_on(long i)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(i % sysconf(_SC_NPROCESSORS_ONLN), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (long i = 0; i < w->calls; i++) {
		w->failed += !!ioas_map_fixed(w->fd, w->ioas, w->page, PAGE, w->iova);
		if (i % 64 == 0)
			move_on(i / 64);
		w->failed += !!ioas_unmap(w->fd, w->ioas, w->iova, PAGE);
	}
	return NULL;
}

static int load_program(int threads, long calls)
{
	void *page = buffer_small(PAGE);
	struct worker w[16];
	struct mock mock;
	int failed = 0;
	__u32 ioas;
	int fd = iommufd_open();

	if (fd < 0 || threads > 16 || ioas_alloc(fd, &ioas))
		return 1;
	mock_plug(fd, ioas, 0, &mock);
	for (int i = 0; i < threads; i++) {
		w[i] = (struct worker){ .fd = fd, .ioas = ioas, .page = page, .calls = calls,
					.iova = AT + i * WINDOW };
		pthread_create(&w[i].thread, NULL, work, &w[i]);
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		failed |= !!w[i].failed;
	}
	close(fd);
	return failed;
}

/* --- times as a program sees them --------------------------------------------- */

#define LARGEST (16UL << 20)
#define STEP (512UL << 10)
#define SIZES (LARGEST / STEP)
#define ROUNDS 4
#define MEASURED (ROUNDS * SIZES)

static __u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const __u64 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/*
 * On a CPU of its own, where there are two: who is made to wait on the way back to user space sees what
 * the call did not take.
 */
static void run_alone(void)
{
	struct sched_param param = { .sched_priority = 1 };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	sched_setscheduler(0, SCHED_FIFO, &param);
}

/* What a call takes that has nothing to do: its size is too small to be one. */
static __u64 cost_of_call(int fd)
{
	static __u64 ns[1001];
	__u32 size = 0;

	for (int i = 0; i < 1001; i++) {
		ns[i] = now();
		ioctl(fd, IOMMU_IOAS_UNMAP, &size);
		ns[i] = now() - ns[i];
	}
	qsort(ns, 1001, sizeof(*ns), compare);
	return ns[500];
}

/* Maps memory of all sizes, which takes long enough for the clocks, and says what that took. */
static int measure_program(const char *path)
{
	static __u64 map[MEASURED], unmap[MEASURED];
	char *memory = buffer_small(LARGEST);
	FILE *out = fopen(path, "w");
	struct mock mock;
	int fd = iommufd_open(), failed = 0;
	__u64 call, start;
	__u32 ioas;

	if (!out || fd < 0 || ioas_alloc(fd, &ioas))
		return 1;
	mock_plug(fd, ioas, 0, &mock);
	buffer_fill(memory, LARGEST, 1);
	run_alone();
	call = cost_of_call(fd);
	for (size_t i = 0; i < MEASURED; i++) {
		size_t size = (i % SIZES + 1) * STEP;

		start = now();
		failed |= ioas_map_fixed(fd, ioas, memory, size, AT);
		map[i] = now() - start - call;
		start = now();
		failed |= ioas_unmap(fd, ioas, AT, size);
		unmap[i] = now() - start - call;
	}
	close(fd);
	qsort(map, MEASURED, sizeof(*map), compare);
	qsort(unmap, MEASURED, sizeof(*unmap), compare);
	for (size_t i = 0; i < MEASURED; i++)
		fprintf(out, "%llu %llu\n", map[i], unmap[i]);
	return fclose(out) || failed;
}

/* --- readers ----------------------------------------------------------------------- */

#define MAX_READERS 2

/* iox stat on all there is: no processes of its own, or it would have to count by a program */
struct reader {
	pid_t pid;
	char path[32];
};

/* An interval that it has written says that it had begun to count before. */
static bool reader_start(struct reader *r, int nr, const char *by)
{
	struct stat st;

	sprintf(r->path, "/tmp/op_hist_test.%d", nr);
	unlink(r->path);
	r->pid = fork();
	if (!r->pid) {
		execl(getenv("IOX"), "iox", "stat", "--stages", "--json", "-i", "0.1", "-o", r->path, by, NULL);
		_exit(127);
	}
	for (int i = 0; i < 2000 && (stat(r->path, &st) || !st.st_size); i++)
		usleep(10000);
	return r->pid > 0 && !stat(r->path, &st) && st.st_size;
}

/* What it has counted: the last line */
static json_object *reader_end(struct reader *r, char *output)
{
	int status = -1;

	kill(r->pid, SIGINT);
	waitpid(r->pid, &status, 0);
	r->pid = 0;
	if (status || shell_run(output, "tail -n 1 %s", r->path))
		return NULL;
	return json_tokener_parse(output);
}

static void reader_kill(struct reader *r)
{
	if (r->pid <= 0)
		return;
	kill(r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
	r->pid = 0;
}

/* How many watch, by the kernel's own account: links that count, and the tracepoint. -1 if it does not say. */
static int watchers(void)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, run);
	char path[PATH_MAX];
	struct bpf_object *object;
	int found = -1;

	snprintf(path, sizeof(path), "%s/bpf/op_key.bpf.o", getenv("BUILD"));
	object = bpf_object__open_file(path, NULL);
	if (object && !bpf_object__load(object) &&
	    !bpf_prog_test_run_opts(bpf_program__fd(bpf_object__next_program(object, NULL)), &run))
		found = (int)run.retval;
	bpf_object__close(object);
	return found;
}

/* Links go some time after what holds them does. */
static bool wait_for_watchers(int want)
{
	for (int i = 0; i < 500 && watchers() != want; i++)
		usleep(10000);
	return watchers() == want;
}

static int pin(char *output)
{
	return shell_run(output, "$BUILD/tools/bin/bpftool iter pin $BUILD/bpf/op_stats.bpf.o " PIN " 2>&1");
}

/* What the pinned text says of maps; 0 if it says nothing. */
static unsigned long long pinned_maps(char *output)
{
	unsigned long long count = 0;
	char *line;

	if (shell_run(output, "cat " PIN))
		return ~0ULL;
	line = strstr(output, "\nmap ");
	if (line)
		sscanf(line, "\nmap %llu", &count);
	return count;
}

static json_object *find_call(json_object *stat, const char *call)
{
	return json_find(json_member(stat, "calls"), "call", call);
}

/* --- the tests --------------------------------------------------------------------- */

static bool kernel_has_it(void)
{
	return iommufd_is_iox() && libbpf_find_vmlinux_btf_id("iox_op", BPF_TRACE_ITER) > 0;
}

FIXTURE(op_hist)
{
	struct reader reader[MAX_READERS];
	json_object *said[MAX_READERS];
	char *output;
};

FIXTURE_SETUP(op_hist)
{
	memset(self, 0, sizeof(*self));
	ASSERT_LE(0, close(iommufd_open()));
	if (!kernel_has_it())
		SKIP(return, "this kernel does not count by itself");
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
	ASSERT_TRUE(wait_for_watchers(0));
}

FIXTURE_TEARDOWN(op_hist)
{
	for (int i = 0; i < MAX_READERS; i++) {
		reader_kill(&self->reader[i]);
		unlink(self->reader[i].path);
		json_object_put(self->said[i]);
	}
	unlink(PIN);
	EXPECT_TRUE(wait_for_watchers(0));
	free(self->output);
}

#define begin(nr, by) ASSERT_TRUE(reader_start(&self->reader[nr], nr, by))

#define end(nr) ({							\
	self->said[nr] = reader_end(&self->reader[nr], self->output);	\
	ASSERT_NE(NULL, self->said[nr]);				\
})

#define run_self(...) ASSERT_EQ(0, shell_run(self->output, "$SELF " __VA_ARGS__))

TEST_F_TIMEOUT(op_hist, threads_that_move_lose_none, 250)
{
	const char *calls = getenv("IOX_PROBE_CALLS") ?: "20000";
	__u64 n = 4 * strtoull(calls, NULL, 0);
	json_object *c;

	begin(0, NULL);
	run_self("load 4 %s", calls);
	end(0);
	for (int i = 0; i < 2; i++) {
		c = find_call(self->said[0], i ? "unmap" : "map");
		EXPECT_EQ(n, json_number(c, "count"));
		EXPECT_EQ(n * PAGE, json_number(c, "bytes"));
		EXPECT_EQ(0, json_number(c, "failed"));
	}
	EXPECT_EQ(0, json_number(self->said[0], "skipped"));
}

TEST_F(op_hist, each_reader_counts_from_when_it_came)
{
	ASSERT_EQ(0, pin(self->output));
	EXPECT_EQ(1, watchers());
	run_self("load 1 30");
	EXPECT_EQ(30, pinned_maps(self->output));
	begin(0, NULL);
	run_self("load 1 40");
	begin(1, NULL);
	/* Counting is one thing, for as many as there are. */
	EXPECT_EQ(1, watchers());
	run_self("load 1 50");
	end(0);
	run_self("load 1 60");
	end(1);
	EXPECT_EQ(90, json_number(find_call(self->said[0], "map"), "count"));
	EXPECT_EQ(110, json_number(find_call(self->said[1], "map"), "count"));
	EXPECT_EQ(180, pinned_maps(self->output));
}

TEST_F(op_hist, a_reader_that_is_killed_leaves_nothing)
{
	begin(0, NULL);
	EXPECT_EQ(1, watchers());
	run_self("load 1 20");
	reader_kill(&self->reader[0]);
	ASSERT_TRUE(wait_for_watchers(0));
	run_self("load 1 20");
	/* Counters are new. */
	ASSERT_EQ(0, pin(self->output));
	EXPECT_EQ(0, pinned_maps(self->output));
	/* Those of others stay. */
	begin(0, NULL);
	run_self("load 1 3");
	reader_kill(&self->reader[0]);
	run_self("load 1 4");
	EXPECT_EQ(7, pinned_maps(self->output));
}

static struct bpf_object *load_stats(void)
{
	char path[PATH_MAX];
	struct bpf_object *object;

	snprintf(path, sizeof(path), "%s/bpf/op_stats.bpf.o", getenv("BUILD"));
	object = bpf_object__open_file(path, NULL);
	if (object && !bpf_object__load(object))
		return object;
	bpf_object__close(object);
	return NULL;
}

static long available_kb(void)
{
	char line[128];
	long kb = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f) && sscanf(line, "MemAvailable: %ld", &kb) != 1)
		;
	if (f)
		fclose(f);
	return kb;
}

TEST_F_TIMEOUT(op_hist, memory_comes_back, 100)
{
	struct bpf_object *object;
	struct bpf_link *link;
	long before;

	object = load_stats();
	ASSERT_NE(NULL, object);
	before = available_kb();
	/* 190 KiB a CPU each time */
	for (int i = 0; i < 200; i++) {
		link = bpf_program__attach_iter(bpf_object__next_program(object, NULL), NULL);
		ASSERT_NE(NULL, link);
		bpf_link__destroy(link);
	}
	bpf_object__close(object);
	ASSERT_TRUE(wait_for_watchers(0));
	EXPECT_GT(16 * 1024, before - available_kb());
}

static int listen(bool on)
{
	int fd = open("/sys/kernel/tracing/events/iommufd/iommufd_op/enable", O_WRONLY);
	int failed = fd < 0 || write(fd, on ? "1" : "0", 1) != 1;

	if (fd >= 0)
		close(fd);
	return failed;
}

/* Who counts and who listens comes and goes in the middle of operations. */
TEST_F_TIMEOUT(op_hist, watchers_come_and_go_under_load, 100)
{
	struct bpf_object *object = load_stats();
	pid_t load = fork();
	struct bpf_link *link;

	if (!load) {
		execl(getenv("SELF"), "op_hist_test", "load", "2", "100000000", NULL);
		_exit(127);
	}
	ASSERT_NE(NULL, object);
	for (int i = 0; i < 100; i++) {
		if (i & 1)
			EXPECT_EQ(0, listen(true));
		link = bpf_program__attach_iter(bpf_object__next_program(object, NULL), NULL);
		EXPECT_NE(NULL, link);
		if (i & 2)
			EXPECT_EQ(0, listen(false));
		usleep(1000);
		bpf_link__destroy(link);
		EXPECT_EQ(0, listen(false));
	}
	bpf_object__close(object);
	/* It still runs. */
	EXPECT_EQ(0, waitpid(load, NULL, WNOHANG));
	kill(load, SIGKILL);
	EXPECT_EQ(load, waitpid(load, NULL, 0));
}

TEST_F(op_hist, histograms_are_those_of_the_probes)
{
	static const char *const members[] = { "count", "failed", "bytes", "sum_ns", "max_ns", "p50_ns",
					       "p90_ns", "p99_ns", "p99_9_ns" };

	begin(0, NULL);
	/* That takes a program. */
	begin(1, "--by=process");
	EXPECT_EQ(2, watchers());
	run_self("load 2 300");
	end(0);
	end(1);
	for (int call = 0; call < 2; call++) {
		json_object *a = find_call(self->said[0], call ? "unmap" : "map");
		json_object *b = find_call(self->said[1], call ? "unmap" : "map");
		json_object *stages = json_member(a, "stages");

		EXPECT_EQ(600, json_number(a, "count"));
		for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
			EXPECT_EQ(json_number(a, members[i]), json_number(b, members[i])) {
				TH_LOG("%s", members[i]);
			}
		}
		EXPECT_LE(3, json_object_array_length(stages));
		EXPECT_STREQ(json_object_to_json_string(json_member(b, "stages")),
			     json_object_to_json_string(stages));
		if (!call)
			EXPECT_STREQ(json_object_to_json_string(json_member(b, "leaves")),
				     json_object_to_json_string(json_member(a, "leaves")));
	}
}

/* A bucket's width, and as much as a call costs besides, which is subtracted from all of them alike */
static bool is_near(__u64 ours, __u64 own)
{
	__u64 allowed = own / 16 + 3000;

	return ours <= own + allowed && ours + allowed >= own;
}

TEST_F_TIMEOUT(op_hist, times_are_what_the_program_sees, 100)
{
	static const struct { const char *member; double percent; } at[] = {
		{ "p50_ns", 50 }, { "p90_ns", 90 }, { "p99_ns", 99 },
	};
	static __u64 ns[2][MEASURED];
	char *rest;

	begin(0, NULL);
	run_self("measure /tmp/op_hist_test.ns");
	end(0);
	ASSERT_EQ(0, shell_run(self->output, "cat /tmp/op_hist_test.ns; rm /tmp/op_hist_test.ns"));
	rest = self->output;
	for (size_t i = 0; i < MEASURED; i++) {
		ns[0][i] = strtoull(rest, &rest, 0);
		ns[1][i] = strtoull(rest, &rest, 0);
	}
	ASSERT_NE(0, ns[1][MEASURED - 1]);
	for (int call = 0; call < 2; call++) {
		json_object *c = find_call(self->said[0], call ? "unmap" : "map");

		EXPECT_EQ(MEASURED, json_number(c, "count"));
		for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
			__u64 own = ns[call][(size_t)((MEASURED * at[i].percent + 99.9999) / 100) - 1];
			__u64 ours = json_number(c, at[i].member);

			TH_LOG("%s %s: %llu, as the program sees it %llu", call ? "unmap" : "map",
			       at[i].member, ours, own);
			EXPECT_TRUE(is_near(ours, own));
		}
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "load"))
		return load_program(atoi(argv[2]), atol(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "measure"))
		return measure_program(argv[2]);

	shell_environment();
	return test_harness_run(argc, argv);
}
