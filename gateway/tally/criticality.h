/*
 * Criticality: how much a failure matters now: its impact times its measured risk.
 *
 * Impact is that of the route: low 1, high 10, catastrophic 100. Risk is the mean of two shares,
 * each from 0 to 1: of the method's calls in the last hour, and of its clients in this hour and the
 * last; so neither one client that tries without end nor many clients that rarely fail are hidden.
 * Failures of attempts only take no part. What a store had of the method's calls counts for as long
 * as it is of the last hour, so that a restart makes no failure less critical; without a store, a
 * failure that was not seen since the start of the process has no risk yet. Pure functions; time is
 * passed in.
 */
#ifndef GATEWAY_CRITICALITY_H
#define GATEWAY_CRITICALITY_H

#include "gateway/tally/tally.h"

typedef struct Criticality {
    double calls, clients; /* shares */
    double value;          /* 0 to 100 */
} Criticality;

/* `use` is that of the failure's method since the process began; NULL: nothing is known of it. */
Criticality criticality_of(const FailureRow *row, const MethodUse *use, int64_t wall);

/* What is to be stored of the method. `process`: when this process began. */
FailureMethod criticality_keep(const FailureRow *row, const MethodUse *use, int64_t process,
                               int64_t wall);

#endif
