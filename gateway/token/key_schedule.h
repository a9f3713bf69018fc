/*
 * When keys are read again: pure. Times are monotonic nanoseconds; chance is passed in.
 */
#ifndef GATEWAY_KEY_SCHEDULE_H
#define GATEWAY_KEY_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#define KEY_FETCH_PAUSE (INT64_C(10) * 1000000000) /* between two fetches of one URL, at least */

typedef struct KeySchedule {
    int64_t begun;     /* the last time that it was fetched; 0: never */
    int64_t due;       /* the next time */
    int64_t good;      /* the last time that it gave keys; 0: never */
    uint32_t failures; /* in a row */
} KeySchedule;

/* Whether to fetch now. `wanted`: somebody asks for a key that is not there. */
bool key_schedule_is_due(const KeySchedule *schedule, int64_t now, bool wanted);

/* How long it is until a wish is met, or it is fetched anyway; 0: at once. At most
   KEY_FETCH_PAUSE. */
int64_t key_schedule_wait(const KeySchedule *schedule, int64_t now);

/* Whether a key that signed at `issued` may be newer than the keys that are known, or than what a
   server showed then: issuers may publish it KEY_FETCH_PAUSE after they sign with it. */
bool key_schedule_may_be_new(const KeySchedule *schedule, int64_t issued);

/* It was fetched, or not. After a success the next time is in `every`, up to a tenth earlier, so
   that many gateways do not ask at once; after a failure in 1 s, and in twice as long after
   each further one, but in `every` at most, up to half of it earlier. `random`: any number. */
void key_schedule_done(KeySchedule *schedule, int64_t now, bool good, int64_t every,
                       uint64_t random);

#endif
