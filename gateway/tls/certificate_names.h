/*
 * CertificateNames: the names in a peer's certificate, one of each kind.
 *
 * One block of memory, which the caller frees with free(). Plain values; any thread.
 */
#ifndef GATEWAY_CERTIFICATE_NAMES_H
#define GATEWAY_CERTIFICATE_NAMES_H

typedef struct x509_st X509; /* OpenSSL's */

typedef enum CertificateName {
    CERTIFICATE_SUBJECT,     /* the whole subject as RFC 2253 writes it: "CN=panel,O=Shop" */
    CERTIFICATE_COMMON_NAME, /* of the subject */
    CERTIFICATE_DNS,         /* the first subjectAltName of this kind; as the next two */
    CERTIFICATE_URI,
    CERTIFICATE_EMAIL,
    CERTIFICATE_NAMES,
} CertificateName;

typedef struct CertificateNames {
    const char *names[CERTIFICATE_NAMES]; /* UTF-8; NULL: the certificate has none of this kind */
} CertificateNames;

/* Names with control characters, which could pass for others in a log, are left out. Never NULL. */
CertificateNames *certificate_names_read(X509 *certificate);

#endif
