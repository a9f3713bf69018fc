/* What jemalloc writes of its samples: what is read of it has counts and frames within bounds. */
#include "base/arena.h"
#include "gateway/profile/heap_dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_odd(uint64_t address)
{
    return address & 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    StackBook book = stack_book_in(arena);
    int64_t period = 0;
    Result r = heap_dump_read(arena, bytes(data, size), is_odd, &book, &period);
    error_ignore(r, "any text may come");
    CHECK(failed(r) || period > 0);
    for (const Stack *stack = book.first; stack; stack = stack->next) {
        CHECK(stack->values[0] >= 0 && stack->values[1] >= 0);
        CHECK(stack->n == 0 || !is_odd(stack->frames[0]));
    }
    arena_free(arena);
    return 0;
}
