/*
 * Trace context: which trace a call belongs to, read from the client and passed on (W3C Trace
 * Context level 2, sections 3.2 and 3.3). The gateway is a span of its own: what it passes on has
 * its own parent-id. Lives in the call's arena.
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

typedef struct TraceContext {
    char trace_id[TRACE_ID_SIZE]; /* lower-case hex, no NUL */
    char caller[TRACE_SPAN_SIZE]; /* the caller's span; meaningless when the trace begins here */
    char span[TRACE_SPAN_SIZE];   /* ours: the parent-id that goes on */
    uint8_t flags;                /* TRACE_SAMPLED, TRACE_RANDOM */
    bool continued;               /* the caller's trace goes on; false: a new one begins here */
    Bytes state;                  /* tracestate to pass on; empty: none */
} TraceContext;

/*
 * Reads "traceparent" and "tracestate" of a request's head. When the first is missing, comes twice
 * or is malformed, a new trace begins and the second is dropped. A new trace is not marked as
 * sampled: whether it is recorded is for those who record it to say.
 */
void trace_context_begin(const Fields *head, Random *random, Arena *arena,
                         TraceContext *context_out);

/* Puts both fields into the metadata that goes on, in place of any that are there. */
void trace_context_write(const TraceContext *context, Fields *metadata);

/* Checks one traceparent value. False when it is malformed or of the invalid version ff. */
bool trace_parent_read(Bytes value, TraceContext *context_out);

#endif
