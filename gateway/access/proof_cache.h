/*
 * ProofCache: credentials that were found good, with the identity that they prove.
 *
 * Of a fixed number of entries: one that is new takes the place of the oldest of the four that it
 * could be in. Credentials are compared whole, and their places depend on secret seeds, so that
 * nobody can choose whose entry is replaced. What is found lives until the next change; its place,
 * as long as the cache. One thread.
 */
#ifndef GATEWAY_PROOF_CACHE_H
#define GATEWAY_PROOF_CACHE_H

#include "base/random.h"
#include "gateway/identity/known_client.h"
#include "gateway/token/key_use.h"

typedef struct ProofCache ProofCache;
typedef struct Proof Proof;

struct Proof {
    KnownClient *client; /* held by the cache */
    const CredentialConfig *credential;
    int64_t expires; /* nanoseconds since 1970: of the credential */
    KeyUse *use;     /* of an API key; NULL: it is none */
};

/* For so many proofs; at least 4. Without memory the process ends. */
ProofCache *proof_cache_new(uint32_t entries, Random *random);

/* `cache` may be NULL. */
void proof_cache_free(ProofCache *cache);

/* Forgets all, if one of both is another than before: the generation of the config, and the number
   of changes of keys (key_sources_changes). */
void proof_cache_begin(ProofCache *cache, uint64_t generation, uint64_t changes);

/* By that method. NULL: not there, or older than `since`, or expired at `wall` (both nanoseconds
   since 1970). */
const Proof *proof_cache_find(const ProofCache *cache, const CredentialConfig *method, Bytes text,
                              int64_t wall, int64_t since);

/* Whether a proof that was found once is still that of the text, if proof_cache_begin was called
   since: in its place may be another one, or none. */
bool proof_cache_holds(const ProofCache *cache, const Proof *proof, Bytes text, int64_t wall,
                       int64_t since);

/* Takes the caller's hold of the client, and remembers a copy of the text. `wall`: now. */
void proof_cache_add(ProofCache *cache, Bytes text, const Proof *proof, int64_t wall);

#endif
