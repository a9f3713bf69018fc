#include "tests/unit/check.h"

#include "base/clock.h"
#include "gateway/policy/stream_starts.h"

#define NOW (100 * SECOND)

static StreamStarts begun_at(int64_t now)
{
    StreamStarts s = {0};
    assert_int_equal(stream_starts_expire(&s, SECOND, now), 0);
    return s;
}

static void a_place_is_lost_after_one_to_two_slices(void **state)
{
    static const struct {
        int64_t started, looked; /* since the slice began */
        uint32_t lost;
    } rows[] = {
        {0, SECOND - 1, 0},
        {0, SECOND, 0},
        {0, 2 * SECOND - 1, 0},
        {0, 2 * SECOND, 1}, /* nobody has looked in between */
        {SECOND - 1, 2 * SECOND - 1, 0},
        {SECOND - 1, 2 * SECOND, 1},
        {0, 1000 * SECOND, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        StreamStarts s = begun_at(NOW);
        stream_starts_expire(&s, SECOND, NOW + rows[i].started);
        stream_starts_add(&s);
        assert_int_equal(stream_starts_expire(&s, SECOND, NOW + rows[i].looked), rows[i].lost);
    }
}

static void each_slice_loses_its_own(void **state)
{
    StreamStarts s = begun_at(NOW);
    stream_starts_add(&s);
    assert_int_equal(stream_starts_expire(&s, SECOND, NOW + SECOND), 0);
    stream_starts_add(&s);
    stream_starts_add(&s);
    assert_int_equal(stream_starts_expire(&s, SECOND, NOW + 2 * SECOND), 1);
    assert_int_equal(stream_starts_expire(&s, SECOND, NOW + 3 * SECOND), 2);
    assert_int_equal(stream_starts_expire(&s, SECOND, NOW + 4 * SECOND), 0);
}

static void a_place_is_given_back_once(void **state)
{
    StreamStarts s = begun_at(NOW);
    uint32_t early = stream_starts_add(&s), late = stream_starts_add(&s);
    assert_true(stream_starts_remove(&s, early));
    assert_int_equal(stream_starts_expire(&s, SECOND, NOW + SECOND), 0);
    uint32_t next = stream_starts_add(&s);
    assert_int_equal(stream_starts_expire(&s, SECOND, NOW + 2 * SECOND), 1);
    assert_false(stream_starts_remove(&s, late));
    assert_true(stream_starts_remove(&s, next));
    assert_int_equal(stream_starts_expire(&s, SECOND, NOW + 9 * SECOND), 0);
}

static void there_is_a_next_loss_while_a_stream_has_a_place(void **state)
{
    StreamStarts s = begun_at(NOW);
    assert_int_equal(stream_starts_next(&s), INT64_MAX);
    uint32_t slice = stream_starts_add(&s);
    assert_int_equal(stream_starts_next(&s), NOW + SECOND);
    stream_starts_expire(&s, SECOND, NOW + SECOND);
    assert_int_equal(stream_starts_next(&s), NOW + 2 * SECOND);
    stream_starts_remove(&s, slice);
    assert_int_equal(stream_starts_next(&s), INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_is_lost_after_one_to_two_slices),
        cmocka_unit_test(each_slice_loses_its_own),
        cmocka_unit_test(a_place_is_given_back_once),
        cmocka_unit_test(there_is_a_next_loss_while_a_stream_has_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
