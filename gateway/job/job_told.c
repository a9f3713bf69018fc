#include "gateway/job/job_told.h"

#define FORWARD (1u << JOB_RUNNING | 1u << JOB_WAITING)

enum { STATE_BITS = 8, STEP_BITS = 8, NUMBER_AT = STATE_BITS + STEP_BITS };

static uint32_t states_of(uint64_t told)
{
    return (uint32_t)(told & ((1u << STATE_BITS) - 1));
}

static uint32_t step_of(uint64_t told)
{
    return (uint32_t)(told >> STATE_BITS & ((1u << STEP_BITS) - 1));
}

uint64_t job_told_number(uint64_t told)
{
    return told >> NUMBER_AT;
}

bool job_told_next(uint64_t *told, const JobPosition *position)
{
    uint32_t state = 1u << position->state, states = states_of(*told);
    bool same_step = step_of(*told) == position->step;
    if (same_step && (states & state))
        return false;
    if (!same_step || !(state & FORWARD))
        states = 0;
    states = (states & FORWARD) | state;
    *told =
        (job_told_number(*told) + 1) << NUMBER_AT | (uint64_t)position->step << STATE_BITS | states;
    return true;
}
