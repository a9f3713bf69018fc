/*
 * ShadowCall: the copy of one call, from its admission to its entry in the book.
 *
 * A call of the gateway itself to one instance (exchange.h): it has no retries, passes no gate and
 * no breaker, and nothing of it is judged. It begins a moment after the call that it copies has
 * ended, so that the response of that one is on its way. The responses are compared on the work
 * pool. Owns itself; it is in its arena. One loop, its thread only.
 */
#ifndef GATEWAY_SHADOW_CALL_H
#define GATEWAY_SHADOW_CALL_H

#include "gateway/call/exchange.h"
#include "gateway/loop/work_pool.h"
#include "gateway/shadow/shadow_finding.h"
#include "gateway/shadow/shadow_target.h"

typedef struct ShadowCall ShadowCall;

/* Who is told of its end, once: `call` is freed after it. */
typedef struct ShadowOwner {
    Loop *loop;
    ShadowBook *book;
    void (*on_end)(struct ShadowOwner *owner, ShadowCall *call);
} ShadowOwner;

struct ShadowCall {
    Caller caller;          /* first */
    ShadowCall *next, **at; /* of its owner */
    void *allowance;        /* likewise */
    ShadowOwner *owner;
    Arena *arena;
    Config *config;   /* in use */
    InstanceSet *set; /* a reference */
    EndedCall real;   /* its copy */
    ShadowTarget target;
    Timer timer;
    Exchange *x; /* NULL: it does not run */
    Code code;   /* of the response */
    Bytes response;
    Result why;    /* the gateway's own failure; else OK */
    bool compared; /* the job is on the pool, or was */
    bool dropped;  /* it is not counted any more */
    WorkJob job;
    ShadowFinding finding;
};

/* Takes the arena, and copies the call. Ends at once, by on_end later, if the arena is full. */
ShadowCall *shadow_call_begin(ShadowOwner *owner, Arena *arena, const EndedCall *call);

/* Ends it, or lets its job end: on_end may be called before the return. */
void shadow_call_drop(ShadowCall *call);

#endif
