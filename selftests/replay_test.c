// SPDX-License-Identifier: GPL-2.0-only
/* Files of recorded requests, and iox replay, which makes them again on any kernel. */
#include <errno.h>
#include <sys/stat.h>

#include "../user/lib/trace_file.h"
#include "kselftest_harness.h"
#include "lib/iommufd.h"
#include "lib/leak.h"
#include "shell.h"

#define TRACE "/tmp/iox-replay.trace"
#define HEAD "{\"iox_trace\":1,\"kernel\":\"7.3\",\"recorded\":\"2026-01-01T00:00:00Z\"}\n"

FIXTURE(replay)
{
	struct leak_mark mark;
	char *output;
	json_object *json;
};

FIXTURE_SETUP(replay)
{
	leak_mark(&self->mark);
	self->json = NULL;
	self->output = malloc(SHELL_OUTPUT_SIZE);
	ASSERT_NE(NULL, self->output);
}

FIXTURE_TEARDOWN(replay)
{
	json_object_put(self->json);
	free(self->output);
	unlink(TRACE);
	EXPECT_NO_LEAK(&self->mark);
}

static void write_text(const char *text)
{
	FILE *f = fopen(TRACE, "we");

	fputs(text, f);
	fclose(f);
}

/* --- the file -------------------------------------------------------------------- */

static bool same(const struct trace_request *a, const struct trace_request *b)
{
	return a->t_ns == b->t_ns && a->op == b->op && a->space == b->space && a->iova == b->iova &&
	       a->length == b->length && a->addr == b->addr && a->hint == b->hint &&
	       a->fixed == b->fixed && a->prot == b->prot && a->backing == b->backing &&
	       a->run == b->run && a->err == b->err && a->pid == b->pid && !strcmp(a->comm, b->comm);
}

TEST_F(replay, what_is_written_is_read)
{
	static const struct trace_request list[] = {
		{ .t_ns = 1, .op = TRACE_MAP, .space = 1, .iova = 0xfffffffffffff000,
		  .length = 4096, .addr = 0x7fffffffe000, .hint = 0x1000, .prot = TRACE_READ,
		  .backing = TRACE_USER, .run = 30, .pid = 1, .comm = "a\"\\\t\x01z" },
		{ .t_ns = 2, .op = TRACE_MAP_FILE, .space = 2, .iova = 0, .length = 1ULL << 63,
		  .fixed = true, .prot = TRACE_READ | TRACE_WRITE, .backing = TRACE_FILE,
		  .err = -ENOMEM },
		/* Nobody can have it, but anybody can ask. */
		{ .t_ns = 2, .op = TRACE_MAP, .space = 2, .iova = ~0ULL, .length = ~0ULL,
		  .fixed = true, .prot = TRACE_READ, .backing = TRACE_USER, .err = -EOVERFLOW },
		{ .t_ns = 3, .op = TRACE_COPY, .space = TRACE_MAX_SPACES - 1, .length = 1,
		  .prot = TRACE_WRITE, .backing = TRACE_DMABUF, .comm = "fifteen letters" },
		{ .t_ns = ~0ULL, .op = TRACE_UNMAP, .space = 3, .length = ~0ULL, .err = -ENOENT },
		{ .op = TRACE_DESTROY, .space = 4 },
	};
	struct trace_file *f = trace_file_create(TRACE);
	struct trace_request req;

	ASSERT_NE(NULL, f);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		EXPECT_TRUE(trace_file_write(f, &list[i]));
	EXPECT_TRUE(trace_file_close(f));
	f = trace_file_open(TRACE);
	ASSERT_NE(NULL, f);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		ASSERT_EQ(1, trace_file_read(f, &req));
		EXPECT_TRUE(same(&list[i], &req)) {
			TH_LOG("request %zu", i);
		}
	}
	EXPECT_EQ(0, trace_file_read(f, &req));
	EXPECT_TRUE(trace_file_close(f));
}

TEST_F(replay, a_full_disk_is_told)
{
	const struct trace_request req = { .op = TRACE_DESTROY, .space = 1 };
	struct trace_file *f = trace_file_create("/dev/full");

	ASSERT_NE(NULL, f);
	EXPECT_TRUE(trace_file_write(f, &req));
	EXPECT_FALSE(trace_file_close(f));
}

#define MAP_REST ",\"addr\":\"0x0\",\"fixed\":false,\"prot\":\"rw\",\"backing\":\"user\"}\n"

TEST_F(replay, lines_that_are_wrong_are_told_by_number)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{ "", ":1: is not how a trace begins; " },
		{ "hello\n", ":1: is no JSON object; " },
		{ "{\"iox_trace\":2}\n", ":1: is a trace of another version; " },
		{ HEAD "{\"t\":1}\n", ":2: \"op\" is not \"map\", \"map-file\", " },
		{ HEAD "{\"op\":\"map\"}\n", ":2: \"t\" is not a number from 0 to " },
		{ HEAD "\n", ":2: is no JSON object; " },
		{ HEAD "[]\n", ":2: is no JSON object; " },
		{ HEAD "{\"t\":1,\"op\":\"destroy\",\"space\":1}\n{\"t\":2", ":3: is no JSON object; " },
		{ HEAD "{\"t\":1,\"op\":\"destroy\",\"space\":1} x\n", ":2: is no JSON object; " },
		{ HEAD "{\"t\":1,\"op\":\"destroy\",\"space\":0}\n",
		  ":2: \"space\" is not a number from 1 to " },
		{ HEAD "{\"t\":1,\"op\":\"destroy\",\"space\":\"1\"}\n",
		  ":2: \"space\" is not a number from 1 to " },
		{ HEAD "{\"t\":1,\"op\":\"unmap\",\"space\":1,\"iova\":4096,\"length\":1}\n",
		  ":2: \"iova\" is not an address such as " },
		{ HEAD "{\"t\":1,\"op\":\"unmap\",\"space\":1,\"iova\":\"0x1g\",\"length\":1}\n",
		  ":2: \"iova\" is not an address such as " },
		{ HEAD "{\"t\":1,\"op\":\"unmap\",\"space\":1,\"iova\":\"0x1\",\"length\":0}\n",
		  ":2: \"length\" is not a number from 1 to " },
		{ HEAD "{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x1\",\"length\":1}\n",
		  ":2: \"fixed\" is not true or false" },
		{ HEAD "{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0xffffffffffffffff\","
		  "\"length\":2" MAP_REST, ":2: \"iova\" and \"length\" wrap; " },
		{ HEAD "{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x1\",\"length\":1,"
		  "\"addr\":\"0x0\",\"fixed\":false,\"prot\":\"rx\",\"backing\":\"user\"}\n",
		  ":2: \"prot\" is not \"r\", \"w\", \"rw\"; " },
		{ HEAD "{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x1\",\"length\":1,"
		  "\"run\":11" MAP_REST, ":2: \"run\" is not a number from 12 to 63; " },
		{ HEAD "{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x1\",\"length\":1,"
		  "\"err\":14" MAP_REST, ":2: \"err\" is not a negative errno; " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		write_text(wrong[i].text);
		EXPECT_EQ(1, shell_run(self->output, "$IOX replay " TRACE " 2>&1"));
		EXPECT_TRUE(shell_one_line(self->output));
		EXPECT_TRUE(shell_has(self->output, wrong[i].says)) {
			TH_LOG("%s: %s", wrong[i].text, self->output);
		}
	}
}

/* --- the command ----------------------------------------------------------------- */

/* Two areas and their unmap, a file, two that failed, an unmap of nothing, and an end. */
static const char requests[] = HEAD
	"{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x1000\",\"length\":8192" MAP_REST
	"{\"t\":2,\"op\":\"map\",\"space\":1,\"iova\":\"0x40000000\",\"length\":1073741824,"
	"\"addr\":\"0x1000\",\"fixed\":true,\"prot\":\"rw\",\"backing\":\"user\"}\n"
	"{\"t\":3,\"op\":\"unmap\",\"space\":1,\"iova\":\"0x0\",\"length\":18446744073709551615}\n"
	"{\"t\":4,\"op\":\"map-file\",\"space\":2,\"iova\":\"0x1000000\",\"length\":4096,"
	"\"addr\":\"0x1000\",\"fixed\":true,\"prot\":\"rw\",\"backing\":\"file\"}\n"
	"{\"t\":5,\"op\":\"map\",\"space\":2,\"iova\":\"0x1000\",\"length\":4096,\"err\":-14" MAP_REST
	"{\"t\":6,\"op\":\"unmap\",\"space\":2,\"iova\":\"0x9000\",\"length\":4096,\"err\":-2}\n"
	"{\"t\":7,\"op\":\"map\",\"space\":2,\"iova\":\"0x1000000\",\"length\":4096,\"err\":-17,"
	"\"addr\":\"0x1000\",\"fixed\":true,\"prot\":\"rw\",\"backing\":\"user\"}\n"
	"{\"t\":8,\"op\":\"destroy\",\"space\":2}\n";

/* What --json says; with @args. */
#define REPLAYED(status, args) ({					\
	json_object_put(self->json);					\
	EXPECT_EQ(status, shell_run(self->output, "$IOX replay --json " args " " TRACE " 2>&1"));	\
	EXPECT_TRUE(shell_one_line(self->output)) {			\
		TH_LOG("%s", self->output);				\
	}								\
	self->json = json_tokener_parse(self->output);			\
	self->json;							\
})

#define EXPECT_CALLS(json, call, _count, _failed) do {			\
	json_object *_c = json_find(json_member(json, "calls"), "call", call);	\
									\
	EXPECT_EQ(_count, json_number(_c, "count"));			\
	EXPECT_EQ(_failed, json_number(_c, "failed"));			\
	EXPECT_LE(json_number(_c, "p50_ns"), json_number(_c, "p99_ns"));	\
} while (0)

static void expect_replayed(struct __test_metadata *_metadata, json_object *json)
{
	json_object *otherwise = json_member(json, "otherwise"), *o;

	EXPECT_CALLS(json, "map", 4, 1);
	EXPECT_CALLS(json, "map-file", 1, 0);
	EXPECT_CALLS(json, "copy", 0, 0);
	/* The areas of the first, and what should have failed and did not. */
	EXPECT_CALLS(json, "unmap", 3, 0);
	EXPECT_EQ(1, json_number(json, "skipped"));
	ASSERT_EQ(1, json_object_array_length(otherwise));
	o = json_object_array_get_idx(otherwise, 0);
	EXPECT_STREQ("map", json_string(o, "call"));
	EXPECT_EQ(-EFAULT, json_object_get_int(json_member(o, "recorded")));
	EXPECT_EQ(0, json_object_get_int(json_member(o, "here")));
	EXPECT_EQ(1, json_number(o, "count"));
}

TEST_F_TIMEOUT(replay, makes_the_calls_again, 120)
{
	write_text(requests);
	expect_replayed(_metadata, REPLAYED(1, ""));
	EXPECT_EQ(1, shell_run(self->output, "$IOX replay " TRACE));
	EXPECT_TRUE(shell_has(self->output, "\nmap: recorded EFAULT, here success: 1 calls\n"));
	EXPECT_TRUE(shell_has(self->output, "\nnot made: 1 calls that had nothing to unmap\n"));
}

TEST_F(replay, makes_the_calls_without_memory)
{
	if (!iommufd_is_iox())
		SKIP(return, "Linux's own iommufd places nothing without memory");
	write_text(requests);
	expect_replayed(_metadata, REPLAYED(1, "--no-memory"));
}

TEST_F(replay, nothing_otherwise_is_success)
{
	json_object *json;

	write_text(HEAD "{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x1000\",\"length\":8192"
		   MAP_REST "{\"t\":1,\"op\":\"destroy\",\"space\":1}\n");
	json = REPLAYED(0, "");
	EXPECT_EQ(0, json_object_array_length(json_member(json, "otherwise")));
	EXPECT_CALLS(json, "map", 1, 0);
	EXPECT_CALLS(json, "unmap", 0, 0);
}

TEST_F(replay, what_was_unmapped_unseen_is_unmapped_here)
{
	json_object *json;

	/* The second lies where the first must have been unmapped. */
	write_text(HEAD "{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x1000\",\"length\":8192"
		   MAP_REST "{\"t\":2,\"op\":\"map\",\"space\":1,\"iova\":\"0x2000\",\"length\":4096"
		   MAP_REST "{\"t\":3,\"op\":\"destroy\",\"space\":1}\n");
	json = REPLAYED(0, "");
	EXPECT_CALLS(json, "map", 2, 0);
	EXPECT_CALLS(json, "unmap", 1, 0);
}

TEST_F(replay, more_than_an_address_space)
{
	write_text(HEAD "{\"t\":1,\"op\":\"map\",\"space\":1,\"iova\":\"0x1000\","
		   "\"length\":9223372036854775808" MAP_REST);
	EXPECT_EQ(1, shell_run(self->output, "$IOX replay " TRACE " 2>&1"));
	EXPECT_STREQ("iox replay: the trace: has mappings longer than an address space; "
		     "leave them out, or take --no-memory\n", self->output);
}

TEST_F(replay, without_privilege)
{
	write_text(HEAD);
	chmod(TRACE, 0644);
	EXPECT_EQ(1, shell_run(self->output, "setpriv --reuid 65534 --regid 65534 --clear-groups -- "
			       "$IOX replay " TRACE " 2>&1"));
	EXPECT_STREQ("iox replay: /dev/iommu: Permission denied; run it as root\n", self->output);
}

TEST_F(replay, usage)
{
	EXPECT_EQ(2, shell_run(self->output, "$IOX replay 2>&1"));
	EXPECT_EQ(2, shell_run(self->output, "$IOX replay a b 2>&1"));
	EXPECT_EQ(2, shell_run(self->output, "$IOX replay --bogus a 2>&1"));
	EXPECT_EQ(0, shell_run(self->output, "$IOX replay --help"));
	EXPECT_TRUE(shell_has(self->output, "Usage: iox replay "));
}

int main(int argc, char **argv)
{
	shell_environment();
	return test_harness_run(argc, argv);
}
