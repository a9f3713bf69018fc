/*
 * Events: what happens next in a simulation: a heap by time.
 *
 * One for the process, which ends with it.
 */
#ifndef LOADTEST_EVENTS_H
#define LOADTEST_EVENTS_H

#include <stdint.h>

typedef enum What {
    ARRIVAL,   /* a client calls a gateway */
    TURN_OVER, /* of the loop of a gateway */
    SEND,      /* a call's backoff is over */
    WAITED,    /* a call has waited for a place for long enough */
    ENDED,     /* an attempt */
} What;

typedef struct Event {
    int64_t at;
    What what;
    uint32_t which; /* the gateway, or the call */
} Event;

void event_push(int64_t at, What what, uint32_t which);

/* The first one; there is one. */
Event event_pop(void);

#endif
