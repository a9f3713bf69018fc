/*
 * Spiffe: instances that are known by their SPIFFE id (`spiffe://shop.example/orders`) in place of
 * a host name: the only URI in their certificate, as an X.509-SVID has it. Any thread.
 */
#ifndef GATEWAY_SPIFFE_H
#define GATEWAY_SPIFFE_H

#include "base/bytes.h"

typedef struct ssl_ctx_st SSL_CTX; /* OpenSSL's */
typedef struct x509_st X509;       /* OpenSSL's */

/* Why the text is no SPIFFE id; NULL: it is one. */
const char *spiffe_id_is_wrong(Bytes id);

/* Whether the certificate has the id, and no other URI. */
bool spiffe_id_is_of(X509 *certificate, const char *id);

/* Only peers with the id are accepted from now on; it is copied. Before connections are made of the
   context. False: there is no memory. */
bool spiffe_expect(SSL_CTX *context, const char *id);

/* The id that is expected; lives as long as the context. NULL: peers are known by their host. */
const char *spiffe_expected(const SSL_CTX *context);

#endif
