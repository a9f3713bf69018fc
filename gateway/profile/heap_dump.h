/*
 * HeapDump: what jemalloc writes of sampled allocations, as stacks.
 *
 *      heap_v2/524288                      one in so many bytes was sampled
 *        t*: 12: 6291456 [0: 0]            of all: so many objects live, with so many bytes
 *      @ 0x55d0c0ffee00 0x55d0c0ffee42     a stack, the innermost first
 *        t*: 3: 1572864 [0: 0]             of it
 *        t0: 3: 1572864 [0: 0]             of a thread: not read
 *
 *      MAPPED_LIBRARIES:                   not read
 */
#ifndef GATEWAY_HEAP_DUMP_H
#define GATEWAY_HEAP_DUMP_H

#include "base/result.h"
#include "gateway/profile/stack_book.h"

/*
 * Adds its stacks to `book`, with objects and bytes that live as values: not those that were
 * sampled but, as these are likely to stand for, all. Innermost frames for which `is_allocator` is
 * true are left out; NULL: none are. `period_out`: bytes between two samples. Fault: INTERNAL (it
 * is no such text); the book has then some of it.
 */
MUST_USE Result heap_dump_read(Arena *arena, Bytes text, bool (*is_allocator)(uint64_t address),
                               StackBook *book, int64_t *period_out);

#endif
