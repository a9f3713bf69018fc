#include "adapters/text/time_text.h"

#include "tests/unit/check.h"

static void timestamps_go_both_ways(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0, 0},
        {"2000-02-29T23:59:59.100Z", 951868799, 100000000},
        {"1969-12-31T23:59:59.999999999Z", -1, 999999999},
        {"0001-01-01T00:00:00Z", TIMESTAMP_MIN, 0},
        {"9999-12-31T23:59:59.000001Z", TIMESTAMP_MAX, 1000},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        TimeParts time;
        uint8_t text[TIME_TEXT_MAX];
        assert_true(timestamp_read(bytes_of(rows[i].text), &time));
        assert_int_equal(time.seconds, rows[i].seconds);
        assert_int_equal(time.nanos, rows[i].nanos);
        assert_bytes(bytes(text, timestamp_write(text, time)), rows[i].text);
    }
}

static void offsets_are_taken_off(void **state)
{
    TimeParts time;
    assert_true(timestamp_read(bytes_of("1970-01-01T01:30:00+01:30"), &time));
    assert_int_equal(time.seconds, 0);
    assert_true(timestamp_read(bytes_of("1969-12-31T23:00:00-01:00"), &time));
    assert_int_equal(time.seconds, 0);
    assert_false(timestamp_read(bytes_of("0001-01-01T00:00:00+00:01"), &time));
}

static void what_is_no_timestamp_is_refused(void **state)
{
    const char *texts[] = {"",
                           "1970-01-01",
                           "1970-01-01T00:00:00",
                           "1970-01-01t00:00:00Z",
                           "1970-01-01T00:00:00z",
                           "1970-13-01T00:00:00Z",
                           "1900-02-29T00:00:00Z",
                           "1970-01-01T24:00:00Z",
                           "1970-01-01T00:60:00Z",
                           "1970-01-01T00:00:60Z",
                           "1970-01-01T00:00:00.Z",
                           "1970-01-01T00:00:00.1234567890Z",
                           "0000-01-01T00:00:00Z",
                           "1970-01-01T00:00:00+24:00",
                           "1970-01-01T00:00:00ZZ",
                           "1970-1-01T00:00:00Z"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        TimeParts time;
        if (timestamp_read(bytes_of(texts[i]), &time))
            fail_msg("\"%s\" was read as a time", texts[i]);
    }
}

static void durations_go_both_ways(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
    } rows[] = {
        {"0s", 0, 0},
        {"-0.500s", 0, -500000000},
        {"1.000000001s", 1, 1},
        {"-315576000000s", -DURATION_MAX, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        TimeParts time;
        uint8_t text[TIME_TEXT_MAX];
        assert_true(duration_read(bytes_of(rows[i].text), &time));
        assert_int_equal(time.seconds, rows[i].seconds);
        assert_int_equal(time.nanos, rows[i].nanos);
        assert_bytes(bytes(text, duration_write(text, time)), rows[i].text);
    }
    const char *bad[] = {
        "", "s", "1", "1.s", ".5s", "+1s", "--1s", "1.0000000001s", "315576000001s", "1s ", "1 s"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        TimeParts time;
        assert_false(duration_read(bytes_of(bad[i]), &time));
    }
    assert_false(duration_in_range((TimeParts){1, -1}));
    assert_false(duration_in_range((TimeParts){-1, 1}));
}

static void every_day_of_the_calendar_goes_both_ways(void **state)
{
    CivilDate expected = {1, 1, 1};
    static const int32_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (int64_t day = -719162; day <= 2932896; day++) {
        CivilDate date = civil_date_from_days(day);
        if (date.year != expected.year || date.month != expected.month || date.day != expected.day)
            fail_msg("day %lld", (long long)day);
        assert_true(date_is_real(date) && civil_date_to_days(date) == day);
        bool leap =
            expected.year % 4 == 0 && (expected.year % 100 != 0 || expected.year % 400 == 0);
        if (expected.day++ == days[expected.month - 1] + (expected.month == 2 && leap)) {
            expected.day = 1;
            if (expected.month++ == 12) {
                expected.month = 1;
                expected.year++;
            }
        }
    }
    assert_int_equal(expected.year, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timestamps_go_both_ways),
        cmocka_unit_test(offsets_are_taken_off),
        cmocka_unit_test(what_is_no_timestamp_is_refused),
        cmocka_unit_test(durations_go_both_ways),
        cmocka_unit_test(every_day_of_the_calendar_goes_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
