#include "base/arena.h"

#include "base/blocks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * AddressSanitizer knows the blocks of malloc, not the allocations within them. In its builds the
 * rest of a block is poisoned: free memory, and RED_ZONE bytes after each allocation.
 */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
enum { RED_ZONE = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void)(memory), (void)(size))
enum { RED_ZONE = 0 };
#endif

enum {
    FIRST_BLOCK = 3584, /* BLOCK_MEDIUM, including the arena itself. The second one is as large: an
                           ordinary call has enough with both, and both are cached */
    LARGEST_BLOCK =
        1 << 20, /* block sizes double up to this; a larger allocation gets its own block */
};

typedef struct Block {
    struct Block *older;
    size_t size; /* of the whole block, including this header */
} Block;

struct Arena {
    uint8_t *next, *end; /* the free part of the newest block */
    uint8_t *latest;     /* the latest allocation, which can grow in place */
    Block *newest;
    size_t held, limit;
    size_t next_block;
    Account *account; /* arena_charge */
    MemoryVerdict refusal;
    bool counted, firm;
    Error spare;
    _Alignas(ARENA_ALIGNMENT) uint8_t first[];
};

_Static_assert(offsetof(struct Arena, first) + ARENA_FIRST_ROOM == FIRST_BLOCK,
               "ARENA_FIRST_ROOM is what is left of the first block");

/* The bytes that an allocation takes from its block. */
static size_t aligned(size_t size)
{
    return ((size + ARENA_ALIGNMENT - 1) & ~(size_t)(ARENA_ALIGNMENT - 1)) + RED_ZONE;
}

/* Sets the free part of the newest block. */
static void set_free(Arena *arena, uint8_t *next, uint8_t *end)
{
    arena->next = next;
    arena->end = end;
    ASAN_POISON_MEMORY_REGION(next, (size_t)(end - next));
}

static void arena_rewind(Arena *arena)
{
    set_free(arena, arena->first, (uint8_t *)arena + FIRST_BLOCK);
    arena->latest = NULL;
    arena->newest = NULL;
    arena->held = FIRST_BLOCK;
    arena->next_block = FIRST_BLOCK;
}

Arena *arena_new(size_t limit)
{
    Arena *arena = block_take(BLOCK_MEDIUM);
    arena->limit = limit;
    arena->account = NULL;
    arena->refusal = MEMORY_GRANTED;
    arena->counted = arena->firm = false;
    arena_rewind(arena);
    return arena;
}

/*
 * Large blocks of unlimited arenas, mostly of config generations, are mapped and unmapped: malloc
 * would keep and fragment the freed memory, although it is not used again soon. Not with
 * sanitizers, because they look for pointers in memory of malloc only.
 */
static bool is_mapped(const Arena *arena, size_t size)
{
    return RED_ZONE == 0 && arena->limit == ARENA_UNLIMITED && size >= LARGEST_BLOCK;
}

/* ---- The budget ------------------------------------------------------------------------------ */

static void count(const Arena *arena, int64_t more)
{
    if (!arena->counted || !more)
        return;
    memory_add(MEMORY_CALLS, more);
    account_add(arena->account, more);
}

static int64_t counted_bytes(const Arena *arena)
{
    return (int64_t)(arena->held - FIRST_BLOCK);
}

void arena_charge(Arena *arena, Account *account, bool firm)
{
    arena->firm = firm;
    if (arena->account == account && arena->counted)
        return;
    if (arena->newest)
        count(arena, -counted_bytes(arena));
    arena->account = account;
    arena->counted = true;
    if (arena->newest)
        count(arena, counted_bytes(arena));
}

MemoryVerdict arena_refusal(const Arena *arena)
{
    return arena->refusal;
}

static bool may_grow(Arena *arena, size_t more)
{
    if (!arena->counted || arena->firm)
        return true;
    MemoryVerdict verdict = memory_ask(arena->account, more);
    if (verdict != MEMORY_GRANTED)
        arena->refusal = verdict;
    return verdict == MEMORY_GRANTED;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static Block *new_block(const Arena *arena, size_t size)
{
    if (arena->limit != ARENA_UNLIMITED)
        return size == FIRST_BLOCK ? block_take_try(BLOCK_MEDIUM) : block_try(size);
    if (!is_mapped(arena, size))
        return malloc(size);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Small ones are not worth it: a call's memory would be used up by what is not needed. */
static size_t rounded(size_t size)
{
    return size < 16 * FIRST_BLOCK ? size : block_rounded(size);
}

static void free_blocks(Arena *arena)
{
    count(arena, -counted_bytes(arena));
    Block *block = arena->newest;
    while (block) {
        Block *older = block->older;
        if (is_mapped(arena, block->size))
            munmap(block, block->size);
        else if (block->size == FIRST_BLOCK && arena->limit != ARENA_UNLIMITED)
            block_give(BLOCK_MEDIUM, block);
        else
            free(block);
        block = older;
    }
}

void arena_free(Arena *arena)
{
    if (!arena)
        return;
    free_blocks(arena);
    ASAN_UNPOISON_MEMORY_REGION(arena, FIRST_BLOCK);
    block_give(BLOCK_MEDIUM, arena);
}

void arena_reset(Arena *arena)
{
    if (!arena->latest)
        return; /* nothing was taken of it */
    if (arena->newest)
        free_blocks(arena);
    arena_rewind(arena);
}

/* Makes room for `size` more bytes in a new block. False at the limit. */
static bool arena_extend(Arena *arena, size_t size)
{
    size_t wanted = arena->next_block;
    if (wanted < size + aligned(sizeof(Block)))
        wanted = rounded(size + aligned(sizeof(Block)));
    if (wanted > arena->limit - arena->held) {
        wanted = size + aligned(sizeof(Block)); /* near the limit: only the size needed */
        if (arena->held > arena->limit || wanted > arena->limit - arena->held)
            return false;
    }

    if (!may_grow(arena, wanted))
        return false;
    Block *block = new_block(arena, wanted);
    if (!block) {
        CHECK(arena->limit != ARENA_UNLIMITED);
        return false;
    }
    block->older = arena->newest;
    block->size = wanted;
    arena->newest = block;
    arena->held += wanted;
    count(arena, (int64_t)wanted);
    if (arena->next_block < LARGEST_BLOCK)
        arena->next_block *= 2;
    set_free(arena, (uint8_t *)block + aligned(sizeof(Block)), (uint8_t *)block + wanted);
    return true;
}

static void *take(Arena *arena, size_t size)
{
    arena->latest = arena->next;
    arena->next += aligned(size);
    ASAN_UNPOISON_MEMORY_REGION(arena->latest, size);
    return arena->latest;
}

static __attribute__((noinline)) void *alloc_in_new_block(Arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2 || !arena_extend(arena, aligned(size)))
        return NULL;
    return take(arena, size);
}

void *arena_alloc(Arena *arena, size_t size)
{
    size_t room = (size_t)(arena->end - arena->next);
    size += !size;
    if (size > room || aligned(size) > room)
        return alloc_in_new_block(arena, size);
    return take(arena, size);
}

void *arena_calloc(Arena *arena, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / 2 / size)
        return NULL;
    void *memory = arena_alloc(arena, n * size);
    if (memory)
        memset(memory, 0, n * size);
    return memory;
}

/* Grows the latest allocation together with its block, if it is the only one in there: then no old
   copy remains. NULL: it is not, or the limit is reached. */
static void *grow_block(Arena *arena, size_t size)
{
    Block *block = arena->newest;
    size_t head = aligned(sizeof(Block));
    if (!block || arena->latest != (uint8_t *)block + head || arena->limit == ARENA_UNLIMITED ||
        size > SIZE_MAX / 2)
        return NULL;
    size_t wanted = head + aligned(size);
    if (rounded(wanted) - block->size <= arena->limit - arena->held)
        wanted = rounded(wanted);
    size_t more = wanted - block->size;
    if (wanted <= block->size || arena->held > arena->limit || more > arena->limit - arena->held)
        return NULL;
    if (!may_grow(arena, more))
        return NULL;
    ASAN_UNPOISON_MEMORY_REGION(block, block->size);
    Block *grown = block_resize(block, wanted);
    if (!grown)
        return NULL;
    grown->size = wanted;
    arena->newest = grown;
    arena->held += more;
    count(arena, (int64_t)more);
    set_free(arena, (uint8_t *)grown + head, (uint8_t *)grown + wanted);
    return take(arena, size);
}

void *arena_grow(Arena *arena, void *old, size_t old_size, size_t new_size)
{
    if (old && old == arena->latest && new_size <= SIZE_MAX / 2 &&
        aligned(new_size) <= (size_t)(arena->end - arena->latest)) {
        arena->next = arena->latest + aligned(new_size ? new_size : 1);
        ASAN_UNPOISON_MEMORY_REGION(old, new_size);
        return old;
    }
    void *grown = old && old == arena->latest ? grow_block(arena, new_size) : NULL;
    if (grown)
        return grown;
    grown = arena_alloc(arena, new_size);
    if (grown && old && old_size)
        memcpy(grown, old, old_size);
    return grown;
}

const char *arena_text(Arena *arena, Bytes text)
{
    char *copy = arena_alloc(arena, text.size + 1);
    if (!copy)
        return "";
    if (text.size)
        memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return copy;
}

const char *arena_string(Arena *arena, const char *text)
{
    return arena_text(arena, bytes_of(text));
}

const char *arena_printf(Arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = size < 0 ? NULL : arena_alloc(arena, (size_t)size + 1);
    if (text)
        vsnprintf(text, (size_t)size + 1, format, args);
    va_end(args);
    return text ? text : "";
}

size_t arena_size(const Arena *arena)
{
    return arena->held;
}

Error *arena_error(Arena *arena)
{
    Error *error = arena_alloc(arena, sizeof(Error));
    return error ? error : &arena->spare;
}
