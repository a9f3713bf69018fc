#include "tests/unit/check.h"
#include "tests/unit/gateway/upstream/upstream_double.h"

#include <stdlib.h>

enum { MOST = 200, VERSIONS = 4 };

/* Three versions of one method, and four instances: v1, v2, v3, v3. From v1 one field may be lost
   towards v2 and two towards v3. */
static MethodType type = {.path = "/shop.Orders/Get"};
static Version versions[VERSIONS];
static Method methods[VERSIONS];
static MethodPair pairs[VERSIONS][VERSIONS];
static PairExtras extras[VERSIONS][VERSIONS];
static Service service;
static Config config;
static Loop loop;
static Arena *arena;

static const PairExtras purged = {.reason = "Purge went away in v2"};

/* As reading a config does it. */
static void prefer(void)
{
    for (uint32_t i = 0; i < service.n_versions; i++)
        method_prefer(arena, &methods[i]);
}

/* The first n of them are the service's set from now on, as loops with this config see it. */
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
    static char addresses[MOST][16];
    static const char *const names[] = {"v1", "v2", "v3", "v4"};
    arena = arena_new(ARENA_UNLIMITED);
    memset(upstreams, 0, sizeof upstreams);
    service = (Service){.name = "orders", .versions = versions, .n_versions = 3};
    config = (Config){.services = &service, .n_services = 1};
    for (uint32_t i = 0; i < VERSIONS; i++) {
        versions[i] = (Version){.name = names[i], .index = i, .service = &service};
        methods[i] = (Method){
            .version = &versions[i], .type = &type, .extras = &method_no_extras, .pairs = pairs[i]};
        for (uint32_t j = 0; j < VERSIONS; j++) {
            extras[i][j] = (PairExtras){.n_lossy = j > i ? j - i : 0};
            pairs[i][j] = (MethodPair){.target = &methods[j], .extras = &extras[i][j]};
        }
    }
    for (uint32_t i = 0; i < MOST; i++) {
        snprintf(addresses[i], sizeof addresses[i], "i:%u", i + 1);
        instances[i] = (Instance){.service = &service,
                                  .address = {.text = addresses[i]},
                                  .versions = UINT64_C(1) << (i < 3 ? i : 2)};
    }
    loop = (Loop){.config = &config};
    random_seed_fixed(&loop.random, 1);
    prefer();
    use_instances(4);
    return 0;
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

/* As an Upstream tells of itself. */
static void come_back(uint32_t i)
{
    upstreams[i].state = UPSTREAM_READY;
    for (Candidate *c = upstreams[i].candidates; c; c = c->next)
        candidate_set_down(c, false);
}

static void become_worth_a_try(uint32_t i)
{
    upstreams[i].worth_a_try = true;
    for (Candidate *c = upstreams[i].candidates; c; c = c->next)
        candidate_try_from(c, 0);
}

static uint32_t index_of(const Instance *instance)
{
    return (uint32_t)(instance - instances);
}

static uint32_t picked(const Method *method, const PickTried *tried)
{
    Pick pick;
    assert_ok(arena, pick_instance(&loop, method, tried, arena, &pick));
    pick_release(&loop, &pick);
    return index_of(pick.instance);
}

static Result why_nobody(const Method *method, const PickTried *tried)
{
    Pick pick;
    Result r = pick_instance(&loop, method, tried, arena, &pick);
    assert_true(failed(r));
    return r;
}

static void assert_picked(const Method *method, const PickTried *tried, uint32_t index,
                          const char *why)
{
    Pick pick;
    assert_ok(arena, pick_instance(&loop, method, tried, arena, &pick));
    assert_int_equal(index_of(pick.instance), index);
    assert_string_equal(pick.why, why);
    pick_release(&loop, &pick);
}

/* ---- The order of preference ----------------------------------------------------------------- */

static void an_instance_that_speaks_the_version_itself_comes_first(void **state)
{
    assert_picked(&methods[0], 0, 0, "native");
    assert_picked(&methods[1], 0, 1, "native");
}

static void else_the_version_with_the_fewest_losses_is_taken(void **state)
{
    upstreams[0].state = UPSTREAM_DOWN;
    assert_picked(&methods[0], 0, 1, "fewest losses");
    extras[0][2].n_lossy = 0;
    prefer();
    upstreams[2].load = 1;
    assert_picked(&methods[0], 0, 3, "without loss");
}

static void among_equal_losses_the_newer_version_is_taken(void **state)
{
    upstreams[0].state = UPSTREAM_DOWN;
    extras[0][1].n_lossy = extras[0][2].n_lossy = 0;
    prefer();
    assert_true(picked(&methods[0], 0) >= 2);
}

static void an_instance_of_several_versions_is_asked_in_the_best(void **state)
{
    instances[3].versions = 7;
    use_instances(4);
    upstreams[0].state = UPSTREAM_DOWN;
    assert_picked(&methods[0], 0, 3, "native");
    upstreams[1].state = UPSTREAM_DOWN;
    assert_picked(&methods[1], 0, 3, "native");
}

static void among_equals_the_least_loaded_one_is_taken(void **state)
{
    upstreams[2].load = 5;
    upstreams[3].load = 4;
    for (int i = 0; i < 8; i++)
        assert_picked(&methods[2], 0, 3, "native");
}

static void equally_loaded_instances_take_turns(void **state)
{
    int n[4] = {0};
    for (int i = 0; i < 40; i++)
        n[picked(&methods[2], 0)]++;
    assert_int_equal(n[2], 20);
    assert_int_equal(n[3], 20);
}

/* ---- Tried, and down ------------------------------------------------------------------------- */

static void what_was_tried_is_not_tried_again(void **state)
{
    PickTried tried = {.instance = &instances[0]};
    assert_picked(&methods[0], &tried, 1, "fewest losses");
}

static void at_one_version_no_other_is_picked(void **state)
{
    instances[3].versions = 7;
    use_instances(4);
    Pick pick;
    PickTried first = {&instances[0], NULL}, both = {&instances[3], &first};
    assert_ok(arena, pick_at_version(&loop, &methods[0], &versions[0], &(PickWish){.tried = &first},
                                     arena, &pick));
    assert_int_equal(index_of(pick.instance), 3);
    assert_ptr_equal(pick.served, &versions[0]);
    assert_string_equal(pick.why, "native");
    pick_release(&loop, &pick);
    assert_fault(pick_at_version(&loop, &methods[0], &versions[0], &(PickWish){.tried = &both},
                                 arena, &pick),
                 FAULT_UPSTREAM_DOWN);
    assert_ok(arena,
              pick_at_version(&loop, &methods[0], &versions[1], &(PickWish){0}, arena, &pick));
    assert_ptr_equal(pick.served, &versions[1]);
    pick_release(&loop, &pick);
}

static void a_version_is_served_while_one_of_its_instances_may_answer(void **state)
{
    assert_true(pick_is_served(&loop, &methods[0], &versions[2], &(PickWish){0}));
    upstreams[2].state = UPSTREAM_DOWN;
    assert_true(pick_is_served(&loop, &methods[0], &versions[2], &(PickWish){0}));
    upstreams[3].state = UPSTREAM_DOWN;
    assert_false(pick_is_served(&loop, &methods[0], &versions[2], &(PickWish){0}));
    become_worth_a_try(3);
    assert_true(pick_is_served(&loop, &methods[0], &versions[2], &(PickWish){0}));
}

static void where_all_were_tried_nobody_is_left(void **state)
{
    PickTried tried[4] = {{0}};
    for (int i = 0; i < 4; i++)
        tried[i] = (PickTried){&instances[i], i ? &tried[i - 1] : NULL};
    Result r = why_nobody(&methods[0], &tried[3]);
    assert_fault(r, FAULT_UPSTREAM_DOWN);
    assert_non_null(strstr(r.error->doing, "no instance of orders is left"));
    assert_non_null(strstr(r.error->doing, "4 tried"));
}

static void when_all_are_down_the_last_failure_is_the_cause(void **state)
{
    for (int i = 0; i < 4; i++) {
        upstreams[i].state = UPSTREAM_DOWN;
        upstreams[i].failure = FAIL(arena, FAULT_UPSTREAM_DOWN, "connection refused");
    }
    Result r = why_nobody(&methods[0], NULL);
    assert_fault(r, FAULT_UPSTREAM_DOWN);
    assert_non_null(strstr(r.error->doing, "4 of 4 down, 0 tried"));
    assert_string_equal(error_origin(r)->doing, "connection refused");
}

static void where_all_are_down_one_that_is_worth_a_try_is_tried(void **state)
{
    for (int i = 0; i < 4; i++)
        upstreams[i].state = UPSTREAM_DOWN;
    upstreams[1].worth_a_try = upstreams[2].worth_a_try = true;
    assert_picked(&methods[0], 0, 1, "fewest losses");
    come_back(3); /* one that is there comes first, whatever it loses */
    assert_picked(&methods[0], 0, 3, "fewest losses");
}

static void one_that_another_loop_has_reached_is_tried_at_once(void **state)
{
    for (int i = 0; i < 4; i++)
        upstreams[i].state = UPSTREAM_DOWN;
    assert_fault(why_nobody(&methods[0], NULL), FAULT_UPSTREAM_DOWN);
    upstreams[0].worth_a_try = true;
    known_instance_is_back(instances[0].known);
    assert_int_equal(picked(&methods[0], NULL), 0);
}

static void an_instance_that_is_back_is_picked_again(void **state)
{
    upstreams[0].state = UPSTREAM_DOWN;
    assert_int_equal(picked(&methods[0], 0), 1);
    upstreams[0].state = UPSTREAM_READY; /* not told yet */
    assert_int_equal(picked(&methods[0], 0), 1);
    come_back(0);
    assert_int_equal(picked(&methods[0], 0), 0);
}

static void a_method_without_counterpart_says_why(void **state)
{
    instances[0].versions = 2; /* nobody speaks v1 */
    use_instances(4);
    for (int j = 1; j < 3; j++)
        pairs[0][j] = (MethodPair){.extras = &purged};
    prefer();
    Result r = why_nobody(&methods[0], NULL);
    assert_fault(r, FAULT_METHOD_REMOVED);
    assert_non_null(strstr(r.error->doing, "Purge went away in v2"));

    use_instances(0);
    pairs[0][1].extras = pairs[0][2].extras = &pair_no_extras;
    assert_fault(why_nobody(&methods[0], NULL), FAULT_NO_INSTANCE);
}

static void without_instances_no_method_is_removed(void **state)
{
    use_instances(0);
    for (int j = 1; j < 3; j++)
        pairs[0][j] = (MethodPair){.extras = &purged};
    prefer();
    assert_fault(why_nobody(&methods[0], NULL), FAULT_NO_INSTANCE);
}

static void an_answer_is_possible_while_no_loop_misses_one_that_could_give_it(void **state)
{
    pairs[0][1].target = NULL;
    prefer();
    assert_true(pick_possible(&loop, &methods[0]));
    known_instance_set_down(instances[0].known, true); /* v1, and one of v3 */
    known_instance_set_down(instances[2].known, true);
    assert_true(pick_possible(&loop, &methods[0]));
    known_instance_set_down(instances[3].known, true); /* v2 is there, but is no help */
    assert_false(pick_possible(&loop, &methods[0]));
    assert_true(pick_possible(&loop, &methods[1]));
}

static void any_of_a_service_without_versions_is_picked_by_load_and_turn(void **state)
{
    Pick pick;
    service.n_versions = 0;
    for (int i = 0; i < 3; i++)
        instances[i].versions = 0;
    use_instances(3);
    upstreams[1].state = UPSTREAM_DOWN;
    int n[3] = {0};
    for (int i = 0; i < 20; i++) {
        assert_ok(arena, pick_any(&loop, &service, &(PickWish){0}, arena, &pick));
        n[index_of(pick.instance)]++;
        pick_release(&loop, &pick);
    }
    assert_int_equal(n[1], 0);
    assert_true(n[0] >= 9 && n[2] >= 9); /* one turn went by when the second was found down */
    upstreams[0].state = upstreams[2].state = UPSTREAM_DOWN;
    upstreams[0].failure = FAIL(arena, FAULT_UPSTREAM_DOWN, "connection refused");
    upstreams[1].failure = upstreams[2].failure = upstreams[0].failure;
    Result r = pick_any(&loop, &service, &(PickWish){0}, arena, &pick);
    assert_fault(r, FAULT_UPSTREAM_DOWN);
    assert_string_equal(error_origin(r)->doing, "connection refused");
    use_instances(0);
    assert_fault(pick_any(&loop, &service, &(PickWish){0}, arena, &pick), FAULT_UPSTREAM_DOWN);
}

/* ---- Many ------------------------------------------------------------------------------------ */

static void the_one_of_many_that_is_up_is_found_wherever_it_stands(void **state)
{
    for (uint32_t up = 0; up < MOST; up++) {
        for (uint32_t i = 0; i < MOST; i++) {
            instances[i].versions = 1;
            upstreams[i].state = i == up ? UPSTREAM_READY : UPSTREAM_DOWN;
        }
        use_instances(MOST);
        assert_int_equal(picked(&methods[0], NULL), up);
    }
}

static void the_one_of_many_that_was_not_tried_is_found_wherever_it_stands(void **state)
{
    static PickTried tried[MOST];
    for (uint32_t i = 0; i < MOST; i++)
        instances[i].versions = 1;
    use_instances(MOST);
    for (uint32_t left = 0; left < MOST; left++) {
        const PickTried *latest = NULL;
        for (uint32_t i = 0; i < MOST; i++) {
            tried[i] = (PickTried){&instances[i], latest};
            latest = i == left ? latest : &tried[i];
        }
        assert_int_equal(picked(&methods[0], latest), left);
    }
}

static uint32_t questions_of_a_pick(void)
{
    n_questions = 0;
    Pick pick;
    Result r = pick_instance(&loop, &methods[0], NULL, arena, &pick);
    if (failed(r))
        error_ignore(r, "only its cost matters");
    else
        pick_release(&loop, &pick);
    return n_questions;
}

static void a_pick_looks_at_two_instances_however_many_there_are(void **state)
{
    for (uint32_t i = 0; i < MOST; i++)
        instances[i].versions = 1;
    use_instances(MOST);
    for (int i = 0; i < 1000; i++)
        assert_in_range(questions_of_a_pick(), 2, 3); /* chance may name the same one twice */
    for (uint32_t i = 0; i < MOST; i += 2)
        upstreams[i].state = UPSTREAM_DOWN;
    for (int i = 0; i < 1000; i++) /* each is found to be down once */
        questions_of_a_pick();
    for (int i = 0; i < 1000; i++)
        assert_in_range(questions_of_a_pick(), 2, 3); /* chance may name the same one twice */
}

static void a_pick_looks_at_none_while_all_are_known_to_be_down(void **state)
{
    for (uint32_t i = 0; i < MOST; i++) {
        instances[i].versions = 1;
        upstreams[i].state = UPSTREAM_DOWN;
        upstreams[i].failure = FAIL(arena, FAULT_UPSTREAM_DOWN, "connection refused");
    }
    use_instances(MOST);
    questions_of_a_pick();
    for (int i = 0; i < 100; i++)
        assert_int_equal(questions_of_a_pick(), 0);
    become_worth_a_try(77);
    assert_int_equal(picked(&methods[0], NULL), 77);
}

/* ---- Sets ------------------------------------------------------------------------------------ */

static void one_that_joins_is_picked_and_one_that_has_left_is_not(void **state)
{
    use_instances(1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(picked(&methods[2], NULL), 0);
    use_instances(3);
    assert_picked(&methods[2], NULL, 2, "native");
    use_instances(2);
    assert_picked(&methods[2], NULL, 1, "without loss");
}

static void a_call_keeps_the_set_that_it_picked_from(void **state)
{
    Pick pick;
    InstanceSet *set = instance_set_of(&service);
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &pick));
    use_instances(2);
    use_instances(3);
    assert_int_equal(atomic_load(&set->references), 2); /* ours and the call's */
    pick_release(&loop, &pick);
    assert_int_equal(atomic_load(&set->references), 1);
    instance_set_unref(set);
    pick_release(&loop, &pick); /* twice is once */
}

static void a_call_that_ends_leaves_the_hedged_calls_of_others_counted(void **state)
{
    Pick hedged, other;
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &hedged));
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &other));
    pick_hedge(&hedged);
    pick_release(&loop, &other);
    assert_false(pick_may_hedge(&hedged, 100)); /* two of one call would be too many */
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &other));
    assert_true(pick_may_hedge(&other, 100));
    assert_false(pick_may_hedge(&other, 99));
    pick_release(&loop, &hedged);
    assert_true(pick_may_hedge(&other, 1)); /* one is always allowed */
    pick_release(&loop, &other);
}

static void a_call_of_an_older_config_picks_from_its_set_to_the_end(void **state)
{
    Pick first, second;
    Service other = service;
    Config next = {.services = &other, .n_services = 1};
    other.set = NULL;
    instance_set_use(&other, instance_set_new(&other, NULL, 0));
    InstanceSet *set = instance_set_of(&service);
    loop.config = &next;
    candidates_take(&loop, instance_set_of(&other));
    candidates_trim(&loop);
    assert_int_equal(atomic_load(&set->references), 2); /* ours and the service's */
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &first));
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &second));
    assert_ptr_equal(first.from, second.from);
    assert_int_equal(atomic_load(&set->references), 3);
    pick_release(&loop, &first);
    assert_int_equal(atomic_load(&set->references), 3);
    pick_release(&loop, &second);
    assert_int_equal(atomic_load(&set->references), 2);
    instance_set_unref(set);
    loop.config = &config;
    candidates_take(&loop, instance_set_of(&service));
    candidates_trim(&loop);
    instance_set_unref(other.set);
}

/* These alone are the service's, and all are down. */
static void use_down(const uint32_t *chosen, uint32_t n)
{
    Instance *all[MOST];
    for (uint32_t i = 0; i < n; i++) {
        all[i] = &instances[chosen[i]];
        upstreams[chosen[i]].state = UPSTREAM_DOWN;
        upstreams[chosen[i]].failure = FAIL(arena, FAULT_UPSTREAM_DOWN, "connection refused");
    }
    instance_set_use(&service, instance_set_new(&service, all, n));
    candidates_take(&loop, instance_set_of(&service));
}

static void one_that_is_down_and_not_tried_is_the_cause_wherever_it_is(void **state)
{
    static const uint32_t same_version[] = {2, 3}, two_versions[] = {0, 1};
    use_down(same_version, 2);
    for (uint32_t i = 2; i < 4; i++) {
        PickTried tried = {.instance = &instances[i]};
        assert_non_null(
            strstr(why_nobody(&methods[2], &tried).error->doing, "2 of 2 down, 1 tried"));
    }
    use_down(two_versions, 2);
    for (uint32_t i = 0; i < 2; i++) {
        PickTried tried = {.instance = &instances[i]};
        assert_non_null(
            strstr(why_nobody(&methods[0], &tried).error->doing, "2 of 2 down, 1 tried"));
    }
}

static void what_a_config_has_no_longer_is_let_go(void **state)
{
    Config none = {.n_services = 0};
    InstanceSet *set = instance_set_of(&service);
    assert_int_equal(atomic_load(&set->references), 3); /* ours, the service's, the loop's */
    candidates_trim(&loop);
    assert_int_equal(atomic_load(&set->references), 3);
    loop.config = &none;
    candidates_trim(&loop);
    assert_int_equal(atomic_load(&set->references), 2);
    assert_null(upstreams[0].candidates);
    loop.config = &config;
    candidates_take(&loop, instance_set_of(&service));
    instance_set_unref(set);
}

static void those_that_are_down_are_counted(void **state)
{
    Candidate *candidate = upstreams[0].candidates;
    assert_int_equal(candidate->of->n_down, 0);
    candidate_set_down(candidate, true);
    candidate_set_down(candidate, true); /* twice is once */
    candidate_set_down(upstreams[1].candidates, true);
    assert_int_equal(candidate->of->n_down, 2);
    candidate_set_down(candidate, false);
    assert_int_equal(candidate->of->n_down, 1);
}

/* ---- Beside a slow, obvious twin ------------------------------------------------------------- */

static bool is_in(const PickTried *tried, const Instance *instance)
{
    for (; tried; tried = tried->before) {
        if (tried->instance == instance)
            return true;
    }
    return false;
}

/* Smaller is better; UINT64_MAX: not at all. */
static uint64_t cost_of(const Method *method, const Instance *instance)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < service.n_versions; i++) {
        const MethodPair *pair = &method->pairs[i];
        if (!(instance->versions >> i & 1) || !pair->target)
            continue;
        uint64_t cost = (uint64_t)(pair->extras->n_lossy + 1) << 8 | (63 - i);
        if (i == method->version->index)
            cost = 0;
        least = cost < least ? cost : least;
    }
    return least;
}

/* The cost of the best that may be picked: among those that are up, or that are worth a try. */
static uint64_t best_cost(const Method *method, const PickTried *tried, uint32_t n, bool up)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if ((upstreams[i].state == UPSTREAM_READY) != up || is_in(tried, &instances[i]) ||
            (!up && !upstreams[i].worth_a_try))
            continue;
        uint64_t cost = cost_of(method, &instances[i]);
        best = cost < best ? cost : best;
    }
    return best;
}

static uint32_t count_best(const Method *method, const PickTried *tried, uint32_t n, uint64_t cost,
                           uint32_t *load_out)
{
    uint32_t count = 0;
    *load_out = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (upstreams[i].state != UPSTREAM_READY || is_in(tried, &instances[i]) ||
            cost_of(method, &instances[i]) != cost)
            continue;
        count++;
        if (upstreams[i].load < *load_out)
            *load_out = upstreams[i].load;
    }
    return count;
}

static void assert_as_slow(const Method *method, const PickTried *tried, uint32_t n)
{
    Pick pick;
    uint64_t cost = best_cost(method, tried, n, true);
    bool up = cost != UINT64_MAX;
    if (!up)
        cost = best_cost(method, tried, n, false);
    Result r = pick_instance(&loop, method, tried, arena, &pick);
    assert_int_equal(failed(r), cost == UINT64_MAX);
    if (failed(r)) {
        error_ignore(r, "as it should");
        return;
    }
    const Upstream *upstream = &upstreams[index_of(pick.instance)];
    assert_false(is_in(tried, pick.instance));
    assert_int_equal(upstream->state == UPSTREAM_READY, up);
    assert_true(up || upstream->worth_a_try);
    assert_int_equal(cost_of(method, pick.instance), cost);
    assert_true(pick.instance->versions >> pick.served->index & 1);
    assert_ptr_equal(pick.pair, &method->pairs[pick.served->index]);
    uint32_t least;
    if (up && count_best(method, tried, n, cost, &least) <= 2)
        assert_int_equal(upstream->load, least); /* both were looked at */
    pick_release(&loop, &pick);
}

static uint32_t below(Random *random, uint32_t end)
{
    return (uint32_t)random_below(random, end);
}

static void change_something(Random *random, uint32_t n)
{
    uint32_t i = below(random, n);
    upstreams[i].load = below(random, 4);
    switch (below(random, 4)) {
    case 0: come_back(i); break;
    case 1: upstreams[i].worth_a_try = false; break;
    case 2: become_worth_a_try(i); break;
    default: upstreams[i].state = UPSTREAM_DOWN; break;
    }
}

static void a_random_service(Random *random, uint32_t n)
{
    service.n_versions = 1 + below(random, VERSIONS);
    for (uint32_t i = 0; i < VERSIONS; i++) {
        for (uint32_t j = 0; j < VERSIONS; j++) {
            pairs[i][j].target = i == j || below(random, 5) ? &methods[j] : NULL;
            pairs[i][j].extras = &extras[i][j];
            extras[i][j] = (PairExtras){.n_lossy = i == j ? 0 : below(random, 3)};
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        instances[i].versions = 1 + below(random, (1u << service.n_versions) - 1);
        upstreams[i].state = below(random, 2) ? UPSTREAM_READY : UPSTREAM_DOWN;
        upstreams[i].worth_a_try = below(random, 8) == 0;
        upstreams[i].load = below(random, 4);
        upstreams[i].failure = FAIL(arena, FAULT_UPSTREAM_DOWN, "connection refused");
    }
    prefer();
}

static void picks_are_those_of_a_slow_obvious_search(void **state)
{
    static PickTried tried[MOST];
    Random random;
    random_seed_fixed(&random, 7);
    for (int round = 0; round < 400; round++) {
        uint32_t n = below(&random, round % 4 ? 8 : MOST) + 1;
        use_instances(0); /* what they speak changes under no set */
        a_random_service(&random, n);
        use_instances(n);
        for (int step = 0; step < 60; step++) {
            const PickTried *latest = NULL;
            for (uint32_t k = below(&random, 2) * below(&random, n + 1); k > 0; k--) {
                tried[k - 1] = (PickTried){&instances[below(&random, n)], latest};
                latest = &tried[k - 1];
            }
            assert_as_slow(&methods[below(&random, service.n_versions)], latest, n);
            change_something(&random, n);
            if (below(&random, 20) == 0) { /* some leave, or join */
                n = below(&random, n) + 1;
                use_instances(n);
            }
        }
    }
}

/* ---- What retries are based on --------------------------------------------------------------- */

static const RetryAllowance half = {.percent = 50, .at_least = 0, .n_loops = 1};

static bool is_spent(void)
{
    Pick pick;
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &pick));
    bool spent = pick_budget_is_spent(&loop, &pick);
    pick_release(&loop, &pick);
    return spent;
}

static void charge(PolicyCharge charge, int n_good)
{
    Pick pick;
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &pick));
    for (int i = 0; i < n_good; i++)
        pick_earn(&loop, &pick);
    pick_charge(&loop, &pick, charge);
    pick_release(&loop, &pick);
}

static void a_budget_is_of_the_whole_service(void **state)
{
    service.retries = half;
    assert_true(is_spent());
    charge(CHARGE_NOTHING, 2);
    assert_false(is_spent());
    charge(CHARGE_RETRY, 0);
    assert_true(is_spent());
}

static void it_goes_on_when_instances_join_and_with_the_next_config(void **state)
{
    service.retries = half;
    charge(CHARGE_RETRY, 2);
    use_instances(5);
    assert_true(is_spent());
    charge(CHARGE_NOTHING, 2);
    assert_false(is_spent());

    Service other = service;
    Config next = {.services = &other, .n_services = 1};
    other.set = NULL;
    Instance *one = &instances[0];
    instance_set_use(&other, instance_set_new(&other, &one, 1));
    loop.config = &next;
    candidates_take(&loop, instance_set_of(&other));
    Pick pick;
    assert_ok(arena, pick_any(&loop, &other, &(PickWish){0}, arena, &pick));
    assert_false(pick_budget_is_spent(&loop, &pick));
    pick_charge(&loop, &pick, CHARGE_RETRY);
    assert_true(pick_budget_is_spent(&loop, &pick));
    pick_release(&loop, &pick);
    candidates_trim(&loop);
    loop.config = &config;
    candidates_take(&loop, instance_set_of(&service));
    candidates_trim(&loop);
    instance_set_unref(other.set);
}

static void a_trial_ends_with_its_outcome_or_with_its_call(void **state)
{
    Pick pick;
    service.retries = half;
    charge(CHARGE_NOTHING, 2);
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &pick));
    pick_charge(&loop, &pick, CHARGE_TRIAL);
    assert_true(is_spent());
    pick_release(&loop, &pick);
    assert_false(is_spent());
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &pick));
    pick_charge(&loop, &pick, CHARGE_TRIAL);
    pick_end_trial(&loop, &pick, true);
    pick_end_trial(&loop, &pick, true); /* it was one only */
    pick_release(&loop, &pick);
    assert_true(is_spent());
    charge(CHARGE_NOTHING, 2);
    assert_false(is_spent());
}

static void what_was_measured_stays_when_instances_join(void **state)
{
    static const Route measured = {.hedge_p95 = true}, unmeasured = {.hedge_after = 1};
    Pick pick;
    service.n_delays = 1;
    methods[0].route = &measured;
    use_instances(5);
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &pick));
    DelaySketch *delays = pick_delays(&pick, &methods[0]);
    assert_non_null(delays);
    use_instances(6); /* what the call has still to say is not of interest any more */
    assert_null(pick_delays(&pick, &methods[0]));
    pick_release(&loop, &pick);
    assert_ok(arena, pick_instance(&loop, &methods[0], NULL, arena, &pick));
    assert_ptr_equal(pick_delays(&pick, &methods[0]), delays);
    methods[0].route = &unmeasured;
    assert_null(pick_delays(&pick, &methods[0]));
    pick_release(&loop, &pick);
    assert_null(pick_delays(&(Pick){0}, &methods[0]));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_instance_that_speaks_the_version_itself_comes_first),
        TEST(a_budget_is_of_the_whole_service),
        TEST(it_goes_on_when_instances_join_and_with_the_next_config),
        TEST(a_trial_ends_with_its_outcome_or_with_its_call),
        TEST(what_was_measured_stays_when_instances_join),
        TEST(else_the_version_with_the_fewest_losses_is_taken),
        TEST(among_equal_losses_the_newer_version_is_taken),
        TEST(an_instance_of_several_versions_is_asked_in_the_best),
        TEST(among_equals_the_least_loaded_one_is_taken),
        TEST(equally_loaded_instances_take_turns),
        TEST(what_was_tried_is_not_tried_again),
        TEST(at_one_version_no_other_is_picked),
        TEST(a_version_is_served_while_one_of_its_instances_may_answer),
        TEST(where_all_were_tried_nobody_is_left),
        TEST(when_all_are_down_the_last_failure_is_the_cause),
        TEST(where_all_are_down_one_that_is_worth_a_try_is_tried),
        TEST(one_that_another_loop_has_reached_is_tried_at_once),
        TEST(an_instance_that_is_back_is_picked_again),
        TEST(a_method_without_counterpart_says_why),
        TEST(without_instances_no_method_is_removed),
        TEST(an_answer_is_possible_while_no_loop_misses_one_that_could_give_it),
        TEST(any_of_a_service_without_versions_is_picked_by_load_and_turn),
        TEST(the_one_of_many_that_is_up_is_found_wherever_it_stands),
        TEST(the_one_of_many_that_was_not_tried_is_found_wherever_it_stands),
        TEST(a_pick_looks_at_two_instances_however_many_there_are),
        TEST(a_pick_looks_at_none_while_all_are_known_to_be_down),
        TEST(one_that_joins_is_picked_and_one_that_has_left_is_not),
        TEST(a_call_keeps_the_set_that_it_picked_from),
        TEST(a_call_that_ends_leaves_the_hedged_calls_of_others_counted),
        TEST(a_call_of_an_older_config_picks_from_its_set_to_the_end),
        TEST(one_that_is_down_and_not_tried_is_the_cause_wherever_it_is),
        TEST(what_a_config_has_no_longer_is_let_go),
        TEST(those_that_are_down_are_counted),
        TEST(picks_are_those_of_a_slow_obvious_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
