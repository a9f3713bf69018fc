#include "gateway/cache/response_cache.h"

#include "base/blocks.h"
#include "base/memory/budget.h"
#include "gateway/loop/fair_queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHAIN_BYTES = 1024,    /* of memory, for which there is one chain */
    CHAINS_MOST = 1 << 16, /* of a shard */
    RENEWED_MOST = 4096,   /* bytes of a message that are copied under the lock */
    SHORT_EVICTIONS = 4,   /* for each response that would be kept while memory is short */
};

typedef struct Entry Entry;
typedef struct Part Part;

/* The two lists that each entry is in. */
typedef enum ListKind { OF_ALL, OF_CLIENT, LISTS } ListKind;

typedef struct List {
    Entry *newest, *oldest;
} List;

struct Entry {
    Entry *chain;
    ResponseKey key;
    Part *part;
    struct {
        Entry *newer, *older;
    } in[LISTS];
    int64_t kept;
    atomic_uint references; /* the shard's, and those of who copies the message */
    uint32_t size;
    uint8_t message[];
};

/* What one client has in a shard. */
struct Part {
    Part *chain;
    IpAddress client;
    size_t bytes;
    List list;
};

typedef struct Shard {
    pthread_mutex_t lock;
    Entry **entries; /* chains */
    Part **parts;
    List all;
    size_t bytes, most, client_most;
    ResponseStats stats; /* without `bytes` */
} Shard;

struct ResponseCache {
    Shard shards[RESPONSE_SHARDS];
    uint32_t n_chains;
};

/* ---- Lists ----------------------------------------------------------------------------------- */

static void list_push(List *list, Entry *entry, ListKind kind)
{
    entry->in[kind].newer = NULL;
    entry->in[kind].older = list->newest;
    if (list->newest)
        list->newest->in[kind].newer = entry;
    else
        list->oldest = entry;
    list->newest = entry;
}

static void list_remove(List *list, Entry *entry, ListKind kind)
{
    Entry *newer = entry->in[kind].newer, *older = entry->in[kind].older;
    *(newer ? &newer->in[kind].older : &list->newest) = older;
    *(older ? &older->in[kind].newer : &list->oldest) = newer;
}

/* ---- Finding --------------------------------------------------------------------------------- */

static Shard *shard_of(ResponseCache *cache, const ResponseKey *key)
{
    return &cache->shards[key->low % RESPONSE_SHARDS];
}

static Entry **entry_at(const ResponseCache *cache, const Shard *shard, const ResponseKey *key)
{
    Entry **at = &shard->entries[key->high & (cache->n_chains - 1)];
    while (*at && ((*at)->key.low != key->low || (*at)->key.high != key->high))
        at = &(*at)->chain;
    return at;
}

/* All that have no address are one. */
static bool is_same_client(const IpAddress *a, const IpAddress *b)
{
    return a->known == b->known && ip_equal(a, b);
}

/* Addresses are the clients' choice, and their number is bounded by that of the entries. */
static Part **part_at(const ResponseCache *cache, const Shard *shard, const IpAddress *client)
{
    uint64_t halves[2];
    memcpy(halves, client->bytes, sizeof halves);
    uint64_t mixed = (halves[0] ^ (halves[1] << 1 | halves[1] >> 63)) * 0x9e3779b97f4a7c15u;
    Part **at = &shard->parts[mixed >> 40 & (cache->n_chains - 1)];
    while (*at && !is_same_client(&(*at)->client, client))
        at = &(*at)->chain;
    return at;
}

/* ---- Removing -------------------------------------------------------------------------------- */

static void entry_release(Entry *entry)
{
    if (atomic_fetch_sub_explicit(&entry->references, 1, memory_order_acq_rel) == 1)
        free(entry);
}

static size_t cost_of(const Entry *entry)
{
    return RESPONSE_OVERHEAD + entry->size;
}

static void drop_part(const ResponseCache *cache, Shard *shard, Part *part)
{
    Part **at = part_at(cache, shard, &part->client);
    *at = part->chain;
    shard->stats.clients--;
    free(part);
}

/* Under the lock. */
static void take_out(const ResponseCache *cache, Shard *shard, Entry **at)
{
    Entry *entry = *at;
    Part *part = entry->part;
    *at = entry->chain;
    list_remove(&shard->all, entry, OF_ALL);
    list_remove(&part->list, entry, OF_CLIENT);
    shard->bytes -= cost_of(entry);
    part->bytes -= cost_of(entry);
    shard->stats.entries--;
    memory_add(MEMORY_CACHE, -(int64_t)cost_of(entry));
    if (!part->list.oldest)
        drop_part(cache, shard, part);
    entry_release(entry);
}

static void evict(const ResponseCache *cache, Shard *shard, const Entry *entry)
{
    take_out(cache, shard, entry_at(cache, shard, &entry->key));
    shard->stats.evicted++;
}

static void make_room(const ResponseCache *cache, Shard *shard, size_t more)
{
    while (shard->all.oldest && shard->bytes + more > shard->most)
        evict(cache, shard, shard->all.oldest);
}

/* ---- Keeping --------------------------------------------------------------------------------- */

/* NULL: there is no memory for it. */
static Entry *entry_new(const ResponseKey *key, Bytes message, int64_t now)
{
    Entry *entry = block_try(sizeof *entry + message.size);
    if (!entry)
        return NULL;
    entry->key = *key;
    entry->kept = now;
    entry->size = (uint32_t)message.size;
    atomic_init(&entry->references, 1);
    if (message.size)
        memcpy(entry->message, message.data, message.size);
    return entry;
}

static Part *use_part(const ResponseCache *cache, Shard *shard, const IpAddress *client)
{
    Part **at = part_at(cache, shard, client);
    if (*at)
        return *at;
    *at = calloc(1, sizeof **at);
    CHECK(*at);
    (*at)->client = *client;
    shard->stats.clients++;
    return *at;
}

/* There is room for it. */
static void put_in(const ResponseCache *cache, Shard *shard, Entry *entry, const IpAddress *client)
{
    Part *part = use_part(cache, shard, client);
    Entry **at = entry_at(cache, shard, &entry->key);
    entry->part = part;
    entry->chain = NULL;
    *at = entry;
    list_push(&shard->all, entry, OF_ALL);
    list_push(&part->list, entry, OF_CLIENT);
    shard->bytes += cost_of(entry);
    part->bytes += cost_of(entry);
    shard->stats.entries++;
    shard->stats.kept++;
    memory_add(MEMORY_CACHE, (int64_t)cost_of(entry));
}

static void evict_for(const ResponseCache *cache, Shard *shard, const IpAddress *client,
                      size_t more)
{
    Part *part = *part_at(cache, shard, client);
    while (part && part->bytes + more > shard->client_most) {
        bool last = part->list.oldest == part->list.newest;
        evict(cache, shard, part->list.oldest);
        part = last ? NULL : part;
    }
    make_room(cache, shard, more);
}

static void give_way(const ResponseCache *cache, Shard *shard)
{
    for (int i = 0; i < SHORT_EVICTIONS && shard->all.oldest; i++)
        evict(cache, shard, shard->all.oldest);
}

static void move_to_front(Shard *shard, Entry *entry)
{
    Part *part = entry->part;
    if (shard->all.newest == entry) /* then it is the client's newest, too */
        return;
    list_remove(&shard->all, entry, OF_ALL);
    list_push(&shard->all, entry, OF_ALL);
    list_remove(&part->list, entry, OF_CLIENT);
    list_push(&part->list, entry, OF_CLIENT);
}

/* Most responses are as large as the one before, and small: they take its place, and its memory. */
static bool renew(const ResponseCache *cache, Shard *shard, const ResponseKey *key, Bytes message,
                  int64_t now)
{
    Entry *entry = *entry_at(cache, shard, key);
    if (!entry || entry->size != message.size || message.size > RENEWED_MOST ||
        atomic_load_explicit(&entry->references, memory_order_acquire) != 1)
        return false;
    if (message.size)
        memcpy(entry->message, message.data, message.size);
    entry->kept = now;
    move_to_front(shard, entry);
    shard->stats.kept++;
    return true;
}

/* In place of the one before. `entry` NULL: memory is short. */
static void replace(const ResponseCache *cache, Shard *shard, const ResponseKey *key,
                    const IpAddress *client, Entry *entry)
{
    Entry **before = entry_at(cache, shard, key);
    if (*before)
        take_out(cache, shard, before);
    if (!entry) {
        give_way(cache, shard);
    } else if (cost_of(entry) <= shard->client_most) {
        evict_for(cache, shard, client, cost_of(entry));
        put_in(cache, shard, entry, client);
    } else {
        entry_release(entry);
    }
}

/* Two threads may have a message each for the same place: the later one stays. */
void response_cache_keep(ResponseCache *cache, const ResponseKey *key, const IpAddress *client,
                         Bytes message, int64_t now)
{
    Shard *shard = shard_of(cache, key);
    bool is_short = memory_is_short();
    pthread_mutex_lock(&shard->lock);
    bool renewed = !is_short && renew(cache, shard, key, message, now);
    pthread_mutex_unlock(&shard->lock);
    if (renewed)
        return;
    Entry *entry = is_short ? NULL : entry_new(key, message, now);
    IpAddress who = fair_client_of(client);
    pthread_mutex_lock(&shard->lock);
    replace(cache, shard, key, &who, entry);
    pthread_mutex_unlock(&shard->lock);
}

void response_cache_drop(ResponseCache *cache, const ResponseKey *key)
{
    Shard *shard = shard_of(cache, key);
    pthread_mutex_lock(&shard->lock);
    Entry **at = entry_at(cache, shard, key);
    if (*at)
        take_out(cache, shard, at);
    pthread_mutex_unlock(&shard->lock);
}

bool response_cache_find(ResponseCache *cache, const ResponseKey *key, int64_t since, Arena *arena,
                         Bytes *message_out, int64_t *kept_out)
{
    Shard *shard = shard_of(cache, key);
    pthread_mutex_lock(&shard->lock);
    Entry *entry = *entry_at(cache, shard, key);
    if (entry && entry->kept < since)
        entry = NULL;
    if (entry)
        atomic_fetch_add_explicit(&entry->references, 1, memory_order_relaxed);
    shard->stats.found += entry != NULL;
    shard->stats.missed += entry == NULL;
    pthread_mutex_unlock(&shard->lock);
    if (!entry)
        return false;
    *kept_out = entry->kept;
    *message_out =
        entry->size ? bytes_copy(arena, bytes(entry->message, entry->size)) : bytes("", 0);
    entry_release(entry);
    return message_out->data != NULL;
}

/* ---- The whole ------------------------------------------------------------------------------- */

size_t response_cache_largest(const ResponseLimits *limits)
{
    size_t part = limits->memory / RESPONSE_SHARDS / 100 * limits->client_percent;
    return part > RESPONSE_OVERHEAD ? part - RESPONSE_OVERHEAD : 0;
}

void response_cache_limit(ResponseCache *cache, const ResponseLimits *limits)
{
    for (uint32_t i = 0; i < RESPONSE_SHARDS; i++) {
        Shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        shard->most = limits->memory / RESPONSE_SHARDS;
        shard->client_most = response_cache_largest(limits) + RESPONSE_OVERHEAD;
        make_room(cache, shard, 0);
        pthread_mutex_unlock(&shard->lock);
    }
}

void response_cache_clear(ResponseCache *cache)
{
    for (uint32_t i = 0; i < RESPONSE_SHARDS; i++) {
        Shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        while (shard->all.oldest)
            take_out(cache, shard, entry_at(cache, shard, &shard->all.oldest->key));
        pthread_mutex_unlock(&shard->lock);
    }
}

static uint32_t chains_for(size_t memory)
{
    uint32_t n = 16;
    while (n < CHAINS_MOST && (size_t)n * CHAIN_BYTES < memory / RESPONSE_SHARDS)
        n *= 2;
    return n;
}

ResponseCache *response_cache_new(const ResponseLimits *limits)
{
    ResponseCache *cache = calloc(1, sizeof *cache);
    CHECK(cache);
    cache->n_chains = chains_for(limits->memory);
    for (uint32_t i = 0; i < RESPONSE_SHARDS; i++) {
        Shard *shard = &cache->shards[i];
        CHECK(pthread_mutex_init(&shard->lock, NULL) == 0);
        shard->entries = calloc(cache->n_chains, sizeof(Entry *));
        shard->parts = calloc(cache->n_chains, sizeof(Part *));
        CHECK(shard->entries && shard->parts);
    }
    response_cache_limit(cache, limits);
    return cache;
}

void response_cache_free(ResponseCache *cache)
{
    if (!cache)
        return;
    response_cache_clear(cache);
    for (uint32_t i = 0; i < RESPONSE_SHARDS; i++) {
        pthread_mutex_destroy(&cache->shards[i].lock);
        free(cache->shards[i].entries);
        free(cache->shards[i].parts);
    }
    free(cache);
}

ResponseStats response_cache_stats(ResponseCache *cache)
{
    ResponseStats sum = {.entries = 0};
    for (uint32_t i = 0; i < RESPONSE_SHARDS; i++) {
        Shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->lock);
        sum.entries += shard->stats.entries;
        sum.clients += shard->stats.clients;
        sum.bytes += shard->bytes;
        sum.kept += shard->stats.kept;
        sum.evicted += shard->stats.evicted;
        sum.found += shard->stats.found;
        sum.missed += shard->stats.missed;
        pthread_mutex_unlock(&shard->lock);
    }
    return sum;
}
