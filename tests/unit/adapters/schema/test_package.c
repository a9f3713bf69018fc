#include "adapters/schema/package.h"

#include "tests/unit/check.h"

static void the_last_part_that_looks_like_one_is_the_version(void **state)
{
    assert_bytes(package_version("shop.orders.v2"), "v2");
    assert_bytes(package_version("v1"), "v1");
    assert_bytes(package_version("shop.v1beta2"), "v1beta2");
    assert_bytes(package_version("shop.v1.orders"), "v1");
    assert_bytes(package_version("shop.v1.orders.v2"), "v2");
    assert_bytes(package_version("shop.v1alpha.orders.types"), "v1alpha");
    assert_bytes(package_version("shop.v2p1"), "v2p1");
    const char *const none[] = {"shop.v2p1.orders",
                                "shop.v8engine.orders",
                                "shop.v1beta1x.orders",
                                "shop.vault",
                                "shop.v",
                                ""};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(package_version(none[i]).size, 0);
}

static void versions_grow_by_number_and_stage(void **state)
{
    static const char *const names[] = {"v1alpha",  "v1alpha1", "v1alpha2", "v1beta1", "v1",
                                        "v2alpha1", "v2",       "v9",       "v10"};
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        assert_true(version_rank(names[i - 1]) < version_rank(names[i]));
    assert_true(version_rank("v0alpha") > 0);
    assert_int_equal(version_rank("old"), 0);
    assert_int_equal(version_rank("vault"), 0);
    assert_int_equal(version_rank(""), 0);
}

static void services_that_come_with_others_are_known(void **state)
{
    assert_true(package_is_common(bytes_of("google.longrunning")));
    assert_true(package_is_common(bytes_of("grpc.health.v1.Health")));
    assert_true(package_is_common(bytes_of("grpc.reflection.v1")));
    assert_false(package_is_common(bytes_of("googles.v1")));
    assert_false(package_is_common(bytes_of("grpc.testing")));
    assert_false(package_is_common(bytes_of("shop.google.v1")));
    assert_false(package_is_common(BYTES_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_part_that_looks_like_one_is_the_version),
        cmocka_unit_test(versions_grow_by_number_and_stage),
        cmocka_unit_test(services_that_come_with_others_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
