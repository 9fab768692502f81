/* SPDX-License-Identifier: GPL-2.0 */
/* Much address space over little memory: a memfd that is mapped again and again. */
#ifndef IOX_LIB_ALIAS_H
#define IOX_LIB_ALIAS_H

#include <stdbool.h>
#include <linux/types.h>

struct alias {
	int fd;			/* the memfd */
	__u64 file_size;
	char *base;
	__u64 size;
};

/* Room for mappings of up to @length bytes, whatever their offset. False with the message given. */
bool alias_make(struct alias *a, __u64 length);
void alias_free(struct alias *a);

/* Memory that is aligned like @addr, as far as leaves of 2 MiB go by it; the same in the file. */
void *alias_at(const struct alias *a, __u64 addr);
__u64 alias_offset(__u64 addr);

/* Can so much be mapped from the file itself? */
bool alias_in_file(const struct alias *a, __u64 addr, __u64 length);

#endif
