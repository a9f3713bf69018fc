/* TracingConfig: which calls are recorded as spans, and where these go. */
#ifndef GATEWAY_TRACING_CONFIG_H
#define GATEWAY_TRACING_CONFIG_H

#include "gateway/config/otlp_config.h"

typedef struct TracingConfig {
    OtlpTarget to; /* on: calls are recorded */
    bool parent, errors;
    uint64_t share; /* of 2^32; of calls without a trace */
    int64_t slow;   /* nanoseconds; INT64_MAX: none is */
    uint32_t late_per_second;
} TracingConfig;

#endif
