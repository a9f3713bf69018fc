/*
 * StackBook: stacks of addresses, each with what was counted of it: what a profile consists of.
 *
 * Lives in an arena; one thread.
 */
#ifndef GATEWAY_STACK_BOOK_H
#define GATEWAY_STACK_BOOK_H

#include "base/table.h"

enum { STACK_VALUES = 2 };

typedef struct Stack {
    struct Stack *next;     /* in the order of their first count */
    const uint64_t *frames; /* the innermost first; those of callers lie within their call */
    uint32_t n;
    const char *thread; /* whose it is; NULL: of any */
    int64_t values[STACK_VALUES];
} Stack;

typedef struct StackBook {
    Table table;
    Stack *first, **end; /* end NULL: there is none yet */
    uint32_t n;
} StackBook;

/* An empty one. */
StackBook stack_book_in(Arena *arena);

/* Adds to what was counted of this stack, up to INT64_MAX; values are not negative. `frames` is
   copied; `thread` is borrowed, and may be NULL. */
void stack_book_add(StackBook *book, const uint64_t *frames, uint32_t n, const char *thread,
                    const int64_t values[STACK_VALUES]);

#endif
