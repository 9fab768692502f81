// SPDX-License-Identifier: GPL-2.0
/* make sim: how far bad policies get, by stage plan. docs/fleet-simulation.md explains the tables. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

struct options {
	struct setting setting;
	const char *tsv;
	unsigned int bake_hours;	/* only these plans; 0: all */
};

static const char usage[] =
	"Usage: iox-sim [--hosts N] [--seed N] [--bake HOURS] [--limit PERCENT | --no-guards] [--tsv FILE]\n"
	"\n"
	"Roll good and bad policies out on a fleet that is made up, with the decisions of iox rollout,\n"
	"and print tables of how far they get, by stage plan.\n"
	"\n"
	"  --hosts N        so many hosts (10000)\n"
	"  --seed N         another fleet (1)\n"
	"  --bake HOURS     only plans with stages of 1, 6 or 24 hours\n"
	"  --limit PERCENT  how high the p99 of map latency may be, of its baseline (250)\n"
	"  --no-guards      without guards\n"
	"  --tsv FILE       write all figures there, for sim/plot.gp\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.\n";

static void __attribute__((noreturn, format(printf, 1, 2))) bad_usage(const char *fmt, ...)
{
	va_list args;

	fputs("iox-sim: error: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputs(" (see iox-sim --help)\n", stderr);
	exit(2);
}

static unsigned long number(const char *option, const char *text, unsigned long most)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || end == text || *text == '-' || !value || value > most)
		bad_usage("--%s takes a number from 1 to %lu, not '%s'", option, most, text);
	return value;
}

static bool has_bake(unsigned int hours)
{
	for (unsigned int i = 0; i < nr_plans; i++)
		if (plans[i].bake_hours == hours)
			return true;
	return false;
}

static struct options parse(int argc, char **argv)
{
	static const struct option known[] = {
		{ "hosts", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "bake", required_argument, NULL, 'b' },
		{ "limit", required_argument, NULL, 'l' },
		{ "no-guards", no_argument, NULL, 'g' },
		{ "tsv", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ },
	};
	struct options o = { .setting = { .hosts = 10000, .seed = 1, .guards = true, .p99_times = 2.5 } };
	int c;

	while ((c = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (c == 'n')
			o.setting.hosts = number("hosts", optarg, 1000000);
		else if (c == 's')
			o.setting.seed = number("seed", optarg, ~0U);
		else if (c == 'b')
			o.bake_hours = number("bake", optarg, 24);
		else if (c == 'l')
			o.setting.p99_times = (double)number("limit", optarg, 10000) / 100;
		else if (c == 'g')
			o.setting.guards = false;
		else if (c == 't')
			o.tsv = optarg;
		else if (c == 'h')
			exit(fputs(usage, stdout) == EOF);
		else
			exit(2);
	}
	if (optind < argc)
		bad_usage("unknown argument '%s'", argv[optind]);
	if (o.bake_hours && !has_bake(o.bake_hours))
		bad_usage("no plan bakes for %u hours", o.bake_hours);
	return o;
}

static bool is_wanted(const struct options *o, const struct plan *plan)
{
	return !o->bake_hours || plan->bake_hours == o->bake_hours;
}

/* --- all of them, as many at a time as there are CPUs ------------------------------------ */

/* The next scenario that nobody has begun; they take seconds or none. */
static void work(const struct options *o, struct result *results, unsigned int *next)
{
	unsigned int i;

	while ((i = __atomic_fetch_add(next, 1, __ATOMIC_RELAXED)) < nr_plans * nr_policies)
		if (is_wanted(o, &plans[i / nr_policies]))
			results[i] = simulate(&o->setting, &plans[i / nr_policies],
					      &policies[i % nr_policies]);
}

static struct result *simulate_all(const struct options *o)
{
	size_t size = nr_plans * nr_policies * sizeof(struct result);
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct result *results;
	int status;

	results = mmap(NULL, size + sizeof(unsigned int), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (results == MAP_FAILED) {
		perror("iox-sim: error: no memory");
		exit(1);
	}
	for (long i = 0; i < cpus; i++) {
		if (!fork()) {
			work(o, results, (unsigned int *)((char *)results + size));
			_exit(0);
		}
	}
	while (wait(&status) > 0) {
		if (status) {
			fputs("iox-sim: error: a process of it has died\n", stderr);
			exit(1);
		}
	}
	return results;
}

/* --- tables -------------------------------------------------------------------------------- */

static double percent(__u64 part, __u64 all)
{
	return 100 * (double)part / (double)all;
}

static void cell_reached(const struct result *r)
{
	printf(" %.3g |", percent(r->reached, r->hosts));
}

static void cell_spaces(const struct result *r)
{
	printf(" %.3g |", percent(r->reached_spaces, r->spaces));
}

static void cell_harm(const struct result *r)
{
	printf(" %.0f |", r->harm_hours);
}

static void cell_stop(const struct result *r)
{
	if (r->stopped)
		printf(" %.1f, stage %u |", r->hours, r->stage);
	else if (r->complete)
		printf(" never |");
	else
		printf(" - |");
}

static void table(const struct options *o, const struct result *results, const char *title,
		  void (*cell)(const struct result *))
{
	printf("\n%s\n\n| stages, %% of hosts | spaces at first | bake |", title);
	for (unsigned int p = 1; p < nr_policies; p++)
		printf(" %s |", policies[p].name);
	printf("\n| --- | --- | --- |");
	for (unsigned int p = 1; p < nr_policies; p++)
		printf(" --: |");
	putchar('\n');
	for (unsigned int i = 0; i < nr_plans; i++) {
		if (!is_wanted(o, &plans[i]))
			continue;
		printf("| %s | %s | %u h |", plans[i].name, plans[i].few_spaces ? "few" : "all",
		       plans[i].bake_hours);
		for (unsigned int p = 1; p < nr_policies; p++)
			cell(&results[i * nr_policies + p]);
		putchar('\n');
	}
}

/* policies[0] */
static void table_good(const struct options *o, const struct result *results)
{
	printf("\nThe good policy\n\n"
	       "| stages, %% of hosts | spaces at first | bake | ends after | hosts rolled back |\n"
	       "| --- | --- | --- | --: | --: |\n");
	for (unsigned int i = 0; i < nr_plans; i++) {
		const struct result *r = &results[i * nr_policies];

		if (!is_wanted(o, &plans[i]))
			continue;
		printf("| %s | %s | %u h | %s %.1f h | %u |\n", plans[i].name,
		       plans[i].few_spaces ? "few" : "all", plans[i].bake_hours,
		       r->complete ? "complete," : "held,", r->hours, r->rolled_back);
	}
}

static bool write_tsv(const struct options *o, const struct result *results)
{
	FILE *f = fopen(o->tsv, "we");

	if (!f)
		return false;
	fputs("policy\tplan\tspaces\tbake\thosts\treached\tharmed\trolled_back\tspaces_all\t"
	      "spaces_reached\tharm_hours\thours\tstage\tend\n", f);
	for (unsigned int i = 0; i < nr_plans * nr_policies; i++) {
		const struct plan *plan = &plans[i / nr_policies];
		const struct result *r = &results[i];

		if (is_wanted(o, plan))
			fprintf(f, "%s\t%s\t%s\t%u\t%u\t%u\t%u\t%u\t%llu\t%llu\t%.1f\t%.1f\t%u\t%s\n",
				policies[i % nr_policies].name, plan->name,
				plan->few_spaces ? "few" : "all", plan->bake_hours, r->hosts, r->reached,
				r->harmed, r->rolled_back, r->spaces, r->reached_spaces, r->harm_hours,
				r->hours, r->stage,
				r->stopped ? "held" : r->complete ? "complete" : "open");
	}
	return !fclose(f);
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	struct result *results = simulate_all(&o);

	printf("%u hosts, seed %llu%s\n", o.setting.hosts, o.setting.seed,
	       o.setting.guards ? "" : ", no guards");
	table(&o, results, "Hosts that a bad policy reaches, in % of all", cell_reached);
	table(&o, results, "Address spaces that it reaches, in % of all", cell_spaces);
	table(&o, results, "Hours that address spaces suffer, summed up", cell_harm);
	table(&o, results, "Held by the alert: after hours, in stage", cell_stop);
	table_good(&o, results);
	if (o.tsv && !write_tsv(&o, results)) {
		fprintf(stderr, "iox-sim: error: cannot write %s: %s\n", o.tsv, strerror(errno));
		return 1;
	}
	return fflush(stdout) || ferror(stdout);
}
