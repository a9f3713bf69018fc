#include "gateway/tally/criticality.h"

static double share(double part, double whole)
{
    return whole <= 0 ? 0 : part >= whole ? 1 : part / whole;
}

Criticality criticality_of(const FailureRow *row, const MethodUse *use, int64_t wall)
{
    if (!use || !row->count)
        return (Criticality){0};
    double seen = (double)(row->count - row->retried) / (double)row->count;
    Criticality c = {
        .calls = share(seen * (double)window_count(&row->hour, WINDOW_HOUR, wall),
                       (double)window_count(&use->hour, WINDOW_HOUR, wall)),
        .clients = seen * share(recent_clients_count(&row->recent_clients, wall),
                                recent_clients_count(&use->clients, wall)),
    };
    c.value = impact_weight(row->impact) * (c.calls + c.clients) / 2;
    return c;
}
