#include "gateway/limits/limit_shares.h"

#include "base/result.h"
#include "gateway/limits/rate.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { LEAST_PART = 8 /* of an equal part, whatever is needed */, PLACES = 4096 /* of a map */ };

uint32_t limit_share_equal(uint32_t n_gateways)
{
    uint32_t share = n_gateways < RATE_WHOLE ? RATE_WHOLE / n_gateways : 1;
    return share ? share : 1;
}

/* What nobody has more than: the level up to which all needs are met, if `total` is divided. */
static uint64_t level_of(const uint64_t *needs, uint32_t n, uint64_t total)
{
    uint64_t level = total / n, met = 0;
    uint32_t open = n;
    /* Each round closes those that need less, and divides what they leave; at most n rounds. */
    for (uint32_t round = 0; round < n && open; round++) {
        uint64_t before = level;
        met = 0;
        open = 0;
        for (uint32_t i = 0; i < n; i++) {
            met += needs[i] <= level ? needs[i] : 0;
            open += needs[i] > level;
        }
        level = open ? (total - met) / open : level;
        if (level == before)
            break;
    }
    return level;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint32_t limit_share_of(const uint64_t *needs, uint32_t n, uint32_t mine, uint32_t n_gateways)
{
    uint64_t equal = limit_share_equal(n_gateways), least = equal / LEAST_PART;
    uint64_t total = equal * n; /* what others may use is theirs */
    uint64_t rest = total - least * n;
    uint64_t level = level_of(needs, n, rest), given = 0;
    for (uint32_t i = 0; i < n; i++)
        given += least_of(needs[i], level);
    uint64_t spare = given < rest ? (rest - given) / n : 0;
    uint64_t share = least + least_of(needs[mine], level) + spare;
    return share ? (uint32_t)share : 1;
}

/* ---- The map --------------------------------------------------------------------------------- */

typedef struct Place {
    _Atomic uint64_t key; /* 0: none */
    atomic_uint share;
} Place;

struct LimitShareMap {
    Place sides[2][PLACES];
    atomic_uint side; /* that is read */
    atomic_bool any;
};

LimitShareMap *limit_share_map_new(void)
{
    LimitShareMap *map = calloc(1, sizeof *map);
    CHECK(map);
    return map;
}

void limit_share_map_free(LimitShareMap *map)
{
    free(map);
}

static void put(Place *places, const LimitShare *share)
{
    uint64_t at = share->key % PLACES;
    while (atomic_load_explicit(&places[at].key, memory_order_relaxed))
        at = (at + 1) % PLACES;
    atomic_store_explicit(&places[at].share, share->share, memory_order_relaxed);
    atomic_store_explicit(&places[at].key, share->key, memory_order_release);
}

void limit_share_map_set(LimitShareMap *map, const LimitShare *shares, uint32_t n)
{
    CHECK(n <= SHARES_MOST);
    uint32_t other = !atomic_load(&map->side);
    Place *places = map->sides[other];
    for (uint32_t i = 0; i < PLACES; i++)
        atomic_store_explicit(&places[i].key, 0, memory_order_relaxed);
    for (uint32_t i = 0; i < n; i++)
        put(places, &shares[i]);
    atomic_store(&map->side, other);
    atomic_store(&map->any, n > 0);
}

uint32_t limit_share_map_get(const LimitShareMap *map, uint64_t key)
{
    if (!atomic_load_explicit(&map->any, memory_order_relaxed))
        return 0;
    const Place *places = map->sides[atomic_load_explicit(&map->side, memory_order_acquire)];
    /* One that is rewritten meanwhile ends, too: there is an empty place behind each row of keys.
     */
    for (uint64_t at = key % PLACES, n = 0; n < SHARES_MOST + 1; at = (at + 1) % PLACES, n++) {
        uint64_t there = atomic_load_explicit(&places[at].key, memory_order_acquire);
        if (there == key)
            return atomic_load_explicit(&places[at].share, memory_order_relaxed);
        if (!there)
            break;
    }
    return 0;
}
