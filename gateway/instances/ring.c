#include "gateway/instances/ring.h"

#include "base/result.h"

#include <stdlib.h>
#include <string.h>

/* The points of a name are the numbers of this generator (SplitMix64). */
static uint32_t place_of(uint64_t name, uint32_t i)
{
    uint64_t z = name + (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 32);
}

static double mean_weight(const RingMember *members, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += members[i].weight;
    return sum / n;
}

/* At least one, and not so many that one heavy member makes the ring large. */
static uint32_t points_of(const RingMember *member, double mean)
{
    double points = member->weight / mean * RING_POINTS + 0.5;
    return points < 1 ? 1 : points > 100 * RING_POINTS ? 100 * RING_POINTS : (uint32_t)points;
}

static uint32_t bucket_of(const Ring *ring, uint32_t place)
{
    return place >> ring->shift;
}

static void make_room(Ring *ring)
{
    uint32_t bits = 1;
    while (bits < 24 && UINT32_C(1) << bits < ring->n)
        bits++;
    ring->shift = 32 - bits;
    ring->firsts = calloc((UINT32_C(1) << bits) + 2, sizeof *ring->firsts);
    ring->points = malloc(ring->n * sizeof *ring->points);
    CHECK(ring->firsts && ring->points);
}

/* Equal places are in the order of their members, as they were listed. */
static bool comes_before(const RingPoint *a, const RingPoint *b)
{
    return a->place < b->place;
}

static void sort_bucket(RingPoint *points, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        RingPoint point = points[i];
        uint32_t at = i;
        for (; at > 0 && comes_before(&point, &points[at - 1]); at--)
            points[at] = points[at - 1];
        points[at] = point;
    }
}

/* Counting sort by bucket: `firsts` counts one bucket further on, so that it ends up at the firsts
   of the buckets themselves. */
static void put_points(Ring *ring, const RingMember *members, uint32_t n, double mean)
{
    uint32_t n_buckets = UINT32_C(1) << (32 - ring->shift);
    uint32_t *ends = ring->firsts + 1;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = points_of(&members[i], mean); k-- > 0;)
            ends[bucket_of(ring, place_of(members[i].name, k)) + 1]++;
    }
    for (uint32_t i = 1; i <= n_buckets; i++)
        ends[i] += ends[i - 1];
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = points_of(&members[i], mean); k-- > 0;) {
            uint32_t place = place_of(members[i].name, k);
            ring->points[ends[bucket_of(ring, place)]++] =
                (RingPoint){.place = place, .member = members[i].member};
        }
    }
    for (uint32_t i = 0; i < n_buckets; i++)
        sort_bucket(ring->points + ring->firsts[i], ring->firsts[i + 1] - ring->firsts[i]);
}

Ring *ring_new(const RingMember *members, uint32_t n)
{
    if (n == 0)
        return NULL;
    Ring *ring = calloc(1, sizeof *ring);
    CHECK(ring);
    double mean = mean_weight(members, n);
    for (uint32_t i = 0; i < n; i++)
        ring->n += points_of(&members[i], mean);
    make_room(ring);
    put_points(ring, members, n, mean);
    return ring;
}

void ring_free(Ring *ring)
{
    if (!ring)
        return;
    free(ring->firsts);
    free(ring->points);
    free(ring);
}

uint32_t ring_find(const Ring *ring, uint32_t key)
{
    uint32_t at = ring->firsts[bucket_of(ring, key)];
    while (at < ring->n && ring->points[at].place < key)
        at++;
    return at < ring->n ? at : 0;
}
