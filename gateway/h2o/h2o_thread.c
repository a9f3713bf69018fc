#include "gateway/h2o/h2o_thread.h"

#include <h2o.h>
#include <stdlib.h>

/* Taking from a store that holds something never allocates. */
static void free_socket_buffers(void)
{
    h2o_mem_recycle_t *store = &h2o_socket_buffer_prototype.allocator;
    while (store->cnt)
        free(h2o_mem_alloc_recycle(store, 1));
}

/*
 * The store of a pool's chunks cannot be reached, but a pool takes its chunks from there first: one
 * that is made to take more than there can be holds them all. They are malloc'ed, and each begins
 * with the pointer to the one taken before (lib/common/memory.c: st_h2o_mem_pool_chunk_t).
 */
static void free_pool_chunks(void)
{
    enum {
        MOST_CHUNKS = 16,
        CHUNK = 4096,
        PIECE = 1000 /* under a quarter: larger ones are no chunk's */
    };
    h2o_mem_pool_t pool;
    h2o_mem_init_pool(&pool);
    for (int taken = 0; taken < (MOST_CHUNKS + 1) * CHUNK; taken += PIECE)
        h2o_mem_alloc_pool(&pool, PIECE);
    void *next;
    for (void *chunk = pool.chunks; chunk; chunk = next) {
        memcpy(&next, chunk, sizeof next);
        free(chunk);
    }
}

void h2o_thread_free(void)
{
    free_socket_buffers();
    free_pool_chunks();
}
