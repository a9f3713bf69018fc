/* The inside of RateLimits, for the files of gateway/limits. */
#ifndef GATEWAY_RATE_LIMITS_INTERNAL_H
#define GATEWAY_RATE_LIMITS_INTERNAL_H

#include "gateway/cache/response_key.h"
#include "gateway/limits/limit_shares.h"
#include "gateway/limits/rate_limits.h"

#include <pthread.h>

/* What was counted of a limit, by its name: as long as the process. */
typedef struct LimitTally {
    struct LimitTally *next;
    char name[LIMIT_NAME_MOST + 1];
    double per_second; /* of the newest config; 0: it is no rate of calls */
    atomic_ullong refused;
    atomic_ullong shared;     /* calls that had to share a bucket */
    atomic_ullong unrecorded; /* since the last record */
    atomic_llong recorded_at; /* monotonic */
} LimitTally;

/* Of one RateLimit of a config, in its arena. */
struct RateLimitState {
    Rate rate;
    LimitTally *tally;
};

struct RateLimits {
    _Atomic(LimitTable *) table; /* NULL: nothing was limited yet */
    KeySeed seed;                /* of keys; the same after an upgrade */
    bool agreed;                 /* it is that of the store */
    atomic_uint share;           /* of RATE_WHOLE */
    LimitShareMap *shares;       /* of buckets with other ones */
    LimitHot *hot;
    atomic_llong guessed_until; /* monotonic: then all who have guessed wrong are forgotten */
    pthread_mutex_t lock;       /* of the list */
    LimitTally *tallies;
};

/* All gateways of a store find the same keys by this seed. Before the first loop runs. */
void rate_limits_agree(RateLimits *limits, KeySeed seed);

#endif
