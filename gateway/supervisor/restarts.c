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

#define REFUSED_LONGEST (60 * SECOND)

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

/* `wait`, doubled so many times, up to the longest. */
static int64_t doubled(int64_t wait, uint32_t times, int64_t longest)
{
    for (; times && wait < longest; times--)
        wait = wait > longest / 2 ? longest : wait * 2;
    return wait < longest ? wait : longest;
}

static int64_t wait_before(const SupervisorLimits *limits, uint32_t in_row)
{
    return in_row > 1 ? doubled(limits->wait, in_row - 2, limits->longest) : 0;
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

int64_t restarts_after_refusal(const SupervisorLimits *limits, uint32_t *refused)
{
    int64_t wait = doubled(limits->wait, *refused, REFUSED_LONGEST);
    if (*refused < UINT32_MAX)
        ++*refused;
    return wait;
}
