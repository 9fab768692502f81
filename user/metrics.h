/* SPDX-License-Identifier: GPL-2.0 */
/* What iox exporter tells. */
#ifndef IOX_METRICS_H
#define IOX_METRICS_H

#include "lib/prom.h"

/* Operations on address spaces: all that @probe has counted, of which @s is a reading. */
void metrics_probes(struct prom *p, const struct probe *probe, const struct probe_snapshot *s);

/* IOVA policies and admission policies, as sysfs has them: nothing if this kernel has none. */
void metrics_policies(struct prom *p);

/* Rollouts, as their folder @dir has them: nothing if there are none. */
void metrics_rollouts(struct prom *p, const char *dir);

#endif
