/*
 * Profiling: a profile of this process, taken while it serves.
 *
 *      profile_turn_take --> profile_run (on a thread that may block) --> profile_turn_give_back
 *
 * One at a time in the process. Any thread.
 */
#ifndef GATEWAY_PROFILING_H
#define GATEWAY_PROFILING_H

#include "base/bytes.h"
#include "base/result.h"
#include "gateway/profile/cpu_sampler.h"

typedef enum ProfileKind { PROFILE_CPU, PROFILE_HEAP } ProfileKind;

enum { PROFILE_SECONDS = 10 /* where nobody says how many */ };

/* Of a profile that is being taken. */
typedef struct ProfileTurn {
    ProfileKind kind;
    uint32_t seconds; /* PROFILE_CPU */
    int64_t since;    /* clock_wall */
} ProfileTurn;

/* Whether it is this one's turn now; else *other_out is the one that is being taken. */
bool profile_turn_take(const ProfileTurn *turn, ProfileTurn *other_out);
void profile_turn_give_back(void);

/*
 * "seconds=30", or nothing: of a CPU profile; that of the heap takes nothing. Fault: BAD_VALUE,
 * with what may be said.
 */
MUST_USE Result profile_read_query(Arena *arena, ProfileKind kind, Bytes query, int64_t longest,
                                   uint32_t *seconds_out);

/*
 * Takes it, until it is over at the latest: pprof's, compressed. `node` is the gateway's name. In
 * `arena`, which has no limit. Faults: UNSUPPORTED, SYSTEM, OUT_OF_MEMORY, INTERNAL.
 */
MUST_USE Result profile_run(Arena *arena, const ProfileTurn *turn, const char *node,
                            const ProfileEnd *end, Buffer *out);

#endif
