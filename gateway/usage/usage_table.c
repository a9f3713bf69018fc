#include "gateway/usage/usage_table.h"

#include "base/result.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 64 };

typedef struct Row {
    struct Row *next; /* in its bucket */
    uint64_t calls;
    uint32_t last; /* seconds since 1970 */
    uint32_t use;
    uint32_t hash; /* of the client; of a shared row, which one it is */
    uint16_t period;
    uint16_t size; /* of the client's name; SHARED: it has none */
    char client[];
} Row;

#define SHARED UINT16_MAX

struct UsageRows {
    Arena *arena; /* of the rows */
    Row **buckets;
    uint32_t n, n_buckets; /* a power of 2 */
    size_t used;           /* bytes of the arena */
    uint32_t at;           /* usage_rows_next: the bucket behind `row` */
    Row *row;
};

typedef struct Shard {
    pthread_mutex_t mutex;
    UsageRows *rows; /* NULL: none yet */
    uint64_t shared_calls;
} Shard;

struct UsageTable {
    size_t memory; /* of a shard */
    Shard shards[USAGE_SHARDS];
};

/* ---- Rows of one shard ----------------------------------------------------------------------- */

static UsageRows *rows_new(void)
{
    UsageRows *rows = calloc(1, sizeof *rows);
    CHECK(rows);
    rows->n_buckets = FIRST_BUCKETS;
    rows->buckets = calloc(FIRST_BUCKETS, sizeof(Row *));
    CHECK(rows->buckets);
    rows->arena = arena_new(ARENA_UNLIMITED);
    return rows;
}

void usage_rows_free(UsageRows *rows)
{
    if (!rows)
        return;
    arena_free(rows->arena);
    free(rows->buckets);
    free(rows);
}

static size_t bytes_used(const UsageRows *rows)
{
    return rows->used + rows->n_buckets * sizeof(Row *);
}

static size_t size_of_row(uint16_t size)
{
    size_t exact = sizeof(Row) + (size == SHARED ? 0 : size);
    return (exact + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}

/* What a call is looked up by. */
typedef struct Key {
    uint32_t hash, use;
    uint16_t period, size;
    const void *client;
} Key;

static Row **bucket_of(const UsageRows *rows, const Key *key)
{
    uint32_t mixed = key->hash / USAGE_SHARDS ^ key->use * UINT32_C(0x9e3779b9);
    uint32_t at = mixed & (rows->n_buckets - 1);
    return &rows->buckets[at];
}

static bool is(const Row *row, const Key *key)
{
    return row->hash == key->hash && row->use == key->use && row->period == key->period &&
           row->size == key->size &&
           (key->size == SHARED || key->size == 0 ||
            memcmp(row->client, key->client, key->size) == 0);
}

static Row *find(const UsageRows *rows, const Key *key)
{
    Row *row = *bucket_of(rows, key);
    while (row && !is(row, key))
        row = row->next;
    return row;
}

static void put(UsageRows *rows, Row *row)
{
    Row **bucket = bucket_of(rows, &(Key){.hash = row->hash, .use = row->use});
    row->next = *bucket;
    *bucket = row;
}

static void grow(UsageRows *rows)
{
    Row **old = rows->buckets;
    uint32_t n = rows->n_buckets;
    rows->n_buckets = 2 * n;
    rows->buckets = calloc(rows->n_buckets, sizeof(Row *));
    CHECK(rows->buckets);
    for (uint32_t i = 0; i < n; i++)
        for (Row *next, *row = old[i]; row; row = next) {
            next = row->next;
            put(rows, row);
        }
    free(old);
}

/* What another row of this size takes, with its part of the buckets. */
static size_t cost_of(const UsageRows *rows, uint16_t size)
{
    size_t row = size_of_row(size);
    return rows->n < rows->n_buckets ? row : row + rows->n_buckets * sizeof(Row *);
}

static Row *add(UsageRows *rows, const Key *key)
{
    if (rows->n == rows->n_buckets)
        grow(rows);
    uint16_t size = key->size == SHARED ? 0 : key->size;
    Row *row = arena_alloc(rows->arena, sizeof *row + size);
    *row = (Row){.use = key->use, .hash = key->hash, .period = key->period, .size = key->size};
    if (size)
        memcpy(row->client, key->client, size);
    put(rows, row);
    rows->n++;
    rows->used += size_of_row(key->size);
    return row;
}

static void count(Row *row, uint64_t calls, uint32_t last)
{
    row->calls += calls;
    row->last = row->last > last ? row->last : last;
}

/* ---- The table ------------------------------------------------------------------------------- */

UsageTable *usage_table_new(size_t memory)
{
    UsageTable *table = calloc(1, sizeof *table);
    CHECK(table);
    table->memory = memory / USAGE_SHARDS;
    for (int i = 0; i < USAGE_SHARDS; i++)
        CHECK(pthread_mutex_init(&table->shards[i].mutex, NULL) == 0);
    return table;
}

void usage_table_free(UsageTable *table)
{
    for (int i = 0; table && i < USAGE_SHARDS; i++) {
        usage_rows_free(table->shards[i].rows);
        pthread_mutex_destroy(&table->shards[i].mutex);
    }
    free(table);
}

void usage_table_limit(UsageTable *table, size_t memory)
{
    for (int i = 0; i < USAGE_SHARDS; i++)
        pthread_mutex_lock(&table->shards[i].mutex);
    table->memory = memory / USAGE_SHARDS;
    for (int i = 0; i < USAGE_SHARDS; i++)
        pthread_mutex_unlock(&table->shards[i].mutex);
}

/* Both the shard and the shared row come from it, and rows say it to other gateways: it is never to
   change. */
static uint32_t hash_of(Bytes client)
{
    uint64_t hash = bytes_hash(client);
    return (uint32_t)(hash ^ hash >> 32);
}

uint32_t usage_shared_of(Bytes client)
{
    return hash_of(bytes_slice(client, 0, USAGE_CLIENT_SIZE)) % USAGE_SHARED + 1;
}

/* Number `shared` is in the shard of the clients that have it. */
static uint32_t shard_of(uint32_t hash)
{
    return hash % USAGE_SHARDS;
}

static void take_in(UsageTable *table, Shard *shard, Key *key, uint64_t calls, uint32_t last)
{
    if (!shard->rows)
        shard->rows = rows_new();
    UsageRows *rows = shard->rows;
    Row *row = find(rows, key);
    if (!row && key->size != SHARED &&
        bytes_used(rows) + cost_of(rows, key->size) > table->memory) {
        key->hash = key->hash % USAGE_SHARED + 1;
        key->size = SHARED;
        row = find(rows, key);
    }
    if (key->size == SHARED)
        shard->shared_calls += calls;
    count(row ? row : add(rows, key), calls, last);
}

static void add_to(UsageTable *table, uint32_t shard, Key *key, uint64_t calls, int64_t wall)
{
    Shard *at = &table->shards[shard];
    uint32_t last = wall > 0 ? (uint32_t)(wall / SECOND) : 0;
    pthread_mutex_lock(&at->mutex);
    take_in(table, at, key, calls, last);
    pthread_mutex_unlock(&at->mutex);
}

static Key key_of(uint32_t use, uint32_t period, Bytes client)
{
    Bytes cut = bytes_slice(client, 0, USAGE_CLIENT_SIZE);
    return (Key){.hash = hash_of(cut),
                 .use = use,
                 .period = (uint16_t)period,
                 .size = (uint16_t)cut.size,
                 .client = cut.data};
}

void usage_table_call(UsageTable *table, uint32_t use, Bytes client, int64_t wall)
{
    Key key = key_of(use, (uint32_t)(wall / USAGE_PERIOD), client);
    add_to(table, shard_of(key.hash), &key, 1, wall);
}

void usage_table_add(UsageTable *table, const UsageCount *count)
{
    Key key = key_of(count->use, count->period, count->client);
    if (count->shared)
        key = (Key){.hash = count->shared,
                    .use = count->use,
                    .period = (uint16_t)count->period,
                    .size = SHARED};
    uint32_t hash = count->shared ? count->shared - 1 : key.hash;
    add_to(table, shard_of(hash), &key, count->calls, count->last);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static UsageCount count_of(const Row *row)
{
    bool shared = row->size == SHARED;
    return (UsageCount){.use = row->use,
                        .period = row->period,
                        .shared = shared ? row->hash : 0,
                        .client = shared ? BYTES_NONE : bytes(row->client, row->size),
                        .calls = row->calls,
                        .last = row->last * SECOND};
}

bool usage_rows_next(UsageRows *rows, UsageCount *row_out)
{
    rows->row = rows->row ? rows->row->next : NULL;
    while (!rows->row && rows->at < rows->n_buckets)
        rows->row = rows->buckets[rows->at++];
    if (rows->row)
        *row_out = count_of(rows->row);
    return rows->row;
}

void usage_table_each(UsageTable *table, uint32_t shard,
                      void (*see)(void *owner, const UsageCount *row), void *owner)
{
    Shard *at = &table->shards[shard];
    UsageCount row;
    pthread_mutex_lock(&at->mutex);
    if (at->rows)
        at->rows->at = 0;
    while (at->rows && usage_rows_next(at->rows, &row))
        see(owner, &row);
    pthread_mutex_unlock(&at->mutex);
}

UsageRows *usage_table_take(UsageTable *table, uint32_t shard)
{
    Shard *at = &table->shards[shard];
    pthread_mutex_lock(&at->mutex);
    UsageRows *rows = at->rows;
    at->rows = NULL;
    pthread_mutex_unlock(&at->mutex);
    if (rows)
        rows->at = 0;
    return rows;
}

void usage_table_forget_old(UsageTable *table, int64_t wall)
{
    for (uint32_t i = 0; i < USAGE_SHARDS; i++) {
        UsageRows *rows = usage_table_take(table, i);
        for (UsageCount row; rows && usage_rows_next(rows, &row);)
            if (row.last >= wall)
                usage_table_add(table, &row);
        usage_rows_free(rows);
    }
}

/* Without a name the row stays where it is: nobody looks for it any more, and sums have it. */
void usage_table_forget_client(UsageTable *table, Bytes client)
{
    Key key = key_of(0, 0, client);
    Shard *shard = &table->shards[shard_of(key.hash)];
    pthread_mutex_lock(&shard->mutex);
    for (uint32_t i = 0; key.size && shard->rows && i < shard->rows->n_buckets; i++)
        for (Row *row = shard->rows->buckets[i]; row; row = row->next)
            if (row->hash == key.hash && row->size == key.size &&
                memcmp(row->client, key.client, key.size) == 0)
                row->size = 0;
    pthread_mutex_unlock(&shard->mutex);
}

UsageTableStats usage_table_stats(UsageTable *table)
{
    UsageTableStats stats = {0};
    for (int i = 0; i < USAGE_SHARDS; i++) {
        Shard *shard = &table->shards[i];
        pthread_mutex_lock(&shard->mutex);
        stats.rows += shard->rows ? shard->rows->n : 0;
        stats.bytes += shard->rows ? bytes_used(shard->rows) : 0;
        stats.shared_calls += shard->shared_calls;
        pthread_mutex_unlock(&shard->mutex);
    }
    return stats;
}
