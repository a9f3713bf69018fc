/*
 * Exemplar: a call that was measured, and whose spans are recorded: who sees a slow bucket of a
 * histogram finds there the trace of a call in it.
 *
 * A cell has the newest one of a bucket. One thread writes, any thread may read at any time: a cell
 * that is written meanwhile reads as empty.
 */
#ifndef GATEWAY_EXEMPLAR_H
#define GATEWAY_EXEMPLAR_H

#include "gateway/headers/trace_context.h"

#include <stdatomic.h>

typedef struct Exemplar {
    char trace[TRACE_ID_SIZE], span[TRACE_SPAN_SIZE]; /* lower-case hex, no NUL */
    int64_t value;                                    /* nanoseconds */
    int64_t at;                                       /* wall, nanoseconds; 0: there is none */
} Exemplar;

enum { EXEMPLAR_WORDS = sizeof(Exemplar) / sizeof(uint64_t) };

/* All zero is an empty one. */
typedef struct ExemplarCell {
    _Atomic uint64_t turn; /* odd: it is being written */
    _Atomic uint64_t words[EXEMPLAR_WORDS];
} ExemplarCell;

/* Only the thread that owns the cell. */
void exemplar_write(ExemplarCell *cell, const Exemplar *exemplar);

/* Replaces `newest` by what is in the cell, if that is newer. */
void exemplar_read(ExemplarCell *cell, Exemplar *newest);

#endif
