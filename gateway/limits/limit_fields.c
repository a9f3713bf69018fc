#include "gateway/limits/limit_fields.h"

#include "base/clock.h"

static unsigned long long seconds_of(int64_t nanoseconds)
{
    return (unsigned long long)((nanoseconds + SECOND - 1) / SECOND);
}

static unsigned long long window_of(const RateLimit *limit)
{
    double nanoseconds = (double)limit->burst * (double)limit->period / (double)limit->rate;
    return seconds_of((int64_t)nanoseconds);
}

static void add_policy(const RateLimit *limit, Buffer *out)
{
    static const char *const units[] = {[LIMIT_CALLS] = "",
                                        [LIMIT_MESSAGES] = ";qu=\"messages\"",
                                        [LIMIT_BYTES] = ";qu=\"content-bytes\""};
    buffer_printf(out, "%s\"%s\";q=", out->size ? ", " : "", limit->name);
    if (limit->concurrent)
        buffer_printf(out, "%u;qu=\"concurrent-requests\"", limit->concurrent);
    else
        buffer_printf(out, "%llu%s;w=%llu", (unsigned long long)limit->burst, units[limit->count],
                      window_of(limit));
}

static void add_standing(const RateLimit *limit, const LimitStanding *standing, Buffer *out)
{
    buffer_printf(out, "%s\"%s\";r=%llu", out->size ? ", " : "", limit->name,
                  (unsigned long long)standing->left);
    if (!limit->concurrent)
        buffer_printf(out, ";t=%llu", seconds_of(standing->wait));
}

void limit_fields_add(RateLimits *limits, const LimitPass *pass, int64_t now, Arena *arena,
                      Fields *fields)
{
    Buffer policy = buffer_in(arena), standing = buffer_in(arena);
    for (uint32_t i = 0; i < pass->n; i++) {
        const LimitTicket *ticket = &pass->tickets[i];
        if (!ticket->of->limit->told)
            continue;
        LimitStanding where = rate_limits_standing(limits, ticket, now);
        add_policy(ticket->of->limit, &policy);
        add_standing(ticket->of->limit, &where, &standing);
    }
    fields->full |= policy.full || standing.full;
    if (!policy.size || fields->full)
        return;
    fields_add(fields, bytes_of("ratelimit-policy"), buffer_bytes(&policy));
    fields_add(fields, bytes_of("ratelimit"), buffer_bytes(&standing));
}
