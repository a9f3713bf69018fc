#include "gateway/token/key_use.h"

#include <pthread.h>
#include <stdlib.h>

enum { BINS = 1024 };

typedef struct LoopUse {
    KeyUse use; /* first */
    const void *loop;
    struct LoopUse *next;
} LoopUse;

typedef struct UsedKey {
    uint8_t hash[API_KEY_HASH_SIZE];
    LoopUse *loops;
    struct UsedKey *next;
} UsedKey;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static UsedKey *bins[BINS];

/* ---- Under the mutex ------------------------------------------------------------------------- */

/* The hash of a key is as good as random. */
static UsedKey **bin_of(const uint8_t *hash)
{
    return &bins[(hash[0] | hash[1] << 8) % BINS];
}

static UsedKey *find(const uint8_t *hash)
{
    UsedKey *key = *bin_of(hash);
    while (key && memcmp(key->hash, hash, API_KEY_HASH_SIZE) != 0)
        key = key->next;
    return key;
}

static UsedKey *add_key(const uint8_t *hash)
{
    UsedKey *key = calloc(1, sizeof *key), **bin = bin_of(hash);
    CHECK(key);
    memcpy(key->hash, hash, API_KEY_HASH_SIZE);
    key->next = *bin;
    *bin = key;
    return key;
}

static LoopUse *use_on(UsedKey *key, const void *loop)
{
    LoopUse *use = key->loops;
    while (use && use->loop != loop)
        use = use->next;
    if (use)
        return use;
    use = calloc(1, sizeof *use);
    CHECK(use);
    use->loop = loop;
    use->next = key->loops;
    key->loops = use;
    return use;
}

/* ---- Outside --------------------------------------------------------------------------------- */

KeyUse *key_use_of(const void *loop, const uint8_t hash[API_KEY_HASH_SIZE])
{
    pthread_mutex_lock(&mutex);
    UsedKey *key = find(hash);
    LoopUse *use = use_on(key ? key : add_key(hash), loop);
    pthread_mutex_unlock(&mutex);
    return &use->use;
}

KeyUsed key_used(const uint8_t hash[API_KEY_HASH_SIZE])
{
    KeyUsed sum = {0};
    pthread_mutex_lock(&mutex);
    const UsedKey *key = find(hash);
    for (LoopUse *use = key ? key->loops : NULL; use; use = use->next) {
        int64_t last = atomic_load_explicit(&use->use.last, memory_order_relaxed);
        sum.calls += atomic_load_explicit(&use->use.calls, memory_order_relaxed);
        sum.last = last > sum.last ? last : sum.last;
    }
    pthread_mutex_unlock(&mutex);
    return sum;
}
