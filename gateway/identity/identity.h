/*
 * Identity: who makes a call, and how that was proved.
 *
 * Sources are asked in order, and the first one that proves a name decides (the table in
 * identity.c). Where none does, the call is anonymous: all that is known of its client is its
 * address. An identity lives in the call's arena, and is never changed.
 *
 * Names of clients go to logs and to the store as the config says (identity_shown); they never
 * become labels of metrics.
 */
#ifndef GATEWAY_IDENTITY_H
#define GATEWAY_IDENTITY_H

#include "base/fields.h"
#include "gateway/config/config.h"

typedef enum IdentityProof {
    PROOF_ADDRESS,     /* nothing else is known: anonymous */
    PROOF_HEADER,      /* a field that a trusted proxy has set */
    PROOF_CERTIFICATE, /* a verified client certificate */
    PROOF_TOKEN,       /* a signed token: gateway/access */
    PROOF_API_KEY,     /* a secret that only the client has */
    PROOFS,            /* their number; jobs keep them by number, so new ones come last */
} IdentityProof;

/* What the source of the name says of the client besides. */
typedef struct Claim {
    const char *name; /* needs no escapes in JSON; lives as long as the identity */
    Bytes value;      /* not empty */
} Claim;

typedef struct Identity {
    Bytes name;          /* empty: anonymous */
    Bytes tenant, class; /* groups that the client belongs to; may be empty */
    const Claim *claims; /* in the order of the config */
    uint32_t n_claims;
    IdentityProof how;
    struct KnownClient *known; /* that this is of (known_client.h); NULL: it is of one call */
    const char *by; /* the name of the method in `authentication` that proved it; NULL: it has none.
                       Lives as long as the identity */
} Identity;

extern const Identity identity_anonymous;

/* What a call comes with. */
typedef struct IdentityEvidence {
    const Config *config;
    const Fields *head;                  /* NULL: the peer is no trusted proxy */
    const CertificateNames *certificate; /* of the peer, verified; or NULL */
} IdentityEvidence;

/* The identity in the arena, or `identity_anonymous`; also where the arena is full. */
const Identity *identity_find(const IdentityEvidence *evidence, Arena *arena);

/* A copy of all of it, the names of claims too; NULL: the arena is full. `identity_anonymous` stays
 * what it is. */
const Identity *identity_copy(const Identity *identity, Arena *arena);

/* "certificate", as the log says it; NULL for an anonymous call. */
const char *identity_how(const Identity *identity);

/* The keyed hash of a client's name: 32 hexadecimal digits, in the arena. Empty if the config has
   no key for it, and without memory. */
Bytes identity_hash(Bytes name, const Config *config, Arena *arena);

/* The name, or its keyed hash, as `clients` of the config says: what every record of a client has,
   in the log and in the store. Empty for an anonymous call, and where there is no memory for the
   hash. */
Bytes identity_shown(const Identity *identity, const Config *config, Arena *arena);

/*
 * An address that stands for the client where clients take turns or hold memory (fair_queue.h,
 * accounts.h): `address` for an anonymous call; else one made from the name, in a network that is
 * not used (0100::/8), and different in each process. So a client with a proved name is one client
 * at all of its addresses, and two clients at one address are two.
 */
IpAddress identity_place(const Identity *identity, const IpAddress *address);

/* The same for a connection, of which only the certificate (NULL: none) and the address are known.
 */
IpAddress identity_connection_place(const Config *config, const CertificateNames *certificate,
                                    const IpAddress *address);

#endif
