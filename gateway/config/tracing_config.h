/* TracingConfig: which calls are recorded as spans, and where these go. */
#ifndef GATEWAY_TRACING_CONFIG_H
#define GATEWAY_TRACING_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Instance Instance;

typedef struct TracingConfig {
    bool on;
    Instance *collector; /* of no service; its TLS is freed with the Config. NULL: there is `url` */
    struct WebhookConfig *receiver; /* of the URL: where it is, and its token. NULL: there is
                                       `collector` */
    const char *service;
    bool parent, errors;
    uint64_t share; /* of 2^32; of calls without a trace */
    int64_t slow;   /* nanoseconds; INT64_MAX: none is */
    uint32_t late_per_second;
    size_t batch, queue;    /* bytes */
    int64_t every, timeout; /* nanoseconds */
} TracingConfig;

#endif
