/*
 * RecentClients: how many different clients there were in the running hour and the one before it.
 *
 * Hours are those of wall time, so that what several loops have seen can be merged. Owned by one
 * thread; zeros are empty.
 */
#ifndef GATEWAY_RECENT_CLIENTS_H
#define GATEWAY_RECENT_CLIENTS_H

#include "gateway/tally/sketch.h"

typedef struct RecentClients {
    int64_t hour;     /* the running one, since 1970 */
    Sketch halves[2]; /* hour n is in n % 2 */
} RecentClients;

/* A client, as a hash, at `wall`: nanoseconds since 1970. */
void recent_clients_add(RecentClients *clients, int64_t wall, uint64_t hash);

void recent_clients_merge(RecentClients *into, const RecentClients *from);

/* Estimated, as of `wall`. */
double recent_clients_count(const RecentClients *clients, int64_t wall);

#endif
