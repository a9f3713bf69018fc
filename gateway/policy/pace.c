#include "gateway/policy/pace.h"

#include "base/clock.h"

#define FIRST (2 * MILLISECOND)

static int64_t rest_after(const Pace *pace, int64_t most)
{
    uint32_t calls = pace->admitted + pace->refused;
    int64_t rest = pace->rest;
    if (pace->refused > calls / 4)
        rest = rest ? 2 * rest : FIRST;
    else if (pace->refused <= calls / 8)
        rest = rest > FIRST ? rest / 2 : 0;
    return rest < most ? rest : most;
}

int64_t pace_next(Pace *pace, int64_t most, uint64_t random)
{
    bool had_calls = pace->admitted || pace->refused;
    if (!had_calls)
        return 0;
    pace->rest = rest_after(pace, most);
    pace->hopeless = pace->rest == most && !pace->admitted;
    pace->admitted = pace->refused = 0;
    int64_t half = pace->rest / 2;
    return half ? half + (int64_t)(random % (uint64_t)(half + 1)) : pace->rest;
}

uint32_t pace_piece(const Pace *pace)
{
    return pace->rest && !pace->hopeless ? PACE_PIECE : 0;
}
