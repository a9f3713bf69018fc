#include "tests/unit/check.h"

#include "base/random.h"
#include "base/text/date.h"

#include <stdio.h>
#include <time.h>

static void known_days_have_their_numbers(void **state)
{
    assert_int_equal(date_to_days(1970, 1, 1), 0);
    assert_int_equal(date_to_days(2000, 3, 1), 11017);
    assert_int_equal(date_to_days(1969, 12, 31), -1);
    assert_int_equal(date_to_days(1, 1, 1), -719162);
    assert_int_equal(date_to_days(9999, 12, 31), 2932896);
    assert_int_equal(date_to_days(0, 3, 1), -719468);
}

static void every_day_of_eight_hundred_years_follows_the_one_before(void **state)
{
    int64_t day = date_to_days(1600, 1, 1);
    CivilTime before = date_from_days(day - 1);
    for (; day < date_to_days(2400, 1, 1); day++) {
        CivilTime time = date_from_days(day);
        assert_int_equal(date_to_days(time.year, time.month, time.day), day);
        assert_int_equal(time.weekday, (before.weekday + 1) % 7);
        bool same_month = time.month == before.month;
        assert_int_equal(time.day, same_month ? before.day + 1 : 1);
        if (!same_month)
            assert_int_equal(before.day, date_month_days(before.year, before.month));
        before = time;
    }
}

static void any_second_agrees_with_the_c_library(void **state)
{
    Random random;
    random_seed_fixed(&random, 1);
    for (int i = 0; i < 20000; i++) {
        int64_t seconds =
            (int64_t)random_below(&random, 315537897600) - 62135596800; /* years 1 to 9999 */
        time_t t = (time_t)seconds;
        struct tm tm;
        gmtime_r(&t, &tm);
        CivilTime time = date_from_seconds(seconds);
        assert_int_equal(time.year, tm.tm_year + 1900);
        assert_int_equal(time.month, tm.tm_mon + 1);
        assert_int_equal(time.day, tm.tm_mday);
        assert_int_equal(time.hour, tm.tm_hour);
        assert_int_equal(time.minute, tm.tm_min);
        assert_int_equal(time.second, tm.tm_sec);
        assert_int_equal(time.weekday, tm.tm_wday);
        assert_int_equal(date_to_seconds(&time), seconds);

        char ours[DATE_HTTP_SIZE], theirs[64];
        date_write_http(seconds, ours);
        strftime(theirs, sizeof theirs, "%a, %d %b ", &tm);
        snprintf(theirs + 12, sizeof theirs - 12, "%04d %02d:%02d:%02d GMT", tm.tm_year + 1900,
                 tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_bytes(bytes(ours, DATE_HTTP_SIZE), theirs);
    }
}

static void all_three_forms_of_http_dates_are_read(void **state)
{
    int64_t seconds, now = 784111777;
    assert_true(date_read_http(bytes_of("Sun, 06 Nov 1994 08:49:37 GMT"), now, &seconds));
    assert_int_equal(seconds, 784111777);
    assert_true(date_read_http(bytes_of("Sunday, 06-Nov-94 08:49:37 GMT"), now, &seconds));
    assert_int_equal(seconds, 784111777);
    assert_true(date_read_http(bytes_of("Sun Nov  6 08:49:37 1994"), now, &seconds));
    assert_int_equal(seconds, 784111777);
    assert_true(date_read_http(bytes_of("Sun Nov 16 08:49:37 1994"), now, &seconds));
    assert_int_equal(seconds, 784111777 + 10 * 86400);
}

static void a_year_of_two_digits_more_than_fifty_years_ahead_is_past(void **state)
{
    int64_t seconds, in_2026 = 1772323200;
    assert_true(date_read_http(bytes_of("Sunday, 06-Nov-76 08:49:37 GMT"), in_2026, &seconds));
    assert_int_equal(date_from_seconds(seconds).year, 2076);
    assert_true(date_read_http(bytes_of("Sunday, 06-Nov-77 08:49:37 GMT"), in_2026, &seconds));
    assert_int_equal(date_from_seconds(seconds).year, 1977);
}

static void what_is_no_http_date_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "Sun",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Day, 06-Nov-94 08:49:37 GMT",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
    };
    int64_t seconds;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (date_read_http(bytes_of(bad[i]), 0, &seconds))
            fail_msg("taken: %s", bad[i]);
    }
}

static Bytes rfc3339(int64_t seconds, int32_t nanos)
{
    static char text[DATE_RFC3339_SIZE];
    return bytes(text, date_write_rfc3339(seconds, nanos, text));
}

static void a_day_is_that_of_utc(void **state)
{
    static const struct {
        int64_t seconds;
        const char *day;
    } rows[] = {{0, "1970-01-01"},
                {86399, "1970-01-01"},
                {86400, "1970-01-02"},
                {-1, "1969-12-31"},
                {253402300799, "9999-12-31"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[DATE_DAY_SIZE];
        int64_t seconds;
        date_write_day(rows[i].seconds, text);
        assert_bytes(bytes(text, sizeof text), rows[i].day);
        assert_true(date_read_day(bytes(text, sizeof text), &seconds));
        assert_true(seconds <= rows[i].seconds && rows[i].seconds - seconds < 86400);
    }
}

static void rfc3339_has_as_many_digits_of_a_second_as_it_needs(void **state)
{
    assert_bytes(rfc3339(0, 0), "1970-01-01T00:00:00Z");
    assert_bytes(rfc3339(0, 120000000), "1970-01-01T00:00:00.120Z");
    assert_bytes(rfc3339(0, 120001000), "1970-01-01T00:00:00.120001Z");
    assert_bytes(rfc3339(0, 1), "1970-01-01T00:00:00.000000001Z");
    assert_bytes(rfc3339(-1, 999999999), "1969-12-31T23:59:59.999999999Z");
    assert_bytes(rfc3339(253402300799, 0), "9999-12-31T23:59:59Z");
    assert_bytes(rfc3339(-62135596800, 0), "0001-01-01T00:00:00Z");
}

static void rfc3339_is_read_back_as_it_was_written(void **state)
{
    Random random;
    random_seed_fixed(&random, 2);
    for (int i = 0; i < 20000; i++) {
        static const int32_t units[] = {1, 1000, 1000000, 1000000000};
        int64_t seconds = (int64_t)random_below(&random, 315537897600) - 62135596800, read;
        int32_t unit = units[random_below(&random, 4)], nanos;
        int32_t written = (int32_t)random_below(&random, 1000000000) / unit * unit;
        assert_true(date_read_rfc3339(rfc3339(seconds, written), &read, &nanos));
        assert_int_equal(read, seconds);
        assert_int_equal(nanos, written);
    }
}

static void offsets_are_taken_off(void **state)
{
    int64_t seconds;
    int32_t nanos;
    assert_true(date_read_rfc3339(bytes_of("1970-01-01T01:30:00+01:30"), &seconds, &nanos));
    assert_int_equal(seconds, 0);
    assert_true(date_read_rfc3339(bytes_of("1969-12-31T16:00:00.5-08:00"), &seconds, &nanos));
    assert_int_equal(seconds, 0);
    assert_int_equal(nanos, 500000000);
}

static void what_is_no_rfc3339_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01 00:00:00Z",
        "1970-01-01t00:00:00z",
        "1970-13-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-02-29T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:60Z",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.1234567890Z",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+0100",
        "1970-01-01T00:00:00ZZ",
        "+1970-01-01T00:00:00Z",
        "70-01-01T00:00:00Z",
    };
    int64_t seconds;
    int32_t nanos;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (date_read_rfc3339(bytes_of(bad[i]), &seconds, &nanos))
            fail_msg("taken: %s", bad[i]);
    }
}

static void a_day_is_its_midnight(void **state)
{
    int64_t seconds;
    assert_true(date_read_day(bytes_of("2026-03-01"), &seconds));
    assert_int_equal(seconds, 1772323200);
    assert_true(date_read_day(bytes_of("2024-02-29"), &seconds));
    assert_false(date_read_day(bytes_of("2023-02-29"), &seconds));
    assert_false(date_read_day(bytes_of("2026-3-1"), &seconds));
    assert_false(date_read_day(bytes_of("2026-03-01T"), &seconds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_days_have_their_numbers),
        cmocka_unit_test(every_day_of_eight_hundred_years_follows_the_one_before),
        cmocka_unit_test(any_second_agrees_with_the_c_library),
        cmocka_unit_test(all_three_forms_of_http_dates_are_read),
        cmocka_unit_test(a_year_of_two_digits_more_than_fifty_years_ahead_is_past),
        cmocka_unit_test(what_is_no_http_date_is_refused),
        cmocka_unit_test(a_day_is_that_of_utc),
        cmocka_unit_test(rfc3339_has_as_many_digits_of_a_second_as_it_needs),
        cmocka_unit_test(rfc3339_is_read_back_as_it_was_written),
        cmocka_unit_test(offsets_are_taken_off),
        cmocka_unit_test(what_is_no_rfc3339_is_refused),
        cmocka_unit_test(a_day_is_its_midnight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
