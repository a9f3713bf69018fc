#include "gateway/access/proof_cache.h"

#include "base/arena.h"

#include <openssl/crypto.h>
#include <stdlib.h>

enum { WAYS = 4 };

typedef struct Entry {
    uint64_t hash;
    Bytes text;  /* in the client's arena */
    Proof proof; /* without a client: free */
    int64_t at;  /* nanoseconds since 1970 */
} Entry;

struct ProofCache {
    Entry *entries;
    uint32_t n_sets;
    uint64_t generation, changes, seeds[2];
};

ProofCache *proof_cache_new(uint32_t entries, Random *random)
{
    ProofCache *cache = calloc(1, sizeof *cache);
    uint32_t n_sets = (entries + WAYS - 1) / WAYS;
    CHECK(cache);
    *cache = (ProofCache){.n_sets = n_sets ? n_sets : 1,
                          .seeds = {random_next(random), random_next(random) | 1}};
    cache->entries = calloc((size_t)cache->n_sets * WAYS, sizeof(Entry));
    CHECK(cache->entries);
    return cache;
}

static void forget(Entry *entry)
{
    if (entry->proof.client) {
        OPENSSL_cleanse((void *)entry->text.data, entry->text.size);
        known_client_release(entry->proof.client);
    }
    *entry = (Entry){0};
}

static void forget_all(ProofCache *cache)
{
    for (uint32_t i = 0; i < cache->n_sets * WAYS; i++)
        forget(&cache->entries[i]);
}

void proof_cache_free(ProofCache *cache)
{
    if (!cache)
        return;
    forget_all(cache);
    free(cache->entries);
    free(cache);
}

void proof_cache_begin(ProofCache *cache, uint64_t generation, uint64_t changes)
{
    if (cache->generation == generation && cache->changes == changes)
        return;
    forget_all(cache);
    cache->generation = generation;
    cache->changes = changes;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of the last bytes: those of a signature, or of a secret. */
static uint64_t hash_of(const ProofCache *cache, Bytes text)
{
    enum { LOOKED_AT = 16 };
    size_t size = text.size < LOOKED_AT ? text.size : LOOKED_AT;
    Bytes end = bytes_slice(text, text.size - size, size);
    uint64_t hash = cache->seeds[0] ^ text.size;
    uint64_t eight = 0;
    size_t whole = end.size - end.size % sizeof eight;
    for (size_t at = 0; at < whole; at += sizeof eight) {
        memcpy(&eight, end.data + at, sizeof eight);
        hash = mix(hash ^ eight, cache->seeds[1]) + cache->seeds[0];
    }
    eight = 0;
    if (whole < end.size)
        memcpy(&eight, end.data + whole, end.size - whole);
    return mix(hash ^ eight, cache->seeds[1]);
}

static Entry *set_of(const ProofCache *cache, uint64_t hash)
{
    return &cache->entries[WAYS * (hash % cache->n_sets)];
}

static bool is_of(const Entry *entry, const CredentialConfig *method, uint64_t hash, Bytes text)
{
    return entry->proof.client && entry->hash == hash && entry->proof.credential == method &&
           bytes_equal(entry->text, text);
}

const Proof *proof_cache_find(const ProofCache *cache, const CredentialConfig *method, Bytes text,
                              int64_t wall, int64_t since)
{
    uint64_t hash = hash_of(cache, text);
    Entry *set = set_of(cache, hash);
    for (int i = 0; i < WAYS; i++)
        if (is_of(&set[i], method, hash, text))
            return set[i].at >= since && set[i].at <= wall && wall < set[i].proof.expires
                       ? &set[i].proof
                       : NULL;
    return NULL;
}

/* The one that has it, or a free one, or the oldest. */
static Entry *place_for(const ProofCache *cache, const CredentialConfig *method, uint64_t hash,
                        Bytes text)
{
    Entry *set = set_of(cache, hash), *best = set;
    for (int i = 0; i < WAYS; i++) {
        if (is_of(&set[i], method, hash, text))
            return &set[i];
        if (set[i].at < best->at)
            best = &set[i];
    }
    return best;
}

void proof_cache_add(ProofCache *cache, Bytes text, const Proof *proof, int64_t wall)
{
    uint64_t hash = hash_of(cache, text);
    Entry *entry = place_for(cache, proof->credential, hash, text);
    forget(entry);
    *entry = (Entry){
        .hash = hash,
        .text = bytes_copy(proof->client->arena, text),
        .proof = *proof,
        .at = wall,
    };
}
