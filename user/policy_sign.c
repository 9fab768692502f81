// SPDX-License-Identifier: GPL-2.0
/* iox policy sign and verify; and what load and replace demand of a file before they open it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/msg.h"
#include "lib/out.h"
#include "lib/policy_sign.h"
#include "policy.h"

#define WHO_LEN 256

static const char *beside(char buf[PATH_MAX], const char *path)
{
	snprintf(buf, PATH_MAX, "%s" POLICY_SIGN_SUFFIX, path);
	return buf;
}

/* --- whom to trust: options of verify, load and replace ------------------------- */

static const struct argp_option trust_options[] = {
	{ "signature", 'g', "PATH", 0, "The signature; if not given, FILE" POLICY_SIGN_SUFFIX, 1 },
	{ "trust", 'T', "DIR", 0, "Its signer's certificate has to be, or to come from, one of the "
	  "*.pem in DIR", 1 },
	{ 0 },
};

static error_t parse_trust(int key, char *arg, struct argp_state *state)
{
	struct policy_trust *t = state->input;

	switch (key) {
	case 'g':
		t->signature = arg;
		return 0;
	case 'T':
		t->dir = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp trust_argp = { .options = trust_options, .parser = parse_trust };

const struct argp_child policy_trust_children[] = { { .argp = &trust_argp }, { 0 } };

static bool verify(const char *path, const void *bytes, size_t size, const struct policy_trust *t,
		   const char *dir, char who[WHO_LEN])
{
	char buf[PATH_MAX];

	return policy_sign_verify(path, bytes, size,
				  t->signature ? t->signature : beside(buf, path), dir, who,
				  WHO_LEN);
}

/* What the host demands is no matter of options: those can only demand more. */
static bool may_open(const char *path, const void *bytes, size_t size, const struct policy_trust *t)
{
	int demanded = policy_sign_demanded(POLICY_TRUST_DIR);
	char who[WHO_LEN];

	if (demanded < 0)
		return false;
	if ((demanded || (t->signature && !t->dir)) &&
	    !verify(path, bytes, size, t, POLICY_TRUST_DIR, who))
		return false;
	return !t->dir || verify(path, bytes, size, t, t->dir, who);
}

bool policy_open_trusted(struct policy_file *f, const char *path, const struct policy_trust *t)
{
	size_t size;
	void *bytes = policy_sign_read(path, &size);
	bool ok = bytes && may_open(path, bytes, size, t) &&
		  policy_file_open_bytes(f, path, bytes, size);

	free(bytes);
	return ok;
}

/* --- verify --------------------------------------------------------------------- */

struct verify_options {
	const char *file;
	struct policy_trust trust;
	bool json;
};

static const struct argp_option verify_options[] = {
	{ "json", 'j', NULL, 0, "Print one JSON object", 0 },
	{ 0 },
};

static error_t parse_verify(int key, char *arg, struct argp_state *state)
{
	struct verify_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->trust;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "'%s': one file at a time", arg);
		o->file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->file)
			argp_error(state, "say which file");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp verify_argp = {
	.options = verify_options,
	.parser = parse_verify,
	.children = policy_trust_children,
	.args_doc = "FILE",
	.doc = "Says who has signed a policy's object file, and its SHA-256 digest, or what is "
	       "wrong with the signature.\v"
	       "Who may sign is in " POLICY_TRUST_DIR " if there is no --trust. Exit status: 0 the "
	       "signature is good, 1 it is not, 2 wrong usage.",
};

static bool say_signed(const char *path, const void *bytes, size_t size, const char *who, bool json)
{
	char digest[65];
	json_object *o;

	policy_sign_sha256(bytes, size, digest);
	if (!json)
		return printf("%s: signed by %s, SHA-256 %s\n", path, who, digest) > 0;
	o = json_object_new_object();
	out_json_str(o, "file", path);
	out_json_str(o, "signer", who);
	out_json_str(o, "sha256", digest);
	return out_json(stdout, o);
}

int policy_verify(int argc, char **argv)
{
	struct verify_options opt = { .trust.dir = POLICY_TRUST_DIR };
	char who[WHO_LEN];
	size_t size;
	void *bytes;
	bool ok;

	iox_parse(&verify_argp, argc, argv, &opt);
	bytes = policy_sign_read(opt.file, &size);
	ok = bytes && verify(opt.file, bytes, size, &opt.trust, opt.trust.dir, who) &&
	     say_signed(opt.file, bytes, size, who, opt.json);
	free(bytes);
	return ok ? IOX_OK : IOX_FAILED;
}

/* --- sign ----------------------------------------------------------------------- */

struct sign_options {
	const char *file;
	const char *key;
	const char *cert;
	const char *output;
};

static const struct argp_option sign_options[] = {
	{ "cert", 'c', "PATH", 0, "The certificate of the key, in PEM; those between it and the "
	  "one that hosts trust may follow in the same file", 0 },
	{ "key", 'k', "PATH", 0, "The private key, in PEM", 0 },
	{ "output", 'o', "PATH", 0, "Where to write the signature; if not given, FILE"
	  POLICY_SIGN_SUFFIX, 0 },
	{ 0 },
};

static error_t parse_sign(int key, char *arg, struct argp_state *state)
{
	struct sign_options *o = state->input;

	switch (key) {
	case 'c':
		o->cert = arg;
		return 0;
	case 'k':
		o->key = arg;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->file)
			argp_error(state, "'%s': one file at a time", arg);
		o->file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->file)
			argp_error(state, "say which file");
		if (!o->key || !o->cert)
			argp_error(state, "say with --key and --cert who signs");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp sign_argp = {
	.options = sign_options,
	.parser = parse_sign,
	.args_doc = "FILE",
	.doc = "Signs a policy's object file, for 'iox policy load' on hosts that trust the "
	       "signer.\v"
	       "The signature is a detached one in CMS, DER, over SHA-256, as 'openssl cms' makes "
	       "them too. The key is one of RSA or of an elliptic curve.",
};

/* Nobody should have to find out on a host that what was signed is no object. */
static bool is_object(const char *path, const void *bytes, size_t size)
{
	struct policy_file f;
	bool ok = policy_file_open_bytes(&f, path, bytes, size);

	if (ok)
		policy_file_close(&f);
	return ok;
}

int policy_sign(int argc, char **argv)
{
	struct sign_options opt = {};
	char who[WHO_LEN], buf[PATH_MAX];
	size_t size;
	void *bytes;
	bool ok;

	iox_parse(&sign_argp, argc, argv, &opt);
	bytes = policy_sign_read(opt.file, &size);
	ok = bytes && is_object(opt.file, bytes, size) &&
	     policy_sign_make(opt.file, bytes, size, opt.key, opt.cert,
			      opt.output ? opt.output : beside(buf, opt.file), who, WHO_LEN) &&
	     say_signed(opt.file, bytes, size, who, false);
	free(bytes);
	return ok ? IOX_OK : IOX_FAILED;
}
