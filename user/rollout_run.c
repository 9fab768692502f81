// SPDX-License-Identifier: GPL-2.0
/* iox rollout apply, run, restore and forget: what changes something on this host. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/msg.h"
#include "lib/policies.h"
#include "lib/watch.h"
#include "rollout.h"
#include "rollout_place.h"

struct options {
	struct rollout_options shared;
	const char *what;	/* the argument */
	bool once;
};

static error_t parse_one(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->shared;
		return 0;
	case '1':
		o->once = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->what)
			argp_error(state, "'%s': one at a time", arg);
		o->what = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->what)
			argp_error(state, "an argument is missing");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* --- apply ---------------------------------------------------------------------------- */

/* Somebody waits for it. */
#define APPLY_TICK_SECONDS 0.1

static const struct argp_option apply_options[] = {
	{ "once", '1', NULL, 0, "One step, which is enough to put in force again what was, and no waiting", 0 },
	{ 0 },
};

static const struct argp apply_argp = {
	.options = apply_options,
	.parser = parse_one,
	.children = rollout_children,
	.args_doc = "FILE",
	.doc = "Does what a document of a rollout says, until this host has come to rest: promoted, "
	       "rolled back, held, or in none of its stages. Applied again, it goes on where it was.\v"
	       "The exit status is 1 if the rollout was rolled back, or is held by a guard or an "
	       "obstacle. Ended by a signal, it leaves the policy as it is.",
};

/* Until it rests, or is told to end */
static bool drive(struct rollout_drive *d, struct watch *w, bool once)
{
	if (!watch_start(w, APPLY_TICK_SECONDS, stderr))
		return false;
	for (;;) {
		if (!rollout_drive_step(d)) {
			rollout_say(LOG_ERR, d->doc.name, d->said);
			return false;
		}
		if (once || rollout_drive_rest(d) != ROLLOUT_GOES_ON)
			return rollout_drive_rest(d) != ROLLOUT_FAILED;
		switch (watch_wait(w, -1)) {
		case WATCH_TICK:
			break;
		case WATCH_END:
			return true;
		default:
			return false;
		}
	}
}

static bool apply(const struct options *o, const struct rollout_doc *doc, struct rollout_drive *d)
{
	struct watch w;
	bool ok;

	if (!rollout_drive_open(d, doc, &o->shared)) {
		fprintf(stderr, "iox rollout apply: %s\n", d->said);
		return false;
	}
	ok = watch_open(&w, NULL) && drive(d, &w, o->once);
	rollout_drive_close(d);
	return watch_close(&w, ok) == IOX_OK;
}

int rollout_apply(int argc, char **argv)
{
	struct options opt = { .shared = ROLLOUT_DEFAULTS };
	struct rollout_doc *doc = malloc(sizeof(*doc));
	struct rollout_drive *d = malloc(sizeof(*d));
	bool ok;

	iox_parse(&apply_argp, argc, argv, &opt);
	ok = doc && d && rollout_doc_read(doc, opt.what) && policies_supported() &&
	     apply(&opt, doc, d);
	free(d);
	free(doc);
	return ok ? IOX_OK : IOX_FAILED;
}

/* --- run ------------------------------------------------------------------------------ */

#define MAX_DOCUMENTS 64
#define TICK_SECONDS 1
#define SCAN_TICKS 5

/* A document of the folder */
struct entry {
	char file[256];
	char said[600];			/* what was wrong with it last */
	bool there;			/* at the last look */
	bool driven;
	struct rollout_drive drive;
};

struct runner {
	const struct options *o;
	struct entry *list[MAX_DOCUMENTS];
	int nr;
	struct rollout_doc doc;		/* just read */
};

static const struct argp run_argp = {
	.parser = parse_one,
	.children = rollout_children,
	.args_doc = "DIR",
	.doc = "Does what all documents (*.yaml) of a folder say, side by side, and goes on: documents "
	       "that change or come are taken as they are, one that is wrong is told once and changes "
	       "nothing, one that goes leaves its rollout held as it is.\v"
	       "For a service. SIGTERM leaves all policies as they are.",
};

/* Once, until something else is wrong. */
static void say_once(struct entry *e, const char *said)
{
	if (!strcmp(e->said, said))
		return;
	snprintf(e->said, sizeof(e->said), "%s", said);
	if (*said)
		rollout_say(LOG_ERR, e->file, said);
}

static struct entry *find_file(struct runner *r, const char *file)
{
	for (int i = 0; i < r->nr; i++)
		if (!strcmp(r->list[i]->file, file))
			return r->list[i];
	if (r->nr == MAX_DOCUMENTS)
		return NULL;
	r->list[r->nr] = calloc(1, sizeof(struct entry));
	if (r->list[r->nr])
		snprintf(r->list[r->nr]->file, sizeof(r->list[r->nr]->file), "%s", file);
	return r->list[r->nr] ? r->list[r->nr++] : NULL;
}

static const struct entry *find_rollout(const struct runner *r, const char *name)
{
	for (int i = 0; i < r->nr; i++)
		if (r->list[i]->driven && !strcmp(r->list[i]->drive.doc.name, name))
			return r->list[i];
	return NULL;
}

static void stop(struct entry *e)
{
	if (e->driven)
		rollout_drive_close(&e->drive);
	e->driven = false;
}

/* Goes on with what is now in the file. */
static void take(struct runner *r, struct entry *e)
{
	const struct entry *other = find_rollout(r, r->doc.name);
	char why[512];

	if (other && other != e) {
		snprintf(why, sizeof(why), "rollout %s is in %s already", r->doc.name, other->file);
		say_once(e, why);
		return;
	}
	if (e->driven && !strcmp(e->drive.doc.digest, r->doc.digest))
		return;
	if (e->driven && strcmp(e->drive.doc.name, r->doc.name))
		rollout_drive_abandon(&e->drive);
	stop(e);
	e->driven = rollout_drive_open(&e->drive, &r->doc, &r->o->shared);
	say_once(e, e->driven ? "" : e->drive.said);
}

static void look_at(struct runner *r, const char *file)
{
	struct entry *e = find_file(r, file);
	char path[PATH_MAX], said[600];
	bool ok;

	if (!e)
		return;
	e->there = true;
	snprintf(path, sizeof(path), "%s/%s", r->o->what, file);
	msg_catch(said, sizeof(said));
	ok = rollout_doc_read(&r->doc, path);
	msg_catch(NULL, 0);
	if (ok)
		take(r, e);
	else
		say_once(e, said);
}

static void leave(struct entry *e)
{
	if (e->driven && !rollout_drive_abandon(&e->drive))
		rollout_say(LOG_ERR, e->file, e->drive.said);
	stop(e);
	*e->said = 0;
}

static int is_document(const struct dirent *d)
{
	const char *end = strrchr(d->d_name, '.');

	return d->d_name[0] != '.' && end && (!strcmp(end, ".yaml") || !strcmp(end, ".yml"));
}

/* By content: what brings documents may swap links of whole folders. */
static bool scan(struct runner *r)
{
	struct dirent **list;
	int nr = scandir(r->o->what, &list, is_document, alphasort);

	if (nr < 0) {
		msg_errno(errno, r->o->what, NULL);
		return false;
	}
	for (int i = 0; i < r->nr; i++)
		r->list[i]->there = false;
	for (int i = 0; i < nr; i++) {
		look_at(r, list[i]->d_name);
		free(list[i]);
	}
	free(list);
	for (int i = 0; i < r->nr; i++)
		if (!r->list[i]->there)
			leave(r->list[i]);
	return true;
}

static void step_all(struct runner *r)
{
	for (int i = 0; i < r->nr; i++) {
		struct entry *e = r->list[i];

		if (e->driven)
			say_once(e, rollout_drive_step(&e->drive) ? "" : e->drive.said);
	}
}

static bool run(struct runner *r, struct watch *w)
{
	if (!scan(r) || !watch_start(w, TICK_SECONDS, stderr))
		return false;
	step_all(r);
	sd_notify(false, "READY=1");
	for (unsigned int tick = 1;; tick++) {
		switch (watch_wait(w, -1)) {
		case WATCH_TICK:
			/* A folder that is just being swapped is there next time. */
			if (tick % SCAN_TICKS == 0)
				scan(r);
			step_all(r);
			break;
		case WATCH_END:
			return true;
		default:
			return false;
		}
	}
}

int rollout_run(int argc, char **argv)
{
	struct options opt = { .shared = ROLLOUT_DEFAULTS };
	struct runner *r = calloc(1, sizeof(*r));
	struct watch w;
	bool ok;

	iox_parse(&run_argp, argc, argv, &opt);
	if (!r || !policies_supported())
		return IOX_FAILED;
	r->o = &opt;
	ok = watch_open(&w, NULL) && run(r, &w);
	for (int i = 0; i < r->nr; i++) {
		stop(r->list[i]);
		free(r->list[i]);
	}
	free(r);
	return watch_close(&w, ok);
}

/* --- restore --------------------------------------------------------------------------- */

static error_t parse_none(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->shared;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': not understood here", arg);
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp restore_argp = {
	.parser = parse_none,
	.children = rollout_children,
	.doc = "Puts in force what was before a boot or a kexec, without any document: to be run before "
	       "anything else opens /dev/iommu. What is in force already stays as it is.\v"
	       "The exit status is 1 if something could not be put in force; all else is.",
};

int rollout_restore(int argc, char **argv)
{
	struct options opt = { .shared = ROLLOUT_DEFAULTS };
	char **names;
	int all, nr;
	bool ok;

	iox_parse(&restore_argp, argc, argv, &opt);
	nr = rollout_state_list(opt.shared.state, &names);
	rollout_state_list_free(names, nr);
	/* Whatever kernel it is, if there is nothing to be done. */
	if (!nr)
		return IOX_OK;
	if (nr < 0 || !policies_supported())
		return IOX_FAILED;
	all = rollout_state_lock_all(opt.shared.state);
	if (all < 0)
		return IOX_FAILED;
	ok = rollout_place_restore(opt.shared.state);
	close(all);
	return ok ? IOX_OK : IOX_FAILED;
}

/* --- forget ---------------------------------------------------------------------------- */

static const struct argp forget_argp = {
	.parser = parse_one,
	.children = rollout_children,
	.args_doc = "NAME",
	.doc = "Takes the policy of a rollout out of force, what it has replaced comes back, and forgets "
	       "all about it: its document, applied again, begins anew. The way out when the state of "
	       "a rollout is damaged.",
};

static bool forget(const char *dir, const char *name)
{
	struct rollout_record r;
	char said[512];

	/* That it is damaged is why it is to be forgotten. */
	msg_catch(said, sizeof(said));
	if (rollout_state_read(dir, name, &r) != ROLLOUT_READ) {
		r = (struct rollout_record){};
		snprintf(r.name, sizeof(r.name), "%s", name);
	}
	msg_catch(NULL, 0);
	return rollout_place_remove(dir, &r) && rollout_state_forget(dir, name);
}

static bool is_known(const char *dir, const char *name)
{
	char **names;
	int nr = rollout_state_list(dir, &names);
	bool known = false;

	for (int i = 0; i < nr; i++)
		known |= !strcmp(names[i], name) && strlen(name) < ROLLOUT_NAME_LEN;
	rollout_state_list_free(names, nr);
	if (!known && nr >= 0)
		msg_error(name, "no such rollout", "'iox rollout status' shows those that there are");
	return known;
}

int rollout_forget(int argc, char **argv)
{
	struct options opt = { .shared = ROLLOUT_DEFAULTS };
	int lock, all = -1;
	bool ok;

	iox_parse(&forget_argp, argc, argv, &opt);
	if (!is_known(opt.shared.state, opt.what))
		return IOX_FAILED;
	lock = rollout_state_lock(opt.shared.state, opt.what);
	if (lock >= 0)
		all = rollout_state_lock_all(opt.shared.state);
	ok = all >= 0 && forget(opt.shared.state, opt.what);
	if (all >= 0)
		close(all);
	if (lock >= 0)
		close(lock);
	return ok ? IOX_OK : IOX_FAILED;
}
