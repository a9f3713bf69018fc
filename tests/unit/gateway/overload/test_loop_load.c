#include "tests/unit/check.h"

#include "base/memory/budget.h"
#include "gateway/config/config.h"
#include "gateway/healing/healing.h"
#include "gateway/overload/loop_load.h"
#include "gateway/overload/shed_reply.h"

static Loop loop;
static Config config;

static int set_up(void **state)
{
    loop = (Loop){.index = 7, .now = SECOND, .config = &config};
    random_seed(&loop.random);
    config = (Config){.overload = {.shed = true,
                                   .delay = 10 * MILLISECOND,
                                   .interval = 50 * MILLISECOND,
                                   .calm = 200 * MILLISECOND,
                                   .retry_after = 3 * SECOND}};
    memory_set_limit(UINT64_MAX);
    loop_load_open(&loop);
    return 0;
}

static int tear_down(void **state)
{
    loop_load_close(&loop);
    loop_load_close(&loop);
    shed_replies_free(&loop);
    healing_forget();
    return 0;
}

/* A turn that slept, and then took so long. */
static void turn(int64_t slept, int64_t busy)
{
    loop.now += slept;
    loop.on_turn(&loop, &(LoopTurn){.ended = loop.now + busy, .slept = slept, .busy = busy});
    loop.now += busy;
}

static void overload(void)
{
    for (int i = 0; i < 5; i++)
        turn(0, 10 * MILLISECOND);
}

static bool page_has(const char *text)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer page = buffer_in(arena);
    Exposition e = {.out = &page};
    loop_load_metrics_write(&e, NULL);
    bool has = memmem(page.data, page.size, text, strlen(text)) != NULL;
    arena_free(arena);
    return has;
}

static void a_loop_that_is_late_sheds_until_it_has_time(void **state)
{
    for (int i = 0; i < 4; i++)
        turn(0, 10 * MILLISECOND);
    assert_false(loop.sheds);
    turn(0, 10 * MILLISECOND);
    assert_true(loop.sheds);
    turn(200 * MILLISECOND, MILLISECOND);
    assert_false(loop.sheds);
}

static void it_does_not_if_the_config_says_so(void **state)
{
    config.overload.shed = false;
    overload();
    assert_false(loop.sheds);
}

static void refusals_are_counted_by_impact(void **state)
{
    overload();
    for (int i = 0; i < 1000; i++)
        overload_admits(&loop, IMPACT_LOW, NULL);
    turn(0, 30 * MILLISECOND); /* the window ends: there is too much */
    turn(0, 30 * MILLISECOND);
    uint32_t n = 0;
    for (int i = 0; i < 1000; i++)
        n += !overload_admits(&loop, IMPACT_LOW, NULL);
    assert_true(n > 0);
    char text[64];
    snprintf(text, sizeof text, "passerelle_calls_shed_total{impact=\"low\"} %u", n);
    assert_true(page_has(text));
    assert_true(page_has("passerelle_calls_shed_total{impact=\"high\"} 0"));
    assert_false(page_has("passerelle_loop_shedding{loop=\"7\"} 0"));
    assert_true(page_has("passerelle_loop_cpu_seconds_total{loop=\"7\"} "));
}

static void memory_above_its_limit_sheds_too(void **state)
{
    memory_set_limit(64 << 20);
    memory_add(MEMORY_CALLS, 70 << 20);
    memory_settle();
    turn(SECOND, MILLISECOND);
    assert_true(loop.sheds);
    assert_true(overload_admits(&loop, IMPACT_CATASTROPHIC, NULL));
    assert_false(overload_admits(&loop, IMPACT_LOW, NULL));
    memory_add(MEMORY_CALLS, -(70 << 20));
    memory_settle();
    turn(SECOND, MILLISECOND);
    assert_false(loop.sheds);
}

static void few_refusals_are_recorded(void **state)
{
    uint64_t others;
    assert_true(overload_is_recorded(&loop, &others));
    assert_int_equal(others, 0);
    for (int i = 0; i < 100; i++)
        assert_false(overload_is_recorded(&loop, &others));
    loop.now += 100 * MILLISECOND;
    assert_true(overload_is_recorded(&loop, &others));
    assert_int_equal(others, 100);
}

static void clients_come_back_at_different_times(void **state)
{
    uint32_t least = UINT32_MAX, most = 0;
    for (int i = 0; i < 1000; i++) {
        uint32_t after = overload_retry_after(&loop);
        least = after < least ? after : least;
        most = after > most ? after : most;
    }
    assert_int_equal(least, 3);
    assert_int_equal(most, 6);
}

static void the_response_is_written_once_in_a_while(void **state)
{
    for (Dialect dialect = 0; dialect <= DIALECT_HTTP; dialect++) {
        const HttpReady *reply = shed_reply(&loop, dialect);
        assert_non_null(reply);
        assert_non_null(reply->block.data);
        assert_non_null(fields_get(&reply->head.fields, "date").data);
        Bytes after = fields_get(&reply->head.fields, "retry-after");
        assert_true(after.size == 1 && after.data[0] >= '3' && after.data[0] <= '6');
        const uint8_t *first = reply->head.fields.items[0].value.data;
        assert_ptr_equal(shed_reply(&loop, dialect), reply);
        assert_ptr_equal(reply->head.fields.items[0].value.data, first);
    }
    assert_int_equal(shed_reply(&loop, DIALECT_REST)->head.status, 503);
    assert_int_equal(shed_reply(&loop, DIALECT_GRPC)->head.status, 200);
}

int main(void)
{
#define LOAD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LOAD_TEST(a_loop_that_is_late_sheds_until_it_has_time),
        LOAD_TEST(it_does_not_if_the_config_says_so),
        LOAD_TEST(refusals_are_counted_by_impact),
        LOAD_TEST(memory_above_its_limit_sheds_too),
        LOAD_TEST(few_refusals_are_recorded),
        LOAD_TEST(clients_come_back_at_different_times),
        LOAD_TEST(the_response_is_written_once_in_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
