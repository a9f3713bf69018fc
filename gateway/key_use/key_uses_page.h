/*
 * The page of API keys, as JSON. Plain functions.
 */
#ifndef GATEWAY_KEY_USES_PAGE_H
#define GATEWAY_KEY_USES_PAGE_H

#include "base/bytes.h"
#include "gateway/token/api_keys.h"

enum { KEY_NAME_SIZE = 16 /* hexadecimal digits, of its SHA-256: nobody finds another such key */ };

/* A key of the config. Times are nanoseconds since 1970. */
typedef struct KeyRow {
    uint8_t hash[API_KEY_HASH_SIZE];
    char name[KEY_NAME_SIZE + 1];
    char id[API_KEY_ID_SIZE + 1]; /* empty: it has none, or a longer one */
    int64_t since;                /* since when a gateway knows it */
    int64_t last;                 /* 0: never */
    uint64_t calls;               /* of all gateways, as far as it is known here */

    /* For KeyUses. */
    uint64_t written,
        writing;     /* calls that the store has of this process; and those on their way */
    int64_t told_at; /* when the store was told of it; 0: never */
    bool warned;
} KeyRow;

/* What one gateway has said of a key, in the order of keys. */
typedef struct KeyNode {
    Bytes key, node;
    int64_t since, last;
    uint64_t calls;
} KeyNode;

/* Nanoseconds since 1970 from which on it was not used: its last use, or since when it is known. */
int64_t key_row_idle_since(const KeyRow *row);

/* Both in the order of the keys' names. `unused`: nanoseconds after which a key counts as unused.
 */
void key_uses_page_write(const KeyRow *rows, uint32_t n, const KeyNode *nodes, uint32_t n_nodes,
                         int64_t unused, int64_t wall, Buffer *out);

#endif
