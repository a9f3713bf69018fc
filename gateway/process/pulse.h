/*
 * Pulse: whether all loops turn. Each is asked, and when all have answered there is a beat; then
 * they are asked again. Belongs to the main thread and its loop; embedded in its owner, which stays
 * until the workers have been joined.
 */
#ifndef GATEWAY_PULSE_H
#define GATEWAY_PULSE_H

#include "gateway/process/worker.h"

#include <uv.h>

typedef struct Pulse {
    uv_timer_t timer;
    Worker **workers;
    uint32_t n_workers;
    atomic_uint n_silent; /* workers that have not answered */
    void (*beat)(void *owner);
    void *owner;
} Pulse;

/* Calls `beat` at most every `period` nanoseconds. */
void pulse_start(Pulse *pulse, uv_loop_t *loop, Worker **workers, uint32_t n_workers,
                 int64_t period, void (*beat)(void *owner), void *owner);

/* Its handle closes. Of one that was not started, too, if it is zeros. */
void pulse_stop(Pulse *pulse);

#endif
