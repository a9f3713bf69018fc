/*
 * Renewal: the certificates and keys of an SSL_CTX, replaced while it is in use.
 *
 *      files --renewal_read--> CertificateTable --renewal_use--> [mutex] <-- handshakes of all
 * loops
 *
 * Only contexts made from TlsFiles with `watched` have one; it lives as long as they do. A
 * handshake takes the certificates that are there when it begins. Authorities and revocation lists
 * stay those of the context. Reading is for any thread, but one at a time.
 */
#ifndef GATEWAY_TLS_RENEWAL_H
#define GATEWAY_TLS_RENEWAL_H

#include "gateway/tls/certificate_table.h"
#include "gateway/tls/tls_context.h"

typedef struct Renewal Renewal;

/* For a new context, with the files' pairs, which are copied. Takes the table, which has them in
   their order. Fault: TLS. */
MUST_USE Result renewal_begin(Arena *arena, SSL_CTX *context, const TlsFiles *files,
                              CertificateTable *table);

/* NULL: the context has none. */
Renewal *renewal_of(SSL_CTX *context);

/* A number that changes with each change of the files: other names behind links, sizes, times, or
   that one is missing. Never 0. May block as reading does. */
uint64_t renewal_stamp(const Renewal *renewal);

/* Reads and checks all pairs; *table_out belongs to the caller, and is NULL if it fails. Faults as
   of tls_server_context. */
MUST_USE Result renewal_read(const Renewal *renewal, Arena *arena, CertificateTable **table_out);

/* Whether the table may take the place of what is shown: no certificate of it has ended in place of
   one that has not. Fault: TLS. */
MUST_USE Result renewal_check(Renewal *renewal, Arena *arena, const CertificateTable *table,
                              int64_t now);

/* Whether the table has the certificates that are shown now. */
bool renewal_shows(Renewal *renewal, const CertificateTable *table);

/* Takes the table: handshakes that begin from now on show it. Any thread. */
void renewal_use(Renewal *renewal, CertificateTable *table);

/* certificate_table_each for what is shown now. */
void renewal_each(Renewal *renewal, void (*see)(void *owner, const ShownCertificate *shown),
                  void *owner);

#endif
