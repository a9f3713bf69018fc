/*
 * StreamStarts: which streams still have the place that they took when they started.
 *
 * A stream may last for days, and must not take a place from calls for so long. It has one until
 * its response begins, at most for a while: when a slice of time is over, the streams that began in
 * the slice before it lose theirs.
 *
 *      slice      4       |      5       |      6
 *      stream     +-------------------->|  lost: it has had it for one to two slices
 *
 * Time is passed in: monotonic nanoseconds that do not go back. All zeros: none has started.
 */
#ifndef GATEWAY_STREAM_STARTS_H
#define GATEWAY_STREAM_STARTS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct StreamStarts {
    uint32_t slice;      /* the present one */
    int64_t slice_until; /* its end */
    uint32_t n[2];       /* by slice: the present one and the one before it */
} StreamStarts;

/* `slice_length`: of the present config, in nanoseconds. Returns how many places were lost since
   the last time. */
uint32_t stream_starts_expire(StreamStarts *starts, int64_t slice_length, int64_t now);

/* A stream has started, after stream_starts_expire. Returns its slice. */
uint32_t stream_starts_add(StreamStarts *starts);

/* The response of a stream that started in this slice has begun, or the stream has ended. Whether
   it still had its place, which it gives back now. */
bool stream_starts_remove(StreamStarts *starts, uint32_t slice);

/* When places may be lost next; INT64_MAX: no stream has one. */
static inline int64_t stream_starts_next(const StreamStarts *starts)
{
    return starts->n[0] || starts->n[1] ? starts->slice_until : INT64_MAX;
}

#endif
