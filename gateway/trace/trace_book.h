/*
 * TraceBook: the spans of one loop on their way to the exporter.
 *
 * Each call that is recorded becomes spans when it ends, which are collected until they are many or
 * old: config `tracing.batch`, `tracing.every`. What fails by no mistake of the client, or is slow,
 * is recorded though nobody had decided so at its beginning, up to `tracing.late_per_second`. One
 * loop, its thread only.
 */
#ifndef GATEWAY_TRACE_BOOK_H
#define GATEWAY_TRACE_BOOK_H

#include "gateway/loop/loop.h"
#include "gateway/otlp/otlp_exporter.h"

typedef struct TraceBook TraceBook;

/* From now on it gets the records of the loop. The exporter outlives it. */
TraceBook *trace_book_open(OtlpExporter *exporter, Loop *loop);

/* The loop is about to end: calls that end from now on are those that are cut off. */
void trace_book_close(TraceBook *book);

/* The loop has ended: passes on what is left, and frees. */
void trace_book_free(TraceBook *book);

#endif
