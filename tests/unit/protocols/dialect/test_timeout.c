#include "protocols/dialect/timeout.h"

#include "base/clock.h"
#include "tests/unit/check.h"

static void every_unit_of_grpc_is_read(void **state)
{
    static const struct {
        const char *text;
        int64_t expected;
    } rows[] = {
        {"1H", 3600 * SECOND},
        {"2M", 120 * SECOND},
        {"3S", 3 * SECOND},
        {"4m", 4 * MILLISECOND},
        {"5u", 5 * MICROSECOND},
        {"6n", 6},
        {"0S", 0},
        {"99999999n", 99999999},
        {"99999999H", NO_TIMEOUT},
        {"00000001S", SECOND},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t timeout;
        assert_true(timeout_read_grpc(bytes_of(rows[i].text), &timeout));
        assert_true(timeout == rows[i].expected);
    }
}

static void a_malformed_timeout_is_refused(void **state)
{
    static const char *const bad_grpc[] = {"",    "S",   "1",    "1s",         "1 S", " 1S",
                                           "-1S", "+1S", "1.5S", "123456789n", "1SS", "1S "};
    static const char *const bad_connect[] = {"",    "1s", "-1",          "+1",
                                              "1.0", " 1", "12345678901", "1 "};
    int64_t timeout = 7;
    for (size_t i = 0; i < sizeof bad_grpc / sizeof *bad_grpc; i++)
        assert_false(timeout_read_grpc(bytes_of(bad_grpc[i]), &timeout));
    for (size_t i = 0; i < sizeof bad_connect / sizeof *bad_connect; i++)
        assert_false(timeout_read_connect(bytes_of(bad_connect[i]), &timeout));
    assert_true(timeout == 7);
}

static void connects_milliseconds_have_up_to_ten_digits(void **state)
{
    int64_t timeout;
    assert_true(timeout_read_connect(bytes_of("0"), &timeout));
    assert_true(timeout == 0);
    assert_true(timeout_read_connect(bytes_of("9999999999"), &timeout));
    assert_true(timeout == INT64_C(9999999999) * MILLISECOND);
}

static void what_is_written_is_never_longer_and_has_at_most_eight_digits(void **state)
{
    static const int64_t timeouts[] = {
        1,
        99999999,
        100000000,
        SECOND,
        1500 * MILLISECOND,
        99999999 * MICROSECOND,
        86400 * SECOND,
        INT64_C(400) * 86400 * SECOND,
        INT64_C(100000) * 86400 * SECOND,
        NO_TIMEOUT - 1,
    };
    Arena *arena = arena_new(ARENA_UNLIMITED);
    for (size_t i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        int64_t back;
        Bytes text = timeout_write_grpc(timeouts[i], arena);
        assert_in_range(text.size, 2, 9);
        assert_true(timeout_read_grpc(text, &back));
        assert_true(back <= timeouts[i] && back > timeouts[i] - timeouts[i] / 1000 - 1);

        text = timeout_write_connect(timeouts[i], arena);
        assert_in_range(text.size, 1, 10);
        assert_true(timeout_read_connect(text, &back));
        assert_true(back <= timeouts[i] || back == MILLISECOND);
    }
    assert_bytes(timeout_write_grpc(0, arena), "1n");
    assert_bytes(timeout_write_grpc(-5, arena), "1n");
    assert_bytes(timeout_write_grpc(250 * MILLISECOND, arena), "250000u");
    assert_bytes(timeout_write_connect(0, arena), "1");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_of_grpc_is_read),
        cmocka_unit_test(a_malformed_timeout_is_refused),
        cmocka_unit_test(connects_milliseconds_have_up_to_ten_digits),
        cmocka_unit_test(what_is_written_is_never_longer_and_has_at_most_eight_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
