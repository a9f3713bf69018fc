#include "base/memory/descriptors.h"

#include "tests/unit/check.h"

#include <sys/resource.h>

static DescriptorNeeds needs_of(uint64_t connections)
{
    return (DescriptorNeeds){.loops = 2, .listeners = 1, .instances = connections};
}

static void where_there_are_plenty_each_reserve_is_what_it_may_need(void **state)
{
    DescriptorNeeds needs = needs_of(2 * (50 + 4));
    Descriptors d = descriptors_share(100000, &needs);
    assert_int_equal(d.most, 100000);
    assert_int_equal(d.most - d.instances, 192 + 2 * 2);
    assert_int_equal(d.instances - d.clients, 2 * (50 + 4));
    assert_int_equal(d.admin, 96);
    assert_int_equal(d.room, d.clients - (27 + 2 * (6 + 1)));
}

static void where_there_are_few_clients_have_half_of_them_at_least(void **state)
{
    DescriptorNeeds needs = needs_of(2 * (50 + 4));
    Descriptors d = descriptors_share(128, &needs);
    assert_int_equal(d.most - d.instances, (128 - 41) / 4);
    assert_int_equal(d.instances - d.clients, (128 - 41) / 4);
    assert_int_equal(d.room, 128 - 41 - 2 * ((128 - 41) / 4));
    assert_int_equal(d.admin, (128 - 41) / 8);
}

static void of_instances_whose_number_nobody_knows_there_is_the_largest_share(void **state)
{
    DescriptorNeeds needs = needs_of(UINT64_MAX);
    Descriptors d = descriptors_share(1000, &needs);
    assert_int_equal(d.instances - d.clients, (1000 - 41) / 4);
}

static void without_instances_nothing_is_reserved_for_them(void **state)
{
    DescriptorNeeds needs = needs_of(0);
    Descriptors d = descriptors_share(1000, &needs);
    assert_int_equal(d.instances, d.clients);
}

static void
there_is_room_as_soon_as_something_is_left_beside_what_is_open_from_the_start(void **state)
{
    DescriptorNeeds needs = needs_of(2 * (50 + 4));
    for (uint32_t most = 0; most <= 300; most++) {
        Descriptors d = descriptors_share(most, &needs);
        assert_int_equal(d.room > 0, most > 41);
        assert_true(d.clients <= d.instances && d.instances <= d.most && d.admin > 0);
    }
}

static void what_the_store_has_open_is_not_for_clients(void **state)
{
    DescriptorNeeds needs = needs_of(0);
    uint32_t without = descriptors_share(100000, &needs).room;
    needs.store = 8;
    assert_int_equal(descriptors_share(100000, &needs).room, without - 8);
    assert_int_equal(descriptors_share(49, &needs).room, 0);
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
        cmocka_unit_test(of_instances_whose_number_nobody_knows_there_is_the_largest_share),
        cmocka_unit_test(without_instances_nothing_is_reserved_for_them),
        cmocka_unit_test(
            there_is_room_as_soon_as_something_is_left_beside_what_is_open_from_the_start),
        cmocka_unit_test(what_the_store_has_open_is_not_for_clients),
        cmocka_unit_test(a_descriptor_is_within_its_bound_up_to_it),
        cmocka_unit_test(the_soft_limit_is_raised_to_the_hard_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
