/* What the files that make contexts share. */
#ifndef GATEWAY_TLS_INTERNAL_H
#define GATEWAY_TLS_INTERNAL_H

#include "gateway/tls/certificate_table.h"
#include "gateway/tls/tls_context.h"

/* Why OpenSSL failed: the system error if that was the first, else OpenSSL's last error. */
const char *tls_reason(Arena *arena);

/* Reads a pair, in a context of its own, and adds it. `prefix`: of its keys in the config, for
   errors; *n_names_out: how many names it has. */
MUST_USE Result tls_add_pair(Arena *arena, CertificateTable *table, const TlsPair *pair,
                             const char *prefix, size_t *n_names_out);

/* In a handshake, in place of what was shown so far. 1: it went well. */
int tls_show(SSL *ssl, const ShownCertificate *shown);

#endif
