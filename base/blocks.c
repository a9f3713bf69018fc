#include "base/blocks.h"

#include "base/result.h"

#include <pthread.h>
#include <stdlib.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) ||                           \
    __has_feature(memory_sanitizer)
enum { KEEPS_NOTHING = 1 };
#else
enum { KEEPS_NOTHING = 0 };
#endif

const size_t block_bytes[BLOCK_SIZES] = {1024, 3584, 20480};

/* Free blocks kept per thread: about 256 KiB of each size. */
static const unsigned most[BLOCK_SIZES] = {256, 64, 16};

typedef struct SpareBlock {
    struct SpareBlock *next;
} SpareBlock;

/* Free blocks of this thread. */
static _Thread_local struct {
    SpareBlock *first[BLOCK_SIZES];
    unsigned n[BLOCK_SIZES];
    bool is_known; /* the key is set for this thread; its destructor frees the blocks */
} spare;

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void free_spare(void *unused)
{
    for (int size = 0; size < BLOCK_SIZES; size++) {
        while (spare.first[size]) {
            SpareBlock *next = spare.first[size]->next;
            free(spare.first[size]);
            spare.first[size] = next;
        }
        spare.n[size] = 0;
    }
    spare.is_known = false; /* if another destructor gives blocks back, this one is called again */
}

static void make_key(void)
{
    CHECK(pthread_key_create(&key, free_spare) == 0);
}

static void tell_key(void)
{
    pthread_once(&key_once, make_key);
    CHECK(pthread_setspecific(key, &spare) == 0);
    spare.is_known = true;
}

static void *take_spare(BlockSize size)
{
    SpareBlock *block = spare.first[size];
    if (block) {
        spare.first[size] = block->next;
        spare.n[size]--;
    }
    return block;
}

void *block_take(BlockSize size)
{
    void *block = take_spare(size);
    if (block)
        return block;
    block = malloc(block_bytes[size]);
    CHECK(block);
    return block;
}

void *block_take_try(BlockSize size)
{
    void *block = take_spare(size);
    return block ? block : block_try(block_bytes[size]);
}

void block_give(BlockSize size, void *block)
{
    SpareBlock *given = block;
    if (KEEPS_NOTHING || spare.n[size] == most[size]) {
        free(block);
        return;
    }
    if (!spare.is_known)
        tell_key();
    given->next = spare.first[size];
    spare.first[size] = given;
    spare.n[size]++;
}

void *block_try(size_t size)
{
    return malloc(size);
}

void *block_resize(void *block, size_t size)
{
    return realloc(block, size);
}
