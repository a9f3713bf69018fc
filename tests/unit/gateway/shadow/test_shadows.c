/* Which calls are copied, and why others are not. */
#include "gateway/shadow/shadows.h"

#include "base/clock.h"
#include "base/memory/budget.h"
#include "tests/unit/check.h"

static Config config = {.generation = 1};
static Version v1 = {.name = "v1"}, v3 = {.name = "v3", .index = 1};
static Instance stable = {.build = "3.0.0"}, candidate = {.build = "3.1.0"};
static ShadowRules rules;
static ShadowMethod shadow = {.rules = &rules};
static Route route;
static Method newer = {.version = &v3, .route = &route, .extras = &method_no_extras};
static MethodPair pairs[] = {{.extras = &pair_no_extras},
                             {.target = &newer, .extras = &pair_no_extras}};
static MethodExtras extras = {.shadow = &shadow};
static Method method = {.version = &v1, .route = &route, .extras = &extras, .pairs = pairs};
static Loop loop;
static ShadowBook *book;
static Shadows *shadows;

static int set_up(void **state)
{
    loop = (Loop){.now = SECOND, .config = &config};
    route = (Route){0};
    rules = (ShadowRules){.version = &v3,
                          .target = "v3",
                          .per_second = 4,
                          .loop_rate = 2,
                          .in_flight = 1,
                          .bytes = 1000};
    memory_set_limit(UINT64_MAX);
    book = shadow_book_new();
    shadows = shadows_open(&loop, book);
    return 0;
}

static int tear_down(void **state)
{
    shadows_stop(shadows);
    shadows_free(shadows);
    shadow_book_free(book);
    return 0;
}

static bool admits_from(const Version *served, const Instance *instance, size_t bytes)
{
    EndedCall call = {.config = &config,
                      .method = &method,
                      .served = served,
                      .instance = instance,
                      .identity = &identity_anonymous};
    ShadowPort *port = shadows_port(shadows);
    Arena *arena = port->admit(port, &call, bytes);
    arena_free(arena);
    return arena;
}

static bool admits(void)
{
    return admits_from(&v1, &stable, 1000);
}

/* "same 1": what was not copied, by why. */
static void assert_skipped(const char *what)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer out = buffer_in(arena);
    shadow_book_write(book, BYTES_NONE, &out);
    buffer_add_byte(&out, '\0');
    assert_non_null(strstr((const char *)out.data, what));
    arena_free(arena);
}

static void so_many_in_a_second_are_copied(void **state)
{
    assert_true(admits());
    assert_false(admits());
    assert_skipped("\"per_second\":1");
    loop.now += SECOND / 2 - 1;
    assert_false(admits());
    loop.now += 1;
    assert_true(admits());
    loop.now += 100 * SECOND; /* a second's worth is kept */
    assert_true(admits() && admits());
    assert_false(admits());
}

static void a_loop_with_less_than_one_a_second_has_one_in_a_while(void **state)
{
    rules.loop_rate = 0.1;
    assert_true(admits());
    loop.now += 9 * SECOND;
    assert_false(admits());
    loop.now += 2 * SECOND;
    assert_true(admits());
}

static void so_many_at_once_are_copied(void **state)
{
    rules.in_flight = 0;
    assert_false(admits());
    assert_skipped("\"in_flight\":1");
}

static void a_large_message_is_not_copied(void **state)
{
    assert_false(admits_from(&v1, &stable, 1001));
    assert_skipped("\"bytes\":1");
    assert_true(admits_from(&v1, &stable, 1000));
}

static void nothing_is_copied_to_where_it_was_served(void **state)
{
    assert_false(admits_from(&v3, &stable, 10));
    rules.version = NULL;
    rules.build = "3.1.0";
    assert_false(admits_from(&v1, &candidate, 10));
    assert_skipped("\"same\":2");
    assert_true(admits_from(&v3, &stable, 10));
}

static void a_copy_needs_the_right_to_call_its_version(void **state)
{
    const char *const only_v1[] = {"v1", NULL}, *const both[] = {"v1", "v3", NULL};
    AllowRule rule = {.versions = only_v1};
    route.access = (AccessRules){.allow = &rule, .n_allow = 1};
    assert_false(admits());
    assert_skipped("\"access\":1");
    rule.versions = both;
    assert_true(admits());
    rules.version = NULL; /* to another build: what the client may is known */
    rules.build = "3.1.0";
    rule.versions = only_v1;
    loop.now += SECOND;
    assert_true(admits());
}

static void copies_are_refused_first(void **state)
{
    loop.sheds = true;
    assert_false(admits());
    loop.sheds = false;
    loop.draining = true;
    assert_false(admits());
    loop.draining = false;
    memory_set_limit(1024);
    assert_false(admits());
    memory_set_limit(UINT64_MAX);
    assert_skipped("\"load\":3");
    assert_true(admits());
    shadows_stop(shadows);
    loop.now += SECOND;
    assert_false(admits());
}

static void each_config_has_its_own_allowance(void **state)
{
    assert_true(admits());
    assert_false(admits());
    config.generation++;
    assert_true(admits());
}

static void what_cannot_be_read_is_not_copied(void **state)
{
    EndedCall call = {.config = &config,
                      .method = &method,
                      .served = &v1,
                      .instance = &stable,
                      .identity = &identity_anonymous};
    ShadowPort *port = shadows_port(shadows);
    port->take(port, port->admit(port, &call, 10), NULL);
    assert_skipped("\"message\":1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(so_many_in_a_second_are_copied),
        TEST(a_loop_with_less_than_one_a_second_has_one_in_a_while),
        TEST(so_many_at_once_are_copied),
        TEST(a_large_message_is_not_copied),
        TEST(nothing_is_copied_to_where_it_was_served),
        TEST(a_copy_needs_the_right_to_call_its_version),
        TEST(copies_are_refused_first),
        TEST(each_config_has_its_own_allowance),
        TEST(what_cannot_be_read_is_not_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
