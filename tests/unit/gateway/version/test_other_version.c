/* Names and paths of versions that do not exist, and what they would be in one that does. */
#include "gateway/version/other_version.h"

#include "base/arena.h"
#include "base/clock.h"
#include "tests/unit/check.h"

static Service shop;
static Version versions[] = {
    {.name = "v1", .service = &shop, .package = "shop.orders.v1", .sunset = 5 * SECOND},
    {.name = "v2", .index = 1, .service = &shop, .package = "shop.orders.v2"},
    {.name = "v10", .index = 2, .service = &shop, .package = "v10.orders"},
    {.name = "odd", .index = 3, .service = &shop, .package = "shop.orders"},
};
static Service shop = {.name = "orders", .versions = versions, .n_versions = 4};

/* "v9 -> shop.orders.v1.Orders"; "": no. */
static const char *in_name(uint32_t version, const char *name, Arena *arena)
{
    Bytes said, same;
    if (!version_in_name(&versions[version], bytes_of(name), arena, &said, &same))
        return "";
    return arena_printf(arena, "%.*s -> %.*s", BYTES_ARGS(said), BYTES_ARGS(same));
}

static const char *in_path(uint32_t version, const char *path, Arena *arena)
{
    Bytes said, same;
    if (!version_in_path(&versions[version], bytes_of(path), arena, &said, &same))
        return "";
    return arena_printf(arena, "%.*s -> %.*s", BYTES_ARGS(said), BYTES_ARGS(same));
}

static void a_name_of_another_version_is_that_of_this_one(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_string_equal(in_name(0, "shop.orders.v9.Orders", arena), "v9 -> shop.orders.v1.Orders");
    assert_string_equal(in_name(1, "shop.orders.v9.Orders/Get", arena),
                        "v9 -> shop.orders.v2.Orders/Get");
    assert_string_equal(in_name(2, "v9.orders.Orders", arena), "v9 -> v10.orders.Orders");
    /* A version of the service, no version at all, another package, less than a package. */
    assert_string_equal(in_name(0, "shop.orders.v2.Orders", arena), "");
    assert_string_equal(in_name(0, "shop.orders.v1.Orders", arena), "");
    assert_string_equal(in_name(3, "shop.orders.v9.Orders", arena), "");
    assert_string_equal(in_name(0, "shop.stock.v9.Stock", arena), "");
    assert_string_equal(in_name(2, "v9.stock.Stock", arena), "");
    assert_string_equal(in_name(0, "shop.orders.", arena), "");
    assert_string_equal(in_name(0, "shop.orders.v9", arena), "");
    assert_string_equal(in_name(0, "", arena), "");
    arena_free(arena);
}

static void a_path_of_another_version_is_that_of_this_one(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_string_equal(in_path(0, "/v9/orders/7", arena), "v9 -> /v1/orders/7");
    assert_string_equal(in_path(0, "/v1beta1/orders", arena), "v1beta1 -> /v1/orders");
    assert_string_equal(in_path(2, "/v9", arena), "v9 -> /v10");
    assert_string_equal(in_path(0, "/v2/orders", arena), "");
    assert_string_equal(in_path(0, "/orders/v9", arena), "");
    assert_string_equal(in_path(0, "/version/orders", arena), "");
    assert_string_equal(in_path(0, "/v/orders", arena), "");
    assert_string_equal(in_path(0, "/v99999999999999999999999999999999/orders", arena), "");
    assert_string_equal(in_path(0, "/", arena), "");
    assert_string_equal(in_path(0, "", arena), "");
    arena_free(arena);
}

static void versions_that_are_over_are_not_listed(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_string_equal(versions_served(&shop, 4 * SECOND, NULL, arena), "v1, v2, v10, odd");
    assert_string_equal(versions_served(&shop, 5 * SECOND, NULL, arena), "v2, v10, odd");
    assert_string_equal(versions_served(&shop, 4 * SECOND, &versions[1], arena), "v1, v10, odd");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_of_another_version_is_that_of_this_one),
        cmocka_unit_test(a_path_of_another_version_is_that_of_this_one),
        cmocka_unit_test(versions_that_are_over_are_not_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
