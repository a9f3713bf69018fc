/*
 * CallMatrix: what was counted of the calls of each service, by the version of the client and the
 * version that served them; and what the conversions between them have lost. Of all loops, since
 * the process began.
 */
#ifndef GATEWAY_CALL_MATRIX_H
#define GATEWAY_CALL_MATRIX_H

#include "base/bytes.h"

/* The labels are the telemetry's; "": none, "other": there was no room for its own. */
typedef struct MatrixCell {
    const char *service, *client, *served; /* `served` "": no instance was asked */
    /* Of those that had no fallback's response: errors of the gateway or an instance, and mistakes
       of clients. */
    uint64_t calls, errors, mistakes, degraded;
    int64_t p50, p99; /* nanoseconds, within 5 % */
} MatrixCell;

typedef struct MatrixLoss {
    const char *service, *from, *to, *field, *kind;
    uint64_t count; /* values that were lost: of a list, each */
} MatrixLoss;

typedef struct CallMatrix {
    int64_t since;     /* wall time */
    MatrixCell *cells; /* by service, client and served version, in the order of their names */
    size_t n_cells;
    MatrixLoss *losses; /* by service */
    size_t n_losses;
} CallMatrix;

/* In the arena, but for the labels, which stay with the telemetry. Without telemetry_start it is
   empty. Any thread; takes the telemetry's lock. */
void call_matrix_read(Arena *arena, CallMatrix *matrix_out);

#endif
