/* The inside of a composition, for the files of gateway/compose only. */
#ifndef GATEWAY_COMPOSITION_INTERNAL_H
#define GATEWAY_COMPOSITION_INTERNAL_H

#include "gateway/compose/composition.h"

typedef enum LegState {
    LEG_WAITS,
    LEG_RUNS,
    LEG_OK,
    LEG_DEGRADED, /* a fallback has given its response */
    LEG_SKIPPED,  /* it has none, as its fallback says; or it was not asked */
    LEG_FAILED,
} LegState;

typedef struct LegCall {
    Caller caller; /* first */
    struct Composition *composition;
    const Leg *leg;
    Exchange *x; /* NULL: it does not run */
    LegState state;
    Result why;    /* it has failed unless the state is OK; in the call's arena */
    Status status; /* an error of its service, in the call's arena; else OK */
    Code code;     /* of an error of its service, also if a fallback stands in; else OK */
    int64_t began, ended;
    uint32_t age; /* seconds, of a kept response */
    bool answered, good;
    bool may_have_effect;
    Bytes record; /* its response as a source of the envelope; empty: it has none */
    Bytes part;   /* of the composed response */
} LegCall;

typedef struct Composition {
    Making making; /* first */
    MakeCall call;
    const Composed *composed;
    Timer timer;
    size_t bytes_left;
    uint64_t done, missing; /* bits of legs: they have ended; and have no response */
    uint32_t n_running;
    LegCall legs[];
} Composition;

/* leg_report.c: the list of them in the response, and in a header field. */
void leg_report_write(const Composition *c, Buffer *out);
Bytes leg_report_text(const Making *making, bool *partial_out);

#endif
