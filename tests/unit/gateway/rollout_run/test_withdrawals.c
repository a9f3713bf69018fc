#include "tests/unit/check.h"

#include "gateway/rollout_run/rollout_record.h"
#include "gateway/rollout_run/withdrawals.h"
#include "tests/unit/gateway/telemetry_fixture.h"

enum { N = 3 };

/* A service with three instances, and the rollouts that the store has. */
static struct {
    Fixture *fixture;
    Arena *arena;
    Service service;
    Instance instances[N];
    RolloutDefinition entry;
    Config config;
    Withdrawals withdrawals;
} scene;

static const RolloutTier all = {"all", ROLLOUT_TIER_ALL, 0, 0};

static int begin(void **state)
{
    static const char *const addresses[N] = {"a:1", "b:1", "c:1"};
    int failure = fixture_begin(state);
    memset(&scene, 0, sizeof scene);
    scene.fixture = *state;
    scene.arena = arena_new(ARENA_UNLIMITED);
    for (uint32_t i = 0; i < N; i++)
        scene.instances[i] = (Instance){.address = {.text = addresses[i]},
                                        .authority = addresses[i],
                                        .service = &scene.service};
    scene.service = (Service){.name = "orders", .instances = scene.instances, .n_instances = N};
    scene.config = (Config){.services = &scene.service, .n_services = 1};
    instances_adopt(&scene.config, NULL);
    return failure;
}

static int end(void **state)
{
    withdrawals_deinit(&scene.withdrawals);
    scene.config.let_go(&scene.config);
    arena_free(scene.arena);
    return fixture_end(state);
}

static RolloutRow row_of(const char *rollout, RolloutPhase phase)
{
    RolloutDefinition *definition = arena_make(scene.arena, RolloutDefinition);
    *definition = (RolloutDefinition){.name = rollout, .tiers = &all, .n_tiers = 1};
    RolloutRecord record = {.revision = 1, .trial = 1, .state = {.phase = phase}};
    return rollout_record_row(definition, &record, scene.arena);
}

static bool see(const char *rollout, RolloutPhase phase)
{
    RolloutRow row = row_of(rollout, phase);
    bool news = withdrawals_see(&scene.withdrawals, &row, 1);
    withdrawals_apply(&scene.withdrawals, &scene.config);
    return news;
}

static void use_builds(const char *builds[N], const char *entry)
{
    for (uint32_t i = 0; i < N; i++)
        scene.instances[i].build = builds[i];
    scene.entry = (RolloutDefinition){.build = entry};
    if (entry)
        scene.entry.name = arena_printf(scene.arena, "orders build %s", entry);
    scene.service.rollout = entry ? &scene.entry : NULL;
}

static uint32_t bits_barred(void)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < N; i++)
        bits |= (instance_barred(&scene.instances[i]) == BAR_WITHDRAWN) << i;
    return bits;
}

static uint32_t count(Bytes log, const char *text)
{
    uint32_t n = 0;
    const uint8_t *at = log.data, *last = log.data + log.size;
    while ((at = memmem(at, (size_t)(last - at), text, strlen(text)))) {
        at++;
        n++;
    }
    return n;
}

static void builds_whose_rollout_is_not_complete_get_no_calls_without_its_entry(void **state)
{
    static const struct {
        const char *rollout;
        RolloutPhase phase;
        const char *builds[N], *entry;
        uint32_t barred;
    } rows[] = {
        {"orders build b", ROLLOUT_ROLLED_BACK, {"a", "b", "b"}, NULL, 6},
        {"orders build b", ROLLOUT_RUNNING, {"a", "b", "b"}, NULL, 6},
        {"orders build b", ROLLOUT_PAUSED, {"a", "b", ""}, NULL, 2},
        {"orders build b", ROLLOUT_COMPLETE, {"a", "b", "b"}, NULL, 0},
        {"orders build b", ROLLOUT_ROLLED_BACK, {"a", "b", "b"}, "b", 0},
        {"orders build b", ROLLOUT_ROLLED_BACK, {"a", "b", "c"}, "c", 2},
        {"orders build b", ROLLOUT_ROLLED_BACK, {"b", "b", "c"}, "c", 0}, /* no other is left */
        {"orders build b", ROLLOUT_ROLLED_BACK, {"b", "b", "b"}, NULL, 0},
        {"orders build bb", ROLLOUT_ROLLED_BACK, {"a", "b", "b"}, NULL, 0},
        {"orders2 build b", ROLLOUT_ROLLED_BACK, {"a", "b", "b"}, NULL, 0},
        {"orders version b", ROLLOUT_ROLLED_BACK, {"a", "b", "b"}, NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        use_builds((const char **)rows[i].builds, rows[i].entry);
        see(rows[i].rollout, rows[i].phase);
        assert_int_equal(bits_barred(), rows[i].barred);
    }
}

static void it_is_told_once_for_each_config(void **state)
{
    use_builds((const char *[]){"a", "b", "b"}, NULL);
    assert_true(see("orders build b", ROLLOUT_ROLLED_BACK));
    assert_false(see("orders build b", ROLLOUT_ROLLED_BACK));
    withdrawals_tell_again(&scene.withdrawals);
    withdrawals_apply(&scene.withdrawals, &scene.config);
    use_builds((const char *[]){"b", "b", "b"}, NULL);
    withdrawals_tell_again(&scene.withdrawals);
    withdrawals_apply(&scene.withdrawals, &scene.config);
    assert_true(see("orders build b", ROLLOUT_PAUSED));
    assert_true(see("orders build b", ROLLOUT_COMPLETE));
    Bytes log = fixture_log(scene.fixture);
    assert_int_equal(count(log, "orders build b: it is rolled back"), 3);
    assert_int_equal(count(log, "its instances (2) get no calls"), 2);
    assert_int_equal(count(log, "it serves all the same"), 2);
}

static void operators_see_what_is_withdrawn_by_either_name(void **state)
{
    use_builds((const char *[]){"a", "b", "b"}, NULL);
    see("orders build b", ROLLOUT_ROLLED_BACK);
    Buffer out = buffer_in(scene.arena);
    withdrawals_show(&scene.withdrawals, &scene.config, bytes_of("orders"), &out);
    assert_bytes(buffer_bytes(&out),
                 "{\"rollout\":\"orders build b\",\"service\":\"orders\","
                 "\"candidate\":\"build b\",\"state\":\"rolled back\",\"withdrawn\":true}");
    const Config *config = &scene.config;
    assert_non_null(withdrawals_find(&scene.withdrawals, config, bytes_of("orders build b")));
    assert_null(withdrawals_find(&scene.withdrawals, config, bytes_of("orders build a")));
    use_builds((const char *[]){"a", "a", "a"}, NULL); /* its instances are gone */
    assert_null(withdrawals_find(&scene.withdrawals, config, bytes_of("orders")));
}

#define withdrawals_test(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        withdrawals_test(builds_whose_rollout_is_not_complete_get_no_calls_without_its_entry),
        withdrawals_test(it_is_told_once_for_each_config),
        withdrawals_test(operators_see_what_is_withdrawn_by_either_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
