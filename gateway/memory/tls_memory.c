#include "gateway/memory/tls_memory.h"

#include "base/memory/budget.h"

#include <openssl/crypto.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* OpenSSL frees without a size. To ask the allocator for it, twice for each of the thousand
   allocations of a handshake, would be a thirtieth of that. */
typedef struct Counted {
    alignas(max_align_t) size_t size; /* with this */
} Counted;

static Counted *counted_of(void *memory)
{
    return memory ? (Counted *)memory - 1 : NULL;
}

/* Counts what is at `counted` now, in place of `before` bytes. NULL stays so. */
static void *count(Counted *counted, size_t size, size_t before)
{
    if (!counted)
        return NULL;
    counted->size = size;
    memory_add(MEMORY_TLS, (int64_t)size - (int64_t)before);
    return counted + 1;
}

static void *resize(void *memory, size_t size, const char *file, int line);

static void *take(size_t size, const char *file, int line)
{
    return size ? resize(NULL, size, file, line) : NULL;
}

static void give(void *memory, const char *file, int line)
{
    Counted *counted = counted_of(memory);
    if (counted)
        memory_add(MEMORY_TLS, -(int64_t)counted->size);
    free(counted);
}

/* Like CRYPTO_realloc: NULL allocates, size 0 frees. */
static void *resize(void *memory, size_t size, const char *file, int line)
{
    Counted *counted = counted_of(memory);
    size_t before = counted ? counted->size : 0;
    if (!size) {
        give(memory, file, line);
        return NULL;
    }
    if (size > PTRDIFF_MAX - sizeof *counted)
        return NULL;
    size += sizeof *counted;
    return count(realloc(counted, size), size, before);
}

bool tls_memory_count(void)
{
    return CRYPTO_set_mem_functions(take, resize, give) == 1;
}
