#include "gateway/profile/stack_book.h"

#include "base/arena.h"

StackBook stack_book_in(Arena *arena)
{
    return (StackBook){.table = table_in(arena)};
}

/* The frames, then the name of the thread. */
static Bytes key_of(Arena *arena, const uint64_t *frames, uint32_t n, const char *thread)
{
    Buffer key = buffer_in(arena);
    buffer_add(&key, frames, n * sizeof *frames);
    buffer_add_bytes(&key, bytes_of(thread));
    return buffer_message(&key);
}

static Stack *stack_new(StackBook *book, const uint64_t *frames, uint32_t n, const char *thread)
{
    Arena *arena = book->table.arena;
    Bytes key = key_of(arena, frames, n, thread);
    Stack *stack = arena_make(arena, Stack);
    *stack = (Stack){.frames = (const uint64_t *)(const void *)key.data, .n = n, .thread = thread};
    table_put(&book->table, key, stack);
    *(book->end ? book->end : &book->first) = stack;
    book->end = &stack->next;
    book->n++;
    return stack;
}

void stack_book_add(StackBook *book, const uint64_t *frames, uint32_t n, const char *thread,
                    const int64_t values[STACK_VALUES])
{
    Arena *scratch = arena_new(ARENA_UNLIMITED);
    Stack *stack = table_get(&book->table, key_of(scratch, frames, n, thread));
    arena_free(scratch);
    if (!stack)
        stack = stack_new(book, frames, n, thread);
    for (int i = 0; i < STACK_VALUES; i++)
        if (__builtin_add_overflow(stack->values[i], values[i], &stack->values[i]))
            stack->values[i] = INT64_MAX;
}
