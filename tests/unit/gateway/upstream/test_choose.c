#include "tests/unit/check.h"
#include "tests/unit/gateway/upstream/upstream_double.h"

#include <math.h>
#include <stdlib.h>

enum { MOST = UPSTREAMS, CALLS = 20000 };

static Service service;
static Config config;
static Loop loop;
static Arena *arena;

/* The first n of them are the service's from now on. */
static void use_instances(uint32_t n)
{
    Instance *chosen[MOST];
    for (uint32_t i = 0; i < n; i++)
        chosen[i] = &instances[i];
    instance_set_use(&service, instance_set_new(&service, chosen, n));
    candidates_take(&loop, instance_set_of(&service));
}

static int set_up(void **state)
{
    static char addresses[MOST][24];
    arena = arena_new(ARENA_UNLIMITED);
    service = (Service){.name = "files", .cells = {.own = "a", .healthy = 70, .spill = 50}};
    config = (Config){.services = &service, .n_services = 1};
    for (uint32_t i = 0; i < MOST; i++) {
        snprintf(addresses[i], sizeof addresses[i], "10.0.%u.%u:80", i >> 8, i & 255);
        instances[i] = (Instance){.service = &service, .address = {.text = addresses[i]}};
        upstreams[i] =
            (struct Upstream){.failure = FAIL(arena, FAULT_UPSTREAM_DOWN, "connection refused")};
    }
    loop = (Loop){.config = &config, .now = 1000 * SECOND};
    random_seed_fixed(&loop.random, 1);
    return 0;
}

static void use_cells(uint32_t n_near, uint32_t n_far)
{
    use_instances(0);
    for (uint32_t i = 0; i < n_near + n_far; i++)
        instances[i].far = i >= n_near;
    use_instances(n_near + n_far);
}

static int tear_down(void **state)
{
    candidates_end(&loop);
    instance_set_unref(service.set);
    for (uint32_t i = 0; i < MOST; i++)
        known_instance_unref(instances[i].known);
    arena_free(arena);
    return 0;
}

/* The instance of the next call; -1: it has none. The call has ended afterwards. */
static int chosen_for(const PickWish *wish, bool *spilled_out)
{
    Pick pick;
    Result r = pick_any(&loop, &service, wish, arena, &pick);
    if (failed(r)) {
        assert_fault(r, FAULT_UPSTREAM_DOWN);
        return -1;
    }
    if (spilled_out)
        *spilled_out = pick.spilled;
    pick_release(&loop, &pick);
    return (int)(pick.instance - instances);
}

static int chosen(void)
{
    return chosen_for(&(PickWish){0}, NULL);
}

static int owner_of(uint32_t hash)
{
    return chosen_for(&(PickWish){.key = {.hash = hash, .bound = 1.25f}}, NULL);
}

static void count(uint32_t *counts, uint32_t n, uint32_t n_calls)
{
    memset(counts, 0, n * sizeof *counts);
    for (uint32_t i = 0; i < n_calls; i++) {
        int at = chosen();
        assert_in_range(at, 0, n - 1);
        counts[at]++;
    }
}

static void bar(uint32_t i, Bar why, bool on)
{
    known_instance_bar(instances[i].known, why, on);
}

static void come_back(uint32_t i)
{
    upstreams[i].state = UPSTREAM_READY;
    for (Candidate *c = upstreams[i].candidates; c; c = c->next)
        candidate_set_down(c, false);
}

/* ---- Weights --------------------------------------------------------------------------------- */

/* Without load: of the sum of the weights, which is what a slow search would find. */
static void calls_are_in_proportion_to_the_weights(void **state)
{
    static uint32_t counts[MOST];
    Random random;
    random_seed_fixed(&random, 9);
    for (int round = 0; round < 20; round++) {
        uint32_t n = 2 + (uint32_t)random_below(&random, 40);
        double sum = 0;
        use_instances(0); /* what they weigh changes under no set */
        for (uint32_t i = 0; i < n; i++)
            sum += instances[i].weight = 1 + (uint32_t)random_below(&random, round % 2 ? 10 : 2);
        use_instances(n);
        count(counts, n, CALLS);
        for (uint32_t i = 0; i < n; i++)
            assert_true(fabs(counts[i] - CALLS * instances[i].weight / sum) < CALLS * 0.002);
    }
}

static void those_that_are_left_share_the_calls_by_weight(void **state)
{
    uint32_t counts[6];
    for (uint32_t i = 0; i < 6; i++)
        instances[i].weight = i < 3 ? 1 : 3;
    use_instances(6);
    upstreams[0].state = upstreams[5].state = UPSTREAM_DOWN;
    count(counts, 6, CALLS);
    assert_int_equal(counts[0] + counts[5], 0);
    for (uint32_t i = 1; i < 5; i++)
        assert_true(fabs(counts[i] - CALLS * (double)instances[i].weight / 8) < CALLS * 0.03);
}

/* Draws would hardly ever find it. */
static void a_light_one_among_heavy_ones_that_are_down_is_found(void **state)
{
    for (uint32_t i = 0; i < MOST; i++) {
        instances[i].weight = i == 7 ? 1 : 1000;
        upstreams[i].state = i == 7 ? UPSTREAM_READY : UPSTREAM_DOWN;
    }
    use_instances(MOST);
    for (int i = 0; i < 100; i++)
        assert_int_equal(chosen(), 7);
}

static void one_that_is_new_gets_more_and_more_calls(void **state)
{
    static const struct {
        int64_t after;
        double share;
    } rows[] = {
        {0, 0.1}, {1 * SECOND, 0.1}, {5 * SECOND, 0.5}, {9 * SECOND, 0.9}, {10 * SECOND, 1}};
    uint32_t counts[4];
    service.slow_start = 10 * SECOND;
    use_instances(4);
    int64_t start = loop.now;
    known_instance_warm_up(instances[2].known, start);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        loop.now = start + rows[i].after;
        count(counts, 4, CALLS);
        assert_true(fabs(counts[2] - CALLS / 4.0 * rows[i].share) < CALLS * 0.01);
    }
    loop.now = start;
    service.slow_start = 0;
    count(counts, 4, CALLS);
    assert_true(fabs(counts[2] - CALLS / 4.0) < CALLS * 0.01);
}

static void if_all_are_new_they_share_the_calls(void **state)
{
    uint32_t counts[4];
    service.slow_start = 10 * SECOND;
    use_instances(4);
    for (uint32_t i = 0; i < 4; i++)
        known_instance_warm_up(instances[i].known, loop.now);
    count(counts, 4, CALLS);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(fabs(counts[i] - CALLS / 4.0) < CALLS * 0.02);
}

/* Each key comes to it once, and no other key moves. */
static void one_that_is_new_gets_more_and_more_keys(void **state)
{
    enum { KEYS = 4000 };
    static int before[KEYS];
    static bool came[KEYS];
    static const struct {
        int64_t after;
        double share;
    } rows[] = {{0, 0.1}, {5 * SECOND, 0.5}, {9 * SECOND, 0.9}, {10 * SECOND, 1}};
    service.has_affinity = true;
    service.slow_start = 10 * SECOND;
    use_instances(4);
    int64_t start = loop.now;
    uint32_t n_own = 0;
    for (uint32_t key = 0; key < KEYS; key++) {
        before[key] = owner_of(key * 0x9e3779b9u);
        n_own += before[key] == 2;
    }
    known_instance_warm_up(instances[2].known, start);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t n = 0;
        loop.now = start + rows[i].after;
        for (uint32_t key = 0; key < KEYS; key++) {
            int now = owner_of(key * 0x9e3779b9u);
            assert_true(before[key] == 2 ? now == 2 || !came[key] : now == before[key]);
            came[key] |= now == 2;
            n += now == 2;
        }
        assert_true(fabs(n - n_own * rows[i].share) <= KEYS * 0.02);
    }
}

static void if_all_are_new_keys_stay_where_they_are(void **state)
{
    service.has_affinity = true;
    service.slow_start = 10 * SECOND;
    use_instances(4);
    for (uint32_t key = 0; key < 100; key++) {
        int owner = owner_of(key * 0x9e3779b9u);
        for (uint32_t i = 0; i < 4; i++)
            known_instance_warm_up(instances[i].known, loop.now);
        assert_int_equal(owner_of(key * 0x9e3779b9u), owner);
        loop.now += 10 * SECOND;
    }
}

/* It is drawn by its weight, also where it is the faster one. */
static void a_small_weight_stays_small_whoever_is_faster(void **state)
{
    uint32_t counts[2];
    instances[0].weight = 19;
    instances[1].weight = 1;
    use_instances(2);
    for (uint32_t slow = 0; slow < 2; slow++) {
        for (int i = 0; i < 2; i++)
            upstreams[i].latency = (Latency){0};
        latency_add(&upstreams[slow].latency, 50 * MILLISECOND, true, loop.now);
        count(counts, 2, CALLS);
        assert_in_range(counts[1], CALLS * 2 / 1000, CALLS * 11 / 100); /* 1/400 to 39/400 */
    }
}

/* Calls stay for a while, and end at random. */
static void running_calls_are_in_proportion_to_the_weights(void **state)
{
    enum { N = 20, RUNNING = 2000 };
    uint32_t running[RUNNING] = {0}, sum = 0;
    for (uint32_t i = 0; i < N; i++)
        sum += instances[i].weight = i % 2 ? 4 : 1;
    use_instances(N);
    for (uint32_t i = 0; i < 10 * RUNNING; i++) {
        uint32_t *slot = &running[i < RUNNING ? i : (uint32_t)random_below(&loop.random, RUNNING)];
        if (i >= RUNNING)
            upstreams[*slot].load--;
        *slot = (uint32_t)chosen();
        upstreams[*slot].load++;
    }
    for (uint32_t i = 0; i < N; i++) {
        double fair = (double)RUNNING * instances[i].weight / sum;
        assert_true(upstreams[i].load > 0.85 * fair && upstreams[i].load < 1.15 * fair);
    }
}

/* ---- Latency --------------------------------------------------------------------------------- */

static void a_slow_one_gets_calls_only_against_itself(void **state)
{
    enum { N = 10 };
    uint32_t counts[N];
    use_instances(N);
    for (uint32_t i = 0; i < N; i++)
        latency_add(&upstreams[i].latency, (i == 3 ? 100 : 10) * MILLISECOND, true, loop.now);
    count(counts, N, CALLS);
    assert_true(counts[3] < CALLS / N / 20); /* chance names no other one */
    loop.now += 100 * LATENCY_MEMORY;        /* it fades, so that the instance is tried again */
    count(counts, N, CALLS);
    assert_true(counts[3] > CALLS / N * 8 / 10);
}

static void a_fast_one_may_have_more_calls_than_a_slow_one(void **state)
{
    use_instances(2);
    latency_add(&upstreams[0].latency, 10 * MILLISECOND, true, loop.now);
    latency_add(&upstreams[1].latency, 40 * MILLISECOND, true, loop.now);
    upstreams[0].load = 2;
    for (int i = 0; i < 8; i++)
        assert_int_equal(chosen(), 0);
    upstreams[0].load = 4;
    for (int i = 0; i < 8; i++)
        assert_int_equal(chosen(), 1);
}

/* ---- Bars ------------------------------------------------------------------------------------ */

static void one_with_a_bar_gets_no_call(void **state)
{
    static const Bar bars[] = {BAR_UNHEALTHY, BAR_EJECTED, BAR_DRAINED, BAR_REMOVED};
    uint32_t counts[3];
    use_instances(3);
    for (uint32_t i = 0; i < sizeof bars / sizeof bars[0]; i++) {
        bar(1, bars[i], true);
        count(counts, 3, 300);
        assert_int_equal(counts[1], 0);
        bar(1, bars[i], false);
        count(counts, 3, 300);
        assert_int_equal(counts[1], 100);
    }
}

static void all_bars_must_be_lifted(void **state)
{
    use_instances(1);
    bar(0, BAR_EJECTED, true);
    bar(0, BAR_DRAINED, true);
    bar(0, BAR_EJECTED, false);
    assert_int_equal(chosen(), -1);
    bar(0, BAR_DRAINED, false);
    assert_int_equal(chosen(), 0);
}

static void a_bar_is_also_there_for_a_new_set(void **state)
{
    use_instances(2);
    bar(0, BAR_EJECTED, true);
    use_instances(3);
    for (int i = 0; i < 20; i++)
        assert_int_not_equal(chosen(), 0);
    bar(0, BAR_EJECTED, false);
}

static void what_is_down_and_has_a_bar_comes_back_when_neither_is_left(void **state)
{
    use_instances(2);
    upstreams[0].state = UPSTREAM_DOWN;
    for (int i = 0; i < 4; i++)
        assert_int_equal(chosen(), 1);
    bar(0, BAR_EJECTED, true);
    assert_int_equal(chosen(), 1);
    assert_int_equal(upstreams[0].candidates->of->n_away, 1);
    come_back(0);
    assert_int_equal(chosen(), 1);
    assert_int_equal(upstreams[0].candidates->of->n_down, 0);
    assert_int_equal(upstreams[0].candidates->of->n_away, 1);
    bar(0, BAR_EJECTED, false);
    assert_true(chosen() == 0 || chosen() == 0);
    assert_int_equal(upstreams[0].candidates->of->n_away, 0);
}

static void when_nothing_else_is_up_those_that_only_fail_are_used(void **state)
{
    static const struct {
        uint32_t bars;
        bool used;
    } rows[] = {{BAR_EJECTED, true},  {BAR_UNHEALTHY, true}, {BAR_EJECTED | BAR_UNHEALTHY, true},
                {BAR_DRAINED, false}, {BAR_REMOVED, false},  {BAR_EJECTED | BAR_DRAINED, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        use_instances(3);
        bar(0, rows[i].bars, true);
        upstreams[1].state = UPSTREAM_DOWN;
        assert_int_equal(chosen(), 2);
        assert_int_equal(chosen_for(&(PickWish){.tried = &(PickTried){&instances[2], NULL}}, NULL),
                         -1);
        upstreams[2].state = UPSTREAM_DOWN;
        assert_int_equal(chosen(), rows[i].used ? 0 : -1);
        assert_int_equal(chosen_for(&(PickWish){.tried = &(PickTried){&instances[0], NULL}}, NULL),
                         -1);
        upstreams[0].state = UPSTREAM_DOWN;
        assert_int_equal(chosen(), -1);
        bar(0, rows[i].bars, false);
        for (uint32_t k = 0; k < 3; k++)
            come_back(k);
    }
}

/* Not by its judge either. */
static void one_that_a_pin_leaves_out_is_not_used_at_need(void **state)
{
    use_instances(1);
    bar(0, BAR_EJECTED, true);
    instance_set_aside(&instances[0], BAR_PINNED, true);
    assert_int_equal(chosen(), -1);
    instance_set_aside(&instances[0], BAR_PINNED, false);
    assert_int_equal(chosen(), 0);
    bar(0, BAR_EJECTED, false);
}

static void while_another_cell_is_up_those_that_fail_are_not_used(void **state)
{
    use_cells(1, 1);
    service.cells.spill = 0;
    bar(0, BAR_EJECTED, true);
    assert_int_equal(chosen(), -1);
    upstreams[1].state = UPSTREAM_DOWN;
    for (Candidate *c = upstreams[1].candidates; c; c = c->next)
        candidate_set_down(c, true);
    assert_int_equal(chosen(), 0);
    bar(0, BAR_EJECTED, false);
}

static void that_all_have_a_bar_is_said(void **state)
{
    Pick pick;
    use_instances(3);
    bar(0, BAR_DRAINED, true);
    bar(1, BAR_REMOVED, true);
    bar(2, BAR_DRAINED, true);
    bar(2, BAR_REMOVED, true);
    Result r = pick_any(&loop, &service, &(PickWish){0}, arena, &pick);
    assert_fault(r, FAULT_UPSTREAM_DOWN);
    assert_non_null(strstr(r.error->doing, "3 barred (2 drained, 1 removed)"));
}

/* ---- Affinity -------------------------------------------------------------------------------- */

static void calls_of_a_key_go_to_one_instance(void **state)
{
    service.has_affinity = true;
    use_instances(50);
    for (uint32_t key = 0; key < 2000; key++) {
        uint32_t hash = key * 0x9e3779b9u;
        int owner = owner_of(hash);
        assert_int_equal(owner_of(hash), owner);
        loop.now++;
        assert_int_equal(owner_of(hash), owner);
    }
}

static void only_keys_of_those_that_go_move_and_they_return(void **state)
{
    enum { KEYS = 2000, N = 20 };
    int before[KEYS];
    service.has_affinity = true;
    use_instances(N);
    for (uint32_t key = 0; key < KEYS; key++)
        before[key] = owner_of(key * 0x9e3779b9u);
    bar(3, BAR_EJECTED, true);
    upstreams[4].state = UPSTREAM_DOWN;
    for (uint32_t key = 0; key < KEYS; key++) {
        int now = owner_of(key * 0x9e3779b9u);
        assert_true(now != 3 && now != 4);
        assert_true(before[key] == 3 || before[key] == 4 || before[key] == now);
    }
    bar(3, BAR_EJECTED, false);
    come_back(4);
    for (uint32_t key = 0; key < KEYS; key++)
        assert_int_equal(owner_of(key * 0x9e3779b9u), before[key]);
}

/* The slow twin: all points of the ring, one after the other. */
static int slow_owner(uint32_t hash, float bound, uint32_t n, uint32_t n_calls)
{
    const Ring *ring = service.set->rings[0];
    uint32_t at = 0;
    while (at < ring->n && ring->points[at].place < hash)
        at++;
    for (uint32_t i = 0; i < ring->n; i++) {
        uint32_t member = ring->points[(at + i) % ring->n].member;
        double most = ceil(bound * (n_calls + 1.0) / n);
        if (upstreams[member].load < (most < CALLS_NEVER_FULL ? CALLS_NEVER_FULL : most))
            return (int)member;
    }
    return -1;
}

/* Calls that stay: nobody gets more than its bound, and each key the first that has room. */
static void keys_beyond_the_bound_go_to_the_next_on_the_ring(void **state)
{
    enum { N = 30, RUNNING = 1500 };
    static Pick picks[RUNNING];
    service.has_affinity = true;
    use_instances(N);
    for (uint32_t i = 0; i < RUNNING; i++) {
        uint32_t hash = (uint32_t)(random_below(&loop.random, 40) * 0x9e3779b9u); /* few keys */
        PickWish wish = {.key = {.hash = hash, .bound = 1.25f}};
        int slow = slow_owner(hash, 1.25f, N, i);
        assert_ok(arena, pick_any(&loop, &service, &wish, arena, &picks[i]));
        int at = (int)(picks[i].instance - instances);
        uint32_t load = ++upstreams[at].load;
        assert_true(load <= CALLS_NEVER_FULL || load <= ceil(1.25 * (i + 1) / N));
        if (at != slow) /* it looks at so many points only */
            assert_true(upstreams[at].load <= ceil(1.25 * (i + 1) / N));
    }
    for (uint32_t i = 0; i < RUNNING; i++)
        pick_release(&loop, &picks[i]);
}

static void calls_of_an_older_set_count_for_the_bound(void **state)
{
    enum { N = 4, RUNNING = 40 };
    Pick picks[RUNNING];
    service.has_affinity = true;
    use_instances(N);
    int owner = owner_of(77);
    for (uint32_t i = 0; i < RUNNING; i++) {
        assert_ok(arena, pick_any(&loop, &service, &(PickWish){0}, arena, &picks[i]));
        upstreams[picks[i].instance - instances].load++;
    }
    use_instances(N - 1);
    use_instances(N);
    assert_int_equal(owner_of(77), owner); /* 10 of 10.25 on average: not full */
    upstreams[owner].load = 13;
    assert_int_not_equal(owner_of(77), owner);
    for (uint32_t i = 0; i < RUNNING; i++)
        pick_release(&loop, &picks[i]);
}

static void another_attempt_goes_to_the_next_on_the_ring(void **state)
{
    service.has_affinity = true;
    use_instances(20);
    for (uint32_t key = 1; key < 500; key++) {
        uint32_t hash = key * 0x9e3779b9u;
        int owner = owner_of(hash);
        PickTried tried = {.instance = &instances[owner]};
        int next = chosen_for(&(PickWish){&tried, {hash, 1.25f}}, NULL);
        bar((uint32_t)owner, BAR_EJECTED, true);
        assert_int_equal(owner_of(hash), next);
        bar((uint32_t)owner, BAR_EJECTED, false);
    }
}

static void where_few_are_up_a_key_still_finds_one(void **state)
{
    service.has_affinity = true;
    for (uint32_t i = 0; i < MOST; i++)
        upstreams[i].state = i == 500 ? UPSTREAM_READY : UPSTREAM_DOWN;
    use_instances(MOST);
    for (uint32_t key = 0; key < 100; key++)
        assert_int_equal(owner_of(key * 0x9e3779b9u), 500);
}

/* ---- Cells ----------------------------------------------------------------------------------- */

/* The first n_near are of the own cell, the others of another one. */
typedef struct Spread {
    uint32_t near, far, none;
} Spread;

static Spread spread_of(uint32_t n_near, uint32_t n_calls, bool with_keys)
{
    Spread spread = {0};
    for (uint32_t i = 0; i < n_calls; i++) {
        bool spilled = false;
        PickWish wish = {.key = {(uint32_t)random_next(&loop.random), with_keys ? 1.25f : 0}};
        int at = chosen_for(&wish, &spilled);
        spread.none += at < 0;
        spread.near += at >= 0 && at < (int)n_near;
        spread.far += at >= (int)n_near;
        assert_int_equal(spilled, at >= (int)n_near && n_near > 0);
    }
    return spread;
}

static void while_the_own_cell_is_well_no_call_leaves_it(void **state)
{
    use_cells(10, 30);
    assert_int_equal(spread_of(10, 1000, false).near, 1000);
    for (uint32_t i = 0; i < 3; i++)
        upstreams[i].state = UPSTREAM_DOWN;
    assert_int_equal(spread_of(10, 1000, false).far, 0); /* 70 % are up */
}

static void what_the_own_cell_lacks_leaves_it(void **state)
{
    use_cells(10, 30);
    for (uint32_t i = 0; i < 4; i++)
        upstreams[i].state = UPSTREAM_DOWN;
    spread_of(10, 50, false); /* each is found to be down */
    Spread spread = spread_of(10, 1000, false);
    assert_int_equal(spread.far, 150); /* six of seven */
    assert_int_equal(spread.none, 0);
    bar(5, BAR_EJECTED, true);
    bar(6, BAR_UNHEALTHY, true);
    assert_int_equal(spread_of(10, 1000, false).far, 430); /* four of seven */
    bar(5, BAR_EJECTED, false);
    bar(6, BAR_UNHEALTHY, false);
    for (uint32_t i = 0; i < 4; i++)
        come_back(i);
    assert_int_equal(spread_of(10, 1000, false).far, 0);
}

static void what_operators_take_out_of_the_cell_is_no_failure_of_it(void **state)
{
    static const Bar bars[] = {BAR_DRAINED, BAR_REMOVED, BAR_PINNED};
    for (size_t k = 0; k < sizeof bars / sizeof *bars; k++) {
        use_cells(3, 3);
        bar(0, bars[k], true);
        bar(1, bars[k], true);
        assert_int_equal(spread_of(3, 300, false).near, 300); /* the third one is up */
        bar(2, bars[k], true);
        assert_int_equal(spread_of(0, 300, false).none, 0); /* as if the cell had none */
        for (uint32_t i = 0; i < 3; i++)
            bar(i, bars[k], false);
        assert_int_equal(spread_of(3, 300, false).near, 300);
    }
}

static void without_the_own_cell_no_more_leave_than_the_bound(void **state)
{
    Pick pick;
    use_cells(3, 3);
    for (uint32_t i = 0; i < 3; i++)
        upstreams[i].state = UPSTREAM_DOWN;
    spread_of(3, 50, false);
    Spread spread = spread_of(3, 1000, false);
    assert_int_equal(spread.far, 500);
    assert_int_equal(spread.none, 500);
    Result r = pick_any(&loop, &service, &(PickWish){0}, arena, &pick);
    if (!failed(r)) {
        pick_release(&loop, &pick);
        r = pick_any(&loop, &service, &(PickWish){0}, arena, &pick);
    }
    assert_non_null(strstr(r.error->doing, "cells.spill lets 50 % of the calls leave cell a"));
    service.cells.spill = 100;
    assert_int_equal(spread_of(3, 1000, false).far, 1000);
    service.cells.spill = 0;
    assert_int_equal(spread_of(3, 1000, false).none, 1000);
}

static uint32_t n_far_after(const PickTried *tried, uint32_t n_near)
{
    uint32_t n_far = 0;
    for (int i = 0; i < 1000; i++)
        n_far += chosen_for(&(PickWish){.tried = tried}, NULL) >= (int)n_near;
    return n_far;
}

static void after_two_attempts_in_the_cell_the_next_leaves_it_within_the_bound(void **state)
{
    use_cells(4, 3);
    PickTried first = {.instance = &instances[0]}, second = {&instances[1], &first};
    assert_int_equal(n_far_after(&first, 4), 0);
    assert_int_equal(n_far_after(&second, 4), 500);
    service.cells.spill = 100;
    assert_int_equal(n_far_after(&second, 4), 1000);
    service.cells.spill = 0;
    assert_int_equal(n_far_after(&second, 4), 0);
}

static void another_attempt_leaves_the_cell_within_the_bound(void **state)
{
    use_cells(1, 3);
    PickTried tried = {.instance = &instances[0]};
    uint32_t n_far = 0;
    for (int i = 0; i < 1000; i++)
        n_far += chosen_for(&(PickWish){.tried = &tried}, NULL) > 0;
    assert_int_equal(n_far, 500);
}

static void a_call_that_has_stayed_does_not_leave_later(void **state)
{
    use_cells(2, 3);
    upstreams[0].state = upstreams[1].state = UPSTREAM_DOWN;
    spread_of(2, 50, false);
    PickTried stayed = {.instance = &instances[0]}, left = {.instance = &instances[2]};
    for (int i = 0; i < 100; i++) {
        assert_int_equal(chosen_for(&(PickWish){.tried = &stayed}, NULL), -1);
        assert_true(chosen_for(&(PickWish){.tried = &left}, NULL) > 2);
    }
}

static void a_call_that_was_in_the_cell_before_it_went_down_may_leave_it(void **state)
{
    Pick pick;
    use_cells(2, 3);
    assert_ok(arena, pick_any(&loop, &service, &(PickWish){0}, arena, &pick));
    assert_true(pick.cell_up);
    pick_release(&loop, &pick);
    upstreams[0].state = upstreams[1].state = UPSTREAM_DOWN;
    spread_of(2, 50, false);
    PickTried tried = {.instance = &instances[0]};
    uint32_t n_far = 0;
    for (int i = 0; i < 1000; i++)
        n_far += chosen_for(&(PickWish){.tried = &tried, .undecided = true}, NULL) > 1;
    assert_int_equal(n_far, 500);
    service.cells.spill = 100;
    assert_ok(arena, pick_any(&loop, &service, &(PickWish){0}, arena, &pick));
    assert_false(pick.cell_up);
    pick_release(&loop, &pick);
}

static void a_service_of_other_cells_only_is_no_spill(void **state)
{
    use_cells(0, 3);
    Spread spread = spread_of(0, 300, false);
    assert_int_equal(spread.far, 300);
}

static void when_others_have_none_either_all_calls_stay(void **state)
{
    use_cells(2, 2);
    for (uint32_t i = 1; i < 4; i++)
        upstreams[i].state = UPSTREAM_DOWN;
    assert_int_equal(spread_of(2, 1000, false).near, 1000);
}

static void of_keys_always_the_same_leave_the_cell(void **state)
{
    service.has_affinity = true;
    use_cells(10, 30);
    for (uint32_t i = 0; i < 4; i++)
        upstreams[i].state = UPSTREAM_DOWN;
    spread_of(10, 50, true);
    Spread spread = spread_of(10, 2000, true);
    assert_in_range(spread.far, 250, 350);
    for (uint32_t key = 0; key < 500; key++)
        assert_int_equal(owner_of(key * 0x9e3779b9u), owner_of(key * 0x9e3779b9u));
}

/* ---- Many ------------------------------------------------------------------------------------ */

static void the_cost_does_not_depend_on_how_many_there_are(void **state)
{
    service.has_affinity = true;
    for (uint32_t i = 0; i < MOST; i++)
        instances[i].weight = 1 + i % 5;
    use_cells(MOST / 2, MOST / 2);
    for (uint32_t i = 0; i < MOST; i += 2)
        upstreams[i].state = UPSTREAM_DOWN;
    for (int i = 0; i < 100 * MOST; i++) /* each is found to be down once */
        chosen();
    for (uint32_t i = 0; i < 2000; i++) {
        n_questions = 0;
        chosen();
        owner_of(i * 0x9e3779b9u);
        assert_in_range(n_questions, 1, 4);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(calls_are_in_proportion_to_the_weights),
        TEST(those_that_are_left_share_the_calls_by_weight),
        TEST(a_light_one_among_heavy_ones_that_are_down_is_found),
        TEST(one_that_is_new_gets_more_and_more_calls),
        TEST(one_that_is_new_gets_more_and_more_keys),
        TEST(if_all_are_new_keys_stay_where_they_are),
        TEST(if_all_are_new_they_share_the_calls),
        TEST(a_small_weight_stays_small_whoever_is_faster),
        TEST(running_calls_are_in_proportion_to_the_weights),
        TEST(a_slow_one_gets_calls_only_against_itself),
        TEST(a_fast_one_may_have_more_calls_than_a_slow_one),
        TEST(one_with_a_bar_gets_no_call),
        TEST(all_bars_must_be_lifted),
        TEST(a_bar_is_also_there_for_a_new_set),
        TEST(what_is_down_and_has_a_bar_comes_back_when_neither_is_left),
        TEST(when_nothing_else_is_up_those_that_only_fail_are_used),
        TEST(one_that_a_pin_leaves_out_is_not_used_at_need),
        TEST(while_another_cell_is_up_those_that_fail_are_not_used),
        TEST(that_all_have_a_bar_is_said),
        TEST(calls_of_a_key_go_to_one_instance),
        TEST(only_keys_of_those_that_go_move_and_they_return),
        TEST(keys_beyond_the_bound_go_to_the_next_on_the_ring),
        TEST(calls_of_an_older_set_count_for_the_bound),
        TEST(another_attempt_goes_to_the_next_on_the_ring),
        TEST(where_few_are_up_a_key_still_finds_one),
        TEST(while_the_own_cell_is_well_no_call_leaves_it),
        TEST(what_the_own_cell_lacks_leaves_it),
        TEST(without_the_own_cell_no_more_leave_than_the_bound),
        TEST(after_two_attempts_in_the_cell_the_next_leaves_it_within_the_bound),
        TEST(another_attempt_leaves_the_cell_within_the_bound),
        TEST(a_call_that_has_stayed_does_not_leave_later),
        TEST(a_call_that_was_in_the_cell_before_it_went_down_may_leave_it),
        TEST(a_service_of_other_cells_only_is_no_spill),
        TEST(what_operators_take_out_of_the_cell_is_no_failure_of_it),
        TEST(when_others_have_none_either_all_calls_stay),
        TEST(of_keys_always_the_same_leave_the_cell),
        TEST(the_cost_does_not_depend_on_how_many_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
