// SPDX-License-Identifier: GPL-2.0
/* iox lu hold: preserve files in a session and hold it; in the next kernel, bring them back. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "lib/admission.h"
#include "lib/fds.h"
#include "lib/lu_session.h"
#include "lib/lu_state.h"
#include "lib/msg.h"
#include "lib/vfio_pci.h"
#include "lu.h"

/* What the session itself is called among the files for a command or a service manager. */
#define SESSION_NAME "session"

/* 127, as a shell has it: the command could not be run. */
#define NOT_RUN 127

struct file {
	__u64 token;
	char *as_given;		/* "0x7=fd:5", or NULL */
	char *value;		/* what was behind the "=", or NULL */
	char name[256];		/* for a command or a service manager */
	int fd;
	bool stored;		/* it came from the service manager's store */
};

struct options {
	bool retrieve, store, finish;
	const char *name;
	struct file *files;
	int nr;
	char **command;
};

struct hold {
	const struct options *opt;
	struct fds_passed passed;
	sigset_t old_mask;
	int session;
	bool stored;		/* the session came from the service manager's store */
	struct file *files;	/* what shall be, and what has been brought back */
	int nr;
};

enum key { KEY_STORE = 256, KEY_FINISH };

static const struct argp_option options[] = {
	{ "retrieve", 'r', NULL, 0, "Bring the files of session NAME back, in the kernel after", 0 },
	{ "finish", KEY_FINISH, NULL, 0,
	  "With --retrieve: finish the session once the files are back", 0 },
	{ "store", KEY_STORE, NULL, 0,
	  "Leave the session, and files that are back, in the service manager's store", 0 },
	{ 0 },
};

static const char doc[] =
	"Preserve files in the new session NAME, in the order given, and hold it until the kernel is "
	"replaced. SIGTERM or SIGINT closes the session: all is as before. TOKEN is a number that "
	"the file is known by afterwards; FILE is fd:N (inherited), pid:PID:N (descriptor N of "
	"another process) or fdname:NAME (passed by the service manager).\n"
	"In the kernel after, --retrieve brings all files back, or those of certain TOKENs, and "
	"replaces itself by COMMAND, which gets them as sd_listen_fds_with_names(3) has it, with the "
	"session last, named \"session\". Without COMMAND it holds them.\v"
	"A session that has been retrieved is finished with its last descriptor: what nobody has "
	"retrieved by then is released, and its devices are stopped. A file that cannot be brought "
	"back is told and left out. FDNAME is \"memfd-0x7\" and the like by default.";

/* --- arguments ------------------------------------------------------------ */

static bool parse_token(const char *text, const char *end, __u64 *token)
{
	char *stop;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*token = strtoull(text, &stop, 0);
	return !errno && stop == end;
}

static void parse_file(struct options *o, char *arg, struct argp_state *state)
{
	char *equals = strchrnul(arg, '=');
	struct file file = { .as_given = arg, .fd = -1 };

	if (!parse_token(arg, equals, &file.token))
		argp_error(state, "'%s': does not begin with a token, a number up to 64 bits", arg);
	for (int i = 0; i < o->nr; i++)
		if (o->files[i].token == file.token)
			argp_error(state, "'%s': this token is there twice", arg);
	if (*equals)
		file.value = equals + 1;
	o->files = realloc(o->files, (o->nr + 1) * sizeof(*o->files));
	if (!o->files)
		argp_failure(state, IOX_FAILED, errno, "%s", arg);
	o->files[o->nr++] = file;
}

static void parse_arg(struct options *o, char *arg, struct argp_state *state)
{
	if (state->quoted && state->next > state->quoted) {
		o->command = state->argv + state->next - 1;
		state->next = state->argc;
	} else if (o->name) {
		parse_file(o, arg, state);
	} else if (!lu_session_name_fits(arg)) {
		argp_error(state, "'%s': no name of a session, which has 1 to 63 characters", arg);
	} else {
		o->name = arg;
	}
}

/* Which of them go together depends on options that may come last. */
static void check(const struct options *o, struct argp_state *state)
{
	if (!o->name)
		argp_error(state, "say which session");
	if (!o->retrieve && (o->finish || o->command))
		argp_error(state, "%s needs --retrieve", o->finish ? "--finish" : "a command");
	if (!o->retrieve && !o->nr)
		argp_error(state, "say which files to preserve: TOKEN=FILE...");
	for (int i = 0; i < o->nr; i++) {
		const struct file *f = &o->files[i];

		if (o->retrieve && f->value && !fds_name_is_valid(f->value))
			argp_error(state, "'%s': no name for a descriptor", f->as_given);
		if (!o->retrieve && (!f->value || !fds_spec_is_valid(f->value)))
			argp_error(state, "'%s': say which file: TOKEN=fd:N, =pid:PID:N or =fdname:NAME",
				   f->as_given);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'r':
		o->retrieve = true;
		return 0;
	case KEY_STORE:
		o->store = true;
		return 0;
	case KEY_FINISH:
		o->finish = true;
		return 0;
	case ARGP_KEY_ARG:
		parse_arg(o, arg, state);
		return 0;
	case ARGP_KEY_END:
		check(o, state);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "NAME TOKEN=FILE...\n--retrieve NAME [TOKEN[=FDNAME]...] [-- COMMAND [ARG...]]",
	.doc = doc,
};

/* --- the session ---------------------------------------------------------- */

/* A message about the session as a whole. */
static void say_session(const struct hold *h, const char *why, const char *mend)
{
	char what[128];

	snprintf(what, sizeof(what), "session %s", h->opt->name);
	msg_error(what, why, mend);
}

static void say_no_session(const struct hold *h, int err)
{
	if (err == -EACCES || err == -EPERM)
		msg_errno(err, "/dev/liveupdate", "run it as root");
	else if (err == -EBUSY)
		msg_error("/dev/liveupdate", "another process has it open",
			  "only one at a time can; 'fuser /dev/liveupdate' tells which");
	else if (err == -EEXIST)
		say_session(h, "there is one of this name", "see 'iox lu status'");
	else if (err == -ENOENT)
		say_session(h, "did not come from the last kernel", "see 'iox lu status'");
	else if (err == -EINVAL && h->opt->retrieve)
		say_session(h, "another process has retrieved it", "see 'iox lu status'");
	else
		say_session(h, strerror(-err), NULL);
}

/*
 * Opening /dev/liveupdate has the kernel read what came from the last one. It does so once, and
 * cannot do anything any more with files whose module is missing then.
 */
static bool check_modules(void)
{
	static const char *const module[] = { "iommufd", "vfio_pci" };
	struct lu_state state;
	bool ok = true;
	char path[64];

	if (!lu_state_is_readable())
		return true;
	if (!lu_state_read(&state))
		return false;
	for (int i = 0; i < 2 && lu_is_unread(&state) && state.half[LU_INCOMING].iommu.child; i++) {
		snprintf(path, sizeof(path), "/sys/module/%s", module[i]);
		if (!access(path, F_OK))
			continue;
		msg_error(module[i], "is not loaded, and what came from the last kernel needs it",
			  "run 'modprobe -a iommufd vfio-pci'");
		ok = false;
	}
	lu_state_free(&state);
	return ok;
}

/* The one that a service manager has kept, so that this process may be restarted. */
static int find_stored_session(const struct hold *h)
{
	for (int i = 0; i < h->passed.nr; i++)
		if (lu_session_is(SD_LISTEN_FDS_START + i, h->opt->name))
			return SD_LISTEN_FDS_START + i;
	return -1;
}

static bool open_session(struct hold *h)
{
	h->session = find_stored_session(h);
	h->stored = h->session >= 0;
	if (h->stored)
		return true;
	h->session = h->opt->retrieve ? lu_session_retrieve(h->opt->name) :
					lu_session_create(h->opt->name);
	if (h->session >= 0)
		return true;
	say_no_session(h, h->session);
	return false;
}

static bool store(const char *name, int fd)
{
	char text[512];
	int err;

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	err = sd_pid_notify_with_fds(0, false, text, &fd, 1);
	if (err < 0)
		msg_errno(err, "--store", NULL);
	return err > 0;
}

/* To be known before anything is done that cannot be undone. */
static bool check_store(const struct options *o)
{
	if (!o->store || getenv("NOTIFY_SOCKET"))
		return true;
	msg_error("--store", "no service manager listens",
		  "start it as a service with Type=notify and FileDescriptorStoreMax=");
	return false;
}

/* Returns once the process is asked to end; a signal from before counts too. */
static void wait_for_signal(void)
{
	sigset_t set;
	int signal;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigwait(&set, &signal);
}

static void block_signals(struct hold *h)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &h->old_mask);
}

static int hold(struct hold *h, const char *afterwards)
{
	fflush(stdout);
	sd_notifyf(false, "READY=1\nSTATUS=Holding session %s", h->opt->name);
	wait_for_signal();
	sd_notify(false, "STOPPING=1");
	if (h->session >= 0)
		close(h->session);
	printf("session %s %s\n", h->opt->name,
	       h->opt->store ? "stays with the service manager" : afterwards);
	return IOX_OK;
}

/* --- before the jump ------------------------------------------------------ */

/* In the words of the policy that did not want it, if it was one. */
static bool say_refused(const struct file *f, const char *step, int err)
{
	char why[ADMISSION_WHY_LEN];

	if (!admission_find_reason(step, f->token, err, why))
		return false;
	msg_error(f->as_given ?: f->name, why, "'iox policy list' shows what is in force");
	return true;
}

static void say_not_preserved(const struct file *f, int err)
{
	static const char plan[] = "'iox lu plan PID' of its user tells what is in the way";

	if (say_refused(f, "preserve", err))
		return;
	if (err == -ENOENT)
		msg_error(f->as_given, "live update knows no such file, or not yet what it needs",
			  "memfds go first, then iommufds, then devices");
	else if (err == -EBUSY)
		msg_error(f->as_given, "a session has preserved it already", "see 'iox lu status'");
	else
		msg_errno(err, f->as_given, plan);
}

static bool preserve(struct hold *h, struct file *f)
{
	int err;

	f->fd = fds_find(f->value, &h->passed, f->as_given);
	if (f->fd < 0)
		return false;
	err = lu_session_preserve(h->session, f->fd, f->token);
	if (err)
		say_not_preserved(f, err);
	return !err;
}

static bool preserve_all(struct hold *h)
{
	const struct lu_node *session = NULL;
	struct lu_state state = {};
	bool ok = true;

	/* What is in a session that was stored is not looked for again. */
	if (h->stored && !lu_state_read(&state))
		return false;
	if (h->stored)
		session = lu_find_session(&state, LU_OUTGOING, h->opt->name);
	for (int i = 0; ok && i < h->nr; i++)
		ok = lu_find_file(session, h->files[i].token) || preserve(h, &h->files[i]);
	lu_state_free(&state);
	return ok;
}

static int hold_outgoing(struct hold *h)
{
	if (!open_session(h) || !preserve_all(h))
		return IOX_FAILED;
	if (h->opt->store && !h->stored && !store(SESSION_NAME, h->session))
		return IOX_FAILED;
	printf("session %s: %d file%s preserved\n", h->opt->name, h->nr, h->nr == 1 ? "" : "s");
	return hold(h, "is closed: nothing of it is preserved any more");
}

/* --- after the jump ------------------------------------------------------- */

static void name_file(struct file *f, const struct lu_node *node)
{
	char kind[32];

	lu_file_kind(node, kind, sizeof(kind));
	if (f->value)
		snprintf(f->name, sizeof(f->name), "%s", f->value);
	else
		snprintf(f->name, sizeof(f->name), "%s-0x%llx", kind, f->token);
}

/* The files that were asked for are those of the session. */
static bool check_files(struct hold *h, const struct lu_node *session)
{
	for (int i = 0; i < h->nr; i++) {
		const struct lu_node *node = lu_find_file(session, h->files[i].token);

		if (!node) {
			msg_error(h->files[i].as_given, "the session has no file with this token",
				  "see 'iox lu inspect'");
			return false;
		}
		name_file(&h->files[i], node);
	}
	return true;
}

/* None was asked for: then all. */
static bool take_all_files(struct hold *h, const struct lu_node *session)
{
	size_t nr = 0;

	for (const struct lu_node *n = session->child; n; n = n->next)
		nr++;
	h->files = calloc(nr + 1, sizeof(*h->files));
	if (!h->files) {
		msg_errno(ENOMEM, h->opt->name, NULL);
		return false;
	}
	for (const struct lu_node *n = session->child; n; n = n->next) {
		struct file *f = &h->files[h->nr];

		if (strcmp(n->what, "file"))
			continue;
		*f = (struct file){ .token = lu_number(n, "token"), .fd = -1 };
		name_file(f, n);
		h->nr++;
	}
	return true;
}

/* A device comes back to its driver, which has to be there. */
static bool check_driver(const struct lu_node *file)
{
	for (const struct lu_node *n = file->child; n; n = n->next) {
		if (strcmp(n->what, "device") || !n->object || vfio_pci_has_device(n->object))
			continue;
		msg_error(n->object, "its driver is not vfio-pci, so it cannot come back",
			  "bind it to vfio-pci, through driver_override");
		return false;
	}
	return true;
}

static bool check_drivers(const struct hold *h, const struct lu_node *session)
{
	for (int i = 0; i < h->nr; i++)
		if (!check_driver(lu_find_file(session, h->files[i].token)))
			return false;
	return true;
}

/* Before the session is retrieved: closing that would finish it. */
static bool choose_files(struct hold *h)
{
	const struct lu_node *session;
	struct lu_state state;
	bool ok = false;
	int err;

	err = lu_session_read_incoming();
	if (err) {
		say_no_session(h, err);
		return false;
	}
	if (!lu_state_read(&state))
		return false;
	session = lu_find_session(&state, LU_INCOMING, h->opt->name);
	if (!session)
		say_no_session(h, -ENOENT);
	else
		ok = (h->nr ? check_files(h, session) : take_all_files(h, session)) &&
		     check_drivers(h, session);
	lu_state_free(&state);
	return ok;
}

/* One that the service manager has kept, with the session. */
static int find_stored_file(const struct hold *h, const char *name)
{
	for (int i = 0; h->stored && i < h->passed.nr; i++)
		if (!strcmp(h->passed.names[i], name))
			return SD_LISTEN_FDS_START + i;
	return -1;
}

static void retrieve_files(struct hold *h)
{
	int nr = 0;

	for (int i = 0; i < h->nr; i++) {
		struct file f = h->files[i];

		f.fd = find_stored_file(h, f.name);
		f.stored = f.fd >= 0;
		if (!f.stored)
			f.fd = lu_session_get_file(h->session, f.token);
		if (f.fd >= 0)
			h->files[nr++] = f;
		else if (!say_refused(&f, "retrieve", f.fd))
			msg_errno(f.fd, f.name, "it is left out; the kernel's log may tell why");
	}
	h->nr = nr;
}

/* A session that cannot be finished is kept. */
static void finish(struct hold *h)
{
	int err = lu_session_finish(h->session);

	if (err) {
		say_session(h, strerror(-err), "it is kept, unfinished");
		return;
	}
	close(h->session);
	h->session = -1;
}

/* What is not there yet; what cannot be stored is held all the same. */
static void store_files(const struct hold *h)
{
	if (h->session >= 0 && !h->stored)
		store(SESSION_NAME, h->session);
	for (int i = 0; i < h->nr; i++)
		if (!h->files[i].stored)
			store(h->files[i].name, h->files[i].fd);
}

static int run_command(struct hold *h)
{
	struct fds_named files[h->nr + 1];
	int nr = 0, err;

	for (; nr < h->nr; nr++)
		files[nr] = (struct fds_named){ h->files[nr].fd, h->files[nr].name };
	if (h->session >= 0)
		files[nr++] = (struct fds_named){ h->session, SESSION_NAME };
	sigprocmask(SIG_SETMASK, &h->old_mask, NULL);
	fflush(stdout);
	err = fds_exec(h->opt->command, files, nr);
	msg_errno(err, h->opt->command[0], NULL);
	return NOT_RUN;
}

static void show_files(const struct hold *h)
{
	for (int i = 0; i < h->nr; i++)
		printf("0x%llx %s pid:%d:%d\n", h->files[i].token, h->files[i].name, getpid(),
		       h->files[i].fd);
	printf("session %s: %d file%s back%s\n", h->opt->name, h->nr, h->nr == 1 ? "" : "s",
	       h->session < 0 ? ", finished" : "");
}

/* The session is finished, and the files have been stored by the one before. */
static bool take_stored_files(struct hold *h)
{
	if (!h->opt->finish || !h->opt->store || !h->passed.nr || find_stored_session(h) >= 0)
		return false;
	h->files = calloc(h->passed.nr, sizeof(*h->files));
	if (!h->files)
		return false;
	for (h->nr = 0; h->nr < h->passed.nr; h->nr++) {
		struct file *f = &h->files[h->nr];

		f->fd = SD_LISTEN_FDS_START + h->nr;
		f->stored = true;
		snprintf(f->name, sizeof(f->name), "%s", h->passed.names[h->nr]);
	}
	return true;
}

static bool bring_back(struct hold *h)
{
	if (take_stored_files(h))
		return true;
	if (!choose_files(h) || !open_session(h))
		return false;
	retrieve_files(h);
	if (!h->nr) {
		say_session(h, "no file came back", NULL);
		return false;
	}
	if (h->opt->finish)
		finish(h);
	return true;
}

static int hold_incoming(struct hold *h)
{
	if (h->opt->command && !fds_command_exists(h->opt->command[0]))
		return NOT_RUN;
	if (!bring_back(h))
		return IOX_FAILED;
	if (h->opt->store)
		store_files(h);
	if (h->opt->command)
		return run_command(h);
	show_files(h);
	return hold(h, h->session < 0 ? "and its files are closed" : "is finished");
}

int lu_hold(int argc, char **argv)
{
	struct options opt = {};
	struct hold h = { .opt = &opt, .session = -1 };
	int status = IOX_FAILED;

	iox_parse(&argp, argc, argv, &opt);
	h.files = opt.files;
	h.nr = opt.nr;
	block_signals(&h);
	if (lu_is_on() && check_store(&opt) && check_modules() && fds_take_passed(&h.passed))
		status = opt.retrieve ? hold_incoming(&h) : hold_outgoing(&h);
	fds_free_passed(&h.passed);
	free(h.files);
	if (h.files != opt.files)
		free(opt.files);
	return status;
}
