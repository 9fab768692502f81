// SPDX-License-Identifier: GPL-2.0
/* iox exporter: rollouts as metrics. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/msg.h"
#include "lib/rollout_state.h"
#include "metrics.h"

/* More than anybody has at a time */
#define MAX_ROLLOUTS 64

struct rollouts {
	struct rollout_record *list;
	int nr;
};

/* Whose state is damaged is held: nobody knows what is to be. */
static void read_one(const char *dir, const char *name, struct rollout_record *r)
{
	char said[256];

	msg_catch(said, sizeof(said));
	if (rollout_state_read(dir, name, r) == ROLLOUT_DAMAGED) {
		*r = (struct rollout_record){ .st.phase = ROLLOUT_HELD };
		snprintf(r->name, sizeof(r->name), "%s", name);
	}
	msg_catch(NULL, 0);
}

static void read_all(const char *dir, struct rollouts *all)
{
	char **names, said[256];
	int nr;

	msg_catch(said, sizeof(said));
	nr = rollout_state_list(dir, &names);
	msg_catch(NULL, 0);
	all->list = nr > 0 ? calloc(MAX_ROLLOUTS, sizeof(*all->list)) : NULL;
	all->nr = 0;
	for (int i = 0; all->list && i < nr && all->nr < MAX_ROLLOUTS; i++) {
		read_one(dir, names[i], &all->list[all->nr]);
		all->nr += *all->list[all->nr].name != 0;
	}
	rollout_state_list_free(names, nr);
}

static void put_states(struct prom *p, const struct rollouts *all)
{
	prom_family(p, "iox_rollout_state", PROM_GAUGE, "1 for the state that the rollout is in here.");
	for (int i = 0; i < all->nr; i++)
		for (int s = 0; s < ROLLOUT_NR_PHASES; s++)
			prom_u64(p,
				 PROM_LABELS({ "rollout", all->list[i].name },
					     { "state", rollout_phase_name[s] }),
				 (int)all->list[i].st.phase == s);
}

/* A family with one sample for each rollout */
#define EACH(p, all, family, help, value) do {						\
	prom_family(p, family, PROM_GAUGE, help);						\
	for (int i = 0; i < (all)->nr; i++) {						\
		const struct rollout_record *r = &(all)->list[i];			\
											\
		prom_u64(p, PROM_LABELS({ "rollout", r->name }), value);		\
	}										\
} while (0)

/* A family with one sample for each guard that has a limit, in the guard's unit */
#define EACH_GUARD(p, all, family, help, value) do {					\
	prom_family(p, family, PROM_GAUGE, help);						\
	for (int i = 0; i < (all)->nr; i++) {						\
		const struct rollout_record *r = &(all)->list[i];			\
											\
		for (int g = 0; g < ROLLOUT_NR_GUARDS; g++)				\
			if (r->has_limit[g] && r->st.has_baseline)			\
				prom_double(p,						\
					    PROM_LABELS({ "rollout", r->name },		\
							{ "guard", rollout_guard_name[g] }), \
					    value);				\
	}										\
} while (0)

static void put_trips(struct prom *p, const struct rollouts *all)
{
	prom_family(p, "iox_rollout_guard_trips", PROM_COUNTER, "How often a guard has tripped.");
	for (int i = 0; i < all->nr; i++)
		for (int g = 0; g < ROLLOUT_NR_GUARDS; g++)
			if (all->list[i].has_limit[g])
				prom_u64(p,
					 PROM_LABELS({ "rollout", all->list[i].name },
						     { "guard", rollout_guard_name[g] }),
					 all->list[i].st.trips[g]);
}

static void put_documents(struct prom *p, const struct rollouts *all)
{
	prom_family(p, "iox_rollout_document_info", PROM_GAUGE,
		    "1; the digest of the document that was applied last.");
	for (int i = 0; i < all->nr; i++)
		prom_u64(p,
			 PROM_LABELS({ "rollout", all->list[i].name },
				     { "digest", all->list[i].document }), 1);
}

void metrics_rollouts(struct prom *p, const char *dir)
{
	struct rollouts all;

	read_all(dir, &all);
	if (!all.nr)
		return;
	put_states(p, &all);
	EACH(p, &all, "iox_rollout_stage", "The stage that this host is in, from 1; 0 if not begun.",
	     r->st.stage);
	EACH(p, &all, "iox_rollout_stages", "How many stages the document has.", r->nr_stages);
	EACH(p, &all, "iox_rollout_since_seconds",
	     "When state or stage changed last, in seconds since 1970.", r->st.since);
	EACH_GUARD(p, &all, "iox_rollout_guard_value", "What a guard has seen last: nanoseconds of map_p99, else a share.", r->st.value[g]);
	EACH_GUARD(p, &all, "iox_rollout_guard_baseline", "What was measured before.",
		   r->st.baseline[g]);
	EACH_GUARD(p, &all, "iox_rollout_guard_limit", "What a guard trips at.", r->limit[g]);
	put_trips(p, &all);
	put_documents(p, &all);
	free(all.list);
}
