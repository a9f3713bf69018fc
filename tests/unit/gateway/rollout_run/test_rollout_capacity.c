#include "tests/unit/check.h"

#include "gateway/instances/instance_set.h"
#include "gateway/rollout_run/rollout_capacity.h"

#include <stdlib.h>

static void instances_bear_their_part_of_what_the_baseline_would(void **state)
{
    static const struct {
        RolloutCapacity capacity;
        double share;
    } cases[] = {
        {{0, 0}, 1}, {{0, 4}, 0}, {{1, 4}, 0.25}, {{3, 4}, 0.75},
        {{4, 4}, 1}, {{9, 4}, 1}, {{1, 0}, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(rollout_capacity_share(&cases[i].capacity) == cases[i].share);
}

static void a_share_needs_as_many_instances(void **state)
{
    RolloutCapacity capacity = {1, 10};
    assert_int_equal(rollout_capacity_needed(&capacity, 0.05), 1);
    assert_int_equal(rollout_capacity_needed(&capacity, 0.1), 1);
    assert_int_equal(rollout_capacity_needed(&capacity, 0.11), 2);
    assert_int_equal(rollout_capacity_needed(&capacity, 1), 10);
}

static void a_tier_is_a_share_of_the_clients_that_are_known(void **state)
{
    RolloutTier clients = {"10", ROLLOUT_TIER_CLIENTS, 10, 0};
    RolloutTier share = {"5 %", ROLLOUT_TIER_SHARE, 0, 0.05}, all = {"all", ROLLOUT_TIER_ALL, 0, 0};
    assert_true(rollout_tier_share(&clients, 0) == 0);
    assert_true(rollout_tier_share(&clients, 5) == 1);
    assert_true(rollout_tier_share(&clients, 100) == 0.1);
    assert_true(rollout_tier_share(&share, 0) == 0.05);
    assert_true(rollout_tier_share(&all, 100) == 1);
}

static Instance instance_of(const char *address, const char *build, uint64_t versions,
                            uint32_t weight)
{
    return (Instance){.address = {.text = address},
                      .build = build,
                      .versions = versions,
                      .weight = weight,
                      .authority = address};
}

static void instances_that_can_be_used_count_by_their_weight(void **state)
{
    Version versions[] = {{.name = "v2", .index = 0}, {.name = "v3", .index = 1}};
    Service service = {.name = "orders", .versions = versions, .n_versions = 2};
    Instance all[] = {instance_of("a:1", "3.0.0", 1, 0), instance_of("b:1", "3.1.0", 2, 3),
                      instance_of("c:1", "3.1.0", 3, 0), instance_of("d:1", "3.0.0", 1, 2)};
    Instance *list[] = {&all[0], &all[1], &all[2], &all[3]};
    RolloutDefinition build = {.service = &service, .build = "3.1.0"};
    RolloutDefinition version = {.service = &service, .version = &versions[1]};
    RolloutDefinition missing = {.service = &service, .build = "4"};
    instance_set_use(&service, instance_set_new(&service, list, 4));
    RolloutCapacity capacity = rollout_capacity_now(&build);
    assert_true(capacity.candidate == 4 && capacity.baseline == 3);
    capacity = rollout_capacity_now(&version);
    assert_true(capacity.candidate == 4 && capacity.baseline == 3);
    capacity = rollout_capacity_now(&missing);
    assert_true(capacity.candidate == 0 && capacity.baseline == 7);
    known_instance_bar(all[1].known, BAR_EJECTED, true);
    known_instance_set_down(all[3].known, true);
    capacity = rollout_capacity_now(&build);
    assert_true(capacity.candidate == 1 && capacity.baseline == 1);
    known_instance_bar(all[1].known, BAR_EJECTED, false);
    known_instance_set_down(all[3].known, false);
    for (int i = 0; i < 4; i++)
        known_instance_unref(all[i].known);
    instance_set_unref(service.set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_bear_their_part_of_what_the_baseline_would),
        cmocka_unit_test(a_share_needs_as_many_instances),
        cmocka_unit_test(a_tier_is_a_share_of_the_clients_that_are_known),
        cmocka_unit_test(instances_that_can_be_used_count_by_their_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
