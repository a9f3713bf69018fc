/*
 * Heap: what the allocator of the process, jemalloc, knows of itself. Any thread, but for
 * heap_watch none of a loop: they block.
 */
#ifndef GATEWAY_HEAP_H
#define GATEWAY_HEAP_H

#include "base/bytes.h"
#include "base/result.h"

/* From now on allocations are sampled for heap_dump, or are no more. Does nothing where the
   allocator cannot do that. */
void heap_watch(bool on);

/* Whether they are. */
bool heap_is_watched(void);

/* Samples that live, as heap_dump.h reads them. Faults: UNSUPPORTED (another allocator), SYSTEM. */
MUST_USE Result heap_dump_write(Arena *arena, Bytes *text_out);

/* Whether the address is within the code of the allocator. */
bool heap_is_own_code(uint64_t address);

/* JSON: jemalloc's statistics, by arena and by size class. Fault: UNSUPPORTED. */
MUST_USE Result heap_statistics(Arena *arena, Buffer *out);

#endif
