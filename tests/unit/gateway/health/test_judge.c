#include "tests/unit/check.h"

#include "base/file/memory_file.h"
#include "gateway/handover/handover.h"
#include "gateway/handover/roll.h"
#include "gateway/healing/healing.h"
#include "gateway/health/judge.h"
#include "gateway/instances/instance_counts.h"
#include "gateway/instances/instance_set.h"
#include "tests/unit/gateway/telemetry_fixture.h"

#include <stdlib.h>

enum { N = 4 };

/* A service with four instances, and calls to them. */
static struct {
    Fixture *fixture;
    uv_loop_t loop;
    Judge *judge;
    Instance instances[N];
    Service service;
    Config config;
    InstanceCounts counts[N];
    int64_t now;
} scene;

static const char *const addresses[N] = {"10.0.0.1:7001", "10.0.0.2:7001", "10.0.0.3:7001",
                                         "10.0.0.4:7001"};

static void fill(Config *config, Service *service, Instance *instances, uint32_t n)
{
    memset(instances, 0, n * sizeof *instances);
    for (uint32_t i = 0; i < n; i++) {
        instances[i].address = (Address){.text = addresses[i], .host = "10.0.0.1", .port = 7001};
        instances[i].service = service;
        instances[i].versions = 1;
    }
    *service = (Service){.name = "orders",
                         .instances = instances,
                         .n_instances = n,
                         .check = {.kind = CHECK_TCP, .unhealthy_after = 3},
                         .eject = {.consecutive = 5,
                                   .failure_percent = 10,
                                   .slower = 4,
                                   .slower_by = 100 * MILLISECOND,
                                   .min_calls = 20,
                                   .max_percent = 50,
                                   .first = 30 * SECOND,
                                   .most = 300 * SECOND},
                         .slow_start = 10 * SECOND};
    *config = (Config){.services = service, .n_services = 1};
}

static int begin(void **state)
{
    int failure = fixture_begin(state);
    memset(&scene, 0, sizeof scene);
    scene.fixture = *state;
    scene.now = 1000 * SECOND;
    CHECK(uv_loop_init(&scene.loop) == 0);
    fill(&scene.config, &scene.service, scene.instances, N);
    instances_adopt(&scene.config, NULL);
    healing_start(&scene.loop, &scene.config);
    for (uint32_t i = 0; i < N; i++)
        instance_counts_join(&scene.counts[i], scene.instances[i].known);
    scene.judge = judge_new(&scene.loop);
    judge_use(scene.judge, &scene.config);
    judge_look(scene.judge, scene.now);
    return failure;
}

static int end(void **state)
{
    judge_end(scene.judge);
    healing_stop();
    uv_run(&scene.loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&scene.loop) == 0);
    for (uint32_t i = 0; i < N; i++)
        instance_counts_leave(&scene.counts[i]);
    scene.config.let_go(&scene.config);
    healing_forget();
    return fixture_end(state);
}

static KnownInstance *known(uint32_t i)
{
    return scene.instances[i].known;
}

static void look(int64_t after)
{
    scene.now += after;
    judge_look(scene.judge, scene.now);
}

static void call(uint32_t i, uint32_t n, AttemptVerdict verdict)
{
    for (uint32_t k = 0; k < n; k++)
        instance_attempt_ended(&scene.counts[i], verdict, 5 * MILLISECOND, scene.now);
}

/* The first `n` instances fail 30 calls each, the others answer them. */
static void fail_first(uint32_t n)
{
    for (uint32_t i = 0; i < N; i++)
        call(i, 30, i < n ? ATTEMPT_FAILED : ATTEMPT_GOOD);
    look(EJECTION_EVERY);
}

static void assert_bars(uint32_t first, uint32_t second)
{
    assert_int_equal(instance_barred(&scene.instances[0]), first);
    assert_int_equal(instance_barred(&scene.instances[1]), second);
    assert_int_equal(instance_barred(&scene.instances[2]), 0);
}

static void assert_share(uint32_t i, uint32_t share)
{
    assert_int_equal(known_instance_share(known(i), scene.service.slow_start, scene.now), share);
}

static bool log_has(const char *text)
{
    Bytes log = fixture_log(scene.fixture);
    return memmem(log.data, log.size, text, strlen(text)) != NULL;
}

/* As the supervisor hands it over; the first judge takes it. */
static void leave_an_ejection_of_the_fourth(void)
{
    char text[128], roll[128], number[16];
    snprintf(text, sizeof text, "1 %lld 0 2 1 0 0 10.0.0.4:7001\n",
             (long long)clock_now() + 100LL * SECOND);
    snprintf(roll, sizeof roll, "kept %d blob ejections\n", memory_file_make("x", bytes_of(text)));
    snprintf(number, sizeof number, "%d", memory_file_make("roll", bytes_of(roll)));
    setenv(ROLL_VARIABLE, number, 1);
    handover_begin();
}

/* It must be the first test. */
static void what_the_gateway_before_has_ejected_is_so_from_the_start(void **state)
{
    assert_int_equal(instance_barred(&scene.instances[3]), BAR_EJECTED);
    assert_true(known(3)->judged.times == 2);
    assert_true(log_has("the gateway before this one has ejected it (in a row)"));
    assert_true(log_has("what was known of 1 instances goes on"));
}

/* Of a build, and of a version that is rolled out. */
static void the_only_instance_of_a_candidate_is_not_barred_for_its_failures(void **state)
{
    Version versions[2] = {{.name = "v1"}, {.name = "v2", .index = 1}};
    RolloutDefinition rollout = {.build = "new"};
    for (uint32_t i = 0; i < N; i++)
        scene.instances[i].build = i ? "old" : "new";
    scene.service.rollout = &rollout;
    fail_first(1);
    assert_bars(0, 0);
    scene.service.versions = versions;
    scene.service.n_versions = 2;
    scene.instances[0].versions = 3;
    rollout = (RolloutDefinition){.version = &versions[1]};
    fail_first(1);
    assert_bars(0, 0);
    scene.service.rollout = NULL;
    scene.instances[0].versions = 1;
    fail_first(1);
    assert_bars(BAR_EJECTED, 0);
    scene.service.n_versions = 0;
}

static void one_that_fails_is_barred_and_told_with_the_numbers_of_both_sides(void **state)
{
    fail_first(1);
    assert_bars(BAR_EJECTED, 0);
    look(31 * SECOND * 11 / 10);
    assert_bars(0, 0);
    assert_true(log_has("30 calls in a row failed, and 0 of 90 to other instances"));
    assert_true(log_has("10.0.0.1:7001"));
    assert_true(log_has("its time is over"));
}

static void its_row_of_failures_is_forgotten_when_it_returns(void **state)
{
    fail_first(1);
    look(40 * SECOND);
    assert_bars(0, 0);
    call(0, 4, ATTEMPT_FAILED);
    look(EJECTION_EVERY);
    assert_bars(0, 0);
    call(0, 1, ATTEMPT_FAILED);
    look(EJECTION_EVERY);
    assert_bars(BAR_EJECTED, 0);
}

static void if_too_many_fail_all_are_used_and_that_is_told(void **state)
{
    fail_first(1);
    fail_first(3);
    assert_bars(0, 0);
    assert_true(scene.service.all_used);
    look(11 * SECOND);
    assert_false(scene.service.all_used);
    assert_true(log_has("it is used like all instances"));
    assert_true(log_has("orders: 3 of 4 instances fail, more than max_percent: 50; all are used"));
    assert_true(log_has("instances_all_used_over"));
    assert_true(log_has("more than max_percent: 50\",\"act\":\"all_used\""));
    assert_true(log_has("\"act\":\"all_used\",\"service\":\"orders\",\"ms\""));
}

static void a_service_that_leaves_is_used_as_a_whole_no_more(void **state)
{
    Config none = {.n_services = 0};
    fail_first(3);
    assert_true(scene.service.all_used);
    judge_use(scene.judge, &none);
    assert_true(log_has("it has left the config\",\"act\":\"all_used\""));
}

static void failed_checks_bar_an_instance(void **state)
{
    known(1)->unhealthy = true;
    look(EJECTION_EVERY);
    assert_bars(0, BAR_UNHEALTHY);
    known(1)->unhealthy = false;
    look(EJECTION_EVERY);
    assert_bars(0, 0);
    assert_true(log_has("3 checks in a row have failed"));
    assert_true(log_has("its checks are good again"));
}

static void without_checks_nothing_is_unhealthy(void **state)
{
    known(1)->unhealthy = true;
    scene.service.check.kind = CHECK_NONE;
    look(EJECTION_EVERY);
    assert_bars(0, 0);
}

static void bars_of_others_stay(void **state)
{
    known_instance_bar(known(0), BAR_DRAINED, true);
    fail_first(1);
    assert_bars(BAR_DRAINED | BAR_EJECTED, 0);
    look(40 * SECOND);
    assert_bars(BAR_DRAINED, 0);
}

static void an_ejected_one_is_used_when_the_others_go_down_and_that_is_told(void **state)
{
    fail_first(1);
    assert_bars(BAR_EJECTED, 0);
    for (uint32_t i = 1; i < N; i++)
        known_instance_set_down(known(i), true);
    look(EJECTION_EVERY);
    assert_bars(0, 0);
    assert_share(0, SHARE_WHOLE);
    for (uint32_t i = 1; i < N; i++)
        known_instance_set_down(known(i), false);
    look(11 * SECOND);
    assert_true(log_has("no other instance of its version can be used"));
    assert_true(log_has("orders: 1 of 4 instances are used although they fail"));
    assert_true(log_has("instances_needed_over"));
    assert_true(log_has("\"act\":\"all_used\",\"service\":\"orders\",\"subject\":\"the last "
                        "ones of a version\",\"ms\""));
}

static void one_that_an_operator_has_taken_out_stays_so(void **state)
{
    fail_first(1);
    known_instance_bar(known(0), BAR_DRAINED, true);
    for (uint32_t i = 1; i < N; i++)
        known_instance_set_down(known(i), true);
    look(EJECTION_EVERY);
    assert_bars(BAR_DRAINED | BAR_EJECTED, 0);
    for (uint32_t i = 1; i < N; i++)
        known_instance_set_down(known(i), false);
}

static void one_that_an_operator_returns_is_used_at_once(void **state)
{
    assert_false(known_instance_pardon(known(0), scene.now));
    fail_first(1);
    assert_bars(BAR_EJECTED, 0);
    assert_true(known_instance_pardon(known(0), scene.now));
    assert_bars(0, 0);
    assert_share(0, SHARE_LEAST);
    look(EJECTION_EVERY);
    assert_bars(0, 0);
    call(0, 4, ATTEMPT_FAILED);
    look(EJECTION_EVERY);
    assert_bars(0, 0);
    assert_true(log_has("an operator has returned it"));
}

static void ejections_stay_over_a_reload_and_end_with_the_instance(void **state)
{
    Instance instances[N];
    Service service;
    Config config;
    fail_first(1);
    fill(&config, &service, instances, N);
    instances_adopt(&config, &scene.config);
    judge_use(scene.judge, &config);
    look(EJECTION_EVERY);
    assert_int_equal(instance_barred(&instances[0]), BAR_EJECTED);
    InstanceSet *rest = instance_set_new(&service, (Instance *[]){&instances[1]}, 1);
    instance_set_use(&service, rest);
    look(EJECTION_EVERY);
    assert_int_equal(instance_barred(&instances[0]), 0);
    assert_true(log_has("it has left the service"));
    config.let_go(&config);
    judge_use(scene.judge, &scene.config);
}

static void those_that_come_back_start_slowly(void **state)
{
    assert_share(0, SHARE_WHOLE); /* it was there from the beginning */
    fail_first(1);
    look(40 * SECOND);
    assert_share(0, SHARE_LEAST);
    assert_share(1, SHARE_WHOLE);
    known_instance_set_down(known(1), true);
    look(EJECTION_EVERY);
    assert_share(1, SHARE_WHOLE);
    known_instance_set_down(known(1), false);
    look(EJECTION_EVERY);
    assert_share(1, SHARE_LEAST);
    look(10 * SECOND);
    assert_share(0, SHARE_WHOLE);
    assert_share(1, SHARE_WHOLE);
}

static void those_that_join_start_slowly(void **state)
{
    static Instance joins; /* the set outlives the test */
    joins = scene.instances[0];
    joins.address.text = "10.0.0.9:7001";
    joins.known = NULL;
    InstanceSet *two =
        instance_set_new(&scene.service, (Instance *[]){&scene.instances[0], &joins}, 2);
    instance_set_use(&scene.service, two);
    look(EJECTION_EVERY);
    assert_share(0, SHARE_WHOLE);
    assert_int_equal(known_instance_share(joins.known, SECOND, scene.now), SHARE_LEAST);
    known_instance_unref(joins.known);
}

/* Else the calls that all get would be too many for the few that were used before. */
static void where_all_are_used_they_are_so_at_once(void **state)
{
    fail_first(1);
    fail_first(3);
    assert_share(0, SHARE_WHOLE);
}

static void the_last_one_of_a_version_is_used_although_it_fails(void **state)
{
    static const uint64_t versions[N] = {1, 2, 2, 2};
    scene.service.n_versions = 2;
    for (uint32_t i = 0; i < N; i++)
        scene.instances[i].versions = versions[i];
    fail_first(2);
    assert_bars(0, BAR_EJECTED);
}

static void an_instance_of_two_services_is_judged_once(void **state)
{
    Service services[2] = {
        {.name = "orders", .set = scene.service.set, .eject = scene.service.eject},
        {.name = "other", .eject = scene.service.eject}};
    Config config = {.services = services, .n_services = 2};
    services[1].set = instance_set_ref(scene.service.set);
    judge_use(scene.judge, &config);
    fail_first(1);
    assert_bars(BAR_EJECTED, 0);
    look(EJECTION_EVERY);
    assert_bars(BAR_EJECTED, 0);
    instance_set_unref(services[1].set);
    judge_use(scene.judge, &scene.config);
}

#define judge_test(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    leave_an_ejection_of_the_fourth();
    const struct CMUnitTest tests[] = {
        judge_test(what_the_gateway_before_has_ejected_is_so_from_the_start),
        judge_test(the_only_instance_of_a_candidate_is_not_barred_for_its_failures),
        judge_test(one_that_fails_is_barred_and_told_with_the_numbers_of_both_sides),
        judge_test(its_row_of_failures_is_forgotten_when_it_returns),
        judge_test(if_too_many_fail_all_are_used_and_that_is_told),
        judge_test(a_service_that_leaves_is_used_as_a_whole_no_more),
        judge_test(failed_checks_bar_an_instance),
        judge_test(without_checks_nothing_is_unhealthy),
        judge_test(bars_of_others_stay),
        judge_test(an_ejected_one_is_used_when_the_others_go_down_and_that_is_told),
        judge_test(one_that_an_operator_has_taken_out_stays_so),
        judge_test(one_that_an_operator_returns_is_used_at_once),
        judge_test(ejections_stay_over_a_reload_and_end_with_the_instance),
        judge_test(those_that_come_back_start_slowly),
        judge_test(those_that_join_start_slowly),
        judge_test(where_all_are_used_they_are_so_at_once),
        judge_test(the_last_one_of_a_version_is_used_although_it_fails),
        judge_test(an_instance_of_two_services_is_judged_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
