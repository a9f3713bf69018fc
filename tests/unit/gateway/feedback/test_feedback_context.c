#include "gateway/feedback/feedback_context.h"

#include "base/clock.h"
#include "tests/unit/check.h"

#define AT (INT64_C(1796119200) * SECOND) /* 2026-12-01T10:00:00Z */
#define MINUTE (60 * SECOND)

/* The kind is the last digit of the request; 0 is none. */
static uint64_t kind_of(void *owner, const FeedbackCall *call)
{
    return call->request.size ? (uint64_t)(call->request.data[call->request.size - 1] - '0') : 0;
}

static FeedbackContext context_of(Arena *arena, const char *requests)
{
    FeedbackContext context;
    feedback_context_make(bytes_of(requests), AT, 10 * MINUTE, kind_of, NULL, arena, &context);
    return context;
}

static void the_bad_calls_of_that_time_are_shown(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FeedbackContext context = context_of(
        arena,
        "{\"requests\":["
        "{\"time\":\"2026-12-01T10:01:00Z\",\"request_id\":\"r1\",\"client\":\"ada\",\"method\":"
        "\"m\","
        "\"client_version\":\"v1\",\"arm\":\"candidate\",\"code\":\"UNAVAILABLE\","
        "\"causes\":[{\"fault\":\"UPSTREAM_DOWN\"}]},"
        "{\"time\":\"2026-12-01T10:00:00Z\",\"request_id\":\"r2\",\"method\":\"m\",\"code\":\"OK\"}"
        ","
        "{\"time\":\"2026-12-01T09:59:00Z\",\"request_id\":\"r3\",\"code\":\"OK\",\"losses\":2},"
        "{\"time\":\"2026-12-01T09:58:00Z\",\"request_id\":\"r1\",\"code\":\"OK\","
        "\"degraded\":\"UPSTREAM_DOWN\"}]}");
    assert_int_equal(context.n_calls, 4);
    assert_int_equal(context.n_kinds, 2);
    assert_int_equal(context.kinds[0], 1);
    assert_int_equal(context.kinds[1], 3);
    assert_bytes(
        context.shown,
        "{\"version\":\"v1\",\"arm\":\"candidate\",\"bad\":["
        "{\"time\":\"2026-12-01T10:01:00Z\",\"request_id\":\"r1\",\"method\":\"m\","
        "\"client_version\":\"v1\",\"arm\":\"candidate\",\"code\":\"UNAVAILABLE\","
        "\"fault\":\"UPSTREAM_DOWN\"},"
        "{\"time\":\"2026-12-01T09:59:00Z\",\"request_id\":\"r3\",\"code\":\"OK\",\"losses\":2},"
        "{\"time\":\"2026-12-01T09:58:00Z\",\"request_id\":\"r1\",\"code\":\"OK\","
        "\"degraded\":\"UPSTREAM_DOWN\"}],\"calls\":4}");
    arena_free(arena);
}

static void calls_of_another_time_are_left_out(void **state)
{
    static const struct {
        const char *time;
        uint32_t calls;
    } rows[] = {{"2026-12-01T10:10:00Z", 1},
                {"2026-12-01T10:10:01Z", 0},
                {"2026-12-01T09:50:00Z", 1},
                {"2026-12-01T09:49:58Z", 0},
                {"nonsense", 0}};
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        FeedbackContext context = context_of(
            arena, arena_printf(arena, "{\"requests\":[{\"time\":\"%s\",\"request_id\":\"r1\"}]}",
                                rows[i].time));
        assert_int_equal(context.n_calls, rows[i].calls);
        assert_int_equal(context.shown.size > 0, rows[i].calls);
    }
    arena_free(arena);
}

static void one_record_will_do_and_nothing_is_nothing(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    FeedbackContext one = context_of(arena, "{\"time\":\"2026-12-01T10:00:00Z\",\"client\":\"ada\","
                                            "\"request_id\":\"r1\",\"code\":\"INTERNAL\"}");
    assert_int_equal(one.n_calls, 1);
    assert_int_equal(one.n_kinds, 1);
    assert_int_equal(context_of(arena, "").n_calls, 0);
    assert_int_equal(context_of(arena, "{\"requests\":[]}").n_calls, 0);
    assert_int_equal(context_of(arena, "[1,2]").n_calls, 0);
    assert_int_equal(context_of(arena, "nonsense").n_calls, 0);
    arena_free(arena);
}

static void whose_the_newest_record_is_is_known_if_it_says_so(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    assert_bytes(feedback_client_of(bytes_of("{\"request_id\":\"r1\",\"client\":\"ada\"}"), arena),
                 "ada");
    assert_bytes(feedback_client_of(
                     bytes_of("{\"requests\":[{\"client\":\"bob\"},{\"client\":\"ada\"}]}"), arena),
                 "bob");
    assert_bytes(feedback_client_of(bytes_of("{\"requests\":[]}"), arena), "");
    assert_bytes(feedback_client_of(BYTES_NONE, arena), "");
    arena_free(arena);
}

static void many_calls_are_counted_and_few_shown(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer text = buffer_in(arena);
    buffer_add_text(&text, "{\"requests\":[");
    for (int i = 0; i < 3 * FEEDBACK_CALLS; i++)
        buffer_printf(
            &text,
            "%s{\"time\":\"2026-12-01T10:00:00Z\",\"request_id\":\"r%d\",\"code\":\"INTERNAL\"}",
            i ? "," : "", i);
    buffer_add_text(&text, "]}");
    FeedbackContext context = context_of(arena, arena_text(arena, buffer_bytes(&text)));
    assert_int_equal(context.n_calls, 3 * FEEDBACK_CALLS);
    assert_int_equal(context.n_kinds, FEEDBACK_KINDS);
    uint32_t shown = 0;
    for (size_t i = 0; i + 5 < context.shown.size; i++)
        shown += memcmp(context.shown.data + i, "\"time\"", 6) == 0;
    assert_int_equal(shown, FEEDBACK_CALLS);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bad_calls_of_that_time_are_shown),
        cmocka_unit_test(calls_of_another_time_are_left_out),
        cmocka_unit_test(one_record_will_do_and_nothing_is_nothing),
        cmocka_unit_test(whose_the_newest_record_is_is_known_if_it_says_so),
        cmocka_unit_test(many_calls_are_counted_and_few_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
