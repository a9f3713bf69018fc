#include "gateway/tally/recent_clients.h"

#include "base/clock.h"

#include <string.h>

#define HOUR (3600 * SECOND)

/* The sketch of this hour; NULL: it is over for good. */
static Sketch *half_of(RecentClients *clients, int64_t hour)
{
    if (hour > clients->hour) {
        if (hour > clients->hour + 1)
            memset(&clients->halves[(hour + 1) % 2], 0, sizeof(Sketch));
        memset(&clients->halves[hour % 2], 0, sizeof(Sketch));
        clients->hour = hour;
    }
    return hour >= clients->hour - 1 ? &clients->halves[hour % 2] : NULL;
}

void recent_clients_add(RecentClients *clients, int64_t wall, uint64_t hash)
{
    Sketch *half = half_of(clients, wall / HOUR);
    if (half)
        sketch_add(half, hash);
}

void recent_clients_merge(RecentClients *into, const RecentClients *from)
{
    if (!from->hour)
        return;
    for (int64_t hour = from->hour - 1; hour <= from->hour; hour++) {
        Sketch *half = half_of(into, hour);
        if (half)
            sketch_merge(half, &from->halves[hour % 2]);
    }
}

double recent_clients_count(const RecentClients *clients, int64_t wall)
{
    int64_t now = wall / HOUR;
    Sketch both = {{0}};
    for (int64_t hour = clients->hour - 1; hour <= clients->hour; hour++)
        if (hour >= now - 1 && hour >= 0)
            sketch_merge(&both, &clients->halves[hour % 2]);
    return sketch_count(&both);
}
