/*
 * DialCall: one call to one instance, by the same code as the gateway's own calls: names, TLS,
 * protocol, deadline, streams.
 *
 * Runs a loop of its own on the calling thread, and returns when the call has ended. Nothing is
 * retried, limited or judged.
 */
#ifndef GATEWAY_DIAL_CALL_H
#define GATEWAY_DIAL_CALL_H

#include "base/call.h"
#include "gateway/config/config.h"

typedef struct DialCall {
    const Instance *instance; /* copied */
    const MethodType *type;
    Codec codec;
    const Fields *metadata;
    int64_t timeout; /* nanoseconds, or NO_TIMEOUT */
    const Bytes *messages;
    uint32_t n;
    /* A message of the response; valid during the event. A failure ends the call. */
    MUST_USE Result (*on_message)(void *owner, Bytes message);
    void *owner;
} DialCall;

typedef struct DialEnd {
    Status status;         /* in the arena, as all of it */
    Fields head, trailers; /* of the response */
    int64_t time;          /* nanoseconds, of all of it */
    bool unreached;        /* the instance was not, so that nothing has happened there */
} DialEnd;

/* The config is used by this thread only. The Result fails if there is no loop: SYSTEM. */
MUST_USE Result dial_call(Config *config, const DialCall *call, Arena *arena, DialEnd *end_out);

#endif
