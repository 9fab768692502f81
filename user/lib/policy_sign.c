// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509_vfy.h>

#include "msg.h"
#include "policy_sign.h"

#define MAX_SIGNATURE (256U << 10)
/* Of OpenSSL: 112 bits, which keeps out SHA-1 and RSA below 2048. */
#define SECURITY_LEVEL 2

#define TRUST_IT "if it should be, put its certificate there, as *.pem"

/* --- files ---------------------------------------------------------------------- */

static void say_too_large(const char *path, size_t max, const char *mend)
{
	char why[64];

	snprintf(why, sizeof(why), "is larger than %zu KiB", max >> 10);
	msg_error(path, why, mend);
}

/* One byte more than @max, if there are that many. NULL: errno says why. */
static void *read_up_to(const char *path, size_t max, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = fd < 0 ? NULL : malloc(max + 1);
	ssize_t got = bytes ? 1 : -1;

	*size = 0;
	while (got > 0 && *size <= max) {
		got = read(fd, bytes + *size, max + 1 - *size);
		if (got > 0)
			*size += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	if (got >= 0)
		return bytes;
	free(bytes);
	return NULL;
}

void *policy_sign_read(const char *path, size_t *size)
{
	void *bytes = read_up_to(path, POLICY_SIGN_MAX_OBJECT, size);

	if (!bytes) {
		msg_errno(errno, path, NULL);
	} else if (*size > POLICY_SIGN_MAX_OBJECT) {
		say_too_large(path, POLICY_SIGN_MAX_OBJECT, "name the object file of a policy");
		free(bytes);
		return NULL;
	}
	return bytes;
}

/* What OpenSSL says; @instead if it says nothing. */
static const char *openssl_why(const char *instead)
{
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	return why ?: instead;
}

static void name_of(X509 *cert, char *who, size_t size)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *text;
	long length;

	snprintf(who, size, "somebody without a name");
	if (out && X509_NAME_print_ex(out, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) > 0) {
		length = BIO_get_mem_data(out, &text);
		snprintf(who, size, "%.*s", (int)length, text);
	}
	BIO_free(out);
}

/* --- whom to trust -------------------------------------------------------------- */

struct trust {
	const char *dir;
	X509_STORE *store;
	STACK_OF(X509) *certs;
	int error;		/* why a certificate was refused, */
	char refused[256];	/* and whose it was */
};

static int is_pem(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return *entry->d_name != '.' && length > 4 && !strcmp(entry->d_name + length - 4, ".pem");
}

/* How many there are in @dir, or -1 and errno. */
static int find_certs(const char *dir, struct dirent ***found)
{
	return scandir(dir, found, is_pem, alphasort);
}

static void free_found(struct dirent **found, int nr)
{
	while (nr > 0)
		free(found[--nr]);
	free(found);
}

int policy_sign_demanded(const char *trust_dir)
{
	struct dirent **found = NULL;
	int nr = find_certs(trust_dir, &found);

	free_found(found, nr);
	if (nr < 0 && errno == ENOENT)
		return 0;
	if (nr < 0)
		msg_errno(errno, trust_dir, "it says who may sign policies for this host");
	return nr < 0 ? -1 : nr > 0;
}

/* All certificates of a file; those that are there are freed by who owns @certs. */
static bool read_certs(const char *path, STACK_OF(X509) *certs)
{
	BIO *in = BIO_new_file(path, "r");
	bool ok = in;
	X509 *cert;
	int nr = 0;

	if (!in)
		msg_errno(errno, path, NULL);
	while (ok && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL))) {
		ok = sk_X509_push(certs, cert) > 0;
		nr++;
	}
	/* Reading has ended well when there was no further start of a certificate. */
	if (ok && (!nr || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)) {
		msg_error(path, "is no certificate in PEM", NULL);
		ok = false;
	}
	ERR_clear_error();
	BIO_free(in);
	return ok;
}

static int on_verify(int ok, X509_STORE_CTX *ctx)
{
	struct trust *t = X509_STORE_get_ex_data(X509_STORE_CTX_get0_store(ctx), 0);
	X509 *cert = X509_STORE_CTX_get_current_cert(ctx);

	if (!ok && !t->error) {
		t->error = X509_STORE_CTX_get_error(ctx);
		if (cert)
			name_of(cert, t->refused, sizeof(t->refused));
	}
	return ok;
}

static bool make_store(struct trust *t)
{
	X509_VERIFY_PARAM *param;

	t->store = X509_STORE_new();
	if (!t->store || !X509_STORE_set_ex_data(t->store, 0, t))
		return false;
	param = X509_STORE_get0_param(t->store);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	/* A certificate may be trusted without the one that it comes from. */
	if (!X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN) ||
	    !X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY))
		return false;
	X509_STORE_set_verify_cb(t->store, on_verify);
	for (int i = 0; i < sk_X509_num(t->certs); i++)
		if (!X509_STORE_add_cert(t->store, sk_X509_value(t->certs, i)))
			return false;
	return true;
}

/* Those of all files. */
static bool read_dir(struct trust *t)
{
	const char *mend = "put certificates of who may sign policies there, as *.pem";
	struct dirent **found = NULL;
	int nr = find_certs(t->dir, &found);
	char path[PATH_MAX];
	bool ok = nr > 0;

	if (nr < 0)
		msg_errno(errno, t->dir, mend);
	else if (!nr)
		msg_error(t->dir, "has no certificates", mend);
	for (int i = 0; ok && i < nr; i++) {
		snprintf(path, sizeof(path), "%s/%s", t->dir, found[i]->d_name);
		ok = read_certs(path, t->certs);
	}
	free_found(found, nr);
	return ok;
}

static bool trust_open(struct trust *t, const char *dir)
{
	*t = (struct trust){ .dir = dir, .certs = sk_X509_new_null() };
	if (!t->certs) {
		msg_errno(ENOMEM, dir, NULL);
		return false;
	}
	if (!read_dir(t))
		return false;
	if (make_store(t))
		return true;
	msg_error(dir, openssl_why("out of memory"), NULL);
	return false;
}

static void trust_close(struct trust *t)
{
	X509_STORE_free(t->store);
	sk_X509_pop_free(t->certs, X509_free);
}

/* --- verifying ------------------------------------------------------------------ */

/*
 * One signer: with none there would be nothing to verify, and OpenSSL content with it; with more,
 * nobody to name.
 */
static bool is_signature(CMS_ContentInfo *cms)
{
	return OBJ_obj2nid(CMS_get0_type(cms)) == NID_pkcs7_signed && CMS_is_detached(cms) == 1 &&
	       sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)) == 1;
}

static CMS_ContentInfo *parse_signature(const unsigned char *bytes, size_t size)
{
	const unsigned char *end = bytes;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &end, (long)size);

	if (cms && end == bytes + size && is_signature(cms))
		return cms;
	CMS_ContentInfo_free(cms);
	return NULL;
}

static void say_unsigned(const char *name, const char *path)
{
	char why[PATH_MAX + 64];

	snprintf(why, sizeof(why), "is not signed: there is no %s", path);
	msg_error(name, why, "sign it with 'iox policy sign'");
}

static CMS_ContentInfo *read_signature(const char *name, const char *path)
{
	CMS_ContentInfo *cms = NULL;
	size_t size;
	void *bytes = read_up_to(path, MAX_SIGNATURE, &size);

	if (!bytes && errno == ENOENT)
		say_unsigned(name, path);
	else if (!bytes)
		msg_errno(errno, path, NULL);
	else if (size > MAX_SIGNATURE)
		say_too_large(path, MAX_SIGNATURE, "name a signature with --signature");
	else if (!(cms = parse_signature(bytes, size)))
		msg_error(path, "is no detached CMS signature in DER by one signer",
			  "sign again with 'iox policy sign'");
	free(bytes);
	return cms;
}

/* The digest is not the certificates' business, so their level does not say which are good. */
static bool is_strong(CMS_ContentInfo *cms)
{
	X509_ALGOR *digest;
	int nid;

	CMS_SignerInfo_get0_algs(sk_CMS_SignerInfo_value(CMS_get0_SignerInfos(cms), 0), NULL, NULL,
				 &digest, NULL);
	nid = OBJ_obj2nid(digest->algorithm);
	return nid == NID_sha256 || nid == NID_sha384 || nid == NID_sha512;
}

static void say_distrusted(const char *name, const struct trust *t)
{
	const char *mend = NULL;
	char why[640];

	switch (t->error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		snprintf(why, sizeof(why), "the signer is not trusted: %s comes from nobody in %s",
			 t->refused, t->dir);
		mend = TRUST_IT;
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		snprintf(why, sizeof(why), "the certificate of %s has expired", t->refused);
		mend = "sign it again with one that is valid";
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		snprintf(why, sizeof(why), "the certificate of %s is not valid yet", t->refused);
		mend = "look at the clock of this host";
		break;
	default:
		snprintf(why, sizeof(why), "the certificate of %s is refused: %s", t->refused,
			 X509_verify_cert_error_string(t->error));
	}
	msg_error(name, why, mend);
}

static void say_refused(const char *name, const struct trust *t, const char *path)
{
	char why[PATH_MAX + 128];
	int reason = ERR_GET_REASON(ERR_peek_last_error());

	if (t->error) {
		say_distrusted(name, t);
		return;
	}
	if (reason == CMS_R_SIGNER_CERTIFICATE_NOT_FOUND) {
		snprintf(why, sizeof(why), "the signer is not trusted: its certificate is not in %s",
			 t->dir);
		msg_error(name, why, TRUST_IT);
	} else {
		snprintf(why, sizeof(why), "the signature %s does not match the file", path);
		msg_error(name, why, "get both again, or sign it again");
	}
}

static bool verify(const char *name, const void *bytes, size_t size, CMS_ContentInfo *cms,
		   struct trust *t, const char *path)
{
	BIO *content = BIO_new_mem_buf(bytes, (int)size);
	bool ok = false;

	ERR_clear_error();
	if (!content)
		msg_errno(ENOMEM, name, NULL);
	else if (!is_strong(cms))
		msg_error(name, "is signed with a digest that is not SHA-256, SHA-384 or SHA-512",
			  "sign it again");
	else if (CMS_verify(cms, t->certs, t->store, content, NULL, CMS_BINARY) == 1)
		ok = true;
	else
		say_refused(name, t, path);
	BIO_free(content);
	ERR_clear_error();
	return ok;
}

static void name_signer(CMS_ContentInfo *cms, char *who, size_t who_size)
{
	STACK_OF(X509) *signers = CMS_get0_signers(cms);

	if (sk_X509_num(signers) > 0)
		name_of(sk_X509_value(signers, 0), who, who_size);
	sk_X509_free(signers);
}

bool policy_sign_verify(const char *name, const void *bytes, size_t size,
			const char *signature_path, const char *trust_dir, char *who,
			size_t who_size)
{
	CMS_ContentInfo *cms = NULL;
	struct trust t;
	bool ok;

	if (size > POLICY_SIGN_MAX_OBJECT) {
		say_too_large(name, POLICY_SIGN_MAX_OBJECT, "name the object file of a policy");
		return false;
	}
	ok = trust_open(&t, trust_dir) && (cms = read_signature(name, signature_path)) &&
	     verify(name, bytes, size, cms, &t, signature_path);
	if (ok)
		name_signer(cms, who, who_size);
	CMS_ContentInfo_free(cms);
	trust_close(&t);
	return ok;
}

void policy_sign_sha256(const void *bytes, size_t size, char hex[65])
{
	unsigned char digest[SHA256_DIGEST_LENGTH];

	SHA256(bytes, size, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		sprintf(hex + 2 * i, "%02x", digest[i]);
}

/* --- signing -------------------------------------------------------------------- */

static EVP_PKEY *read_key(const char *path)
{
	BIO *in = BIO_new_file(path, "r");
	EVP_PKEY *key = NULL;

	if (!in) {
		msg_errno(errno, path, NULL);
		return NULL;
	}
	key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
	if (!key)
		msg_error(path, "is no private key in PEM, or its password is another one", NULL);
	BIO_free(in);
	return key;
}

static bool write_signature(CMS_ContentInfo *cms, const char *path)
{
	BIO *out = BIO_new_file(path, "wb");
	bool ok = out && i2d_CMS_bio(out, cms) == 1 && BIO_flush(out) == 1;

	if (!ok)
		msg_errno(errno, path, NULL);
	BIO_free(out);
	return ok;
}

static CMS_ContentInfo *sign(const char *name, const void *bytes, size_t size, EVP_PKEY *key,
			     STACK_OF(X509) *certs)
{
	const unsigned int flags = CMS_BINARY | CMS_DETACHED | CMS_NOSMIMECAP | CMS_PARTIAL;
	X509 *cert = sk_X509_shift(certs);
	BIO *content = BIO_new_mem_buf(bytes, (int)size);
	CMS_ContentInfo *cms = content ? CMS_sign(NULL, NULL, certs, NULL, flags) : NULL;

	if (cms && (!CMS_add1_signer(cms, cert, key, EVP_sha256(), flags) ||
		    !CMS_final(cms, content, NULL, flags))) {
		CMS_ContentInfo_free(cms);
		cms = NULL;
	}
	if (!cms)
		msg_error(name, openssl_why("cannot be signed"),
			  "use a key of RSA or of an elliptic curve");
	BIO_free(content);
	X509_free(cert);
	return cms;
}

static bool belong_together(EVP_PKEY *key, const char *key_path, X509 *cert, const char *cert_path)
{
	char why[PATH_MAX + 64];

	if (X509_check_private_key(cert, key) == 1)
		return true;
	snprintf(why, sizeof(why), "its first certificate is not that of the key %s", key_path);
	msg_error(cert_path, why, NULL);
	return false;
}

bool policy_sign_make(const char *name, const void *bytes, size_t size, const char *key_path,
		      const char *cert_path, const char *signature_path, char *who,
		      size_t who_size)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	CMS_ContentInfo *cms = NULL;
	EVP_PKEY *key = NULL;
	bool ok = false;

	if (!certs || !read_certs(cert_path, certs))
		goto out;
	key = read_key(key_path);
	if (!key || !belong_together(key, key_path, sk_X509_value(certs, 0), cert_path))
		goto out;
	name_of(sk_X509_value(certs, 0), who, who_size);
	cms = sign(name, bytes, size, key, certs);
	ok = cms && write_signature(cms, signature_path);
out:
	CMS_ContentInfo_free(cms);
	EVP_PKEY_free(key);
	sk_X509_pop_free(certs, X509_free);
	ERR_clear_error();
	return ok;
}
