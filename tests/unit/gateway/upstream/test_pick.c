#include "tests/unit/check.h"

#include "gateway/instances/instances.h"
#include "gateway/upstream/pick.h"

/* In place of the real pools: each instance has a state and a load that the test sets. */
struct Upstream {
    UpstreamState state;
    uint32_t load;
    Result failure;
    bool worth_a_try;
};
static struct Upstream upstreams[4];

Upstream *upstream_of(Loop *loop, const Instance *instance)
{
    return &upstreams[instance->index];
}

UpstreamState upstream_state(const Upstream *upstream, int64_t now)
{
    return upstream->state;
}

bool upstream_worth_a_try(const Upstream *upstream, int64_t now)
{
    return upstream->worth_a_try;
}

Result upstream_failure(const Upstream *upstream)
{
    return upstream->failure;
}

uint32_t upstream_load(const Upstream *upstream)
{
    return upstream->load;
}

static KnownInstance known[4]; /* what other loops say, too */

/* Three versions of one method, and four instances: v1, v2, v3, v3. From v1 one field may be lost
   towards v2 and two towards v3. */
static MethodType type = {.path = "/shop.Orders/Get"};
static Version versions[3];
static Method methods[3];
static MethodPair pairs[3][3];
static Instance instances[4];
static Service service;
static Loop loop;
static Arena *arena;

static int set_up(void **state)
{
    arena = arena_new(ARENA_UNLIMITED);
    memset(upstreams, 0, sizeof upstreams);
    memset(known, 0, sizeof known);
    service = (Service){.name = "orders",
                        .versions = versions,
                        .n_versions = 3,
                        .instances = instances,
                        .n_instances = 4};
    const char *names[] = {"v1", "v2", "v3"};
    for (uint32_t i = 0; i < 3; i++) {
        versions[i] = (Version){.name = names[i], .index = i, .service = &service};
        methods[i] = (Method){.version = &versions[i], .type = &type, .pairs = pairs[i]};
        for (uint32_t j = 0; j < 3; j++)
            pairs[i][j] = (MethodPair){.target = &methods[j], .n_lossy = j > i ? j - i : 0};
    }
    for (uint32_t i = 0; i < 4; i++)
        instances[i] = (Instance){.service = &service,
                                  .index = i,
                                  .versions = UINT64_C(1) << (i < 3 ? i : 2),
                                  .known = &known[i]};
    loop = (Loop){0};
    return 0;
}

static int tear_down(void **state)
{
    arena_free(arena);
    return 0;
}

static void assert_picked(const Method *method, const PickTried *tried, uint32_t index,
                          const char *why)
{
    Pick pick;
    assert_ok(arena, pick_instance(&loop, method, tried, arena, &pick));
    assert_int_equal(pick.instance->index, index);
    assert_string_equal(pick.why, why);
}

static void an_instance_that_speaks_the_version_itself_comes_first(void **state)
{
    assert_picked(&methods[0], 0, 0, "native");
    assert_picked(&methods[1], 0, 1, "native");
}

static void else_the_version_with_the_fewest_losses_is_taken(void **state)
{
    upstreams[0].state = UPSTREAM_AWAY;
    assert_picked(&methods[0], 0, 1, "fewest losses");
    pairs[0][2].n_lossy = 0;
    upstreams[2].load = 1;
    assert_picked(&methods[0], 0, 3, "without loss");
}

static void among_equal_losses_the_newer_version_is_taken(void **state)
{
    upstreams[0].state = UPSTREAM_AWAY;
    pairs[0][1].n_lossy = pairs[0][2].n_lossy = 0;
    Pick pick;
    assert_ok(arena, pick_instance(&loop, &methods[0], 0, arena, &pick));
    assert_string_equal(pick.served->name, "v3");
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
    int picked[4] = {0};
    for (int i = 0; i < 40; i++) {
        Pick pick;
        assert_ok(arena, pick_instance(&loop, &methods[2], 0, arena, &pick));
        picked[pick.instance->index]++;
    }
    assert_true(picked[2] >= 10 && picked[3] >= 10);
}

static void what_was_tried_is_not_tried_again(void **state)
{
    PickTried tried = {.instance = &instances[0]};
    assert_picked(&methods[0], &tried, 1, "fewest losses");
}

static void when_all_are_away_the_last_failure_is_the_cause(void **state)
{
    for (int i = 0; i < 4; i++) {
        upstreams[i].state = UPSTREAM_AWAY;
        upstreams[i].failure = FAIL(arena, FAULT_UPSTREAM_DOWN, "connection refused");
    }
    Pick pick;
    Result r = pick_instance(&loop, &methods[0], 0, arena, &pick);
    assert_fault(r, FAULT_UPSTREAM_DOWN);
    assert_string_equal(error_origin(r)->doing, "connection refused");
}

static void where_all_are_away_one_that_is_worth_a_try_is_tried(void **state)
{
    for (int i = 0; i < 4; i++)
        upstreams[i].state = UPSTREAM_AWAY;
    upstreams[1].worth_a_try = upstreams[2].worth_a_try = true;
    assert_picked(&methods[0], 0, 1, "fewest losses");
    upstreams[3].state = UPSTREAM_READY; /* one that is there comes first, whatever it loses */
    assert_picked(&methods[0], 0, 3, "fewest losses");
}

static void a_method_without_counterpart_says_why(void **state)
{
    service.n_instances = 4;
    instances[0].versions = 2; /* nobody speaks v1 */
    for (int j = 1; j < 3; j++)
        pairs[0][j] = (MethodPair){.reason = "Purge went away in v2"};
    Pick pick;
    Result r = pick_instance(&loop, &methods[0], 0, arena, &pick);
    assert_fault(r, FAULT_METHOD_REMOVED);
    assert_non_null(strstr(r.error->doing, "Purge went away in v2"));

    service.n_instances = 0;
    pairs[0][1].reason = pairs[0][2].reason = NULL;
    assert_fault(pick_instance(&loop, &methods[0], 0, arena, &pick), FAULT_NO_INSTANCE);
}

static void an_answer_is_possible_while_no_loop_misses_one_that_could_give_it(void **state)
{
    pairs[0][1].target = NULL;
    assert_true(pick_possible(&methods[0]));
    known[0].n_down = known[2].n_down = 1; /* v1, and one of v3 */
    assert_true(pick_possible(&methods[0]));
    known[3].n_down = 1; /* v2 is there, but is no help */
    assert_false(pick_possible(&methods[0]));
    assert_true(pick_possible(&methods[1]));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_instance_that_speaks_the_version_itself_comes_first),
        TEST(else_the_version_with_the_fewest_losses_is_taken),
        TEST(among_equal_losses_the_newer_version_is_taken),
        TEST(among_equals_the_least_loaded_one_is_taken),
        TEST(equally_loaded_instances_take_turns),
        TEST(what_was_tried_is_not_tried_again),
        TEST(when_all_are_away_the_last_failure_is_the_cause),
        TEST(where_all_are_away_one_that_is_worth_a_try_is_tried),
        TEST(a_method_without_counterpart_says_why),
        TEST(an_answer_is_possible_while_no_loop_misses_one_that_could_give_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
