/*
 * LogSample: which calls that went well are in the log, when not all of them are to be.
 *
 * The draw is a hash of the call's trace, or of its request id: gateways that the same call passes
 * keep it, or leave it out, together, and so does the same gateway for all calls of a trace. The
 * hash is part of what gateways agree upon: it does not change. Pure; any thread.
 */
#ifndef GATEWAY_LOG_SAMPLE_H
#define GATEWAY_LOG_SAMPLE_H

#include "base/bytes.h"

typedef struct LogSample {
    uint64_t below; /* kept: hashes of 32 bits below it; 2^32: all */
    int64_t slow;   /* nanoseconds: from there on a call is kept */
    Bytes member;   /* of the line that is kept: ,"sampled":0.01 */
} LogSample;

/* `share` is from 0 to 1. In the arena. */
LogSample log_sample_of(double share, int64_t slow, Arena *arena);

static inline bool log_sample_keeps_all(const LogSample *sample)
{
    return sample->below > UINT32_MAX;
}

/* The hash of an id, which it is drawn by. */
uint32_t log_sample_hash(Bytes id);

static inline bool log_sample_draws(const LogSample *sample, Bytes id)
{
    return log_sample_hash(id) < sample->below;
}

#endif
