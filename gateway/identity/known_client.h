/*
 * KnownClient: an identity that many calls have in common, with what each of them needs of it, made
 * once.
 *
 * It is for one config, since another one may show its clients otherwise. It is counted: who
 * remembers it holds it, and each call of the client does. One loop, its thread.
 */
#ifndef GATEWAY_KNOWN_CLIENT_H
#define GATEWAY_KNOWN_CLIENT_H

#include "gateway/identity/identity.h"

typedef struct Account Account;

/* Whether rules allow a version to the client; `rules` is NULL where nothing was asked yet. */
typedef struct KnownVerdict {
    const AccessRules *rules;
    const char *version; /* or NULL */
    bool allowed;
} KnownVerdict;

enum { KNOWN_VERDICTS = 16 /* a power of two */ };

typedef struct KnownClient {
    Identity identity; /* whose `known` is this */
    Bytes shown;       /* identity_shown */
    uint64_t hash;     /* bytes_hash of that */
    Buffer members;    /* of lines in the log; empty until the first one */
    IpAddress place;   /* identity_place */
    Account *account;  /* of the place: its count */
    KnownVerdict verdicts[KNOWN_VERDICTS];
    Arena *arena; /* that this is in */
    uint32_t n_holders;
} KnownClient;

/* A copy of all of it; the identity has a name. The caller holds it. */
KnownClient *known_client_new(const Identity *identity, const Config *config);

static inline void known_client_hold(KnownClient *client)
{
    client->n_holders++;
}

/* Frees it with its last holder. */
void known_client_release(KnownClient *client);

#endif
