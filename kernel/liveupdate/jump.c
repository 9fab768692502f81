// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that are at work while the kernel is replaced are lost, and may do harm, if the next kernel does not take them
 * over. So this one asks before it jumps: the image says what it takes over, in a note that is read when it is loaded,
 * and its command line says whether it will. An image that is not known to take over all that is preserved is refused.
 *
 * Nothing of this concerns a jump that leaves no device at work.
 */
#define pr_fmt(fmt) "iommu: live update: " fmt

#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/kexec.h>
#include <linux/kho/abi/note.h>
#include <linux/liveupdate.h>
#include <linux/liveupdate_note.h>
#include <linux/moduleparam.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "liveupdate.h"
#include "test.h"

/* The rest of the first string that begins with @key and goes on with @value, or with anything if that is NULL. */
static const char *find(const struct liveupdate_note *note, const char *key, const char *value)
{
	for (const char *string = note->text; *string; string += strlen(string) + 1) {
		const char *rest = string + strlen(key);

		if (strstarts(string, key) && (!value || !strcmp(rest, value)))
			return rest;
	}
	return NULL;
}

/**
 * iommu_lu_note_release - The release of the kernel that a note is of
 * @note: The note
 *
 * Return: what "uname -r" would say, or NULL if the image has no note.
 */
const char *iommu_lu_note_release(const struct liveupdate_note *note)
{
	return find(note, "release=", NULL);
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_note_release);

/**
 * iommu_lu_note_takes - Ask whether the kernel that a note is of can take something over
 * @note: The note
 * @compatible: Of what is preserved
 */
bool iommu_lu_note_takes(const struct liveupdate_note *note, const char *compatible)
{
	return find(note, "takes=", compatible);
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_note_takes);

/**
 * iommu_lu_note_next - What is known of the kernel that is loaded
 *
 * Context: While the image stays, as it does in what reboot() calls.
 * Return: its note, which has no release if the image has none.
 */
const struct liveupdate_note *iommu_lu_note_next(void)
{
	return &kexec_image->note;
}

/* Whether there is an end in it. */
static bool text_is_whole(const char *text, size_t size)
{
	for (size_t i = 0; i < size;) {
		size_t len = strnlen(text + i, size - i);

		if (!len)
			return true;
		i += len + 1;
	}
	return false;
}

static void read_text(struct liveupdate_note *note, const char *setup, size_t setup_len)
{
	const char *at = strnstr(setup, LIVEUPDATE_NOTE_MAGIC, setup_len);
	size_t left = at ? setup + setup_len - at : 0;

	memset(note->text, 0, sizeof(note->text));
	/* The NUL as well: else it is of another version. */
	if (left < sizeof(LIVEUPDATE_NOTE_MAGIC) || memcmp(at, LIVEUPDATE_NOTE_MAGIC, sizeof(LIVEUPDATE_NOTE_MAGIC)))
		return;
	at += sizeof(LIVEUPDATE_NOTE_MAGIC);
	left = min(left - sizeof(LIVEUPDATE_NOTE_MAGIC), sizeof(note->text));
	if (text_is_whole(at, left))
		memcpy(note->text, at, left);
}

/* As early_param("kho") and early_param("liveupdate") do: what makes no sense changes nothing. */
static void set_bool(const char *value, bool *on)
{
	bool now;

	if (!kstrtobool(value, &now))
		*on = now;
}

/* A list, of which the last "on" or "off" counts. */
static void set_list(const char *value, bool *on)
{
	while (value && *value) {
		if (strstarts(value, "on"))
			*on = true;
		else if (strstarts(value, "off"))
			*on = false;
		value += strcspn(value, ",");
		value += strspn(value, ",");
	}
}

/* What has to be on. VT-d is the only IOMMU whose devices can be preserved. */
static const struct {
	const char *name;
	const char *wanted;
	bool on;
	void (*set)(const char *value, bool *on);
} parameters[] = {
	{ "kho", "kho=on", false, set_bool },
	{ "liveupdate", "liveupdate=on", false, set_bool },
	{ "intel_iommu", "intel_iommu=on", false, set_list },
	{ "iommu", "an IOMMU, because of iommu=off", true, set_list },
};

static void read_parameters(struct liveupdate_note *note, char *line)
{
	bool on[ARRAY_SIZE(parameters)];
	char *name, *value;

	for (int i = 0; i < ARRAY_SIZE(parameters); i++)
		on[i] = parameters[i].on;
	line = skip_spaces(line);
	while (*line) {
		line = next_arg(line, &name, &value);
		/* What follows is for init. */
		if (!value && !strcmp(name, "--"))
			break;
		for (int i = 0; i < ARRAY_SIZE(parameters); i++) {
			if (parameq(name, parameters[i].name))
				parameters[i].set(value, &on[i]);
		}
	}

	note->lacks = NULL;
	for (int i = 0; i < ARRAY_SIZE(parameters) && !note->lacks; i++) {
		if (!on[i])
			note->lacks = parameters[i].wanted;
	}
}

/**
 * iommu_lu_note_parse - Read the note of an image, and the command line that it is loaded with
 * @note: Filled in
 * @setup: The part of the image that the note is in, if there is one
 * @setup_len: In bytes
 * @cmdline: The command line
 * @cmdline_len: In bytes; a NUL ends it before
 *
 * Return: 0, also if there is no note, or -ENOMEM.
 */
int iommu_lu_note_parse(struct liveupdate_note *note, const char *setup, size_t setup_len, const char *cmdline,
			size_t cmdline_len)
{
	read_text(note, setup, setup_len);

	char *line __free(kfree) = kasprintf(GFP_KERNEL, "%s %.*s", find(note, "parameters=", NULL) ?: "",
					     (int)cmdline_len, cmdline ?: "");
	if (!line)
		return -ENOMEM;
	read_parameters(note, line);
	return 0;
}
EXPORT_FOR_LIVEUPDATE_TEST(iommu_lu_note_parse);

/**
 * liveupdate_note_read - For the loader of a kind of image: remember what is needed to decide about a jump
 * @image: What the image is loaded to
 * @setup: The part of the image that a note can be in
 * @setup_len: In bytes
 * @cmdline: The command line
 * @cmdline_len: In bytes
 *
 * The image of a loader that does not call this is taken for one without a note.
 *
 * Return: 0 or -ENOMEM.
 */
int liveupdate_note_read(struct kimage *image, const char *setup, size_t setup_len, const char *cmdline,
			 size_t cmdline_len)
{
	return iommu_lu_note_parse(&image->note, setup, setup_len, cmdline, cmdline_len);
}

struct search {
	const struct liveupdate_note *note;
	const char *missing;
};

static int check_handler(struct liveupdate_file_handler *fh, void *arg)
{
	struct search *search = arg;

	if (iommu_lu_note_takes(search->note, fh->compatible))
		return 0;
	search->missing = fh->compatible;
	return 1;
}

/* A file that the next kernel cannot take over keeps it from all others. */
static const char *find_missing(const struct liveupdate_note *note)
{
	const char * const always[] = { KHO_FDT_COMPATIBLE, LUO_ABI_COMPATIBLE, iommu_lu_flb.compatible };
	struct search search = { .note = note };

	for (int i = 0; i < ARRAY_SIZE(always); i++) {
		if (!iommu_lu_note_takes(note, always[i]))
			return always[i];
	}
	liveupdate_for_each_handler(check_handler, &search);
	return search.missing;
}

/**
 * liveupdate_check_next - Ask whether the loaded kernel takes over the devices that are preserved
 *
 * Context: In reboot(), when nothing can be preserved or unpreserved any more, and nothing is frozen yet.
 * Return: 0, or -ENOEXEC if it does not, or is not known to. The log says why.
 */
int liveupdate_check_next(void)
{
	const struct liveupdate_note *note = iommu_lu_note_next();
	const char *release = iommu_lu_note_release(note);
	const char *missing;

	if (!iommu_lu_outgoing_any() || iommu_lu_test_jumps_anywhere())
		return 0;
	if (!release) {
		pr_err("devices are preserved, but the loaded image does not say that it takes them over\n");
		return -ENOEXEC;
	}
	missing = find_missing(note);
	if (missing) {
		pr_err("devices are preserved, but the loaded kernel %s does not take over %s\n", release, missing);
		return -ENOEXEC;
	}
	if (note->lacks) {
		pr_err("devices are preserved, but the loaded kernel %s would boot without %s\n", release, note->lacks);
		return -ENOEXEC;
	}
	return 0;
}
