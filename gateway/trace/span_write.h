/*
 * The spans of one call, in the wire format of OpenTelemetry's protocol:
 *
 *      a client's call      SERVER     a leg of a composed one, a step of a job    INTERNAL
 *        attempt            CLIENT       attempt                                   CLIENT
 *        attempt            CLIENT
 *
 * What is recorded is what the access log says of a call, under the names of OpenTelemetry's
 * semantic conventions 1.44 where they have one, else under `passerelle.`. No payload, no field of
 * the head, and no query. Texts are cut to OTLP_TEXT_MOST bytes. Pure; any thread.
 *
 * https://github.com/open-telemetry/opentelemetry-proto, opentelemetry/proto/trace/v1/trace.proto
 */
#ifndef GATEWAY_SPAN_WRITE_H
#define GATEWAY_SPAN_WRITE_H

#include "base/random.h"
#include "gateway/telemetry/telemetry.h"

/* Appends each as a field `spans` of ScopeSpans; returns their number. `began`: of the call, on the
   clock of its attempts. `context`: the call's. Attempts that were not told a span get one.
   `redact`: names of members that are not shown (redaction.h); ends with NULL; NULL: all
   is shown. */
uint32_t spans_write(const CallRecord *record, const TraceContext *context, int64_t began,
                     Random *random, const char *const *redact, Buffer *out);

#endif
