#include "gateway/policy/spill.h"

uint32_t spill_share(uint32_t n_up, uint32_t n, uint32_t healthy, uint32_t most)
{
    uint64_t wanted = (uint64_t)n * healthy, has = (uint64_t)n_up * 100;
    if (has >= wanted)
        return 0;
    uint32_t share = 100 - (uint32_t)(has * 100 / wanted);
    return share < most ? share : most;
}

bool spill_next(uint32_t *turn, uint32_t share)
{
    *turn += share;
    bool leaves = *turn >= 100;
    *turn -= leaves ? 100 : 0;
    return leaves;
}

/* Not by the place on the ring: that decides among the instances. */
bool spill_key(uint32_t key, uint32_t share)
{
    return (uint64_t)(key * UINT32_C(0x85ebca6b)) * 100 >> 32 < share;
}
