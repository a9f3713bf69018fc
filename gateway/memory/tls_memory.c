#include "gateway/memory/tls_memory.h"

#include "base/memory/budget.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>

/* By the allocator, because OpenSSL frees without a size. */
static int64_t size_of(void *memory)
{
    return memory ? (int64_t)malloc_usable_size(memory) : 0;
}

static void *take(size_t size, const char *file, int line)
{
    void *memory = size ? malloc(size) : NULL;
    memory_add(MEMORY_TLS, size_of(memory));
    return memory;
}

static void give(void *memory, const char *file, int line)
{
    memory_add(MEMORY_TLS, -size_of(memory));
    free(memory);
}

/* Like CRYPTO_realloc: NULL allocates, size 0 frees. */
static void *resize(void *memory, size_t size, const char *file, int line)
{
    if (!size) {
        give(memory, file, line);
        return NULL;
    }
    int64_t before = size_of(memory);
    void *resized = realloc(memory, size);
    if (resized)
        memory_add(MEMORY_TLS, size_of(resized) - before);
    return resized;
}

bool tls_memory_count(void)
{
    return CRYPTO_set_mem_functions(take, resize, give) == 1;
}
