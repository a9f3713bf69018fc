#include "gateway/config/config.h"

#include "base/arena.h"
#include "tests/unit/check.h"

#include <sys/resource.h>

static Instance instances[2] = {{.http2 = true}, {.http2 = false}};
static Service service = {.instances = instances, .n_instances = 2};

static Config config_of(uint32_t n_instances)
{
    service.n_instances = n_instances;
    return (Config){
        .n_loops = 2,
        .n_listeners = 1,
        .services = &service,
        .n_services = 1,
        .limits = {.connections = 100, .http1_connections = 50, .http2_connections = 4}};
}

static void where_there_are_plenty_each_reserve_is_what_it_may_need(void **state)
{
    Config config = config_of(2);
    Descriptors d = descriptors_share(100000, &config);
    assert_int_equal(d.most, 100000);
    assert_int_equal(d.most - d.instances, 128 + 2 * 2);
    assert_int_equal(d.instances - d.clients, 2 * (50 + 4));
    assert_int_equal(d.admin, 64);
    assert_int_equal(d.room, d.clients - (20 + 2 * (6 + 1)));
}

static void where_there_are_few_clients_have_half_of_them_at_least(void **state)
{
    Config config = config_of(2);
    Descriptors d = descriptors_share(128, &config);
    assert_int_equal(d.most - d.instances, (128 - 34) / 4);
    assert_int_equal(d.instances - d.clients, (128 - 34) / 4);
    assert_int_equal(d.room, 128 - 34 - 2 * ((128 - 34) / 4));
    assert_int_equal(d.admin, (128 - 34) / 8);
}

static void without_instances_nothing_is_reserved_for_them(void **state)
{
    Config config = config_of(0);
    Descriptors d = descriptors_share(1000, &config);
    assert_int_equal(d.instances, d.clients);
}

static void
there_is_room_as_soon_as_something_is_left_beside_what_is_open_from_the_start(void **state)
{
    Config config = config_of(2);
    for (uint32_t most = 0; most <= 300; most++) {
        Descriptors d = descriptors_share(most, &config);
        assert_int_equal(d.room > 0, most > 34);
        assert_true(d.clients <= d.instances && d.instances <= d.most && d.admin > 0);
    }
}

static void a_warning_says_when_the_limit_of_connections_cannot_be_had(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    Config config = config_of(0);
    uint32_t just = 100;
    while (descriptors_share(just, &config).room < 100)
        just++;
    config.descriptors = descriptors_share(just, &config);
    assert_false(descriptors_warn(&config, &out));
    config.descriptors = descriptors_share(just - 1, &config);
    assert_true(descriptors_warn(&config, &out));
    const char *text = arena_text(arena, buffer_bytes(&out));
    assert_non_null(strstr(text, "limits.connections is 100"));
    assert_non_null(strstr(text, "about 99 "));
    config.descriptors = (Descriptors){0}; /* a config that is not loaded */
    assert_false(descriptors_warn(&config, &out));
    arena_free(arena);
}

static void a_descriptor_is_within_its_bound_up_to_it(void **state)
{
    assert_true(descriptor_within(10, 9));
    assert_false(descriptor_within(10, 10));
    assert_true(descriptor_within(0, 10));
}

static void the_soft_limit_is_raised_to_the_hard_one(void **state)
{
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = before.rlim_max / 2;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(descriptors_most(), before.rlim_max < INT32_MAX ? before.rlim_max : INT32_MAX);
    descriptors_raise();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, before.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_there_are_plenty_each_reserve_is_what_it_may_need),
        cmocka_unit_test(where_there_are_few_clients_have_half_of_them_at_least),
        cmocka_unit_test(without_instances_nothing_is_reserved_for_them),
        cmocka_unit_test(
            there_is_room_as_soon_as_something_is_left_beside_what_is_open_from_the_start),
        cmocka_unit_test(a_warning_says_when_the_limit_of_connections_cannot_be_had),
        cmocka_unit_test(a_descriptor_is_within_its_bound_up_to_it),
        cmocka_unit_test(the_soft_limit_is_raised_to_the_hard_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
