/*
 * Blocks: memory in a few sizes, cached by each thread.
 *
 * Arenas and send queues consist of them: the next call reuses the blocks of the previous one,
 * without the allocator. A thread caches a bounded number of each size; they are freed with it. A
 * thread may free a block that another has allocated. With sanitizers every block comes from
 * malloc, so that they detect each use after free.
 */
#ifndef BASE_BLOCKS_H
#define BASE_BLOCKS_H

#include <stddef.h>

typedef enum BlockSize {
    BLOCK_SMALL,  /* 1 KiB */
    BLOCK_MEDIUM, /* 3.5 KiB: the allocator puts eight side by side, and 4 KiB apart, each with more
                     than 100 bytes of its own */
    BLOCK_LARGE,  /* 20 KiB: 16 KiB with a head before them, as the allocator rounds that up */
    BLOCK_SIZES,
} BlockSize;

extern const size_t block_bytes[BLOCK_SIZES];

/* Aligned for any type, not cleared. Never NULL: without memory the process ends. */
void *block_take(BlockSize size);

/* NULL where there is none, as block_try: for who can go on without it. */
void *block_take_try(BlockSize size);

/* Frees a block; `size` as for block_take. */
void block_give(BlockSize size, void *block);

/*
 * Memory whose size a peer chooses: NULL if there is none, and whoever asks goes on without it. As
 * malloc and realloc; freed by free. Other memory is small, and without it the process ends.
 */
void *block_try(size_t size);
void *block_resize(void *block, size_t size);

/* What the allocator takes for `size` bytes: it has four sizes to each doubling. So that all of it
   is used, and counted. `size` is above 64 and at most SIZE_MAX / 2. */
static inline size_t block_rounded(size_t size)
{
    size_t step = (size_t)1 << (61 - __builtin_clzll(size - 1));
    return (size + step - 1) & ~(step - 1);
}

#endif
