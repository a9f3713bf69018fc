/* Certificates made on the spot: an authority, and contexts whose certificate it has signed. */
#ifndef TESTS_UNIT_GATEWAY_CERTIFICATES_H
#define TESTS_UNIT_GATEWAY_CERTIFICATES_H

#include <openssl/ssl.h>
#include <stdbool.h>

typedef struct Authority {
    EVP_PKEY *key;
    X509 *certificate;
} Authority;

Authority authority_new(void);
void authority_free(Authority *authority);

/* A server for `name` (DNS), choosing "h2" when `http2`, else "http/1.1". Clients must show a
   certificate of `clients` unless that is NULL. */
SSL_CTX *server_context(const Authority *authority, const char *name, bool http2,
                        const Authority *clients);

/* A client that trusts servers of `servers` only; `authority` signs its certificate, if not
   NULL. */
SSL_CTX *client_context(const Authority *servers, const Authority *authority, const char *name);

#endif
