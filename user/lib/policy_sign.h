/* SPDX-License-Identifier: GPL-2.0 */
/* Signatures of policy objects: CMS (PKCS#7) in DER, detached, in a file beside the object. */
#ifndef IOX_LIB_POLICY_SIGN_H
#define IOX_LIB_POLICY_SIGN_H

#include <stdbool.h>
#include <stddef.h>

/* Who may sign for this host: as long as there is a *.pem in it, nothing is loaded unsigned. */
#define POLICY_TRUST_DIR "/etc/iox/trusted.d"
/* Behind the name of an object, the signature's. */
#define POLICY_SIGN_SUFFIX ".p7s"
/* Larger files are no policies. */
#define POLICY_SIGN_MAX_OBJECT (16U << 20)

/*
 * A whole file, to be freed; NULL with the message given. What is verified and what is loaded have
 * to be the same bytes, so they are read once.
 */
void *policy_sign_read(const char *path, size_t *size);

/*
 * CMS detached signature @signature_path over the bytes; the signer's certificate has to be, or
 * come from, one in @trust_dir (*.pem), and to be valid now. False with the message given: @name,
 * what was refused and why. @who gets the signer's subject.
 */
bool policy_sign_verify(const char *name, const void *bytes, size_t size,
			const char *signature_path, const char *trust_dir, char *who,
			size_t who_size);

/*
 * Writes @signature_path, by the private key in @key_path. @cert_path has the certificate of that
 * key first; others in it go along, so that those who trust a root find the way to it. False with
 * the message given.
 */
bool policy_sign_make(const char *name, const void *bytes, size_t size, const char *key_path,
		      const char *cert_path, const char *signature_path, char *who,
		      size_t who_size);

/* Is there any certificate in @trust_dir? -1 with the message given: it cannot be told. */
int policy_sign_demanded(const char *trust_dir);

/* Digest of the bytes, lower-case hex. */
void policy_sign_sha256(const void *bytes, size_t size, char hex[65]);

#endif
