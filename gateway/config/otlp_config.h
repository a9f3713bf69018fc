/* OtlpTarget: where one signal goes by OpenTelemetry's protocol; OtlpConfig: metrics and the log.
 */
#ifndef GATEWAY_OTLP_CONFIG_H
#define GATEWAY_OTLP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Instance Instance;

typedef struct OtlpTarget {
    bool on;
    Instance *collector; /* of no service; its TLS is freed with the Config. NULL: there is a
                            receiver */
    struct WebhookConfig *receiver; /* of the URL: where it is, and its token. NULL: there is a
                                       collector */
    const char *service;
    size_t batch, queue;    /* bytes */
    int64_t every, timeout; /* nanoseconds */
} OtlpTarget;

typedef enum LogLevel { LOG_INFO, LOG_WARNING, LOG_ERROR } LogLevel;

typedef struct OtlpConfig {
    Instance *collector; /* of metrics and the log, and perhaps of spans; NULL: a URL, or nothing */
    OtlpTarget metrics, logs;
    bool exponential; /* histograms */
    LogLevel least;   /* of lines of the log */
} OtlpConfig;

#endif
