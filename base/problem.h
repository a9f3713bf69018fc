/*
 * Problems: all mistakes in a text that a person wrote, reported together.
 *
 * Configs and change lists are checked to the end, so that one run shows every mistake. Owned by
 * the function that checks; lives in its arena; one thread.
 */
#ifndef BASE_PROBLEM_H
#define BASE_PROBLEM_H

#include "base/bytes.h"

typedef struct Problem {
    const char *file;
    int line, column;   /* from 1; 0: the whole file */
    const char *path;   /* "services[0].versions[1].schema", or "" */
    const char *reason; /* one sentence, lower case, no full stop */
    const char *hint;   /* the most similar valid word, the line to write, or NULL */
} Problem;

typedef struct Problems {
    Problem *items;
    size_t n, capacity;
    Arena *arena;
} Problems;

static inline Problems problems_in(Arena *arena)
{
    return (Problems){.arena = arena};
}

/* Copies all texts. `hint` may be NULL. */
void problem_add(Problems *problems, const char *file, int line, int column, const char *path,
                 const char *hint, const char *reason_format, ...)
    __attribute__((format(printf, 7, 8)));

/* Of those from `first` on that are equal, only one remains: what is checked for several versions
   is one mistake. */
void problems_forget_equal(Problems *problems, size_t first);

/* Of those from `first` on, none remains at a place where another one is before them: it follows
   from that one. */
void problems_forget_following(Problems *problems, size_t first);

/* One line each: "file:line:column: path: reason (did you mean ...)". Sorted by file and line. */
void problems_print(const Problems *problems, Buffer *out);

/* The word most similar to `word` among n; else the one that it is the beginning of, if there is
   one only. NULL if none is similar enough. */
const char *nearest_word(Bytes word, const char *const *words, size_t n);

#endif
