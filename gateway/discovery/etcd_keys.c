#include "gateway/discovery/etcd_keys.h"

#include "base/result.h"

#include <stdlib.h>

struct EtcdKey {
    uint32_t key_size, value_size;
    uint8_t data[]; /* the key, then the value */
};

Bytes etcd_keys_key(const EtcdKeys *keys, uint32_t index)
{
    return bytes(keys->items[index]->data, keys->items[index]->key_size);
}

Bytes etcd_keys_value(const EtcdKeys *keys, uint32_t index)
{
    const EtcdKey *item = keys->items[index];
    return bytes(item->data + item->key_size, item->value_size);
}

static EtcdKey *key_new(Bytes key, Bytes value)
{
    EtcdKey *item = malloc(sizeof *item + key.size + value.size);
    CHECK(item);
    item->key_size = (uint32_t)key.size;
    item->value_size = (uint32_t)value.size;
    if (key.size)
        memcpy(item->data, key.data, key.size);
    if (value.size)
        memcpy(item->data + key.size, value.data, value.size);
    return item;
}

/* The index of the first key that is not smaller. */
static uint32_t place_of(const EtcdKeys *keys, Bytes key)
{
    uint32_t low = 0, high = keys->n;
    if (high && bytes_compare(etcd_keys_key(keys, high - 1), key) < 0)
        return high; /* as in a list that arrives */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(etcd_keys_key(keys, middle), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const EtcdKeys *keys, uint32_t index, Bytes key)
{
    return index < keys->n && bytes_equal(etcd_keys_key(keys, index), key);
}

static void make_room(EtcdKeys *keys)
{
    if (keys->n < keys->capacity)
        return;
    keys->capacity = keys->capacity ? 2 * keys->capacity : 64;
    keys->items = realloc(keys->items, keys->capacity * sizeof *keys->items);
    CHECK(keys->items);
}

bool etcd_keys_put(EtcdKeys *keys, Bytes key, Bytes value)
{
    uint32_t at = place_of(keys, key);
    if (is_at(keys, at, key)) {
        Bytes before = etcd_keys_value(keys, at);
        if (bytes_equal(before, value))
            return false;
        keys->size += value.size - before.size;
        free(keys->items[at]);
        keys->items[at] = key_new(key, value);
        return true;
    }
    make_room(keys);
    memmove(keys->items + at + 1, keys->items + at, (keys->n - at) * sizeof *keys->items);
    keys->items[at] = key_new(key, value);
    keys->n++;
    keys->size += key.size + value.size;
    return true;
}

bool etcd_keys_remove(EtcdKeys *keys, Bytes key)
{
    uint32_t at = place_of(keys, key);
    if (!is_at(keys, at, key))
        return false;
    keys->size -= key.size + etcd_keys_value(keys, at).size;
    free(keys->items[at]);
    keys->n--;
    memmove(keys->items + at, keys->items + at + 1, (keys->n - at) * sizeof *keys->items);
    return true;
}

void etcd_keys_clear(EtcdKeys *keys)
{
    for (uint32_t i = 0; i < keys->n; i++)
        free(keys->items[i]);
    free(keys->items);
    *keys = (EtcdKeys){.n = 0};
}
