/*
 * Arena: memory that is freed all at once.
 *
 * One arena per lifetime: the process, a config generation, a connection, a call. It belongs to the
 * function that created it and is used by one thread at a time. Nothing in it is freed separately.
 * An arena has a limit; there arena_alloc returns NULL, and the caller fails with
 * FAULT_OUT_OF_MEMORY. An arena without a limit never returns NULL: if the system has no memory
 * left, the process ends.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/bytes.h"
#include "base/memory/budget.h"
#include "base/result.h"

#include <stddef.h>

#define ARENA_UNLIMITED SIZE_MAX

/* Bytes that fit into an arena's first block, with which it begins; and the multiple to which each
   allocation is rounded up. */
enum { ARENA_FIRST_ROOM = 3584 - 144, ARENA_ALIGNMENT = 16 };

/* `limit` in bytes, counted over all allocations and the blocks that contain them. */
Arena *arena_new(size_t limit);

/*
 * From now on the process counts the blocks of the arena as memory of calls, and `account` (which
 * may be NULL) as the client's; those that are there already move to it. `firm`: what was begun
 * goes on. Otherwise the arena grows only as far as the memory budget grants (memory_ask), and
 * arena_alloc returns NULL beyond. The first block, which an ordinary call needs, is not counted.
 * May be called again. Not for arenas without a limit.
 */
void arena_charge(Arena *arena, Account *account, bool firm);

/* Why the budget refused it to grow, the last time that it did; else MEMORY_GRANTED. */
MemoryVerdict arena_refusal(const Arena *arena);

/* Frees everything. NULL is allowed. */
void arena_free(Arena *arena);

/* Frees everything except the first block, which is reused. */
void arena_reset(Arena *arena);

/* Aligned for any type, not cleared. NULL at the limit. */
void *arena_alloc(Arena *arena, size_t size) MUST_USE;

/* The same, cleared; `n` times `size`, checked for overflow. */
void *arena_calloc(Arena *arena, size_t n, size_t size) MUST_USE;

/* A cleared T, or NULL at the limit. */
#define arena_make(arena, T) ((T *)arena_calloc((arena), 1, sizeof(T)))
#define arena_array(arena, T, n) ((T *)arena_calloc((arena), (n), sizeof(T)))

/*
 * Makes the block at `old` larger; in place when it is the latest one. `old` may be NULL. NULL at
 * the limit; `old` then stays valid.
 */
void *arena_grow(Arena *arena, void *old, size_t old_size, size_t new_size) MUST_USE;

/* A copy that ends with NUL. At the limit: the empty string, so that texts for people need no
   check. */
const char *arena_string(Arena *arena, const char *text);
const char *arena_text(Arena *arena, Bytes text);
const char *arena_printf(Arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/* Bytes held, blocks included. */
size_t arena_size(const Arena *arena);

/* Memory for an Error; at the limit, the arena's spare one. Never NULL. For error_new only. */
Error *arena_error(Arena *arena);

#endif
