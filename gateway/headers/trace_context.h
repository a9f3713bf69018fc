/*
 * Trace context: which trace a call belongs to, read from the client and passed on (W3C Trace
 * Context level 2, sections 3.2 and 3.3). In a trace the gateway is a span of its own: it sends its
 * own parent-id. It begins a trace only for a call that it records itself (trace_sample.h):
 * instances that get no trace context decide themselves. Lives in the call's arena.
 */
#ifndef GATEWAY_TRACE_CONTEXT_H
#define GATEWAY_TRACE_CONTEXT_H

#include "base/fields.h"
#include "base/random.h"

enum {
    TRACE_ID_SIZE = 32,
    TRACE_SPAN_SIZE = 16,
    TRACE_STATE_MEMBERS = 32,
    TRACE_STATE_SIZE = 2048
};

enum { TRACE_SAMPLED = 1, TRACE_RANDOM = 2 };

typedef struct BaggageNotes BaggageNotes; /* gateway/headers/baggage.h */

typedef struct TraceContext {
    bool known;    /* there is one; false: the members below are unset, but `noted` */
    bool recorded; /* the gateway sends its spans to a collector */
    char trace_id[TRACE_ID_SIZE]; /* lower-case hex, no NUL */
    char caller[TRACE_SPAN_SIZE]; /* the client's span; zeros: the gateway has begun the trace */
    char span[TRACE_SPAN_SIZE];   /* the gateway's: the parent-id that is sent on */
    uint8_t flags;                /* TRACE_SAMPLED, TRACE_RANDOM */
    Bytes state;                  /* tracestate to pass on; empty: none */
    const BaggageNotes *noted; /* what is recorded of the request's baggage, also without a trace;
                                  NULL: nothing */
} TraceContext;

/*
 * Reads "traceparent" and "tracestate" of a request's head. If the first is missing, occurs twice
 * or is malformed, there is no trace, and the second is ignored.
 */
void trace_context_begin(const Fields *head, Random *random, Arena *arena,
                         TraceContext *context_out);

/* Begins a trace, which is recorded. `noted` stays. */
void trace_context_start(TraceContext *context, Random *random);

/* The context of a call that is made for another one, with a span within that of the other, in the
   arena. NULL: the arena is full. */
TraceContext *trace_context_within(const TraceContext *outer, Random *random, Arena *arena);

/* From now on the metadata, in which the context is written, has a new span as the parent-id: that
   of one attempt. Returns its id, never 0. */
uint64_t trace_context_attempt(const TraceContext *context, Random *random, Fields *metadata);

/* Sets both fields in the metadata that is sent on; without a trace, removes them. */
void trace_context_write(const TraceContext *context, Fields *metadata);

/* Checks one traceparent value. False when it is malformed or of the invalid version ff. */
bool trace_parent_read(Bytes value, TraceContext *context_out);

#endif
