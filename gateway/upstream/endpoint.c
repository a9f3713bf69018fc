#include "gateway/upstream/endpoint.h"

#include "base/clock.h"
#include "base/result.h"

#include <stdlib.h>

#define AVOID_FIRST (1 * SECOND)

enum { AVOID_DOUBLED = 6 /* AVOID_FIRST is doubled at most so many times */ };

Endpoint *endpoint_find(Endpoint *first, const IpAddress *ip)
{
    while (first && !ip_equal(&first->ip, ip))
        first = first->next;
    return first;
}

Endpoint *endpoint_get(Endpoint **first, const IpAddress *ip)
{
    Endpoint *endpoint = endpoint_find(*first, ip);
    if (endpoint)
        return endpoint;
    endpoint = calloc(1, sizeof(*endpoint));
    CHECK(endpoint);
    endpoint->ip = *ip;
    while (*first)
        first = &(*first)->next;
    *first = endpoint;
    return endpoint;
}

static void free_unused(Endpoint **at)
{
    while (*at) {
        Endpoint *endpoint = *at;
        if (endpoint->named || endpoint->n_links > 0) {
            at = &endpoint->next;
            continue;
        }
        *at = endpoint->next;
        free(endpoint);
    }
}

void endpoints_forget(Endpoint *first)
{
    for (; first; first = first->next)
        first->named = false;
}

void endpoints_name(Endpoint **first, const IpAddress *addresses, uint32_t n, uint32_t start)
{
    for (uint32_t i = 0; i < n; i++)
        endpoint_get(first, &addresses[(start + i) % n])->named = true;
    free_unused(first);
}

void endpoints_free(Endpoint **first)
{
    while (*first) {
        Endpoint *endpoint = *first;
        *first = endpoint->next;
        free(endpoint);
    }
}

bool endpoints_any_named(const Endpoint *first)
{
    while (first && !first->named)
        first = first->next;
    return first != NULL;
}

void endpoint_failed(Endpoint *endpoint, int64_t now)
{
    uint32_t doubled = endpoint->failures < AVOID_DOUBLED ? endpoint->failures : AVOID_DOUBLED;
    endpoint->avoid_until = now + (AVOID_FIRST << doubled);
    endpoint->failures++;
}

void endpoint_connected(Endpoint *endpoint)
{
    endpoint->failures = 0;
    endpoint->avoid_until = 0;
}

bool endpoint_is_missed(const Endpoint *endpoint, int64_t now)
{
    bool lacks = endpoint->n_links == 0 || endpoint->mixed;
    return endpoint->named && lacks && now >= endpoint->avoid_until;
}

/* A sort key: the most important part first; the lowest rank comes first. */
typedef struct Rank {
    uint64_t parts[4];
} Rank;

static Rank rank_of(const Endpoint *endpoint, int64_t now, const IpAddress *before)
{
    bool is_v4 = ip_is_v4(&endpoint->ip);
    uint64_t avoided = now < endpoint->avoid_until;
    if (!before)
        return (Rank){{avoided, endpoint->n_links, is_v4, endpoint->used}};
    return (Rank){{avoided, is_v4 == ip_is_v4(before), endpoint->n_links, endpoint->used}};
}

static bool is_less(const Rank *a, const Rank *b)
{
    int i = 0;
    while (i < 3 && a->parts[i] == b->parts[i])
        i++;
    return a->parts[i] < b->parts[i];
}

static bool has(const IpAddress *list, uint32_t n, const IpAddress *ip)
{
    uint32_t i = 0;
    while (i < n && !ip_equal(&list[i], ip))
        i++;
    return i < n;
}

static const Endpoint *next_of(const Endpoint *first, int64_t now, const IpAddress *order,
                               uint32_t n)
{
    const Endpoint *best = NULL;
    Rank least = {{0}};
    for (const Endpoint *e = first; e; e = e->next) {
        if (!e->named || has(order, n, &e->ip))
            continue;
        Rank rank = rank_of(e, now, n ? &order[n - 1] : NULL);
        if (best && !is_less(&rank, &least))
            continue;
        best = e;
        least = rank;
    }
    return best;
}

uint32_t endpoints_order(const Endpoint *first, int64_t now, IpAddress *order, uint32_t most)
{
    uint32_t n = 0;
    const Endpoint *next;
    while (n < most && (next = next_of(first, now, order, n)))
        order[n++] = next->ip;
    return n;
}
