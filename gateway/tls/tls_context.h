/*
 * OpenSSL contexts for the config: TLS 1.2 and newer, ALPN, certificates.
 *
 * Created when a config is loaded, by one thread; then read by all loops. The creator frees it. The
 * `field` of a failure is the invalid key of the config ("certificate", "key", "client_ca", "ca").
 */
#ifndef GATEWAY_TLS_CONTEXT_H
#define GATEWAY_TLS_CONTEXT_H

#include "base/result.h"

typedef struct ssl_ctx_st SSL_CTX; /* OpenSSL's */

typedef struct TlsFiles {
    const char *certificate, *key; /* PEM; NULL: none */
    const char *authorities;       /* PEM: authorities for the peer's certificate; NULL: no client
                                      certificates (server), the system's (client) */
    bool certificate_optional;     /* server: clients without a certificate are accepted */
    bool http1_only;               /* server: ALPN does not offer h2 */
    bool http2;                    /* client: offer h2, not http/1.1 */
} TlsFiles;

/* Towards clients; ALPN prefers h2 to http/1.1. */
MUST_USE Result tls_server_context(Arena *arena, const TlsFiles *files, SSL_CTX **context_out);

/* Towards instances. The peer's certificate is verified; the connecting code sets the name. */
MUST_USE Result tls_client_context(Arena *arena, const TlsFiles *files, SSL_CTX **context_out);

#endif
