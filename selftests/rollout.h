/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the tests of iox rollout: documents, what status says, and maps that are made all the time, each
 * of which is checked.
 */
#ifndef IOX_SELFTEST_ROLLOUT_H
#define IOX_SELFTEST_ROLLOUT_H

#include <sys/stat.h>

#include "policy.h"
#include "shell.h"

#define FOLDER "/tmp/iox-rollout"
#define STATE FOLDER "/state"
#define PINS "/sys/fs/bpf/iox/rollout/"
/* Enough for shares to be told apart */
#define SPACES 64
/* good and better place there and above. */
#define GOOD_AT (1ULL << 40)
#define BETTER_AT (1ULL << 41)

/* An unlike share of the maps is made of each space, turn by turn. */
struct traffic {
	pthread_t thread;
	volatile bool stop;
	volatile long maps, failed;
	volatile int last_err;
	int fd;
	__u32 ioas[SPACES];
	volatile __u64 at[SPACES];	/* where the last map of each was */
	volatile bool with_policy[SPACES];	/* is a policy of ours to place all of this one's maps? */
	volatile long gaps;		/* maps of these that none has placed */
	char *buffer;
};

static inline void *traffic_run(void *arg)
{
	struct traffic *t = arg;
	__u64 iova;
	int err;

	for (int i = 0; !t->stop; i = (i + 1) % SPACES) {
		err = ioas_map_auto(t->fd, t->ioas[i], t->buffer, PAGE, &iova);
		if (err) {
			t->failed++;
			t->last_err = err;
		} else {
			t->at[i] = iova;
			t->gaps += t->with_policy[i] && iova < GOOD_AT;
			ioas_unmap(t->fd, t->ioas[i], iova, PAGE);
		}
		t->maps++;
		/* Leaves something to those who are tested. */
		usleep(100);
	}
	return NULL;
}

FIXTURE(rollout)
{
	struct policy_env env;
	struct traffic traffic;
	char *output;
	json_object *json;
};

static inline void start_traffic(struct __test_metadata *_metadata, FIXTURE_DATA(rollout) *self)
{
	struct traffic *t = &self->traffic;

	memset(t, 0, sizeof(*t));
	t->fd = self->env.fd;
	t->buffer = self->env.buffer;
	for (int i = 0; i < SPACES; i++)
		must(ioas_alloc(t->fd, &t->ioas[i]));
	ASSERT_EQ(0, pthread_create(&t->thread, NULL, traffic_run, t));
}

static inline void stop_traffic(FIXTURE_DATA(rollout) *self)
{
	if (!self->traffic.thread)
		return;
	self->traffic.stop = true;
	pthread_join(self->traffic.thread, NULL);
	self->traffic.thread = 0;
}

/* Also what a test has left that was ended from outside */
static inline void clean_up(FIXTURE_DATA(rollout) *self)
{
	shell_run(self->output, "for i in $(ls " STATE " 2>/dev/null); do "
		  "$IOX rollout forget --state " STATE " $i; done 2>&1; rm -rf /etc/iox/trusted.d " FOLDER);
}

FIXTURE_SETUP(rollout)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd knows no policies");
	self->json = NULL;
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
	clean_up(self);
	policy_env_init(_metadata, &self->env);
	ASSERT_EQ(0, shell_run(self->output, "mkdir " FOLDER " && "
			       "echo 0123456789abcdef0123456789abcdef >" FOLDER "/id && "
			       "sha256sum <$BUILD/bpf/rollout.bpf.o | cut -c1-64 >" FOLDER "/sha"));
	setenv("FOLDER", FOLDER, 1);
	setenv("OPTIONS", "--state " STATE " --machine-id " FOLDER "/id", 1);
	start_traffic(_metadata, self);
}

FIXTURE_TEARDOWN(rollout)
{
	if (!iommufd_is_iox())
		return;
	stop_traffic(self);
	clean_up(self);
	EXPECT_NE(0, shell_run(self->output, "ls " PINS "* 2>/dev/null"));
	json_object_put(self->json);
	free(self->output);
	policy_env_fini(_metadata, &self->env);
}

#define IOX(...) shell_run(self->output, "$IOX rollout " __VA_ARGS__)

#define SAYS(text) EXPECT_TRUE(shell_has(self->output, text)) {		\
	TH_LOG("%s", self->output);					\
}

/* --- documents --------------------------------------------------------------------- */

struct document {
	const char *name;		/* default: r */
	const char *variable;		/* default: good */
	const char *signature;
	const char *stages;		/* default: two of all hosts, half of the spaces and all */
	int stage;			/* default: 2 */
	const char *guard;		/* with a baseline */
	const char *more;		/* lines */
};

#define TWO_STAGES "[{hosts: 1000, spaces: 500, bake: 100ms}, {hosts: 1000, spaces: 1000, bake: 100ms}]"
#define GUARDS "{map_p99: {times: 3, over: 1ms}, faults: {over: 5%}, fallback_rate: {over: 50%}, failed_maps: {over: 0%}"

/* To FOLDER/NAME.yaml, by a rename, as whoever is read from meanwhile may expect. */
static inline void write_document(struct document d)
{
	const char *name = d.name ?: "r";
	char command[4096];

	snprintf(command, sizeof(command),
		 "cat >%s/new <<END && mv %s/new %s/%s.yaml\n"
		 "rollout: %s\nkind: iova\n"
		 "policy:\n  object: $BUILD/bpf/rollout.bpf.o\n  sha256: $(cat %s/sha)\n  variable: %s\n%s%s\n"
		 "stages: %s\nstage: %d\n%s%s%s%s\nEND\n",
		 FOLDER, FOLDER, FOLDER, name, name, FOLDER, d.variable ?: "good",
		 d.signature ? "  signature: " : "", d.signature ?: "",
		 d.stages ?: TWO_STAGES, d.stage ?: 2, d.guard ? "baseline: 1s\nguards: " : "",
		 d.guard ?: "", d.guard ? ", every: 500ms, samples: 20}\n" : "", d.more ?: "");
	if (system(command))
		fprintf(stderr, "# no document\n");
}

#define DOCUMENT(...) write_document((struct document){ __VA_ARGS__ })

#define APPLY(_status, _name) do {					\
	EXPECT_EQ(_status, IOX("apply $OPTIONS " FOLDER "/" _name ".yaml 2>&1")) {	\
		TH_LOG("%s", self->output);				\
	}								\
} while (0)

/* What status says of a rollout; must be there. */
static inline json_object *status_of(FIXTURE_DATA(rollout) *self, const char *name)
{
	json_object *list;

	json_object_put(self->json);
	self->json = NULL;
	if (IOX("status --json $OPTIONS 2>&1"))
		return NULL;
	self->json = json_tokener_parse(self->output);
	list = self->json ? json_member(self->json, "rollouts") : NULL;
	return list ? json_find(list, "rollout", name) : NULL;
}

#define EXPECT_STATUS(_name, _state, _stage, _in_force) ({			\
	json_object *_o = status_of(self, _name);				\
										\
	ASSERT_NE(NULL, _o) TH_LOG("%s", self->output);				\
	EXPECT_STREQ(_state, json_string(_o, "state")) TH_LOG("%s", self->output);	\
	EXPECT_EQ(_stage, json_number(_o, "stage")) TH_LOG("%s", self->output);	\
	EXPECT_EQ(_in_force, json_number(_o, "in_force")) TH_LOG("%s", self->output);	\
	_o;									\
})

/* Each space has been mapped in since now. */
static inline void let_map(FIXTURE_DATA(rollout) *self)
{
	long from = self->traffic.maps;

	while (self->traffic.maps < from + 2 * SPACES)
		usleep(10000);
}

/* How many spaces are placed in [first, last]? */
static inline int spaces_at(FIXTURE_DATA(rollout) *self, __u64 first, __u64 last)
{
	int nr = 0;

	let_map(self);
	for (int i = 0; i < SPACES; i++)
		nr += self->traffic.at[i] >= first && self->traffic.at[i] <= last;
	return nr;
}

/* From here on, spaces that have a policy now are never without one. */
static inline void expect_no_gaps(FIXTURE_DATA(rollout) *self)
{
	let_map(self);
	for (int i = 0; i < SPACES; i++)
		self->traffic.with_policy[i] = self->traffic.at[i] >= GOOD_AT;
}

#define EXPECT_NO_GAP EXPECT_EQ(0, self->traffic.gaps)

#define NR_GOOD spaces_at(self, GOOD_AT, BETTER_AT - 1)
#define NR_BETTER spaces_at(self, BETTER_AT, TOP)
#define EXPECT_NO_MAP_FAILED EXPECT_EQ(0, self->traffic.failed) {		\
	TH_LOG("%ld of %ld, the last with %d", self->traffic.failed,		\
	       self->traffic.maps, self->traffic.last_err);			\
}

/* As after a boot: nothing is in the kernel. */
static inline void take_all_out(void)
{
	if (system("for i in " PINS "*; do rm $i; done"))
		fprintf(stderr, "# no pin\n");
}

#define LONG_BAKE "[{hosts: 1000, spaces: 500, bake: 1h}]"

#endif
