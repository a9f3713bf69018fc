/*
 * OpenSSL contexts as the config asks for them: TLS 1.2 and newer, ALPN, certificates.
 *
 * Made when a config is loaded, one thread; read by all loops afterwards. Whoever made one frees
 * it. A failure names in its `field` the key of the config that is at fault ("certificate", "key",
 * "client_ca", "ca").
 */
#ifndef GATEWAY_TLS_CONTEXT_H
#define GATEWAY_TLS_CONTEXT_H

#include "base/result.h"

typedef struct ssl_ctx_st SSL_CTX; /* OpenSSL's */

typedef struct TlsFiles {
    const char *certificate, *key; /* PEM; NULL: none */
    const char *authorities; /* PEM: who may have signed the peer's; NULL: nobody is asked (server),
                                the system's (client) */
    bool certificate_optional; /* server: a client without one is let in too */
    bool http2;                /* client: offer h2, not http/1.1 */
} TlsFiles;

/* Towards clients; ALPN takes h2 before http/1.1. */
MUST_USE Result tls_server_context(Arena *arena, const TlsFiles *files, SSL_CTX **context_out);

/* Towards instances. The peer's certificate is verified; whoever connects sets the name. */
MUST_USE Result tls_client_context(Arena *arena, const TlsFiles *files, SSL_CTX **context_out);

#endif
