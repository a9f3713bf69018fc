#include "gateway/signal/watch.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#include <stdio.h>

#define HOUR (3600 * SECOND)
#define DAY (24 * HOUR)
#define MONDAY (INT64_C(1767571200) * SECOND) /* 2026-01-05 */

typedef struct Told {
    int n;
    FindingKind kind;
    char subject[FINDING_NAME_SIZE];
    char evidence[512];
} Told;

static void on_found(void *owner, const Finding *finding)
{
    Told *told = owner;
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    finding_write_evidence(finding, &out);
    told->n++;
    told->kind = finding->kind;
    snprintf(told->subject, sizeof told->subject, "%s", finding->subject);
    snprintf(told->evidence, sizeof told->evidence, "%.*s", BYTES_ARGS(buffer_bytes(&out)));
    arena_free(arena);
}

static const char *name_of(void *owner, uint64_t client)
{
    return client == 1 ? "ada" : NULL;
}

/* One more hour of 1,000 calls, with this mean latency and share of v1. */
static void hour(Watch *watch, WatchMethod methods[2], double seconds, uint64_t v1, int64_t wall,
                 Told *told)
{
    for (int i = 0; i < 2; i++) {
        uint64_t calls = i ? 1000 - v1 : v1;
        methods[i].total.calls += calls;
        methods[i].total.seconds += (double)calls * seconds;
    }
    watch_hour(watch, methods, 2, wall, true, on_found, told);
}

static void init_methods(WatchMethod methods[2])
{
    methods[0] = (WatchMethod){.service = "orders", .method = "shop.Orders/Get", .version = "v1"};
    methods[1] = (WatchMethod){.service = "orders", .method = "shop.Orders/Get", .version = "v2"};
}

/* Two weeks, up to a Monday. */
static Watch usual_watch(WatchMethod methods[2])
{
    Watch watch = {.least_calls = 50};
    Told told = {.n = 0};
    init_methods(methods);
    watch_hour(&watch, methods, 2, MONDAY - 14 * DAY - HOUR, false, on_found, &told);
    for (int64_t wall = MONDAY - 14 * DAY; wall < MONDAY; wall += HOUR)
        hour(&watch, methods, 0.1, 300, wall, &told);
    assert_int_equal(told.n, 0);
    return watch;
}

static void a_drift_is_a_finding_with_its_evidence(void **state)
{
    WatchMethod methods[2];
    Watch watch = usual_watch(methods);
    Told told = {.n = 0};
    for (int i = 0; i < 6; i++)
        hour(&watch, methods, 0.2, 300, MONDAY + i * HOUR, &told);
    assert_int_equal(told.n, 2);
    assert_int_equal(told.kind, FINDING_DRIFT);
    assert_string_equal(told.subject, "latency of shop.Orders/Get in v2");
    assert_string_equal(told.evidence,
                        "{\"service\":\"orders\",\"method\":\"shop.Orders/Get\",\"version\":\"v2\","
                        "\"figure\":\"latency\",\"usual\":0.1,\"now\":0.2,\"hours\":3}");
    watch_deinit(&watch);
}

static void a_shift_is_a_finding_of_its_service(void **state)
{
    WatchMethod methods[2];
    Watch watch = usual_watch(methods);
    Told told = {.n = 0};
    for (int i = 0; i < 6; i++)
        hour(&watch, methods, 0.1, 700, MONDAY + i * HOUR, &told);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.kind, FINDING_MIX);
    assert_string_equal(told.subject, "versions of orders");
    watch_deinit(&watch);
}

static Told silent(Watch *watch, int hours)
{
    Told told = {.n = 0};
    SilenceSeen seen = {1, MONDAY - HOUR / 2};
    WatchClients clients = {
        .seen = &seen, .n = 1, .name_of = name_of, .on_found = on_found, .owner = &told};
    for (int i = 0; i < hours; i++)
        watch_clients(watch, &clients, MONDAY + i * HOUR, true);
    return told;
}

static Watch watch_of_ada(void)
{
    Watch watch = {.least_calls = 50};
    Told told = {.n = 0};
    for (int64_t wall = MONDAY - 14 * DAY; wall < MONDAY; wall += HOUR) {
        SilenceSeen seen = {1, wall + HOUR / 2};
        WatchClients clients = {
            .seen = &seen, .n = 1, .name_of = name_of, .on_found = on_found, .owner = &told};
        watch_clients(&watch, &clients, wall, true);
    }
    assert_int_equal(told.n, 0);
    return watch;
}

static void a_silent_client_is_named(void **state)
{
    Watch watch = watch_of_ada();
    Told told = silent(&watch, 8);
    assert_int_equal(told.n, 1);
    assert_int_equal(told.kind, FINDING_SILENT);
    assert_string_equal(told.subject, "ada");
    watch_deinit(&watch);
}

/* ---- Over a restart -------------------------------------------------------------------------- */

static Watch copy_of(const Watch *watch, Arena *arena)
{
    Buffer out = buffer_in(arena);
    Watch copy = {.least_calls = watch->least_calls};
    watch_write(watch, &out);
    assert_ok(arena, watch_read(&copy, buffer_bytes(&out), arena));
    return copy;
}

static void a_restart_does_not_forget(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    WatchMethod methods[2];
    Watch watch = usual_watch(methods), ada = watch_of_ada();
    ada.novelty.since = MONDAY;
    Watch copy = copy_of(&watch, arena), ada_copy = copy_of(&ada, arena);
    Told told = {.n = 0};
    init_methods(methods); /* counters of a new process */
    watch_hour(&copy, methods, 2, MONDAY - HOUR, false, on_found, &told);
    for (int i = 0; i < 6; i++)
        hour(&copy, methods, 0.2, 300, MONDAY + i * HOUR, &told);
    assert_int_equal(told.n, 2);
    assert_int_equal(silent(&ada_copy, 8).n, 1);
    assert_true(ada_copy.novelty.since == MONDAY);
    watch_deinit(&watch);
    watch_deinit(&copy);
    watch_deinit(&ada);
    watch_deinit(&ada_copy);
    arena_free(arena);
}

static void what_is_damaged_is_not_read(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    WatchMethod methods[2];
    Watch watch = usual_watch(methods), other = {.least_calls = 50};
    Buffer out = buffer_in(arena);
    watch_write(&watch, &out);
    Bytes text = buffer_bytes(&out);
    assert_fault(watch_read(&other, bytes_slice(text, 0, text.size - 1), arena), FAULT_BAD_VALUE);
    assert_fault(watch_read(&other, bytes_of("signals"), arena), FAULT_BAD_VALUE);
    assert_fault(watch_read(&other, BYTES_NONE, arena), FAULT_BAD_VALUE);
    watch.methods[1].drift.sums[0].season.level[3] = (float)(0. / 0.);
    Buffer bad = buffer_in(arena);
    watch_write(&watch, &bad);
    assert_fault(watch_read(&other, buffer_bytes(&bad), arena), FAULT_BAD_VALUE);
    assert_int_equal(other.n_methods, 0);
    assert_null(other.methods);
    watch_deinit(&watch);
    arena_free(arena);
}

static void findings_have_the_same_id_everywhere(void **state)
{
    Finding one = {.kind = FINDING_MIX, .subject = "versions of orders"}, other = one;
    other.kind = FINDING_DRIFT;
    assert_true(finding_id(&one) != finding_id(&other));
    other = one;
    other.since = 5;
    assert_true(finding_id(&one) == finding_id(&other));
    other.subject = "versions of users";
    assert_true(finding_id(&one) != finding_id(&other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drift_is_a_finding_with_its_evidence),
        cmocka_unit_test(a_shift_is_a_finding_of_its_service),
        cmocka_unit_test(a_silent_client_is_named),
        cmocka_unit_test(a_restart_does_not_forget),
        cmocka_unit_test(what_is_damaged_is_not_read),
        cmocka_unit_test(findings_have_the_same_id_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
