/*
 * Blocks: memory in few sizes, which each thread keeps for its next use.
 *
 * Arenas and send queues are made of them: what one call gives back, the next one takes, without
 * asking the allocator. A thread keeps a bounded number of each size; they are freed with it. Any
 * thread may give back what another has taken. With sanitizers every block comes from malloc, so
 * that they see each use of one that was given back.
 */
#ifndef BASE_BLOCKS_H
#define BASE_BLOCKS_H

#include <stddef.h>

typedef enum BlockSize {
    BLOCK_SMALL,  /* 1 KiB */
    BLOCK_MEDIUM, /* 4 KiB */
    BLOCK_LARGE,  /* 16 KiB, and BLOCK_EXTRA for whoever puts a head before so many bytes */
    BLOCK_SIZES,
} BlockSize;

enum { BLOCK_EXTRA = 64 };

extern const size_t block_bytes[BLOCK_SIZES];

/* Aligned for any type, not cleared; never NULL: without memory the process ends. */
void *block_take(BlockSize size);

/* `block` was taken with the same size. */
void block_give(BlockSize size, void *block);

#endif
