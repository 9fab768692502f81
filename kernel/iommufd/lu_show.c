// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is preserved of an iommufd, in lines for people and tools.
 */
#include <linux/io.h>
#include <linux/liveupdate.h>
#include <linux/seq_file.h>

#include "lu_ser.h"

/* Areas of the same memfd that follow each other are one line. */
static void show_memory(struct seq_file *m, const char *direction,
			const struct iommufd_area_ser *areas, u64 nr)
{
	u64 i, from, bytes;

	for (i = 0; i < nr;) {
		from = i;
		bytes = 0;
		do
			bytes += areas[i++].length;
		while (i < nr && areas[i].file_token == areas[from].file_token);
		seq_printf(m, "%s memory memfd=%#llx areas=%llu bytes=%llu\n",
			   direction, areas[from].file_token, i - from, bytes);
	}
}

static void show_hwpt(struct seq_file *m, const char *direction,
		      const struct iommufd_hwpt_ser *hwpt,
		      const struct iommufd_area_ser *areas)
{
	u64 i, bytes = 0;

	for (i = 0; i < hwpt->nr_areas; i++)
		bytes += areas[i].length;
	seq_printf(m,
		   "%s hwpt token=%#llx domain=%#llx areas=%llu bytes=%llu coherent=%d\n",
		   direction, hwpt->hwpt_token, hwpt->domain_phys,
		   hwpt->nr_areas, bytes,
		   !!(hwpt->flags & IOMMUFD_HWPT_SER_COHERENT));
	show_memory(m, direction, areas, hwpt->nr_areas);
}

/**
 * lu_show - write down what is preserved of a file
 * @args: the file's
 * @m: where to
 * @direction: what each line begins with
 */
void lu_show(struct liveupdate_file_op_args *args, struct seq_file *m,
	     const char *direction)
{
	struct lu_records records;
	u64 i;
	int rc;

	/* Of this kernel: not sealed yet, and to be believed. */
	rc = args->file && !args->retrieve_status ?
		     lu_copy(phys_to_virt(args->serialized_data), &records) :
		     lu_read(args->serialized_data, &records);
	if (rc) {
		seq_printf(m, "%s unreadable:%d\n", direction, rc);
		return;
	}
	for (i = 0; i < records.nr_hwpts; i++)
		show_hwpt(m, direction, &records.hwpts[i],
			  records.areas + records.hwpts[i].first_area);
	lu_records_free(&records);
}
