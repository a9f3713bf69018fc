#include "gateway/tally/criticality.h"

static double share(double part, double whole)
{
    return whole <= 0 ? 0 : part >= whole ? 1 : part / whole;
}

/* The clients that were known before the process began are at least there. */
static double clients_of(const FailureMethod *before, const MethodUse *use, int64_t wall)
{
    double now = use ? recent_clients_count(&use->clients, wall) : 0;
    bool lately = before->seen / WINDOW_HOUR >= wall / WINDOW_HOUR - 1;
    return lately && now < (double)before->clients ? (double)before->clients : now;
}

static uint64_t calls_of(const FailureMethod *before, const MethodUse *use, int64_t wall)
{
    return window_count(&before->hour, WINDOW_HOUR, wall) +
           (use ? window_count(&use->hour, WINDOW_HOUR, wall) : 0);
}

Criticality criticality_of(const FailureRow *row, const MethodUse *use, int64_t wall)
{
    if ((!use && !row->method.seen) || !row->count)
        return (Criticality){0};
    double seen = (double)(row->count - row->retried) / (double)row->count;
    Criticality c = {
        .calls = share(seen * (double)window_count(&row->hour, WINDOW_HOUR, wall),
                       (double)calls_of(&row->method, use, wall)),
        .clients = seen * share(recent_clients_count(&row->recent_clients, wall),
                                clients_of(&row->method, use, wall)),
    };
    c.value = impact_weight(row->impact) * (c.calls + c.clients) / 2;
    return c;
}

FailureMethod criticality_keep(const FailureRow *row, const MethodUse *use, int64_t process,
                               int64_t wall)
{
    FailureMethod kept = {.process = process,
                          .seen = wall,
                          .clients = (uint64_t)(clients_of(&row->method, use, wall) + 0.5),
                          .hour = row->method.hour};
    if (!use && !row->method.seen)
        return (FailureMethod){0};
    if (use)
        window_merge(&kept.hour, &use->hour);
    return kept;
}
