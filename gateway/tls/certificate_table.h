/*
 * CertificateTable: which certificates a client gets for the host name that it asks for (SNI).
 *
 * Built by one thread, then read by all loops; lives as long as the SSL_CTX that it is given to.
 */
#ifndef GATEWAY_CERTIFICATE_TABLE_H
#define GATEWAY_CERTIFICATE_TABLE_H

#include "base/bytes.h"

#include <openssl/x509.h>

typedef struct CertificateTable CertificateTable;

/* A certificate with its key and those that follow it. */
typedef struct ShownCertificate {
    struct ShownCertificate *next; /* another one for the same name, of another kind of key */
    X509 *certificate;
    EVP_PKEY *key;
    STACK_OF(X509) * chain; /* or NULL */
} ShownCertificate;

CertificateTable *certificate_table_new(void);

/* NULL is allowed. */
void certificate_table_free(CertificateTable *table);

/* Takes a reference to each part. Returns how many names it has: 0: nobody can ask for it. Names
   are those of kind DNS; `*.shop.example` is for one label in place of the star. */
size_t certificate_table_add(CertificateTable *table, X509 *certificate, EVP_PKEY *key,
                             STACK_OF(X509) * chain);

/* For a host name in any case of letters; a certificate with the name itself goes before one with a
   star. NULL: there is none. */
const ShownCertificate *certificate_table_find(const CertificateTable *table, Bytes host);

/* Calls `see` for each that was added, in order. */
void certificate_table_each(const CertificateTable *table,
                            void (*see)(void *owner, const ShownCertificate *shown), void *owner);

#endif
