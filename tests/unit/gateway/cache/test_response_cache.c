#include "tests/unit/check.h"

#include "base/memory/budget.h"
#include "base/random.h"
#include "gateway/cache/response_cache.h"

#include <pthread.h>

static IpAddress client_at(uint8_t number)
{
    return ip_of_bytes(bytes((uint8_t[]){10, 0, 0, number}, 4));
}

/* All of one shard. */
static ResponseKey key_at(uint64_t number)
{
    return (ResponseKey){.low = number * RESPONSE_SHARDS, .high = number};
}

static void keep(ResponseCache *cache, uint64_t key, uint8_t client, const char *text, int64_t now)
{
    ResponseKey k = key_at(key);
    IpAddress c = client_at(client);
    response_cache_keep(cache, &k, &c, bytes_of(text), now);
}

static const char *found(ResponseCache *cache, Arena *arena, uint64_t key, int64_t since)
{
    ResponseKey k = key_at(key);
    Bytes message;
    int64_t kept;
    if (!response_cache_find(cache, &k, since, arena, &message, &kept))
        return NULL;
    assert_true(kept >= since);
    return arena_text(arena, message);
}

/* One shard has `bytes`. */
static ResponseCache *cache_of(size_t shard_bytes, uint32_t percent)
{
    return response_cache_new(
        &(ResponseLimits){.memory = shard_bytes * RESPONSE_SHARDS, .client_percent = percent});
}

static void a_response_is_found_by_its_key_until_it_is_too_old(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ResponseCache *cache = cache_of(4000, 100);
    keep(cache, 1, 1, "one", 100);
    keep(cache, 2, 1, "", 100);
    assert_string_equal(found(cache, arena, 1, 100), "one");
    assert_null(found(cache, arena, 1, 101));
    assert_string_equal(found(cache, arena, 2, 0), "");
    assert_null(found(cache, arena, 3, 0));
    keep(cache, 1, 2, "newer", 200);
    assert_string_equal(found(cache, arena, 1, 200), "newer");
    ResponseStats stats = response_cache_stats(cache);
    assert_int_equal(stats.entries, 2);
    assert_int_equal(stats.clients, 2);
    assert_int_equal(stats.kept, 3);
    assert_int_equal(stats.found, 3);
    assert_int_equal(stats.missed, 2);
    assert_int_equal(stats.evicted, 0);
    assert_int_equal(stats.bytes, 2 * RESPONSE_OVERHEAD + 5);
    response_cache_clear(cache);
    assert_null(found(cache, arena, 1, 0));
    assert_int_equal(response_cache_stats(cache).bytes, 0);
    response_cache_free(cache);
    arena_free(arena);
}

static void a_client_with_its_part_loses_its_own_oldest_response(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    size_t one = RESPONSE_OVERHEAD + 1;
    ResponseCache *cache = cache_of(4 * one + 100, 50); /* a client: 2 */
    keep(cache, 1, 1, "a", 1);
    keep(cache, 2, 2, "b", 2);
    keep(cache, 3, 2, "c", 3);
    keep(cache, 4, 2, "d", 4);
    assert_null(found(cache, arena, 2, 0));
    assert_string_equal(found(cache, arena, 1, 0), "a");
    keep(cache, 5, 3, "e", 5);
    keep(cache, 6, 4, "f", 6); /* the shard is full: the oldest of all goes */
    assert_null(found(cache, arena, 1, 0));
    assert_string_equal(found(cache, arena, 3, 0), "c");
    assert_int_equal(response_cache_stats(cache).evicted, 2);
    response_cache_free(cache);
    arena_free(arena);
}

static void a_dropped_response_is_not_found(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ResponseCache *cache = cache_of(4000, 100);
    keep(cache, 1, 1, "one", 100);
    keep(cache, 2, 1, "two", 100);
    ResponseKey first = key_at(1);
    response_cache_drop(cache, &first);
    response_cache_drop(cache, &first);
    assert_null(found(cache, arena, 1, 0));
    assert_string_equal(found(cache, arena, 2, 0), "two");
    ResponseStats stats = response_cache_stats(cache);
    assert_int_equal(stats.entries, 1);
    assert_int_equal(stats.evicted, 0);
    assert_int_equal(stats.bytes, RESPONSE_OVERHEAD + 3);
    ResponseKey last = key_at(2);
    response_cache_drop(cache, &last);
    assert_int_equal(response_cache_stats(cache).clients, 0);
    keep(cache, 1, 1, "again", 100);
    assert_string_equal(found(cache, arena, 1, 0), "again");
    response_cache_free(cache);
    arena_free(arena);
}

static void what_is_too_large_is_not_kept_nor_what_it_would_replace(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ResponseLimits limits = {.memory = 1000 * RESPONSE_SHARDS, .client_percent = 50};
    ResponseCache *cache = response_cache_new(&limits);
    size_t largest = response_cache_largest(&limits);
    assert_int_equal(largest, 500 - RESPONSE_OVERHEAD);
    char text[1000];
    memset(text, 'x', sizeof text);
    text[largest] = '\0';
    keep(cache, 1, 1, text, 1);
    assert_string_equal(found(cache, arena, 1, 0), text);
    text[largest] = 'x';
    text[largest + 1] = '\0';
    keep(cache, 1, 1, text, 2);
    assert_null(found(cache, arena, 1, 0));
    response_cache_free(cache);
    arena_free(arena);
}

static void smaller_limits_make_what_is_too_much_give_way(void **state)
{
    ResponseCache *cache = cache_of(8000, 100);
    for (uint64_t i = 0; i < 20; i++)
        keep(cache, i, 1, "text", (int64_t)i);
    memory_settle();
    assert_int_equal(memory_used(MEMORY_CACHE), 20 * (RESPONSE_OVERHEAD + 4));
    response_cache_limit(
        cache, &(ResponseLimits){.memory = 1000 * RESPONSE_SHARDS, .client_percent = 100});
    assert_int_equal(response_cache_stats(cache).entries, 1000 / (RESPONSE_OVERHEAD + 4));
    response_cache_free(cache);
    memory_settle();
    assert_int_equal(memory_used(MEMORY_CACHE), 0);
}

static void while_memory_is_short_kept_responses_give_way(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    ResponseCache *cache = cache_of(8000, 100);
    for (uint64_t i = 0; i < 10; i++)
        keep(cache, i, 1, "text", (int64_t)i);
    memory_set_limit(MEMORY_STEP);
    memory_add(MEMORY_CALLS, MEMORY_STEP);
    assert_true(memory_is_short());
    keep(cache, 9, 1, "newer", 10);
    memory_add(MEMORY_CALLS, -MEMORY_STEP);
    memory_set_limit(UINT64_MAX);
    assert_null(found(cache, arena, 9, 0)); /* not kept, and the one before it is not the last */
    for (uint64_t i = 0; i < 9; i++)
        assert_int_equal(found(cache, arena, i, 0) != NULL, i >= 4);
    response_cache_free(cache);
    arena_free(arena);
}

/* ---- Against a slow, obvious model ----------------------------------------------------------- */

enum { MODEL_KEYS = 24, MODEL_CLIENTS = 4, MODEL_TEXT = 300 };

typedef struct ModelEntry {
    bool there;
    uint8_t client;
    int64_t kept; /* different for each */
    size_t size;
    char first;
} ModelEntry;

typedef struct Model {
    ModelEntry entries[MODEL_KEYS];
    size_t most, client_most;
} Model;

static size_t model_bytes(const Model *model, int client)
{
    size_t sum = 0;
    for (int i = 0; i < MODEL_KEYS; i++)
        if (model->entries[i].there && (client < 0 || model->entries[i].client == client))
            sum += RESPONSE_OVERHEAD + model->entries[i].size;
    return sum;
}

static void model_drop_oldest(Model *model, int client)
{
    ModelEntry *oldest = NULL;
    for (int i = 0; i < MODEL_KEYS; i++) {
        ModelEntry *entry = &model->entries[i];
        if (entry->there && (client < 0 || entry->client == client) &&
            (!oldest || entry->kept < oldest->kept))
            oldest = entry;
    }
    assert_non_null(oldest);
    oldest->there = false;
}

static void model_keep(Model *model, uint64_t key, ModelEntry new_one)
{
    size_t cost = RESPONSE_OVERHEAD + new_one.size;
    ModelEntry *before = &model->entries[key];
    if (before->there && before->size == new_one.size)
        new_one.client = before->client;
    before->there = false;
    if (cost > model->client_most)
        return;
    while (model_bytes(model, new_one.client) + cost > model->client_most)
        model_drop_oldest(model, new_one.client);
    while (model_bytes(model, -1) + cost > model->most)
        model_drop_oldest(model, -1);
    model->entries[key] = new_one;
}

static void compare(ResponseCache *cache, const Model *model)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (uint64_t i = 0; i < MODEL_KEYS; i++) {
        const ModelEntry *entry = &model->entries[i];
        ResponseKey key = key_at(i);
        Bytes message;
        int64_t kept;
        bool is_there = response_cache_find(cache, &key, 0, arena, &message, &kept);
        assert_int_equal(is_there, entry->there);
        if (!is_there)
            continue;
        assert_int_equal(kept, entry->kept);
        assert_int_equal(message.size, entry->size);
        assert_true(!entry->size || message.data[0] == (uint8_t)entry->first);
    }
    assert_int_equal(response_cache_stats(cache).bytes, model_bytes(model, -1));
    arena_free(arena);
}

static void run_model(uint64_t number)
{
    Random random;
    random_seed_fixed(&random, number);
    size_t shard = 600 + random_below(&random, 3000);
    uint32_t percent = 20 + (uint32_t)random_below(&random, 81);
    ResponseLimits limits = {.memory = shard * RESPONSE_SHARDS, .client_percent = percent};
    ResponseCache *cache = response_cache_new(&limits);
    Model model = {.most = shard,
                   .client_most = response_cache_largest(&limits) + RESPONSE_OVERHEAD};
    for (int64_t now = 1; now <= 300; now++) {
        char text[MODEL_TEXT];
        uint64_t key = random_below(&random, MODEL_KEYS);
        ModelEntry one = {.there = true,
                          .client = (uint8_t)random_below(&random, MODEL_CLIENTS),
                          .kept = now,
                          .size = random_below(&random, 4) * (MODEL_TEXT / 4),
                          .first = (char)('a' + random_below(&random, 26))};
        memset(text, one.first, sizeof text);
        ResponseKey k = key_at(key);
        IpAddress client = client_at(one.client);
        response_cache_keep(cache, &k, &client, bytes(text, one.size), now);
        model_keep(&model, key, one);
        if (now % 10 == 0)
            compare(cache, &model);
    }
    response_cache_free(cache);
}

static void it_does_what_a_slow_obvious_model_does(void **state)
{
    for (uint64_t number = 1; number <= 300; number++)
        run_model(number);
}

/* ---- Threads --------------------------------------------------------------------------------- */

typedef struct User {
    ResponseCache *cache;
    uint64_t number;
    uint64_t n_mixed; /* bytes that are not of the message */
} User;

/* A message is one letter, repeated: nobody sees half of two. */
static void *use(void *argument)
{
    User *user = argument;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Random random;
    random_seed_fixed(&random, user->number);
    for (int i = 0; i < 3000; i++) {
        ResponseKey key = {.low = random_below(&random, 32), .high = 7};
        IpAddress client = client_at((uint8_t)random_below(&random, 3));
        char text[MODEL_TEXT];
        memset(text, 'a' + (int)random_below(&random, 26), sizeof text);
        Bytes message;
        int64_t kept;
        response_cache_keep(user->cache, &key, &client,
                            bytes(text, 1 + random_below(&random, MODEL_TEXT - 1)), i);
        key.low = random_below(&random, 32);
        if (response_cache_find(user->cache, &key, 0, arena, &message, &kept))
            for (size_t k = 1; k < message.size; k++)
                user->n_mixed += message.data[k] != message.data[0];
        arena_reset(arena);
    }
    arena_free(arena);
    memory_settle();
    return NULL;
}

static void threads_share_it(void **state)
{
    enum { THREADS = 4 };
    ResponseCache *cache = cache_of(2000, 60);
    pthread_t threads[THREADS];
    User users[THREADS];
    for (uint64_t i = 0; i < THREADS; i++) {
        users[i] = (User){cache, i + 1, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(users[i].n_mixed, 0);
    }
    response_cache_free(cache);
    memory_settle();
    assert_int_equal(memory_used(MEMORY_CACHE), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_found_by_its_key_until_it_is_too_old),
        cmocka_unit_test(a_client_with_its_part_loses_its_own_oldest_response),
        cmocka_unit_test(a_dropped_response_is_not_found),
        cmocka_unit_test(what_is_too_large_is_not_kept_nor_what_it_would_replace),
        cmocka_unit_test(smaller_limits_make_what_is_too_much_give_way),
        cmocka_unit_test(while_memory_is_short_kept_responses_give_way),
        cmocka_unit_test(it_does_what_a_slow_obvious_model_does),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
