/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of the kernel that is going to be jumped into: what its image says of itself, as described in
 * linux/kho/abi/note.h, and what comes of its command line.
 */
#ifndef _LINUX_LIVEUPDATE_NOTE_H
#define _LINUX_LIVEUPDATE_NOTE_H

#include <linux/types.h>

struct kimage;

/* The longest note that is read, without its magic */
#define LIVEUPDATE_NOTE_MAX	4096

/**
 * struct liveupdate_note - A note that has been read
 * @text:  Its strings, without the magic; the last is empty, and the only one if the image has no note
 * @lacks: A parameter that live update needs and that this kernel would boot without, or NULL
 */
struct liveupdate_note {
	char text[LIVEUPDATE_NOTE_MAX];
	const char *lacks;
};

#ifdef CONFIG_IOMMU_LIVEUPDATE

int liveupdate_note_read(struct kimage *image, const char *setup, size_t setup_len, const char *cmdline,
			 size_t cmdline_len);
int liveupdate_check_next(void);

const struct liveupdate_note *iommu_lu_note_next(void);
const char *iommu_lu_note_release(const struct liveupdate_note *note);
bool iommu_lu_note_takes(const struct liveupdate_note *note, const char *compatible);

#else /* CONFIG_IOMMU_LIVEUPDATE */

static inline int liveupdate_note_read(struct kimage *image, const char *setup, size_t setup_len, const char *cmdline,
				       size_t cmdline_len)
{
	return 0;
}

static inline int liveupdate_check_next(void)
{
	return 0;
}

#endif /* CONFIG_IOMMU_LIVEUPDATE */
#endif /* _LINUX_LIVEUPDATE_NOTE_H */
