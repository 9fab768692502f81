// SPDX-License-Identifier: GPL-2.0
/* iox report: percentiles, stages, page sizes, who chose, and the slowest calls. */
#include <string.h>

#include "lib/out.h"
#include "report.h"

/* --- percentiles -------------------------------------------------------------------- */

static const struct {
	const char *name, *key;
	double percent;
} percentiles[] = {
	{ "p50", "p50_ns", 50 }, { "p90", "p90_ns", 90 }, { "p99", "p99_ns", 99 },
	{ "p99.9", "p99_9_ns", 99.9 },
};

#define NR_PERCENTILES (sizeof(percentiles) / sizeof(percentiles[0]))

static void times_head(FILE *f)
{
	fputs("<th>mean</th>", f);
	for (size_t i = 0; i < NR_PERCENTILES; i++)
		fprintf(f, "<th>%s</th>", percentiles[i].name);
	fputs("<th>max</th>", f);
}

/* @prefix: where in the JSON */
static void times_cells(FILE *f, const struct probe_times *t, const char *prefix)
{
	if (!probe_timed(t)) {
		for (size_t i = 0; i < NR_PERCENTILES + 2; i++)
			fputs("<td>–</td>", f);
		return;
	}
	fputs("<td>", f);
	html_ns(f, probe_mean(t), "%s/mean_ns", prefix);
	for (size_t i = 0; i < NR_PERCENTILES; i++) {
		fputs("</td><td>", f);
		html_ns(f, probe_percentile(t, percentiles[i].percent), "%s/%s", prefix,
			percentiles[i].key);
	}
	fputs("</td><td>", f);
	html_ns(f, t->max_ns, "%s/max_ns", prefix);
	fputs("</td>", f);
}

static void call_row(FILE *f, const struct report *r, int op)
{
	const struct probe_row *row = &r->total->row[op];
	const char *name = probe_op_name(op);
	char prefix[32];

	snprintf(prefix, sizeof(prefix), "calls/%s", name);
	fprintf(f, "<tr%s><th scope=\"row\">%s</th><td>", row->count ? "" : " class=\"zero\"", name);
	html_count(f, row->count, "%s/count", prefix);
	fputs("</td><td>", f);
	if (probe_only_counts(r->probe))
		fputs("–", f);
	else
		html_count(f, row->failed, "%s/failed", prefix);
	fputs("</td><td>", f);
	html_bytes(f, row->bytes, "%s/bytes", prefix);
	fputs("</td>", f);
	times_cells(f, &row->all, prefix);
	fputs("</tr>\n", f);
}

void report_tables(FILE *f, const struct report *r)
{
	fputs("<div class=\"scroll\"><table><thead><tr><th>call</th><th>calls</th><th>failed</th><th>bytes</th>", f);
	times_head(f);
	fputs("</tr></thead>\n<tbody>\n", f);
	for (int op = 0; op < IOX_PROBE_NR_OPS; op++)
		if (probe_has(r->probe, op))
			call_row(f, r, op);
	fputs("</tbody></table></div>\n", f);
}

/* --- stages ------------------------------------------------------------------------- */

/* What is in none of the stages: checks, locks, accounting */
#define REST IOX_PROBE_NR_STAGES

/* Levels of the palette that can be told apart side by side */
static const int shade[] = { 7, 5, 3, 1, 0 };

static const char *part_name(int op, int i)
{
	return i == REST ? "rest" : probe_stage_name(op, i);
}

static void shares_of(const struct report *r, int op, double share[REST + 1])
{
	double all = (double)r->total->row[op].all.sum_ns;

	share[REST] = 100;
	for (int i = 0; i < REST; i++) {
		share[i] = 100 * (double)r->total->detail[op].stage[i].sum_ns / all;
		share[REST] -= share[i];
	}
	/* Sums of what has been rounded */
	if (share[REST] < 0)
		share[REST] = 0;
}

static void stages_bar(FILE *f, int op, const double share[REST + 1])
{
	fprintf(f, "<div class=\"bar\" role=\"img\" aria-label=\"where the time of %s goes\">",
		probe_op_name(op));
	for (int i = 0; i <= REST; i++) {
		if (share[i] < 0.05)
			continue;
		fprintf(f, "<span class=\"c%d\" style=\"width:%.2f%%\" title=\"%s %.1f %%\">%s</span>",
			shade[i], share[i], part_name(op, i), share[i],
			share[i] >= 12 ? part_name(op, i) : "");
	}
	fputs("</div>\n", f);
}

static void stages_table(FILE *f, const struct report *r, int op, const double share[REST + 1])
{
	char prefix[64];

	fputs("<div class=\"scroll\"><table><thead><tr><th>stage</th><th>share</th>", f);
	times_head(f);
	fputs("</tr></thead>\n<tbody>\n", f);
	for (int i = 0; i < REST; i++) {
		if (!probe_timed(&r->total->detail[op].stage[i]))
			continue;
		snprintf(prefix, sizeof(prefix), "calls/%s/stages/%s", probe_op_name(op),
			 part_name(op, i));
		fprintf(f, "<tr><th scope=\"row\"><i class=\"c%d\"></i>%s</th><td>%.1f&nbsp;%%</td>",
			shade[i], part_name(op, i), share[i]);
		times_cells(f, &r->total->detail[op].stage[i], prefix);
		fputs("</tr>\n", f);
	}
	fprintf(f, "<tr><th scope=\"row\"><i class=\"c%d\"></i>rest</th><td>%.1f&nbsp;%%</td>"
		   "<td colspan=\"%zu\" class=\"note\">checks, locks, accounting, copying</td></tr>\n"
		   "</tbody></table></div>\n",
		shade[REST], share[REST], NR_PERCENTILES + 2);
}

void report_stages(FILE *f, const struct report *r)
{
	double share[REST + 1];
	bool any = false;

	for (int op = 0; op <= IOX_PROBE_unmap && probe_staged(r->probe); op++) {
		if (!r->total->row[op].all.sum_ns)
			continue;
		any = true;
		shares_of(r, op, share);
		fprintf(f, "<h3>%s</h3>\n", probe_op_name(op));
		stages_bar(f, op, share);
		stages_table(f, r, op, share);
	}
	if (!any)
		fprintf(f, "<p class=\"none\">%s</p>\n",
			probe_staged(r->probe) ? "Nothing was mapped or unmapped." :
						 "This kernel's iommufd does not tell its stages.");
}

/* --- page sizes and who chose ------------------------------------------------------- */

static const struct {
	const char *name, *key;
	__u64 bytes;
} leaf[IOX_PROBE_NR_LEAVES] = {
	{ "4 KiB", "4KiB", 1ULL << 12 }, { "2 MiB", "2MiB", 1ULL << 21 },
	{ "1 GiB", "1GiB", 1ULL << 30 },
};

static void leaf_row(FILE *f, const char *call, const struct probe_detail *d, int i, double all)
{
	double share = 100 * (double)(d->leaves[i] * leaf[i].bytes) / all;

	fprintf(f, "<tr><th scope=\"row\">%s</th><td>%s</td><td>", call, leaf[i].name);
	html_count(f, d->leaves[i], "calls/%s/leaves/%s", call, leaf[i].key);
	fputs("</td><td>", f);
	html_bytes(f, d->leaves[i] * leaf[i].bytes, "calls/%s/leaves/%s*%llu", call, leaf[i].key,
		   leaf[i].bytes);
	fprintf(f, "</td><td>%.1f&nbsp;%%</td><td class=\"meter\"><span style=\"width:%.2f%%\"></span></td></tr>\n",
		share, share);
}

static void chooser_rows(FILE *f, const char *call, const struct probe_detail *d, __u64 calls)
{
	for (__u32 i = 0; i < IOX_PROBE_NR_CHOOSERS; i++) {
		double share = 100 * (double)d->chosen[i] / (double)calls;

		if (!d->chosen[i])
			continue;
		fprintf(f, "<tr><th scope=\"row\">%s</th><td>%s</td><td>", call,
			probe_chooser_name(i));
		html_count(f, d->chosen[i], "calls/%s/chosen/%s", call, probe_chooser_name(i));
		fprintf(f, "</td><td>%.1f&nbsp;%%</td><td class=\"meter\"><span style=\"width:%.2f%%\"></span></td></tr>\n",
			share, share);
	}
}

static double leaf_bytes(const struct probe_detail *d)
{
	double all = 0;

	for (int i = 0; i < IOX_PROBE_NR_LEAVES; i++)
		all += (double)(d->leaves[i] * leaf[i].bytes);
	return all;
}

static void leaves_table(FILE *f, const struct report *r)
{
	double all;

	fputs("<div class=\"scroll\"><table><caption>Page-table leaves written</caption><thead><tr>"
	      "<th>call</th><th>leaf</th><th>leaves</th><th>bytes</th><th>of the bytes</th><th></th>"
	      "</tr></thead>\n<tbody>\n", f);
	for (int op = 0; op < IOX_PROBE_unmap; op++) {
		all = leaf_bytes(&r->total->detail[op]);
		for (int i = 0; all && i < IOX_PROBE_NR_LEAVES; i++)
			leaf_row(f, probe_op_name(op), &r->total->detail[op], i, all);
	}
	fputs("</tbody></table></div>\n", f);
}

void report_sizes(FILE *f, const struct report *r)
{
	double leaves = 0;
	__u64 maps = 0;

	for (int op = 0; op < IOX_PROBE_unmap; op++) {
		leaves += leaf_bytes(&r->total->detail[op]);
		maps += r->total->row[op].count;
	}
	if (!probe_staged(r->probe) || !maps) {
		fprintf(f, "<p class=\"none\">%s</p>\n",
			maps ? "This kernel's iommufd does not tell page sizes." : "Nothing was mapped.");
		return;
	}
	if (leaves)
		leaves_table(f, r);
	else
		fputs("<p class=\"none\">No page table was written: no domain was attached.</p>\n", f);
	fputs("<div class=\"scroll\"><table><caption>Who chose the IOVA</caption><thead><tr>"
	      "<th>call</th><th>by</th><th>calls</th><th>of the calls</th><th></th>"
	      "</tr></thead>\n<tbody>\n", f);
	for (int op = 0; op < IOX_PROBE_unmap; op++)
		chooser_rows(f, probe_op_name(op), &r->total->detail[op], r->total->row[op].count);
	fputs("</tbody></table></div>\n", f);
}

/* --- the slowest -------------------------------------------------------------------- */

static void slowest_stages(FILE *f, const struct iox_event *e, size_t index)
{
	for (int i = 0; i < IOX_PROBE_NR_STAGES; i++) {
		fputs("<td>", f);
		if (e->stage_ns[i])
			html_ns(f, e->stage_ns[i], "slowest/%zu/stages/%s", index,
				probe_stage_name(e->op, i));
		else
			fputs("–", f);
		fputs("</td>", f);
	}
}

static void slowest_row(FILE *f, const struct report *r, size_t i)
{
	const struct iox_event *e = &r->slowest[i];
	char comm[sizeof(e->comm) + 1] = "";

	memcpy(comm, e->comm, sizeof(e->comm));
	fputs("<tr><td>", f);
	html_ns(f, e->ns, "slowest/%zu/ns", i);
	fprintf(f, "</td><th scope=\"row\">%s</th><td>", probe_op_name(e->op));
	html_ns(f, e->end_ns - probe_start(r->probe), "slowest/%zu/end_ns", i);
	fputs("</td>", f);
	if ((e->flags & IOX_EVENT_DESCRIBED) && e->length) {
		fprintf(f, "<td class=\"hex\">0x%llx</td><td>", e->iova);
		html_bytes(f, e->length, "slowest/%zu/length", i);
		fputs("</td>", f);
	} else {
		fputs("<td>–</td><td>–</td>", f);
	}
	if (probe_staged(r->probe))
		slowest_stages(f, e, i);
	fprintf(f, "<td>%s</td><td class=\"who\">", e->result ? strerrorname_np(-e->result) ?: "?" : "ok");
	html_text(f, comm);
	fprintf(f, " (%u)</td></tr>\n", e->tgid);
}

void report_slowest(FILE *f, const struct report *r)
{
	if (!r->nr_slowest) {
		fputs("<p class=\"none\">No call was seen one by one.</p>\n", f);
		return;
	}
	fputs("<div class=\"scroll\"><table><thead><tr><th>took</th><th>call</th><th>ended at</th><th>IOVA</th><th>length</th>", f);
	if (probe_staged(r->probe))
		fputs("<th>select</th><th>pin / unpin</th><th>tables</th><th>flush</th>", f);
	fputs("<th>result</th><th class=\"who\">process</th></tr></thead>\n<tbody>\n", f);
	for (size_t i = 0; i < r->nr_slowest; i++)
		slowest_row(f, r, i);
	fputs("</tbody></table></div>\n", f);
}
