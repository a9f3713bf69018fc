/*
 * EtcdKeys: the keys under a prefix and their values, in the order of the keys.
 *
 * A sorted array: a list arrives in order, and is read in order; changes to it are few in
 * comparison. Owned by one thread; all zeros: empty.
 */
#ifndef GATEWAY_ETCD_KEYS_H
#define GATEWAY_ETCD_KEYS_H

#include "base/bytes.h"

enum { ETCD_KEYS_MOST = 100000, ETCD_BYTES_MOST = 64 << 20 };

typedef struct EtcdKey EtcdKey; /* etcd_keys.c */

typedef struct EtcdKeys {
    EtcdKey **items;
    uint32_t n, capacity;
    size_t size; /* bytes of all keys and values */
} EtcdKeys;

/* Adds the key, or replaces its value. Both are copied. False: nothing has changed. */
bool etcd_keys_put(EtcdKeys *keys, Bytes key, Bytes value);

/* False: there was no such key. */
bool etcd_keys_remove(EtcdKeys *keys, Bytes key);

/* There is more than a list may have. */
static inline bool etcd_keys_too_many(const EtcdKeys *keys)
{
    return keys->n > ETCD_KEYS_MOST || keys->size > ETCD_BYTES_MOST;
}

/* Valid until the key changes. */
Bytes etcd_keys_key(const EtcdKeys *keys, uint32_t index);
Bytes etcd_keys_value(const EtcdKeys *keys, uint32_t index);

void etcd_keys_clear(EtcdKeys *keys); /* frees all */

#endif
