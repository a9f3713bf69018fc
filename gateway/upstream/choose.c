#include "gateway/upstream/choose.h"

#include "gateway/upstream/upstream.h"

#include <math.h>

bool choose_was_tried(const PickTried *tried, const Instance *instance)
{
    while (tried && tried->instance != instance)
        tried = tried->before;
    return tried != NULL;
}

/* One that is found to be down is swapped out of the first part of its lists, so another one takes
   its place. */
static bool is_up(const Loop *loop, Candidate *candidate)
{
    bool up = upstream_state(candidate->upstream, loop->now) == UPSTREAM_READY;
    if (!up)
        candidate_set_down(candidate, true);
    return up;
}

/* The first one from `at` on that is up and was not tried; NULL: there is none. */
static Candidate *next_up(const Loop *loop, const CandidateList *list, uint32_t at,
                          const PickTried *tried)
{
    for (uint32_t n_looked = 0; n_looked < list->n_up;) {
        at = at < list->n_up ? at : 0;
        Candidate *candidate = list->all[at];
        if (!is_up(loop, candidate)) {
            n_looked = 0; /* the one in its place may have been skipped already */
            continue;
        }
        if (!choose_was_tried(tried, candidate->instance))
            return candidate;
        n_looked++;
        at++;
    }
    return NULL;
}

/* ---- By weight ------------------------------------------------------------------------------- */

static bool is_usable(const Loop *loop, Candidate *candidate, const PickTried *tried)
{
    return !candidate->down && !candidate->barred && is_up(loop, candidate) &&
           !choose_was_tried(tried, candidate->instance);
}

/* Where the next draw of a list falls: in turn, or at random. */
typedef uint64_t NextPoint(Loop *loop, CandidateList *list);

static uint64_t point_in_turn(Loop *loop, CandidateList *list)
{
    return list->turn++ * DRAW_STEP;
}

static uint64_t point_at_random(Loop *loop, CandidateList *list)
{
    return random_next(&loop->random);
}

/* One that a draw falls on; NULL: none of several draws has found one that can be used. */
static Candidate *draw_up(Loop *loop, CandidateList *list, NextPoint *next, const PickTried *tried)
{
    enum { DRAWS = 8 };
    for (int i = 0; i < DRAWS; i++) {
        Candidate *candidate = list->drawn[draw_at(list->draw, next(loop, list))];
        if (is_usable(loop, candidate, tried))
            return candidate;
    }
    return NULL;
}

static Candidate *next_in_turn(Loop *loop, CandidateList *list, const PickTried *tried)
{
    Candidate *drawn = list->draw ? draw_up(loop, list, point_in_turn, tried) : NULL;
    return drawn || list->n_up == 0 ? drawn : next_up(loop, list, list->turn++ % list->n_up, tried);
}

static Candidate *at_random(Loop *loop, CandidateList *list, const PickTried *tried)
{
    Candidate *drawn = list->draw ? draw_up(loop, list, point_at_random, tried) : NULL;
    return drawn ? drawn
                 : next_up(loop, list, (uint32_t)random_below(&loop->random, list->n_up), tried);
}

/* ---- The better of two ----------------------------------------------------------------------- */

static bool is_better(const Loop *loop, const Candidate *a, const Candidate *b)
{
    const Latency *of_a = upstream_latency(a->upstream), *of_b = upstream_latency(b->upstream);
    uint32_t calls_a = upstream_load(a->upstream), calls_b = upstream_load(b->upstream);
    if (of_a->value <= LATENCY_LEAST && of_b->value <= LATENCY_LEAST) /* then latencies are alike */
        return (float)calls_a * b->weight < (float)calls_b * a->weight;
    return burden_is_less(&(Burden){latency_now(of_a, loop->now), calls_a, a->weight},
                          &(Burden){latency_now(of_b, loop->now), calls_b, b->weight});
}

/* In its slow start an instance leaves a part of its calls to the others. */
static uint32_t share_of(const Loop *loop, const Candidate *candidate)
{
    int64_t slow_start = candidate->of->service->slow_start;
    return slow_start ? known_instance_share(candidate->instance->known, slow_start, loop->now)
                      : SHARE_WHOLE;
}

static bool holds_back(Loop *loop, const Candidate *candidate)
{
    uint32_t share = share_of(loop, candidate);
    return share < SHARE_WHOLE && random_below(&loop->random, SHARE_WHOLE) >= share;
}

/* Of calls with a key it is always the same keys: each comes to the instance once, and stays. */
static bool holds_key_back(const Loop *loop, const Candidate *candidate, uint32_t key)
{
    uint32_t point =
        key * UINT32_C(0xc2b2ae35); /* not by the place on the ring, nor as spill_key */
    return (uint64_t)point * SHARE_WHOLE >> 32 >= share_of(loop, candidate);
}

static Candidate *better_of(Loop *loop, Candidate *first, Candidate *second)
{
    bool may_hold_back = first->of->service->slow_start != 0;
    if (may_hold_back && holds_back(loop, second))
        return first;
    if (may_hold_back && holds_back(loop, first))
        return second;
    return is_better(loop, second, first) ? second : first;
}

static Candidate *choose_by_load(Loop *loop, CandidateList *list, const PickTried *tried)
{
    Candidate *first = next_in_turn(loop, list, tried);
    if (!first || list->n_up == 1)
        return first;
    /* With weights, both draws may fall on the same one: else the smaller of two would always be
       the other one, and get half of the calls whenever it is a little faster. */
    PickTried but_first = {first->instance, tried};
    Candidate *second = at_random(loop, list, list->draw ? tried : &but_first);
    return !second || second == first ? first : better_of(loop, first, second);
}

/* ---- By key ---------------------------------------------------------------------------------- */

/* The bound is on the calls of all loops as each loop sees them: they get calls alike. */
static bool is_full(const Candidate *candidate, float bound)
{
    const Candidates *of = candidate->of;
    uint32_t n_usable = of->set->n - of->n_away;
    double mean = (double)of->count->n_calls / (n_usable ? n_usable : 1);
    uint32_t calls = upstream_load(candidate->upstream);
    return calls >= CALLS_NEVER_FULL && calls >= ceil(bound * mean * candidate->weight);
}

/* NULL: the call goes by load. */
static Candidate *choose_by_key(Loop *loop, const CandidateList *list, const PickWish *wish)
{
    const Ring *ring = list->ring;
    Candidate *held = NULL; /* the first one that would rather have others take the key */
    uint32_t at = ring_find(ring, wish->key.hash);
    for (uint32_t i = 0; i < RING_STEPS && i < ring->n; i++, at++) {
        at = at < ring->n ? at : 0;
        Candidate *candidate = &list->of->candidates[ring->points[at].member];
        if (!is_usable(loop, candidate, wish->tried) || is_full(candidate, wish->key.bound))
            continue;
        if (!holds_key_back(loop, candidate, wish->key.hash))
            return candidate;
        held = held ? held : candidate;
    }
    return held;
}

Candidate *choose_up(Loop *loop, CandidateList *list, const PickWish *wish)
{
    if (list->n_up == 0)
        return NULL;
    Candidate *of_key = wish->key.bound > 0 && list->ring ? choose_by_key(loop, list, wish) : NULL;
    return of_key ? of_key : choose_by_load(loop, list, wish->tried);
}

/* ---- Those that are down --------------------------------------------------------------------- */

/* From a random start, so that calls are spread. If there is none, the list is not searched again
   before that may have changed. */
Candidate *choose_down(Loop *loop, CandidateList *list, const PickWish *wish)
{
    uint32_t n_down = list->n - list->n_up;
    uint32_t times_back = atomic_load_explicit(&known_instances_back, memory_order_acquire);
    if (n_down == 0 || (loop->now < list->try_from && times_back == list->times_back))
        return NULL;
    int64_t try_from = NO_TIMEOUT;
    uint32_t start = (uint32_t)random_below(&loop->random, n_down);
    for (uint32_t i = 0; i < n_down; i++) {
        uint32_t at = start + i < n_down ? start + i : start + i - n_down;
        Candidate *candidate = list->all[list->n_up + at];
        const Upstream *upstream = candidate->upstream;
        if (candidate->barred)
            continue;
        if (upstream_worth_a_try(upstream, loop->now)) {
            if (!choose_was_tried(wish->tried, candidate->instance))
                return candidate;
            try_from = loop->now; /* for the next call */
        } else if (upstream_try_from(upstream) < try_from) {
            try_from = upstream_try_from(upstream);
        }
    }
    list->try_from = try_from;
    list->times_back = times_back;
    return NULL;
}

/* ---- The last resort ------------------------------------------------------------------------- */

static bool fails_only(const Candidate *candidate)
{
    uint32_t bars = instance_barred(candidate->instance);
    return candidate->barred && !candidate->down && !(bars & ~(uint32_t)BARS_OF_FAILURES);
}

/* From a random start, so that calls are spread. */
Candidate *choose_at_need(Loop *loop, const CandidateList *list, const PickWish *wish)
{
    if (list->n == 0)
        return NULL;
    uint32_t at = (uint32_t)random_below(&loop->random, list->n);
    for (uint32_t i = 0; i < list->n; i++, at++) {
        at = at < list->n ? at : 0;
        Candidate *candidate = list->all[at];
        if (fails_only(candidate) && !choose_was_tried(wish->tried, candidate->instance) &&
            is_up(loop, candidate))
            return candidate;
    }
    return NULL;
}
