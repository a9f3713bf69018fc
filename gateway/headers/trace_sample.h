/*
 * Which calls are recorded as spans: by the trace that the client has begun, else by chance. What
 * fails or is slow may be recorded once it has ended (gateway/trace).
 */
#ifndef GATEWAY_TRACE_SAMPLE_H
#define GATEWAY_TRACE_SAMPLE_H

#include "gateway/config/tracing_config.h"
#include "gateway/headers/trace_context.h"

/* Decides for a call whose context was read. May begin a trace; one that it records of a client
   who does not is from here on recorded by all. `config->to.on`. */
void trace_sample(TraceContext *context, const TracingConfig *config, Random *random);

#endif
