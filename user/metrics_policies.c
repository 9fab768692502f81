// SPDX-License-Identifier: GPL-2.0
/*
 * iox exporter: policies as metrics. From sysfs, which anybody may read: to ask BPF for what there
 * is would take privileges that the exporter gives up.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "metrics.h"

/* More than anybody has */
#define MAX_POLICIES 256

enum form { COUNT, NUMBER, NS };

struct field {
	const char *file;	/* NULL ends a list of them */
	const char *metric;
	enum form form;
	const char *help;
};

struct kind {
	const char *folder;
	const struct field *fields;
	const char *state;	/* metric */
	const char *const *states;
};

struct policy_id {
	char id[16];		/* of the map */
	char name[64];
};

struct policy_ids {
	struct policy_id list[MAX_POLICIES];
	size_t nr;
};

static const struct field iova_fields[] = {
	{ "asked", "iox_policy_asked", COUNT, "Maps that the policy was asked about." },
	{ "used", "iox_policy_used", COUNT, "Answers that were used." },
	{ "declined", "iox_policy_declined", COUNT, "Answers without an opinion." },
	{ "refused", "iox_policy_refused", COUNT, "Maps that the policy made fail." },
	{ "faults", "iox_policy_faults", COUNT, "Answers that were not legal." },
	{ "agreed", "iox_policy_agreed", COUNT, "Of a shadow: answers that were what was used." },
	{ "spaces", "iox_policy_spaces", NUMBER, "Address spaces bound to the policy." },
	{ "share", "iox_policy_share", NUMBER, "For how many of 1000 address spaces it decides." },
	{ "time_p50_ns", "iox_policy_answer_p50_seconds", NS, "Half of the answers take no longer." },
	{ "time_p99_ns", "iox_policy_answer_p99_seconds", NS, "99 % of the answers take no longer." },
	{}
};

static const struct field admit_fields[] = {
	{ "asked", "iox_admission_asked", COUNT, "Requests that the policy was asked about." },
	{ "allowed", "iox_admission_allowed", COUNT, "Requests that the policy allowed." },
	{ "refused", "iox_admission_refused", COUNT, "Requests that the policy refused." },
	{ "faults", "iox_admission_faults", COUNT, "Answers that were not legal." },
	{ "order", "iox_admission_order", NUMBER, "When the policy is asked: 1 is first." },
	{ "slowest_ns", "iox_admission_slowest_seconds", NS, "The longest that an answer took." },
	{}
};

static const char *const iova_states[] = { "in force", "canary", "shadow", "ejected", NULL };
static const char *const admit_states[] = { "in force", "ejected", NULL };

static const struct kind kinds[] = {
	{ "/sys/kernel/iox/iova_policies", iova_fields, "iox_policy_state", iova_states },
	{ "/sys/kernel/iox/admit_policies", admit_fields, "iox_admission_state", admit_states },
};

/* A line of a policy's file; false if it is not, or no more, there. */
static bool read_line(const struct kind *k, const char *id, const char *file, char *line,
		      size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", k->folder, id, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, line, size - 1);
	close(fd);
	if (n < 0)
		return false;
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	return true;
}

/* Each has a folder, named by a number; what else is in there tells of the one for the host. */
static bool find(const struct kind *k, struct policy_ids *ids)
{
	DIR *dir = opendir(k->folder);
	struct policy_id *p;
	struct dirent *e;

	ids->nr = 0;
	if (!dir)
		return false;
	while (ids->nr < MAX_POLICIES && (e = readdir(dir))) {
		p = &ids->list[ids->nr];
		if (*e->d_name < '0' || *e->d_name > '9')
			continue;
		snprintf(p->id, sizeof(p->id), "%.15s", e->d_name);
		ids->nr += read_line(k, p->id, "name", p->name, sizeof(p->name));
	}
	closedir(dir);
	return true;
}

static void put_field(struct prom *p, const struct kind *k, const struct policy_ids *ids,
		      const struct field *f)
{
	char line[32];

	prom_family(p, f->metric, f->form == COUNT ? PROM_COUNTER : PROM_GAUGE, f->help);
	for (size_t i = 0; i < ids->nr; i++) {
		const struct policy_id *q = &ids->list[i];
		const struct prom_label *labels = PROM_LABELS({ "policy", q->name },
							      { "map", q->id });

		if (!read_line(k, q->id, f->file, line, sizeof(line)))
			continue;
		(f->form == NS ? prom_ns : prom_u64)(p, labels, strtoull(line, NULL, 0));
	}
}

static void put_state(struct prom *p, const struct kind *k, const struct policy_ids *ids)
{
	char now[32];

	prom_family(p, k->state, PROM_GAUGE, "1 for the state that the policy is in.");
	for (size_t i = 0; i < ids->nr; i++) {
		const struct policy_id *q = &ids->list[i];

		if (!read_line(k, q->id, "state", now, sizeof(now)))
			continue;
		for (const char *const *s = k->states; *s; s++)
			prom_u64(p,
				 PROM_LABELS({ "policy", q->name }, { "map", q->id },
					     { "state", *s }),
				 !strcmp(now, *s));
	}
}

void metrics_policies(struct prom *p)
{
	struct policy_ids ids;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!find(&kinds[i], &ids))
			continue;
		for (const struct field *f = kinds[i].fields; f->file; f++)
			put_field(p, &kinds[i], &ids, f);
		put_state(p, &kinds[i], &ids);
	}
}
