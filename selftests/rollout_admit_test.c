// SPDX-License-Identifier: GPL-2.0-only
/* iox rollout: admission policies are watched by what they refuse. */
#include <pthread.h>
#include <stdlib.h>

#include "kselftest_harness.h"
#include "liveupdate.h"
#include "shell.h"

#define FOLDER "/tmp/iox-rollout-admit"
#define OPTIONS "--state " FOLDER "/state --machine-id " FOLDER "/id"

/* Asks to have an HWPT marked, all the time. */
struct marker {
	pthread_t thread;
	volatile bool stop;
	volatile long allowed, refused;
	int fd;
	__u32 hwpt;
};

static void *mark_run(void *arg)
{
	struct marker *m = arg;

	while (!m->stop) {
		if (hwpt_mark(m->fd, m->hwpt, HWPT_TOKEN)) {
			m->refused++;
		} else {
			m->allowed++;
			hwpt_unmark(m->fd, m->hwpt);
		}
		usleep(1000);
	}
	return NULL;
}

static void write_document(char *output, const char *object)
{
	shell_run(output,
		  "rm -rf " FOLDER " && mkdir " FOLDER " && cd " FOLDER " && "
		  "echo 0123456789abcdef0123456789abcdef >id && cat >a.yaml <<END\n"
		  "rollout: a\nkind: admit\n"
		  "policy: {object: $BUILD/bpf/%s, sha256: $(sha256sum $BUILD/bpf/%s | cut -c1-64)}\n"
		  "stages: [{hosts: 1000, bake: 2s}]\nstage: 1\nbaseline: 1s\n"
		  "guards: {every: 500ms, preserve_refusals: {over: 10%%}, faults: {over: 0%%}}\nEND",
		  object, object);
}

/* Applies a rollout of @object; the exit status. */
static int apply(struct __test_metadata *_metadata, FIXTURE_DATA(session) *self,
		 struct marker *m, const char *object, char *output)
{
	int status;

	*m = (struct marker){ .fd = self->fd, .hwpt = self->hwpt };
	must(hwpt_unmark(m->fd, m->hwpt));
	write_document(output, object);
	ASSERT_EQ(0, pthread_create(&m->thread, NULL, mark_run, m));
	status = shell_run(output, "$IOX rollout apply " OPTIONS " " FOLDER "/a.yaml 2>&1");
	m->stop = true;
	pthread_join(m->thread, NULL);
	must(hwpt_mark(m->fd, m->hwpt, HWPT_TOKEN));
	return status;
}

TEST_F_TIMEOUT(session, who_refuses_is_rolled_back, 120)
{
	char *output = malloc(SHELL_OUTPUT_SIZE);
	struct marker m;

	EXPECT_EQ(1, apply(_metadata, self, &m, "allowlist.bpf.o", output));
	EXPECT_TRUE(shell_has(output, "rolled back: guard preserve_refusals in stage 1: 100 %")) {
		TH_LOG("%s", output);
	}
	EXPECT_LT(0, m.allowed);
	EXPECT_LT(0, m.refused);
	EXPECT_EQ(0, shell_run(output, "$IOX rollout forget " OPTIONS " a 2>&1; rm -r " FOLDER));
	free(output);
}

TEST_F_TIMEOUT(session, who_allows_is_promoted, 120)
{
	char *output = malloc(SHELL_OUTPUT_SIZE);
	struct marker m;

	EXPECT_EQ(0, apply(_metadata, self, &m, "audit.bpf.o", output)) {
		TH_LOG("%s", output);
	}
	EXPECT_EQ(0, m.refused);
	EXPECT_EQ(0, shell_run(output, "$IOX rollout forget " OPTIONS " a 2>&1; rm -r " FOLDER));
	free(output);
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
