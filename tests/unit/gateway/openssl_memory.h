/* OpenSSL's memory, of which one allocation fails: for tests that try each. */
#ifndef TESTS_UNIT_GATEWAY_OPENSSL_MEMORY_H
#define TESTS_UNIT_GATEWAY_OPENSSL_MEMORY_H

#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdlib.h>

/* How many succeed before one that fails; negative: all do. */
static int openssl_memory_left = -1;

static bool openssl_memory_fails(void)
{
    return openssl_memory_left >= 0 && openssl_memory_left-- == 0;
}

static void *openssl_take(size_t size, const char *file, int line)
{
    return openssl_memory_fails() ? NULL : malloc(size);
}

static void *openssl_resize(void *memory, size_t size, const char *file, int line)
{
    return openssl_memory_fails() ? NULL : realloc(memory, size);
}

static void openssl_give(void *memory, const char *file, int line)
{
    free(memory);
}

/* Before anything else of OpenSSL is called. */
static inline bool openssl_memory_begin(void)
{
    return CRYPTO_set_mem_functions(openssl_take, openssl_resize, openssl_give) == 1;
}

/* From now on the nth allocation fails, counted from 0. */
static inline void openssl_memory_fail(int nth)
{
    openssl_memory_left = nth;
}

/* Nothing fails from now on. Whether something has. */
static inline bool openssl_memory_has_failed(void)
{
    bool has = openssl_memory_left < 0;
    openssl_memory_left = -1;
    return has;
}

#endif
