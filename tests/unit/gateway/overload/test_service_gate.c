#include "tests/unit/check.h"

#include "gateway/healing/healing.h"
#include "gateway/healing/healing_page.h"
#include "gateway/instances/instance_set.h"
#include "gateway/overload/service_gate.h"

enum { CALLS = 8 };

typedef struct TestCall {
    GateWait wait; /* first */
    GatePass pass;
    bool told, refused;
} TestCall;

static Loop loop;
static Arena *arena;
static TestCall calls[CALLS];
static ConcurrencyConfig concurrency;
static BreakerConfig breaker;
static Service service;
static char order[CALLS + 1]; /* in which those that waited were told */
static uint32_t retry_after;

static void on_ready(GateWait *wait, GatePass pass, Result why)
{
    TestCall *call = (TestCall *)wait;
    assert_false(call->told);
    call->told = true;
    call->pass = pass;
    call->refused = failed(why);
    assert_int_equal(call->refused, pass.gate == NULL);
    if (failed(why))
        assert_fault(why, FAULT_SERVICE_FULL);
    order[strlen(order)] = (char)('0' + (call - calls));
}

static int set_up(void **state)
{
    loop_init(&loop, 3);
    arena = arena_new(ARENA_UNLIMITED);
    concurrency = (ConcurrencyConfig){.calls = 2,
                                      .waiting = 3,
                                      .wait = 3600 * SECOND,
                                      .least = 1,
                                      .start = SECOND,
                                      .client_percent = 100};
    breaker = (BreakerConfig){
        .percent = 50, .calls = 2, .window = 60 * SECOND, .open = 20 * SECOND, .probes = 1};
    service = (Service){.name = "orders", .concurrency = &concurrency};
    memset(order, 0, sizeof order);
    for (int i = 0; i < CALLS; i++)
        calls[i] = (TestCall){.wait = {.on_ready = on_ready}};
    return 0;
}

static int tear_down(void **state)
{
    gates_free(&loop);
    loop_deinit(&loop);
    arena_free(arena);
    healing_forget();
    return 0;
}

/* Client c of the test network. */
static IpAddress client(int c)
{
    IpAddress address;
    assert_true(ip_read(bytes_of(c ? "192.0.2.1" : "192.0.2.2"), &address));
    return address;
}

static Result enter_as(TestCall *call, int c, bool apart, bool waits)
{
    IpAddress who = client(c);
    GateQuestion question = {
        .service = &service, .client = &who, .apart = apart, .wait = waits ? &call->wait : NULL};
    return gate_enter(&loop, &question, arena, &call->pass, &retry_after);
}

static Result enter_stream(TestCall *call, bool waits)
{
    IpAddress who = client(0);
    GateQuestion question = {
        .service = &service, .client = &who, .stream = true, .wait = waits ? &call->wait : NULL};
    return gate_enter(&loop, &question, arena, &call->pass, &retry_after);
}

static Result enter(TestCall *call)
{
    return enter_as(call, 0, false, true);
}

static void leave(TestCall *call, BreakerOutcome outcome)
{
    gate_leave(&loop, &call->pass, outcome, 0);
    assert_null(call->pass.gate);
}

static void stop(Loop *on, void *argument)
{
    loop_stop(on);
}

/* What was deferred runs. */
static void turn(void)
{
    loop_post(&loop, stop, NULL);
    loop_run(&loop);
}

static bool is_in(const TestCall *call)
{
    return call->pass.gate != NULL;
}

static void so_many_calls_pass_and_the_next_waits(void **state)
{
    for (int i = 0; i < 3; i++)
        assert_ok(arena, enter(&calls[i]));
    assert_true(is_in(&calls[0]) && is_in(&calls[1]) && !is_in(&calls[2]));
    turn();
    assert_false(calls[2].told);
    leave(&calls[0], OUTCOME_GOOD);
    assert_false(calls[2].told); /* not from within */
    turn();
    assert_true(is_in(&calls[2]) && !calls[2].refused);
    leave(&calls[1], OUTCOME_GOOD);
    leave(&calls[2], OUTCOME_GOOD);
    assert_ok(arena, enter(&calls[3]));
    assert_true(is_in(&calls[3]));
    leave(&calls[3], OUTCOME_GOOD);
}

static void nobody_passes_those_that_wait(void **state)
{
    for (int i = 0; i < 3; i++)
        assert_ok(arena, enter(&calls[i]));
    leave(&calls[0], OUTCOME_GOOD);
    assert_ok(arena, enter(&calls[3])); /* there is a place, for calls[2] */
    assert_false(is_in(&calls[3]));
    turn();
    assert_true(is_in(&calls[2]) && !is_in(&calls[3]));
    leave(&calls[1], OUTCOME_GOOD);
    leave(&calls[2], OUTCOME_GOOD);
    turn();
    leave(&calls[3], OUTCOME_GOOD);
    assert_string_equal(order, "23");
}

static void clients_take_turns(void **state)
{
    concurrency.waiting = CALLS;
    assert_ok(arena, enter(&calls[0]));
    assert_ok(arena, enter(&calls[1]));
    for (int i = 2; i < 5; i++)
        assert_ok(arena, enter_as(&calls[i], 0, false, true));
    assert_ok(arena, enter_as(&calls[5], 1, false, true));
    for (int i = 0; i < 2; i++) {
        leave(&calls[i], OUTCOME_GOOD);
        turn();
    }
    assert_string_equal(order, "25");
    for (int i = 2; i < 5; i++)
        gate_cancel(&calls[i].wait);
    leave(&calls[2], OUTCOME_GOOD);
    leave(&calls[5], OUTCOME_GOOD);
}

/* Also if its calls take for ever. */
static void one_client_cannot_have_all_places(void **state)
{
    concurrency.calls = 4;
    concurrency.client_percent = 50;
    for (int i = 0; i < 4; i++)
        assert_ok(arena, enter(&calls[i])); /* nobody else was there */
    assert_ok(arena, enter_as(&calls[4], 1, false, true));
    turn();
    assert_false(calls[4].told);
    leave(&calls[0], OUTCOME_GOOD);
    turn();
    assert_true(is_in(&calls[4]));
    leave(&calls[1], OUTCOME_GOOD);
    assert_ok(arena, enter(&calls[5])); /* it has 2 of 4, and there is a place */
    turn();
    assert_false(calls[5].told);
    assert_ok(arena, enter_as(&calls[6], 1, false, true));
    turn();
    assert_true(is_in(&calls[6]) && !calls[5].told);
    leave(&calls[2], OUTCOME_GOOD);
    turn();
    assert_true(is_in(&calls[5]));
    assert_fault(enter_as(&calls[7], 0, false, false), FAULT_SERVICE_FULL);
    for (int i = 3; i < 7; i++)
        leave(&calls[i], OUTCOME_GOOD);
}

static void a_client_that_is_alone_for_a_while_has_all_places_again(void **state)
{
    concurrency.client_percent = 50;
    assert_ok(arena, enter_as(&calls[0], 1, false, false));
    leave(&calls[0], OUTCOME_GOOD);
    assert_ok(arena, enter(&calls[1]));
    loop.now += SHARE_TIME - 1;
    assert_fault(enter_as(&calls[2], 0, false, false), FAULT_SERVICE_FULL);
    loop.now++;
    assert_ok(arena, enter_as(&calls[2], 0, false, false));
    for (int i = 1; i < 3; i++)
        leave(&calls[i], OUTCOME_GOOD);
}

static void who_may_not_wait_fails(void **state)
{
    assert_ok(arena, enter(&calls[0]));
    assert_ok(arena, enter(&calls[1]));
    assert_fault(enter_as(&calls[2], 0, false, false), FAULT_SERVICE_FULL);
    concurrency.waiting = 0;
    assert_fault(enter(&calls[3]), FAULT_SERVICE_FULL);
    assert_int_equal(retry_after, 1);
    assert_false(is_in(&calls[2]) || is_in(&calls[3]));
    leave(&calls[0], OUTCOME_GOOD);
    leave(&calls[1], OUTCOME_GOOD);
}

static void of_too_many_that_wait_the_last_of_the_client_with_most_fails(void **state)
{
    assert_ok(arena, enter(&calls[0]));
    assert_ok(arena, enter(&calls[1]));
    for (int i = 2; i < 5; i++)
        assert_ok(arena, enter_as(&calls[i], i == 3, false, true));
    turn();
    assert_string_equal(order, "");
    assert_ok(arena, enter_as(&calls[5], 1, false, true));
    assert_ok(arena, enter_as(&calls[6], 0, false, true));
    turn();
    assert_int_equal(strlen(order), 2);
    assert_true(calls[6].refused);
    assert_false(calls[2].told || calls[3].told);
    for (int i = 2; i < 7; i++)
        gate_cancel(&calls[i].wait);
    leave(&calls[0], OUTCOME_GOOD);
    leave(&calls[1], OUTCOME_GOOD);
}

static void a_call_waits_for_its_time_only(void **state)
{
    concurrency.wait = MILLISECOND;
    for (int i = 0; i < 3; i++)
        assert_ok(arena, enter(&calls[i]));
    int64_t until = clock_now() + 10 * SECOND;
    while (!calls[2].told && clock_now() < until)
        turn();
    assert_true(calls[2].refused);
    leave(&calls[0], OUTCOME_GOOD);
    leave(&calls[1], OUTCOME_GOOD);
}

static void one_that_is_cancelled_is_not_told(void **state)
{
    for (int i = 0; i < 4; i++)
        assert_ok(arena, enter(&calls[i]));
    gate_cancel(&calls[2].wait);
    gate_cancel(&calls[2].wait);
    leave(&calls[0], OUTCOME_GOOD);
    turn();
    assert_string_equal(order, "3");
    leave(&calls[1], OUTCOME_GOOD);
    leave(&calls[3], OUTCOME_GOOD);
}

static void other_limits_apply_to_the_next_call(void **state)
{
    ConcurrencyConfig more = concurrency;
    assert_ok(arena, enter(&calls[0]));
    assert_ok(arena, enter(&calls[1]));
    more.calls = 3;
    Service reloaded = {.name = "orders", .concurrency = &more};
    service = reloaded;
    assert_ok(arena, enter(&calls[2]));
    assert_true(is_in(&calls[2]));
    service.name = "billing"; /* another service */
    assert_ok(arena, enter(&calls[3]));
    assert_true(is_in(&calls[3]));
    for (int i = 0; i < 4; i++)
        leave(&calls[i], OUTCOME_GOOD);
}

static void a_stream_has_a_place_for_its_start_only(void **state)
{
    for (int i = 0; i < 2; i++)
        assert_ok(arena, enter_stream(&calls[i], false));
    loop.now += SECOND; /* of one slice: it is not over for those that began in it */
    assert_fault(enter_as(&calls[2], 0, false, false), FAULT_SERVICE_FULL);
    loop.now += SECOND;
    assert_ok(arena, enter(&calls[2]));
    assert_ok(arena, enter(&calls[3]));
    assert_fault(enter_as(&calls[4], 0, false, false), FAULT_SERVICE_FULL);
    leave(&calls[0], OUTCOME_GOOD); /* it has no place any more */
    leave(&calls[1], OUTCOME_GOOD);
    assert_fault(enter_as(&calls[4], 0, false, false), FAULT_SERVICE_FULL);
    leave(&calls[2], OUTCOME_GOOD);
    assert_ok(arena, enter_stream(&calls[4], false));
    leave(&calls[4], OUTCOME_GOOD); /* its response has begun */
    assert_ok(arena, enter(&calls[5]));
    leave(&calls[3], OUTCOME_GOOD);
    leave(&calls[5], OUTCOME_GOOD);
}

static void calls_wait_until_streams_have_started(void **state)
{
    concurrency.start = MILLISECOND;
    assert_ok(arena, enter_stream(&calls[0], false));
    assert_ok(arena, enter_stream(&calls[1], false));
    assert_ok(arena, enter_stream(&calls[2], true));
    assert_ok(arena, enter(&calls[3]));
    int64_t until = clock_now() + 10 * SECOND;
    while (!calls[3].told && clock_now() < until)
        turn();
    assert_string_equal(order, "23");
    assert_true(is_in(&calls[2]) && is_in(&calls[3]));
    assert_true(calls[2].pass.stream);
    assert_false(calls[3].pass.stream);
    for (int i = 0; i < 4; i++)
        leave(&calls[i], OUTCOME_GOOD);
}

static bool metrics_say(const char *sample)
{
    Buffer page = buffer_in(arena);
    Exposition e = {.out = &page};
    gates_metrics_write(&e, NULL);
    buffer_add_byte(&page, 0);
    return strstr((const char *)page.data, sample) != NULL;
}

static void the_metrics_tell_its_places(void **state)
{
    assert_ok(arena, enter(&calls[0]));
    assert_ok(arena, enter_stream(&calls[1], false));
    assert_fault(enter_as(&calls[2], 0, false, false), FAULT_SERVICE_FULL);
    assert_true(metrics_say("passerelle_concurrency_limit{service=\"orders\",loop=\"3\"} 2\n"));
    assert_true(metrics_say("concurrency_in_flight{service=\"orders\",loop=\"3\"} 2\n"));
    assert_true(metrics_say("concurrency_refused_total{service=\"orders\",loop=\"3\"} 1\n"));
    leave(&calls[0], OUTCOME_GOOD);
    assert_true(metrics_say("concurrency_in_flight{service=\"orders\",loop=\"3\"} 1\n"));
    leave(&calls[1], OUTCOME_GOOD);
    assert_true(metrics_say("concurrency_in_flight{service=\"orders\",loop=\"3\"} 0\n"));
    gates_free(&loop);
    assert_false(metrics_say("orders"));
}

static void an_open_breaker_lets_nobody_pass_but_those_that_go_elsewhere(void **state)
{
    service = (Service){.name = "orders", .breaker = &breaker};
    for (int i = 0; i < 2; i++) {
        assert_ok(arena, enter(&calls[0]));
        leave(&calls[0], OUTCOME_FAILED);
    }
    assert_fault(enter(&calls[1]), FAULT_BREAKER_OPEN);
    assert_in_range(retry_after, 15, 20);
    assert_false(is_in(&calls[1]));
    assert_ok(arena, enter_as(&calls[2], 0, true, false));
    assert_true(is_in(&calls[2]));
    leave(&calls[2], OUTCOME_GOOD); /* tells the breaker nothing */
    assert_fault(enter(&calls[3]), FAULT_BREAKER_OPEN);
}

/* Whether an act of the healing lasts. */
static bool heals(void)
{
    Buffer page = buffer_in(arena);
    healing_write(&page);
    buffer_add_byte(&page, 0);
    return strstr((const char *)page.data, "\"now\":[]") == NULL;
}

/* The loop has a config in which the service is like this; NULL: it has none. */
static void use_config(Service *services)
{
    Config config = {.services = services, .n_services = services != NULL};
    loop.config = &config;
    gates_use_config(&loop);
    loop.config = NULL;
}

static void without_a_breaker_in_the_next_config_it_is_healed_no_more(void **state)
{
    Service other = {.name = "carts", .breaker = &breaker}, plain = {.name = "orders"};
    Service *without[] = {&other, &plain, NULL};
    for (int i = 0; i < 3; i++) {
        service = (Service){.name = "orders", .breaker = &breaker};
        for (int k = 0; k < 2; k++) {
            assert_ok(arena, enter(&calls[0]));
            leave(&calls[0], OUTCOME_FAILED);
        }
        use_config(&service);
        assert_true(heals());
        assert_fault(enter(&calls[1]), FAULT_BREAKER_OPEN);
        use_config(without[i]);
        assert_false(heals());
        assert_ok(arena, enter(&calls[1])); /* with a breaker again, it is a new one */
        leave(&calls[1], OUTCOME_UNKNOWN);
    }
}

static void without_a_limit_in_the_next_config_who_waits_passes(void **state)
{
    Service plain = {.name = "orders"};
    for (int i = 0; i < 3; i++)
        assert_ok(arena, enter(&calls[i]));
    assert_fault(enter_as(&calls[3], 0, false, false), FAULT_SERVICE_FULL);
    assert_true(heals());
    use_config(&plain);
    assert_false(heals());
    assert_false(metrics_say("passerelle_concurrency_limit{"));
    turn();
    for (int i = 0; i < 3; i++) {
        assert_true(is_in(&calls[i]));
        leave(&calls[i], OUTCOME_GOOD);
    }
}

static void probes_that_do_not_end_let_others_try(void **state)
{
    breaker.probes = 2;
    service = (Service){.name = "orders", .breaker = &breaker};
    for (int i = 0; i < 2; i++) {
        assert_ok(arena, enter(&calls[0]));
        leave(&calls[0], OUTCOME_FAILED);
    }
    loop.now += 20 * SECOND;
    assert_ok(arena, enter(&calls[0]));
    assert_ok(arena, enter(&calls[1]));
    assert_fault(enter(&calls[2]), FAULT_BREAKER_OPEN);
    assert_int_equal(retry_after, 20);
    loop.now += 20 * SECOND;
    for (int i = 2; i < 4; i++) {
        assert_ok(arena, enter(&calls[i]));
        leave(&calls[i], OUTCOME_GOOD);
    }
    for (int i = 2; i < CALLS; i++)
        assert_ok(arena, enter(&calls[i]));
    for (int i = 0; i < CALLS; i++)
        leave(&calls[i], OUTCOME_GOOD);
}

static void an_open_breaker_is_told_before_that_there_is_no_place(void **state)
{
    service.breaker = &breaker;
    assert_ok(arena, enter(&calls[0]));
    assert_ok(arena, enter(&calls[1]));
    for (int i = 0; i < 2; i++)
        leave(&calls[i], OUTCOME_FAILED);
    assert_ok(arena, enter_as(&calls[0], 0, true, false));
    assert_ok(arena, enter_as(&calls[1], 0, true, false));
    assert_fault(enter(&calls[2]), FAULT_BREAKER_OPEN);
    leave(&calls[0], OUTCOME_GOOD);
    leave(&calls[1], OUTCOME_GOOD);
}

static void a_learned_limit_begins_at_the_floor_and_grows(void **state)
{
    concurrency = (ConcurrencyConfig){.calls = UINT32_MAX, .adaptive = true, .least = 2};
    assert_ok(arena, enter(&calls[0]));
    assert_ok(arena, enter(&calls[1]));
    assert_fault(enter(&calls[2]), FAULT_SERVICE_FULL);
    for (int i = 0; i < 1000; i++) {
        gate_leave(&loop, &calls[1].pass, OUTCOME_GOOD, MILLISECOND);
        assert_ok(arena, enter(&calls[1]));
    }
    assert_ok(arena, enter(&calls[2]));
    assert_true(is_in(&calls[2]));
    for (int i = 0; i < 3; i++)
        leave(&calls[i], OUTCOME_GOOD);
}

/* Of the service, or of another one, an instance is reached again. */
static bool is_probed_after_a_return(bool of_another)
{
    Instance ours = {.address = {.text = "a:1", .host = "a", .port = 1}, .service = &service},
             other = {.address = {.text = "b:1", .host = "b", .port = 1}, .service = &service};
    Instance *only = &ours;
    ours.known = known_instance_of(&ours);
    other.known = known_instance_of(&other);
    service = (Service){.name = "orders", .breaker = &breaker};
    instance_set_use(&service, instance_set_new(&service, &only, 1));
    known_instance_is_back(ours.known); /* before it opens: tells nothing */
    for (int i = 0; i < 2; i++) {
        assert_ok(arena, enter(&calls[i]));
        leave(&calls[i], OUTCOME_FAILED);
    }
    assert_fault(enter(&calls[0]), FAULT_BREAKER_OPEN);
    assert_fault(enter(&calls[0]), FAULT_BREAKER_OPEN);
    known_instance_is_back(of_another ? other.known : ours.known);
    Result r = enter(&calls[0]);
    if (!failed(r))
        leave(&calls[0], OUTCOME_UNKNOWN);
    instance_set_unref(service.set);
    service.set = NULL;
    known_instance_unref(ours.known);
    known_instance_unref(other.known);
    return !failed(r);
}

static void when_an_instance_of_the_service_is_back_the_breaker_is_probed(void **state)
{
    assert_true(is_probed_after_a_return(false));
}

static void one_of_another_service_tells_nothing(void **state)
{
    assert_false(is_probed_after_a_return(true));
}

static void a_pass_that_was_not_given_leaves_nothing(void **state)
{
    GatePass none = {0};
    gate_leave(&loop, &none, OUTCOME_FAILED, 0);
    assert_null(loop.gates);
}

int main(void)
{
#define GATE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        GATE_TEST(so_many_calls_pass_and_the_next_waits),
        GATE_TEST(nobody_passes_those_that_wait),
        GATE_TEST(clients_take_turns),
        GATE_TEST(one_client_cannot_have_all_places),
        GATE_TEST(a_client_that_is_alone_for_a_while_has_all_places_again),
        GATE_TEST(who_may_not_wait_fails),
        GATE_TEST(of_too_many_that_wait_the_last_of_the_client_with_most_fails),
        GATE_TEST(a_call_waits_for_its_time_only),
        GATE_TEST(one_that_is_cancelled_is_not_told),
        GATE_TEST(other_limits_apply_to_the_next_call),
        GATE_TEST(a_stream_has_a_place_for_its_start_only),
        GATE_TEST(calls_wait_until_streams_have_started),
        GATE_TEST(the_metrics_tell_its_places),
        GATE_TEST(an_open_breaker_lets_nobody_pass_but_those_that_go_elsewhere),
        GATE_TEST(probes_that_do_not_end_let_others_try),
        GATE_TEST(without_a_breaker_in_the_next_config_it_is_healed_no_more),
        GATE_TEST(without_a_limit_in_the_next_config_who_waits_passes),
        GATE_TEST(an_open_breaker_is_told_before_that_there_is_no_place),
        GATE_TEST(a_learned_limit_begins_at_the_floor_and_grows),
        GATE_TEST(when_an_instance_of_the_service_is_back_the_breaker_is_probed),
        GATE_TEST(one_of_another_service_tells_nothing),
        GATE_TEST(a_pass_that_was_not_given_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
