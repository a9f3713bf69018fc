#include "gateway/supervisor/restarts.h"

#include "base/clock.h"

const SupervisorLimits supervisor_limits_default = {
    .restarts = 10,
    .steady = 1 * SECOND,
    .wait = 100 * MILLISECOND,
    .longest = 5 * SECOND,
    .prove = 30 * SECOND,
    .hung = 30 * SECOND,
};

enum { NUMBERS = sizeof(SupervisorLimits) / sizeof(int64_t) };

typedef union LimitNumbers {
    SupervisorLimits limits;
    int64_t numbers[NUMBERS];
} LimitNumbers;

void supervisor_limits_write(const SupervisorLimits *limits, Buffer *out)
{
    LimitNumbers all = {*limits};
    for (int i = 0; i < NUMBERS; i++)
        buffer_printf(out, i ? " %lld" : "%lld", (long long)all.numbers[i]);
}

/* A later build may write more numbers, and they are passed over. */
bool supervisor_limits_read(Bytes text, SupervisorLimits *limits)
{
    LimitNumbers all;
    for (int i = 0; i < NUMBERS; i++) {
        Bytes part;
        uint64_t number;
        if (!bytes_split(&text, ' ', &part) || !bytes_to_u64(part, &number) || number > INT64_MAX)
            return false;
        all.numbers[i] = (int64_t)number;
    }
    *limits = all.limits;
    return true;
}

static int64_t wait_before(const SupervisorLimits *limits, uint32_t in_row)
{
    int64_t wait = in_row > 1 ? limits->wait : 0;
    for (uint32_t i = 2; i < in_row && wait < limits->longest; i++)
        wait = wait > limits->longest / 2 ? limits->longest : wait * 2;
    return wait < limits->longest ? wait : limits->longest;
}

RestartVerdict restarts_after(const SupervisorLimits *limits, int64_t served, uint32_t *in_row)
{
    if (served >= 0 && served >= limits->steady)
        *in_row = 0;
    if (*in_row >= limits->restarts)
        return (RestartVerdict){.again = false};
    ++*in_row;
    return (RestartVerdict){.again = true, .wait = wait_before(limits, *in_row)};
}
