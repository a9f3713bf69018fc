/*
 * OpenSSL contexts for the config: TLS 1.2 and newer, ALPN, certificates.
 *
 * Created when a config is loaded, by one thread; then read by all loops. The creator frees it. The
 * `field` of a failure is the invalid key of the config ("certificate", "key", "client_ca", "ca",
 * "client_crl", "certificates[1].key").
 */
#ifndef GATEWAY_TLS_CONTEXT_H
#define GATEWAY_TLS_CONTEXT_H

#include "base/result.h"

#include <stddef.h>

typedef struct ssl_ctx_st SSL_CTX; /* OpenSSL's */
typedef struct x509_st X509;       /* OpenSSL's */

typedef struct TlsPair {
    const char *certificate, *key; /* PEM */
} TlsPair;

typedef struct TlsFiles {
    const char *certificate, *key; /* PEM; NULL: none */
    const TlsPair *more;           /* server: further ones, for clients that ask for their names */
    size_t n_more;
    const char *authorities;   /* PEM: authorities for the peer's certificate; NULL: no client
                                  certificates (server), the system's (client) */
    const char *revocations;   /* server: PEM: revocation lists of all `authorities`; or NULL */
    const char *spiffe;        /* client: the id of the peer, in place of a name; or NULL */
    uint32_t session_seconds;  /* server: how long sessions can be resumed; 0: not at all */
    bool certificate_optional; /* server: clients without a certificate are accepted */
    bool watched;              /* certificates and keys can be renewed: renewal.h */
    bool http1_only;           /* server: ALPN does not offer h2 */
    bool http2;                /* client: offer h2, not http/1.1 */
} TlsFiles;

/* Towards clients; ALPN prefers h2 to http/1.1. */
MUST_USE Result tls_server_context(Arena *arena, const TlsFiles *files, SSL_CTX **context_out);

/* Towards instances. The peer's certificate is verified; the connecting code sets the name. */
MUST_USE Result tls_client_context(Arena *arena, const TlsFiles *files, SSL_CTX **context_out);

/* Calls `see` for each certificate that the context shows: its own and the further ones, each
   followed by its chain. `place` counts from 0 within a chain. */
void tls_context_certificates(SSL_CTX *context,
                              void (*see)(void *owner, X509 *certificate, int place), void *owner);

#endif
