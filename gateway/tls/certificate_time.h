/* CertificateTime: from when to when certificates and revocation lists are valid, as wall time in
   nanoseconds; INT64_MIN or INT64_MAX: it does not reach so far. Plain functions; any thread. */
#ifndef GATEWAY_CERTIFICATE_TIME_H
#define GATEWAY_CERTIFICATE_TIME_H

#include <stdint.h>

typedef struct x509_st X509;       /* OpenSSL's */
typedef struct ssl_ctx_st SSL_CTX; /* OpenSSL's */

int64_t certificate_begins(const X509 *certificate);
int64_t certificate_ends(const X509 *certificate);

/* When the first of the context's revocation lists ends that has not ended by then (INT64_MIN: of
   all); INT64_MAX: there is none, or none ends. */
int64_t revocations_end(SSL_CTX *context, int64_t after);

#endif
