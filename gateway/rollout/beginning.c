#include "gateway/rollout/beginning.h"

#include "base/clock.h"

#define STEP_LEAST (1 * SECOND)
enum { STEP_LOOKS = 3 };

int64_t beginning_step(const RolloutDefinition *rollout)
{
    int64_t step = STEP_LOOKS * rollout->judging.every;
    return step > STEP_LEAST ? step / 2 * 2 : STEP_LEAST;
}

int64_t beginning_cell(const RolloutDefinition *rollout)
{
    return beginning_step(rollout) / 2;
}

int64_t beginning_from(int64_t wall, int64_t step)
{
    return (wall + 2 * step - 1) / step * step;
}

int64_t beginning_look(int64_t from, int64_t step)
{
    return from - step / 4;
}

bool beginning_is_now(int64_t what, int64_t from, int64_t step, const BeginningNow *now,
                      int64_t *again_out)
{
    int64_t end = now->wall / step * step; /* of the latest step that is over */
    if (from == 0 || from - now->wall > 2 * step)
        return true;
    *again_out = end < from ? from : end + step;
    int64_t cell = end - step / 2; /* the second one of that step */
    return end >= from && now->known >= what && now->failed < cell && now->looked >= cell &&
           now->looked < end;
}
