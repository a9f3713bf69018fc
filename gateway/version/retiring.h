/*
 * Retiring: when an old version ends that is retired on evidence, and its brown-outs before.
 *
 *      deprecated      sunset                    unused for so long, or an operator's word
 *      ----|-------------|------------------------------|---------->
 *       served        served, with an alert           410
 *            [brown-out]     [brown-out]: 503 for a share of the clients
 *
 * Decisions are pure functions: time is passed in, as wall time in nanoseconds. RetireState is what
 * all loops and the main thread know of one version; it is written by gateway/usage and by those
 * who count calls, and read by negotiation.
 */
#ifndef GATEWAY_RETIRING_H
#define GATEWAY_RETIRING_H

#include "gateway/config/config.h"

#include <stdatomic.h>

struct RetireState {
    atomic_llong retired;  /* wall time at which it ended; 0: it is served */
    atomic_llong used;     /* wall time of the last call that this process has seen; 0: none */
    atomic_ullong refused; /* calls that brown-outs have refused */
};

/* What is known of the use of a version. */
typedef struct RetireEvidence {
    int64_t watched; /* since when its calls have been counted without a gap */
    int64_t used;    /* its last call; 0: none is known */
} RetireEvidence;

typedef enum RetireVerdict {
    RETIRE_EARLY,   /* its sunset has not come */
    RETIRE_USED,    /* somebody has called it too lately */
    RETIRE_UNKNOWN, /* nobody has watched for long enough to know */
    RETIRE_UNUSED,  /* it may end */
} RetireVerdict;

/* Whether the version may end by evidence. It has `retiring`. */
RetireVerdict retire_judge(const Version *version, const RetireEvidence *evidence, int64_t wall);

/* For how long nobody has called it, as far as is known. */
int64_t retire_unused(const RetireEvidence *evidence, int64_t wall);

/* From when on it is not served; 0: it is served without an end that is known. */
int64_t version_end(const Version *version);

/* Whether it is past the date that its clients were told, and still served. */
bool version_outlives_sunset(const Version *version, int64_t wall);

/* The brown-out of the version at this time; NULL: none. */
const Brownout *brownout_now(const Version *version, int64_t wall);

/* The first one that begins after this time; NULL: none is planned. */
const Brownout *brownout_after(const Version *version, int64_t wall);

/* When the next one begins or the present one ends; INT64_MAX: never. */
int64_t brownout_next(const Version *version, int64_t wall);

/* Whether calls of this client fail in it. The client is its name, or else its address. */
bool brownout_hits(const Brownout *brownout, Bytes client);

#endif
