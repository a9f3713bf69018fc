/* Any bytes as messages of etcd; what they say becomes a list, as a source would make it. */
#include "gateway/discovery/etcd_keys.h"
#include "gateway/discovery/etcd_messages.h"
#include "gateway/inventory/instance_list.h"

#include "base/arena.h"

#include <openssl/ssl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Version versions[] = {{.name = "v1"}, {.name = "v2", .index = 1}};

static void take(EtcdKeys *keys, const EtcdPair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CHECK(pairs[i].key.size > 0);
        if (pairs[i].gone)
            etcd_keys_remove(keys, pairs[i].key);
        else
            etcd_keys_put(keys, pairs[i].key, pairs[i].value);
    }
    for (uint32_t i = 1; i < keys->n; i++)
        CHECK(bytes_compare(etcd_keys_key(keys, i - 1), etcd_keys_key(keys, i)) < 0);
}

static void list(Arena *arena, const EtcdKeys *keys)
{
    Service service = {.name = "s", .versions = versions, .n_versions = 2};
    ListDocument *documents = arena_array(arena, ListDocument, keys->n);
    Problems problems = problems_in(arena);
    InstanceList list;
    for (uint32_t i = 0; i < keys->n; i++)
        documents[i] = (ListDocument){
            .name = "key", .base = "fuzz.yaml", .text = etcd_keys_value(keys, i), .is_entry = true};
    Result r = config_list_read(arena, &service, documents, keys->n, NULL, &problems, &list);
    CHECK(!failed(r) && list.n + list.n_refused == keys->n);
    for (uint32_t i = 0; i < list.n; i++)
        SSL_CTX_free(list.items[i]->tls);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    EtcdKeys keys = {.n = 0};
    EtcdRange range;
    EtcdEvents events;
    Bytes token, message = bytes(data, size);
    Result r = etcd_read_range(arena, message, &range);
    if (!failed(r))
        take(&keys, range.pairs, range.n);
    r = etcd_read_events(arena, message, &events);
    if (!failed(r))
        take(&keys, events.pairs, events.n);
    r = etcd_read_token(arena, message, &token);
    CHECK(failed(r) || token.size > 0);
    list(arena, &keys);
    etcd_keys_clear(&keys);
    arena_free(arena);
    return 0;
}
