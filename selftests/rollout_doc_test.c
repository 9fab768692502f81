// SPDX-License-Identifier: GPL-2.0-only
/* Documents of rollouts: what is in them is read, and each mistake is told with its line and a mend. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../user/lib/msg.h"
#include "../user/lib/rollout_doc.h"
#include "kselftest_harness.h"

#define FOLDER "/tmp/iox-rollout-doc"
#define FILE_NAME FOLDER "/a.yaml"
#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static const char good[] =
	"rollout: top-down-2026.11\n"						/* 1 */
	"kind: iova\n"								/* 2 */
	"policy:\n"								/* 3 */
	"  object: top_down.bpf.o\n"						/* 4 */
	"  sha256: " DIGEST "\n"						/* 5 */
	"  variable: top_down\n"						/* 6 */
	"scope:\n"								/* 7 */
	"  cgroup: /sys/fs/cgroup/tenant.slice\n"				/* 8 */
	"replaces: first-fit-2026-05\n"						/* 9 */
	"stages:\n"								/* 10 */
	"  - {hosts: 10, spaces: 50, bake: 2h}\n"				/* 11 */
	"  - {hosts: 1000, spaces: 1000, bake: 1h30m}\n"			/* 12 */
	"stage: 2\n"								/* 13 */
	"hold: true\n"								/* 14 */
	"attempt: 3\n"								/* 15 */
	"baseline: 30m\n"							/* 16 */
	"guards:\n"								/* 17 */
	"  every: 500ms\n"							/* 18 */
	"  samples: 7\n"							/* 19 */
	"  map_p99: {times: 1.5, over: 2us}\n"					/* 20 */
	"  fallback_rate: {over: 1%}\n"						/* 21 */
	"  failed_maps: {over: 0.1%}\n"						/* 22 */
	"on_trip: hold\n";							/* 23 */

static const char admit[] =
	"rollout: only-known\n"
	"kind: admit\n"
	"policy: {object: /a/b.bpf.o, signature: /c.p7s, sha256: " DIGEST "}\n"
	"stages: [{hosts: 1, bake: 10s}, {hosts: 1, bake: 0s}]\n"
	"stage: 1\n"
	"guards: {preserve_refusals: {over: 5%}, faults: {over: 0%}}\n"
	"baseline: 1d\n";

FIXTURE(doc)
{
	struct rollout_doc doc;
	char said[2048];
};

FIXTURE_SETUP(doc)
{
	ASSERT_EQ(0, system("mkdir -p " FOLDER));
	self->said[0] = '\0';
	msg_catch(self->said, sizeof(self->said));
}

FIXTURE_TEARDOWN(doc)
{
	msg_catch(NULL, 0);
	ASSERT_EQ(0, system("rm -r " FOLDER));
}

static void put(const void *text, size_t size)
{
	FILE *f = fopen(FILE_NAME, "we");

	fwrite(text, 1, size, f);
	fclose(f);
}

static bool read_text(struct rollout_doc *doc, const char *text)
{
	put(text, strlen(text));
	return rollout_doc_read(doc, FILE_NAME);
}

static bool put_line(struct rollout_doc *doc, const char *line)
{
	char text[sizeof(good) + 64];

	snprintf(text, sizeof(text), "%s%s", good, line);
	return read_text(doc, text);
}

/* --- good ones ------------------------------------------------------------------- */

TEST_F(doc, all_is_read)
{
	const struct rollout_doc *d = &self->doc;

	ASSERT_TRUE(read_text(&self->doc, good)) TH_LOG("%s", self->said);
	EXPECT_STREQ("top-down-2026.11", d->name);
	EXPECT_EQ(ROLLOUT_IOVA, d->kind);
	EXPECT_STREQ(FOLDER "/top_down.bpf.o", d->object);
	EXPECT_STREQ(FOLDER "/top_down.bpf.o.p7s", d->signature);
	EXPECT_STREQ(DIGEST, d->sha256);
	EXPECT_STREQ("top_down", d->variable);
	EXPECT_STREQ("/sys/fs/cgroup/tenant.slice", d->cgroup);
	EXPECT_STREQ("first-fit-2026-05", d->replaces);
	EXPECT_FALSE(d->may_refuse);
	EXPECT_EQ(2, d->nr_stages);
	EXPECT_EQ(10, d->stages[0].hosts);
	EXPECT_EQ(50, d->stages[0].spaces);
	EXPECT_EQ(7200000, d->stages[0].bake_ms);
	EXPECT_EQ(1000, d->stages[1].hosts);
	EXPECT_EQ(1000, d->stages[1].spaces);
	EXPECT_EQ(5400000, d->stages[1].bake_ms);
	EXPECT_EQ(2, d->stage);
	EXPECT_TRUE(d->hold);
	EXPECT_EQ(3, d->attempt);
	EXPECT_EQ(1800000, d->baseline_ms);
	EXPECT_EQ(500, d->every_ms);
	EXPECT_EQ(7, d->samples);
	EXPECT_TRUE(d->limits[ROLLOUT_GUARD_map_p99].set);
	EXPECT_EQ(1.5, d->limits[ROLLOUT_GUARD_map_p99].times);
	EXPECT_EQ(2000, d->limits[ROLLOUT_GUARD_map_p99].over);
	EXPECT_EQ(0.01, d->limits[ROLLOUT_GUARD_fallback_rate].over);
	EXPECT_EQ(0.001, d->limits[ROLLOUT_GUARD_failed_maps].over);
	EXPECT_FALSE(d->limits[ROLLOUT_GUARD_faults].set);
	EXPECT_EQ(ROLLOUT_HOLD, d->on_trip);

	ASSERT_TRUE(put_line(&self->doc, "may_refuse: true\n")) TH_LOG("%s", self->said);
	EXPECT_TRUE(d->may_refuse);
}

TEST_F(doc, what_is_not_said_has_defaults)
{
	const struct rollout_doc *d = &self->doc;

	ASSERT_TRUE(read_text(&self->doc, admit)) TH_LOG("%s", self->said);
	EXPECT_EQ(ROLLOUT_ADMIT, d->kind);
	EXPECT_STREQ("/a/b.bpf.o", d->object);
	EXPECT_STREQ("/c.p7s", d->signature);
	EXPECT_STREQ("", d->variable);
	EXPECT_STREQ("", d->cgroup);
	EXPECT_STREQ("", d->replaces);
	EXPECT_EQ(1000, d->stages[1].spaces);
	EXPECT_EQ(0, d->stages[1].bake_ms);
	EXPECT_FALSE(d->hold);
	EXPECT_EQ(1, d->attempt);
	EXPECT_EQ(30000, d->every_ms);
	EXPECT_EQ(100, d->samples);
	EXPECT_EQ(86400000, d->baseline_ms);
	EXPECT_EQ(ROLLOUT_ROLL_BACK, d->on_trip);
}

TEST_F(doc, its_digest_is_that_of_the_file)
{
	char digest[80] = "";
	FILE *f;

	ASSERT_TRUE(read_text(&self->doc, good));
	f = popen("sha256sum " FILE_NAME, "r");
	EXPECT_NE(NULL, fgets(digest, 65, f));
	pclose(f);
	EXPECT_STREQ(digest, self->doc.digest);
}

/* --- bad ones -------------------------------------------------------------------- */

struct mistake {
	const char *text, *from, *to;	/* what is written instead of what */
	int line;
	const char *says, *mend;
};

static const struct mistake mistakes[] = {
	{ good, "kind:", "knid:", 2, "unknown key 'knid'", "did you mean 'kind'?" },
	{ good, "  variable:", "  symbol:", 6, "unknown key 'symbol'", "there are object, sha256" },
	{ good, "  samples:", "  sample:", 19, "unknown key 'sample'", "did you mean 'samples'?" },
	{ good, "bake: 2h", "bakes: 2h", 11, "unknown key 'bakes'", "did you mean 'bake'?" },
	{ good, "times: 1.5", "time: 1.5", 20, "unknown key 'time'", "did you mean 'times'?" },
	{ good, "hold: true", "kind: iova", 14, "'kind' is there twice", "leave one" },
	{ good, "  variable: top_down", "  object: b", 6, "'object' is there twice", "leave one" },
	{ good, "rollout: top-down-2026.11\n", "", 1, "the document has no 'rollout'", "add it" },
	{ good, "kind: iova\n", "", 1, "the document has no 'kind'", "add it" },
	{ good, "stage: 2\n", "", 1, "the document has no 'stage'", "add it" },
	{ good, "  object: top_down.bpf.o\n", "", 4, "the policy has no 'object'", "add it" },
	{ good, "  sha256: " DIGEST "\n", "", 4, "the policy has no 'sha256'", "add it" },
	{ good, ", bake: 2h", "", 11, "a stage has no 'bake'", "add it" },
	{ good, " spaces: 50,", "", 11, "a stage has no 'spaces'", "add it" },
	{ good, "  cgroup: /sys/fs/cgroup/tenant.slice\n", "  {}\n", 8, "the scope has no 'cgroup'", "add it" },
	{ good, "top-down-2026.11", "Top", 1, "'Top' cannot be the name", "lower-case" },
	{ good, "top-down-2026.11", "../top", 1, "'../top' cannot be the name", "lower-case" },
	{ good, "top-down-2026.11", "a23456789b123456789c123456789d123456789e123456789f123456789g123", 1, NULL, NULL },
	{ good, "top-down-2026.11", "a23456789b123456789c123456789d123456789e123456789f123456789g1234", 1,
	  "cannot be the name", "63 at most" },
	{ good, "top-down-2026.11", "first-fit-2026-05", 9, "cannot replace itself", "earlier" },
	{ good, "kind: iova", "kind: dma", 2, "'dma' has to be iova or admit", "" },
	{ good, "kind: iova", "kind: [iova]", 2, "this has to be iova or admit", "" },
	{ good, "kind: iova", "kind: ", 2, "this has to be iova or admit", "" },
	{ good, "kind: iova", "kind: \"iova\\0\"", 2, "this has to be iova or admit", "" },
	{ good, "  variable: top_down", "  variable: a-b", 6, "'a-b' cannot be the name", "iox policy check" },
	{ good, "9f86", "9f8", 5, "is no SHA-256 digest", "sha256sum" },
	{ good, "9f86", "9F86", 5, "is no SHA-256 digest", "sha256sum" },
	{ good, "9f86", "9f86a", 5, "is no SHA-256 digest", "sha256sum" },
	{ good, "/sys/fs/cgroup/tenant", "tenant", 8, "by its whole path", "/sys/fs" },
	{ good, "hosts: 1000", "hosts: 1001", 12, "'1001' has to be a whole number, 1 to 1000", "" },
	{ good, "spaces: 1000", "spaces: 1001", 12, "'1001' has to be a whole number, 1 to 1000", "" },
	{ good, "hosts: 10,", "hosts: 0,", 11, "'0' has to be a whole number, 1 to 1000", "" },
	{ good, "hosts: 10,", "hosts: -1,", 11, "'-1' has to be a whole number", "" },
	{ good, "hosts: 10,", "hosts: 1e1,", 11, "'1e1' has to be a whole number", "" },
	{ good, "hosts: 10,", "hosts: 99999999999999999999999,", 11, "has to be a whole number", "" },
	{ good, "hosts: 1000", "hosts: 9", 12, "9 hosts after 10 in the stage before", "grow" },
	{ good, "spaces: 1000", "spaces: 49", 12, "49 spaces after 50 in the stage before", "grow" },
	{ good, "bake: 2h", "bake: 2", 11, "'2' is no duration", "write '30s'" },
	{ good, "bake: 2h", "bake: -2h", 11, "'-2h' is no duration", "write '30s'" },
	{ good, "bake: 2h", "bake: 2 weeks", 11, "'2 weeks' is no duration", "write '30s'" },
	{ good, "bake: 2h", "bake: 400d", 11, "'400d' is out of range", "366d at most" },
	{ good, "bake: 2h", "bake: inf", 11, "'inf' is no duration", "write '30s'" },
	{ good, "stage: 2", "stage: 3", 13, "stage 3 of 2 stages", "lower" },
	{ good, "stage: 2", "stage: 0", 13, "'0' has to be a whole number, 1 to 16", "" },
	{ good, "hold: true", "hold: yes", 14, "'yes' has to be true or false", "" },
	{ good, "attempt: 3", "attempt: 0", 15, "'0' has to be a whole number, 1 to 1000000", "" },
	{ good, "baseline: 30m\n", "", 1, "guards, and no baseline", "add 'baseline: 30m'" },
	{ good, "baseline: 30m", "baseline: 0s", 16, "'0s' is out of range", "from 100ms" },
	{ good, "  every: 500ms", "  every: 50ms", 18, "'50ms' is out of range", "from 100ms" },
	{ good, "{times: 1.5, over: 2us}", "{}", 20, "the guard 'map_p99' has no limit", "'times', 'over'" },
	{ good, "times: 1.5", "times: 1.5x", 20, "'1.5x' is no factor", "such as 1.5" },
	{ good, "times: 1.5", "times: .5", 20, "'.5' is no factor", "such as 1.5" },
	{ good, "times: 1.5", "times: nan", 20, "'nan' is no factor", "such as 1.5" },
	{ good, "over: 2us", "over: 2", 20, "'2' is no time", "2us" },
	{ good, "over: 2us", "over: 2%", 20, "'2%' is no time", "2us" },
	{ good, "over: 1%", "over: 0.01", 21, "'0.01' is no percentage", "0.5%" },
	{ good, "over: 1%", "over: 101%", 21, "'101%' is no percentage", "0.5%" },
	{ good, "fallback_rate", "preserve_refusals", 21, "is not for policies of kind iova", "leave it out" },
	{ good, "map_p99: {times: 1.5, over: 2us}\n  fallback_rate: {over: 1%}\n  failed_maps: {over: 0.1%}",
	  "#", 18, "there is no guard among the guards", "add one" },
	{ good, "on_trip: hold", "on_trip: panic", 23, "'panic' has to be rollback or hold", "" },
	{ good, "stages:\n", "stages: all\nx:\n", 11, "unknown key", NULL },
	{ good, "on_trip: hold", "on_trip: hold\n---\nrollout: b", 25, "more than one document", "file of its own" },
	{ good, "on_trip: hold", "on_trip: hold\n---\n- [", 26, "did not find", "mend the YAML" },
	{ good, "hold: true", "hold: [true", 15, "did not find", "mend the YAML" },
	{ good, "hold: true", "hold: \xff", 14, "invalid", "mend the YAML" },
	{ good, "hold: true", "\thold: true", 14, "", "mend the YAML" },
	{ good, "replaces: first-fit-2026-05", "replaces: &a first\nhold: *a\n#", 1, "aliases", "write out" },
	{ admit, "{hosts: 1, bake: 10s}", "{hosts: 1, spaces: 5, bake: 10s}", 4, "for all or nothing", "leave 'spaces' out" },
	{ admit, "stage: 1", "stage: 1\nmay_refuse: true", 6, "'may_refuse' is for IOVA policies", "leave it out" },
	{ good, "hold: true", "may_refuse: 1", 14, "'1' has to be true or false", "" },
	{ admit, "faults", "map_p99", 6, "is not for policies of kind admit", "leave it out" },
	{ admit, "guards: {preserve_refusals: {over: 5%}, faults: {over: 0%}}\n", "", 6, "no guard that is measured", "add guards" },
	{ admit, "stages: [{hosts: 1, bake: 10s}, {hosts: 1, bake: 0s}]", "stages: []", 4, "0 stages", "" },
	{ admit, "stages: [{hosts: 1, bake: 10s}, {hosts: 1, bake: 0s}]", "stages: {hosts: 1}", 4, "have to be a list", "write lines" },
	{ admit, "policy: {object", "policy: x\n#", 3, "the policy has to be a mapping", "key: value" },
};

/* The whole line that is said, or that nothing is. */
static void check_mistake(struct __test_metadata *_metadata, FIXTURE_DATA(doc) *self,
			  const struct mistake *m)
{
	const char *at = strstr(m->text, m->from);
	char text[4096], where[64];

	ASSERT_NE(NULL, at) TH_LOG("'%s' is not in it", m->from);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - m->text), m->text, m->to,
		 at + strlen(m->from));
	self->said[0] = '\0';
	EXPECT_EQ(!m->says, read_text(&self->doc, text)) TH_LOG("%s", m->to);
	if (!m->says)
		return;
	snprintf(where, sizeof(where), FILE_NAME ":%d: ", m->line);
	EXPECT_EQ(0, strncmp(self->said, where, strlen(where))) TH_LOG("%s: %s", where, self->said);
	EXPECT_NE(NULL, strstr(self->said, m->says)) TH_LOG("%s: %s", m->says, self->said);
	EXPECT_EQ(NULL, strchr(self->said, '\n'));
	if (m->mend)
		EXPECT_NE(NULL, strstr(self->said, m->mend)) TH_LOG("%s: %s", m->mend, self->said);
}

TEST_F(doc, each_mistake_is_told_with_its_line)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		check_mistake(_metadata, self, &mistakes[i]);
}

TEST_F(doc, a_file_without_content_is_no_document)
{
	EXPECT_FALSE(read_text(&self->doc, "# nothing\n"));
	EXPECT_NE(NULL, strstr(self->said, "there is nothing in it"));
	EXPECT_FALSE(read_text(&self->doc, "- a\n"));
	EXPECT_NE(NULL, strstr(self->said, "the document has to be a mapping"));
}

TEST_F(doc, what_is_no_file_is_told)
{
	EXPECT_FALSE(rollout_doc_read(&self->doc, FOLDER "/none"));
	EXPECT_STREQ(FOLDER "/none: No such file or directory", self->said);
	EXPECT_FALSE(rollout_doc_read(&self->doc, FOLDER));
	EXPECT_STREQ(FOLDER ": Is a directory", self->said);
	EXPECT_FALSE(rollout_doc_read(&self->doc, "/dev/zero"));
	EXPECT_NE(NULL, strstr(self->said, "larger than 16 KiB"));
}

/* Each alias doubles what it stands for: the tree would have 2^40 leaves. */
TEST_F(doc, a_bomb_of_aliases_is_refused)
{
	char text[4096] = "a0: &a0 [x, x]\n";
	size_t len = strlen(text);

	for (int i = 1; i < 40; i++)
		len += (size_t)sprintf(text + len, "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
	EXPECT_FALSE(read_text(&self->doc, text));
	EXPECT_NE(NULL, strstr(self->said, "there are aliases in it")) TH_LOG("%s", self->said);
}

TEST_F(doc, what_is_nested_too_deep_is_refused)
{
	char *text = malloc(16000);

	memset(text, '[', 16000);
	put(text, 16000);
	free(text);
	EXPECT_FALSE(rollout_doc_read(&self->doc, FILE_NAME));
}

/* --- any ------------------------------------------------------------------------- */

static unsigned int random_below(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 8) % n;
}

static size_t mutate(char *text, size_t size, unsigned int *seed)
{
	static const char special[] = "\t\n :-[]{},&*!|>'\"%@`#?\\\0\xff\xc3 0159ahmsu.";
	size_t at = random_below(seed, (unsigned int)size), other = random_below(seed, (unsigned int)size), n;

	switch (random_below(seed, 4)) {
	case 0:
		text[at] = special[random_below(seed, sizeof(special) - 1)];
		return size;
	case 1:
		text[at] ^= (char)(1 << random_below(seed, 8));
		return size;
	case 2:	/* leave something out */
		n = random_below(seed, (unsigned int)(size - at)) / 8 + 1;
		memmove(text + at, text + at + n, size - at - n);
		return size - n;
	default:	/* the same once more */
		n = random_below(seed, (unsigned int)(size - at)) / 8 + 1;
		n = n < size - other ? n : size - other;
		memmove(text + at + n, text + at, size - at);
		memmove(text + at, text + (other < at ? other : other + n), n);
		return size + n;
	}
}

/* What is taken is in bounds, whatever it was made of. */
static bool is_sound(const struct rollout_doc *d)
{
	for (__u32 i = 0; i < d->nr_stages; i++)
		if (d->stages[i].hosts > ROLLOUT_OF || d->stages[i].spaces > ROLLOUT_OF ||
		    !d->stages[i].hosts || !d->stages[i].spaces)
			return false;
	return *d->name && !strchr(d->name, '/') && *d->object == '/' && strlen(d->sha256) == 64 &&
	       d->stage >= 1 && d->stage <= d->nr_stages && d->nr_stages <= ROLLOUT_MAX_STAGES &&
	       d->attempt && d->every_ms && d->samples;
}

TEST_F(doc, any_text_is_taken_or_told)
{
	const char *seeded = getenv("SEED"), *rounds = getenv("ROUNDS");
	unsigned int seed = seeded ? (unsigned int)atoi(seeded) : 1;
	int nr = rounds ? atoi(rounds) : 5000, taken = 0;
	char text[8192];
	size_t size;

	for (int i = 0; i < nr; i++) {
		size = strlen(i % 2 ? good : admit);
		memcpy(text, i % 2 ? good : admit, size);
		for (unsigned int n = random_below(&seed, 4) + 1; n && size < sizeof(text) / 2; n--)
			size = mutate(text, size, &seed);
		put(text, size);
		self->said[0] = '\0';
		if (rollout_doc_read(&self->doc, FILE_NAME)) {
			taken++;
			ASSERT_TRUE(is_sound(&self->doc)) TH_LOG("%.*s", (int)size, text);
		} else {
			ASSERT_NE('\0', self->said[0]) TH_LOG("%.*s", (int)size, text);
			ASSERT_EQ(NULL, strchr(self->said, '\n'));
		}
	}
	EXPECT_GT(taken, 0);
	EXPECT_LT(taken, nr);
}

TEST_HARNESS_MAIN
