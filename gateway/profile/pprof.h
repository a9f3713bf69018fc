/*
 * Pprof: a profile in the format of pprof (profile.proto), compressed, as it wants its files.
 */
#ifndef GATEWAY_PPROF_H
#define GATEWAY_PPROF_H

#include "base/result.h"
#include "gateway/profile/stack_book.h"
#include "gateway/profile/symbols.h"

/* What is counted: "cpu", in "nanoseconds". */
typedef struct PprofType {
    const char *name, *unit;
} PprofType;

typedef struct PprofProfile {
    const StackBook *book;
    PprofType types[STACK_VALUES]; /* of the values of each stack; the last one is shown first */
    PprofType period_type;         /* between two samples there is */
    int64_t period;                /* so much of it */
    int64_t began;                 /* clock_wall */
    int64_t lasted;                /* nanoseconds; 0: it is of one moment */
    const char *const *comments;   /* ends with NULL */
} PprofProfile;

/* Appends it to `out`. Fault: OUT_OF_MEMORY. */
MUST_USE Result pprof_write(Arena *arena, const PprofProfile *profile, Symbols *symbols,
                            Buffer *out);

#endif
