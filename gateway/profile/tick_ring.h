/*
 * TickRing: samples on their way from the handlers of a signal to the thread that counts them.
 *
 *      handlers, any thread   begin -> [fill in] -> end --> [ slots ] --> take   one thread
 *
 * Nobody waits: a sample for which there is no room is counted as lost. Async-signal-safe but for
 * making and freeing it.
 */
#ifndef GATEWAY_TICK_RING_H
#define GATEWAY_TICK_RING_H

#include "gateway/profile/unwind.h"

#include <stdatomic.h>

enum { TICK_SLOTS = 1024 };

typedef struct Tick {
    atomic_bool whole;
    uint32_t thread;  /* whatever the handler knows the thread by */
    uint32_t periods; /* that have passed since the one before */
    uint32_t n;
    bool broken;  /* unwind_interrupted */
    int64_t took; /* nanoseconds, of the handler */
    uint64_t frames[UNWIND_DEPTH];
} Tick;

typedef struct TickRing {
    atomic_uint_fast64_t n_begun, n_taken, n_lost;
    Tick ticks[TICK_SLOTS];
} TickRing;

/* Never NULL; freed by free. */
TickRing *tick_ring_new(void);

/* A sample to be filled in; NULL: there is no room. */
Tick *tick_begin(TickRing *ring);
void tick_end(Tick *tick);

/* The oldest one that is whole, until tick_give_back; NULL: there is none now. */
Tick *tick_take(TickRing *ring);
void tick_give_back(TickRing *ring, Tick *tick);

#endif
