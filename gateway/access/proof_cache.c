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
    uint64_t last[2] = {0};
    size_t size = text.size < sizeof last ? text.size : sizeof last;
    if (size == sizeof last) /* nearly always: two moves, and no call of memcpy */
        memcpy(last, text.data + text.size - sizeof last, sizeof last);
    else if (size)
        memcpy(last, text.data, size);
    uint64_t hash = mix(cache->seeds[0] ^ text.size ^ last[0], cache->seeds[1]);
    return mix((hash + cache->seeds[0]) ^ last[1], cache->seeds[1]);
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

static bool is_fresh(const Entry *entry, int64_t wall, int64_t since)
{
    return entry->at >= since && entry->at <= wall && wall < entry->proof.expires;
}

/* By the hash first, as in is_of: else the time of a comparison would tell how much of a secret was
   guessed. */
bool proof_cache_holds(const ProofCache *cache, const Proof *proof, Bytes text, int64_t wall,
                       int64_t since)
{
    const Entry *entry = (const Entry *)((const char *)proof - offsetof(Entry, proof));
    return is_of(entry, proof->credential, hash_of(cache, text), text) &&
           is_fresh(entry, wall, since);
}

const Proof *proof_cache_find(const ProofCache *cache, const CredentialConfig *method, Bytes text,
                              int64_t wall, int64_t since)
{
    uint64_t hash = hash_of(cache, text);
    Entry *set = set_of(cache, hash);
    for (int i = 0; i < WAYS; i++)
        if (is_of(&set[i], method, hash, text))
            return is_fresh(&set[i], wall, since) ? &set[i].proof : NULL;
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
