/*
 * CertificateWatch: how long the certificates of the running config are valid: as a metric, and as
 * the event `certificate_ends` when it is read and twice a day, from 30 days before the end.
 * There is one in the process. The main thread only, except for the metrics.
 */
#ifndef GATEWAY_CERTIFICATE_WATCH_H
#define GATEWAY_CERTIFICATE_WATCH_H

#include "gateway/config/config.h"

#include <uv.h>

/* What ends at a place; of several certificates and their chains the first one. */
typedef struct CertificateEnd {
    const char *where, *what; /* "listener 127.0.0.1:443", "the certificate" */
    int64_t end;              /* wall time in nanoseconds */
    struct CertificateEnd *next;
} CertificateEnd;

void certificate_watch_start(uv_loop_t *loop);

/* Before the loop ends. */
void certificate_watch_stop(void);

/* The config is running from now on; nothing of it is kept. */
void certificate_watch_use(const Config *config);

#endif
