#include "adapters/compare/settle.h"

#include "adapters/run/plan_run.h"
#include "base/arena.h"

static Result run(const Plan *plan, Arena *arena, Bytes *message)
{
    Buffer out = buffer_in(arena);
    if (!plan)
        return OK;
    Result r = plan_run(plan, &(PlanInput){.bytes = *message}, arena, &out, NULL);
    *message = buffer_bytes(&out);
    return !failed(r) && out.full ? FAIL(arena, FAULT_OUT_OF_MEMORY, "settling a message") : r;
}

static Result go_round(const ThereAndBack *ways, uint32_t n, Arena *arena, Bytes *message)
{
    Result r = OK;
    for (uint32_t i = 0; i < n && !failed(r); i++) {
        r = run(ways[i].there, arena, message);
        if (!failed(r))
            r = run(ways[i].back, arena, message);
    }
    return r;
}

/* What plans write has one form, so that equal bytes are enough. */
Result settle_message(const ThereAndBack *ways, uint32_t n, Arena *arena, Bytes *message,
                      bool *settled_out)
{
    *settled_out = n == 0;
    for (int i = 0; i < SETTLE_ROUNDS && !*settled_out; i++) {
        Bytes before = *message;
        Result r = go_round(ways, n, arena, message);
        if (failed(r))
            return r;
        *settled_out = bytes_equal(before, *message);
    }
    return OK;
}
