// SPDX-License-Identifier: GPL-2.0
/* The policies and the stage plans that are compared. */
#include "sim.h"

const struct policy policies[] = {
	/* A little slower than the built-in allocator */
	{ "good", .slower = 1.05, .good = true },
	/* Maps take 3 times as long */
	{ "slow-3", .slower = 3 },
	/* Maps take 20 times as long */
	{ "slow-20", .slower = 20 },
	/* 5 % of the answers cannot be used */
	{ "wrong-5%", .slower = 1, .wrong = 0.05 },
	/* No answer can be used: the kernel ejects it */
	{ "wrong", .slower = 1, .wrong = 1 },
	/* 3 % of the maps fail */
	{ "enospc", .slower = 1, .fails = 0.03 },
	/* Maps become slower: by a half more each hour */
	{ "leak", .slower = 1, .slower_hour = 0.5 },
	/* 10 times as long, on 3 % of the hosts */
	{ "hardware", .slower = 10, .few_hosts = true },
	/* 5 times as long, in the busiest hours of the day */
	{ "load", .slower = 5, .under_load = true },
};

const unsigned int nr_policies = sizeof(policies) / sizeof(*policies);

#define HOUR_MS (3600000ULL)

#define ALL_AT_ONCE(hours)							\
	{ "100", false, hours, { { 1000, 1000, hours * HOUR_MS } }, 1 }

#define THREE(few, hours, a, b)							\
	{ "1/10/100", few, hours, {						\
		{ 10, a, hours * HOUR_MS },					\
		{ 100, b, hours * HOUR_MS },					\
		{ 1000, 1000, hours * HOUR_MS } }, 3 }

#define FIVE(few, hours, a, b, c, d)						\
	{ "0.1/1/5/25/100", few, hours, {					\
		{ 1, a, hours * HOUR_MS },					\
		{ 10, b, hours * HOUR_MS },					\
		{ 50, c, hours * HOUR_MS },					\
		{ 250, d, hours * HOUR_MS },					\
		{ 1000, 1000, hours * HOUR_MS } }, 5 }

#define EACH_PLAN(hours)							\
	ALL_AT_ONCE(hours),							\
	THREE(false, hours, 1000, 1000),					\
	THREE(true, hours, 100, 500),						\
	FIVE(false, hours, 1000, 1000, 1000, 1000),				\
	FIVE(true, hours, 100, 100, 250, 500)

const struct plan plans[] = {
	EACH_PLAN(1),
	EACH_PLAN(6),
	EACH_PLAN(24),
};

const unsigned int nr_plans = sizeof(plans) / sizeof(*plans);
