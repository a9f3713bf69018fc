#include "adapters/text/spelling.h"

#include "base/clock.h"
#include "tests/unit/check.h"

static void lengths_of_time_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t nanoseconds;
    } rows[] = {
        {"2s", 2 * SECOND},
        {"250ms", 250 * MILLISECOND},
        {"1h30m", 5400 * SECOND},
        {"1.5s", 1500 * MILLISECOND},
        {"1d", 86400 * SECOND},
        {"7us", 7 * MICROSECOND},
        {"9ns", 9},
        {"0", 0},
        {"0s", 0},
        {"9223372036s", INT64_C(9223372036) * SECOND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t read = -1;
        if (!spelling_duration(bytes_of(rows[i].text), &read) || read != rows[i].nanoseconds)
            fail_msg("%s was read as %lld", rows[i].text, (long long)read);
    }
}

static void what_is_no_length_of_time_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "2",
                                        "s",
                                        "2 s",
                                        "2x",
                                        "-2s",
                                        "1.s",
                                        ".5s",
                                        "2s ",
                                        "1h30",
                                        "9223372037s",
                                        "99999999999999999999s",
                                        "200000000000d"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t read;
        if (spelling_duration(bytes_of(texts[i]), &read))
            fail_msg("%s was read as %lld", texts[i], (long long)read);
    }
}

static void sizes_are_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } rows[] = {
        {"0", 0},
        {"500", 500},
        {"500B", 500},
        {"4KiB", 4096},
        {"1.5KiB", 1536},
        {"4MiB", 4 << 20},
        {"2GiB", UINT64_C(2) << 30},
        {"3kB", 3000},
        {"3MB", 3000000},
        {"1GB", 1000000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t read = 1;
        if (!spelling_size(bytes_of(rows[i].text), &read) || read != rows[i].size)
            fail_msg("%s was read as %llu", rows[i].text, (unsigned long long)read);
    }
    static const char *const wrong[] = {"",   "KiB", "4K",   "4 KiB",
                                        "-1", "1.5", "1.5B", "99999999999GiB"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t read;
        if (spelling_size(bytes_of(wrong[i]), &read))
            fail_msg("%s was read as %llu", wrong[i], (unsigned long long)read);
    }
}

static void dates_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"1970-01-01", 0},
        {"2026-03-01", 1772323200},
        {"2024-02-29", 1709164800},
        {"1969-12-31T23:59:59Z", -1},
        {"2026-03-01T12:30:45Z", 1772323200 + 45045},
        {"2000-03-01", 951868800},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t read = 1;
        if (!spelling_date(bytes_of(rows[i].text), &read) || read != rows[i].seconds * SECOND)
            fail_msg("%s was read as %lld", rows[i].text, (long long)read);
    }
    static const char *const wrong[] = {"",
                                        "2026",
                                        "2026-3-1",
                                        "2026-02-29",
                                        "2026-13-01",
                                        "2026-00-10",
                                        "2026-04-31",
                                        "2026-03-01T",
                                        "2026-03-01T24:00:00Z",
                                        "2026-03-01T12:00:00",
                                        "2026-03-01x",
                                        "9999-01-01"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int64_t read;
        if (spelling_date(bytes_of(wrong[i]), &read))
            fail_msg("%s was read as %lld", wrong[i], (long long)read);
    }
}

static void what_is_written_is_read_as_the_same(void **state)
{
    Arena *arena = arena_new(ARENA_UNLIMITED);
    static const int64_t times[] = {
        0, 1, 999, 1500 * MILLISECOND, 5400 * SECOND, 90061 * SECOND + 7};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        Buffer text = buffer_in(arena);
        int64_t read = -1;
        spelling_add_duration(&text, times[i]);
        assert_true(spelling_duration(buffer_bytes(&text), &read));
        assert_int_equal(read, times[i]);
    }
    static const uint64_t sizes[] = {0, 1, 1000, 1024, 65536, 5 << 20, UINT64_C(3) << 30};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        Buffer text = buffer_in(arena);
        uint64_t read = 1;
        spelling_add_size(&text, sizes[i]);
        assert_true(spelling_size(buffer_bytes(&text), &read));
        assert_int_equal(read, sizes[i]);
    }
    Buffer text = buffer_in(arena);
    spelling_add_duration(&text, 5400 * SECOND);
    buffer_add_byte(&text, ' ');
    spelling_add_size(&text, 4 << 20);
    assert_bytes(buffer_bytes(&text), "1h30m 4MiB");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_of_time_are_read),
        cmocka_unit_test(what_is_no_length_of_time_is_refused),
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(dates_are_read),
        cmocka_unit_test(what_is_written_is_read_as_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
