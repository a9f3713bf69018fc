/*
 * Probe: one active check of one instance: by gRPC's health service, an HTTP request, or a new TCP
 * connection.
 *
 *      probe_begin --> ask, over the loop's connections to the instance --> on_done, once
 *
 * Embedded in its owner; its loop's thread only. All zeros except on_done: not running.
 */
#ifndef GATEWAY_PROBE_H
#define GATEWAY_PROBE_H

#include "gateway/call/exchange.h"
#include "gateway/instances/check_row.h"
#include "gateway/loop/dial.h"
#include "gateway/loop/resolver.h"
#include "gateway/upstream/upstream.h"

typedef struct Probe Probe;
struct Probe {
    /* Called from the loop, never from within probe_begin. It may begin the next one, or free the
       owner. */
    void (*on_done)(Probe *probe, CheckResult result);
    /* private */
    Caller caller;
    Loop *loop;
    const CheckRules *rules;
    Instance instance; /* whose texts are borrowed */
    bool running, over;
    CheckResult result;
    Timer timer; /* the timeout; then that of on_done */
    Exchange *x; /* CHECK_GRPC */
    uint8_t request[CHECK_NAME_MOST + 4];
    Message message;
    UpstreamWait wait; /* CHECK_HTTP */
    bool waiting;
    HttpStream *stream;
    size_t received;
    Lookup lookup; /* CHECK_TCP */
    Dial *dial;
};

/* Rules and instance must outlive the probe, or its cancel. `instance->known` is not NULL. */
void probe_begin(Probe *probe, Loop *loop, Resolver *resolver, const CheckRules *rules,
                 const Instance *instance);

/* on_done is not called any more. Does nothing if it does not run. */
void probe_cancel(Probe *probe);

#endif
