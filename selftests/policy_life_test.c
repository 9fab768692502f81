// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several IOVA policies at once, and their lives: which address spaces each has,
 * what it hears of them, and how it ends.
 */
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "bpf/witness.h"
#include "policy.h"

#define IOX_SHADOW 1
#define IOX_STRICT 2
#define IOX_LENIENT 4
#define EXIT_UNREGISTERED 0
#define EXIT_REPLACED 1
#define EXIT_FAULTS 2
#define EXIT_SLOW 3
#define EXIT_ITSELF 4
#define FAULTS_MAX 16

/* Where each of several policies places, so that one sees who has. */
#define PLACE(n) ((__u64)(n) << 32)

struct witness {
	struct policy policy;
	struct witness_control *control;
	volatile struct witness_seen *seen;
	__u32 id;
};

struct choice {
	const char *name;
	__u64 cgroup_id;
	__u32 flags, share;
	long long init_err;
	bool without_spaces;	/* hears not of address spaces that come and go */
};

static int witness_load(struct witness *w, const struct choice *choice)
{
	struct iova_ops *ops;
	int err;

	err = policy_open(&w->policy, "bpf/witness.bpf.o", "witness");
	if (err)
		return err;
	ops = bpf_map__initial_value(w->policy.map, NULL);
	if (choice->name)
		strcpy(ops->name, choice->name);
	ops->cgroup_id = choice->cgroup_id;
	ops->flags = choice->flags;
	ops->share = choice->share;
	if (choice->without_spaces)
		ops->ioas_init = ops->ioas_exit = NULL;
	err = policy_load(&w->policy);
	w->control = (void *)w->policy.control;
	w->seen = (void *)w->policy.seen;
	if (err)
		return err;
	w->control->init_err = choice->init_err;
	return 0;
}

static __u32 map_id(const struct policy *policy)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);

	return bpf_map_get_info_by_fd(bpf_map__fd(policy->map), &info, &size) ?
		       0 : info.id;
}

/* In force, and placing from @place on; 0 for no opinion. */
static int witness_start(struct witness *w, __u64 place, struct choice choice)
{
	int err = witness_load(w, &choice);

	if (!err && place) {
		w->control->mode = WITNESS_FIRST_GAP;
		w->control->value = place;
	}
	err = err ?: policy_attach(&w->policy);
	w->id = err ? 0 : map_id(&w->policy);
	return err;
}

static const char *shown(const struct witness *w, const char *file)
{
	static char text[512];
	char name[64];

	snprintf(name, sizeof(name), "../iova_policies/%u/%s", w->id, file);
	sysfs_read(name, text, sizeof(text));
	return text;
}

/* Ejection is done a little later, by a worker. */
static bool wait_for_exit(const struct witness *w)
{
	for (int i = 0; i < 500 && !w->seen->exits; i++)
		usleep(10000);
	return w->seen->exits;
}

FIXTURE(policies)
{
	struct policy_env env;
	struct witness a, b, c;
	char cgroup[64], child[96];
};

FIXTURE_SETUP(policies)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd knows no policies");
	policy_env_init(_metadata, &self->env);
	snprintf(self->cgroup, sizeof(self->cgroup), CGROUPS "iox-%d", getpid());
	snprintf(self->child, sizeof(self->child), "%s/child", self->cgroup);
	ASSERT_EQ(0, mkdir(self->cgroup, 0755));
	ASSERT_EQ(0, mkdir(self->child, 0755));
}

FIXTURE_TEARDOWN(policies)
{
	if (!iommufd_is_iox())
		return;
	policy_close(&self->a.policy);
	policy_close(&self->b.policy);
	policy_close(&self->c.policy);
	rmdir(self->child);
	rmdir(self->cgroup);
	policy_env_fini(_metadata, &self->env);
}

static __u64 cgroup_id_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

/* --- several at once ----------------------------------------------------------- */

TEST_F(policies, the_nearest_wins)
{
	struct choice host = { .name = "host" };
	struct choice cgroup = { .name = "cgroup",
				 .cgroup_id = cgroup_id_of(self->cgroup) };
	struct choice child = { .name = "child",
				.cgroup_id = cgroup_id_of(self->child) };

	must(witness_start(&self->b, PLACE(2), cgroup));
	must(witness_start(&self->a, PLACE(1), host));
	must(witness_start(&self->c, PLACE(3), child));
	EXPECT_EQ(PLACE(1), map_in(CGROUPS, self->env.buffer));
	EXPECT_EQ(PLACE(2), map_in(self->cgroup, self->env.buffer));
	EXPECT_EQ(PLACE(3), map_in(self->child, self->env.buffer));
	EXPECT_STREQ("host", in_force());

	policy_detach(&self->c.policy);
	EXPECT_EQ(PLACE(2), map_in(self->child, self->env.buffer));
	policy_detach(&self->b.policy);
	EXPECT_EQ(PLACE(1), map_in(self->child, self->env.buffer));
}

/* One in a thousand address spaces is not for a canary of 999: then take another. */
static int ioas_for(const struct witness *canary, struct policy_env *env)
{
	int err = 0;

	while (!err && !strcmp(shown(canary, "spaces"), "0")) {
		err = iommufd_destroy(env->fd, env->ioas);
		err = err ?: ioas_alloc(env->fd, &env->ioas);
	}
	return err;
}

/* What is there already goes over to a nearer policy, and back. */
TEST_F(policies, address_spaces_follow)
{
	struct choice host = { .name = "host" }, canary = { .share = 999 };

	must(witness_start(&self->b, 0, canary));
	must(ioas_for(&self->b, &self->env));
	policy_close(&self->b.policy);

	must(witness_start(&self->a, PLACE(1), host));
	EXPECT_EQ(PLACE(1), MAP(PAGE));
	must(witness_start(&self->b, PLACE(2), canary));
	EXPECT_EQ(PLACE(2), MAP(PAGE));
	EXPECT_EQ(1, self->a.seen->ioas_inits);
	EXPECT_EQ(1, self->a.seen->ioas_exits);
	EXPECT_EQ(1, self->b.seen->ioas_inits);
	policy_detach(&self->b.policy);
	EXPECT_EQ(1, self->b.seen->ioas_exits);
	EXPECT_EQ(2, self->a.seen->ioas_inits);
	EXPECT_EQ(PLACE(1) + PAGE, MAP(PAGE));
	EXPECT_EQ(0, self->a.seen->late + self->b.seen->late);
}

TEST_F(policies, one_of_a_kind_in_a_place)
{
	struct choice plain = { .name = "plain" };
	struct choice canary = { .name = "canary", .share = 10 };
	struct choice shadow = { .name = "shadow", .flags = IOX_SHADOW };
	struct witness other;

	must(witness_start(&self->a, 0, plain));
	must(witness_start(&self->b, 0, canary));
	must(witness_start(&self->c, 0, shadow));
	must_fail(EBUSY, witness_start(&other, 0, plain));
	policy_close(&other.policy);
	must_fail(EBUSY, witness_start(&other, 0, canary));
	policy_close(&other.policy);
	must_fail(EBUSY, witness_start(&other, 0, shadow));
	policy_close(&other.policy);
	EXPECT_STREQ("in force", shown(&self->a, "state"));
	EXPECT_STREQ("canary", shown(&self->b, "state"));
	EXPECT_STREQ("10", shown(&self->b, "share"));
	EXPECT_STREQ("shadow", shown(&self->c, "state"));
}

TEST_F_TIMEOUT(policies, a_canary_has_its_share, 120)
{
	struct choice host = { .name = "host" };
	struct choice canary = { .name = "canary", .share = 200 };
	const int nr = 1000;
	__u32 ioas[nr];
	int canaries;

	must(witness_start(&self->a, PLACE(1), host));
	must(witness_start(&self->b, PLACE(2), canary));
	for (int i = 0; i < nr; i++)
		must(ioas_alloc(self->env.fd, &ioas[i]));
	canaries = atoi(shown(&self->b, "spaces"));
	EXPECT_LT(140, canaries);
	EXPECT_GT(260, canaries);
	/* The fixture has one too. */
	EXPECT_EQ(nr + 1 - canaries, atoi(shown(&self->a, "spaces")));
	for (int i = 0; i < nr; i++)
		must(iommufd_destroy(self->env.fd, ioas[i]));
	EXPECT_EQ(self->b.seen->ioas_inits - atoi(shown(&self->b, "spaces")),
		  self->b.seen->ioas_exits);
}

TEST_F(policies, a_shadow_is_asked_and_not_used)
{
	struct choice host = { .name = "host" };
	struct choice shadow = { .name = "shadow", .flags = IOX_SHADOW };

	must(witness_start(&self->b, PLACE(2), shadow));
	EXPECT_STREQ("none", in_force());
	EXPECT_GT(PLACE(1), MAP(PAGE));
	EXPECT_STREQ("1", shown(&self->b, "asked"));
	EXPECT_STREQ("1", shown(&self->b, "used"));
	EXPECT_STREQ("0", shown(&self->b, "agreed"));

	must(witness_start(&self->a, PLACE(2), host));
	EXPECT_EQ(PLACE(2), MAP(PAGE));
	EXPECT_STREQ("1", shown(&self->b, "agreed"));
	EXPECT_EQ(2, self->b.seen->maps);

	/* What it refuses or gets wrong is nobody's harm. */
	self->b.control->mode = WITNESS_VALUE;
	self->b.control->value = -EPERM;
	MAP(PAGE);
	self->b.control->value = 1;
	MAP(PAGE);
	EXPECT_STREQ("1", shown(&self->b, "refused"));
	EXPECT_STREQ("1", shown(&self->b, "faults"));
}

TEST_F(policies, strict_leaves_nothing_to_the_built_in)
{
	struct choice strict = { .name = "strict", .flags = IOX_STRICT };
	__u64 iova = 0;

	must(witness_start(&self->a, 0, strict));
	must_fail(ENOSPC, ioas_map_auto(self->env.fd, self->env.ioas,
					self->env.buffer, PAGE, &iova));
	/* A fault is not the user's. */
	self->a.control->mode = WITNESS_VALUE;
	self->a.control->value = 1;
	MAP(PAGE);
}

TEST_F(policies, lenient_makes_no_map_fail)
{
	struct choice lenient = { .name = "lenient", .flags = IOX_LENIENT | IOX_STRICT };

	must(witness_start(&self->a, 0, lenient));
	MAP(PAGE);
	EXPECT_STREQ("1", shown(&self->a, "declined"));
	self->a.control->mode = WITNESS_VALUE;
	self->a.control->value = -EPERM;
	MAP(PAGE);
	EXPECT_STREQ("1", shown(&self->a, "refused"));
	/* What it has to say is heard as from any other. */
	self->a.control->value = PLACE(2);
	EXPECT_EQ(PLACE(2), MAP(PAGE));
	EXPECT_STREQ("1", shown(&self->a, "used"));
}

TEST_F(policies, what_cannot_be)
{
	struct choice gone = { .cgroup_id = 0x7fffffffffff };
	struct choice flags = { .flags = 8 };
	struct choice share = { .share = 1001 };
	struct choice init = { .init_err = -EXFULL };

	must_fail(ENOENT, witness_start(&self->a, 0, gone));
	policy_close(&self->a.policy);
	must_fail(EINVAL, witness_start(&self->a, 0, flags));
	policy_close(&self->a.policy);
	must_fail(EINVAL, witness_start(&self->a, 0, share));
	policy_close(&self->a.policy);
	must_fail(EXFULL, witness_start(&self->a, 0, init));
	EXPECT_EQ(0, self->a.seen->exits + self->a.seen->ioas_inits);
}

TEST_F(policies, replaced_in_its_place_only)
{
	struct choice host = { .name = "host" };
	struct choice next = { .name = "next", .share = 500 };
	struct choice shadow = { .name = "shadow", .flags = IOX_SHADOW };
	struct choice cgroup = { .cgroup_id = cgroup_id_of(self->cgroup) };

	must(witness_start(&self->a, PLACE(1), host));
	must(witness_load(&self->b, &shadow));
	must_fail(EINVAL, bpf_link__update_map(self->a.policy.link,
					       self->b.policy.map));
	policy_close(&self->b.policy);
	must(witness_load(&self->b, &cgroup));
	must_fail(EINVAL, bpf_link__update_map(self->a.policy.link,
					       self->b.policy.map));
	policy_close(&self->b.policy);
	EXPECT_EQ(PLACE(1), MAP(PAGE));

	/* A policy may become a canary, and the other way round. */
	must(witness_load(&self->b, &next));
	must(bpf_link__update_map(self->a.policy.link, self->b.policy.map));
	EXPECT_EQ(1, self->a.seen->exits);
	EXPECT_EQ(EXIT_REPLACED, self->a.seen->exit_kind);
	EXPECT_EQ(self->a.seen->ioas_inits, self->a.seen->ioas_exits);
	EXPECT_EQ(1, self->b.seen->inits);
	policy_detach(&self->a.policy);
	EXPECT_EQ(1, self->b.seen->exits);
	EXPECT_EQ(EXIT_UNREGISTERED, self->b.seen->exit_kind);
}

/* --- what a policy hears --------------------------------------------------------- */

TEST_F(policies, hears_of_all_mappings)
{
	struct choice host = { .name = "host" };
	volatile struct witness_seen *seen;
	__u32 ioas;
	__u64 iova;
	int fd;

	must(witness_start(&self->a, PLACE(1), host));
	seen = self->a.seen;
	MAP(PAGE);
	MAP_FIXED_AT(MIB, 2 * PAGE);
	EXPECT_EQ(2, seen->maps);
	EXPECT_EQ(3 * PAGE, seen->mapped);
	must(ioas_unmap(self->env.fd, self->env.ioas, MIB, 2 * PAGE));
	EXPECT_EQ(1, seen->unmaps);
	EXPECT_EQ(2 * PAGE, seen->unmapped);

	/* Closing a file ends all that is in it. */
	fd = iommufd_open();
	must(ioas_alloc(fd, &ioas));
	EXPECT_EQ(2, seen->ioas_inits);
	must(ioas_map_auto(fd, ioas, self->env.buffer, PAGE, &iova));
	must(ioas_map_auto(fd, ioas, self->env.buffer, PAGE, &iova));
	close(fd);
	EXPECT_EQ(1, seen->ioas_exits);
	EXPECT_EQ(seen->maps - 1, seen->unmaps);
	EXPECT_EQ(seen->mapped - PAGE, seen->unmapped);

	policy_detach(&self->a.policy);
	EXPECT_EQ(2, seen->ioas_exits);
	EXPECT_EQ(1, seen->exits);
	EXPECT_EQ(0, seen->late);
}

TEST_F(policies, may_leave_an_address_space_to_the_next)
{
	struct choice host = { .name = "host" };
	struct choice canary = { .name = "canary", .share = 999 };

	must(witness_start(&self->a, PLACE(1), host));
	must(witness_load(&self->b, &canary));
	self->b.control->ioas_init_err = -EOPNOTSUPP;
	self->b.control->mode = WITNESS_FIRST_GAP;
	self->b.control->value = PLACE(2);
	must(policy_attach(&self->b.policy));
	EXPECT_EQ(PLACE(1), MAP(PAGE));
	EXPECT_EQ(0, self->b.seen->ioas_exits);
}

/* --- what a policy may ask --------------------------------------------------------- */

TEST_F(policies, walks_holes)
{
	struct choice host = { .name = "host" };

	MAP_FIXED_AT(PAGE, PAGE);
	MAP_FIXED_AT(3 * PAGE, PAGE);
	MAP_FIXED_AT(6 * PAGE, PAGE);
	MAP_FIXED_AT(20 * PAGE, PAGE);
	must(witness_start(&self->a, 0, host));
	self->a.control->mode = WITNESS_HIGHEST_HOLE;
	EXPECT_EQ(21 * PAGE, MAP(2 * PAGE));
	/* At 4, at 7 and behind the last; at 2 there is a page too little. */
	EXPECT_EQ(3, self->a.seen->holes);
}

TEST_F(policies, finds_the_smallest_hole)
{
	struct choice host = { .name = "host" };

	MAP_FIXED_AT(PAGE, PAGE);
	MAP_FIXED_AT(10 * PAGE, PAGE);
	MAP_FIXED_AT(13 * PAGE, PAGE);
	MAP_FIXED_AT(20 * PAGE, PAGE);
	must(witness_start(&self->a, 0, host));
	self->a.control->mode = WITNESS_BEST_GAP;
	EXPECT_EQ(11 * PAGE, MAP(2 * PAGE));
	EXPECT_EQ(14 * PAGE, MAP(2 * PAGE));
	EXPECT_EQ(16 * PAGE, MAP(4 * PAGE));
	EXPECT_EQ(2 * PAGE, MAP(3 * PAGE));
}

TEST_F(policies, sees_windows)
{
	struct iommu_iova_range ranges[] = {
		{ .start = 16 * MIB, .last = 17 * MIB - 1 },
		{ .start = 32 * MIB, .last = 33 * MIB - 1 },
	};
	struct choice host = { .name = "host" };
	__u64 iova = 0;

	must(witness_start(&self->a, 0, host));
	self->a.control->mode = WITNESS_SECOND_WINDOW;
	must_fail(ENXIO, ioas_map_auto(self->env.fd, self->env.ioas,
				       self->env.buffer, PAGE, &iova));
	must(ioas_allow(self->env.fd, self->env.ioas, ranges, 2));
	EXPECT_EQ(32 * MIB, MAP(PAGE));
}

/* --- how it ends ------------------------------------------------------------------- */

TEST_F(policies, is_ejected_for_faults_in_a_row)
{
	struct choice host = { .name = "host" };
	struct choice canary = { .name = "canary", .share = 999 };

	must(witness_start(&self->a, PLACE(1), host));
	must(witness_start(&self->b, 0, canary));
	must(ioas_for(&self->b, &self->env));
	self->b.control->mode = WITNESS_VALUE;
	self->b.control->value = 1;
	for (int i = 0; i < FAULTS_MAX - 1; i++)
		MAP(PAGE);
	/* A good answer in between, and all is forgiven. */
	self->b.control->mode = WITNESS_NO_OPINION;
	MAP(PAGE);
	self->b.control->mode = WITNESS_VALUE;
	for (int i = 0; i < FAULTS_MAX; i++) {
		EXPECT_EQ(0, self->b.seen->exits);
		EXPECT_GT(PLACE(1), MAP(PAGE));
	}
	ASSERT_TRUE(wait_for_exit(&self->b));
	EXPECT_EQ(EXIT_FAULTS, self->b.seen->exit_kind);
	EXPECT_EQ(-EINVAL, self->b.seen->exit_err);
	EXPECT_EQ(PAGE, self->b.seen->exit_length);
	EXPECT_STREQ("ejected", shown(&self->b, "state"));
	EXPECT_NE(NULL, strstr(shown(&self->b, "exit"),
			       "answer=0x1: it answers with unaligned IOVAs"));
	EXPECT_EQ(self->b.seen->ioas_inits, self->b.seen->ioas_exits);

	/* The next one has taken over; its place is free. */
	EXPECT_EQ(PLACE(1), MAP(PAGE));
	must(witness_start(&self->c, PLACE(3), canary));
	EXPECT_EQ(PLACE(3), MAP(PAGE));
	policy_detach(&self->b.policy);
	EXPECT_EQ(1, self->b.seen->exits);
}

/*
 * What was right for one request is not for the next: another length does not fit,
 * another address space has something there.
 */
TEST_F(policies, is_ejected_for_answers_to_other_requests)
{
	struct choice host = { .name = "host" };
	__u64 iova = 0;
	__u32 other;

	must(ioas_alloc(self->env.fd, &other));
	must(ioas_map_fixed(self->env.fd, other, self->env.buffer, PAGE, PLACE(2)));
	MAP_FIXED_AT(PLACE(2) + PAGE, PAGE);
	must(witness_start(&self->a, 0, host));
	self->a.control->mode = WITNESS_VALUE;
	self->a.control->value = PLACE(2);
	EXPECT_EQ(PLACE(2), MAP(PAGE));
	must(ioas_unmap(self->env.fd, self->env.ioas, PLACE(2), PAGE));

	for (int i = 0; i < FAULTS_MAX / 2; i++) {
		EXPECT_GT(PLACE(1), MAP(2 * PAGE));
		must(ioas_map_auto(self->env.fd, other, self->env.buffer, PAGE,
				   &iova));
		EXPECT_GT(PLACE(1), iova);
	}
	ASSERT_TRUE(wait_for_exit(&self->a));
	EXPECT_EQ(EXIT_FAULTS, self->a.seen->exit_kind);
	EXPECT_EQ(-EEXIST, self->a.seen->exit_err);
	EXPECT_NE(NULL, strstr(shown(&self->a, "exit"),
			       "it answers with IOVAs that are taken"));
	EXPECT_GT(PLACE(1), MAP(PAGE));
}

TEST_F(policies, is_ejected_when_it_gives_up)
{
	struct choice host = { .name = "host" };

	must(witness_start(&self->a, 0, host));
	self->a.control->mode = WITNESS_GIVE_UP;
	MAP(PAGE);
	ASSERT_TRUE(wait_for_exit(&self->a));
	EXPECT_EQ(EXIT_ITSELF, self->a.seen->exit_kind);
	EXPECT_EQ(-EPROTO, self->a.seen->exit_err);
	EXPECT_STREQ("length 4096, hint 0, word last",
		     (char *)self->a.seen->exit_msg);
	EXPECT_STREQ("none", in_force());
	MAP(PAGE);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Loops as long as the verifier lets it. How long that takes is the machine's. */
TEST_F_TIMEOUT(policies, is_ejected_when_it_is_slow, 120)
{
	struct choice host = { .name = "host" };
	double start;

	must(witness_start(&self->a, 0, host));
	self->a.control->mode = WITNESS_SPIN;
	self->a.control->value = 10;
	start = seconds();
	MAP(PAGE);
	/* So that one answer takes four times as long as it may. */
	self->a.control->value = 10 * 0.4 / (seconds() - start) + 1;
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(0, self->a.seen->exits);
		MAP(PAGE);
	}
	ASSERT_TRUE(wait_for_exit(&self->a));
	EXPECT_EQ(EXIT_SLOW, self->a.seen->exit_kind);
	EXPECT_STREQ("none", in_force());
	EXPECT_LT(100000000, atoll(shown(&self->a, "time_p99_ns")));
	MAP(PAGE);
}

TEST_F_TIMEOUT(policies, ejected_and_gone_at_once, 240)
{
	struct choice host = { .name = "host" };

	for (int i = 0; i < 50; i++) {
		must(witness_start(&self->a, 0, host));
		self->a.control->mode = WITNESS_GIVE_UP;
		MAP(PAGE);
		policy_detach(&self->a.policy);
		EXPECT_EQ(1, self->a.seen->exits);
		EXPECT_EQ(EXIT_ITSELF, self->a.seen->exit_kind);
		policy_close(&self->a.policy);
	}
}

/* --- while everybody maps ------------------------------------------------------------ */

#define MAPPERS 4

/* Each mapping has to be where one of the two policies places. */
static int map_and_unmap(struct mapper *m)
{
	return mapper_map_between(m, PAGE << m->maps % 4, PLACE(1),
				  PLACE(3) - 1);
}

static void replace(struct __test_metadata *_metadata,
		    FIXTURE_DATA(policies) *self, struct choice choice,
		    unsigned int times)
{
	struct mapper mappers[MAPPERS];
	int err = 0;

	must(witness_start(&self->a, PLACE(1), choice));
	must(witness_load(&self->b, &choice));
	self->b.control->mode = WITNESS_FIRST_GAP;
	self->b.control->value = PLACE(2);
	for (int i = 0; i < MAPPERS; i++)
		must(mapper_start(&mappers[i], &self->env, map_and_unmap));
	for (int i = 0; i < times && !err; i++)
		err = bpf_link__update_map(self->a.policy.link,
					   i % 2 ? self->a.policy.map :
						   self->b.policy.map);
	for (int i = 0; i < MAPPERS; i++) {
		EXPECT_EQ(0, mapper_stop(&mappers[i]));
		EXPECT_LT(100, mappers[i].maps);
	}
	EXPECT_EQ(0, err);
	EXPECT_EQ(times, self->a.seen->exits + self->b.seen->exits);
	policy_detach(&self->a.policy);
	EXPECT_EQ(self->a.seen->maps + self->b.seen->maps,
		  self->a.seen->unmaps + self->b.seen->unmaps);
}

TEST_F_TIMEOUT(policies, replaced_ten_thousand_times, 240)
{
	replace(_metadata, self,
		(struct choice){ .name = "two", .without_spaces = true },
		10000);
}

/* Nobody is asked about an address space that has left. */
TEST_F_TIMEOUT(policies, replaced_with_all_that_it_keeps, 240)
{
	replace(_metadata, self, (struct choice){ .name = "two" }, 300);
	EXPECT_EQ(0, self->a.seen->late + self->b.seen->late);
	EXPECT_EQ(self->a.seen->ioas_inits, self->a.seen->ioas_exits);
	EXPECT_EQ(self->b.seen->ioas_inits, self->b.seen->ioas_exits);
}

TEST_HARNESS_MAIN
