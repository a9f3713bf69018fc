/*
 * Restarts: whether a gateway that has ended is started again, and when.
 *
 * One that had served for a while is started at once. One that ends sooner waits longer each time,
 * and after so many in a row it is given up: then whoever runs the supervisor has to act. One that
 * refuses to start, for its config has a mistake, is tried for as long as it takes to mend that:
 * nothing is gained by giving up. Pure.
 */
#ifndef GATEWAY_RESTARTS_H
#define GATEWAY_RESTARTS_H

#include "base/bytes.h"

/* Settings of the supervisor; times in nanoseconds. */
typedef struct SupervisorLimits {
    int64_t restarts; /* in a row, at most */
    int64_t steady;   /* who served for so long has worked: the row ends */
    int64_t wait;     /* before the second restart in a row; doubled each time ... */
    int64_t longest;  /* ... up to this */
    int64_t prove;    /* for a successor to answer */
    int64_t hung;     /* without a sign of life; 0: it may be silent for ever */
} SupervisorLimits;

extern const SupervisorLimits supervisor_limits_default;

/* As a text for a notice, and back. False: it is none, and nothing is changed. */
void supervisor_limits_write(const SupervisorLimits *limits, Buffer *out);
bool supervisor_limits_read(Bytes text, SupervisorLimits *limits);

typedef struct RestartVerdict {
    bool again;
    int64_t wait; /* nanoseconds until then */
} RestartVerdict;

/* One has ended that served for `served` nanoseconds; -1: it never did. `in_row` begins with 0. */
RestartVerdict restarts_after(const SupervisorLimits *limits, int64_t served, uint32_t *in_row);

/* One has ended by itself before it served, and has said why. Nanoseconds until the next try: first
   limits->wait, then twice as long each time, up to a minute. `refused`: how often in a row; it
   begins with 0. */
int64_t restarts_after_refusal(const SupervisorLimits *limits, uint32_t *refused);

#endif
