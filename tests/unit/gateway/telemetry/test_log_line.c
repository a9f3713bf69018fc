#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/text/json_text.h"
#include "gateway/telemetry/log_line.h"

static const char *text_of(Arena *arena, const Buffer *line)
{
    return arena_text(arena, buffer_bytes(line));
}

static void a_line_begins_with_its_time_in_milliseconds(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer line = buffer_in(arena);
    log_line_begin(&line, 0, "call", "info");
    log_line_end(&line);
    assert_string_equal(
        text_of(arena, &line),
        "{\"time\":\"1970-01-01T00:00:00.000Z\",\"log\":\"call\",\"level\":\"info\"}");
    log_line_begin(&line, 999 * MILLISECOND + 999999, "call", "info");
    assert_true(bytes_start_with(buffer_bytes(&line), "{\"time\":\"1970-01-01T00:00:00.999Z\""));
    arena_free(arena);
}

static void numbers_are_written_whole(void **state)
{
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {
        {0, ",\"n\":0"},
        {9, ",\"n\":9"},
        {10, ",\"n\":10"},
        {UINT64_MAX, ",\"n\":18446744073709551615"},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buffer line = buffer_in(arena);
        log_line_number(&line, LOG_KEY("n"), cases[i].number);
        assert_string_equal(text_of(arena, &line), cases[i].text);
    }
    arena_free(arena);
}

static void times_are_milliseconds_with_three_decimals(void **state)
{
    static const struct {
        int64_t nanoseconds;
        const char *text;
    } cases[] = {
        {0, ",\"t\":0.000"},
        {999, ",\"t\":0.000"},
        {1000, ",\"t\":0.001"},
        {1002003999, ",\"t\":1002.003"},
        {-5, ",\"t\":0.000"},
        {10 * MICROSECOND, ",\"t\":0.010"},
        {100 * MICROSECOND, ",\"t\":0.100"},
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Buffer line = buffer_in(arena);
        log_line_millis(&line, LOG_KEY("t"), cases[i].nanoseconds);
        assert_string_equal(text_of(arena, &line), cases[i].text);
    }
    arena_free(arena);
}

/* The quick way for plain texts and the slow way for all others give what the JSON writer gives. */
static void any_bytes_are_written_as_the_json_writer_does(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Random random;
    random_seed_fixed(&random, 6);
    for (int i = 0; i < 50000; i++) {
        uint8_t text[24];
        size_t size = 1 + random_below(&random, sizeof text - 1);
        for (size_t j = 0; j < size; j++)
            text[j] = (uint8_t)(' ' + random_below(&random, 95));
        if (i % 2)
            text[random_below(&random, size)] = (uint8_t)random_next(&random);
        Buffer line = buffer_in(arena), expected = buffer_in(arena);
        log_line_text(&line, LOG_KEY("t"), bytes(text, size));
        buffer_add_text(&expected, ",\"t\":");
        json_text_add(&expected, bytes(text, size));
        if (!memchr(text, 0x7f, size)) /* DEL may stand in JSON as it is, or escaped */
            assert_true(bytes_equal(buffer_bytes(&line), buffer_bytes(&expected)));
        arena_reset(arena);
    }
    arena_free(arena);
}

static void empty_texts_are_left_out(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer line = buffer_in(arena);
    log_line_text(&line, LOG_KEY("t"), BYTES_NONE);
    log_line_causes(&line, LOG_KEY("causes"), OK);
    assert_int_equal(line.size, 0);
    arena_free(arena);
}

static void endless_chains_are_cut(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    Buffer line = buffer_in(arena);
    Result why = FAIL(arena, FAULT_SYSTEM, "the first");
    for (int i = 0; i < 100; i++)
        why = FAIL_OVER(arena, why, FAULT_INTERNAL, "link %d", i);
    log_line_causes(&line, LOG_KEY("causes"), why);
    size_t links = 0;
    for (const char *at = text_of(arena, &line); (at = strstr(at, "\"fault\"")); at++)
        links++;
    assert_int_equal(links, LOG_CAUSES);
    assert_true(bytes_end_with(buffer_bytes(&line), "}]"));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_begins_with_its_time_in_milliseconds),
        cmocka_unit_test(numbers_are_written_whole),
        cmocka_unit_test(times_are_milliseconds_with_three_decimals),
        cmocka_unit_test(any_bytes_are_written_as_the_json_writer_does),
        cmocka_unit_test(empty_texts_are_left_out),
        cmocka_unit_test(endless_chains_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
