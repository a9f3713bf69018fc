/*
 * Authenticator: who a client is, by the credentials that its request brings.
 *
 * Proofs that were checked a moment ago are remembered on the loop, so that a token or key costs
 * its check once. What is remembered counts for the config that checked it only: with a new config,
 * of other keys perhaps, all are checked again. One loop, its thread.
 */
#ifndef GATEWAY_AUTHENTICATOR_H
#define GATEWAY_AUTHENTICATOR_H

#include "gateway/identity/identity.h"
#include "gateway/loop/loop.h"

typedef struct Proof Proof; /* proof_cache.h */

typedef struct Authenticated {
    const Identity *identity; /* of the first method that has one; NULL: there are no credentials.
                                 In the arena, or of a KnownClient, to be held by who needs it after
                                 this turn */
    const CredentialConfig *credential; /* that proved it */
    int64_t expires;      /* nanoseconds since 1970, from which the proof counts no more; INT64_MAX:
                             never */
    uint32_t retry_after; /* of KEYS_UNAVAILABLE: seconds until the keys are fetched again */
    uint32_t n_withheld;
    Bytes withheld[CREDENTIALS_MOST]; /* fields with credentials, for the gateway alone */
} Authenticated;

/* What a call comes with. */
typedef struct Asked {
    Loop *loop;
    const Config *config;
    const Fields *head;
    const CertificateNames *certificate; /* of the peer, verified; or NULL */
    int64_t wall;                        /* nanoseconds since 1970 */
    Arena *arena;                        /* of the identity */
    const Proof **last; /* of the connection: what has proved a name there last, for the next time;
                           NULL in it: nothing */
} Asked;

/*
 * Tries the methods in their order; the first one that proves an identity decides. All credentials
 * that the request has for any of them are checked, and a bad one is an error, whatever else there
 * is; in one field, it is good if it is of one of the methods that look at that field. Faults:
 * CREDENTIALS_REFUSED, CREDENTIALS_EXPIRED, KEYS_UNAVAILABLE, OUT_OF_MEMORY.
 */
MUST_USE Result authenticate(const Asked *asked, CredentialList methods, Authenticated *out);

/* The loop has ended. Does nothing if nothing was remembered. */
void authenticator_close(Loop *loop);

#endif
